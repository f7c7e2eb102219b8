#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Clients attached to containers; the tests are in attach.py.
exec python3 -B "$(dirname "$0")/attach.py" "$@"
