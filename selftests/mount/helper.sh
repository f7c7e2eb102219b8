#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mount.shale through the real mount(8), and as containers/storage calls it: what is mounted, what
# /proc says, what is refused with which words and exit code. Runs in the virtual machine.
set -u
. selftests/lib/ktap.sh

tree=$PWD
install -m 755 build/user/mount.shale /sbin/mount.shale
dir=$(mktemp -d "${SHALE_TEST_DIR:?}/helper.XXXXXX")
chmod 755 "$dir"
cd "$dir" || exit 1

says()
{
	local out status=0

	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

# What the kernel shows of the mount at $1: its own options, or with "attr" the mount point's.
shown()
{
	findmnt -n -o "${2:-FS-OPTIONS}" -M "$1"
}

fresh()
{
	umount -q m 2>/dev/null
	rm -rf a b u w m
	mkdir a b u w m
	echo a >a/a
	echo b >b/b
	echo top >a/both
	echo bottom >b/both
}

attrs_are()
{
	ktap_is "$1" "$2" "$(shown m VFS-OPTIONS)"
}

ktap_plan 73

fresh
ktap_ok "mount(8): layers, read-only" mount -t shale shale m -o lowerdir=a:b
ktap_is "both layers show, the first on top" "a b both top" "$(echo m/* | sed 's|m/||g' | tr '\n' ' ')$(cat m/both)"
ktap_is "the source shows" "shale" "$(findmnt -n -o SOURCE -M m)"
ktap_is "names are absolute" "ro,lowerdir=$dir/a:$dir/b" "$(shown m)"
ktap_ok "without an upper nothing can be written" ! touch m/new
ktap_ok "umount(8)" umount m
ktap_is "nothing is mounted then" "" "$(shown m)"

fresh
ktap_ok "mount(8): with an upper" mount -t shale myroot m -o lowerdir=a:b,upperdir=u,workdir=w
ktap_ok "it can be written" sh -c 'echo new >m/new && rm m/a && test -f u/new -a -c u/a'
ktap_is "any word may be the source" "myroot" "$(findmnt -n -o SOURCE -M m)"
ktap_is "upper and work show" "rw,lowerdir=$dir/a:$dir/b,upperdir=$dir/u,workdir=$dir/w" "$(shown m)"
ktap_ok "remount,ro" mount -o remount,ro m
ktap_ok "nothing can be written then" ! touch m/no
ktap_is "it shows as ro" "ro" "$(shown m | cut -d, -f1)"
ktap_ok "remount,rw" mount -o remount,rw m
ktap_ok "it can be written again" touch m/yes
ktap_ok "remount,nosuid" mount -o remount,nosuid m
attrs_are "nosuid shows" "rw,nosuid,relatime"
ktap_ok "remount,noatime,nodev" mount -o remount,suid,noatime,nodev m
attrs_are "it replaces what was there" "rw,nodev,noatime"
ktap_is "remount of other layers is refused" \
	"32 mount.shale: $dir/m: a remount cannot change lowerdir" \
	"$(says mount.shale shale "$dir/m" -o remount,rw,lowerdir=b:a,upperdir=u,workdir=w)"
ktap_is "remount of another upper is refused" \
	"32 mount.shale: $dir/m: a remount cannot change upperdir" \
	"$(says mount.shale shale "$dir/m" -o remount,rw,lowerdir=a:b,upperdir=w,workdir=w)"
ktap_is "remount with another whiteout= is refused by the kernel" \
	"32 mount.shale: $dir/m: whiteout: cannot be changed by remounting" \
	"$(says mount.shale shale "$dir/m" -o remount,whiteout=aufs)"
ktap_ok "remount with words for what is always on" \
	mount.shale shale "$dir/m" -o remount,rw,xino=on,redirect_dir=follow,index=on,whiteout=both,cow=auto
ktap_is "remount with another cow= is refused by the kernel" \
	"32 mount.shale: $dir/m: cow: cannot be changed by remounting" \
	"$(says mount.shale shale "$dir/m" -o remount,cow=copy)"
ktap_is "remount of what is no mount" "32 mount.shale: $dir/a: not a mount point of shale" \
	"$(says mount.shale shale "$dir/a" -o remount,ro)"
umount m

fresh
ktap_ok "attributes" mount -t shale s m -o ro,nosuid,nodev,noexec,noatime,lowerdir=a
attrs_are "all of them show" "ro,nosuid,nodev,noexec,noatime"
umount m
fresh
ktap_ok "ro with an upper" mount -t shale s m -o ro,lowerdir=a,upperdir=u,workdir=w
ktap_ok "it cannot be written" ! touch m/x
ktap_ok "until it is remounted" sh -c 'mount -o remount,rw m && touch m/x'
umount m

fresh
{
	echo "# comment"
	echo "shale $dir/m shale lowerdir=$dir/a:$dir/b,_netdev,nofail,x-systemd.automount,defaults 0 0"
} >fstab
ktap_ok "fstab: mount -a" mount -a -T fstab
ktap_is "it is mounted" "$dir/m" "$(findmnt -n -o TARGET -M m)"
umount m
cp fstab /etc/fstab
ktap_ok "fstab: mount DIR" mount "$dir/m"
ktap_ok "fstab: remount,ro" mount -o remount,ro "$dir/m"
umount m
rm /etc/fstab

fresh
mkdir elsewhere
ktap_is "mount_program: relative names from another directory" "0" \
	"$(cd elsewhere && says mount.shale -o lowerdir=../a:../b,upperdir=../u,workdir=../w, "$dir/m")"
ktap_is "and they mean what they meant there" \
	"rw,lowerdir=$dir/elsewhere/../a:$dir/elsewhere/../b,upperdir=$dir/elsewhere/../u,workdir=$dir/elsewhere/../w" \
	"$(shown m)"
umount m
fresh
ktap_is "mount_program: volatile after an empty token" "0" \
	"$(says mount.shale -o "lowerdir=$dir/a,upperdir=$dir/u,workdir=$dir/w,,volatile" m)"
ktap_is "volatile shows" "volatile" "$(shown m | grep -o volatile)"
umount m
fresh
ktap_is "mount_program: fuse-overlayfs's words warn or say nothing" \
	"0 mount.shale: m: warning: squash_to_root is not supported and was ignored: files keep their owners" \
	"$(says mount.shale -o lowerdir=a,upperdir=u,workdir=w,fsync=0,squash_to_root,timeout=1 m)"
ktap_is "fsync=0 is volatile" "volatile" "$(shown m | grep -o volatile)"
umount m
fresh
mount --make-rshared / 2>/dev/null
ktap_is "mount_program: private" "0" "$(says mount.shale -o lowerdir=a,private m)"
ktap_is "the mount is private" "private" "$(findmnt -n -o PROPAGATION -M m)"
umount m
mount --make-rprivate / 2>/dev/null

fresh
chown 5:6 a/a && touch a/root
ktap_is "mount_program: uidmapping with containers/storage's colon" "0" \
	"$(says mount.shale -o lowerdir=a,upperdir=u,workdir=w,uidmapping=:0:100000:65536,gidmapping=:0:200000:65536 m)"
ktap_is "owners are mapped" "100005:200006 100000:200000" "$(stat -c %u:%g m/a m/root | tr '\n' ' ' | sed 's/ $//')"
ktap_ok "who is mapped can write" setpriv --reuid 100000 --regid 200000 --clear-groups \
	sh -c 'chown 100007 m/root 2>/dev/null; echo x >m/root'
ktap_is "and it is written with the ids on disk" "0:0" "$(stat -c %u:%g u/root)"
umount m

fresh
mkdir deep
opts=lowerdir=
for i in $(seq 127); do
	mkdir -p "deep/$(printf %026d "$i")"
	echo "$i" >"deep/$(printf %026d "$i")/f$i"
	opts+=$dir/deep/$(printf %026d "$i"):
done
ktap_is "127 layers, an option string of $((${#opts} / 1000)) KB" "0" "$(says mount.shale -o "${opts%:}" m)"
ktap_is "every layer shows" 127 "$(find m -name 'f*' | wc -l)"
umount m

long=$(printf 'x%.0s' $(seq 200))
mkdir -p "$long/$long/l" "$long/$long/u" "$long/$long/w" && touch "$long/$long/l/found"
ktap_is "directories with names of more than 255 bytes" "0" \
	"$(says mount.shale -o "lowerdir=$long/$long/l,upperdir=$long/$long/u,workdir=$long/$long/w" m)"
ktap_ok "are mounted" sh -c "test -e m/found && touch m/up && test -e $long/$long/u/up"
umount m

mkdir 'a,b:c\d e' 'u,b:c\d e' 'w,b' && touch 'a,b:c\d e/found'
ktap_is "names with commas, colons, backslashes and blanks" "0" \
	"$(says mount.shale -o 'lowerdir=a\,b\:c\\d e,upperdir=u\,b\:c\\d e,workdir=w\,b' m)"
ktap_ok "are mounted" sh -c 'test -e m/found && touch m/up && test -e "u,b:c\\d e/up"'
ktap_ok "and can be remounted by mount(8), which repeats them" mount -o remount,ro m
umount m

fresh
ktap_is "no directory to mount on" "32 mount.shale: $dir/none: cannot mount there: No such file or directory" \
	"$(says mount.shale s "$dir/none" -o lowerdir=a)"
ktap_is "a lower that is not there" "32 mount.shale: m: lowerdir: cannot open 'none': No such file or directory" \
	"$(says mount.shale s m -o lowerdir=a:none)"
ktap_is "a lower that is a file" "32 mount.shale: m: lowerdir: cannot open 'a/a': Not a directory" \
	"$(says mount.shale s m -o lowerdir=a/a)"
ktap_is "a word nobody knows" "32 mount.shale: m: Unknown parameter 'frobnicate'" \
	"$(says mount.shale s m -o lowerdir=a,frobnicate)"
ktap_is "-s lets it pass" "0" "$(says mount.shale s m -s -o lowerdir=a,frobnicate)"
umount m
ktap_is "-f mounts nothing" "0 " "$(says mount.shale s m -f -o lowerdir=a) $(shown m)"
ktap_is "-v says what was done" "0 mount.shale: s mounted on m." "$(says mount.shale s m -v -o lowerdir=a)"
umount m
ktap_is "redirect_dir=off is refused" "32 mount.shale: m: redirect_dir: is always on, 'off' is not possible" \
	"$(says mount.shale s m -o lowerdir=a,redirect_dir=off)"
ktap_is "workdir is missing" "1 mount.shale: m: upperdir is given without workdir" \
	"$(says mount.shale s m -o lowerdir=a,upperdir=u)"
mount -t shale s m -o lowerdir=a,upperdir=u,workdir=w
mkdir m2
ktap_is "an upper in use" "32 mount.shale: m2: upperdir: is in use by another mount" \
	"$(says mount.shale s m2 -o lowerdir=b,upperdir=u,workdir=w)"
ktap_is "mount(8) passes the exit code on" 32 "$(says mount -t shale s m2 -o lowerdir=b,upperdir=u,workdir=w | cut -d' ' -f1)"
ktap_is "mount_program: the same layers at the same place are mounted once more" "0" \
	"$(says mount.shale -o lowerdir=a,upperdir=u,workdir=w,,volatile m)"
echo twice >m/twice
umount m
ktap_is "unmounted once, the mount is still there" "1 twice" "$(grep -c " $dir/m shale " /proc/mounts) $(cat m/twice)"
ktap_is "other lowers are not" "32 mount.shale: m: upperdir: is in use by another mount" \
	"$(says mount.shale -o lowerdir=b,upperdir=u,workdir=w m)"
ktap_is "another place is not" "32 mount.shale: m2: upperdir: is in use by another mount" \
	"$(says mount.shale -o lowerdir=a,upperdir=u,workdir=w m2)"
ktap_is "nor with a source" "32 mount.shale: m: upperdir: is in use by another mount" \
	"$(says mount.shale s m -o lowerdir=a,upperdir=u,workdir=w)"
umount m
ktap_is "unmounted as often as mounted, nothing is left" "" "$(grep " $dir/m shale " /proc/mounts)"
ktap_is "xattr_permissions=2 is refused" 1 "$(says mount.shale s m -o lowerdir=a,xattr_permissions=2 | cut -d' ' -f1)"
ktap_is "who is not root cannot mount" "1 mount.shale: m: only root can mount" \
	"$(says setpriv --reuid 1000 --regid 1000 --clear-groups "$tree/build/user/mount.shale" s m -o lowerdir=/)"

cd / && rm -rf "$dir"
ktap_end
