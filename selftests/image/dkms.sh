#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module through DKMS, with all of DKMS's directories below a temporary one: built for headers that
# are installed whatever kernel runs, given the alias a bare mount needs, and gone without a trace. That
# a bare mount loads an installed module is selftests/mount/autoload.
set -u
cd "$(dirname "$0")/../.." || exit 1
. selftests/lib/ktap.sh

release=$(basename -a /lib/modules/6.1.*/ 2>/dev/null | while read -r r; do
	[ ! -e "/lib/modules/$r/build/Makefile" ] || echo "$r"
done | tail -n 1)
dest=$(mktemp -d "${TMPDIR:-/tmp}/shale-dkms.XXXXXX")
trap 'rm -rf "$dest"' EXIT
export DESTDIR=$dest
module=$dest/lib/modules/$release/updates/dkms/shale.ko
source=$dest/usr/src/shale-$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

if ! command -v dkms >/dev/null || [ -z "$release" ]; then
	ktap_plan 1
	ktap_skip "the module through DKMS" "dkms or the headers of 6.1 are not installed"
	ktap_end
fi

ktap_plan 9
ktap_ok "it is built and installed for $release" scripts/dkms-install "$release"
ktap_ok "it is where modprobe looks" test -f "$module"
ktap_is "a bare mount finds it by its alias" fs-shale "$(modinfo -F alias "$module" 2>&1)"
ktap_is "it is built for that kernel" "$release" "$(modinfo -F vermagic "$module" | cut -d' ' -f1)"
ktap_ok "it is signed" grep -q "Module signature appended" "$module"
ktap_is "its source has nothing that was built" "" \
	"$(find "$source" -name '*.o' -o -name '*.ko' -o -name '*.mod.c')"
ktap_ok "installing again replaces it" scripts/dkms-install "$release"
ktap_ok "removing it" scripts/dkms-install --remove
ktap_is "leaves nothing" "" "$(find "$dest" ! -type d)"
ktap_end
