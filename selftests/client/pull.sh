#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull from Debian's docker-registry, over http and https, as nobody, with a password and with tokens:
# what comes is what skopeo gets and what was pushed.
set -u
. "$(dirname "$0")/common"

ktap_plan 64

mkimage --name demo:1 --compress gzip "$work/img" "d:etc,f:etc/issue:hello,rand:etc/big:3000000" "f:second:2,f:etc/.wh.issue:"
name_of() { printf '127.0.0.1:%s/%s' "$port" "$1"; }
push() { skopeo copy -q --dest-tls-verify=false "${@:3}" "$1" "docker://$(name_of "$2")"; }
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$(name_of "$1")"; }

registry plain
push "oci:$work/img:demo:1" t/demo:1
digest=$(digest_of t/demo:1)

# --- what docker says
out=$(shale pull "$(name_of t/demo:1)" 2>&1)
ktap_is "a pull by tag" "0" "$?"
ktap_is "its first line" "1: Pulling from t/demo" "$(head -1 <<<"$out")"
ktap_is "a line for each layer's steps" 6 "$(grep -cE '^[0-9a-f]{12}: (Pulling fs layer|Download complete|Pull complete)$' <<<"$out")"
ktap_is "the digest, the status and the name" \
	"Digest: $digest Status: Downloaded newer image for $(name_of t/demo:1) $(name_of t/demo:1)" \
	"$(tail -3 <<<"$out" | xargs)"
ktap_is "all blobs are there and good" 4 "$(blobs | wc -l)"
ktap_is "nothing is left of the downloads" "" "$(ls "$root/downloads")"
ktap_is "the image is listed with the registry's digest" "$digest" "$(shale images --digests | awk 'NR == 2 { print $3 }')"
layer=$(find "$root/layers/sha256" -name second -printf '%h\n')
ktap_is "its layers are unpacked" 2 "$(cat "$layer/second")"
skopeo copy -q --src-tls-verify=false "docker://$(name_of t/demo:1)" "dir:$work/dir"
ktap_ok "the manifest is byte for byte what skopeo gets" cmp "$work/dir/manifest.json" "$root/blobs/sha256/${digest#*:}"
ktap_is "skopeo sees the same image in our store" "$digest" \
	"$(skopeo inspect --format '{{.Digest}}' "oci:$root:$(name_of t/demo:1)")"
ktap_is "again: it is up to date" "Status: Image is up to date for $(name_of t/demo:1)" \
	"$(shale pull "$(name_of t/demo:1)" | grep ^Status)"
ktap_is "-q prints the name alone" "$(name_of t/demo:1)" "$(shale pull -q "$(name_of t/demo:1)")"
push "oci:$work/img:demo:1" t/demo:latest
ktap_is "without a tag it is latest, and that is said" "Using default tag: latest" \
	"$(shale pull "$(name_of t/demo)" | head -1)"

# --- by digest
rm -rf "$root"
ktap_ok "a pull by digest" shale pull "$(name_of t/demo)@$digest"
ktap_is "is listed without a tag" "<none>" "$(shale images | awk 'NR == 2 { print $2 }')"
ktap_ok "and can be removed by it" shale rmi "$(name_of t/demo)@$digest"
ktap_is "with all it has" "" "$(blobs)"
ktap_ok "a digest that is not there" ! shale pull "$(name_of t/demo)@sha256:$(printf '0%.0s' {1..64})"
ktap_ok "with a tag beside the digest, that counts" shale pull "$(name_of t/demo):nope@$digest"

# --- what is not there
fails() {
	local want=$1 out
	shift
	out=$("$@" 2>&1) && { echo "it succeeds: $out"; return 1; }
	[ "$(wc -l <<<"$out")" -eq 1 ] && grep -qF -- "$want" <<<"$out" && return
	echo "$out"
	return 1
}
rm -rf "$root"
ktap_ok "no such tag" fails "404 not found: MANIFEST_UNKNOWN" shale pull -q "$(name_of t/demo:2)"
ktap_ok "no such repository" fails "404 not found" shale pull -q "$(name_of t/nothing)"
ktap_is "nothing is left of it" "" "$(leftovers)"
ktap_ok "nobody listens" fails "cannot connect" shale pull -q --tries 1 "127.0.0.1:1/x"
ktap_ok "no such name" fails "is not an image name" shale pull -q "example.com//case"
ktap_ok "no such platform" fails "is no platform" shale pull -q --platform a/b/c/d "$(name_of t/demo:1)"

# --- layers of each kind, and docker's format
for compress in none gzip zstd; do
	rm -rf "$root"
	mkimage --name demo:1 --compress $compress "$work/img" "f:one:$compress" "f:two:2"
	push "oci:$work/img:demo:1" "t/$compress:1"
	ktap_ok "$compress layers" shale pull -q "$(name_of t/$compress:1)"
	ktap_is "$compress: content" $compress "$(cat "$root"/layers/sha256/*/diff/one)"
done
rm -rf "$root"
mkimage --name demo:1 "$work/img" "f:one:1"
push "oci:$work/img:demo:1" t/docker:1 --format v2s2
ktap_ok "docker's manifest" shale pull -q "$(name_of t/docker:1)"
ktap_is "is kept as it is" application/vnd.docker.distribution.manifest.v2+json \
	"$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["manifests"][0]["mediaType"])' "$root/index.json")"

# --- platforms
mkimage --name demo:1 "$work/img" "f:arch:amd64"
push "oci:$work/img:demo:1" t/multi:amd64
mkimage --name demo:1 --edit-config 'config["architecture"] = "arm64"' "$work/img" "f:arch:arm64"
push "oci:$work/img:demo:1" t/multi:arm64
multi=$(python3 - "127.0.0.1:$port" <<'END'
import hashlib, http.client, json, sys
peer = http.client.HTTPConnection(sys.argv[1])
entries = []
for arch in ("arm64", "amd64"):
    peer.request("GET", "/v2/t/multi/manifests/" + arch, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
    body = peer.getresponse().read()
    entries.append({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": len(body),
                    "digest": "sha256:" + hashlib.sha256(body).hexdigest(), "platform": {"os": "linux", "architecture": arch}})
index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}).encode()
peer.request("PUT", "/v2/t/multi/manifests/all", index, {"Content-Type": "application/vnd.oci.image.index.v1+json"})
print("sha256:" + hashlib.sha256(index).hexdigest() if peer.getresponse().status == 201 else "")
END
)
arch_of() { cat "$root"/layers/sha256/*/diff/arch; }
for want in amd64 arm64; do
	rm -rf "$root"
	ktap_is "of an index the platform that is asked for: $want" "Digest: $multi" \
		"$(shale pull --platform linux/$want "$(name_of t/multi:all)" | grep ^Digest)"
	ktap_is "$want: is what comes" $want "$(arch_of)"
done
rm -rf "$root"
ktap_ok "an index by its digest" shale pull -q --platform amd64 "$(name_of t/multi)@$multi"
ktap_ok "which names the image afterwards" shale rmi "$(name_of t/multi)@$multi"
rm -rf "$root"
ktap_ok "a platform it does not have" fails "no image for linux/s390x" shale pull -q --platform linux/s390x "$(name_of t/multi:all)"
ktap_ok "an image of another platform" fails "is for linux/arm64, not for linux/amd64" \
	shale pull -q --platform linux/amd64 "$(name_of t/multi:arm64)"
ktap_is "nothing is left of it" "" "$(leftovers)"

# --- only download
rm -rf "$root"
mkimage --name demo_1 "$work/img" "rand:big:2000000" "f:two:2"
serve "$work/img"
ktap_ok "--download-only" shale pull -q --download-only "$(name_of x/demo):demo_1"
ktap_is "makes no image" "" "$(shale images -q)"
sent=$(body_bytes blobs)
ktap_ok "a pull after that" shale pull -q "$(name_of x/demo):demo_1"
ktap_is "fetches no layer again" 0 "$(($(body_bytes blobs) - sent > 10000))"
end_servers

# --- https, passwords, tokens
certificate ca
htpasswd -Bbc "$work/htpasswd" user secret 2>/dev/null
tls="tls: {certificate: $work/ca.crt, key: $work/ca.key}"
registry secure "$tls" "auth: {htpasswd: {realm: test, path: $work/htpasswd}}"
mkimage --name demo:1 "$work/img" "f:one:1"
skopeo copy -q --dest-tls-verify=false --dest-creds user:secret "oci:$work/img:demo:1" "docker://127.0.0.1:$port/t/demo:1"
rm -rf "$root"
ktap_ok "https with a password" shale pull -q --creds user:secret "$(name_of t/demo:1)"
ktap_is "brings the image" 1 "$(cat "$root"/layers/sha256/*/diff/one)"
rm -rf "$root"
ktap_ok "without one" fails "asks for a user and a password" shale pull -q "$(name_of t/demo:1)"
ktap_ok "with a wrong one" fails "401 unauthorized" shale pull -q --creds user:wrong "$(name_of t/demo:1)"
auth=$(printf user:secret | base64)
printf '{"auths": {"127.0.0.1:%s": {"auth": "%s"}}}' "$port" "$auth" >"$DOCKER_CONFIG/config.json"
ktap_ok "with docker's config.json" shale pull -q "$(name_of t/demo:1)"
rm "$DOCKER_CONFIG/config.json"
rm -rf "$root"
mkdir -p "$XDG_RUNTIME_DIR/containers"
printf '{"auths": {"127.0.0.1:%s/t": {"auth": "%s"}}}' "$port" "$auth" >"$XDG_RUNTIME_DIR/containers/auth.json"
ktap_ok "with podman's auth.json, for a part of the registry" shale pull -q "$(name_of t/demo:1)"
rm -rf "$root"
mv "$XDG_RUNTIME_DIR/containers/auth.json" "$work/auth.json"
ktap_ok "with --authfile" shale pull -q --authfile "$work/auth.json" "$(name_of t/demo:1)"
rm -rf "$root"
ktap_ok "with \$REGISTRY_AUTH_FILE" env REGISTRY_AUTH_FILE="$work/auth.json" "$program" pull --root "$root" -q "$(name_of t/demo:1)"
mkdir -p "$work/bin"
cat >"$work/bin/docker-credential-test" <<END
#!/bin/sh
echo "\$1" >>"$work/helper.log"
read -r server
[ "\$server" = "127.0.0.1:$port" ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"ServerURL": "'"\$server"'", "Username": "user", "Secret": "secret"}'
END
chmod +x "$work/bin/docker-credential-test"
rm -rf "$root"
echo '{"credsStore": "test"}' >"$DOCKER_CONFIG/config.json"
ktap_ok "with a credential helper" env PATH="$work/bin:$PATH" "$program" pull --root "$root" -q "$(name_of t/demo:1)"
ktap_is "which was asked to get" get "$(sort -u "$work/helper.log")"
rm -rf "$root"
printf '{"credHelpers": {"127.0.0.1:%s": "test"}}' "$port" >"$DOCKER_CONFIG/config.json"
ktap_ok "with a helper for this registry" env PATH="$work/bin:$PATH" "$program" pull --root "$root" -q "$(name_of t/demo:1)"
rm -rf "$root"
ktap_ok "a helper that is not there" fails "docker-credential-test" shale pull -q "$(name_of t/demo:1)"
echo '{"credsStore": "../../bin/sh"}' >"$DOCKER_CONFIG/config.json"
ktap_ok "a helper that is no name" fails "is no name of a credential helper" shale pull -q "$(name_of t/demo:1)"
rm "$DOCKER_CONFIG/config.json"
end_servers

"$here/tokens" make "$work/token" || exit 1
exec 3< <(exec "$here/tokens" serve "$work/token" user:secret)
pids+=($!)
read -r -t 20 token_port <&3
registry tokens "" "auth: {token: {realm: \"http://127.0.0.1:$token_port/token\", service: test, issuer: tester, rootcertbundle: $work/token.crt}}"
rm -rf "$root"
skopeo copy -q --dest-tls-verify=false --dest-creds user:secret "oci:$work/img:demo:1" "docker://127.0.0.1:$port/t/demo:1"
ktap_ok "tokens, as a user" shale pull -q --creds user:secret "$(name_of t/demo:1)"
ktap_is "bring the image" 1 "$(cat "$root"/layers/sha256/*/diff/one)"
rm -rf "$root"
ktap_ok "tokens, as nobody, who may not pull" fails "401 unauthorized" shale pull -q "$(name_of t/demo:1)"
ktap_ok "tokens, with a wrong password" fails "asking for a token: 127.0.0.1:$token_port: 401 unauthorized" \
	shale pull -q --creds user:wrong "$(name_of t/demo:1)"
ktap_is "nothing is left of it" "" "$(leftovers)"

ktap_end
