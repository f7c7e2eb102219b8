#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# pull.sh - CPU seconds and peak memory of shale pull beside skopeo copy, of an image of Debian packages in Debian's
# docker-registry on this machine, in turns. Prints a table and asserts nothing: what is aimed at is 0.6 of skopeo's
# CPU and 12 MiB for a pull that only downloads. Called by hand and by `make bench-pull`.
#
#	pull.sh [TURNS]
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/cache.sh
. scripts/lib/cache.sh
turns=${1:-3}
program=$PWD/build/user/shale
# shellcheck source-path=SCRIPTDIR source=image
. selftests/bench/image
trap '[ -z "$registry_pid" ] || kill "$registry_pid"; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

start_registry
for _ in $(seq "$turns"); do
	rm -rf "$work/copy" "$work/store"
	measure skopeo skopeo copy -q --src-tls-verify=false "docker://$name" "oci:$work/copy:x"
	measure download "$program" pull --root "$work/store" -q --download-only "$name"
	rm -rf "$work/store"
done
head_row
row "skopeo copy" skopeo skopeo
row "shale pull --download-only" download skopeo
