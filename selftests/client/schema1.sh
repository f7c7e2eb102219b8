#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull of docker's schema 1: refused until it is allowed, then verified and converted; from manifests made by hand in
# every shape and with every damage, and from Debian's docker-registry, where skopeo has put one and where the registry
# itself makes one.
set -u
. "$(dirname "$0")/common"

ktap_plan 51

mkimage --name demo --compress gzip --edit-config 'config["history"] = [{"created": "2015-01-01T00:00:00Z", "created_by": "make"}] * 3' \
	"$work/img" "d:etc,f:etc/issue:hello" "f:second:2" "f:third:3,f:etc/.wh.issue:"
plain_diffs=$(python3 - "$work/img" <<-'END'
	import json, os, sys
	read = lambda digest: json.load(open(sys.argv[1] + "/blobs/sha256/" + digest[7:]))
	manifest = read(json.load(open(sys.argv[1] + "/index.json"))["manifests"][0]["digest"])
	print(json.dumps(read(manifest["config"]["digest"])["rootfs"]["diff_ids"], separators=(",", ":")))
END
)
# again [OPTION...]: a new image x:old, with its digest in $digest.
again() {
	end_servers
	rm -rf "$root"
	digest=$("$here/schema1" "$@" "$work/img" demo old) || echo "# schema1 fails"
	serve "$work/img"
}
pull() { shale pull -q --tries 1 "$@" "127.0.0.1:$port/x:old"; }
# refused WANT ARGUMENT...
refused() {
	local want=$1 out
	shift
	out=$(shale pull -q --tries 1 "$@" 2>&1) && { echo "it succeeds: $out"; return 1; }
	[ "$(wc -l <<<"$out")" -eq 1 ] && grep -qF -- "$want" <<<"$out" && return
	echo "$out"
	return 1
}

# --- whether it may be
again
ktap_ok "refused, and the way to allow it is said" refused "with --schema1, or with 'schema1 = true' for the registry" \
	"127.0.0.1:$port/x:old"
ktap_is "nothing is left of it" "" "$(leftovers)"
ktap_ok "no other kind was asked for" test "$(requests 'manifests/')" -eq 1
ktap_ok "with --schema1" pull --schema1
ktap_is "the image has its layers" "$plain_diffs" "$(shale inspect --format '{{json .RootFS.Layers}}' "127.0.0.1:$port/x:old")"
ktap_is "and its steps, of which one made no layer" "4 1" \
	"$(python3 - "$root" <<-'END'
		import json, os, sys
		for name in os.listdir(sys.argv[1] + "/blobs/sha256"):
		    data = open(sys.argv[1] + "/blobs/sha256/" + name, "rb").read()
		    if data[:1] == b"{" and b'"history"' in data:
		        history = json.loads(data)["history"]
		        print(len(history), sum(1 for step in history if step.get("empty_layer")))
	END
	)"
ktap_is "their commands" "/bin/sh -c make 0" "$(shale history --no-trunc --format '{{.CreatedBy}}' "127.0.0.1:$port/x:old" | tail -1)"
ktap_is "the last step's words" "the last" "$(shale history --format '{{.Comment}}' "127.0.0.1:$port/x:old" | head -1)"
ktap_is "and architecture" amd64 "$(shale inspect --format '{{.Architecture}}' "127.0.0.1:$port/x:old")"
ktap_is "and nothing only such images have" "" "$(grep -lE '"(parent|throwaway|Size)"' "$root"/blobs/sha256/*)"
ktap_is "the step without a layer is not asked for" 0 "$(requests 'blobs/sha256:aaaa')"
ktap_is "all blobs are good" "" "$(blobs | grep damaged)"
ktap_is "skopeo can read it" '3' "$(skopeo inspect --format '{{len .Layers}}' "oci:$root:127.0.0.1:$port/x:old")"
before=$(body_bytes '/blobs/')
ktap_ok "again" pull --schema1
ktap_is "downloads nothing" "$before" "$(body_bytes '/blobs/')"
ktap_is "and it is the same image" 1 "$(shale images -q | wc -l)"
ktap_is "up to date" "Status: Image is up to date for 127.0.0.1:$port/x:old" \
	"$(shale pull --schema1 "127.0.0.1:$port/x:old" | grep ^Status)"
rm -rf "$root"
ktap_ok "by its digest, which is the payload's" shale pull -q --schema1 "127.0.0.1:$port/x@$digest"
rm -rf "$root"
ktap_ok "another platform than is asked for" refused "is for linux/amd64, not for linux/s390x" --schema1 --platform linux/s390x \
	"127.0.0.1:$port/x:old"
ktap_ok "download only" pull --schema1 --download-only
ktap_is "brings the layers" 3 "$(find "$root/downloads" -type f | wc -l)"
: >"$log"
ktap_ok "which the next pull does not fetch" pull --schema1
ktap_is "again" 0 "$(body_bytes '/blobs/')"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\nschema1 = true\n' "$port" >"$CONTAINERS_REGISTRIES_CONF"
rm -rf "$root"
ktap_ok "allowed by registries.conf" pull
: >"$CONTAINERS_REGISTRIES_CONF"

# --- keys
for key in ec384 rsa x5c ec,rsa; do
	again --key $key
	ktap_ok "signed with $key" pull --schema1
done
again --twice
ktap_ok "a step that comes twice in a row" pull --schema1
ktap_is "counts once" 3 "$(shale inspect --format '{{len .RootFS.Layers}}' "127.0.0.1:$port/x:old")"

# --- what is wrong with it
# damaged WHAT WANT [OPTION...]
damaged() {
	again --damage "$1" "${@:3}"
	refused "$2" --schema1 "127.0.0.1:$port/x:old" || return 1
	[ -z "$(leftovers)" ] || { leftovers; return 1; }
}
ktap_ok "a signature that is wrong" damaged signature "signatures[0]: it is not of its key"
ktap_ok "an RSA signature that is wrong" damaged signature "signatures[0]: it is not of its key" --key rsa
ktap_ok "another one's key" damaged key "signatures[0]: it is not of its key"
ktap_ok "a good signature and a bad one" damaged second "signatures[1]: it is not of its key"
ktap_ok "a payload that was changed" damaged payload "signatures[0]: it is not of its key"
ktap_ok "a layer that was exchanged" damaged blob "signatures[0]: it is not of its key"
ktap_ok "no signature" damaged unsigned "it is not signed"
ktap_ok "no algorithm" damaged alg "algorithm 'none' is not its key's"
ktap_ok "an RSA key that is weak" damaged none "an RSA key of 1024 bits" --key rsa1024
ktap_ok "a payload longer than the manifest" damaged length "longer than the document"
ktap_ok "a version that is another" damaged version "schemaVersion is not 1"
ktap_ok "a history that is shorter" damaged history "4 layers with a history of 3"
ktap_ok "a step on another one" damaged chain "and should be on"
ktap_ok "a base that is on something" damaged base "and should be on ''"
ktap_ok "steps in a circle" damaged loop "comes twice"
ktap_ok "an id that is none" damaged id "its id is none"
again
end_servers
serve "$work/img" --fault manifest-type:text/plain
ktap_ok "of an unknown type it is not taken for one" refused "127.0.0.1:$port: sends a manifest that is not" --schema1 \
	"127.0.0.1:$port/x:old"
end_servers

# --- Debian's registry
registry old "" "compatibility: {schema1: {enabled: true}}"
skopeo copy -q --dest-tls-verify=false --format v2s1 "oci:$work/img:demo" "docker://127.0.0.1:$port/t/one:1"
rm -rf "$root"
ktap_ok "what skopeo has put into docker-registry" shale pull -q --schema1 "127.0.0.1:$port/t/one:1"
ktap_is "has its layers" "$plain_diffs" "$(shale inspect --format '{{json .RootFS.Layers}}' "127.0.0.1:$port/t/one:1")"
skopeo copy -q --dest-tls-verify=false --format v2s2 "oci:$work/img:demo" "docker://127.0.0.1:$port/t/two:1"
serve "http://127.0.0.1:$port" --fault manifest-old
rm -rf "$root"
ktap_ok "what docker-registry makes for old clients" shale pull -q --schema1 "127.0.0.1:$port/t/two:1"
ktap_is "has its layers, too" "$plain_diffs" "$(shale inspect --format '{{json .RootFS.Layers}}' "127.0.0.1:$port/t/two:1")"

ktap_end
