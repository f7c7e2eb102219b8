#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull with a registries.conf: mirrors that have the image, that fail in the middle, that lie and that are not there;
# what is asked of whom, and who is told who we are.
set -u
. "$(dirname "$0")/common"

ktap_plan 26

mkimage --name demo "$work/img" "rand:a:3000000" "f:b:2"
mkdir "$work/empty" && cp "$work/img/oci-layout" "$work/empty" && mkdir -p "$work/empty/blobs/sha256"
echo '{"schemaVersion": 2, "manifests": []}' >"$work/empty/index.json"

# conf HOST LINE...: what registries.conf says of a registry.
conf() {
	printf '[[registry]]\nlocation = "%s"\n' "$1" >"$CONTAINERS_REGISTRIES_CONF"
	printf '%s\n' "${@:2}" >>"$CONTAINERS_REGISTRIES_CONF"
}
mirror() { printf '[[registry.mirror]]\nlocation = "%s"\n' "$1"; }

# two FAULTS-OF-THE-MIRROR...: a mirror and a registry, $mirror and $port with $mirror_log and $log.
two() {
	end_servers
	rm -rf "$root"
	serve "${mirror_layout:-$work/img}" "$@"
	mirror=$port mirror_log=$log
	serve "$work/img" --auth "${auth:-}"
	conf "127.0.0.1:$port" "$(mirror "127.0.0.1:$mirror")"
}
pull() { shale pull -q --tries 2 --timeout 2 "127.0.0.1:$port/x:demo"; }

two
ktap_ok "from a mirror" pull
ktap_ok "which is asked" test -s "$mirror_log"
ktap_is "and nobody else" "" "$(cat "$log")"
ktap_is "under the name of the registry" "127.0.0.1:$port/x" "$(shale images | awk 'NR == 2 { print $1 }')"
mirror_layout=$work/empty two
ktap_ok "a mirror that does not have it" pull
ktap_ok "was asked first" grep -q 'manifests/demo' "$mirror_log"
two --fault manifest-status:500
ktap_ok "a mirror that fails" pull
two --fault blob-status:500
ktap_ok "a mirror that fails at the layers" pull
two --fault blob-cut:100000
ktap_ok "a mirror that breaks off" pull
two --fault blob-flip
ktap_ok "a mirror that lies" pull
ktap_is "all blobs are good" "" "$(blobs | grep damaged)"
two --fault blob-redirect:http://127.0.0.1:1/
ktap_ok "a mirror that sends us to nowhere" pull
two --fault manifest-change
ktap_ok "a mirror whose manifest is not what it says" pull
two --fault manifest-stall
ktap_ok "a mirror that stalls" pull
conf "127.0.0.1:$port" "$(mirror 127.0.0.1:1)"
rm -rf "$root"
ktap_ok "a mirror that is not there" pull
auth=basic:user:secret two --fault blob-status:404
ktap_ok "credentials that were given" shale pull -q --tries 2 --creds user:secret "127.0.0.1:$port/x:demo"
ktap_is "are not for the mirror" "-" "$(awk '{ print $NF }' "$mirror_log" | sort -u)"

# --- other names
end_servers
rm -rf "$root"
serve "$work/img"
printf '[[registry]]\nprefix = "example.com/team"\nlocation = "127.0.0.1:%s/there"\n' "$port" >"$CONTAINERS_REGISTRIES_CONF"
ktap_ok "a registry that is somewhere else" shale pull -q example.com/team/x:demo
ktap_ok "and its repository" grep -q '/v2/there/x/manifests/demo' <(answers)
printf '[[registry]]\nprefix = "*.example.com"\nlocation = "127.0.0.1:%s"\n' "$port" >"$CONTAINERS_REGISTRIES_CONF"
ktap_ok "all hosts of a domain" shale pull -q some.example.com/y:demo

# --- what it may not say
refused() {
	local want=$1 out
	printf '%b' "$2" >"$CONTAINERS_REGISTRIES_CONF"
	out=$(shale pull -q "127.0.0.1:$port/x:demo" 2>&1) && return 1
	grep -qF -- "$want" <<<"$out" && return
	echo "$out"
	return 1
}
ktap_ok "a registry that is blocked" refused "is blocked by registries.conf" "[[registry]]\nlocation = \"127.0.0.1:$port\"\nblocked = true\n"
ktap_ok "a registry without a location" refused "a registry without a location" "[[registry]]\ninsecure = true\n"
ktap_ok "a flag that is none" refused "line 3: true or false is needed" "[[registry]]\nlocation = \"x\"\ninsecure = \"yes\"\n"
ktap_ok "no TOML" refused "line 1: '=' is missing" "registry\n"
ktap_ok "a string without an end" refused "does not end" "unqualified-search-registries = [\"docker.io]\n"
echo 'unqualified-search-registries = ["docker.io", # here
"quay.io"]' >"$CONTAINERS_REGISTRIES_CONF"
ktap_ok "what we do not need is left alone" shale pull -q "127.0.0.1:$port/x:demo"
end_servers

ktap_end
