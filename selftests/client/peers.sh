#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Images that docker, buildah and umoci have made of a tree of everything that is odd, loaded and pulled by shale, and images
# that shale has saved and pushed, in their hands: layers stay byte for byte what they were, and the trees are the same: mode,
# owner, times, xattrs, capabilities, hard links, devices and names. dockerd runs with a root and a socket of its own
# and without a network; buildah and umoci in private roots.
set -u
# tmpfs does not keep user.*
SHALE_TEST_DIR=${SHALE_TEST_DIR:-/var/tmp}
. "$(dirname "$0")/common"
. "$here/../lib/private.sh"

private_mounts "images of other tools" "$@"

ktap_plan 27
odd=$here/../image/oddimage
docker_pid=
trap 'end_docker; end_servers; rm -rf "$work"' EXIT
# Debian's docker, whatever else is there by that name.
docker=(env -u DOCKER_HOST DOCKER_BUILDKIT=0 /usr/bin/docker -H "unix://$work/docker.sock")
buildah=(env -u DOCKER_CONFIG buildah --root "$work/buildah" --runroot "$work/buildah-run" --storage-driver vfs)
mkdir "$work/m" "$work/build"

end_docker() {
	[ -z "$docker_pid" ] || kill "$docker_pid" 2>/dev/null
	[ -z "$docker_pid" ] || wait "$docker_pid" 2>/dev/null
	docker_pid=
	umount -R "$work/m" 2>/dev/null
}

start_docker() {
	local i
	dockerd --data-root "$work/docker-root" --exec-root "$work/docker-exec" -p "$work/docker.pid" -H "unix://$work/docker.sock" \
		--iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none -s vfs >"$work/docker.log" 2>&1 &
	docker_pid=$!
	for ((i = 0; i < 200; i++)); do
		! "${docker[@]}" version >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	echo "# dockerd does not start: $(tail -3 "$work/docker.log")"
	return 1
}

# tree DIR: all about it. Holes are the filesystem's business, and its root has no entry in a tar.
tree() {
	"$odd" tree "$1" | sed 's/ holes=[A-Za-z]*//' | grep -v "^'' "
}

# shown IMAGE: the same of one of ours.
shown() {
	shale mount -s vfs "$1" "$work/m" >/dev/null || return 1
	tree "$work/m"
	shale umount "$work/m"
}

# differs WANTED GOT: the first lines that do.
differs() {
	diff "$1" "$2" | head -4
}

# The same without what docker and buildah change as they unpack: times of directories in which they remove what a later layer
# does not list, times before 1970, hard links of symlinks, which their vfs copies apart, and what a whiteout behind a symlink names,
# which they remove where the symlink leads.
lossy_differs() {
	local script="/mode='0o4/s/ mtime=[0-9]+//; /mode='0o12/s/ same=.*//; s/ mtime=-[0-9]+/ mtime=0/; /^'zone.Europe./d"
	diff <(sed -E "$script" "$1") <(sed -E "$script" "$2") | head -4
}

ids_of() {
	shale inspect --format '{{json .RootFS.Layers}}' "$1"
}

# id_of IMAGE: of its config, as docker prints it.
id_of() {
	shale images -q --no-trunc "$1"
}

name_of() { printf '127.0.0.1:%s/%s' "$port" "$1"; }
in_docker() { "${docker[@]}" inspect --format "$2" "$1"; }

# docker_dir IMAGE: where docker's driver vfs has its tree, found by the chain of its layers.
docker_dir() {
	in_docker "$1" '{{range .RootFS.Layers}}{{println .}}{{end}}' | python3 -c '
import hashlib, sys
chain = ""
for layer in sys.stdin.read().split():
    chain = "sha256:" + hashlib.sha256((chain + " " + layer).encode()).hexdigest() if chain else layer
root = sys.argv[1]
print(root + "/vfs/dir/" + open(root + "/image/vfs/layerdb/sha256/" + chain[7:] + "/cache-id").read())' "$work/docker-root"
}

# buildah_tree IMAGE: what buildah shows of it.
buildah_tree() {
	local container
	container=$("${buildah[@]}" from --pull-never "$1") || return 1
	tree "$("${buildah[@]}" mount "$container")"
	"${buildah[@]}" rm "$container" >/dev/null
}

"$odd" make "$work" odd
wanted_ids=$(sha256sum "$work"/odd.00?.tar | python3 -c '
import json, sys; print(json.dumps(["sha256:" + line[:64] for line in sys.stdin], separators=(",", ":")))')
mv "$work/odd.000.tar" "$work/build/x.tar"
printf 'FROM scratch\nADD x.tar /\n' >"$work/build/Dockerfile"
registry plain

# --- docker
start_docker
"${docker[@]}" load -q -i "$work/odd.tar" >/dev/null 2>&1
"${docker[@]}" build -q -t built:1 "$work/build" >/dev/null 2>&1
"${docker[@]}" save -o "$work/saved.tar" odd:1 built:1
ktap_is "docker load, docker save, shale load" "Loaded image: built:1 Loaded image: odd:1" \
	"$(shale load -i "$work/saved.tar" 2>&1 | sort | xargs)"
ktap_is "the layers are what docker was given" "$wanted_ids" "$(ids_of odd:1)"
ktap_is "the image ID is docker's" "$(in_docker odd:1 '{{.Id}}')" "$(id_of odd:1)"
for image in odd:1 built:1; do
	tree "$(docker_dir $image)" >"$work/wanted"
	shown $image >"$work/got"
	ktap_ok "$image has its files" test "$(wc -l <"$work/got")" -gt 25
	ktap_is "all as docker has them" "" "$(lossy_differs "$work/wanted" "$work/got")"
done
"${docker[@]}" tag built:1 "$(name_of d/built:1)"
"${docker[@]}" push -q "$(name_of d/built:1)" >/dev/null 2>&1
ktap_ok "docker push, shale pull" shale pull -q "$(name_of d/built:1)"
ktap_is "the same image" "$(in_docker built:1 '{{.Id}}')" "$(id_of "$(name_of d/built:1)")"

# Ours, which is docker's no more: its manifest and its tars are written by shale.
rm -rf "$root"
shale import "$work/odd.tar" >/dev/null
shale tag odd:1 "$(name_of s/odd:1)"
"${docker[@]}" rmi -f odd:1 built:1 "$(name_of d/built:1)" >/dev/null
shale save -o "$work/saved.tar" odd:1
ktap_is "shale save, docker load" "Loaded image: odd:1" "$("${docker[@]}" load -q -i "$work/saved.tar" 2>&1)"
ktap_is "the image ID is ours" "$(id_of odd:1)" "$(in_docker odd:1 '{{.Id}}')"
shown odd:1 >"$work/wanted"
tree "$(docker_dir odd:1)" >"$work/got"
ktap_is "all is as we have it" "" "$(lossy_differs "$work/wanted" "$work/got")"
"${docker[@]}" rmi -f odd:1 >/dev/null
ktap_ok "shale push" shale push -q "$(name_of s/odd:1)"
ktap_ok "docker pull" "${docker[@]}" pull -q "$(name_of s/odd:1)"
ktap_is "the same image" "$(id_of odd:1)" "$(in_docker "$(name_of s/odd:1)" '{{.Id}}')"
tree "$(docker_dir "$(name_of s/odd:1)")" >"$work/got"
ktap_is "and the same tree" "" "$(lossy_differs "$work/wanted" "$work/got")"
end_docker
rm -rf "$work/docker-root"

# --- buildah
ktap_ok "buildah pulls it from the registry" "${buildah[@]}" pull -q --tls-verify=false "docker://$(name_of s/odd:1)"
buildah_tree "$(name_of s/odd:1)" >"$work/got"
ktap_is "and has the same tree" "" "$(lossy_differs "$work/wanted" "$work/got")"
"${buildah[@]}" rmi -af >/dev/null
ktap_ok "and from what shale save has written" "${buildah[@]}" pull -q "docker-archive:$work/saved.tar"
buildah_tree odd:1 >"$work/got"
ktap_is "the same tree" "" "$(lossy_differs "$work/wanted" "$work/got")"
container=$("${buildah[@]}" from scratch)
tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$work/build/x.tar" -C "$("${buildah[@]}" mount "$container")" 2>/dev/null
"${buildah[@]}" commit -q "$container" made:1 >/dev/null 2>&1
# The tree is taken from the image: what buildah leaves out of it is its own business.
buildah_tree made:1 >"$work/wanted"
"${buildah[@]}" push -q made:1 "oci:$work/made:1" 2>/dev/null
ktap_ok "what buildah has made, as an OCI layout" shale import -q "$work/made" made:1
shown made:1 >"$work/got"
ktap_ok "has its files" test "$(wc -l <"$work/got")" -gt 40
ktap_is "all as buildah has them" "" "$(lossy_differs "$work/wanted" "$work/got")"
ids=$(ids_of made:1)
"${buildah[@]}" push -q --tls-verify=false made:1 "docker://$(name_of b/made:1)" 2>/dev/null
ktap_ok "and through the registry" shale pull -q "$(name_of b/made:1)"
ktap_is "with the same layers" "$ids" "$(ids_of "$(name_of b/made:1)")"
"${buildah[@]}" rm -a >/dev/null

# --- umoci, which leaves trusted.* out of what it writes
umoci unpack --image "$work/made:1" "$work/bundle" 2>/dev/null
chmod 4711 "$work/bundle/rootfs/suid"
chown -h 7:8 "$work/bundle/rootfs/up"
ln "$work/bundle/rootfs/nano" "$work/bundle/rootfs/nano2"
setfattr -n user.more -v 1 "$work/bundle/rootfs/owner"
rm -rf "$work/bundle/rootfs/full"
umoci repack --refresh-bundle --image "$work/made:2" "$work/bundle" 2>/dev/null
skopeo copy -q "oci:$work/made:2" "oci:$work/changed:2"
tree "$work/bundle/rootfs" | sed "s/'trusted\.t': b''\(, \)\?//" >"$work/wanted"
ktap_ok "what umoci has changed" shale import -q "$work/changed" made:2
shown made:2 | sed "s/'trusted\.t': b''\(, \)\?//" >"$work/got"
ktap_is "is as umoci has it" "" "$(differs "$work/wanted" "$work/got")"

ktap_end
