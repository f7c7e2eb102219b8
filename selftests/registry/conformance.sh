#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The registry protocol, every row of the specification's table; the tests are in conformance.py.
exec python3 "$(dirname "$0")/conformance.py" "$@"
