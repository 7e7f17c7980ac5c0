#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A job for CI as it is meant: 'batch' in a machine with an emulated NVDIMM, mounted
# with DAX, that has the store; the guest runs under KVM. The machine is then killed,
# and the store is read from the NVDIMM's file.
# shellcheck disable=SC2034,SC2154 # lib.sh's variables, and those for it

# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
# shellcheck disable=SC1091
. "$top/tests/nested/lib.sh"
# shellcheck disable=SC1091
. "$top/tests/nvdimm/lib.sh"

# An L1 that can make a file system.
image() {
	local p so list=()
	p=$(PATH=$PATH:/usr/sbin:/sbin command -v mkfs.ext4) || return
	for so in $(ldd "$p" | awk '$2 == "=>" { print $3 }'); do
		list+=("$so:${so#/}")
	done
	O=$O L1_MODULES="libnvdimm nd_btt nd_pmem nfit" \
		sh "$top/tests/nested/build.sh" 6.1 "$L1_IMAGE" \
		"$p:usr/bin/mkfs.ext4" "${list[@]}"
}
in_nvdimm() { in_l1 "$@"; }

# job STATUS NAME [OPTION...] -- a job in L1, with that exit status
job() {
	local want=$1 name=$2 got
	shift 2
	in_l1 "xftrace batch --accel kvm --mem 256M --cpus 1 --append xft.quiet \
		--store /mnt/store -n $name -o $name -f sys_openat -f sys_read \
		-r 'for i in 1 2 3; do ls /etc; cat /etc/passwd; done >/dev/null' \
		$* >$name.out 2>&1"
	got=$?
	[ $got = "$want" ] && return
	echo "exit status $got"
	in_l1 "cat $name.out $name/log.txt"
	return 1
}

export L1_IMAGE=$O/nested/6.1-nvdimm.cpio
image || { not_ok 'an initramfs'; exit 1; }
truncate -s 130M "$dimm"
l1_start 6.1 -machine nvdimm=on -m 3G,slots=2,maxmem=8G \
	-object "memory-backend-file,id=dimm,share=on,mem-path=$dimm,size=130M" \
	-device nvdimm,id=nvdimm,memdev=dimm || { not_ok 'L1 boots'; exit 1; }
check 'a file system with DAX' eval "nvdimm_format &&
	in_l1 'mkdir -p /mnt && mount -t ext4 -o dax /dev/pmem0 /mnt'"

check 'a job makes the store: clean' job 0 first --store-size 64M
check 'it is on persistent memory' in_l1 \
	'xftrace store info --store /mnt/store --json | grep -q "\"dax\": true"'
check 'a job takes the store that is there: clean' job 0 second
check 'a job in which something goes wrong: could not tell' job 2 third -r false
check 'nothing is left' in_l1 '! pidof qemu-system-x86_64'
in_l1 'cat second/trace_graph.txt' >second.txt

kill -9 "$l1"
wait "$l1" 2>/dev/null
check 'the machine is killed: the store is there' nvdimm_store
check 'it is sound' sh -c "'$xft' store check --store store | grep -qv ' ok *$'; [ \$? = 1 ]"
check 'all jobs are in it' [ "$("$xft" ls --store store --json | jq -r \
	'[.[] | .name + " " + .state] | join(", ")')" = \
	'first finished, second finished, third finished' ]
"$xft" -q report --store store -o again.txt second
check 'and are drawn as there' cmp again.txt second.txt
