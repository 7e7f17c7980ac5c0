#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A store on an emulated NVDIMM, DAX and all, whose machine is killed 200 times.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/nvdimm/lib.sh
. "$top/tests/nvdimm/lib.sh"

check "killed 200 times: every acknowledged record is there" nvdimm_rounds 200 3
