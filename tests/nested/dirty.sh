# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2016,SC2154 # L1's shell's; work, top, O: lib.sh
#
# Sourced after tests/nested/lib.sh: what dirty_kvm.so reports of an L2.

in_guest() { in_l1 "$@"; }

# nested_dirty_put -- compile what is needed, and bring it into L1's /tmp
nested_dirty_put() {
	# shellcheck disable=SC2046 # options
	${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -O2 -s -I"$top/kvm-memfile" \
		-I"$top/keyctl" -I"$top/base" -I"$top/abi" -Wl,--as-needed \
		-o dirty_l2 "$top/tests/nested/dirty_l2.c" "$O/obj/libxf.a" \
		$(pkg-config --cflags --libs jansson) -lpthread &&
		${CC:-gcc} -O2 -s -static -D_GNU_SOURCE -o known \
			"$top/tests/nested/known.c" || return
	put dirty_l2 /tmp/dirty_l2 && put known /tmp/known &&
		in_l1 'mkdir -p root/proc && mv known root/ && cd root &&
			find . | cpio -o -H newc >../known.cpio'
}

# nested_dirty ENTRIES -- an L2 whose pages are known, with rings of that size, is
# measured, migrated, compared
nested_dirty() {
	in_l1 "XFTRACE_DIRTY_RING=$1 xftrace -q guest start --accel kvm --dirty \
		--mem 128M --cpus 1 --initrd /tmp/known.cpio \
		--append rdinit=/known" || return
	# The same QEMU again, without the shim, to migrate to.
	in_l1 'here=/run/xftrace/guests/demo; there=/run/xftrace/guests/dest
		pid=$(sed -n "s/.*\"pid\": *\([0-9]*\).*/\1/p" $here/guest.json)
		ram=$(ls /dev/shm/*-demo.ram); mkdir -p $there
		dest=${ram%demo.ram}dest.ram
		tr "\0" "\n" </proc/$pid/cmdline | sed "s,$here,$there,g
			s,$ram,$dest," >args
		set --
		while IFS= read -r arg; do set -- "$@" "$arg"; done <args
		"$@" -S -incoming unix:/tmp/migration >dest.log 2>&1 &
		dest_pid=$!
		until [ -S /tmp/migration ] || ! kill -0 $dest_pid; do sleep 0.1; done
		until grep -q ready $here/console.log; do sleep 0.1; done
		./dirty_l2 $here/qmp.sock $here/console.log $dest
		rc=$?
		kill $dest_pid; wait $dest_pid; cat dest.log
		rm -rf /tmp/migration $dest $there
		xftrace -q guest stop demo
		exit $rc'
}

# nested_scan -- the host's page tables, if L1's kernel notes what was written
nested_scan() {
	local cmocka
	make -s -C "$top" O="$O" "$O/unit/test_dirty_scan" || return
	cmocka=$(ldd "$O/unit/test_dirty_scan" | awk '/libcmocka/ { print $3 }')
	put "$O/unit/test_dirty_scan" /tmp/scan && put "$cmocka" /tmp/libcmocka.so.0 &&
		in_l1 'LD_LIBRARY_PATH=/tmp CMOCKA_MESSAGE_OUTPUT=TAP ./scan 2>&1' |
		sed -E 's/^ok [0-9]+ # SKIP (.*)/not ok \1: L1 should have it/
			s/^(not )?ok [0-9]+ - /\1ok host page tables: /'
}

# nested_on ENTRIES NAME -- all of it: on --dirty of an L2, off, and the tables
nested_on() {
	in_l1 "XFTRACE_DIRTY_RING=$1 xftrace -q guest start --accel kvm --dirty \
			--mem 256M --cpus 1 &&
		xftrace on --name dirty-$1 --dirty sys_read || exit
		until xftrace status >status.txt &&
			awk '/^records/ { exit \$2 < 1000 }' status.txt; do
			sleep 0.1
		done
		xftrace -q off && xftrace dirty --json >dirty.json &&
			xftrace dirty --by type >types.txt; rc=\$?
		xftrace -q guest stop; exit \$rc" >on.txt 2>&1 ||
		{ not_ok "on --dirty in L1: $(cat on.txt)"; return; }
	check "on --dirty says: $2" grep -q "dirty pages: $2" on.txt
	in_l1 'cat dirty.json' >dirty.json
	check 'pages are told, and none is lost' jq -e \
		'.lost == 0 and (.rows | length) > 50' dirty.json
	for what in 'slab task_struct' 'per-CPU' 'anonymous' 'page table'; do
		check "$2: there is $what" in_l1 "grep -q '$what' types.txt"
	done
	check "$2: a call has its pages" in_l1 "grep -q '/\* dirtied' trace_graph.txt"
	check "$2: nobody wrote what nobody should" in_l1 "! grep '^!' types.txt"
}
