#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale system check --repair brings damaged and missing blobs again from where the image came: Debian's docker-registry;
# one that is gone, that lies, or that wants to know who asks. What cannot be had costs the images that need it, and
# the reason is said.
set -u
. "$(dirname "$0")/common"

ktap_plan 39

repair() {
	"$program" system check --repair --tries 1 "$@" --root "$root" 2>&1
}
check() {
	"$program" system check --root "$root"
}
names() {
	shale images --format '{{.Repository}}:{{.Tag}}' | sed "s|.*/||" | sort | xargs
}
blob() {
	printf '%s/blobs/sha256/%s' "$root" "$1"
}
# The manifest, the config and the layers' blobs of the one image, by their digests.
digests() {
	manifest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["manifests"][0]["digest"][7:])' "$root/index.json")
	config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["config"]["digest"][7:])' "$(blob "$manifest")")
	mapfile -t layers < <(python3 -c '
import json, sys
for layer in json.load(open(sys.argv[1]))["layers"]:
    print(layer["digest"][7:])' "$(blob "$manifest")")
}
spoil() {
	printf 'damage' | dd of="$(blob "$1")" bs=1 seek=20 conv=notrunc status=none
}
# Lines without digests, sorted.
lines() {
	sed -E 's/(sha256:)?[0-9a-f]{64}/DIGEST/g' | LC_ALL=C sort | xargs
}
remains() {
	(cd "$root" && find tmp downloads -mindepth 1)
}
# Who looks into the store next makes its database anew, from what is there.
forget_rows() {
	rm "$root"/store.db*
}

registry plain
mkimage --name 1 "$work/img" "rand:big:3000000" "f:b:2" "f:c:3"
shale import -q -t "127.0.0.1:$port/t/demo:1" "$work/img" >/dev/null
shale push "127.0.0.1:$port/t/demo:1" >/dev/null
mkdir -p "$root/downloads"
cp -a "$root" "$work/good"
good() {
	rm -rf "$root"
	cp -a "$work/good" "$root"
}
digests

# --- one thing at a time, and all at once
mended() {
	local what=$1 want=$2 out status
	out=$(repair)
	status=$?
	ktap_is "$what: it is brought again" "0 $want" "$status $(lines <<<"$out")"
	ktap_is "$what: the store is clean, with the image" "No problems found. demo:1 " "$(check) $(names) $(remains)"
}
one="1 problem found, 1 repaired, 0 dropped."
spoil "${layers[0]}"
mended "a layer's blob that is damaged" "$one blob DIGEST: it does not have its digest: repaired"
rm "$(blob "${layers[1]}")"
mended "one that is missing" "$one blob DIGEST: it is missing: repaired"
: >"$(blob "${layers[2]}")"
mended "one that is empty" "$one blob DIGEST: it does not have its digest: repaired"
spoil "$config"
mended "the config" "$one blob DIGEST: it does not have its digest: repaired"
rm "$(blob "$manifest")"
mended "the manifest" "$one blob DIGEST: it is missing: repaired"
spoil "$manifest" && rm "$(blob "$config")" "$(blob "${layers[0]}")" && spoil "${layers[1]}"
rm -r "$root"/layers/sha256/*
mended "everything" "7 problems found, 7 repaired, 0 dropped. $(
	printf 'blob DIGEST: it does not have its digest: repaired %.0s' 1 2
	printf 'blob DIGEST: it is missing: repaired %.0s' 1 2
	printf 'layer DIGEST: its directory is missing: repaired %.0s' 1 2 3 | sed 's/ $//')"
ktap_is "layers are unpacked from what was brought" "2 3" "$(cat "$root"/layers/sha256/*/diff/b) $(cat "$root"/layers/sha256/*/diff/c)"
good
spoil "$manifest"
forget_rows
out=$(repair)
ktap_is "a manifest of which the database knows nothing" "0 $one image DIGEST: image DIGEST: blob DIGEST in $root is corrupt: repaired" \
	"$? $(lines <<<"$out")"
ktap_is "the image has its name again" "No problems found. demo:1" "$(check) $(names)"
rm "$(blob "$config")"
forget_rows
out=$(repair)
ktap_is "and so with its config" "0 1" "$? $(grep -c '^image .*: repaired$' <<<"$out")"
ktap_is "the image has its name again" "No problems found. demo:1" "$(check) $(names)"

# --- not asked for
spoil "${layers[0]}"
ktap_is "without --repair nothing is fetched" "1 1" "$(check >"$work/out"; echo $?) $(grep -c 'does not have its digest$' "$work/out")"
out=$(repair --no-fetch)
ktap_is "with --no-fetch neither, and the image is dropped" "0 2 problems found, 0 repaired, 2 dropped." "$? $(tail -n 1 <<<"$out")"
ktap_is "which needed it" "" "$(names)"

# --- several names: one leads to it
good
shale tag "127.0.0.1:$port/t/demo:1" "127.0.0.1:1/gone/demo:2"
shale tag "127.0.0.1:$port/t/demo:1" "127.0.0.1:$port/a/b:3"
python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE ref SET id = 100 WHERE name = ?", (sys.argv[2],))
db.commit()' "$root/store.db" "127.0.0.1:$port/t/demo:1"
spoil "${layers[0]}"
spoil "$config"
out=$(repair)
ktap_is "of an image's names one leads to it" "0 2 problems found, 2 repaired, 0 dropped." "$? $(tail -n 1 <<<"$out")"

# --- without a name
good
python3 -c '
import json, sys
index = json.load(open(sys.argv[1]))
for entry in index["manifests"]:
    del entry["annotations"]
json.dump(index, open(sys.argv[1], "w"))' "$root/index.json"
forget_rows
spoil "${layers[0]}"
out=$(repair)
ktap_is "an image without a name cannot be asked for" "0 1" \
	"$? $(grep -c 'and cannot be fetched again: no image that needs it has a name to ask a registry by: dropped$' <<<"$out")"

# --- gone
good
port_before=$port
end_servers
spoil "${layers[0]}"
out=$(repair)
status=$?
ktap_is "a registry that is gone: the image is dropped" "0 2 problems found, 0 repaired, 2 dropped." "$status $(tail -n 1 <<<"$out")"
ktap_ok "with the reason" grep -qiE "^blob sha256:${layers[0]}: it does not have its digest, and cannot be fetched again: .*127.0.0.1:$port_before.*connect.*: dropped$" <<<"$out"
ktap_is "and the store is clean" "No problems found. " "$(check) $(names)"

# --- lies
# lies FAULT WHAT REASON DAMAGE SUM: what a registry that lies costs, and what is said of it.
lies() {
	local fault=$1 what=$2 want=$3 out status
	rm -rf "$root"
	serve "$work/img"
	shale pull -q "127.0.0.1:$port/x:1" >/dev/null
	end_servers
	digests
	$4
	serve "$work/img" --fault "$fault"
	# The server of the image's name has another port now.
	sed -i -E "s|127\.0\.0\.1:[0-9]+/|127.0.0.1:$port/|" "$root/index.json"
	forget_rows
	out=$(repair)
	status=$?
	ktap_is "$what: the image is dropped" "0 $5" "$status $(tail -n 1 <<<"$out")"
	ktap_ok "$what: with the reason" grep -q "and cannot be fetched again: .*$want" <<<"$out"
	ktap_is "$what: and the store is clean" "No problems found.  " "$(check) $(names) $(remains)"
	end_servers
}
spoil_layer() {
	spoil "${layers[0]}"
}
rm_manifest() {
	rm "$(blob "$manifest")"
}
lies blob-flip "a registry that sends other bytes" "its bytes do not have its digest" spoil_layer "2 problems found, 0 repaired, 2 dropped."
lies blob-shorter "one that sends fewer" "layer sha256" spoil_layer "2 problems found, 0 repaired, 2 dropped."
lies manifest-lie "another manifest" "does not have its digest" rm_manifest "8 problems found, 7 repaired, 1 dropped."

# --- who asks
mkdir "$work/auth"
htpasswd -Bbn user secret >"$work/auth/htpasswd" 2>/dev/null
registry locked "" "auth: {htpasswd: {realm: x, path: $work/auth/htpasswd}}"
good
shale tag "127.0.0.1:$port_before/t/demo:1" "127.0.0.1:$port/t/demo:1"
shale rmi "127.0.0.1:$port_before/t/demo:1" >/dev/null
digests
shale push --creds user:secret "127.0.0.1:$port/t/demo:1" >/dev/null
rm -rf "$work/good"
cp -a "$root" "$work/good"
spoil "${layers[0]}"
ktap_is "credentials are used" "0 $one" "$(out=$(repair --creds user:secret); echo $? "$(tail -n 1 <<<"$out")")"
spoil "${layers[0]}"
ktap_is "wrong ones cost the image" "0 2 problems found, 0 repaired, 2 dropped." "$(out=$(repair --creds user:wrong); echo $? "$(tail -n 1 <<<"$out")")"
good
spoil "${layers[0]}"
ktap_is "--tls-verify is checked" 125 "$(repair --tls-verify=maybe >/dev/null; echo $?)"
ktap_is "so is --tries" 125 "$(repair --tries 0 >/dev/null; echo $?)"
printf '{"auths":{"127.0.0.1:%s":{"auth":"%s"}}}' "$port" "$(printf user:secret | base64)" >"$DOCKER_CONFIG/config.json"
ktap_is "credentials of config.json are used, too" "0 $one" "$(out=$(repair); echo $? "$(tail -n 1 <<<"$out")")"
end_servers
ktap_end
