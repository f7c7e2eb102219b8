#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Containers over the end of daemons; the tests are in survive.py.
exec python3 -B "$(dirname "$0")/survive.py" "$@"
