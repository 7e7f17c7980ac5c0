#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh unit|cli|guest|long... -- run the tests of these kinds
#
#	unit	tests/unit/test_*.c, plain and under ASan and UBSan
#	cli	tests/cli/*.sh, the binary without a guest
#	guest	tests/guest/*.sh, real guests
#	long	tests/long/*.sh, what takes longer than make check should
#
# A shell test sources tests/lib.sh and prints "ok NAME", "not ok NAME" or
# "skip NAME: reason" for each of its cases; unit programs are cmocka's. The
# last line is the sum: N passed, N failed, N skipped. T='pattern' runs only
# the files whose name it matches. J files run at once, one for each processor
# if it is not said, as a guest that boots or waits seldom needs its own; those
# with a line "# takes: N s" first, the longest before all, so that none is left
# to a single processor in the end. Those with a line "# alone: WHY" and long ones
# have the machine for themselves, and those with a line "# again: WHY" have a
# second try.

set -u
cd "$(dirname "$0")/.." || exit 1
export O=${O:-build}
J=${J:-$(nproc)}
log=$O/test-logs
rm -rf "$log"
mkdir -p "$log"
passed=0 failed=0 skipped=0

count() { # FILE -- add its results
	local p f s
	p=$(grep -c '^ok ' "$1")
	f=$(grep -c '^not ok ' "$1")
	s=$(grep -c '^skip ' "$1")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	grep '^skip ' "$1" | sed 's/^/        /'
	[ $((p + f + s)) -gt 0 ]
}

tell() { # LABEL STATUS -- it ended
	local file=$log/$1.log rc=$2
	if ! count "$file"; then
		echo "not ok $1: no result, exit status $rc" >>"$file"
		failed=$((failed + 1))
	elif [ "$rc" != 0 ] && ! grep -q '^not ok ' "$file"; then
		echo "not ok $1: exit status $rc" >>"$file"
		failed=$((failed + 1))
	fi
	if grep -q '^not ok ' "$file"; then
		printf '  FAIL    %s (%d s)\n' "$1" $((SECONDS - began[$1]))
		grep -vE '^(ok|skip) ' "$file" | tail -n 60 | sed 's/^/        /'
	else
		printf '  ok      %s (%d s)\n' "$1" $((SECONDS - began[$1]))
	fi
}

# Each in a process group of its own, which Ctrl-C ends as a whole.
set -m
declare -A label=() began=()

stop() {
	for pid in "${!label[@]}"; do kill -- "-$pid"; done 2>/dev/null
	wait
	exit 1
}
trap stop HUP INT TERM

reap() { # one of those that run
	local pid rc
	wait -n -p pid "${!label[@]}"
	rc=$?
	tell "${label[$pid]}" $rc
	unset "label[$pid]"
}

run() { # LABEL COMMAND... -- its output is a list of results
	local name=$1
	shift
	while [ ${#label[@]} -ge "$J" ]; do reap; done
	began[$name]=$SECONDS
	"$@" >"$log/$name.log" 2>&1 </dev/null &
	label[$!]=$name
}

finish() { while [ ${#label[@]} -gt 0 ]; do reap; done; }

# Each output of a first try that failed is kept, as comments.
twice() { # FILE
	local first
	first=$(bash "$1" 2>&1) && ! grep -q '^not ok ' <<<"$first" &&
		echo "$first" && return
	sed 's/^/# first try: /' <<<"$first"
	bash "$1"
}

run_file() { # tests/KIND/NAME.sh
	local kind=${1%/*} how=bash
	if grep -q '^# again: ' "$1"; then how=twice; fi
	run "${kind##*/}-$(basename "$1" .sh)" $how "$1"
}

# Of a kind, those that it says take the most time first.
files() { # KIND
	local t
	for t in tests/"$1"/[0-9]*.sh; do
		[ ! -e "$t" ] || ! matches "${t##*/}" ||
			echo "$(sed -n 's/^# takes: \([0-9]*\) s$/\1/p' "$t")" "$t"
	done | sort -s -k1,1nr | sed 's/.* //'
}

cmocka() { # PROGRAM -- cmocka's TAP output as ours
	CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=detect_leaks=1 "$1" 2>&1 |
		sed -E 's/^(not )?ok [0-9]+ # SKIP (.*)/skip \2: it does not have here what it needs/
			s/^(not )?ok [0-9]+ - /\1ok /'
	return "${PIPESTATUS[0]}"
}

# shellcheck disable=SC2254 # a pattern it is
matches() { case $1 in ${T:-*}) ;; *) false ;; esac; }

alone=()
for kind; do
	case $kind in
	unit)
		# Some of them look at a real kernel, if there is one.
		v=$O/kernels/6.1/vmlinuz
		XFT_VMLINUZ=$(readlink -f "$v")
		[ ! -e "$v" ] || export XFT_VMLINUZ
		make -s -j"$(nproc)" ASAN=1 O="$O/asan" unit-programs &&
			make -s -j"$(nproc)" unit-programs || exit 1
		for p in "$O"/unit/test_* "$O"/asan/unit/test_*; do
			[ -x "$p" ] || continue	# not what make notes beside them
			matches "${p##*/}" || continue
			case $p in
			"$O"/asan/*) run "${p##*/}-asan" cmocka "$p" ;;
			*) run "${p##*/}" cmocka "$p" ;;
			esac
		done
		;;
	cli | guest | long)
		for t in $(files "$kind"); do
			if [ "$kind" = long ] || grep -q '^# alone: ' "$t"; then
				alone+=("$t")
			else
				run_file "$t"
			fi
		done
		;;
	*)
		echo "run.sh: unknown kind of test: $kind" >&2
		exit 2
		;;
	esac
done
finish
J=1
for t in "${alone[@]}"; do run_file "$t"; done
finish
# What failed, once more: whoever reads only the end of a long log needs no more.
[ "$failed" = 0 ] || grep -H '^not ok ' "$log"/*.log | sed "s|^$log/||"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ $((passed + skipped)) -gt 0 ]
