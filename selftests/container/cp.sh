#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Copies of the shale command; the tests are in cp.py.
exec python3 -B "$(dirname "$0")/cp.py" "$@"
