#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Misuse and bad input: the exit status and one clear line (two for misuse).
. "$(dirname "$0")/../lib.sh"

if "$xft" >stdout.txt 2>stderr.txt; then
	not_ok "no verb: succeeds"
else
	check "no verb: exit status 2" [ $? = 2 ]
	check "no verb: usage on stderr" grep -q '^usage: xftrace' stderr.txt
	check "no verb: nothing on stdout" [ ! -s stdout.txt ]
fi

# Misuse
fails "unknown option before the verb" 2 "unknown option --nonsense" "$xft" --nonsense on
fails "unknown option" 2 "unknown option --nonsense" "$xft" on --nonsense vfs_read
fails "unknown letter" 2 "unknown option -Z" "$xft" off -Z
fails "option without its value" 2 "--depth needs a value" "$xft" on vfs_read --depth
fails "flag with a value" 2 "--json takes no value" "$xft" status --json=yes
fails "depth 0" 2 "--depth: '0' is out of range" "$xft" on -d 0 vfs_read
fails "depth 256" 2 "--depth: '256' is out of range" "$xft" on -d256 vfs_read
fails "depth of letters" 2 "--depth: 'deep' is not a number" "$xft" on --depth=deep vfs_read
fails "a negative number" 2 "--pid: '-1' is not a number" "$xft" on --pid -1 vfs_read
fails "pid 0" 2 "--pid: '0' is out of range" "$xft" on --pid 0 vfs_read
fails "size with a wrong unit" 2 "--ring-size: '4T' is not a size" "$xft" on --ring-size 4T vfs_read
fails "size that overflows" 2 "--ring-size" "$xft" on --ring-size 99999999999G vfs_read
fails "time with a wrong unit" 2 "--key-interval: '1h' is not a time" "$xft" on --key-interval 1h vfs_read
fails "keys of xor, sealed" 2 "--key-interval is for --mask=xor" "$xft" on --key-interval 1s vfs_read
fails "no such mask" 2 "no 'rot13', but sealed and xor" "$xft" on --mask=rot13 vfs_read
fails "time out of range" 2 "--key-interval: '1ms' is out of range" "$xft" on --key-interval 1ms vfs_read
fails "on without a function" 2 "at least one function" "$xft" on
fails "off with an operand" 2 "'it' is not expected" "$xft" off it
fails "status with an operand" 2 "'it' is not expected" "$xft" status it
fails "report without a trace" 1 "no trace was recorded yet" "$xft" report
fails "report of two files" 2 "one trace" "$xft" report a b
fails "symbols of two files" 2 "one file or one guest" "$xft" symbols a b
fails "symbols of a file and a guest" 2 "one file or one guest" "$xft" symbols -g x a
fails "guest alone" 2 "start, list, stop or args" "$xft" guest
fails "unknown guest verb" 2 "no 'guest dance'" "$xft" guest dance
fails "guest start with an operand" 2 "'it' is not expected" "$xft" guest start it
fails "guest start --accel" 2 "'fast' is not auto, kvm or tcg" "$xft" guest start --accel fast
fails "guest start --mem" 2 "--mem: '1M' is out of range" "$xft" guest start --mem 1M
fails "guest start --cpus" 2 "--cpus: '0' is out of range" "$xft" guest start --cpus 0
fails "guest stop of two" 2 "name one guest" "$xft" guest stop a b
fails "guest list with an operand" 2 "'it' is not expected" "$xft" guest list it
for two in "--guest a --qmp b" "--guest a --pid 1" "--qmp a --pid 1"; do
	read -ra options <<<"$two"
	fails "on $two" 2 "exclude each other|one file or one guest" "$xft" on "${options[@]}" vfs_read
	fails "symbols $two" 2 "exclude each other|one file or one guest" "$xft" symbols "${options[@]}"
done

# Nothing is going on: say what would change that.
fails "off, nothing recorded" 1 "nothing is being recorded: 'xftrace on" "$xft" off
fails "status, nothing recorded" 1 "nothing is being recorded: 'xftrace on" "$xft" status
fails "status --json, nothing recorded" 1 "nothing is being recorded" "$xft" status --json
fails "off of a guest that is not recorded" 1 "guest web is not being recorded" "$xft" off -g web
fails "off of a name that is none" 1 "no name of a guest" "$xft" off -g ../web
check "off made no file" [ ! -e trace_graph.txt ]
fails "on without a guest" 1 "no guest is running: .*'xftrace guest start'.*--qmp" "$xft" on vfs_read
fails "on with an unknown guest" 1 "no guest 'web' .*'xftrace guest list'" "$xft" on -g web vfs_read
fails "symbols without a guest" 1 "no guest is running" "$xft" symbols
fails "guest stop without a guest" 1 "no guest to stop" "$xft" guest stop
fails "guest stop of an unknown one" 1 "no guest 'web'" "$xft" guest stop web
fails "guest start with a bad name" 1 "'\.\./web' cannot be a guest's name" "$xft" guest start -n ../web
: >empty
head -c 100000 /dev/urandom >garbage
fails "guest start, kernel missing" 1 "nowhere: No such file" "$xft" guest start -n x -k nowhere
fails "guest start, kernel is none" 1 "garbage is no Linux kernel" "$xft" guest start -n x -k garbage

# Things that are not guests
fails "on, no such socket" 1 "/nonexistent.*No such file" "$xft" on --qmp /nonexistent vfs_read
fails "on, a file for a socket" 1 "garbage" "$xft" on --qmp garbage vfs_read
fails "on, no such process" 1 "no process 999999999" "$xft" on --pid 999999999 vfs_read
tail -f /dev/null &
fails "on, a process that is no QEMU" 1 "process $!" "$xft" on --pid $! vfs_read
kill $!
if command -v socat >/dev/null; then
	socat UNIX-LISTEN:echo.sock,fork SYSTEM:'echo hello; cat' &
	until_true 5 test -S echo.sock
	fails "on, a socket that does not speak QMP" 1 "echo.sock" "$xft" on --qmp echo.sock vfs_read
	{ kill $! && wait $!; } 2>/dev/null
	socat UNIX-LISTEN:json.sock,fork SYSTEM:'echo {}; cat' &
	until_true 5 test -S json.sock
	fails "on, a socket with other JSON" 1 "json.sock" "$xft" on --qmp json.sock vfs_read
	{ kill $! && wait $!; } 2>/dev/null
else
	skip "on, a socket that is not QMP: no socat"
fi

# Traces that are none
make_trace() { "$O/stress/make_trace" "$@"; }
make_trace hollow
make_trace meta 1 '[]'
make_trace noise 1 "$(head -c 3000 garbage | base64)" 4 "$(head -c 30000 garbage | base64)"
make_trace good-one 1 'a mark' 2 other
LC_ALL=C sed 's/a mark/a mask/' good-one >changed
LC_ALL=C sed '1s/^XFTSTORE\x01/XFTSTORE\x09/' good-one >future
head -c 50000 good-one >short
head -c 3000 good-one >torn
for bad in "garbage:no trace" "empty:no trace" "torn:no trace" "short:cut short" \
	"changed:damaged" "noise:" "hollow:" "meta:" "future:version 9" \
	"nowhere:no such file" "/dev/null:no trace" ".:no trace"; do
	fails "report of ${bad%%:*}" 1 "${bad%%:*}.*${bad#*:}" "$xft" report "${bad%%:*}"
	check "report of ${bad%%:*}: nothing on stdout" [ ! -s stdout.txt ]
done
fails "report leaves no file behind" 1 garbage "$xft" report -o made garbage
check "report made no file" [ ! -e made ]

# Symbol files that are none
printf '\177ELF\2\1\1' >elf
printf 'ffffffff81000000 T\n' >map
echo 'Hello, world' >text
for bad in garbage empty elf map text nowhere .; do
	fails "symbols of $bad" 1 "^xftrace: error: $bad: " "$xft" symbols "$bad"
done
check "a System.map is printed" grep -q 'ffffffff81000010 T vfs_read' \
	<(printf 'ffffffff81000000 T _stext\nffffffff81000010 T vfs_read\nffffffff81000020 T _etext\n' >good
	"$xft" symbols good)

# Output that does not get out
fails "help to a full disk" 1 "standard output" sh -c '"$1" help >/dev/full' sh "$xft"
fails "a folder that others can write to" 1 "only you can write" \
	sh -c 'mkdir -m 777 open && chmod 777 open && exec env XFTRACE_RUNTIME="$PWD/open" "$1" on vfs_read' sh "$xft"
