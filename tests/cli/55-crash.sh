#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The store when power is lost at any moment, and when its calls fail.
. "$(dirname "$0")/../lib.sh"

# What was counted goes to the log and is no result.
crash() { "$O/crash/crash" "$@" >&2; }

check "10^6 images after a crash: all are what they must be" crash 1000000
"$O/crash/crash" --selftest
check "misuse is refused" test "$(crash 2>/dev/null lots; echo $?)" = 2
