#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon without a registry, by docker's client and by plain requests; the tests are in images.py.
exec python3 -B "$(dirname "$0")/images.py" "$@"
