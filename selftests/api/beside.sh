#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon beside Debian's dockerd; the tests are in beside.py.
. "$(dirname "$0")/../lib/ktap.sh"
. "$(dirname "$0")/../lib/private.sh"

work=$(mktemp -d)
private_mounts "beside dockerd" "$@"
rmdir "$work"
exec python3 -B "$(dirname "$0")/beside.py" "$@"
