#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What shale import refuses: each case has its message, status 1, and leaves the store as it was.
set -u
. "$(dirname "$0")/common"

ktap_plan 100

mkimage --name kept:1 "$work/img" "d:etc,f:etc/issue:kept"
shale import "$work/img" >/dev/null || exit 1
before=$(snapshot)

# expect DESCRIPTION MESSAGE COMMAND...: the command fails with status 1 and the message.
expect() {
	local out status=0

	out=$("${@:3}" 2>&1) || status=$?
	if [ $status -eq 1 ] && [[ $out == "shale: "*"$2"* ]] && [ "$(wc -l <<<"$out")" -eq 1 ] &&
		[ "$(snapshot)" = "$before" ]; then
		ktap_result ok "$1"
		return
	fi
	printf '# status %s, wanted 1 and "%s", got:\n' $status "$2"
	sed 's/^/# /' <<<"$out"
	diff <(echo "$before") <(snapshot) | sed 's/^/# /'
	ktap_result "not ok" "$1"
	ktap_failed=$((ktap_failed + 1))
	# One failure is one failure.
	before=$(snapshot)
}

# rejects DESCRIPTION MESSAGE MKIMAGE-ARGUMENTS...
rejects() {
	mkimage --name bad:1 "${@:3:$#-3}" "$work/img" "${@: -1}"
	expect "$1" "$2" shale import "$work/img"
}

long=$(printf 'n%.0s' {1..256})
path=$(printf 'dir%.0s/' {1..1100})

# --- names
rejects "a name with .." "'../evil': the name contains '..'" "f:../evil:x"
rejects "a name with .. in the middle" "the name contains '..'" "d:a,f:a/../../evil:x"
rejects "a name that ends in .." "the name contains '..'" "d:a/.."
rejects "an absolute name with .." "the name contains '..'" "f:/../etc/evil:x"
rejects "a way through a symlink" "'lnk/evil': its way leads through the symlink lnk" "s:lnk:/tmp,f:lnk/evil:x"
rejects "a way through a symlink to ." "leads through the symlink" "s:lnk:.,f:lnk/evil:x"
rejects "a way through a symlink, deeper" "leads through the symlink a/lnk" "s:a/lnk:/tmp,f:a/lnk/b/evil:x"
rejects "a directory through a symlink" "leads through the symlink" "s:lnk:/tmp,d:lnk/evil"
rejects "a symlink through a symlink" "leads through the symlink" "s:lnk:/tmp,s:lnk/evil:x"
rejects "a device through a symlink" "leads through the symlink" "s:lnk:/dev,c:lnk/evil:1.3"
rejects "a way through a file" "a is not a directory" "f:a:x,f:a/b:x"
rejects "a component of 256 bytes" "a component is longer than 255 bytes" "f:$long:x"
rejects "a name of 4400 bytes" "the name is longer than 4095 bytes" "f:$path:x"
rejects "the reserved directory" "the name .shale is reserved" "d:.shale"
rejects "a file in the reserved directory" "the name .shale is reserved" "f:.shale/index/x:x"
rejects "a whiteout of the reserved directory" "the name .shale is reserved" "f:.wh..shale:"
rejects "the root as a file" "the layer's root is not a directory" "f:.:x"
rejects "the root as a symlink" "the layer's root is not a directory" "s:./:/tmp"

# --- whiteouts
rejects "an opaque mark through a symlink" "leads through the symlink" "s:lnk:/tmp,f:lnk/.wh..wh..opq:"
rejects "a whiteout of nothing" "a whiteout of nothing" "f:.wh.:"
rejects "a whiteout of .." "a whiteout of nothing" "f:.wh...:"
rejects "a whiteout as a directory" "a whiteout is not a directory" "f:.wh.x/y:"
rejects "a device that would be a whiteout" "a character device 0:0 would be a whiteout" "c:x:0.0"
rejects "a hard link to a whiteout" "hard link to gone, which is not a file" "f:.wh.gone:,h:x:gone"

# --- hard links
rejects "a hard link to what is not there" "hard link to nothing, which is not in the layer" "h:x:nothing"
rejects "a hard link to an absolute name outside" "which is not in the layer" "h:x:/etc/passwd"
rejects "a hard link with .." "hard link to '../../etc/passwd': the name contains '..'" "h:x:../../etc/passwd"
rejects "a hard link through a symlink" "leads through a symlink" "s:lnk:/etc,h:x:lnk/passwd"
rejects "a hard link to a directory" "which is not a file" "d:d,h:x:d"
rejects "a hard link to itself" "hard link to itself" "f:x:x,h:x:x"
rejects "a hard link to a lower layer's file" "which is not in the layer" --edit-layer "" "h:x:etc/issue"

# --- attributes
rejects "a uid that is not one" "user id 4294967295 is not in range" "f:x:x@uid=4294967295"
rejects "a gid that is not one" "group id 4294967296 is not in range" "f:x:x@gid=4294967296"
rejects "an xattr whose name is too long" "is too long" "f:x:x@x.user.$long=1"
rejects "an xattr of no namespace" "setting extended attribute nonsense" "f:x:x@x.nonsense=1"
rejects "a symlink to nothing" "a symlink to nothing" "s:x:"

# --- damaged tars
rejects "a wrong checksum" "bad tar: Damaged tar archive" --edit-layer 'data[1024:1025] = b"z"' "f:x:x,f:y:y"
rejects "a negative size" "bad tar: Tar entry has negative size" --edit-layer 'data[124:136] = b"\xff" * 12; fix(data, 0)' "f:x:x"
rejects "a size beyond what a tar can have" "bad tar: Tar entry size overflow" --edit-layer \
	'data[124:136] = b"\x80\0\0\0\x7f" + b"\xff" * 7; fix(data, 0)' "f:x:x"
rejects "a size beyond all filesystems" "Truncated tar archive" --edit-layer \
	'data[124:136] = b"\x80\0\0\0\x40" + bytes(7); fix(data, 0)' "f:x:x"
rejects "a sparse file beyond all filesystems" "File too large" "z:x:9223372036854775807"
rejects "a tar that ends in a file" "Truncated tar archive" --edit-layer 'del data[700:]' "rand:x:4000"
rejects "a tar that ends in a header" "Truncated tar archive" --edit-layer 'del data[1300:]' "f:x:x,f:y:y"
rejects "no tar at all" "bad tar" --edit-layer 'data[:] = b"what is this? " * 200' "f:x:x"
rejects "a sparse map that goes backwards" "data is longer than its size" --edit-layer \
	'at = data.index(b"1\n9997\n"); data[at:at + 7] = b"1\n9999\n"' "z:x:10000"

# --- compression
rejects "a truncated gzip stream" "truncated gzip stream" --edit-packed 'packed[0] = packed[0][:-20]' "rand:x:4000"
rejects "a gzip stream with a wrong checksum" "corrupt gzip stream" --edit-packed \
	'p = bytearray(packed[0]); p[-6] ^= 1; packed[0] = bytes(p)' "rand:x:4000"
rejects "garbage after a gzip stream" "garbage after the end of the gzip stream" --edit-packed \
	'packed[0] += b"evil"' "f:x:x"
rejects "a truncated zstd stream" "truncated zstd stream" --compress zstd --edit-packed \
	'packed[0] = packed[0][:-20]' "rand:x:4000"
rejects "a corrupt zstd stream" "corrupt zstd stream" --compress zstd --edit-packed \
	'packed[0] = packed[0][:8] + bytes(40) + packed[0][48:]' "rand:x:4000"
mkimage --name bad:1 "$work/img" "f:x:$(printf '0%.0s' {1..100000})"
expect "a gzip bomb" "its plain tar is larger than the limit of 65536 bytes" \
	shale import --max-layer-size 64k "$work/img"
mkimage --name bad:1 --compress zstd "$work/img" "f:x:$(printf '0%.0s' {1..100000})"
expect "a zstd bomb" "its plain tar is larger than the limit of 65536 bytes" \
	shale import --max-layer-size 64k "$work/img"
mkimage --name bad:1 --format tar "$work/img" "rand:x:100000"
expect "an archive's member beyond the limit" "larger than the limit of 65536 bytes" \
	shale import --max-layer-size 64k "$work/img"

# --- digests and sizes
rejects "a layer with another digest" "it does not have its digest" --edit-files \
	'k = "blobs/sha256/" + __import__("hashlib").sha256(image.packed[0]).hexdigest(); d = bytearray(files[k]); d[30] ^= 1; files[k] = bytes(d)' "rand:x:4000"
rejects "a layer with another size" "bytes instead of" --edit-manifest 'manifest["layers"][0]["size"] += 1' "f:x:x"
rejects "a layer with another diff id" "its plain tar does not have the diff id sha256:0000" \
	--edit-config 'config["rootfs"]["diff_ids"][0] = "sha256:" + "0" * 64' "f:x:x"
mkimage --name bad:1 --edit-config 'config["rootfs"]["diff_ids"].reverse()' "$work/img" "d:etc,f:etc/issue:kept" "f:x:x"
expect "the diff id of a layer in the store on another blob" "does not have the diff id" shale import "$work/img"
rejects "a config with another digest" "does not have its digest" --edit-files \
	'k = "blobs/sha256/" + __import__("hashlib").sha256(image.config).hexdigest(); files[k] = files[k].replace(b"linux", b"winux")' "f:x:x"
rejects "a manifest with another digest" "manifest: sha256:" --edit-files \
	'k = "blobs/sha256/" + __import__("hashlib").sha256(image.manifest).hexdigest(); files[k] = files[k].replace(b"layers", b"lawers")' "f:x:x"
rejects "a layer that is not there" "No such file or directory" --edit-files \
	'del files["blobs/sha256/" + __import__("hashlib").sha256(image.packed[0]).hexdigest()]' "f:x:x"
rejects "a layer that is a symlink" "Too many levels of symbolic links" --edit-files \
	'k = "blobs/sha256/" + __import__("hashlib").sha256(image.packed[0]).hexdigest(); del files[k]; d = __import__("os").path.join(image.args.out, "blobs/sha256"); __import__("os").makedirs(d); __import__("os").symlink("/etc/passwd", __import__("os").path.join(image.args.out, k))' "f:x:x"

# --- documents
rejects "more diff ids than layers" "2 diff ids for the manifest's 1 layers" \
	--edit-config 'config["rootfs"]["diff_ids"].append("sha256:" + "0" * 64)' "f:x:x"
rejects "no diff ids" "0 diff ids for the manifest's 1 layers" --edit-config 'del config["rootfs"]["diff_ids"]' "f:x:x"
rejects "no rootfs" "config: no field 'rootfs'" --edit-config 'del config["rootfs"]' "f:x:x"
rejects "a diff id that is a number" "config: diff_ids[0] is not a string" --edit-config 'config["rootfs"]["diff_ids"][0] = 1' "f:x:x"
rejects "a diff id of another algorithm" "is not a sha256 digest" --edit-config 'config["rootfs"]["diff_ids"][0] = "md5:00"' "f:x:x"
rejects "a config's os that is a list" "config: field 'os' is not a string" --edit-config 'config["os"] = []' "f:x:x"
rejects "a config that is not JSON" "config: not JSON" --raw-config '{"a":' "f:x:x"
rejects "a config that is a list" "config: not a JSON object" --raw-config '[]' "f:x:x"
rejects "a config with a key twice" "config: not JSON: duplicate object key" --raw-config '{"os":"a","os":"b"}' "f:x:x"
rejects "a manifest that is not JSON" "manifest: not JSON" --raw-manifest 'x' "f:x:x"
rejects "a manifest without layers" "manifest: no field 'layers'" --edit-manifest 'del manifest["layers"]' "f:x:x"
rejects "a manifest whose layers are an object" "manifest: field 'layers' is not an array" --edit-manifest 'manifest["layers"] = {}' "f:x:x"
rejects "a layer that is a number" "layers[0] is not an object" --edit-manifest 'manifest["layers"][0] = 5' "f:x:x"
rejects "a layer of an unknown media type" "layers[0]: unsupported media type 'text/plain'" --edit-manifest 'manifest["layers"][0]["mediaType"] = "text/plain"' "f:x:x"
rejects "an artifact" "manifest: config: unsupported media type 'application/wasm'" --edit-manifest 'manifest["config"]["mediaType"] = "application/wasm"' "f:x:x"
rejects "a layer's digest with a path in it" "is not a sha256 digest" --edit-manifest 'manifest["layers"][0]["digest"] = "sha256:../../../etc/passwd"' "f:x:x"
rejects "a layer's digest in upper case" "is not a sha256 digest" --edit-manifest 'manifest["layers"][0]["digest"] = manifest["layers"][0]["digest"].upper().replace("SHA", "sha")' "f:x:x"
rejects "a negative size in a descriptor" "layers[0]: field 'size' is not a size" --edit-manifest 'manifest["layers"][0]["size"] = -1' "f:x:x"
rejects "4097 layers" "field 'layers' has more than 4096 elements" --edit-manifest 'manifest["layers"] *= 4097' "f:x:x"
rejects "docker's schema 1" "manifest: schemaVersion is not 2" --edit-manifest 'manifest["schemaVersion"] = 1' "f:x:x"
rejects "a manifest of 5 MiB" "larger than 4194304 bytes" --edit-manifest 'manifest["x"] = "y" * (5 << 20)' "f:x:x"
rejects "a manifest 100 levels deep" "manifest: nested deeper than 64" --edit-manifest 'exec("x = []\nfor i in range(100): x = [x]", globals()); manifest["x"] = x' "f:x:x"
rejects "an index of an unknown media type" "unsupported media type 'a/b'" --edit-index 'index["manifests"][0]["mediaType"] = "a/b"' "f:x:x"
rejects "an index for another platform" "no image for linux/" --edit-index 'index["manifests"][0]["platform"] = {"os": "plan9", "architecture": "amd64"}' "f:x:x"
rejects "an empty index" "the index has no image" --edit-index 'index["manifests"] = []' "f:x:x"
rejects "an unknown layout version" "oci-layout: unknown version '9'" --edit-files 'files["oci-layout"] = b"{\"imageLayoutVersion\":\"9\"}"' "f:x:x"
rejects "neither layout nor archive" "neither an OCI layout nor a docker-archive" --edit-files 'files.pop("oci-layout")' "f:x:x"
rejects "a docker-archive whose config is a path outside" "the name contains '..'" --format docker --edit-docker 'manifest[0]["Config"] = "../../etc/passwd"' "f:x:x"
rejects "a docker-archive without layers" "manifest.json: no field 'Layers'" --format docker --edit-docker 'del manifest[0]["Layers"]' "f:x:x"
rejects "indexes nested too deep" "image indexes are nested deeper than 2" --edit-index '
for i in range(3):
    inner = json.dumps({"schemaVersion": 2, "manifests": index["manifests"]}).encode()
    index["manifests"] = [add(inner, "application/vnd.oci.image.index.v1+json")]' "f:x:x"
rejects "an archive with links in a circle" "No such file or directory" --format docker --edit-files \
	'files["%064x/layer.tar" % 0] = "layer2.tar"; files["%064x/layer2.tar" % 0] = "layer.tar"' "f:x:x"
rejects "a link of an archive to outside" "/layer.tar in " --format docker --edit-files \
	'files["%064x/layer.tar" % 0] = "../../../etc/passwd"' "f:x:x"
rejects "an archive of more than 65536 files" "more than 65536 files" --format tar --edit-files \
	'files.update(("x/%d" % i, b"") for i in range(65537))' "f:x:x"
rejects "a manifest.json that is an object" "manifest.json: not a JSON array" --format docker --edit-files \
	'files["manifest.json"] = b"{}"' "f:x:x"
rejects "a manifest.json without images" "manifest.json: there is no image" --format docker --edit-files \
	'files["manifest.json"] = b"[]"' "f:x:x"
rejects "a bad name in RepoTags" "manifest.json: RepoTags: 'Bad' is not an image name" --format docker \
	--edit-docker 'manifest[0]["RepoTags"] = ["Bad"]' "f:x:x"
rejects "a RepoTags that is a number" "manifest.json: RepoTags[0] is not a string" --format docker \
	--edit-docker 'manifest[0]["RepoTags"] = [1]' "f:x:x"
rejects "a docker config with another digest" "does not have its digest" --format docker --edit-files \
	'k = [k for k in files if k.endswith(".json") and k != "manifest.json"][0]; files[k] += b" "' "f:x:x"
mkimage --name bad:1 --format docker --edit-docker 'manifest.append(manifest[0])' "$work/img" "f:x:x"
expect "one name for two images" "it has 2 images, which cannot all be called 'a:b'" shale import -t a:b "$work/img"
ktap_end
