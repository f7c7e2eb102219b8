#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale import of good images: every format, what becomes of each kind of entry, and what other tools
# make of the store.
set -u
. "$(dirname "$0")/common"

ktap_plan 117

small="d:etc,f:etc/issue:hello"

# --- formats
import_as() {
	rm -rf "$root"
	mkimage "$@" --name demo:1 "$work/img" "$small" "f:second:2" && shale import "$work/img"
}
content() {
	cat "$(layer_dir docker.io/library/demo:1 2)/etc/issue" "$(layer_dir docker.io/library/demo:1 1)/second"
}
for format in dir tar docker docker-dir; do
	for compress in none gzip zstd; do
		[ "$format" != docker-dir ] || [ "$compress" = none ] || continue
		ktap_ok "import of $format, $compress layers" import_as --format $format --compress $compress
		ktap_is "$format, $compress: the layers' content" "hello2" "$(content)"
	done
done
for outer in gzip zstd; do
	ktap_ok "an OCI archive in $outer" import_as --format tar --outer $outer
	ktap_ok "a docker-archive in $outer" import_as --format docker --outer $outer
	ktap_is "docker-archive in $outer: the layers' content" "hello2" "$(content)"
done

# As docker before 25 wrote it: a layer that is another's is a symlink to it.
ktap_ok "a docker-archive with a symlink for a layer" import_as --format docker --edit-files \
	'files["%064x/layer.tar" % 9] = files["%064x/layer.tar" % 1]; files["%064x/layer.tar" % 1] = "../%064x/layer.tar" % 9'
ktap_is "the layers' content" "hello2" "$(content)"

# --- entries
x200=$(printf 'x%.0s' {1..200})
deep=$(printf 'd/%.0s' {1..400})
mkimage --name demo:1 "$work/img" \
	"d:dir@mtime=1500000000.25@mode=1777,f:dir/a:one@mtime=1600000000.123456789@mode=4711@uid=4294967294@gid=4294967294,h:dir/b:dir/a,s:dir/l:/etc/passwd,p:fifo,c:null:1.3@mode=666,b:disk:8.1,z:sparse:1000000000,f:dir/$x200:long,f:$deep/f:deep,f:xa:x@x.user.one=a\\x00b@x.trusted.two=t@x.security.capability=\\x01\\x00\\x00\\x02\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00,f:priv:x@x.trusted.overlay.redirect=/etc@x.trusted.overlay.opaque=y@x.user.overlay.x=y@x.trusted.shale.origin=x@x.user.shale.x=y@x.user.kept=k,f:acl:x@pax.SCHILY.acl.access=user::rw-\\,user:5:r--\\,group::r--\\,mask::r--\\,other::---,f:/abs:absolute,f:./dot//x:clean,f:sockless:,d:acldir@pax.SCHILY.acl.default=user::rwx\\,user:6:r-x\\,group::r-x\\,mask::r-x\\,other::---,f:acldir/child:x" \
	"f:.wh.gone:,d:dir,f:dir/.wh..wh..opq:,f:.wh..wh.plnk:,f:.wh..wh.orph:,f:implicit/.wh.x:,f:.wh.back:,d:back,f:back/y:,f:both:new,f:.wh.both:,d:dirwh,f:.wh.dirwh:"
rm -rf "$root"
ktap_ok "an image with every kind of entry" shale import "$work/img"
base=$(layer_dir docker.io/library/demo:1 2)
top=$(layer_dir docker.io/library/demo:1 1)
st() { stat -c "$1" "$base/$2"; }
ktap_is "a directory's mode" 1777 "$(st %a dir)"
ktap_is "a directory's time, below the second, after files were made in it" 1500000000.250000000 \
	"$(find "$base/dir" -maxdepth 0 -printf %T@ | sed 's/0$//')"
ktap_is "a file's time to the nanosecond" 1600000000.1234567890 "$(find "$base/dir/a" -printf %T@)"
ktap_is "setuid survives chown" 4711 "$(st %a dir/a)"
ktap_is "the highest uid and gid" 4294967294:4294967294 "$(st %u:%g dir/a)"
ktap_is "a hard link is the same inode" "$(st %i dir/a)" "$(st %i dir/b)"
ktap_is "a symlink is kept as it is" /etc/passwd "$(readlink "$base/dir/l")"
ktap_is "a fifo" fifo "$(st %F fifo)"
ktap_is "a character device" "character special file 1:3 666" "$(st '%F %t:%T %a' null)"
ktap_is "a block device" "block special file 8:1" "$(st '%F %t:%T' disk)"
ktap_is "a sparse file's size" 1000000000 "$(st %s sparse)"
ktap_ok "a sparse file stays sparse" test "$(st %b sparse)" -lt 1000
ktap_is "a sparse file's data is in its place" end "$(tail -c 3 "$base/sparse")"
ktap_is "a name of 200 bytes" long "$(cat "$base/dir/$x200")"
ktap_is "400 directories deep" deep "$(cat "$base/$deep/f")"
ktap_is "an xattr with a NUL in it" 610062 "$(xattr user.one "$base/xa" | od -An -tx1 | tr -d ' \n')"
ktap_is "a trusted xattr" t "$(xattr trusted.two "$base/xa")"
ktap_is "a file capability" "cap_net_bind_service=ep" "$(getcap "$base/xa" | sed 's/.* //')"
ktap_is "private xattrs are left out, others kept" user.kept \
	"$(getfattr --absolute-names -m - "$base/priv" | grep -v '^#' | xargs)"
ktap_is "an access ACL" "user:5:r--" "$(getfacl -pnc "$base/acl" | grep '^user:5')"
ktap_is "a default ACL" "default:user:6:r-x" "$(getfacl -pnc "$base/acldir" | grep '^default:user:6')"
ktap_is "a default ACL is not inherited within the layer" "" "$(getfacl -pnc "$base/acldir/child" | grep 'user:6')"
ktap_is "an absolute name lands in the layer" absolute "$(cat "$base/abs")"
ktap_is "a name is cleaned" clean "$(cat "$base/dot/x")"
ktap_is "an empty file" 0 "$(st %s sockless)"
ktap_is "a directory that is not listed is made" "directory 755 0:0" "$(stat -c '%F %a %u:%g' "$top/implicit")"
ktap_is "a whiteout" "character special file 0:0" "$(stat -c '%F %t:%T' "$top/gone")"
ktap_is "a whiteout in a directory" "character special file 0:0" "$(stat -c '%F %t:%T' "$top/implicit/x")"
ktap_is "an opaque directory" y "$(xattr trusted.overlay.opaque "$top/dir")"
ktap_is "a directory over its whiteout is opaque" y "$(xattr trusted.overlay.opaque "$top/back")"
ktap_is "a whiteout after its directory makes it opaque" y "$(xattr trusted.overlay.opaque "$top/dirwh")"
ktap_is "a whiteout after its file says nothing" new "$(cat "$top/both")"
ktap_is "AUFS's own files are left out" "" "$(find "$top" -name '.wh*')"
ktap_is "a layer is marked as having overlayfs's whiteouts" overlay "$(xattr trusted.shale.whiteout "$top")"

# --- directories a layer does not list
mkimage --name demo:1 "$work/img" \
	"d:tmp@mode=1777@mtime=1400000000,d:own@uid=7@gid=8@mode=2750@x.user.a=1,d:own/sub@mode=700,f:file:x,d:hidden@mode=700,d:new@mode=700" \
	"f:other:x" \
	"f:tmp/x:x,f:own/sub/y:y,f:file/z:z,d:hidden,f:hidden/.wh..wh..opq:,f:.wh.new:" \
	"f:own/sub/deep:x,f:hidden/in/x:x,f:new/x:x,f:nowhere/x:x"
rm -rf "$root"
ktap_ok "layers that do not list directories" shale import "$work/img"
third=$(layer_dir docker.io/library/demo:1 2)
top=$(layer_dir docker.io/library/demo:1 1)
ktap_is "such a directory is as in the layers below" "1777 0:0 1400000000" "$(stat -c '%a %u:%g %Y' "$third/tmp")"
ktap_is "with its owner, setgid bit and xattrs" "2750 7:8 1" "$(stat -c '%a %u:%g' "$third/own") $(xattr user.a "$third/own")"
ktap_is "deeper" 700 "$(stat -c %a "$third/own/sub")"
ktap_is "over a layer that does not list it either" "2750 700" "$(stat -c %a "$top/own" "$top/own/sub" | xargs)"
ktap_is "a file below is not what it covers" 755 "$(stat -c %a "$third/file")"
ktap_is "what is deleted below is not either" 755 "$(stat -c %a "$top/new")"
ktap_is "nor what an opaque directory hides" 755 "$(stat -c %a "$top/hidden/in")"
ktap_is "one that is nowhere" "755 0:0" "$(stat -c '%a %u:%g' "$top/nowhere")"

# --- the root directory is one of them: Docker's layers do not list it
rm -rf "$root"
mkimage --name demo:1 "$work/img" "d:.@uid=7@gid=8@mode=751@mtime=1400000000@x.user.a=1,f:a:x" "f:b:x" "d:.@mode=710,f:c:x" "f:d:x"
ktap_ok "layers that do not list their root" shale import "$work/img"
root_of() {
	local dir

	dir=$(layer_dir "docker.io/library/$1" "$2")
	stat -c '%a %u:%g %Y' "$dir" | tr '\n' ' '
	xattr user.a "$dir"
}
ktap_is "it is that of the layer below" "751 7:8 1400000000 1" "$(root_of demo:1 3)"
ktap_is "one that lists it has its own" "710 0:0 1700000000 " "$(root_of demo:1 2)"
ktap_is "and gives it to those above" "710 0:0 1700000000 " "$(root_of demo:1 1)"
mkimage --name other:1 "$work/img" "d:.@mode=700,f:z:x" "f:b:x"
ktap_ok "the same layer on another one" shale import "$work/img"
ktap_is "stays as its first image has made it" "751 7:8 1400000000 1" "$(root_of other:1 1)"
rm -rf "$root"
ktap_ok "without the first" shale import "$work/img"
ktap_is "it is as the other one makes it" "700 0:0 1700000000 " "$(root_of other:1 1)"

# --- whiteouts below what is no directory, as umoci writes them
mkdir "$work/victim" && echo safe >"$work/victim/file"
mkimage --name demo:1 "$work/img" "s:lnk:$work/victim,f:lnk/.wh.file:,f:lnk/.wh.new:,f:file:x,f:file/.wh.y:"
rm -rf "$root"
ktap_ok "a whiteout through a symlink or a file is taken" shale import "$work/img"
ktap_is "and touches nothing outside" "file safe" "$(ls "$work/victim") $(cat "$work/victim/file")"
base=$(layer_dir docker.io/library/demo:1 1)
ktap_is "nor in the layer" "file regular file lnk symbolic link" \
	"$(cd "$base" && stat -c '%n %F' * | xargs)"

# --- the same name twice
mkimage --name demo:1 "$work/img" "f:a:1,f:a:22,f:d:x,d:d,f:d/in:in,d:e,f:e/x:x,f:e:file,s:l:/etc,d:l,f:l/in:in,d:m@mode=700,d:m@mode=711,f:h1:1,h:h2:h1,f:h1:2,d:n,f:n/f:f,s:n:m"
rm -rf "$root"
ktap_ok "entries with the same name" shale import "$work/img"
base=$(layer_dir docker.io/library/demo:1 1)
ktap_is "the last of two files" 22 "$(cat "$base/a")"
ktap_is "a directory over a file" in "$(cat "$base/d/in")"
ktap_is "a file over a directory" file "$(cat "$base/e")"
ktap_is "a directory over a symlink" "directory in" "$(stat -c %F "$base/l") $(cat "$base/l/in")"
ktap_is "a directory twice has the last attributes" 711 "$(stat -c %a "$base/m")"
ktap_is "a file over one that has another name leaves that" "2 1" "$(cat "$base/h1" | tr '\n' ' ') $(cat "$base/h2")"
ktap_is "a symlink over a directory" m "$(readlink "$base/n")"

# --- names
name_of() {
	rm -rf "$root"
	mkimage "${@:2}" "$work/img" "$small" && shale import "$work/img" ${1:+-t "$1"}
}
ktap_is "docker.io and library are not shown" "Loaded image: debian:latest" "$(name_of "" --name docker.io/library/debian:latest)"
ktap_is "a short name is completed" "Loaded image: debian:latest" "$(name_of debian)"
ktap_is "another registry is shown" "Loaded image: quay.io:443/a/b:c" "$(name_of quay.io:443/a/b:c)"
ktap_is "a name and a tag in the index" "Loaded image: me/it:v2" "$(name_of "" --name me/it:v2)"
ktap_is "only a tag: the layout's name goes before" "Loaded image: img:12" "$(name_of "" --name 12)"
ktap_ok "no name" name_of ""
ktap_is "an image without a name is listed" "<none> <none>" "$(shale images | awk 'NR == 2 { print $1, $2 }')"

# --- platforms
multi='
other = dict(index["manifests"][0]); other["platform"] = {"os": "linux", "architecture": "s390x"}
other["digest"] = "sha256:" + "0" * 64
mine = dict(index["manifests"][0], platform={"os": "linux", "architecture": "amd64"})
note = mine.pop("annotations", None)
inner = json.dumps({"schemaVersion": 2, "manifests": [other, mine]}).encode()
entry = add(inner, "application/vnd.oci.image.index.v1+json")
if note: entry["annotations"] = note
index["manifests"] = [entry]'
mkimage --name demo:1 --edit-index "$multi" "$work/img" "$small"
rm -rf "$root"
if [ "$(uname -m)" = x86_64 ]; then
	ktap_ok "an index of platforms: this machine's is taken" shale import "$work/img"
else
	ktap_skip "an index of platforms: this machine's is taken" "the test's image is for amd64"
fi

# --- again, and shared layers
mkimage --name demo:1 "$work/img" "$small" "f:one:1"
rm -rf "$root"
shale import "$work/img" >/dev/null
before=$(snapshot)
ktap_ok "the same image again" shale import "$work/img"
ktap_is "changes nothing" "$before" "$(snapshot)"
mkimage --name demo:2 "$work/img" "$small" "f:two:2"
ktap_ok "an image that shares a layer" shale import "$work/img"
ktap_is "has three layers with the other" 3 "$(ls "$root/layers/sha256" | wc -l)"
mkimage --name demo:2 "$work/img" "f:three:3"
ktap_ok "a name can be given to another image" shale import "$work/img"
ktap_is "the one before stays without a name" 1 "$(shale images | grep -c '^<none>')"

# --- progress
rm -rf "$root"
ktap_is "off a terminal there is no progress" "Loaded image: demo:2" "$(shale import "$work/img" 2>&1)"
rm -rf "$root"
if command -v script >/dev/null; then
	terminal=$(script -qec "'$program' --root '$root' import '$work/img'" /dev/null)
	ktap_is "on a terminal every layer gets to its end" 1 "$(grep -o '[0-9a-f]\{12\}: Done' <<<"$terminal" | wc -l)"
	ktap_ok "and the image is printed after that" grep -q 'Loaded image: demo:2' <<<"$terminal"
	rm -rf "$root"
	ktap_is "-q prints only the ID" 71 "$(script -qec "'$program' --root '$root' import -q '$work/img'" /dev/null | tr -d '\r\n' | wc -c)"
else
	for what in "on a terminal every layer gets to its end" "and the image is printed after that" "-q prints only the ID"; do
		ktap_skip "$what" "no script(1)"
	done
fi

# --- what others see
mkimage --name demo:1 "$work/img" "$small" "f:etc/.wh.issue:,f:x:1"
rm -rf "$root"
shale import "$work/img" >/dev/null
full=docker.io/library/demo:1
if command -v skopeo >/dev/null; then
	ktap_is "skopeo reads the store" 2 "$(skopeo inspect --format '{{len .Layers}}' "oci:$root:$full")"
	ktap_ok "skopeo copies from it" skopeo copy -q "oci:$root:$full" "oci:$work/copy:1"
	ktap_ok "and shale imports the copy" shale import "$work/copy" -t copy:1
	ktap_ok "skopeo makes a docker-archive" skopeo copy -q "oci:$root:$full" "docker-archive:$work/docker.tar:again:1"
	ktap_ok "and shale imports that" shale import "$work/docker.tar"
	ktap_is "under the name it has" 1 "$(shale images -q again:1 | wc -l)"
else
	for what in "skopeo reads the store" "skopeo copies from it" "and shale imports the copy" \
		"skopeo makes a docker-archive" "and shale imports that" "under the name it has"; do
		ktap_skip "$what" "no skopeo"
	done
fi
if command -v umoci >/dev/null; then
	ktap_ok "umoci unpacks from it" umoci unpack --image "$root:$full" "$work/bundle"
	ktap_is "without the deleted file" "1 etc x" "$(cat "$work/bundle/rootfs/x") $(cd "$work/bundle/rootfs" && echo *)"
else
	ktap_skip "umoci unpacks from it" "no umoci"
	ktap_skip "without the deleted file" "no umoci"
fi
ktap_end
