#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale import by somebody who is not root: what is kept, what cannot be, and how it is said.
set -u
. "$(dirname "$0")/common"

ktap_plan 15

if [ "$(id -u)" -ne 0 ] || ! chmod 777 "$work"; then
	for ((i = 1; i <= 15; i++)); do
		ktap_skip "as nobody ($i)" "only root can become somebody else"
	done
	ktap_end
fi
mkdir -m 777 "$work/bin"
install -m 755 "$program" "$work/bin/shale"
install -m 755 "$(dirname "$program")/shaled" "$work/bin/shaled"

nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$work/bin/shale" "$@" --root "$root"
}

mkimage --name demo:1 "$work/img" "f:owned:x@uid=5@gid=6@mode=4755,d:locked@mode=555,f:locked/in:in,d:closed@mode=0,f:closed/in:in,f:caps:x@x.security.capability=\\x01\\x00\\x00\\x02\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00@x.user.one=1@x.trusted.two=2,p:fifo" \
	"f:.wh.owned:,d:dir,f:dir/.wh..wh..opq:"
ktap_ok "import as nobody" nobody import "$work/img"
base=$(layer_dir docker.io/library/demo:1 2)
top=$(layer_dir docker.io/library/demo:1 1)
ktap_is "everything belongs to the caller" 65534:65534 "$(find "$base" -printf '%U:%G\n' | sort -u)"
ktap_is "the mode is kept" 4755 "$(stat -c %a "$base/owned")"
ktap_is "a directory that cannot be written to has its files" "555 in" "$(stat -c %a "$base/locked") $(cat "$base/locked/in")"
ktap_is "a directory that cannot be entered has its files" "0 in" "$(stat -c %a "$base/closed") $(cat "$base/closed/in")"
ktap_is "user xattrs are kept, privileged ones are left out" user.one \
	"$(getfattr --absolute-names -m - "$base/caps" | grep -v '^#' | xargs)"
ktap_is "a whiteout" "character special file 0:0" "$(stat -c '%F %t:%T' "$top/owned")"
ktap_is "opaque is an attribute of user.*" y "$(xattr user.overlay.opaque "$top/dir")"
ktap_is "so is the layer's mark" overlay "$(xattr user.shale.whiteout "$base")"
before=$(snapshot)
mkimage --name bad:1 "$work/img" "d:dev,c:dev/null:1.3"
ktap_is "a device is refused and named" "'dev/null': making a device needs root" "$(nobody import "$work/img" 2>&1 | sed "s/.*: 'dev/'dev/")"
ktap_is "and nothing is left" "$before" "$(snapshot)"
ktap_is "images" demo "$(nobody images | awk 'NR == 2 { print $1 }')"
ktap_ok "rmi, with directories that cannot be entered" nobody rmi demo:1
ktap_is "leaves nothing" "" "$(find "$root/layers/sha256" "$root/tmp" -mindepth 1)"
root=$work/roots
mkdir -m 700 "$root"
ktap_is "a store of somebody else" "shale: cannot open the store $root: Permission denied" "$(nobody images 2>&1)"
ktap_end
