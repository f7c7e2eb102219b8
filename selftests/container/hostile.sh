#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bodies and queries of any shape; the tests are in hostile.py.
exec python3 -B "$(dirname "$0")/hostile.py" "$@"
