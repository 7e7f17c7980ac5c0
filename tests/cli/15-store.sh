#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The store and the verbs that work on it, without a guest.
. "$(dirname "$0")/../lib.sh"

names() { "$xft" ls --json "$@" | jq -r '[.[].name] | join(" ")'; }
state() { "$xft" show --json "$1" | jq -r .state; }
is() { [ "$1" = "$2" ]; }
meta='{"guest": "web", "release": "6.1.0-test", "build_id": "c0ffee",
	"session": 1, "tsc_khz": 1000, "instance": "0x77",
	"functions": ["vfs_read"]}'
make_trace() { "$O/stress/make_trace" "$@"; }

# Nothing was recorded yet
check "ls of nothing" "$xft" -q ls
check "ls --json of nothing" is "$("$xft" ls --json)" '[]'
for verb in report show "rm a" "mv a b" "export a b" recover "store info"; do
	read -ra v <<<"$verb"
	fails "$verb of nothing" 1 "no trace was recorded yet: 'xftrace on" \
		"$xft" "${v[@]}"
done
check "asking made no store" [ ! -e "$XFTRACE_DATA/traces.store" ]

# In and out
make_trace web.xft 1 "$meta" 6 '{"text": "a note"}'
check "import" "$xft" -q import --name one web.xft
check "the default store is thin" \
	[ "$(du -k "$XFTRACE_DATA/traces.store" | cut -f1)" -lt 16384 ]
check "the default store is nobody else's" \
	is "$(stat -c %a "$XFTRACE_DATA/traces.store")" 600
check "import under its own name" "$xft" -q import web.xft
check "ls" is "$(names)" "one trace"
fails "import, name taken" 1 "there is a trace 'one' already" \
	"$xft" import --name one web.xft
fails "import, no such file" 1 "nowhere: No such file" "$xft" import nowhere
fails "import, bad name" 1 "a trace's name is 1 to 64" \
	"$xft" import --name ../x web.xft
head -c 5000 /dev/urandom >garbage
fails "import, no trace" 1 "garbage: no trace" "$xft" import garbage
check "imports that failed left nothing" is "$(names)" "one trace"
check "export" "$xft" -q export one out.xft
check "export: nobody else's" is "$(stat -c %a out.xft)" 600
fails "export over a file" 1 "out.xft" "$xft" export one out.xft
fails "export, no such trace" 1 "no trace 'two'" "$xft" export two more.xft
check "export that failed left nothing" [ ! -e more.xft ]
check "the copy draws the same" cmp -s <("$xft" report one) <("$xft" report out.xft)
check "the report is of it" sh -c '"$1" report one | grep -q "guest:     web"' - "$xft"

# Names
check "mv" "$xft" mv trace two
fails "mv, no such trace" 1 "no trace 'trace'" "$xft" mv trace three
fails "mv, name taken" 1 "there is a trace 'one' already" "$xft" mv two one
fails "mv, bad name" 1 "a trace's name is" "$xft" mv two -- -two
check "mv did it" is "$(names)" "one two"
check "show" is "$("$xft" show --json two | jq -r '.guest + " " + .functions[0]')" \
	"web vfs_read"
check "show, the newest" sh -c '"$1" show | grep -qE "^trace +two$"' - "$xft"
check "show of a file" is "$(state out.xft)" finished
fails "show, no such trace" 1 "no trace 'three' and no such file" "$xft" show three
fails "report, no such trace" 1 "no trace 'three' and no such file" \
	"$xft" report three

# A trace before a file of its name
cp out.xft two
check "a trace comes before a file" \
	sh -c '"$1" show two | grep -qE "^trace +two$"' - "$xft"
check "a file with a path" sh -c '"$1" show ./two | grep -qE "^trace +one$"' - "$xft"

check "rm" "$xft" rm one two
check "rm did it" is "$(names)" ""
check "rm leaves nothing to repair" sh -c '"$1" store check >out' - "$xft"
fails "rm, no such trace" 1 "no trace 'one'" "$xft" rm one

# Other stores
check "store create" "$xft" -q store create --size 4M small.store
fails "store create, there already" 1 "small.store" "$xft" store create --size 4M small.store
fails "store create, too small" 2 "out of range" "$xft" store create --size 1K tiny
check "--store" "$xft" -q import --store small.store --name here web.xft
check "--store: it is there" is "$(names --store small.store)" here
check "--store: it is not in the other" is "$(names)" ""
check "XFTRACE_STORE" is "$(XFTRACE_STORE=small.store names)" here
fails "XFTRACE_STORE, no such file" 1 "nowhere: No such file" \
	env XFTRACE_STORE=nowhere "$xft" ls
info() { "$xft" store info --json --store small.store | jq "$1"; }
check "store info" is "$(info .traces)" 1
check "store info: no quota" is "$(info .quota_bytes)" 0
check "store info in words" sh -c '"$1" store info | grep -q "^quota *none"' - "$xft"

# A quota lets the oldest go
seq 200000 | base64 -w0 | head -c 900000 >much
part=$(head -c 70000 much)
make_trace big.xft 1 "$meta" 99 "$part" 99 "$part"
quota() { "$xft" store quota --store small.store "$@"; }
check "store quota" quota --size 300K
for n in 1 2 3 4; do
	"$xft" -q import --store small.store --name "n$n" big.xft
done
check "the oldest gave way" is "$(names --store small.store)" "n3 n4"
check "store quota --none" quota --none
for n in 5 6; do
	"$xft" -q import --store small.store --name "n$n" big.xft
done
check "without a quota nothing goes" is "$(names --store small.store)" "n3 n4 n5 n6"
fails "store quota, neither" 2 "--size SIZE or --none" "$xft" store quota
fails "store quota, both" 2 "--size SIZE or --none" "$xft" store quota --none --size 1M
"$xft" -q store create --size 128K full.store
fails "a store that is full" 1 "full.store: the store is full" \
	"$xft" import --store full.store big.xft
check "what did not fit is not there" is "$(names --store full.store)" ""

# Interrupted
make_trace -u dead.store 1 "$meta"
check "interrupted" is "$(XFTRACE_STORE=dead.store "$xft" show --json | jq -r .state)" interrupted
check "recover" "$xft" -q recover --store dead.store
check "recovered" is "$(XFTRACE_STORE=dead.store "$xft" show --json | jq -r .state)" finished
check "recovered: a note says so" sh -c \
	'"$1" report --store dead.store | grep -q "note: .*recorder was killed"' - "$xft"
check "recover, nothing to do" "$xft" -q recover --store dead.store
fails "recover, no such trace" 1 "no trace 'nix'" "$xft" recover --store dead.store nix

# Memory that is no guest's
recover() { "$xft" recover --store dead.store --memfile "$@"; }
fails "recover, no such file" 1 "nowhere: No such file" recover nowhere
truncate -s 8M zeros
chmod 600 zeros
fails "recover, no module" 1 "no xftrace module was in this guest" recover zeros
chmod 644 zeros
fails "recover, others may read it" 1 "zeros" recover zeros
truncate -s 8193 odd
fails "recover, not RAM" 1 "odd: not a file of guest RAM" recover odd
printf '\177ELF\2\1\1' >elf
chmod 644 elf
fails "recover, others may read the core" 1 "elf: .*mode 0644.*chmod 600" recover elf
chmod 600 elf
ln -s elf link
fails "recover, a link" 1 "link: .*symbolic" recover link
fails "recover, a short core" 1 "elf: cut short" recover elf
{ cat elf; head -c 100000 /dev/urandom; } >elf2
chmod 600 elf2
fails "recover, no core" 1 "elf2: no core of an x86-64 guest" recover elf2

# Check
check "store check" sh -c '"$1" store check --store small.store >out' - "$xft"
check "store check --json" is "$("$xft" store check --json --store small.store |
	jq -r '[.[].verdict] | unique | join(" ")')" ok
cp small.store broken
printf X | dd of=broken bs=1 seek=20 conv=notrunc status=none
"$xft" store check --store broken >out
check "a damaged head: exit status 1" [ $? = 1 ]
check "a damaged head: it can be repaired" grep -qE '^head +repairable' out
check "store check --repair" sh -c '"$1" store check --repair --store broken >out' - "$xft"
check "repaired" sh -c '"$1" store check --store broken >out' - "$xft"

# What is damaged, and what is left of it
keep() { "$xft" -q import --store damaged.store --name "$1" web.xft; }
"$xft" -q store create --size 4M damaged.store
keep one
keep two
place=$(grep -abo "a note" damaged.store | sed -n '2s/:.*//p')
printf X | dd of=damaged.store bs=1 seek="$place" conv=notrunc status=none
fails "a damaged trace" 1 "two: damaged at" "$xft" report --store damaged.store two
"$xft" store check --repair --store damaged.store >out 2>stderr.txt
check "it is not repaired" [ $? = 1 ]
check "and the way out is named" grep -q 'store check --salvage' stderr.txt
check "store check --salvage" sh -c \
	'"$1" store check --salvage --store damaged.store >out' - "$xft"
check "salvage says what it gave up" grep -qE 'contents .* repaired .*two: damaged' out
check "it can be drawn without that" sh -c \
	'"$1" report --store damaged.store two | grep -q "guest:     web"' - "$xft"
check "the other is as it was" cmp -s <("$xft" report --store damaged.store one) \
	<("$xft" report web.xft)
place=$(grep -abo "two" damaged.store | sed -n '1s/:.*//p')
printf X | dd of=damaged.store bs=1 seek="$place" conv=notrunc status=none
check "a damaged entry has no name" is "$(names --store damaged.store)" "one ?"
"$xft" -q store check --salvage --store damaged.store >out
check "salvaged, it has one" is "$(names --store damaged.store)" "one lost-1"
check "salvaged, all is well" sh -c '"$1" store check --store damaged.store >out' - "$xft"

"$xft" store check --store garbage >out 2>stderr.txt
check "no store: exit status 2" [ $? = 2 ]
"$xft" store check --store nowhere >out 2>stderr.txt
check "no such store: exit status 2" [ $? = 2 ]

# Several at once make one default store
rm "$XFTRACE_DATA/traces.store"
for n in 1 2 3 4 5 6 7 8; do
	"$xft" -q import --name "p$n" web.xft &
done
wait
check "eight at once, one store" is "$(names | tr ' ' '\n' | sort | paste -sd ' ')" \
	"p1 p2 p3 p4 p5 p6 p7 p8"
check "no other file is left" is "$(ls "$XFTRACE_DATA")" traces.store

# Misuse
fails "store alone" 2 "create, info, check or quota" "$xft" store
fails "unknown store verb" 2 "no 'store burn'" "$xft" store burn
fails "store create without a file" 2 "name one file" "$xft" store create --size 1M
fails "store create without a size" 2 "--size 1G" "$xft" store create x
fails "rm without a trace" 2 "name the traces" "$xft" rm
fails "mv of one" 2 "its new name" "$xft" mv a
fails "show of two" 2 "name one trace" "$xft" show a b
fails "export of one" 2 "the trace and a file" "$xft" export a
fails "import of none" 2 "name one file" "$xft" import
fails "recover of two" 2 "name one trace" "$xft" recover a b
fails "ls with an operand" 2 "not expected" "$xft" ls a
