#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The README's first command on a Debian that has nothing but git and make; and on
# the newer one, the tests that need no guest.
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || { skip "fresh Debian: needs root"; exit 0; }
O=$O sh "$top/scripts/setup.sh" bare || { skip "fresh Debian: no debootstrap"; exit 0; }

fresh() { # SUITE COMMAND
	(cd "$top" && SUITE=$1 sh scripts/bare.sh "$2") >log 2>&1 && return
	tail -n 20 log
	return 1
}

for suite in bookworm trixie; do
	start=$SECONDS
	check "$suite: make demo, twice" fresh $suite \
		'date +%s && make demo && date +%s && make demo && date +%s'
	# Three time stamps stand alone on their lines.
	mapfile -t t < <(grep -E '^[0-9]{10}$' log)
	[ ${#t[@]} = 3 ] || continue
	first=$((t[1] - t[0])) later=$((t[2] - t[1]))
	echo "# $suite: first make demo: $first s, the next: $later s," \
		"all with debootstrap: $((SECONDS - start)) s"
	check "$suite: the first takes at most 300 s" [ $first -le 300 ]
	check "$suite: later ones take at most 45 s" [ $later -le 45 ]
done
check "trixie: make check-unit" fresh trixie \
	'sh scripts/setup.sh build guest test && make check-unit'
