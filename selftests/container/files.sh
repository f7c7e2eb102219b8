#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Files copied into and out of containers; the tests are in files.py.
exec python3 -B "$(dirname "$0")/files.py" "$@"
