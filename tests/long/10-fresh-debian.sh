#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The README's first command on a Debian that has nothing but git and make.
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || { skip "fresh Debian: needs root"; exit 0; }
O=$O sh "$top/scripts/setup.sh" bare || { skip "fresh Debian: no debootstrap"; exit 0; }
start=$SECONDS
if (cd "$top" && sh scripts/bare.sh 'date +%s && make demo && date +%s && make demo && date +%s') >log 2>&1; then
	ok "make demo on a fresh Debian 12"
else
	not_ok "make demo on a fresh Debian 12: $(tail -n 20 log)"
fi
# Three time stamps stand alone on their lines.
mapfile -t t < <(grep -E '^[0-9]{10}$' log)
if [ ${#t[@]} = 3 ]; then
	first=$((t[1] - t[0])) later=$((t[2] - t[1]))
	echo "# first make demo: $first s, the next: $later s, all with debootstrap: $((SECONDS - start)) s"
	check "the first takes at most 300 s" [ $first -le 300 ]
	check "later ones take at most 45 s" [ $later -le 45 ]
fi
