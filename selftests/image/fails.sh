#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Calls that fail under the verbs which change the store; the tests are in fails.py. FAILS=all tries every call.
set -u
. "$(dirname "$0")/../lib/ktap.sh"

if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
	ktap_plan 1
	ktap_skip "calls that fail" "only root can mount"
	ktap_end
fi
# What is mounted goes with the namespace.
exec unshare -m python3 "$(dirname "$0")/fails.py" "$@"
