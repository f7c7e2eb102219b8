#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A bare mount loads the module; where it is not installed or cannot be loaded, the message says so
# and what to do. Runs in the virtual machine, whose module it unloads and loads.
set -u
. selftests/lib/ktap.sh

install -m 755 build/user/mount.shale /sbin/mount.shale
release=$(uname -r)
module=$(modinfo -n shale)
dir=$(mktemp -d "${SHALE_TEST_DIR:?}/autoload.XXXXXX")
cd "$dir" || exit 1
mkdir a m

says()
{
	local out status=0

	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

is_loaded()
{
	grep -qx 'nodev	shale' /proc/filesystems
}

unload()
{
	is_loaded && rmmod shale
	! is_loaded
}

ktap_plan 12
ktap_is "the module says which filesystem it is for" "fs-shale" "$(modinfo -F alias shale)"
ktap_ok "it can be unloaded" unload
ktap_ok "mount -t shale loads it" mount -t shale s m -o lowerdir=a
ktap_ok "it is loaded" is_loaded
ktap_ok "it cannot be unloaded under a mount" ! rmmod shale
umount m
unload
ktap_ok "the helper alone loads it" mount.shale s m -o lowerdir=a
umount m
unload
ktap_ok "mount -i, without the helper, loads it" mount -i -t shale s m -o "lowerdir=$dir/a"
umount m

unload
mv "$module" "$dir/kept.ko" && depmod
ktap_is "the module is not installed" \
	"32 mount.shale: m: the module is not installed for kernel $release: apt install linux-headers-$release, then run 'make dkms-install' in shale's source" \
	"$(says mount.shale s m -o lowerdir=a)"
echo "not a module" >"$module" && depmod 2>/dev/null
ktap_ok "the module is damaged: modprobe's reason is passed on" \
	sh -c 'mount.shale s m -o lowerdir=a 2>&1 | grep "cannot be loaded: could not insert .shale.: .*"'
mv "$dir/kept.ko" "$module" && depmod
ktap_ok "with the module back, a mount loads it" mount -t shale s m -o lowerdir=a
umount m
echo 'install shale /bin/false' >/etc/modprobe.d/shale.conf
unload
ktap_is "who forbids it in modprobe.d is told that it cannot be loaded" "32" \
	"$(says mount.shale s m -o lowerdir=a | cut -d' ' -f1)"
rm /etc/modprobe.d/shale.conf
ktap_ok "the tests after this have the module" modprobe shale

cd / && rm -rf "$dir"
ktap_end
