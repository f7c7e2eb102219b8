#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make install and uninstall into a directory of their own: what is there, what is left, and that the
# version is the same wherever it is written.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/ktap.sh

dest=$(mktemp -d "${TMPDIR:-/tmp}/shale-install.XXXXXX")
trap 'rm -rf "$dest"' EXIT

files()
{
	(cd "$dest" && find . ! -type d | sort)
}

pages()
{
	local page

	for page in "$dest"/usr/share/man/man*/*; do
		{ man --warnings -l "$page" >/dev/null; } 2>&1
	done
}

complete_words()
{
	PATH=$dest/usr/bin:$PATH bash -c '
		. "$1/usr/share/bash-completion/completions/shale"
		COMP_WORDS=(shale "$2") COMP_CWORD=1
		_shale
		printf "%s\n" "${COMPREPLY[@]}"' sh "$dest" "$1"
}

# With the program where it was installed to.
verify_units()
{
	local unit

	mkdir "$dest/units"
	for unit in "$dest"/usr/lib/systemd/system/shaled.*; do
		sed "s|=/usr/bin/|=$dest/usr/bin/|" "$unit" >"$dest/units/$(basename "$unit")"
	done
	SYSTEMD_UNIT_PATH="$dest/units:" systemd-analyze --man=no verify shaled.service shaled.socket 2>&1
	rm -rf "$dest/units"
}

make_group()
{
	mkdir "$dest/etc"
	systemd-sysusers --root="$dest" >/dev/null 2>&1
	cut -d: -f1 "$dest/etc/group"
	rm -rf "${dest:?}/etc"
}

version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

ktap_plan 17
ktap_ok "install succeeds" env DESTDIR="$dest" PREFIX= scripts/install
ktap_ok "uninstall succeeds" env DESTDIR="$dest" PREFIX= scripts/install --remove
ktap_is "uninstall leaves no file" "" "$(files)"
DESTDIR=$dest scripts/install >"$dest.list"
ktap_is "install names every file it makes" "$(sort "$dest.list")" "$(files | sed "s|^\.|$dest|")"
rm -f "$dest.list"
ktap_ok "mount(8) finds the helper in sbin" test -x "$dest/usr/sbin/mount.shale"
ktap_ok "so does fsck(8)" test -x "$dest/usr/sbin/fsck.shale"
ktap_is "shale has the version DKMS has" "shale $version" "$("$dest/usr/bin/shale" --version)"
ktap_is "mount.shale has it too" "mount.shale $version" "$("$dest/usr/sbin/mount.shale" --version)"
ktap_is "and fsck.shale" "fsck.shale $version" "$("$dest/usr/sbin/fsck.shale" --version)"
if command -v man >/dev/null; then
	ktap_is "the manual pages have no formatting errors" "" "$(pages)"
else
	ktap_skip "the manual pages have no formatting errors" "there is no man"
fi
ktap_is "shaled has it too" "shaled $version" "$("$dest/usr/bin/shaled" --version)"
if command -v systemd-analyze >/dev/null; then
	ktap_is "systemd finds nothing wrong with the daemon's units" "" "$(verify_units)"
	ktap_is "and makes the socket's group" "shale" "$(make_group)"
else
	ktap_skip "systemd finds nothing wrong with the daemon's units" "there is no systemd"
	ktap_skip "and makes the socket's group" "there is no systemd"
fi
ktap_is "completion knows the verbs" "doctor" "$(complete_words doc)"
DESTDIR=$dest scripts/install --remove
ktap_is "uninstall leaves no file in the default prefix" "" "$(files)"
mkdir -p "$dest/usr/bin" && touch "$dest/usr/bin/other"
DESTDIR=$dest scripts/install --remove
ktap_ok "uninstall leaves others' files alone" test -e "$dest/usr/bin/other"
ktap_ok "an unknown word is refused" ! scripts/install --frobnicate
ktap_end
