# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh sets work, top and O
#
# Sourced after tests/lib.sh by tests that want an Intel processor with PML: Bochs
# emulates one. A cloud kernel boots from a CD; its init is tests/bochs/init.

# What Bochs needs and does not have in itself.
bochs_files="/usr/share/bochs/BIOS-bochs-latest
/usr/share/vgabios/vgabios.bin
/usr/lib/ISOLINUX/isolinux.bin
/usr/lib/syslinux/modules/bios/ldlinux.c32"

# bochs_missing -- what is not installed, empty if nothing
bochs_missing() {
	local what
	for what in bochs genisoimage; do
		command -v $what >/dev/null || echo $what
	done
	for what in $bochs_files; do
		[ -e "$what" ] || echo "$what"
	done
}

# bochs_cd KERNEL SRC:DEST... -- cd.iso, of that kernel
bochs_cd() {
	local kernel=$O/kernels/$1
	shift
	mkdir -p cd
	MODULES='irqbypass kvm kvm-intel' sh "$top/guest/demo/build.sh" "$kernel" \
		/nonexistent cd/initrd "$top/tests/bochs/init:xft-init" "$@" ||
		return
	# shellcheck disable=SC2086 # a list
	cp $bochs_files "$kernel/vmlinuz" cd/
	cat >cd/isolinux.cfg <<-EOC
		default linux
		label linux
		kernel vmlinuz
		initrd initrd
		append console=ttyS0 quiet loglevel=5 panic=-1 rdinit=/xft-init nokaslr mitigations=off tsc_early_khz=100000 random.trust_cpu=on
	EOC
	genisoimage -quiet -o cd.iso -b isolinux.bin -c boot.cat -no-emul-boot \
		-boot-load-size 4 -boot-info-table cd 2>mkiso.log
}

# bochs_run SECONDS -- boot cd.iso; what it says on its serial line: bochs.text.
# Whose process ends meanwhile ends bochs.pid as well.
bochs_run() {
	cat >bochsrc <<-EOC
		cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=0
		memory: guest=512, host=512
		romimage: file=cd/BIOS-bochs-latest
		vgaromimage: file=cd/vgabios.bin
		ata0-master: type=cdrom, path=cd.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=bochs.serial
		display_library: rfb, options="timeout=0"
		log: bochs.out
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		sound: driver=dummy
		speaker: enabled=0
	EOC
	echo c >bochs.commands
	# It leaves with 1 after a power-off, and asks when it is in doubt.
	timeout "$1" bochs -q -f bochsrc -rc bochs.commands >bochs.log 2>&1 </dev/null &
	echo $! >bochs.pid
	wait $!
	tr -d '\r' <bochs.serial >bochs.text
}

# bochs_step NAME -- the output of this step
bochs_step() {
	sed -n "/^begin $1\$/,/^end\$/p" bochs.text | sed '1d;$d'
}
