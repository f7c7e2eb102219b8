#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull from a registry that is not on this machine, as far as its name tells: whose certificates are trusted, where
# http will do, and that credentials do not go over it. The name is one of a mount namespace of its own.
set -u
. "$(dirname "$0")/common"

ktap_plan 13

cat /etc/hosts >"$work/hosts" 2>/dev/null
echo "127.0.0.1 registry.test other.test" >>"$work/hosts"
elsewhere() {
	unshare -m sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$work/hosts" "$@"
}
if ! elsewhere true 2>/dev/null; then
	for ((i = 1; i <= ktap_planned; i++)); do
		ktap_skip "a registry that is elsewhere" "no mount namespaces here"
	done
	ktap_end
fi
pull() { elsewhere "$program" pull --root "$root" -q --tries 1 "$@" 2>&1; }
refused() {
	local want=$1 out
	shift
	rm -rf "$root"
	out=$(pull "$@") && { echo "it succeeds: $out"; return 1; }
	[ "$(wc -l <<<"$out")" -eq 1 ] && grep -qF -- "$want" <<<"$out" && return
	echo "$out"
	return 1
}

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/ca.key" -out "$work/ca.crt" -days 2 -subj /CN=root 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout "$work/host.key" -out "$work/host.csr" -subj /CN=registry.test 2>/dev/null
openssl x509 -req -in "$work/host.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 2 -out "$work/host.crt" \
	-extfile <(echo "subjectAltName=DNS:registry.test") 2>/dev/null
mkdir "$work/certs" && cp "$work/ca.crt" "$work/certs"
mkimage --name demo "$work/img" "f:one:1"

serve "$work/img" --cert "$work/host"
ktap_ok "a certificate that nobody knows" refused "its certificate is not trusted" "registry.test:$port/x:demo"
ktap_ok "with --cert-dir it is known" pull --cert-dir "$work/certs" "registry.test:$port/x:demo"
ktap_ok "for its own name" refused "its certificate is not trusted" --cert-dir "$work/certs" "other.test:$port/x:demo"
rm -rf "$root"
ktap_ok "with --tls-verify=false any will do" pull --tls-verify=false "registry.test:$port/x:demo"
ktap_ok "a directory that is not there" refused "No such file or directory" --cert-dir "$work/none" "registry.test:$port/x:demo"
end_servers

serve "$work/img" --auth basic:user:secret
ktap_ok "plain http is not spoken" refused "does not speak TLS" --creds user:secret "registry.test:$port/x:demo"
ktap_is "and nobody is told who we are" "" "$(cat "$log")"
rm -rf "$root"
ktap_ok "with --tls-verify=false it is" pull --tls-verify=false --creds user:secret "registry.test:$port/x:demo"
end_servers

serve "$work/img" --auth bearer --realm "http://registry.test:1/token" --cert "$work/host"
ktap_ok "a token server without TLS gets no password" refused "credentials are not sent over plain http" \
	--creds user:secret --cert-dir "$work/certs" "registry.test:$port/x:demo"
end_servers

serve "$work/img"
plain=$port plain_log=$log
serve "$work/img" --cert "$work/host" --fault "blob-redirect:http://registry.test:$plain/SELF"
ktap_ok "a redirect from https to http is not followed" refused "redirects from https to" --cert-dir "$work/certs" \
	"registry.test:$port/x:demo"
ktap_is "and nothing is asked there" "" "$(cat "$plain_log")"
printf '[[registry]]\nlocation = "registry.test:%s"\ninsecure = true\n' "$plain" >"$CONTAINERS_REGISTRIES_CONF"
rm -rf "$root"
ktap_ok "insecure in registries.conf" pull "registry.test:$plain/x:demo"
: >"$CONTAINERS_REGISTRIES_CONF"
ktap_ok "and not without" refused "does not speak TLS" "registry.test:$plain/x:demo"
end_servers

ktap_end
