#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The modules that may be called, by the lists in audit/hooks.c, are those of
# Debian's kernels that ask for it: what they import tells. None else is listed but
# what Debian's kernels do not come with.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

register_packets='nf_register_net_hooks?|nf_hook_entries_insert_raw|nf_ct_bridge_register|nf_nat_[a-z0-9]*_register_fn|xt_hook_ops_alloc|(arp|ip|ip6)t_register_table|ebt_register_table|nft_register_(chain|flowtable)_type'
register_exporters=register_ftrace_export
register_listeners='tracepoint_probe_register[a-z_]*'
register_tracers='register_ftrace_(function|graph)|register_fprobe[a-z_]*|register_k(ret)?probes?'

names() { # LIST -- of hooks.c
	sed -n "/^static const char \*const $1\[\]/{:a;/;/!{N;ba};p}" "$top/audit/hooks.c" |
		grep -o '"[^"]*"' | tr -d '"'
}

imports() { # KERNEL -- "MODULE SYMBOL", of what registers somebody
	local ko name all
	all="$register_packets|$register_exporters|$register_listeners|$register_tracers"
	find "$O/kernels/$1/modules/" -name '*.ko' -o -name '*.ko.xz' |
		while read -r ko; do
			name=${ko##*/} name=${name%%.*}
			xz -dcf "$ko" >module.ko
			! grep -qE "$all" module.ko ||
				nm -u module.ko | sed -nE "s/^ *U ($all)$/${name//-/_} \\1/p"
		done
}

fits() { # WORD PATTERN... -- one of them
	local word=$1 pattern
	shift
	for pattern; do
		# shellcheck disable=SC2254 # a pattern
		case $word in $pattern) return ;; esac
	done
	false
}

# those LIST -- modules that register what this list is about
those() {
	local symbols=register_$1
	# What x_tables registers is others' functions.
	awk -v s="^(${!symbols})\$" '$2 ~ s { print $1 }' imported |
		grep -vx x_tables | sort -u
}

all_listed() { # LIST
	local module patterns
	mapfile -t patterns < <(names "$1")
	for module in $(those "$1"); do
		fits "$module" "${patterns[@]}" || { echo "$module is not"; return 1; }
	done
}

none_else() { # LIST
	local pattern module
	set -f
	for pattern in $(names "$1"); do
		case $pattern in xftrace | "lttng_*" | "stap_*") continue ;; esac
		for module in $(those "$1") ""; do
			! fits "$module" "$pattern" || break
		done
		[ "$module" ] || { echo "$pattern is nobody"; return 1; }
	done
}

for kernel in 6.1 6.12; do imports $kernel; done | sort -u >imported
for list in packets exporters listeners tracers; do
	check "$list are listed" all_listed $list
	check "$list: nobody else is" none_else $list
done
check "many are called for packets" [ "$(those packets | wc -l)" -ge 30 ]
