#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale push to Debian's docker-registry, and shale login: what skopeo finds there afterwards, what is not sent twice,
# uploads that break, manifest lists, and who may.
set -u
. "$(dirname "$0")/common"

ktap_plan 57

name_of() { printf '127.0.0.1:%s/%s' "$port" "$1"; }
raw() { skopeo inspect --raw --tls-verify=false "docker://$(name_of "$1")" >"$work/raw"; }
fails() {
	local want=$1 out
	shift
	out=$("$@" 2>&1) && { echo "it succeeds: $out"; return 1; }
	grep -v '^Using default tag\|^The push refers\|: Preparing$\|: Pushed$\|: Layer already exists$' <<<"$out" >"$work/lines"
	[ "$(wc -l <"$work/lines")" -eq 1 ] && grep -qF -- "$want" "$work/lines" && return
	echo "$out"
	return 1
}

# import NAME LAYER...: an image in the store.
import() {
	mkimage --name x:1 "$work/img" "${@:2}"
	shale import -q -t "$1" "$work/img" >/dev/null
}

registry plain
import "$(name_of t/demo:1)" "rand:a:3000000" "f:b:2"
out=$(shale push "$(name_of t/demo:1)" 2>&1)
ktap_is "a push" 0 $?
ktap_is "its first line" "The push refers to repository [$(name_of t/demo)]" "$(head -1 <<<"$out")"
ktap_is "a line for each layer" 2 "$(grep -c ': Pushed$' <<<"$out")"
digest=$(shale images --digests | awk 'NR == 2 { print $3 }')
size=$(stat -c %s "$root/blobs/sha256/${digest#*:}")
ktap_is "the last line" "1: digest: $digest size: $size" "$(tail -1 <<<"$out")"
ktap_ok "skopeo finds it" raw t/demo:1
ktap_ok "the manifest byte for byte" cmp "$work/raw" "$root/blobs/sha256/${digest#*:}"
ktap_ok "and all blobs, with their digests" skopeo copy -q --src-tls-verify=false "docker://$(name_of t/demo:1)" "oci:$work/copy:1"
ktap_is "again nothing is sent" 2 "$(shale push "$(name_of t/demo:1)" | grep -c 'Layer already exists')"
ktap_is "-q prints the name alone" "$(name_of t/demo:1)" "$(shale push -q "$(name_of t/demo:1)")"
first=$root
root=$work/other
ktap_ok "another store pulls it" shale pull -q "$(name_of t/demo:1)"
ktap_is "the same image" "$digest" "$(shale images --digests | awk 'NR == 2 { print $3 }')"
ktap_ok "and pushes what it pulled" shale push -q "$(name_of t/demo:1)"
root=$first

# --- from another repository
import "$(name_of u/demo:2)" "rand:a:3000000" "f:c:3"
out=$(shale push "$(name_of u/demo:2)")
ktap_is "a layer that another repository has is mounted from there" 1 "$(grep -c 'Mounted from t/demo' <<<"$out")"
ktap_is "the other is sent" 1 "$(grep -c ': Pushed' <<<"$out")"
ktap_ok "and the image is whole" skopeo copy -q --src-tls-verify=false "docker://$(name_of u/demo:2)" "dir:$work/mounted"
import "127.0.0.1:$port/nothing/here:1" "rand:q:200000"
import "$(name_of v/demo:1)" "rand:q:200000" "f:d:4"
ktap_ok "where it only could have been, it is sent" shale push -q "$(name_of v/demo:1)"

# --- kinds of layers and manifests
for compress in none zstd; do
	mkimage --name x:1 --compress $compress "$work/img" "f:one:$compress"
	shale import -q -t "$(name_of "t/$compress:1")" "$work/img" >/dev/null
	ktap_ok "$compress layers" shale push -q "$(name_of "t/$compress:1")"
	ktap_ok "$compress: whole" skopeo copy -q --src-tls-verify=false "docker://$(name_of "t/$compress:1")" "dir:$work/$compress"
done
skopeo copy -q --dest-tls-verify=false --format v2s2 "docker://$(name_of t/demo:1)" "docker://$(name_of w/docker:1)" --src-tls-verify=false
ktap_ok "docker's manifest, pulled" shale pull -q "$(name_of w/docker:1)"
raw w/docker:1
before=$(sha256sum <"$work/raw")
skopeo delete --tls-verify=false "docker://$(name_of w/docker:1)"
ktap_ok "and pushed" shale push -q "$(name_of w/docker:1)"
raw w/docker:1
ktap_is "is the same again" "$before" "$(sha256sum <"$work/raw")"

# --- lists
mkimage --name x:1 --edit-index 'm = dict(index["manifests"][0], platform={"os": "linux", "architecture": "amd64"}); m.pop("annotations"); inner = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [m]}, indent=3).encode(); entry = add(inner, "application/vnd.oci.image.index.v1+json"); entry["annotations"] = {"org.opencontainers.image.ref.name": "x"}; index["manifests"] = [entry]' "$work/img" "f:l:list"
ktap_ok "skopeo puts a list into the store" skopeo copy -q --all "oci:$work/img:x" "oci:$root:$(name_of t/list:1)"
ktap_ok "which is pushed" shale push -q "$(name_of t/list:1)"
raw t/list:1
list=$(python3 -c 'import json, sys; print([e["digest"] for e in json.load(open(sys.argv[1]))["manifests"] if e["annotations"].get("org.opencontainers.image.ref.name") == sys.argv[2]][0])' "$root/index.json" "$(name_of t/list:1)")
ktap_ok "byte for byte" cmp "$work/raw" "$root/blobs/sha256/${list#*:}"
ktap_ok "with its images" skopeo copy -q --all --src-tls-verify=false "docker://$(name_of t/list:1)" "dir:$work/list"

# --- uploads that break
upstream=http://127.0.0.1:$port
serve "$upstream" --fault 'upload-cut*3:2500000'
import "$(name_of r/demo:1)" "rand:big:12000000"
ktap_ok "an upload that breaks three times" shale push -q "$(name_of r/demo:1)"
ktap_ok "and is whole, though this registry forgets what it had" skopeo copy -q --src-tls-verify=false "docker://$(name_of r/demo:1)" "dir:$work/broken"
mkdir -p "$work/there/blobs/sha256"
serve "$work/there" --fault 'upload-cut*5:2000000'
import "$(name_of r/demo:1)" "rand:big:12000000"
total=$(find "$work/img/blobs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
ktap_ok "one that breaks five times" shale push -q --tries 2 "$(name_of r/demo:1)"
ktap_ok "goes on where it stood, where the registry can" test "$(answers | awk '/^PATCH/ { s += $5 } END { print s }')" -le "$total"
ktap_is "all of it" 2 "$(cd "$work/there/blobs/sha256" && sha256sum -- * | awk '$1 == $2' | wc -l)"
serve "$work/there" --fault 'upload-forget*1'
import "$(name_of r/demo:6)" "rand:forgotten:2000000"
ktap_ok "one that the registry forgets" shale push -q "$(name_of r/demo:6)"
serve "$upstream" --fault 'upload-cut:1000'
import "$(name_of r/demo:2)" "rand:other:2000000"
ktap_ok "one that breaks for ever" fails "gave up after 2 tries" shale push --tries 2 "$(name_of r/demo:2)"
serve "$upstream" --fault 'blob-status*2:503' --fault 'manifest-status*1:500' --fault 'ping-status*1:502'
import "$(name_of r/demo:3)" "rand:third:200000"
ktap_ok "5xx now and then" shale push -q "$(name_of r/demo:3)"
serve "$upstream" --fault manifest-status:403
import "$(name_of r/demo:4)" "f:x:4"
ktap_ok "who may not" fails "403 access denied: DENIED: because I say so" shale push "$(name_of r/demo:4)"
serve "$upstream" --fault blob-stall
import "$(name_of r/demo:5)" "f:x:5"
ktap_ok "nothing moves" fails "nothing arrives" shale push --tries 1 --timeout 2 "$(name_of r/demo:5)"

# --- what cannot be pushed
ktap_ok "no such image" fails "An image does not exist locally with the tag" shale push "$(name_of none:1)"
id=$(shale images -q | head -1)
ktap_ok "an ID alone is a name" fails "An image does not exist locally with the tag: $id" shale push "$id"
import 127.0.0.1:1/x:1 "f:x:6"
ktap_ok "nobody listens" fails "cannot connect" shale push --tries 1 127.0.0.1:1/x:1
registry another
import "$(name_of c/demo:1)" "rand:corrupt:3000000"
victim=$(find "$root/blobs/sha256" -newer "$work/another.yml" -size +2900k)
printf x | dd of="$victim" bs=1 seek=1000 conv=notrunc status=none
ktap_ok "a blob that is corrupt" fails "DIGEST_INVALID" shale push "$(name_of c/demo:1)"
end_servers

# --- who we are
htpasswd -Bbc "$work/htpasswd" user secret 2>/dev/null
registry secure "" "auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
import "$(name_of t/demo:1)" "f:x:7"
ktap_ok "without credentials" fails "asks for a user and a password" shale push "$(name_of t/demo:1)"
ktap_ok "login with a wrong password" fails "401 unauthorized" shale login -u user -p wrong "127.0.0.1:$port"
ktap_ok "keeps nothing" test ! -e "$DOCKER_CONFIG/config.json"
ktap_is "login" "Login Succeeded" "$(echo secret | shale login -u user --password-stdin "127.0.0.1:$port")"
ktap_is "writes a file for its owner only" 600 "$(stat -c %a "$DOCKER_CONFIG/config.json")"
ktap_ok "with which a push goes" shale push -q "$(name_of t/demo:1)"
ktap_ok "which skopeo reads too" skopeo inspect --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" "docker://$(name_of t/demo:1)"
ktap_ok "logout" shale logout "127.0.0.1:$port"
ktap_ok "forgets it" fails "asks for a user and a password" shale push "$(name_of t/demo:1)"
ktap_ok "and only once" fails "not logged in" shale logout "127.0.0.1:$port"
cat >"$work/docker-credential-keep" <<END
#!/bin/sh
case \$1 in
store) cat >"$work/kept" ;;
get) cat "$work/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm "$work/kept" ;;
esac
END
chmod +x "$work/docker-credential-keep"
PATH=$work:$PATH
echo '{"credsStore": "keep", "other": 1}' >"$DOCKER_CONFIG/config.json"
ktap_ok "login with a helper" shale login -u user -p secret "127.0.0.1:$port"
ktap_is "which has the password" secret "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["Secret"])' "$work/kept")"
ktap_is "and the file has not" 0 "$(grep -c auths "$DOCKER_CONFIG/config.json")"
ktap_ok "a push with it" shale push -q "$(name_of t/demo:1)"
ktap_ok "logout with it" shale logout "127.0.0.1:$port"
ktap_ok "erases it" test ! -e "$work/kept"
rm "$DOCKER_CONFIG/config.json"
end_servers

ktap_end
