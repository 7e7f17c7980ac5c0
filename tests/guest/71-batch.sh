#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The example for CI, as CI runs it; and jobs in which something goes wrong.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source-path=SCRIPTDIR source=put.sh
. "$top/tests/guest/put.sh"
# shellcheck source-path=SCRIPTDIR source=../check/lib.sh
. "$top/tests/check/lib.sh"

export XFTRACE=$xft
# What there is besides of a guest that batch starts, with a store in the folder.
ours=(console.log trace_graph.txt traces.store)
is_empty() { [ ! -d "$1" ] || [ -z "$(ls "$1")" ]; }
nothing_left() { is_empty "$work/run/guests" && is_empty "$work/run/rec"; }
# complete FOLDER FILE... -- it has what each has, these, and nothing else
complete() {
	local dir=$1
	shift
	printf '%s\n' check.json check.sarif junit.xml log.txt result.json "$@" |
		LC_ALL=C sort | diff - <(LC_ALL=C ls -A "$dir") || return
	[ -z "$(find "$dir" -empty)" ]
}
result() { [ "$(jq -r "$2" "$1/result.json")" = "$3" ]; }
# tells FOLDER VERDICT STATUS -- all that is for machines says so
tells() {
	result "$1" '"\(.verdict) \(.exit)"' "$2 $3" &&
		[ "$(jq -r .verdict "$1/check.json")" = "$2" ]
}
ends() { # STATUS COMMAND...
	local want=$1 got
	shift
	"$@" >out 2>err
	got=$?
	[ $got = "$want" ] || { echo "status $got"; cat out err; return 1; }
}

cp -r "$top/examples/ci" ci
check "the example" ends 0 ci/run --accel tcg --append xft.quiet
check "its results are complete" complete ci/results "${ours[@]}"
check "it has a graph" grep -q 'do_sys_openat2()' ci/results/trace_graph.txt
check "it says clean" tells ci/results clean 0
check "it did all steps" result ci/results '[.steps[].step] | join(" ")' \
	"start store on run memory off stop check"
check "nothing is left" nothing_left
"$xft" -q baseline make --store ci/results/traces.store -o ci/open.base batch

# Guests that run before, and go on; a store that is made, and then taken.
start_guest 6.1
dir=$work/run/guests/$guest
in_guest 'while [ ! -e /tmp/enough ]; do cat /etc/passwd; done >/dev/null 2>&1 &'
attached() { # OUTPUT OPTION...
	"$xft" batch -f sys_openat --store kept.store --store-size 64M -o "$@"
}
no_recording() { is_empty "$work/run/rec"; }
check "by QMP, waiting: clean" ends 0 \
	attached waited --qmp "$dir/qmp.sock" --wait 1s \
	--kernel "$O/demo/$(release 6.1)/vmlinuz"
check "by QMP: complete" complete waited trace_graph.txt
check "by QMP: its steps" result waited '[.steps[].step] | join(" ")' \
	"store on wait memory off check"
in_guest 'touch /tmp/enough'
check "with a baseline, the guest is another" ends 0 attached again \
	--guest "$guest" --baseline ci/open.base --name again --run 'ls -lR /etc'
check "the store was there" result again '[.steps[].step] | join(" ")' \
	"on run memory off check"
check "both traces are in the store" [ "$("$xft" ls --json --store kept.store |
	jq -r '[.[].name] | sort | join(" ")')" = "again batch" ]
check "no recording is left" no_recording

# The same job twice, into the same folder.
twice() {
	ends 0 "$xft" batch -f sys_openat --guest "$guest" -o twice \
		--run 'cat /etc/passwd' && complete twice trace_graph.txt traces.store
}
few_hooks '*_openat' '*:mod:hook_open'
check "a job leaves its files" twice
check "again: the same, and no others" twice

# It loads a hook: found in memory, and in the trace.
check "the hook compiles" build_hook 6.1
check "it is in the guest" put "$work/hook_open/6.1/hook_open.ko" /tmp/hook_open.ko
check "a hook: 1" ends 1 attached hooked --guest "$guest" \
	--baseline ci/open.base --name hooked \
	--run 'x=$(grep " __x64_sys_openat$" /proc/kallsyms)
		insmod /tmp/hook_open.ko target=0x${x%% *}; cat /etc/passwd'
check "a hook: complete" complete hooked trace_graph.txt
check "a hook: it says so" tells hooked findings 1
all_have() { # RULE
	jq -e --arg rule "$1" 'any(.findings[]; .rule == $rule and
		(.text | contains("hook_open")))' hooked/check.json >/dev/null &&
		jq -e --arg rule "$1" 'any(.runs[].results[]; .ruleId == $rule and
			.level == "error" and (.message.text | contains("hook_open")))' \
			hooked/check.sarif >/dev/null &&
		grep -q "<failure type=\"$1\" message=\"[^\"]*hook_open" hooked/junit.xml
}
check "a hook: SARIF is as its schema wants it" is_sarif hooked/check.sarif
check "a hook: JUnit is XML" xmllint --noout hooked/junit.xml
check "a hook: in memory" all_have ftrace-hook
check "a hook: in the trace" all_have new-call
check "a hook: its function is in the graph" \
	grep -q 'hook_seen \[hook_open\]()' hooked/trace_graph.txt
in_guest 'rmmod hook_open'
check "the guest goes on" in_guest true

# Never ends by itself.
endless='while :; do sleep 1; done'

job() { # OUTPUT COMMAND -- in the background, until the command runs
	"$xft" batch --accel tcg -f sys_openat -o "$1" \
		--append 'xft.quiet ftrace_filter=*_openat*' \
		--no-memory -r "echo it''runs; $2" >out 2>err &
	batch=$!
	until_true 120 grep -q itruns "$1/log.txt"
}
attached hangs --guest "$guest" --name hangs --limit 20s \
	--run "echo it''runs; $endless" >out 2>err &
batch=$!
until_true 60 grep -q itruns hangs/log.txt
kill -STOP "$(jq .pid "$dir/guest.json")"
wait $batch
check "the guest hangs: 2" [ $? = 2 ]
kill -CONT "$(jq .pid "$dir/guest.json")"
check "the guest hangs: complete" complete hangs trace_graph.txt
check "the guest hangs: it says so" tells hangs 'could not tell' 2
check "the guest hangs: it says why" result hangs \
	'.steps[] | select(.step == "run").error' 'run: not done within 20.0 s'
check "the guest hangs: no recording is left" no_recording
"$xft" -q guest stop "$guest"

job dies "$endless"
kill -9 "$(jq .pid "$work"/run/guests/*/guest.json)"
wait $batch
check "the guest dies: 2" [ $? = 2 ]
check "the guest dies: complete" complete dies "${ours[@]}"
check "the guest dies: it says so" tells dies 'could not tell' 2
check "the guest dies: it says why" result dies \
	'.steps[] | select(.step == "run").error' 'run: the guest went away'
check "the guest dies: nothing is left" nothing_left

job asked "$endless"
kill -INT $batch
wait $batch
check "Ctrl-C: 2" [ $? = 2 ]
check "Ctrl-C: complete" complete asked "${ours[@]}"
check "Ctrl-C: it says so" tells asked 'could not tell' 2
check "Ctrl-C: nothing is left" nothing_left

"$xft" batch --accel tcg -f sys_openat -o panics --append rdinit=/nothing \
	--no-memory -w 1 >out 2>err &
batch=$!
check "a guest that does not boot: its console" until_true 120 \
	grep -q 'Kernel panic' panics/console.log
kill -INT $batch
wait $batch
check "a guest that does not boot: 2" [ $? = 2 ]
check "a guest that does not boot: complete" complete panics console.log
check "a guest that does not boot: it says so" tells panics 'could not tell' 2
check "a guest that does not boot: nothing is left" nothing_left

printf 'version = 1\nfunction = sys_read\nrunn = x\n' >bad.batch
fails "an error in the file" 2 "bad.batch:3:1: there is no 'runn'" "$xft" batch bad.batch
check "a guest that is not there: 2" ends 2 \
	"$xft" batch -g nothing -f sys_read -w 1 -o absent
check "a guest that is not there: complete" complete absent traces.store
check "a guest that is not there: it says so" tells absent 'could not tell' 2
# What cannot be removed stands for being killed before all is.
jq '.verdict = "clean" | .exit = 0' absent/result.json >earlier
cp earlier absent/result.json
mkdir absent/console.log
absent() { "$xft" batch -g nothing -f sys_read -w 1 -o absent; }
check "what is left of an earlier batch: 2" ends 2 absent
check "what is left of an earlier batch: it is no result of now" \
	result absent .verdict 'could not tell'
rmdir absent/console.log
check "the rest of an earlier batch goes" ends 2 absent
check "the rest of an earlier batch: complete" complete absent traces.store
mkdir mine && echo all >mine/traces.store
check "a folder of others: 2" ends 2 "$xft" batch -g x -f sys_read -w 1 -o mine
check "a folder of others: untouched" [ "$(cat mine/traces.store)" = all ]
