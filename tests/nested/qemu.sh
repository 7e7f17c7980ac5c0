#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# L1's qemu-system-x86_64: the real one, but with an L2 that says the end of each
# interrupt to its APIC, not in memory.
#
# TCG's VMRUN delivers an interrupt that KVM injects, and remembers it as an
# exception. If it then runs out of its share of time before anything else has
# happened, it delivers it again, whatever the interrupt flag says: L2 waits for
# ever for a lock that it holds itself. A handler begins with the end of its
# interrupt, and if that is an exit, nothing is left to deliver.

for arg; do
	shift
	[ "$arg" != host ] || arg=host,-kvm-pv-eoi
	set -- "$@" "$arg"
done
exec /usr/libexec/qemu-system-x86_64 "$@"
