#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Requests to the daemon as no client of docker's sends them; the tests are in hostile.py.
exec python3 -B "$(dirname "$0")/hostile.py" "$@"
