#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What containers can be given; the tests are in options.py.
exec python3 -B "$(dirname "$0")/options.py" "$@"
