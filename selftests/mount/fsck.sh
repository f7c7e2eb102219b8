#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fsck.shale and mounts of shale: which layers it leaves alone, for how long, and that a checked layer is a
# layer as before. Runs in the virtual machine; what it finds in maps is tested on the host (unit/fsck).
set -u
. selftests/lib/ktap.sh

install -m 755 build/user/mount.shale /sbin/mount.shale
install -m 755 build/user/fsck.shale /sbin/fsck.shale
dir=$(mktemp -d "${SHALE_TEST_DIR:?}/fsck.XXXXXX")
chmod 755 "$dir"
cd "$dir" || exit 1
long=$(printf 'n%.0s' {1..200})

says()
{
	local out status=0

	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

mkdir a b u w m "$long" "w$long" "b:c,d e"
echo a >a/a
mkdir a/d && echo f >a/d/f

ktap_plan 22
ktap_is "a layer nobody uses" "0 u: clean, 0 partial files" "$(says fsck.shale -y u)"
mount -t shale shale m -o lowerdir=a:b,upperdir=u,workdir=w || exit 1
mv m/d m/e && echo more >>m/e/f && ln m/e/f m/g && mkdir m/new
ktap_is "the upper layer of a mount" "8 fsck.shale: u: is in use: it is the upper layer of $dir/m" "$(says fsck.shale -y u)"
ktap_is "even to look at it" "8 fsck.shale: u: is in use: it is the upper layer of $dir/m" "$(says fsck.shale -n u)"
ktap_is "its work directory" "8 fsck.shale: w: is in use: it is the upper layer of $dir/m" "$(says fsck.shale -n w)"
ktap_is "a lower layer" "8 fsck.shale: b: is in use: it is a lower layer of $dir/m and must not change" "$(says fsck.shale -y b)"
ktap_is "which may be looked at" "0 b: clean, 0 partial files" "$(says fsck.shale -n b)"
ktap_is "the mount is no layer" "8 fsck.shale: m: is on a mount of shale, and no layer" "$(says fsck.shale -n m)"
ktap_is "nor is a directory on it" "8 fsck.shale: m/e: is on a mount of shale, and no layer" "$(says fsck.shale -n m/e)"

# Somebody holds it who is in no namespace any more that we see.
exec 3<m/g
umount -l m
ktap_is "no namespace has a mount that was detached" "" "$(findmnt -n -o SOURCE -M m)"
ktap_is "but the module does" "8 fsck.shale: u: is in use: it is the upper layer of a mount" "$(says fsck.shale -y u)"
exec 3<&-
for ((i = 0; i < 100; i++)); do
	fsck.shale -n u >/dev/null 2>&1 && break
	sleep 0.1
done
ktap_is "until that is gone" "0 u: clean, 1 partial file" "$(says fsck.shale -y --lower a --lower b u)"
ktap_ok "the layer is mounted again" mount -t shale shale m -o lowerdir=a:b,upperdir=u,workdir=w
ktap_is "and is what it was" "more f more new g" "$(tail -n 1 m/e/f) $(head -n 1 m/g) $(tail -n 1 m/g) $(echo m/n* m/g | sed 's|m/||g')"
umount m

mount -t shale shale m -o "lowerdir=a,upperdir=$dir/$long,workdir=$dir/w$long" || exit 1
ktap_is "a name that is long" "8 fsck.shale: $long: is in use: it is the upper layer of $dir/m" "$(says fsck.shale -n "$long")"
ktap_is "and another layer beside it" "0 u: clean, 1 partial file" "$(says fsck.shale -y u)"
umount m
mount -t shale shale m -o 'lowerdir=a:b\:c\,d e' || exit 1
ktap_is "a name of blanks, commas and colons" \
	"8 fsck.shale: b:c,d e: is in use: it is a lower layer of $dir/m and must not change" "$(says fsck.shale -y 'b:c,d e')"
ktap_is "and one that is a part of it" "0 b: clean, 0 partial files" "$(says fsck.shale -y b)"
umount m

unshare -m sh -c "mount -t shale shale m -o lowerdir=a,upperdir=u,workdir=w && touch '$dir/there' && exec sleep 300" &
for ((i = 0; i < 100; i++)); do
	[ ! -e there ] || break
	sleep 0.1
done
ktap_is "a mount in another namespace" "8 fsck.shale: u: is in use: it is the upper layer of $dir/m" "$(says fsck.shale -n u)"
kill $! && wait $! 2>/dev/null
for ((i = 0; i < 100; i++)); do
	fsck.shale -n u >/dev/null 2>&1 && break
	sleep 0.1
done
ktap_is "that has gone with it" "0 u: clean, 1 partial file" "$(says fsck.shale -y u)"

# A layer of another kind, and a damaged map, which the union must not mind more after than before.
setfattr -n trusted.shale.map -v damaged u/g
ktap_is "a damaged map" "4 /g: its map is damaged: it is shorter than its header: left as it is" "$(says fsck.shale -n u | head -n 1 | sed 's|/[^:]*:|/g:|')"
mkdir -p u/.shale/map && touch u/.shale/map/0123456789abcdef
setfattr -x trusted.shale.map u/g
ktap_is "a sidecar of no file is removed" "1 /.shale/map/0123456789abcdef: is a sidecar of no file: repaired" "$(says fsck.shale -y u | head -n 1)"
ktap_is "and then all is clean" "0 u: clean, 0 partial files" "$(says fsck.shale -y u)"
cd / && rm -rf "$dir"
ktap_end
