#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What changes in containers and of them; the tests are in change.py.
exec python3 -B "$(dirname "$0")/change.py" "$@"
