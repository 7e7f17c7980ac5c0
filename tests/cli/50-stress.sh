#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The module's ring writer against the host's reader, at full speed.
. "$(dirname "$0")/../lib.sh"

# Figures go to stderr: they belong in the log and are no results.
stress() { "$O/stress/ring_stress" "$@" >&2; }

check "10^7 records: none torn, accepted + lost = written" stress 10000000
check "a reader or writer that breaks the rules is caught" stress --selftest
check "misuse is refused" test "$(stress lots 2>/dev/null; echo $?)" = 2
