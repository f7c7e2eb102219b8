#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Daemons and supervisors killed at random moments; the tests are in kills.py.
exec python3 -B "$(dirname "$0")/kills.py" "$@"
