#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shale command's verbs that run containers; the tests are in command.py.
exec python3 -B "$(dirname "$0")/command.py" "$@"
