# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # work, top: from lib.sh
#
# Sourced by tests that bring something into the guest, after lib.sh.

# put FILE DEST -- copy it into the guest, where it can be executed
put() {
	local text part
	text=$(gzip -9c "$1" | base64 -w0) || return
	in_guest ": >$2.gz" || return
	# The guest takes it as an argument of sh: 128 KiB at most.
	while [ "$text" ]; do
		part=${text:0:96000} text=${text:96000}
		in_guest "echo $part | base64 -d >>$2.gz" || return
	done
	in_guest "gzip -dc $2.gz >$2 && chmod 755 $2 && rm $2.gz"
}

# put_work -- compile work.c and put it into the guest as /tmp/work
put_work() {
	[ -e "$work/work" ] ||
		${CC:-gcc} -O2 -ffreestanding -fno-stack-protector \
			-nostdlib -static -o "$work/work" \
			"$top/tests/guest/work.c" || return
	put "$work/work" /tmp/work
}
