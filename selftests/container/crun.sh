#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Containers by the other runtime; the tests are in crun.py.
exec python3 -B "$(dirname "$0")/crun.py" "$@"
