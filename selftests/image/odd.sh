#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Images of everything that is odd, on each storage driver: what a mount shows is compared with a model that applies the
# layers by OCI's rules alone (oddimage); and images that go to umoci and skopeo, or come from there, are the same.
set -u
. "$(dirname "$0")/common"
. "$here/../lib/odd.sh"
. "$here/../lib/private.sh"

private_mounts "odd images" "$@"

ktap_plan $(($(odd_results 2) + 6))
odd=$here/oddimage
seconds() {
	sed -E 's/mtime=(-?[0-9]+)[0-9]{9} /mtime=\1 /'
}
odd_has_overlay=
mkdir "$work/m" "$work/lower" "$work/upper" "$work/work"
unshare -m mount -t overlay overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/work" "$work/m" 2>/dev/null &&
	odd_has_overlay=1

odd_images vfs overlay2
odd_changes overlay2 vfs

# --- umoci and skopeo
if command -v umoci >/dev/null && command -v skopeo >/dev/null; then
	shale save -o "$work/saved.tar" committed:1
	ktap_ok "skopeo copies what was committed" skopeo copy -q "oci-archive:$work/saved.tar:1" "oci:$work/layout:1"
	ktap_ok "umoci unpacks it" umoci unpack --image "$work/layout:1" "$work/bundle"
	# It leaves out xattrs of trusted.*
	odd_tree "$work/bundle/rootfs" >"$work/got"
	ktap_is "and has the same" "" "$(sed "s/'trusted.t': b'', //" "$work/wanted" | diff - "$work/got" | head -5)"
	(
		cd "$work/bundle/rootfs" || exit
		echo more >>etc/a && rm caps && ln link1 link4 && chown 5:6 nano && setfattr -n user.new -v 1 owner
		mkdir -p by/umoci && mknod by/umoci/dev c 10 200 && truncate -s 64M by/umoci/sparse && echo x >>by/umoci/sparse
		rm -r zone/Asia && ln -s Europe zone/Asia && touch -d '1960-01-01 UTC' by/umoci/sparse
		printf x >"$(printf 'raw\xffname')"
		# It rounds times to whole seconds.
		find . -newer "$work/saved.tar" -exec touch -h -d '2022-01-01 UTC' {} +
	)
	ktap_ok "umoci makes a layer" umoci repack --image "$work/layout:2" "$work/bundle"
	odd_tree "$work/bundle/rootfs" >"$work/wanted"
	skopeo copy -q "oci:$work/layout:2" "oci-archive:$work/umoci.tar:umoci:1"
	ktap_ok "which is imported" shale import "$work/umoci.tar" -t umoci:1
	image=umoci
	on vfs odd_tree "$work/m" >"$work/got"
	ktap_is "and shows the same" "" "$(diff <(seconds <"$work/wanted") <(seconds <"$work/got") | head -5)"
else
	for what in "skopeo copies what was committed" "umoci unpacks it" "and has the same" \
		"umoci makes a layer" "which is imported" "and shows the same"; do
		ktap_skip "$what" "no umoci or skopeo"
	done
fi
ktap_end
