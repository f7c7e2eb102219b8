#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Podman and Buildah from Debian with mount.shale as their mount_program. Run on the host: boots the
# virtual machine with the image that has them, and itself in it as podman-guest.
set -u
cd "$(dirname "$0")/../.." || exit 1
scripts/kmod-build "${K:-6.1}" || exit 1
exec scripts/vm --kernel "${K:-6.1}" --image containers --disk ext4:2G --mem 2048 --timeout 1500 -- \
	bash selftests/machine/podman-guest "$@"
