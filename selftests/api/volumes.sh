#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Volumes over crashes and damage; the tests are in volumes.py.
exec python3 -B "$(dirname "$0")/volumes.py" "$@"
