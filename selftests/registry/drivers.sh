#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The storage drivers on real object stores, which this starts; the tests are in drivers.py.
exec python3 "$(dirname "$0")/drivers.py" "$@"
