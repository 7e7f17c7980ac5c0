#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# takes: 110 s
#
# The same program, once under the kernel's own function_graph tracer and once
# under xftrace: both must say that the same functions were called, by the same
# names, in the same order, at the same depths, as often.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"

rounds=5
sites=55	# system calls in a round, see work.c

calls="openat read write close newfstat newfstatat faccessat lseek pread64
	readv writev ioctl dup fcntl pipe2 poll mmap mprotect munmap brk
	getdents64 readlinkat getcwd mkdirat unlinkat newuname umask
	clock_gettime sched_getaffinity prlimit64"
# These take no arguments and have two names; the kernel lists the other one.
bare="getpid getppid getuid"

# What two runs under the stock tracer itself do not agree on, though the program
# is the same: not compared, while all else is, to the last call.
#
#	__cond_resched, read_iter_zero	give way if the scheduler has asked
#	unmap_page_range	starts again where it was if it has
#	touch_atime, file_update_time	write the inode if the coarse clock has
#			ticked since it was last written
#	lru_add_drain	works off the pages that this CPU, not this program, has
#			gathered
#	get_random_u32	makes new ones when a CPU has used up its supply
#	flush_tlb_mm_range	asks the other CPU if it still has this memory map
below="__cond_resched|read_iter_zero|unmap_page_range|touch_atime|"
below+="file_update_time|lru_add_drain|get_random_u32|flush_tlb_mm_range"
# The allocators' slow paths, taken when a CPU's list of free objects or pages is
# empty or too long, or for an object of another slab: depends on what ran there
# before.
whole="___slab_alloc|__slab_free|rmqueue_bulk|free_pcppages_bulk"
# And as such a list cannot be complete on a machine that is busy with other
# things, each call of the round is compared by the tree that it has in most of
# the rounds; nearly all trees must be like that.

# One round before those that count: caches of names, inodes and slabs fill.
# tree.awk takes the last program of that name.
workload="cd /tmp && ./work round 2 && ./work round $rounds"

stock() { # FILE -- what the kernel's own tracer says
	local roots
	# shellcheck disable=SC2086 # one word each
	roots=$(printf '__x64_sys_%s ' $calls; printf '__do_sys_%s ' $bare)
	in_guest "cd /sys/kernel/tracing && echo 0 >tracing_on &&
		echo 16384 >buffer_size_kb &&
		echo $roots >set_graph_function &&
		echo function_graph >current_tracer &&
		echo 1 >options/funcgraph-proc && echo 1 >tracing_on &&
		($workload) && echo 0 >tracing_on &&
		cat per_cpu/cpu*/stats" >stats || return
	in_guest "grep work- /sys/kernel/tracing/trace" >"$1" || return
	# 6.1 has room for one user of the graph hooks.
	in_guest "cd /sys/kernel/tracing && echo nop >current_tracer &&
		echo >trace && echo 1 >buffer_size_kb" || return
	awk '/overrun/ && $NF != 0 { exit 1 }' stats
}

ours() { # FILE -- what xftrace says
	# shellcheck disable=SC2046,SC2086 # one word each
	"$xft" -q on $(printf 'sys_%s ' $calls $bare) &&
		in_guest "$workload" &&
		"$xft" -q off -o "$1" && grep -q '^# totals:.* 0 lost' "$1"
}

tree() { # FILE
	awk -v comm=work -v below="$below" -v whole="$whole" \
		-f "$top/tests/guest/tree.awk" "$1"
}

# No tree is broken, and every call of the program has one.
all_whole() { # FILE
	! grep -m 3 '^!' "$1" &&
		[ "$(grep -c '^0 ' "$1")" = $((rounds * sites)) ]
}

usual() { # FILE
	awk -v sites="$sites" -f "$top/tests/guest/usual.awk" "$1"
}

same() {
	usual stock.tree >stock.usual
	usual ours.tree >ours.usual
	! grep '^!' stock.usual ours.usual || return
	diff -U 12 -I '^#' stock.usual ours.usual >difference && return
	head -n 60 difference
	return 1
}

few_unusual() {
	[ "$(awk '/^#/ { print $2 }' ours.usual)" -le $((rounds * sites / 10)) ]
}

# A comparison that nothing fails proves nothing: leave one function out, as a
# decoder would that cannot read it.
notices() {
	grep -v ' work-.*check_stack_object()' ours >wrong
	! cmp -s ours wrong && tree wrong >wrong.tree &&
		usual wrong.tree >wrong.usual &&
		! diff -I '^#' stock.usual wrong.usual >/dev/null
}

for kernel in 6.1 6.12; do
	for cpus in 1 2; do
		name="$kernel, $cpus CPU:"
		start_guest "$kernel" --cpus "$cpus"
		# Where things lie decides which memory areas merge.
		check "$name the program is in the guest" put_work
		in_guest 'echo 0 >/proc/sys/kernel/randomize_va_space'
		check "$name the stock tracer traces" stock stock
		check "$name xftrace traces" ours ours
		tree stock >stock.tree
		tree ours >ours.tree
		check "$name the stock tracer's trees are whole" all_whole stock.tree
		check "$name our trees are whole" all_whole ours.tree
		check "$name both say the same" same
		check "$name few trees are unusual" few_unusual
		check "$name a missing call is noticed" notices
		echo "# $(wc -l <ours.tree) calls, $SECONDS s;" \
			"$(tail -n 1 stock.usual), $(tail -n 1 ours.usual)"
		"$xft" -q guest stop "$guest"
	done
done
