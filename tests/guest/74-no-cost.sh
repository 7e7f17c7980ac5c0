#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 15 s
# again: a busy host may be too slow to look twice while the guest works
#
# What looking from outside costs a guest: nothing. QEMU counts the instructions
# of its only processor, from power on; the same guest runs alone and watched, and
# there is no difference, nor in its memory.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

vmlinuz=$O/kernels/6.1/vmlinuz
ram=/dev/shm/xftrace-$guest
trap 'cleanup; rm -f "$ram".*' EXIT

# Nothing in it may depend on when it runs: neither clocks nor random numbers.
boot() { # NAME -- with its console in NAME, and its memory in $ram.NAME
	(umask 077; exec qemu-system-x86_64 -nodefaults -no-user-config \
		-display none -machine q35,memory-backend=ram -smp 1 -m 128M \
		-accel tcg -icount shift=0,sleep=off -rtc clock=vm,base=2026-01-01 \
		-cpu max,-cx16,-rdrand,-rdseed \
		-object "memory-backend-file,id=ram,share=on,size=128M,mem-path=$ram.$1" \
		-qmp "unix:$work/watch.sock,server=on,wait=off" \
		-qmp "unix:$work/check.sock,server=on,wait=off" \
		-qmp "unix:$work/events.sock,server=on,wait=off" \
		-chardev "file,id=console,path=$work/$1" -serial chardev:console \
		-kernel "$vmlinuz" -initrd initrd \
		-append 'console=ttyS0 quiet') &
	qemu=$!
	until_true 20 test -S events.sock || not_ok "$1: QEMU starts"
}

halted() { until_true 120 grep -q 'System halted' "$1"; }
counted() { sed -n 's/^end //p' "$1" | grep .; }

end() {
	kill -9 $qemu
	wait $qemu 2>/dev/null
	rm -f ./*.sock
}

${CC:-gcc} -O2 -static -o init "$top/tests/guest/fixed.c" ||
	not_ok "fixed.c compiles"
echo init | cpio -o -H newc --quiet >initrd

boot alone
check "it runs alone" halted alone
end

boot watched
# All that QEMU tells.
echo '{"execute":"qmp_capabilities"}{"execute":"query-status"}' |
	socat STDIO,ignoreeof "UNIX-CONNECT:$work/events.sock" >events &
events=$!
"$xft" -v watch --qmp watch.sock --symbols "$vmlinuz" -i 10ms --json \
	>changes 2>looks &
watcher=$!
looks() { [ "$(grep -c 'a check took' looks)" -ge "$1" ]; }
until_true 60 grep -q '^begin' watched
before=$(grep -c 'a check took' looks)
"$xft" check --live --qmp check.sock --kernel "$vmlinuz" --json >checked
check "it is checked while it runs: clean" [ $? = 0 ]
check "and looked at, again and again" until_true 60 looks $((before + 2))
check "it ran on all the time" eval '! grep -q ^end watched'
check "it runs to its end" halted watched
kill -INT $watcher
wait $watcher
check "watched: clean" [ $? = 0 ]
check "watched: that was told of a kernel" \
	grep -q '"change":"appeared","rule":"not-checked"' changes
check "not one instruction more: $(counted alone)" \
	[ "$(counted watched)" = "$(counted alone)" ]
check "not one byte of its memory is another" cmp "$ram.alone" "$ram.watched"
check "it was never stopped" [ "$(jq -c '.event, .return.status | values' events)" = \
	'"running"' ]
kill $events
end
