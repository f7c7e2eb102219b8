#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shale command's verbs that are attached to containers; the tests are in session.py.
exec python3 -B "$(dirname "$0")/session.py" "$@"
