#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Notifications of a running registry to a receiver, over kills and drains, its metrics and its health;
# the tests are in events.py.
exec python3 "$(dirname "$0")/events.py" "$@"
