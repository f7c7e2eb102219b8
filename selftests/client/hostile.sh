#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull from a registry that lies: wrong digests and lengths, cut-off and endless answers, errors, stalls, redirects
# to everywhere. Each is one clear error, costs little memory and disk, and leaves nothing; and credentials go to nobody
# they are not meant for.
set -u
. "$(dirname "$0")/common"

ktap_plan 94

mkimage --name demo "$work/img" "rand:a:3000000"
truncate -s 150M "$work/zeros" && tar --format=ustar -C "$work" -cf "$work/bomb.tar" zeros && rm "$work/zeros"

# refused WANT FAULT [ARGUMENT...]: with that fault a pull is one line of error, which has WANT in it.
refused() {
	local want=$1 fault=$2 out status
	shift 2
	rm -rf "$root"
	serve "$work/img" --fault "$fault"
	out=$(/usr/bin/time -o "$work/time" -f '%M' "$program" pull --root "$root" -q --tries 2 --timeout 2 "$@" \
		"127.0.0.1:$port/x:demo" 2>&1)
	status=$?
	end_servers
	[ $status -eq 1 ] && [ "$(wc -l <<<"$out")" -eq 1 ] && [ "${out:0:7}" = "shale: " ] && grep -qF -- "$want" <<<"$out" && return
	echo "status $status: $out"
	return 1
}

# What is left, but for layers that were downloaded whole and have their digest.
unverified() {
	leftovers | while read -r file; do
		[ "downloads/$(sha256sum <"$root/$file" | cut -c1-64)" = "$file" ] || echo "$file"
	done
}

# KiB the last pull took.
memory() {
	tail -1 "$work/time"
}

# lie DESCRIPTION WANT FAULT: and nothing is left.
lie() {
	ktap_ok "$1" refused "$2" "$3" "${@:4}"
	ktap_is "$1: nothing is left" "" "$(unverified)"
}

lie "a manifest that is not the one it names" "sends a manifest that is not sha256:" manifest-change
lie "a manifest without layers" "field 'layers'" manifest-lie
lie "a manifest that is no manifest" "manifest: nested deeper than" manifest-json
lie "a manifest of another type" "content type 'text/html', which is no manifest" manifest-type:text/html
lie "a manifest that says it is an index" "and the manifest says" manifest-type:application/vnd.oci.image.index.v1+json
lie "a manifest of 10 GB" "sends more than the limit of 4194304 bytes" manifest-huge
ktap_ok "costs little memory" test "$(memory)" -lt 40000
lie "a manifest without an end" "sends more than the limit of 4194304 bytes" manifest-endless
ktap_ok "costs little memory" test "$(memory)" -lt 40000
lie "a small manifest that is large when it is not compressed" "127.0.0.1:" manifest-gzip
ktap_ok "costs little memory" test "$(memory)" -lt 40000
lie "headers without an end" "bytes of headers" manifest-headers
ktap_ok "cost little memory" test "$(memory)" -lt 40000
lie "an error without an end" "404 not found" manifest-endless:404
lie "500 for ever" "gave up after 2 tries: 127.0.0.1:" manifest-status:500
lie "403" "403 access denied: DENIED: because I say so" manifest-status:403
lie "429 for too long" "asks to come back in 100000 seconds" manifest-status:429,100000
lie "429 until a date in another century" "asks to come back in" "manifest-status:429,Sun, 06 Nov 2194 08:49:37 GMT"
lie "418" "418 unexpected answer" manifest-status:418
lie "204 to a download" "instead of" blob-status:204
lie "a manifest that never comes" "nothing arrives" manifest-stall
lie "a layer that never comes" "nothing arrives" blob-stall
lie "connections without an answer" "closes the connection without an answer" manifest-close
lie "no HTTP" "127.0.0.1:" ping-garbage
lie "redirects in a circle" "redirects more than 10 times" manifest-redirect:SELF
lie "a redirect to a file" "redirects to 'file:///etc/passwd'" manifest-redirect:file:///etc/passwd
lie "a redirect to nowhere" "127.0.0.1:1: cannot connect" blob-redirect:http://127.0.0.1:1/x
lie "a layer with another digest" "its bytes do not have its digest" blob-flip
lie "a layer that is longer" "instead of" blob-longer
lie "a layer that is longer, without a length" "sends more than" blob-longer-chunked
lie "a layer that is shorter" "instead of" blob-shorter
lie "a layer of 10 GB" "has 10737418240 bytes of it instead of" layer-huge
lie "a layer without an end" "sends more than" layer-endless
ktap_ok "costs little memory" test "$(memory)" -lt 40000
lie "a config without an end" "sends more than the limit of" blob-endless
lie "another image's config" "config" blob-status:404

# --- it breaks off again and again
rm -rf "$root"
serve "$work/img" --fault blob-cut:1000
out=$(shale pull -q --tries 3 "127.0.0.1:$port/x:demo" 2>&1)
ktap_ok "a layer that breaks off for ever" grep -q "gave up after 3 tries: .*ends before all was sent" <<<"$out"
ktap_is "only what was downloaded is left" downloads "$(leftovers | sed 's|/.*||' | sort -u)"
end_servers
rm -rf "$root"
serve "$work/img" --fault blob-range --fault 'blob-cut*1:1000'
ktap_ok "a part that is another than was asked for" ! shale pull -q "127.0.0.1:$port/x:demo"
end_servers

# --- who gets credentials
serve "$work/img" --auth bearer
other=$port other_log=$log
serve "$work/img" --auth basic:user:secret --fault "blob-redirect:http://127.0.0.1:$other/v2/x/blobs/SELF"
rm -rf "$root"
shale pull -q --tries 1 --creds user:secret "127.0.0.1:$port/x:demo" >/dev/null 2>&1
ktap_ok "the registry itself gets them" grep -q ' Basic$' <(answers)
ktap_ok "a redirect to another port is followed" test -s "$other_log"
ktap_is "and not told who we are" "-" "$(awk '{ print $NF }' "$other_log" | sort -u)"
end_servers

serve "$work/img" --auth bearer:
other=$port other_log=$log
serve "$work/img" --auth bearer --fault "blob-redirect:http://localhost:$other/v2/x/blobs/SELF"
rm -rf "$root"
shale pull -q --tries 1 "127.0.0.1:$port/x:demo" >/dev/null 2>&1
ktap_ok "a token is for the registry" grep -q ' Bearer$' <(answers)
ktap_ok "a redirect to another host is followed" test -s "$other_log"
ktap_is "without it" "-" "$(awk '{ print $NF }' "$other_log" | sort -u)"
end_servers

# --- one layer is wrong while others come
mkimage --name wrong --edit-config 'config["rootfs"]["diff_ids"][0] = "sha256:" + "0" * 64' "$work/img" "f:a:1" "rand:b:3000000"
rm -rf "$root"
serve "$work/img" --rate 500000
out=$(shale pull -q "127.0.0.1:$port/x:wrong" 2>&1)
ktap_is "a layer that is not the config's, while others come" 1 $?
ktap_ok "is what the error is about" grep -qF 'does not have the diff id sha256:0000' <<<"$out"
end_servers

# --- what is small until it is unpacked
mkimage --name bomb "$work/img" "tar:$work/bomb.tar"
serve "$work/img"
rm -rf "$root"
/usr/bin/time -o "$work/time" -f '%M' "$program" pull --root "$root" -q "127.0.0.1:$port/x:bomb" >/dev/null
ktap_is "a layer a thousand times as large as its blob" 0 $?
ktap_ok "costs little memory" test "$(memory)" -lt 60000
ktap_ok "and little disk, as it is zeros" test "$(du -sm "$root" | cut -f1)" -lt 20
end_servers
mkimage --name demo "$work/img" "rand:a:3000000"

# --- token servers
token_case() {
	local want=$1 out
	shift
	rm -rf "$root"
	serve "$work/img" --auth bearer "$@"
	out=$(shale pull -q --tries 2 --timeout 2 ${creds:+--creds "$creds"} "127.0.0.1:$port/x:demo" 2>&1)
	status=$?
	end_servers
	grep -qF -- "$want" <<<"$out" && [ "$(wc -l <<<"$out")" -eq 1 ] && return
	echo "$out"
	return 1
}
creds=""
ktap_ok "a token for nobody" token_case "/x:demo"
creds=user:secret
ktap_ok "a token for somebody" token_case "/x:demo" --token-user user:secret
ktap_ok "a token that is of no use" token_case "401 unauthorized: UNAUTHORIZED: authentication required" --token bad
ktap_ok "a token with a line end" token_case "its token is no token" --token "$(printf 'a\r\nX-Evil: 1')"
ktap_ok "no token" token_case "its answer has no token" --token-field other
ktap_ok "a token server that fails" token_case "asking for a token: gave up after 2 tries" --fault token-status:500
ktap_ok "a token server without an end" token_case "asking for a token: " --fault token-endless
ktap_ok "a token server that is nowhere" token_case "asking for a token: gave up after 2 tries: 127.0.0.1:1: cannot connect" \
	--realm http://127.0.0.1:1/token
ktap_ok "a token server that is no URL" token_case "asking for a token: " --realm file:///etc/passwd
printf '{"auths": {"127.0.0.1:%s": {"identitytoken": "refresh"}}}' 1 >"$DOCKER_CONFIG/config.json"
rm -rf "$root"
serve "$work/img" --auth bearer --refresh-token refresh --token-field access_token
printf '{"auths": {"127.0.0.1:%s": {"auth": "", "identitytoken": "refresh"}}}' "$port" >"$DOCKER_CONFIG/config.json"
ktap_ok "a refresh token, by POST" shale pull -q "127.0.0.1:$port/x:demo"
ktap_is "never in a URL" 0 "$(answers | grep -c 'refresh')"
ktap_is "and once" 1 "$(requests '^POST')"
end_servers
rm "$DOCKER_CONFIG/config.json"

# --- certificates
certificate good
rm -rf "$root"
serve "$work/img" --cert "$work/good"
ktap_ok "on this machine any certificate will do" shale pull -q "127.0.0.1:$port/x:demo"
end_servers

ktap_end
