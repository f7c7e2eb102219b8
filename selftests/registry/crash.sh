#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A registry that is killed while it is used; the tests are in crash.py. SHALE_TEST_KILLS=200 makes it longer.
exec python3 "$(dirname "$0")/crash.py" "$@"
