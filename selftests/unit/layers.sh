#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# layers.sh - runs the checks of scripts/check-layers and scripts/check-house on the tree, and shows
# each of them something it must find. Files are planted in a directory, never in the tree.

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR source=../lib/ktap.sh
. selftests/lib/ktap.sh

planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
LICENSE='// SPDX-License-Identifier: GPL-2.0-only'

# plant FILE LINE...: a tree that holds this one file.
plant() {
	local file=$planted/$1
	shift
	rm -rf "${planted:?}"/*
	mkdir -p "$(dirname "$file")"
	printf '%s\n' "$@" >"$file"
}

source_file() {
	local file=$1
	shift
	plant "$file" "$LICENSE" '/*' " * ${file##*/} - a file made for a test." ' */' "$@"
}

# finds SCRIPT CHECK WHAT: the check does not like what was planted, and says where.
finds() {
	local out
	out=$("scripts/$1" --tree "$planted" "$2")
	[ $? -eq 1 ] && grep -qF "$3" <<<"$out" && return
	echo "$out"
	return 1
}

likes() {
	"scripts/$1" --tree "$planted" "$2"
}

layers=(door ground pure compat sides rooms quiet)
house=(license opening length words machine symbols shell links manual litter)
ktap_plan $((2 * (${#layers[@]} + ${#house[@]}) + 5))

for check in "${layers[@]}"; do
	ktap_ok "$(scripts/check-layers --list | sed -n "s/^$check\t//p")" scripts/check-layers "$check"
done
for check in "${house[@]}"; do
	ktap_ok "$(scripts/check-house --list | sed -n "s/^$check\t//p")" scripts/check-house "$check"
done

source_file kmod/dir.c 'int f(void)' '{' '	return vfs_unlink(a, b, c, d);' '}'
ktap_ok "a VFS call outside real*.c is found" finds check-layers door kmod/dir.c:7
source_file kmod/dir.c '/* vfs_unlink(a) in a comment,' ' * lookup_one(b) too */' 'static int lookup_own(void)' \
	'{' '	return 0;' '}' 'static int g(void)' '{' '	return lookup_own();' '}'
ktap_ok "comments and functions of the file itself are no VFS calls" likes check-layers door
source_file kmod/real.c '#include "merge.h"'
ktap_ok "an include that points upwards from GROUND is found" finds check-layers ground kmod/real.c:5
source_file kmod/real.c 'int f(void)' '{' '	return shale_promote(a);' '}'
ktap_ok "a call upwards from GROUND is found" finds check-layers ground kmod/real.c:7
source_file kmod/merge.c 'int f(void)' '{' '	return shale_real_unlink(a, b);' '}'
ktap_ok "a call of a layer in pure MODEL code is found" finds check-layers pure kmod/merge.c:7
source_file kmod/dir.c '#if LINUX_VERSION_CODE > 1' '#endif'
ktap_ok "a test of the kernel's version is found" finds check-layers compat kmod/dir.c:5
source_file kmod/dir.c '#ifdef HAVE_MNT_IDMAP' '#endif'
ktap_ok "a test of a kernel's feature outside compat is found" finds check-layers compat kmod/dir.c:5
source_file user/kapi/mount.c '#include "../../kmod/shale.h"'
ktap_ok "an include of the module's in user space is found" finds check-layers sides user/kapi/mount.c:5
source_file user/base/err.c '#include "store/digest.h"'
ktap_ok "an include of a higher room is found" finds check-layers rooms user/base/err.c
source_file user/store/digest.c 'void f(void)' '{' '	printf("x");' '}'
ktap_ok "a print in the library is found" finds check-layers quiet user/store/digest.c:7
source_file user/shale/main.c 'void f(void)' '{' '	printf("x");' '}'
ktap_ok "a print in a program is fine" likes check-layers quiet

plant kmod/dir.c '/* nothing */'
ktap_ok "a file without a license is found" finds check-house license kmod/dir.c
plant include/uapi/linux/shale.h '/* SPDX-License-Identifier: GPL-2.0-only */'
ktap_ok "a uapi header without the syscall note is found" finds check-house license shale.h
plant kmod/dir.c "$LICENSE" '#include <linux/fs.h>'
ktap_ok "a file without an opening paragraph is found" finds check-house opening kmod/dir.c
mapfile -t lines < <(seq 801)
source_file kmod/dir.c "${lines[@]/#/\/\/ }"
ktap_ok "a file of more than 800 lines is found" finds check-house length kmod/dir.c
source_file kmod/dir.c "/* TO""DO: the rest */"
ktap_ok "a remark about later is found" finds check-house words kmod/dir.c:5
source_file kmod/dir.c "/* see /ho""me/someone/x */"
ktap_ok "a path of one machine is found" finds check-house machine kmod/dir.c:5
source_file include/shale.h 'int import(const char *path);'
ktap_ok "a public function without the prefix is found" finds check-house symbols include/shale.h:5
# shellcheck disable=SC2016
plant scripts/x '#!/bin/bash' '# SPDX-License-Identifier: GPL-2.0-only' '# x.' 'cd $1'
ktap_ok "what shellcheck says is found" finds check-house shell scripts/x
plant Documentation/index.md '[nowhere](nowhere.md)'
ktap_ok "a link to no file is found" finds check-house links nowhere.md
source_file user/shale/main.c 'static const struct verb verbs[] = {' '	{ "fly", "", "", cmd_fly },' '};'
ktap_ok "a verb without a manual is found" finds check-house manual fly
plant kmod/dir.o 'x'
ktap_ok "an object beside its source is found" finds check-house litter dir.o
ktap_end
