#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The paper's example: a rootkit has hooked open. The graph shows that the
# system call calls a function that no symbol covers, which calls printk and
# only then the real one; and if the rootkit's function keeps out of ftrace's
# sight, that it is called from where there is no function.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"

hidden=/sys/module/hook_open/parameters/hidden

build() { # KERNEL -- hook_open.ko for it
	local d=$work/hook_open/$1
	mkdir -p "$d" && cp "$top"/tests/guest/hook_open/* "$d" &&
		make -s -C "$O/kernels/$1/headers" M="$d" modules >make.log 2>&1 &&
		strip -g "$d/hook_open.ko" && return
	tail make.log
	return 1
}

# The program opens one file. Its tree goes to "tree", too.
trace_open() { # FILE
	"$xft" -q on sys_openat && in_guest '/tmp/work read 1' &&
		"$xft" -q off -o "$1" &&
		awk -v comm=work -f "$top/tests/guest/tree.awk" "$1" >tree &&
		! grep '^!' tree
}

hook() { # PARAMETER...
	# The agent's own commands open files, too: all in one go.
	in_guest "insmod /tmp/hook_open.ko $* \
		target=0x\$(grep ' __x64_sys_openat\$' /proc/kallsyms |
			head -n 1 | cut -d' ' -f1) && echo 1 >$hidden &&
		! grep hook_open /proc/modules"
}

unhook() {
	in_guest "echo 0 >$hidden && rmmod hook_open"
}

has() { # LINE... -- "tree" has them, in this order, among others
	local line
	for line; do echo "$line"; done | awk '
		BEGIN { i = n = 0 }
		NR == FNR { want[n++] = $0; next }
		i < n && $0 ~ "^" want[i] "$" { i++ }
		END { if (i < n) print "no line: " want[i]; exit i < n }
	' - tree
}

nothing_unknown() { # FILE
	has '0 __x64_sys_openat' '1 do_sys_openat2' &&
		! grep -E '^# unknown:|\? no symbol' "$1"
}

unknown='0xffffffff[c-f][0-9a-f]{7}'

function_shows() { # FILE
	has '0 __x64_sys_openat' '1 0x[0-9a-f]+' '2 _printk' \
		'2 __x64_sys_openat' '3 do_sys_openat2' &&
		grep -qE '^# unknown: +[1-9][0-9]* calls of addresses' "$1" &&
		grep -qE "\|    $unknown\(\) \{ /\* \? no symbol" "$1"
}

# Both calls that it makes say that they come from nowhere.
caller_shows() { # FILE
	has '0 __x64_sys_openat' '1 _printk' '1 __x64_sys_openat' \
		'2 do_sys_openat2' &&
		! grep '^# unknown:' "$1" &&
		! grep -E "\| +$unknown\(\)" "$1" &&
		grep -qE "\|    _printk\(\) \{ /\* from $unknown \? no symbol" "$1" &&
		grep -qE "\|    __x64_sys_openat\(\) \{ /\* from $unknown \?" "$1"
}

for kernel in 6.1 6.12; do
	check "$kernel the module compiles" build "$kernel"
	start_guest "$kernel"
	few_hooks '*open*' '*name*' '*printk*' '*:mod:hook_open'
	check "$kernel the program is in the guest" put_work
	check "$kernel the module is in the guest" \
		put "$work/hook_open/$kernel/hook_open.ko" /tmp/hook_open.ko

	check "$kernel no hook: on and off" trace_open graph
	check "$kernel no hook: all has a name" nothing_unknown graph

	check "$kernel hooked" hook
	check "$kernel hooked: on and off" trace_open graph
	check "$kernel hooked: the function shows" function_shows graph
	grep -E -m 4 -A 2 "$unknown\(|# unknown" graph | sed 's/^/# /'
	check "$kernel hook taken back" unhook

	check "$kernel quietly hooked" hook quiet=1
	check "$kernel quietly hooked: on and off" trace_open graph
	check "$kernel quietly hooked: its calls show" caller_shows graph
	grep -E -m 4 "from $unknown" graph | sed 's/^/# /'
	check "$kernel quiet hook taken back" unhook

	check "$kernel afterwards: on and off" trace_open graph
	check "$kernel afterwards: all has a name" nothing_unknown graph
	check "$kernel the guest's kernel has no complaints" \
		in_guest '! dmesg | grep -E "BUG:|WARNING:|Oops|[Cc]all Trace"'
	echo "# $SECONDS s"
	"$xft" -q guest stop "$guest"
done
