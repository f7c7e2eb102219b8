#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A registry's server over time, with faults, odd clients and its verbs; the tests are in lifecycle.py.
exec python3 -W ignore::DeprecationWarning "$(dirname "$0")/lifecycle.py" "$@"
