#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Further processes in containers; the tests are in exec.py.
exec python3 -B "$(dirname "$0")/exec.py" "$@"
