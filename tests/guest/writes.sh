# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # work, top: from lib.sh; last: for it
#
# Sourced after lib.sh and put.sh: the program writes.c in the guest, and what
# xftrace says of it.

put_writes() {
	${CC:-gcc} -O2 -ffreestanding -fno-stack-protector -nostdlib -static \
		-o "$work/writes" "$top/tests/guest/writes.c" &&
		put "$work/writes" /tmp/writes
}

# begin_writes -- the program waits; pages.txt has what it says
begin_writes() {
	in_guest 'rm -f /tmp/go /tmp/out; mkfifo /tmp/go
		/tmp/writes <>/tmp/go >/tmp/out & echo $! >/tmp/pid
		until grep -q ready /tmp/out; do usleep 10000; done
		cat /tmp/pid /tmp/out' >pages.txt || return
	pid=$(head -1 pages.txt)
	last=$(($(sed -n 's/^end //p' pages.txt)))
}

# The byte that it waits for comes from within, so that the host says nothing.
go() { in_guest '{ sleep 2; echo; } >/tmp/go &'; }

# pages KIND... -- those that it has
pages() {
	local kind
	for kind; do sed -n "s/^$kind 0x0*/0x/p" pages.txt; done | sort
}

# reported FILTER -- pages of the records that pass
reported() {
	"$xft" dirty --by write --tracer --json t >dirty.json &&
		jq -r ".rows[] | select($1) | .address" dirty.json |
		sed 's/...$/000/' | sort -u
}

# reads_exactly -- read() into 16 pages dirties these 16 pages below sys_read
reads_exactly() {
	reported ".root == \"__x64_sys_read\" and .pid == $pid" >told.txt
	cmp <(comm -12 told.txt <(sort -u <(pages mine child read left end))) \
		<(pages read)
}
