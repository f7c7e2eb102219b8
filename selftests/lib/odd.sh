# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Images of everything that is odd, on storage drivers: on the host (selftests/image/odd.sh) and in the virtual machine
# (selftests/mount/odd.sh). What a mount shows is compared with a model that applies the layers by OCI's rules alone
# (selftests/image/oddimage). Sourced; needs ktap.sh, a function shale, the model's path in $odd, an empty directory in
# $work and privilege.

ODD_IMAGES="odd many128 many500"

# Results of odd_images and of odd_changes with so many drivers.
odd_results()
{
	echo $((4 + $1 * 4))
}

# on DRIVER COMMAND...: with the image $image mounted.
on()
{
	local status
	shale mount -s "$1" "$image:1" "$work/m" || return 1
	"${@:2}"
	status=$?
	shale umount "$work/m"
	return $status
}

# Where holes are is the filesystem's business, and a copy has them where there was a long run of zeros.
odd_tree()
{
	"$odd" tree "$1" | sed 's/ holes=[A-Za-z]*//'
}

# Why a driver cannot show an image here; nothing if it can.
odd_excuse()
{
	if [ "$1" = overlay2 ] && [ -z "${odd_has_overlay:-}" ]; then
		echo "overlayfs cannot be mounted here"
	elif [ "$1" = overlay2 ] && [ "$2" = many500 ] && [ -n "${odd_takes_page:-}" ]; then
		echo "before Linux 6.5 overlayfs takes as many layers as fit into a page"
	fi
}

# odd_images DRIVER...
odd_images()
{
	local driver excuse
	mkdir -p "$work/m"
	for image in $ODD_IMAGES; do
		"$odd" make "$work" "$image"
		ktap_is "import of $image" "Loaded image: $image:1" "$(shale load -i "$work/$image.tar")"
		for driver; do
			excuse=$(odd_excuse "$driver" "$image")
			if [ -n "$excuse" ]; then
				ktap_skip "$image on $driver" "$excuse"
			else
				ktap_ok "$image on $driver" on "$driver" "$odd" check "$work/m" "$work/$image".*.tar
			fi
		done
	done
	image=odd
	ktap_ok "the model is no friend of anything: without a layer it finds faults" ! \
		on "$1" "$odd" check "$work/m" "$work/odd.000.tar" "$work/odd.001.tar"
}

# odd_changes DRIVER...: all of it as a change, committed on one driver and mounted with vfs.
odd_changes()
{
	local driver excuse id
	mkdir "$work/base" && tar -cf "$work/base.tar" -C "$work/base" . && shale import "$work/base.tar" base:1 >/dev/null
	for driver; do
		excuse=$(odd_excuse "$driver" odd)
		if [ -n "$excuse" ]; then
			ktap_skip "odd files, committed on $driver" "$excuse"
			continue
		fi
		id=$(shale mount -s "$driver" --rw base:1 "$work/m")
		tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$work/odd.000.tar" -C "$work/m" 2>/dev/null
		image=committed
		odd_tree "$work/m" >"$work/wanted"
		shale commit "$id" committed:1 >/dev/null
		shale umount "$work/m"
		on vfs odd_tree "$work/m" >"$work/got"
		ktap_is "odd files, committed on $driver" "" "$(diff "$work/wanted" "$work/got" | head -5)"
	done
}
