#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# coverage.sh -- which lines of the parsers do unit tests and seeds run?
#
# Programs are in $O, compiled for it ('make coverage'). Prints a table with a
# line for each file below and the total. Status 1: less than nine lines of ten
# in one of them, or a program fails.

set -u
cd "$(dirname "$0")/.." || exit 2
O=$(cd "${O:?}" && pwd) || exit 2
tools=${CLANG:-clang}
tools=${tools#clang} # of the same version
least=90

# All that reads bytes which a guest or somebody's file may have made up.
parsers=(
	audit/baseline.c
	audit/branch.c
	audit/codemap.c
	audit/entries.c
	audit/flow.c
	audit/flowcheck.c
	audit/flowtrace.c
	audit/guestlist.c
	audit/hooks.c
	audit/image.c
	audit/kfile.c
	audit/livepatch.c
	audit/look.c
	audit/madecode.c
	audit/modules.c
	audit/procfs.c
	audit/recordcheck.c
	audit/sites.c
	audit/tables.c
	audit/text.c
	audit/writecheck.c
	base/cursor.h
	keyctl/klog.c
	keyctl/unseal.c
	kvm-memfile/dirty.c
	kvm-memfile/dirty_scan.c
	kvm-memfile/dirty_shared.c
	kvm-memfile/eventlist.c
	kvm-memfile/gva.c
	kvm-memfile/mailbox.c
	kvm-memfile/memcore.c
	kvm-memfile/memfile.c
	kvm-memfile/memslot.c
	kvm-memfile/modlist.c
	kvm-memfile/pages.c
	kvm-memfile/qmp.c
	kvm-memfile/ring.c
	kvm-memfile/scan.c
	kvm-memfile/vmcoreinfo.c
	nvm/blocks.c
	nvm/catalog.c
	nvm/check.c
	nvm/journal.c
	nvm/store.c
	nvm/transfer.c
	tracemaker/btf.c
	tracemaker/btf_image.c
	tracemaker/callgraph.c
	tracemaker/datpages.c
	tracemaker/dattypes.c
	tracemaker/dirtyjoin.c
	tracemaker/dirtytable.c
	tracemaker/emit_dat.c
	tracemaker/formats.c
	tracemaker/hostpages.c
	tracemaker/merge.c
	tracemaker/names.c
	tracemaker/printer.c
	tracemaker/resolve.c
	tracemaker/result.c
	tracemaker/symtab_elf.c
	tracemaker/symtab_kallsyms.c
	tracemaker/symtab_map.c
	tracemaker/symtab_pack.c
	tracemaker/syscall.c
	tracemaker/tep.c
	tracemaker/tepclean.c
	tracemaker/trace.c
	tracemaker/trace_tell.c
	tracemaker/values.c
	tracemaker/vmlinuz.c
	xftrace/agent.c
	xftrace/baselines.c
	xftrace/batchfile.c
	xftrace/blackbox.c
	xftrace/eventquery.c
	xftrace/guestsyms.c
	xftrace/intake.c
	xftrace/modwatch.c
	xftrace/target_pages.c
)

raw=$O/raw
rm -rf "$raw"
mkdir -p "$raw"
export LLVM_PROFILE_FILE=$raw/%m-%p.profraw
failed=0
objects=()

run() { # PROGRAM [ARGUMENT...]
	objects+=(-object "$1")
	"$@" >"$raw/log" 2>&1 </dev/null && return
	echo "coverage: $1 fails:" >&2
	tail -n 20 "$raw/log" >&2
	failed=1
}

for test in tests/unit/test_*.c; do
	test=${test##*/}
	run "$O/unit/${test%.c}"
done
for target in tests/fuzz/fuzz_*.c; do
	target=${target##*/fuzz_}
	run "$O/fuzz/${target%.c}" -runs=0 "tests/data/fuzz/${target%.c}"
done

"llvm-profdata$tools" merge -sparse -o "$raw/all" "$raw"/*.profraw &&
"llvm-cov$tools" report -instr-profile="$raw/all" -show-region-summary=0 \
	-show-branch-summary=0 "${objects[@]:1}" "${parsers[@]}" >"$raw/table" ||
	exit 2
grep -v '^--' "$raw/table"
rm -f "$raw"/*.profraw
awk -v least=$least '
	$NF ~ /%$/ && $NF + 0 < least { print "coverage: " $1 " is below " least " %"; bad = 1 }
	END { exit bad }' "$raw/table" && [ $failed = 0 ]
