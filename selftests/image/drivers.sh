#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The storage drivers that work without our module: overlay2 and vfs on the filesystem of the test, btrfs on one made for
# it, where that can be mounted. Each passes the suite of selftests/lib/drivers.sh; the same change is the same
# layer on all of them.
set -u
. "$(dirname "$0")/common"
. "$here/../lib/drivers.sh"
. "$here/../lib/private.sh"

private_mounts "the storage drivers" "$@"

ktap_plan $((3 * DRIVER_CHECKS + 14))

skip_driver() {
	local i
	for ((i = 0; i < DRIVER_CHECKS; i++)); do
		ktap_skip "$1 ($i)" "$2"
	done
}

suite_prepare
if unshare -m mount -t overlay overlay -o "lowerdir=$work/one,upperdir=$work/m,workdir=$work/m2" "$work/m" 2>/dev/null; then
	suite_driver overlay2 vfs
	overlay_layer=$suite_layer
else
	skip_driver overlay2 "overlayfs cannot be mounted here"
	overlay_layer=
fi
suite_driver vfs vfs
vfs_layer=$suite_layer
ktap_is "the same change is the same layer on overlay2 and vfs" "${overlay_layer:-$vfs_layer}" "$vfs_layer"

# --- choosing
ktap_is "an unknown driver" "1 shale: no storage driver 'zfs': there are shale, overlay2, btrfs, vfs" "$(says shale mount -s zfs base:1 "$work/m")"
ktap_is "one that does not work here" "1 shale: storage driver btrfs: $root is not on btrfs" "$(says shale mount -s btrfs base:1 "$work/m")"
ktap_is "an option that only the module knows" "1 shale: $work/m: storage driver vfs has no option 'volatile'" "$(says shale mount -s vfs -o volatile base:1 "$work/m")"
ktap_is "an attribute of a mount" "0 nosuid" "$(says shale mount -s vfs -o nosuid base:1 "$work/m") $(findmnt -no VFS-OPTIONS "$work/m" | grep -o nosuid)"
shale umount "$work/m"
ktap_is "\$SHALE_STORAGE_DRIVER" "$work/m" "$(SHALE_STORAGE_DRIVER=vfs shale mount base:1 "$work/m"; findmnt -no SOURCE "$work/m" | grep -q trees/vfs && echo "$work/m")"
shale umount "$work/m"
ktap_is "upperdir with --rw" "1 shale: upperdir is given, so the mount cannot get a writable layer of its own" \
	"$(says shale mount --rw -o upperdir=a,workdir=b base:1 "$work/m")"
ktap_is "diff of what is no writable layer" "1 shale: $work: no writable layer of this store is mounted there" "$(says shale diff "$work")"
ktap_is "diff of what is not there" "1 shale: no such container or mount: nope" "$(says shale diff nope)"
ktap_is "commit of nothing" 125 "$(says shale commit | head -c 3)"
shale rmi base:1 >/dev/null
ktap_is "whole trees go with their layers" 0 "$(find "$root/trees" -mindepth 2 -maxdepth 2 | wc -l)"

# --- btrfs
make_btrfs() {
	command -v mkfs.btrfs >/dev/null || return 1
	truncate -s 400M "$work/btrfs.img" && mkfs.btrfs -q "$work/btrfs.img" && mkdir "$work/btrfs" &&
		mount -o loop "$work/btrfs.img" "$work/btrfs"
}
if make_btrfs 2>/dev/null; then
	root=$work/btrfs/store
	shale load -q -i "$work/base.tar" >/dev/null
	suite_driver btrfs vfs
	ktap_is "the same change is the same layer on btrfs" "$vfs_layer" "$suite_layer"
	id=$(shale mount -s btrfs --rw base:1 "$work/m")
	ktap_is "a writable layer is a snapshot" 256 "$(stat -c %i "$root/containers/$id/upper")"
	ktap_is "and is gone after umount" "0 0" "$(says shale umount "$work/m") $(containers)"
	umount "$work/btrfs"
else
	skip_driver btrfs "no btrfs can be made and mounted here"
	for what in "the same change is the same layer on btrfs" "a writable layer is a snapshot" "and is gone after umount"; do
		ktap_skip "$what" "no btrfs can be made and mounted here"
	done
fi
ktap_end
