# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The suite every storage driver passes, on the host (selftests/image/drivers.sh) and in the virtual machine
# (selftests/mount/driver.sh). Sourced; needs ktap.sh, a function shale, an empty directory in $work and privilege. Only
# what Debian's base has is used.

# Checks of one driver.
DRIVER_CHECKS=46

# Everything about a tree but what a filesystem chooses by itself; names are bytes, so the text is only for comparison.
describe()
{
	(
		cd "$1" || exit
		find . -mindepth 1 \( -type d -printf '%p %y %#m %U:%G %T@\n' \) -o \
			-printf '%p %y %#m %U:%G %s %n %T@ %l\n' | sort
		find . -type f -exec sha256sum {} + | sort
		find . \( -type b -o -type c \) -exec stat -c '%n %t:%T' {} + | sort
		getfattr -R -d -h -m '^(user|security|trusted)\.' --absolute-names -e hex . 2>/dev/null |
			awk '/^# file: / { file = substr($0, 9); next } NF { print file, $0 }' |
			grep -vE ' (trusted|user)\.(overlay|shale)\.| security.selinux' | sort
	)
}

sum_of()
{
	sha256sum "$1" | cut -d' ' -f1
}

# suite_image NAME LAYER...: a docker-archive $work/NAME.tar of the directories $work/LAYER, bottom first. As in docker's
# only the first lists its root directory.
suite_image()
{
	local name=$1 layer ids='' paths='' files=() list
	shift
	for layer; do
		mapfile -t list < <([ -z "$ids" ] && echo . || ls -A "$work/$layer")
		tar --xattrs --xattrs-include='*' --numeric-owner --sort=name --format=pax \
			--pax-option=delete=atime,delete=ctime -cf "$work/$layer.tar" -C "$work/$layer" "${list[@]}"
		ids+=${ids:+,}\"sha256:$(sum_of "$work/$layer.tar")\"
		paths+=${paths:+,}\"$layer.tar\"
		files+=("$layer.tar")
	done
	printf '{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["old"]},"rootfs":{"type":"layers","diff_ids":[%s]},"history":[{"created":"2024-01-02T03:04:05Z","created_by":"first"},{"created":"2024-01-02T03:04:06Z","created_by":"second"}]}' \
		"$ids" >"$work/config.json"
	printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":[%s]}]' "$name:1" "$paths" >"$work/manifest.json"
	tar -cf "$work/$name.tar" -C "$work" manifest.json config.json "${files[@]}"
}

suite_layers()
{
	local one=$work/one two=$work/two
	mkdir -p "$one"/{etc,gone,keep/deep,opaque,turn} "$two"/{etc,opaque,turn2}
	echo one >"$one/etc/name" && echo kept >"$one/etc/kept" && echo x >"$one/gone/x"
	echo below >"$one/opaque/below" && echo f >"$one/turn2" && echo x >"$one/turn/x"
	echo deep >"$one/keep/deep/file" && echo b >"$one/keep/b"
	ln "$one/keep/b" "$one/keep/c" && ln -s ../etc/name "$one/keep/link" && mkfifo "$one/keep/fifo"
	mknod "$one/keep/null" c 1 3 && chmod 1777 "$one/keep"
	chown 2000000000:7 "$one/etc/kept" && setfattr -n trusted.note -v hello "$one/etc/kept"
	setcap cap_net_raw=ep "$one/keep/deep/file"
	truncate -s 16M "$one/keep/sparse" && echo end >>"$one/keep/sparse"
	echo two >"$two/etc/name" && touch "$two/.wh.gone" && echo new >"$two/new"
	echo above >"$two/opaque/above" && touch "$two/opaque/.wh..wh..opq"
	echo in >"$two/turn2/in" && echo file >"$two/turn"
	touch -d '1969-03-04 05:06:07.25 UTC' "$one/etc/kept"
	find "$one" "$two" -newer "$work/start" -exec touch -h -d '2021-02-03 04:05:06.123456789 UTC' {} +
	touch -d '1969-03-04 05:06:07.25 UTC' "$one/etc/kept"
	chmod 751 "$one"
	chown 3:4 "$one"
	touch -d '2021-02-03 04:05:06 UTC' "$one"
}

# What the tests do to a mount: with times of their own, so that the same change is the same everywhere.
suite_change()
{
	(
		cd "$1" || exit
		echo more >>etc/name
		chmod 600 etc/kept
		rm keep/deep/file
		mkdir -p added/sub
		echo a >added/sub/a
		ln added/sub/a added/b
		ln -s nowhere added/l
		mkfifo added/p
		mknod added/disk b 8 1
		setfattr -n user.x -v y added/b
		rm -r opaque
		echo file >opaque
		truncate -s 8M added/holes
		printf x | dd of=added/holes bs=1 seek=5000000 conv=notrunc status=none
		touch -h -d '2022-01-01 00:00:00.5 UTC' etc/name added/sub/a added/l added/p added/disk added/holes opaque
		touch -d '2022-01-01 00:00:01 UTC' added/sub added keep/deep keep etc
	)
}

suite_changes='C /etc
C /etc/kept
C /etc/name
A /added
A /added/b
A /added/disk
A /added/holes
A /added/l
A /added/p
A /added/sub
A /added/sub/a
C /keep
C /keep/deep
D /keep/deep/file
C /opaque'

# suite_prepare: once, before the first driver.
suite_prepare()
{
	touch -d '2020-01-01' "$work/start"
	mkdir "$work/m" "$work/m2"
	suite_layers
	suite_image base one two
	shale load -q -i "$work/base.tar" >/dev/null
}

says()
{
	local out status=0
	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

containers()
{
	find "$root/containers" -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null | wc -l
}

# suite_driver DRIVER [OTHER]...: DRIVER_CHECKS results; images go to the others and back.
suite_driver()
{
	local d=$1 id id2 whole others first
	shift
	others=("$@")
	ktap_is "$d: mount prints nothing" 0 "$(says shale mount -s "$d" base:1 "$work/m")"
	whole=$(describe "$work/m")
	ktap_is "$d: the layers are merged" "etc etc/kept etc/name keep keep/b keep/c keep/deep keep/deep/file keep/fifo keep/link keep/null keep/sparse new opaque opaque/above turn turn2 turn2/in" \
		"$(cd "$work/m" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | xargs)"
	ktap_is "$d: contents" "two kept above file in deep" "$(cd "$work/m" && cat etc/name etc/kept opaque/above turn turn2/in keep/deep/file | xargs)"
	ktap_is "$d: attributes" "751 3:4 1612325106 2000000000:7 1777 1:3" \
		"$(cd "$work/m" && stat -c '%a %u:%g %Y' .) $(cd "$work/m" && stat -c %u:%g etc/kept) $(stat -c %a "$work/m/keep") $(stat -c %t:%T "$work/m/keep/null")"
	ktap_is "$d: a time before 1970" "-26160832.750000000" "$(stat -c %.9Y "$work/m/etc/kept")"
	ktap_is "$d: xattrs and capabilities" "hello cap_net_raw=ep" "$(getfattr --absolute-names --only-values -n trusted.note "$work/m/etc/kept") $(getcap "$work/m/keep/deep/file" | sed 's/.* //')"
	ktap_is "$d: hard links" 2 "$(stat -c %h "$work/m/keep/b")"
	ktap_ok "$d: holes" test "$(stat -c %b "$work/m/keep/sparse")" -lt 1000
	ktap_ok "$d: it is read-only" ! touch "$work/m/x"
	if [ "$d" = vfs ] || [ "$d" = btrfs ]; then
		ktap_skip "$d: also for who may remount" "what mounts a directory is as its options say"
	else
		ktap_ok "$d: also for who may remount" ! sh -c "mount -o remount,rw '$work/m' && touch '$work/m/x'"
	fi
	ktap_is "$d: rmi of a mounted image" "1 shale: conflict: unable to delete base:1 (cannot be forced) - image base:1 is in use: it is mounted at $work/m" "$(says shale rmi base:1)"
	ktap_is "$d: umount" 0 "$(says shale umount "$work/m")"
	ktap_ok "$d: it is unmounted" ! mountpoint -q "$work/m"
	ktap_is "$d: umount again" "1 shale: $work/m: not a mount point of shale" "$(says shale umount "$work/m")"
	ktap_is "$d: no writable layer was made" 0 "$(containers)"
	ktap_is "$d: a failed mount leaves none" "1 shale: $work/none: cannot mount there: No such file or directory 0" \
		"$(says shale mount -s "$d" --rw base:1 "$work/none") $(containers)"

	id=$(shale mount -s "$d" --rw base:1 "$work/m")
	ktap_ok "$d: --rw prints the ID of the writable layer" sh -c "echo '$id' | grep -Eqx '[0-9a-f]{12}'"
	ktap_is "$d: a new one shows the image" "$whole" "$(describe "$work/m")"
	ktap_is "$d: nothing is changed" "0" "$(says shale diff "$id")"
	ktap_is "$d: and takes nothing" "0" "$(shale diff --size "$id" | cut -d' ' -f1)"
	ktap_ok "$d: it can be written" suite_change "$work/m"
	ktap_is "$d: diff by ID" "$(sort -k2 <<<"$suite_changes")" "$(shale diff "$id")"
	ktap_is "$d: diff by mount point" "$(sort -k2 <<<"$suite_changes")" "$(shale diff "$work/m")"
	ktap_is "$d: system prune leaves it while it is mounted" "0 1" "$(says shale system prune -f | cut -d' ' -f1) $(containers)"
	ktap_is "$d: system df says so" "1 1" "$(shale system df | awk '$1 == "Containers" { print $2, $3 }')"
	ktap_is "$d: system check finds nothing" "0 No problems found." "$(says shale system check)"
	ktap_ok "$d: it takes something now" test "$(shale diff --size "$id" | cut -d' ' -f1)" -gt 8
	id2=$(shale mount -s "$d" --rw base:1 "$work/m2")
	ktap_is "$d: a second one shows nothing of it" "$whole" "$(describe "$work/m2")"
	ktap_is "$d: umount of the second" "0 1" "$(says shale umount "$work/m2") $(containers)"
	ktap_ok "$d: which is gone" ! shale diff "$id2"

	ktap_is "$d: commit while it is mounted" "0 sha256:" "$(says shale commit -m why -a me -c 'CMD ["new"]' "$work/m" made:1 | cut -c1-9)"
	changed=$(describe "$work/m")
	ktap_is "$d: what the image says of itself" "me why [new] [A=b] 3" \
		"$(shale inspect -f '{{.Author}} {{.Comment}} {{.Config.Cmd}} {{.Config.Env}} {{len .RootFS.Layers}}' made:1)"
	ktap_is "$d: its history" "why 3 $(shale images -q base:1)" \
		"$(shale history --format '{{.Comment}}' made:1 | head -1) $(shale history -q made:1 | wc -l) $(shale history -q made:1 | sed -n 2p)"
	first=$(shale inspect -f '{{index .RootFS.Layers 2}}' made:1)
	suite_layer=$first
	umount_keep "$d" "$id"
	ktap_is "$d: commit while it is not" "0 sha256:" "$(says shale commit "$id" again:1 | cut -c1-9)"
	ktap_is "$d: the same change is the same layer" "$first" "$(shale inspect -f '{{index .RootFS.Layers 2}}' again:1)"
	ktap_is "$d: diff while it is not mounted" "$(sort -k2 <<<"$suite_changes")" "$(shale diff "$id")"
	shale mount -s "$d" made:1 "$work/m"
	ktap_is "$d: the image shows what was committed" "$changed" "$(describe "$work/m")"
	shale umount "$work/m"
	for other in "${others[@]}"; do
		shale mount -s "$other" made:1 "$work/m"
		ktap_is "$d: and so it does on $other" "$changed" "$(describe "$work/m")"
		shale umount "$work/m"
	done
	shale save -o "$work/made.tar" made:1
	shale rmi made:1 again:1 >/dev/null
	ktap_is "$d: saved, removed and loaded again" "Loaded image: made:1" "$(shale load -i "$work/made.tar")"
	shale mount -s "$d" made:1 "$work/m"
	ktap_is "$d: it is the same" "$changed" "$(describe "$work/m")"
	shale umount "$work/m"
	id2=$(shale mount -s "$d" --rw made:1 "$work/m")
	echo again >"$work/m/again"
	ktap_is "$d: a commit on a commit" "0 sha256:" "$(says shale commit "$id2" third:1 | cut -c1-9)"
	ktap_is "$d: has one layer more" "4" "$(shale inspect -f '{{len .RootFS.Layers}}' third:1)"
	ktap_is "$d: a commit of nothing new" "4" "$(shale umount "$work/m"; id2=$(shale mount -s "$d" --rw third:1 "$work/m"); shale commit "$id2" fourth:1 >/dev/null; shale inspect -f '{{len .RootFS.Layers}}' fourth:1)"
	ktap_is "$d: umount of the rest" 0 "$(says shale umount "$work/m")"
	shale rmi made:1 third:1 fourth:1 >/dev/null
	shale system prune -f >/dev/null
	ktap_is "$d: nothing is left" "0 0" "$(containers) $(find "$root/tmp" -mindepth 1 | wc -l)"
}

umount_keep()
{
	ktap_is "$1: umount --keep" "0 1" "$(says shale umount --keep "$work/m") $(containers)"
}
