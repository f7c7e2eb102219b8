#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale save and shale load, and shale import of the tar of a root directory: the same bytes each time,
# what other tools make of them, and what goes wrong.
set -u
. "$(dirname "$0")/common"

ktap_plan 53

says() {
	local out status=0
	out=$(shale "$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}
sum() {
	sha256sum | cut -d' ' -f1
}
member() {
	tar -xOf "$work/saved.tar" "$1"
}

ktap_is "save of nothing" 125 "$(says save | head -c 3)"
ktap_is "save without a store" "1 shale: No such image: demo:1" "$(says save -o "$work/saved.tar" demo:1)"
ktap_ok "leaves no file" test ! -e "$work/saved.tar"

mkimage --name demo:1 "$work/img" "d:etc,f:etc/issue:hello" "f:second:2,f:etc/.wh.issue:"
shale import "$work/img" >/dev/null
shale tag demo:1 demo:2
mkimage --name other:1 "$work/img" "d:etc,f:etc/issue:hello" "f:third:3"
shale import "$work/img" >/dev/null
before=$(snapshot)

# --- save
ktap_is "save prints nothing" 0 "$(says save -o "$work/saved.tar" demo:1)"
ktap_is "and makes a file for its owner only" "600 1" "$(stat -c %a "$work/saved.tar") $(find "$work" -name 'saved.tar*' | wc -l)"
ktap_is "to standard output it is the same" "$(sum <"$work/saved.tar")" "$(shale save demo:1 | sum)"
ktap_is "again it is the same" "$(sum <"$work/saved.tar")" "$(sleep 1; TZ=Asia/Tokyo LC_ALL=C shale save demo:1 | sum)"
ktap_is "the members" "blobs/ blobs/sha256/ 4 index.json manifest.json oci-layout" \
	"$(tar -tf "$work/saved.tar" | sed 's|^blobs/sha256/.\+|4|' | uniq | xargs)"
ktap_is "every blob has its digest" "" \
	"$(for b in $(tar -tf "$work/saved.tar" | grep 'sha256/.'); do [ "$(member "$b" | sum)" = "${b##*/}" ] || echo "$b"; done)"
ktap_is "manifest.json" '[demo:1] 2' "$(member manifest.json | python3 -c '
import json, sys; m = json.load(sys.stdin); print("[" + ",".join(m[0]["RepoTags"]) + "]", len(m[0]["Layers"]))')"
ktap_is "index.json has the name and the tag" "docker.io/library/demo:1 1" "$(member index.json | python3 -c '
import json, sys; a = json.load(sys.stdin)["manifests"][0]["annotations"]
print(a["io.containerd.image.name"], a["org.opencontainers.image.ref.name"])')"
ktap_is "a repository is all its tags" "demo:1,demo:2" "$(shale save demo | tar -xO manifest.json | python3 -c '
import json, sys; m = json.load(sys.stdin); assert len(m) == 1; print(",".join(m[0]["RepoTags"]))')"
ktap_is "an ID is no name" "None" "$(shale save "$(shale images -q other)" | tar -xO manifest.json | python3 -c '
import json, sys; print(json.load(sys.stdin)[0]["RepoTags"])')"
ktap_is "two images share a layer's blob" "2 7" "$(shale save demo:1 other:1 >"$work/two.tar"; tar -xOf "$work/two.tar" manifest.json | python3 -c '
import json, sys; print(len(json.load(sys.stdin)))') $(tar -tf "$work/two.tar" | grep -c 'sha256/.')"
ktap_is "the same twice is once" "$(sum <"$work/saved.tar")" "$(shale save demo:1 demo:1 | sum)"
ktap_is "one that is not there" "1 shale: No such image: none:1" "$(says save -o "$work/none.tar" demo:1 none:1)"
ktap_ok "leaves no file" test ! -e "$work/none.tar"
ktap_is "a directory that is not there" "1 shale: cannot write $work/no/x: No such file or directory" "$(says save -o "$work/no/x" demo:1)"
ktap_is "to a device" 0 "$(says save -o /dev/null demo:1)"
ktap_is "a full disk" "shale: cannot write the archive: No space left on device" "$({ shale save demo:1 >/dev/full; } 2>&1)"
ktap_is "the store is as it was" "$before" "$(snapshot)"

# --- load
fresh() {
	rm -rf "$root"
}
fresh
ktap_is "load" "0 Loaded image: demo:1" "$(says load -i "$work/saved.tar")"
ktap_is "gives the bytes back" "$(sum <"$work/saved.tar")" "$(shale save demo:1 | sum)"
ktap_is "from standard input, of two images" "Loaded image: demo:1 Loaded image: other:1" "$(shale load <"$work/two.tar" | xargs)"
ktap_is "from a pipe" "Loaded image: demo:1" "$(cat "$work/saved.tar" | shale load -q)"
ktap_is "compressed" "Loaded image: demo:1" "$(gzip -c "$work/saved.tar" | shale load)"
ktap_is "nothing is left in tmp" 0 "$(find "$root/tmp" -mindepth 1 | wc -l)"
ktap_is "load of what is no archive" "1 shale: reading the archive: not an image archive: Unrecognized archive format" \
	"$(echo x >"$work/common"; says load -i "$work/common")"
ktap_is "load of nothing" 1 "$(shale load </dev/null >/dev/null 2>&1; echo $?)"
head -c 5000 "$work/saved.tar" >"$work/short.tar"
ktap_is "load of half an archive" 1 "$(says load -i "$work/short.tar" | head -c 1)"

# --- other tools
if command -v skopeo >/dev/null; then
	ktap_is "skopeo reads it as a docker-archive" 2 "$(skopeo inspect --format '{{len .Layers}}' "docker-archive:$work/saved.tar:demo:1")"
	ktap_is "and as an OCI archive, with the digest it has here" "$(shale inspect -f '{{slice (index .RepoDigests 0) 5}}' demo:1)" \
		"$(skopeo inspect --format '{{.Digest}}' "oci-archive:$work/saved.tar:1")"
	skopeo copy -q "docker-archive:$work/saved.tar:demo:1" "docker-archive:$work/back.tar:back:1"
	ktap_is "what skopeo makes of it is the same image" "$(shale images -q demo:1)" "$(shale load -i "$work/back.tar" >/dev/null; shale images -q back:1)"
else
	for what in "skopeo reads it as a docker-archive" "and as an OCI archive, with the digest it has here" \
		"what skopeo makes of it is the same image"; do
		ktap_skip "$what" "no skopeo"
	done
fi

# --- the tar of a root directory
mkdir -p "$work/rootfs/etc" "$work/rootfs/dev"
echo hello >"$work/rootfs/etc/issue"
mknod "$work/rootfs/dev/null" c 1 3 && chmod 1777 "$work/rootfs/etc"
tar -cf "$work/rootfs.tar" -C "$work/rootfs" .
fresh
ktap_is "import prints the ID" "0 sha256" "$(says import "$work/rootfs.tar" made:1 | cut -c1-8)"
ktap_is "of an image with that name" "$(shale images -q --no-trunc made:1)" "$(shale import "$work/rootfs.tar" >/dev/null; shale images -q --no-trunc made:1)"
made=$(layer_dir docker.io/library/made:1 1)
ktap_is "its layer has the files" "hello 1777 1:3" "$(cat "$made/etc/issue") $(stat -c %a "$made/etc") $(stat -c %t:%T "$made/dev/null")"
ktap_is "the diff id is the tar's digest" "sha256:$(sum <"$work/rootfs.tar")" "$(shale inspect -f '{{index .RootFS.Layers 0}}' made:1)"
ktap_is "the history says where from" "Imported from $work/rootfs.tar" "$(shale history --format '{{.Comment}}' made:1)"
ktap_is "-m says something else" "first things" "$(shale import -m "first things" "$work/rootfs.tar" made:2 >/dev/null; shale inspect -f '{{.Comment}}' made:2)"
for how in gzip zstd; do
	ktap_is "$how: the diff id is the plain tar's" "sha256:$(sum <"$work/rootfs.tar")" \
		"$($how -c "$work/rootfs.tar" | shale import - made:3 >/dev/null; shale inspect -f '{{index .RootFS.Layers 0}}' made:3)"
done
ktap_is "the name as an option" 1 "$(shale import -t made:4 "$work/rootfs.tar" >/dev/null; shale images -q made:4 | wc -l)"
ktap_is "the name twice" "shale: the name is given twice: 'a' and 'b'" "$(shale import -t a "$work/rootfs.tar" b 2>&1 | head -1)"
ktap_is "a name that is none" "1 shale: 'X' is not an image name" "$(says import "$work/rootfs.tar" X)"
ktap_is "three words" 125 "$(says import a b c | head -c 3)"
ktap_is "load refuses it" "1 shale: the archive: neither an OCI layout nor a docker-archive: there is no oci-layout and no manifest.json in it" \
	"$(says load -i "$work/rootfs.tar")"
ktap_is "an archive is imported by any verb" "Loaded image: demo:1" "$(shale import - <"$work/saved.tar")"
ktap_is "under a name as a second word" "Loaded image: mine:1" "$(shale import "$work/saved.tar" mine:1)"
before=$(snapshot)
head -c 3000 "$work/rootfs.tar" >"$work/short.tar"
ktap_is "half a tar" 1 "$(says import "$work/short.tar" short:1 | head -c 1)"
mkimage --format tar "$work/img" "f:x:x"
python3 - "$work/evil.tar" <<'END'
import io, sys, tarfile
tar = tarfile.open(sys.argv[1], "w")
for name in ("ok", "a/../../evil"):
    info = tarfile.TarInfo(name)
    info.size = 1
    tar.addfile(info, io.BytesIO(b"x"))
tar.close()
END
ktap_is "a tar with a way out of it" "1 'a/../../evil': the name contains '..'" "$(says import "$work/evil.tar" evil:1 | sed "s/shale.*: 'a/'a/")"
ktap_is "larger than the limit" 1 "$(says import --max-layer-size 5k "$work/rootfs.tar" big:1 | head -c 1)"
ktap_is "a pipe larger than the limit" "1" "$(cat "$work/rootfs.tar" | says import --max-layer-size 5k - big:1 | head -c 1)"
ktap_is "change nothing" "$before" "$(snapshot)"
ktap_end
