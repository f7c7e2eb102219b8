#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Containers from their making to their removal; the tests are in run.py.
exec python3 -B "$(dirname "$0")/run.py" "$@"
