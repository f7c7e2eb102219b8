#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# An upper whose files are mapped from the device itself. Run on the host: boots a virtual machine with persistent memory,
# and in it dax-guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
scripts/kmod-build "${K:-6.1}" || exit 1
exec scripts/vm --kernel "${K:-6.1}" --mem 1536 --append 'memmap=256M!1G' -- bash selftests/machine/dax-guest
