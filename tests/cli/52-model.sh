#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The models of ring, pool and rewind: right as they are, wrong when a rule is broken.
. "$(dirname "$0")/../lib.sh"

model=$top/tests/model/ring.pml
if ! command -v spin >/dev/null; then
	skip "the models of ring, pool and rewind: no spin"
	exit
fi

# build "-DOPTIONS of the model" COMPILER'S OPTIONS... -- ./pan; at most 1000 MB
build() {
	local options=$1
	shift
	# shellcheck disable=SC2086 # words
	spin -a $options "$model" >spin.log 2>&1 &&
		gcc -w "$@" -DSAFETY -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c >>spin.log 2>&1
}
run_pan() { ./pan -m50000 "$@" >pan.log 2>&1; }
TIMEFORMAT='%U %S' # processor time: what else the machine does is not the model's

# holds NAME OPTIONS -- in every state that there is; what the run has not come by is
# in unreached.NAME then
holds() {
	local name=$1 states
	if ! build "$2" -O2 || ! { time run_pan -w24; } 2>took; then
		not_ok "model: $name: $(cat spin.log) $(tail -n 3 pan.log)"
		return
	fi
	states=$(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' pan.log)
	sed -nE 's/^\t.*:([0-9]+), state [0-9]+, (.*)/\1 \2/p' pan.log |
		sort -u >"unreached.$name"
	grep -E '^pan: elapsed|total actual' pan.log >&2
	cat took >>spent
	if ! grep -q 'errors: 0$' pan.log; then
		not_ok "model: $name: $(grep '^pan:1:' pan.log)"
	elif grep -qE 'not completed|max search depth|MEMLIM' pan.log; then
		not_ok "model: $name: $states states are not all"
	else
		ok "model: $name: $states states, exhaustive"
	fi
}

# caught RULE FINDING [OPTIONS] -- without the rule the model must find that; that
# it comes to a standstill is not it
caught() {
	build "-D$1 ${3:--DRECORDS=12}" -O0 && run_pan -E
	if grep -qE "^pan:1: assertion violated *\(?.*!\($2\)" pan.log; then
		ok "caught: $1 ($2)"
	else
		not_ok "caught: $1: not $2, but $(grep -E '^pan:1:|errors:' pan.log)"
	fi
}

# A row of laps, of records of all lengths; the same with an NMI anywhere; keys that
# change faster than they are read.
holds laps "-DRECORDS=12"
holds "nested laps" "-DRECORDS=12 -DNMIS=1 -DMIXES=1"
holds "nested, of all lengths" "-DRECORDS=3 -DNMIS=2"
holds keys "-DRECORDS=3 -DEPOCHS=3"
holds "nested with a new key" "-DRECORDS=1 -DNMIS=1 -DEPOCHS=2 -DMIXES=1"
seconds=$(awk '{ s += $1 + $2 } END { printf "%d", s + 0.5 }' spent)
echo "# all states in $seconds s" >&2
check "model: all of them in less than 60 s" test "$seconds" -lt 60
if comm -12 unreached.laps unreached.keys >never && [ ! -s never ]; then
	ok "model: each step was taken"
else
	not_ok "model: steps never taken: $(paste -sd ';' never)"
fi

caught HEAD_FIRST torn
caught SEQ_LATE given_up
caught CLOSED_LATE given_up
caught ODD_NOT_COUNTED torn
caught KEY_ONE_LOOK torn "-DRECORDS=3 -DEPOCHS=3"
caught EPOCH_FIRST torn "-DRECORDS=3 -DEPOCHS=3"
caught NMI_IN_MAIN torn "-DRECORDS=2 -DNMIS=1 -DMIXES=1"
caught NO_SECOND_LOOK torn
caught SEQ_BEFORE_COPY given_up
caught USED_OF_OPEN given_up
caught FULL_IS_CLOSED given_up
caught SEQ_MOVES_WITH_HEAD given_up
caught LAP_LATE given_up
caught LAP_EARLY unlapped
caught RACE_IS_BAD given_up
caught FALSE_TURN unopened

# What it is a model of has the same steps still.
grep -E '^ \*	(guest|kvm-memfile|abi)/' "$model" | while read -r _ file names; do
	for name in $names; do
		short=${name#xft_ring_}
		grep -qE "\<$name(\(|;|\[)" "$top/$file" || echo "$name in $file"
		sed '1,/^ \*\/$/d' "$model" | grep -qiw "${short#xft_}" ||
			echo "$name in ring.pml"
	done
done >renamed
check "model: the code names its steps as it does: $(paste -sd ';' renamed)" \
	test ! -s renamed

# Streams that a thread makes beforehand.
model=$top/tests/model/pool.pml
holds pool "-DSUBS=7"
check "model: each step of the pool was taken" test ! -s unreached.pool
caught NO_CLAIM left "-DSUBS=7"
caught TAKE_FILLING left "-DSUBS=7"
caught READY_ANYWAY wrong "-DSUBS=7"
caught READY_EARLY wrong "-DSUBS=7"
caught KEY_LATE wrong "-DSUBS=7"
caught NO_WIPE left "-DSUBS=7"
caught NO_CLOSE left "-DSUBS=7"

# Guests that are set back to a snapshot, once and once more.
model=$top/tests/model/rewind.pml
holds rewind ""
check "model: each step of it was taken" eval "! grep -v -e -end- unreached.rewind"
caught NO_HALT reused -DRESTORES=1
caught HALT_ONCE reused -DRESTORES=1
caught BEATS_ONLY reused -DRESTORES=1
caught FIRST_BEAT lost -DRESTORES=1
caught RELEASED_EARLY reused -DRESTORES=1
caught RUN_UNSEEN reused -DRESTORES=1
caught NO_LOOK reused -DRESTORES=1
caught TIME_LATE reused -DRESTORES=1
caught CLOSE_ANYWAY reused -DRESTORES=1
caught LOOK_BEFORE_IPI reused -DRESTORES=1
