#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A kernel that takes only signed modules: what a mount and shale doctor say about it. Run on the host:
# boots a virtual machine of its own, since lockdown cannot be lifted, and in it lockdown-guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
scripts/kmod-build "${K:-6.1}" || exit 1
exec scripts/vm --kernel "${K:-6.1}" -- bash selftests/machine/lockdown-guest
