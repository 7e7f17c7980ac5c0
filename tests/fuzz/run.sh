#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh [TARGET...] -- run fuzz targets, all if none is named; a table of it
#
#	O=build			their programs are in $O/fuzz/fuzz
#	FUZZ_RUNS=N		executions of each; 0: as many as there is time for
#	FUZZ_SECONDS=N		for each at most; 0: as many as it takes
#	FUZZ_TIMEOUT=N		seconds for one execution
#	FUZZ_CORPUS=DIR		new inputs are kept here, and begun with next time;
#				executions are added up in its file "totals"
#	FUZZ_JOBS=N		targets at a time
#
# Without FUZZ_CORPUS each begins with its seeds and does the same each time.
# What a target stops at is left in $O/fuzz/found, and its total begins anew.
# Status 1: something was found.

set -u
cd "$(dirname "$0")/../.." || exit 2
O=$(cd "${O:-build}" && pwd) || exit 2
found=$O/fuzz/found
mkdir -p "$found"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
export O found work FUZZ_RUNS=${FUZZ_RUNS:-0} FUZZ_SECONDS=${FUZZ_SECONDS:-0}
export FUZZ_TIMEOUT=${FUZZ_TIMEOUT:-5} FUZZ_CORPUS=${FUZZ_CORPUS:-}

row() { printf '%-12s %11s %8s %8s %9s %9s %12s  %s\n' "$@"; }

# add_up TARGET RUNS -- in all since something was found; RUNS 0: it was
add_up() {
	local file=$FUZZ_CORPUS/totals.$1 sum=0
	[ ! -e "$file" ] || sum=$(cat "$file")
	sum=$(($2 ? sum + $2 : 0))
	echo "$sum" >"$file"
	echo "$sum"
}

one() { # TARGET
	local target=$1 log=$work/$1.log corpus=${FUZZ_CORPUS:-$work}/$1
	local start=$SECONDS runs total=- said peak=- slowest=-
	local -a seed=(-seed=1)
	mkdir -p "$corpus"
	[ ! "$FUZZ_CORPUS" ] || seed=()
	if "$O/fuzz/fuzz/$target" "${seed[@]}" -timeout="$FUZZ_TIMEOUT" \
		-runs="$((FUZZ_RUNS ? FUZZ_RUNS : -1))" \
		-max_total_time="$FUZZ_SECONDS" -rss_limit_mb=1024 \
		-artifact_prefix="$found/$target-" -print_final_stats=1 \
		"$corpus" "tests/data/fuzz/$target" >"$log" 2>&1; then
		said='nothing found'
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		read -r slowest peak < <(sed -n \
			's/^at most \(.*\) ms, \(.*\) KiB/\1 \2/p' "$log")
	else
		said="FOUND: $(grep -m 1 -E 'ERROR|runtime error|fuzz:' "$log")"
		cp "$log" "$found/$target.log"
		runs=0
		touch "$work/failed"
	fi
	[ ! "$FUZZ_CORPUS" ] || total=$(add_up "$target" "$runs")
	row "$target" "$runs" "$((SECONDS - start))" \
		"$((runs / (SECONDS - start ? SECONDS - start : 1)))" \
		"$slowest" "$peak" "$total" "$said"
}
export -f row add_up one

if [ $# = 0 ]; then
	set -- tests/fuzz/fuzz_*.c
	set -- "${@#*/fuzz_}"
	set -- "${@%.c}"
fi
row target executions seconds 1/second 'most ms' 'most KiB' total result
printf '%s\n' "$@" |
	xargs -P "${FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'one {}'
[ ! -e "$work/failed" ]
