# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh sets work, top and O
#
# Sourced after tests/lib.sh by tests that want persistent memory: a guest with
# an emulated NVDIMM, on it ext4 mounted with -o dax, on that a store that
# store_writer fills. QEMU maps the NVDIMM's file shared, so what the guest has
# stored is in the file whenever QEMU is killed: this shows that the store is
# right after its machine stops at any instruction, with the kernel's own DAX.
# That a flush comes before what relies on it is the crash images' matter: an
# emulated CPU has no cache to lose.

nvdimm_release=6.1
dimm=$work/dimm
label=2097152 # bytes before the file system: the namespace describes itself

nvdimm_build() {
	local image=$O/nvdimm/initrd.cpio writer=$O/stress/store_writer p so list=()
	if [ -e "$image" ] && [ "$image" -nt "$writer" ]; then return; fi
	mkdir -p "${image%/*}"
	p=$(PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4) || return
	for so in $(ldd "$p" "$writer" |
		awk '$2 == "=>" { print $3 } $1 ~ "^/.*[^:]$" { print $1 }' | sort -u); do
		list+=("$so:${so#/}")
	done
	MODULES="libnvdimm nd_btt nd_pmem nfit" \
		sh "$top/guest/demo/build.sh" "$O/kernels/$nvdimm_release" /nonexistent \
		"$image" "$p:usr/bin/mkfs.ext4" "$writer:usr/bin/store_writer" \
		"${list[@]}"
}

# nvdimm_boot -- start QEMU on the file; what store_writer says goes to ./acks
nvdimm_boot() {
	rm -f agent.sock acks
	[ -e "$dimm" ] || truncate -s 66M "$dimm"
	(exec qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-no-reboot -machine q35,nvdimm=on -accel tcg,thread=single \
		-cpu max,-cx16 -smp 1 -m 256,slots=2,maxmem=1G \
		-object "memory-backend-file,id=dimm,share=on,mem-path=$dimm,size=66M" \
		-device nvdimm,id=nvdimm,memdev=dimm \
		-chardev "file,id=console,path=console" -serial chardev:console \
		-chardev "file,id=acks,path=acks" -serial chardev:acks \
		-device virtio-serial-pci \
		-chardev "socket,id=agent,server=on,wait=off,path=agent.sock" \
		-device virtserialport,chardev=agent,name=xftrace.agent \
		-kernel "$O/kernels/$nvdimm_release/vmlinuz" \
		-initrd "$O/nvdimm/initrd.cpio" \
		-append 'console=ttyS0 panic=-1 quiet xft.quiet' \
		>qemu.log 2>&1 </dev/null) &
	qemu=$!
	until_true 30 test -S agent.sock
}

in_nvdimm() { timeout 120 bash "$top/guest/demo/run.sh" "$work/agent.sock" "$@"; }

# A namespace for DAX and a file system, once. What ndctl would do, through the
# same files.
nvdimm_format() {
	in_nvdimm 'set -e
		cd /sys/bus/nd
		until [ -e drivers/nd_pmem/namespace0.0 ]; do sleep 0.05; done
		echo namespace0.0 >drivers/nd_pmem/unbind
		echo ram >devices/pfn0.0/mode
		cat /proc/sys/kernel/random/uuid >devices/pfn0.0/uuid
		echo namespace0.0 >devices/pfn0.0/namespace
		echo pfn0.0 >drivers/nd_pmem/bind
		mkfs.ext4 -q -b 4096 /dev/pmem0'
}

# Mount it and let the writer run until the end of the machine.
nvdimm_write() {
	in_nvdimm 'until [ -b /dev/pmem0 ]; do sleep 0.05; done
		mkdir -p /mnt && mount -t ext4 -o dax /dev/pmem0 /mnt &&
		{ store_writer /mnt/store >/dev/ttyS1 2>/dev/console & }'
}

has_acks() { grep -q ^ack acks; }
went_on_at() { sed -nE 's/^dax ([0-9]+)\r?$/\1/p' acks; }
last_ack() { sed -nE 's/^ack ([0-9]+)\r?$/\1/p' acks | tail -n 1; }

# The store as the file has it now, from outside: its journal is replayed on a copy.
nvdimm_store() {
	rm -f fs store
	dd if="$dimm" of=fs bs="$label" skip=1 conv=sparse status=none
	PATH=$PATH:/usr/sbin:/sbin
	e2fsck -y -E journal_only fs >fsck.log 2>&1
	debugfs -R "dump /store store" fs >debugfs.log 2>&1
	[ -s store ]
}

# Kill QEMU at a moment that nobody chose; the store must have what was promised.
nvdimm_kill() { # MOST -- seconds
	local acked n
	until_true 30 has_acks || { cat console qemu.log; return 1; }
	sleep "$(awk -v m="$1" -v r=$RANDOM 'BEGIN { print m * r / 32768 }')"
	kill -9 "$qemu"
	wait "$qemu" 2>/dev/null
	nvdimm_store || { cat fsck.log debugfs.log; return 1; }
	acked=$(last_ack)
	n=$("$O/stress/store_writer" --check store "$acked") || return
	# What the writer had not committed is room that nobody uses, and no more.
	"$xft" store check --store store >check.log
	if grep -vE ' ok *$|^blocks behind the end +repairable ' check.log; then
		return 1
	fi
	killed=$((killed + 1)) total=$((total + acked - $(went_on_at)))
	[ "$n" -ge "$acked" ]
}

# nvdimm_rounds NR MOST -- boot, write, kill, look, again and again on one file
nvdimm_rounds() {
	local nr=$1 i
	killed=0 total=0
	nvdimm_build && nvdimm_boot && nvdimm_format || { cat console qemu.log; return 1; }
	for ((i = 0; i < nr; i++)); do
		[ "$i" = 0 ] || nvdimm_boot || return
		nvdimm_write && nvdimm_kill "$2" || return
		grep -q '^dax' acks || return
	done
	echo "killed $killed times, $total acknowledged"
}
