#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon's sockets, its start and its end; the tests are in life.py.
exec python3 -B "$(dirname "$0")/life.py" "$@"
