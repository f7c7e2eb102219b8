#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# unpack.sh - CPU seconds and peak memory of shale pull, which unpacks, beside podman pull and containerd (ctr images pull), of
# the same image in the same registry on this machine, in turns. The peers have private roots and a private socket;
# containerd's daemon counts with its client. Prints a table and asserts nothing: what is aimed at is 0.33 of either's CPU
# and 24 MiB. Called by hand and by `make bench-unpack`; overlayfs must be there for the peers.
#
#	unpack.sh [TURNS]
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/cache.sh
. scripts/lib/cache.sh
turns=${1:-3}
program=$PWD/build/user/shale
# shellcheck source-path=SCRIPTDIR source=image
. selftests/bench/image
daemon_pid=
trap 'end_peers; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
tick=$(getconf CLK_TCK)

end_peers() {
	local pid
	for pid in $daemon_pid $registry_pid; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	# What podman has mounted beneath its root, if it was interrupted.
	awk -v dir="$work/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r mount; do
		umount "$mount"
	done
}

start_containerd() {
	local i
	cat >"$work/containerd.toml" <<-END
		version = 2
		root = "$work/containerd/root"
		state = "$work/containerd/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
		[grpc]
		address = "$work/containerd.sock"
	END
	containerd --config "$work/containerd.toml" --log-level error >"$work/containerd.log" 2>&1 &
	daemon_pid=$!
	for ((i = 0; i < 200; i++)); do
		! ctr --address "$work/containerd.sock" version >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	cat "$work/containerd.log" >&2
	return 1
}

# Ticks of CPU the daemon and its children have had: user and system.
daemon_ticks() {
	sed 's/.*) //' "/proc/$daemon_pid/stat" | awk '{ print $12 + $14, $13 + $15 }'
}

# The client is measured as others are, and what the daemon has taken meanwhile is added; of the peaks both count.
measure_containerd() {
	local before after peak
	ctr --address "$work/containerd.sock" images rm --sync "$name" >/dev/null 2>&1 || true
	echo 5 >"/proc/$daemon_pid/clear_refs"
	before=$(daemon_ticks)
	rm -f "$work/rows/ctr"
	measure ctr ctr --address "$work/containerd.sock" images pull --plain-http "$name"
	after=$(daemon_ticks)
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$daemon_pid/status")
	awk -v before="$before" -v after="$after" -v tick="$tick" -v peak="$peak" '{
		split(before, b); split(after, a)
		print $1 + (a[1] - b[1]) / tick, $2 + (a[2] - b[2]) / tick, $3 + peak, $4 }' "$work/rows/ctr" >>"$work/rows/containerd"
}

podman=(podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver overlay --cgroup-manager cgroupfs
	--events-backend file --tmpdir "$work/podman-tmp")

start_registry
start_containerd
for _ in $(seq "$turns"); do
	rm -rf "$work/store"
	measure shale "$program" pull --root "$work/store" -q "$name"
	rm -rf "$work/store"
	measure podman "${podman[@]}" pull -q --tls-verify=false "$name"
	"${podman[@]}" rmi -af >/dev/null
	measure_containerd
done
head_row
row "shale pull" shale shale
row "podman pull, overlay" podman shale
row "containerd and ctr, overlayfs" containerd shale
echo "CPU of shale to podman: $(awk -v a="$(least shale)" -v b="$(least podman)" 'BEGIN { printf "%.2f", a / b }'), to containerd:" \
	"$(awk -v a="$(least shale)" -v b="$(least containerd)" 'BEGIN { printf "%.2f", a / b }')"
