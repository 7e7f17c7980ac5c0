#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What /proc says of a recorder: it can do no more than it must. That it still
# can do what it must, after a reboot and with --host, other tests show.

# shellcheck disable=SC2016,SC2034,SC2154 # eval'd; lib.sh's

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"

rec=$work/run/rec/$guest

recorder() { jq .pid "$rec/recorder.json"; }
says() { grep -qE "^$2:[[:space:]]+$3\$" "/proc/$1/status"; }
is_dead() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }
no_core() { grep -qE '^Max core file size +0 +0 ' "/proc/$1/limits"; }

# files PID -- what it has open, each with how (r, w or rw)
files() {
	local fd
	for fd in /proc/"$1"/fd/*; do
		case $(awk '/^flags:/ { print substr($2, length($2)) }' \
			"/proc/$1/fdinfo/${fd##*/}") in
		0) printf 'r ' ;; 1) printf 'w ' ;; *) printf 'rw ' ;;
		esac
		readlink "$fd"
	done | sed -E "s,^(rw?|w) $rec/,\\1 REC/,
		s,^(rw?|w) $work/,\\1 ,
		s,/dev/shm/.*-$guest.ram,RAM,; s/\\[[0-9]+\\]//" | sort | uniq -c |
		sed 's/^ *//'
}

start_guest 6.1
few_hooks
sock=$work/run/guests/$guest/qmp.sock
qemu=$(jq .pid "$work/run/guests/$guest/guest.json")

# A descriptor more, that is not close-on-exec, and a working folder.
exec 7</dev/zero
"$xft" -q on --guest "$guest" vfs_read || { not_ok 'on'; exit 1; }
exec 7<&-
pid=$(recorder)
check 'no new privileges' says "$pid" NoNewPrivs 1
check 'a filter for system calls' says "$pid" Seccomp 2
check 'keys are locked in memory' says "$pid" VmLck '[1-9][0-9]* kB'
check 'no core file' no_core "$pid"
cat >expected.txt <<'EOF'
1 r RAM
1 rw REC/lock
1 rw RAM
1 rw anon_inode:[pidfd]
1 rw anon_inode:[signalfd]
1 rw socket:
2 rw /dev/null
2 rw data/traces.store
1 w REC/words
EOF
check 'no file is open but those' diff <(sort expected.txt) <(files "$pid" | sort)
check 'it has said nothing' [ ! -s "$rec/words" ]
ours_alone() { [ ! "$(find "$work/run" "$work/data" ! -type l -perm /077)" ]; }
check 'state and traces are nobody else'\''s' ours_alone
check 'nor is the RAM' [ "$(stat -c %a /dev/shm/xftrace-*-"$guest.ram")" = 600 ]

# RAM is mapped for writing where the mailbox is, and nowhere else.
writable() {
	local start end how
	while IFS='- ' read -r start end how _; do
		[[ $how != ?w* ]] || echo $((0x$end - 0x$start))
	done < <(grep -- "-$guest.ram" "/proc/$1/maps")
}
check 'guest RAM is read-only but for the mailbox' \
	[ "$(writable "$pid")" = $((63 * 4096)) ]

# Whoever owns a verb by what it reads cannot write where it should not.
${CC:-gcc} -shared -fPIC -O2 -o escape.so "$top/tests/guest/escape.c" ||
	not_ok 'escape.c compiles'
escapes() { # VERB... -- owned, it makes a file here
	rm -f escaped
	LD_PRELOAD=$PWD/escape.so ESCAPE=$PWD/escaped "$xft" "$@" >owned.txt 2>&1
	[ -e escaped ]
}
stays() { # VERB...
	if escapes "$@"; then
		not_ok "'$*' cannot write here"
	elif grep -q 'may not call' owned.txt; then
		not_ok "'$*' works: $(cat owned.txt)"
	else
		ok "'$*' cannot write here"
	fi
}
check 'without a cage it is possible' escapes help
if [ "$(cat escaped)" = landlock ]; then
	stays status
	stays watch --guest "$guest" --count 1
	stays check --live --guest "$guest"
	stays store info
	stays store check
	stays recover
	stays mv "$("$xft" ls --json | jq -r '.[0].name')" moved
	stays rm nosuch
	check 'mv has worked for all that' "$xft" -q show moved
else
	skip 'verbs cannot write elsewhere: needs Landlock'
fi

# Its verbs work in their cages; what each writes is where it may.
mkdir out
check 'events' eval '"$xft" events --pid "$qemu" | grep -q sched_switch'
check 'symbols' "$xft" symbols --qmp "$sock" -o out/map
check 'symbols: whole' grep -q ' vfs_read$' out/map
check 'status' eval '"$xft" status --guest "$guest" | grep -q tracing'
check 'report of a living trace' "$xft" -q report -o out/report
check 'off' "$xft" -q off --guest "$guest" -o out/graph
name=$("$xft" ls --json | jq -r '.[0].name')
check 'show' eval '"$xft" show | grep -q "^state *finished"'
check 'export' "$xft" -q export "$name" out/trace
check 'import' "$xft" -q import --name again out/trace
check 'report of a file' eval '"$xft" report out/trace | cmp - out/graph'
check 'report of what was imported' eval '"$xft" report again | cmp - out/graph'
check 'trace.dat to a file' "$xft" -q report --format dat -o out/dat
check 'trace.dat to a pipe' eval '"$xft" report --format dat | cmp - out/dat'
check 'report through a link into a pipe' eval \
	'"$xft" -q report -o /dev/stdout | cat | cmp - out/graph'

# A call that nobody expects is a death with a name, which 'off' tells.
"$xft" -q on --guest "$guest" vfs_read || { not_ok 'on again'; exit 1; }
pid=$(recorder)
kill -SYS "$pid"
until_true 20 is_dead "$pid"
"$xft" off --guest "$guest" 2>stderr.txt
check 'off tells what the recorder said' grep -qE \
	"was killed \(it said: process $pid may not call .*\); its trace is" \
	stderr.txt
