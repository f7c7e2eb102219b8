#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs of a Debian in containers; the tests are in programs.py.
exec python3 -B "$(dirname "$0")/programs.py" "$@"
