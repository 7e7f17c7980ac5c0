#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every parser against hostile bytes: tests/fuzz/fuzz_*.c, for a few seconds
# each, always the same executions. 'make fuzz' is longer.
. "$(dirname "$0")/../lib.sh"

CLANG=${CLANG:-clang}
command -v "$CLANG" >/dev/null || { skip "fuzz: no $CLANG"; exit 0; }
build() { # TREE O TARGET...
	make -s -j"$(nproc)" -C "$1" FUZZ=1 CLANG="$CLANG" O="$2" "${@:3}" >make.log 2>&1
}
build "$top" "$O/fuzz" fuzz-programs ||
	{ not_ok "fuzz targets are built: $(tail -n 20 make.log)"; exit 1; }

FUZZ_RUNS=20000 FUZZ_SECONDS=2 bash "$top/tests/fuzz/run.sh" >table
while read -r target runs row; do
	case $row in
	*'nothing found') ok "fuzz $target"; echo "# $runs runs, $row" ;;
	*FOUND*) not_ok "fuzz $target: $row"; tail -n 40 "$O/fuzz/found/$target.log" >&2 ;;
	esac
done <table
check 'each target ran' [ "$(grep -c 'nothing found\|FOUND' table)" = \
	"$(find "$top/tests/fuzz" -name 'fuzz_*.c' | wc -l)" ]

# Whatever reads guest memory does so from a guest that is never the same twice.
# scan.c is run by the others, memfile.c parses nothing.
for file in $(cd "$top/kvm-memfile" && grep -lE '(gva|memfile)_(read|ptr)|scan_pages' ./*.c); do
	name=$(basename "$file" .c)
	case $name in scan | memfile) continue ;; esac
	check "fuzz $name: fresh bytes at each read" \
		grep -q guest_begin "$top/tests/fuzz/fuzz_$name.c"
done

# What find nothing would look the same if nothing could be found: parsers are
# broken on purpose, in a copy.
mkdir tree
cp -a "$top"/{Makefile,VERSION,scripts,abi,base,keyctl,kvm-memfile,tracemaker,nvm,audit,xftrace} tree
mkdir tree/tests tree/tests/data
cp -a "$top"/tests/{fuzz,*.h} tree/tests && cp -a "$top"/tests/data/fuzz tree/tests/data
mkdir -p o/fuzz && cp -a "$O/fuzz"/{obj,.flags,.deps} o/fuzz
breaks() { # NAME TARGET FILE SED MESSAGE
	local file=tree/$3
	cp -a "$file" whole.c
	sed -i "$4" "$file"
	# It may include that file, which make does not know of in this O.
	rm -f "o/fuzz/obj/tests/fuzz/fuzz_$2.o"
	if cmp -s "$file" whole.c; then
		not_ok "fuzz finds $1: nothing to break in $3"
	elif ! build tree "$work/o/fuzz" "$work/o/fuzz/fuzz/$2"; then
		not_ok "fuzz finds $1: $(tail -n 5 make.log)"
	elif O=$work/o FUZZ_RUNS=20000 FUZZ_TIMEOUT=1 bash tree/tests/fuzz/run.sh "$2" >table; then
		not_ok "fuzz finds $1: $(tail -n 1 table)"
	else
		check "fuzz finds $1" grep -q "$5" "o/fuzz/found/$2.log"
	fi
	mv whole.c "$file" && touch "$file"
}
breaks "a length that is not checked" ring kvm-memfile/ring.c \
	's/ || end > sub_size(r)//' 'AddressSanitizer: '
breaks "a loop without an end" result tracemaker/result.c \
	's/!c.failed && //' 'libFuzzer: timeout'
breaks "a second look at guest memory" vmcoreinfo kvm-memfile/vmcoreinfo.c \
	's/^\trc = gva_read(.*/&\n&/' 'double fetch'
