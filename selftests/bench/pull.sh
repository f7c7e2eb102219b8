#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# pull.sh - CPU seconds and peak memory of shale pull beside skopeo copy, of an image of Debian packages (about 220 MB)
# in Debian's docker-registry on this machine, in turns. Prints a table and asserts nothing: what is aimed at is 0.6 of
# skopeo's CPU and 12 MiB for a pull that only downloads. Called by hand and by `make bench-pull`.
#
#	pull.sh [TURNS]
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/cache.sh
. scripts/lib/cache.sh
turns=${1:-3}
program=$PWD/build/user/shale
work=$(mktemp -d "${TMPDIR:-/var/tmp}/shale-bench.XXXXXX")
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
: >"$CONTAINERS_REGISTRIES_CONF"

# A base, and on it a layer of packages: the tree is what dpkg unpacks, without running anything of it.
make_image() {
	mmdebstrap --quiet --variant=extract --include=python3,perl,git,gcc,g++,vim,cmake bookworm "$work/tree" - \
		<<<"$(bookworm_sources)" >&2
	umoci init --layout "$work/image"
	umoci new --image "$work/image:x"
	tar -C "$work/tree" --sort=name -cf "$work/base.tar" --exclude=./usr/lib --exclude=./usr/share .
	tar -C "$work/tree" --sort=name -cf "$work/lib.tar" ./usr/lib
	tar -C "$work/tree" --sort=name -cf "$work/share.tar" ./usr/share
	rm -rf "$work/tree"
	for layer in base lib share; do
		umoci raw add-layer --image "$work/image:x" "$work/$layer.tar"
		rm "$work/$layer.tar"
	done
}

start_registry() {
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >"$work/registry.yml" <<-END
		version: 0.1
		log: {level: error, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $work/registry}}
		http: {addr: "127.0.0.1:$port"}
	END
	docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
	pid=$!
	for _ in $(seq 100); do
		! curl -s --max-time 2 "http://127.0.0.1:$port/v2/" >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# measure NAME COMMAND...: CPU, peak memory and time into $work/NAME.
measure() {
	local name=$1
	shift
	/usr/bin/time -a -o "$work/$name" -f '%U %S %M %e' "$@" >/dev/null
}

row() {
	awk -v name="$1" '{ cpu = $1 + $2; if (NR == 1 || cpu < least) least = cpu; if ($3 > most) most = $3; wall += $4 }
		END { printf "%-28s %8.2f %10.1f %8.2f\n", name, least, most / 1024, wall / NR }' "$work/$2"
}

least() {
	awk '{ cpu = $1 + $2; if (NR == 1 || cpu < least) least = cpu } END { print least }' "$work/$1"
}

make_image
start_registry
skopeo copy -q --dest-tls-verify=false "oci:$work/image:x" "docker://127.0.0.1:$port/bench/image:x"
name=127.0.0.1:$port/bench/image:x
for _ in $(seq "$turns"); do
	rm -rf "$work/copy" "$work/store"
	measure skopeo skopeo copy -q --src-tls-verify=false "docker://$name" "oci:$work/copy:x"
	measure download "$program" pull --root "$work/store" -q --download-only "$name"
	rm -rf "$work/store"
	measure pull "$program" pull --root "$work/store" -q "$name"
done
size=$(find "$work/image/blobs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s / 1e6 }')
printf '%-28s %8s %10s %8s\n' "image of $size MB" "CPU s" "peak MiB" "wall s"
row "skopeo copy" skopeo
row "shale pull --download-only" download
row "shale pull (and unpack)" pull
echo "CPU of download-only to skopeo: $(awk -v a="$(least download)" -v b="$(least skopeo)" 'BEGIN { printf "%.2f", a / b }')"
