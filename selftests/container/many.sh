#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many containers at a time; the tests are in many.py.
exec python3 -B "$(dirname "$0")/many.py" "$@"
