#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Clean runs make a baseline, other clean runs fit it, hooks do not; a running
# guest is checked and watched.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=poke.sh
. "$top/tests/guest/poke.sh"
# shellcheck source-path=SCRIPTDIR source=../check/lib.sh
. "$top/tests/check/lib.sh"

kernel=6.1
hidden=/sys/module/hook_open/parameters/hidden
hook() { # PARAMETER... [-- COMMAND]
	in_guest "insmod /tmp/hook_open.ko $1 \
		target=0x\$(grep ' __x64_sys_openat\$' /proc/kallsyms |
			head -n 1 | cut -d' ' -f1) && ${2:-:}"
}
unhook() { in_guest "echo 0 >$hidden; rmmod hook_open"; }
says() { grep -qE -- "$1" report || { cat report; return 1; }; }
has() { [ "$(jq -r "$1" "$2")" = "$3" ]; }

check "the module compiles" build_hook $kernel
start_guest $kernel
check "it is in the guest" put "$work/hook_open/$kernel/hook_open.ko" /tmp/hook_open.ko

# Enough to tell one call of a root from another.
few_hooks '*_openat' '*_read' '*getdents*' 'do_sys_open*' 'getname*' '*path*' 'vfs_*' \
	'*file*' 'may_open*' 'filldir*' _printk '*:mod:hook_open'
for i in 1 2 3; do
	check "clean run $i" record "clean-$i" 8
done
check "a baseline" "$xft" -q baseline make -o open.base clean-1 clean-2 clean-3
check "it is the same each time" cmp -s open.base \
	<("$xft" -q baseline make -o - clean-3 clean-1 clean-2)
check "it can be kept" "$xft" -q baseline make -n open clean-1 clean-2 clean-3
fails "its name is taken" 1 "'open' is there already.*xftrace rm open" \
	"$xft" baseline make -n open clean-1
fails "it is no trace" 1 "open: is a baseline, not a trace" "$xft" report open
check "it is listed" sh -c "'$xft' ls | grep -q '^open  *baseline '"
"$xft" baseline show open >shown
check "show has the roots" grep -qE '^root +__x64_sys_openat, [0-9]+ calls in 3 runs' shown

record again 8
check "no baseline: clean" verdict 0 again
check "the same work again: clean" verdict 0 --baseline open.base again
check "by its name" verdict 0 --baseline open again
check "the live guest: clean" verdict 0 --live --guest "$guest"

hook '' && record seen 8 : "echo 1 >$hidden" && unhook
check "hooked: found" verdict 1 -b open seen
check "hooked: its function" says 'new-call: __x64_sys_openat called hook_open:hook_seen'
check "hooked: it hid in the end" says 'hidden-module: taken off .*: hook_open$'
verdict 1 --json seen
check "hooked: which one, as evidence" has \
	'.findings[] | select(.rule == "hidden-module").evidence.module' report hook_open
hook quiet=1 "echo 1 >$hidden"
check "hidden: the live guest" verdict 1 --live --guest "$guest"
record hidden 8
unhook
check "hidden: found without a baseline" verdict 1 hidden --json --sarif x.sarif --junit x.xml
check "hidden: its call" has '[.findings[] | select(.rule == "unknown-caller" and
	.evidence.symbol == "__x64_sys_openat")] | length' report 1
check "SARIF has it" has '.runs[0].results[0].ruleId' x.sarif unknown-caller
check "SARIF is as its schema wants it" is_sarif x.sarif
check "JUnit is XML" xmllint --noout x.xml
check "JUnit has it" grep -q '<failure type="unknown-caller"' x.xml
fails "no clean run" 1 'hidden: it is not clean: ' "$xft" baseline make -o x clean-1 hidden

# What cannot be told
sed 's/^build-id .*/build-id 00ff/' open.base >other.base
check "another kernel's baseline" verdict 2 -b other.base again
check "it says so" says 'cannot-tell: the baseline is of another kernel'
sed '9s/ [0-9]*$/ x/' open.base >bad.base
check "a damaged baseline" verdict 2 -b ./bad.base again
check "it names the line" says 'bad.base: line 9: three numbers'
check "a missing baseline" verdict 2 -b nothing again
check "another kernel's image" verdict 2 -b open again \
	--kernel "$O/kernels/6.12/vmlinuz"
check "it says so" says 'cannot-tell: .* is not the image of the kernel'
check "another kernel's image: the live guest" verdict 2 --live --guest "$guest" \
	--kernel "$O/kernels/6.12/vmlinuz"
check "it says so" says 'cannot-tell: .* is of another kernel than the guest runs'
"$xft" -q on --guest "$guest" --name empty kernel_halt &&
	"$xft" -q off --guest "$guest" -o /dev/null
check "an empty trace" verdict 2 empty
check "no such trace" verdict 2 "no <such>: 'trace'" --sarif x.sarif --junit x.xml
check "no such trace: in SARIF" is_sarif x.sarif
check "no such trace: in XML" xmllint --noout x.xml
check "no such guest" verdict 2 --live --guest nothing
# watched STATUS OPTION... -- two looks
watched() {
	"$xft" watch --count 2 --interval 10ms "${@:2}" >report
	[ $? = "$1" ]
}
check "watch: no such guest" watched 2 --guest nothing
check "watch: another kernel's image" watched 2 --guest "$guest" \
	--symbols "$O/kernels/6.12/vmlinuz"
check "watch: two looks: clean" watched 0 --guest "$guest"

# Watched, while it is recorded, hooked, and after a reboot
"$xft" watch --guest "$guest" --interval 100ms --json >watched &
watcher=$!
told() { jq -se "any(.[]; $1)" watched >/dev/null; }
"$xft" -q on --guest "$guest" --name late sys_openat
in_guest 'cat /etc/passwd >/dev/null'
# Somebody has function graph call a stub in place of what traces.
check "hooks in place: clean" verdict 0 --live --guest "$guest"
returns=$(poke ftrace_graph_return "$(symbol ftrace_stub)")
check "hooks taken out: found" verdict 1 --live --guest "$guest"
check "it says so" says 'silence: .*calls xftrace at returns no more'
poke ftrace_graph_return "${returns// /}" >/dev/null
hook quiet=1 "echo 1 >$hidden"
in_guest 'cat /etc/passwd >/dev/null'
# Whether the recording knew it before it hid is chance.
check "watch: the hidden module appears" until_true 60 \
	told '.change == "appeared" and (.rule == "unknown-caller" or
		.rule == "hidden-module")'
unhook
check "watch: memory is clean again" until_true 60 \
	told '.change == "gone" and .level == "alarm"'
"$xft" -q off --guest "$guest" -o /dev/null
lines=$(wc -l <watched)
in_guest 'reboot -f' 2>/dev/null
check "watch: the guest reboots" until_true 120 told '.change == "rebooted" and
	.kernel == "'"$(release $kernel)"'"'
# Old memory that is overwritten is no finding, nor is a kernel that boots. What
# could not be told meanwhile depends on when it was looked at.
check "the guest is back" until_true 120 in_guest true
nothing_is_open() {
	[ "$(jq -s 'map(select(.level == "alarm" or .rule == "cannot-tell") |
		if .change == "gone" then -1 else 1 end) | add' watched)" = 0 ]
}
check "watch: it is clean again" until_true 60 nothing_is_open
tail -n +$((lines + 1)) watched >since
check "watch: it was one reboot" [ "$(grep -c '"change":"rebooted"' watched)" = 1 ]
check "watch: no alarm in between" [ "$(jq -s 'any(.[]; .change == "appeared" and
	.level == "alarm")' since)" = false ]
kill -INT $watcher
wait $watcher
check "watch: ends, and says that there was something" [ $? = 1 ]
