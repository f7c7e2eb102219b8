#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shale command about containers; the tests are in cli.py.
exec python3 -B "$(dirname "$0")/cli.py" "$@"
