#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The storage drivers in the virtual machine: the module's passes the suite of selftests/lib/drivers.sh, and so does
# overlayfs of this kernel; a write to a block of a big file makes a layer of the whole file, and a renamed
# directory one of all that is in it.
set -u
. selftests/lib/ktap.sh
. selftests/lib/drivers.sh

work=$(mktemp -d "${SHALE_TEST_DIR:?}/driver.XXXXXX")
root=$work/store
program=build/user/shale
unset SHALE_ROOT
shale()
{
	"$program" "$@" --root "$root"
}

ktap_plan $((2 * DRIVER_CHECKS + 9))
suite_prepare
suite_driver shale overlay2
shale_layer=$suite_layer
suite_driver overlay2 shale
ktap_is "the same change is the same layer on shale and overlay2" "$shale_layer" "$suite_layer"

# Blocks of a big file, a directory that was renamed, and a hard link of which one name was written.
mkdir -p "$work/large/dir/sub"
dd if=/dev/urandom of="$work/large/file" bs=1M count=4 status=none
echo x >"$work/large/dir/sub/x" && echo l >"$work/large/link1" && ln "$work/large/link1" "$work/large/dir/link2"
find "$work/large" -exec touch -d '2021-02-03 04:05:06 UTC' {} +
suite_image big large
shale load -q -i "$work/big.tar" >/dev/null
id=$(shale mount -s shale -o cow=block --rw big:1 "$work/m")
printf 'changed' | dd of="$work/m/file" bs=1 seek=2000000 conv=notrunc status=none
mv "$work/m/dir" "$work/m/moved"
echo more >>"$work/m/link1"
sync -f "$work/m/file"
ktap_ok "the file is partial" sh -c "getfattr -n trusted.shale.map --only-values '$root/containers/$id/upper/file' >/dev/null"
whole=$(describe "$work/m")
ktap_is "a commit of it" "0 sha256:" "$(says shale commit "$id" changed:1 | cut -c1-9)"
layer=$(shale inspect -f '{{index .RootFS.Layers 1}}' changed:1)
ktap_is "has all of the file" "$(sum_of "$work/m/file")" "$(tar -xOf "$root/blobs/sha256/${layer#sha256:}" file | sha256sum | cut -d' ' -f1)"
ktap_is "and all that was renamed" "dir file link1 moved moved/link2 moved/sub moved/sub/x" \
	"$(tar -tf "$root/blobs/sha256/${layer#sha256:}" | sed 's/\.wh\.//; s,/$,,' | sort | xargs)"
shale umount "$work/m"
shale mount -s shale changed:1 "$work/m"
ktap_is "the image shows what was committed" "$whole" "$(describe "$work/m")"
shale umount "$work/m"
shale mount -s vfs changed:1 "$work/m"
ktap_is "also without a union" "$whole" "$(describe "$work/m")"
shale umount "$work/m"
ktap_is "the first driver that works is the module's" shale "$(shale mount changed:1 "$work/m"; findmnt -no FSTYPE "$work/m")"
ktap_is "umount knows it" 0 "$(says shale umount "$work/m")"

cd / && rm -rf "$work"
ktap_end
