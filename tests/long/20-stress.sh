#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# 10^8 records through one ring.
. "$(dirname "$0")/../lib.sh"

check "10^8 records: none torn, accepted + lost = produced" \
	"$O/stress/ring_stress" 100000000
