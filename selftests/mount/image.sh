#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Images on a mount: by name through mount(8) and fstab, through shale mount and umount, and the
# writable layer that comes and goes with a mount. Runs in the virtual machine.
set -u
. selftests/lib/ktap.sh

install -m 755 build/user/mount.shale /sbin/mount.shale
install -m 755 build/user/shale /usr/local/bin/shale
dir=$(mktemp -d "${SHALE_TEST_DIR:?}/image.XXXXXX")
export SHALE_ROOT=$dir/store
cd "$dir" || exit 1

says()
{
	local out status=0

	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

digest_of()
{
	sha256sum "$1" | cut -d' ' -f1
}

# A docker-archive test:1 of two layers, the second of which deletes, replaces and adds.
image_make()
{
	mkdir -p one/etc one/gone two/etc
	echo one >one/etc/name && echo kept >one/etc/kept && echo x >one/gone/x
	chmod 1777 one/gone && chmod 751 one two
	echo two >two/etc/name && touch two/.wh.gone && echo new >two/new
	tar --owner=0 --group=0 --sort=name -cf one.tar -C one .
	tar --owner=0 --group=0 --sort=name -cf two.tar -C two .
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s","sha256:%s"]}}' \
		"$(digest_of one.tar)" "$(digest_of two.tar)" >config.json
	echo '[{"Config":"config.json","RepoTags":["test:1"],"Layers":["one.tar","two.tar"]}]' >manifest.json
	tar -cf image.tar manifest.json config.json one.tar two.tar
}

contents()
{
	(cd "$1" && find . -mindepth 1 ! -type d | sort | tr '\n' ' ')
}

containers()
{
	find store/containers -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}

what="./etc/kept ./etc/name ./new "
mkdir m m2
image_make

ktap_plan 42
ktap_is "mounting from a store that is not there" "1 mount.shale: $dir/m: no such image: test:1" \
	"$(says mount -t shale -o "store=$dir/store" test:1 "$dir/m")"
ktap_ok "import" shale import image.tar
ktap_ok "mount(8) by name" mount -t shale -o "store=$dir/store" test:1 m
ktap_is "the layers are merged" "$what" "$(contents m)"
ktap_is "the upper layer wins" two "$(cat m/etc/name)"
ktap_is "the name shows as the source" test:1 "$(findmnt -n -o SOURCE -M "$dir/m")"
ktap_is "the root is like the image's" "751 0:0" "$(stat -c '%a %u:%g' m)"
ktap_ok "it is read-only, whatever mount(8) says" ! touch m/x
ktap_ok "remount by mount(8)" mount -o remount,nosuid m
ktap_ok "rmi of a mounted image is refused" ! shale rmi test:1
umount m
ktap_is "an image that is not there" "1 mount.shale: $dir/m: no such image: other:2" \
	"$(says mount -t shale -o "store=$dir/store" other:2 "$dir/m")"

mkdir up work
ktap_ok "mount(8) by name with an upper" mount -t shale -o "store=$dir/store,upperdir=up,workdir=work" test:1 m
ktap_ok "it can be written" sh -c 'rm m/new && echo x >m/etc/name && test -c up/new'
umount m

echo "test:1 $dir/m shale store=$dir/store,nofail 0 0" >/etc/fstab
ktap_ok "fstab" mount "$dir/m"
ktap_is "the image is mounted" "$what" "$(contents m)"
umount m
rm /etc/fstab

mkdir -p /var/lib && ln -sfn "$dir/store" /var/lib/shale
ktap_ok "without store= it is /var/lib/shale" mount -t shale test:1 m
umount m
rm /var/lib/shale

ktap_is "shale mount prints nothing" "0" "$(says shale mount test:1 m)"
ktap_is "it mounts" "$what" "$(contents m)"
ktap_ok "read-only" ! touch m/x
ktap_is "shale umount prints nothing" "0" "$(says shale umount m)"
ktap_ok "it unmounts" ! mountpoint -q m
ktap_is "no writable layer was made" 0 "$(containers)"

id=$(shale mount --rw test:1 m)
ktap_ok "--rw prints the ID of the writable layer" sh -c "echo $id | grep -Eqx '[0-9a-f]{12}'"
ktap_is "the root is like the image's then, too" "751 0:0" "$(stat -c '%a %u:%g' m)"
ktap_ok "it can be written" sh -c 'echo w >m/written && rm m/new && mv m/etc m/moved'
ktap_ok "what was written is in it" test -f "store/containers/$id/upper/written"
id2=$(shale mount --rw test:1 m2)
ktap_ok "a second one has its own" test "$id" != "$id2" -a ! -e m2/written -a -e m2/new
exec 3<m/written
ktap_is "umount of a mount in use" "1 shale: m: cannot unmount it: Device or resource busy" \
	"$(says shale umount m)"
ktap_ok "its writable layer stays" test -f "store/containers/$id/upper/written"
exec 3<&-
ktap_is "umount of both" "0" "$(says shale umount m m2)"
ktap_is "their layers are gone" 0 "$(containers)"
id=$(shale mount --rw test:1 m)
echo kept >m/kept
ktap_is "umount --keep" "0" "$(says shale umount --keep m)"
ktap_is "keeps the layer" kept "$(cat "store/containers/$id/upper/kept")"
ktap_ok "which can be mounted again" shale mount \
	-o "upperdir=store/containers/$id/upper,workdir=store/containers/$id/work" test:1 m
ktap_is "with what was written" kept "$(cat m/kept)"
ktap_is "and goes with the last umount" "0 0" "$(says shale umount m) $(containers)"
id=$(shale mount --rw test:1 m)
exec 3<m/new
ktap_is "umount --lazy of a mount in use" "0" "$(says shale umount --lazy m)"
ktap_is "leaves the layer, which is in use" 1 "$(containers)"
exec 3<&-
ktap_is "umount of what is no mount" "1 shale: m: not a mount point of shale" "$(says shale umount m)"
ktap_is "umount of what is not there" "1 shale: none: cannot look at it: No such file or directory" \
	"$(says shale umount none)"
ktap_is "-o lowerdir with an image" "1 shale: the layers are the image's, not an option's" \
	"$(says shale mount -o lowerdir=/ test:1 m)"
ktap_is "a failed mount leaves no layer" "1 shale: none: cannot mount there: No such file or directory 1" \
	"$(says shale mount --rw test:1 none) $(containers)"

cd / && rm -rf "$dir"
ktap_end
