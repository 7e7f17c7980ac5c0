#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Exact counts, up to 10^6 reads.
XFTRACE_READS=1000000 exec bash "$(dirname "$0")/../guest/20-exact-count.sh"
