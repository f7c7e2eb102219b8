#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store on a disk without room: import, rmi, prune and check --repair with every amount of it that is too little, and
# from 4 KiB to 4 KiB where the database and index.json are written. Each either does its work or says that
# there is no space, and leaves a store that is as before, checks clean and has nothing more.
set -u
. "$(dirname "$0")/common"

if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
	ktap_plan 1
	ktap_skip "a store on a full disk" "only root can mount"
	ktap_end
fi
# The mount goes with the namespace, whatever becomes of this script.
if [ -z "${SHALE_TEST_UNSHARED-}" ]; then
	rm -rf "$work"
	SHALE_TEST_UNSHARED=1 exec unshare -m "$0" "$@"
fi
ktap_plan 7

disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=8m tmpfs "$disk" || exit 1
trap 'umount -l "$disk"; rm -rf "$work"' EXIT
root=$disk/store

mkimage --name kept:1 "$work/img" "rand:kept:20000"
mv "$work/img" "$work/kept"
mkimage --name more:1 "$work/img" "rand:kept:20000" "rand:m1:100000,rand:m2:100000" "rand:m3:50000,f:x/y:z"
mv "$work/img" "$work/more"
shale import "$work/kept" >/dev/null
with_one=$(snapshot)
shale import "$work/more" >/dev/null
with_two=$(snapshot)

# room KIB: fills the disk until there is that much left.
room() {
	local free

	rm -f "$disk/filler"
	free=$(df --output=avail -k "$disk" | tail -n 1)
	head -c $(((free - $1) * 1024)) /dev/zero >"$disk/filler"
}

# try KIB BEFORE AFTER COMMAND...: what it leaves is one of the two, by its status.
done_at=-1 failures=0 refusals=0
try() {
	local kib=$1 before=$2 after=$3 out status want
	shift 3
	room "$kib"
	out=$(shale "$@" 2>&1)
	status=$?
	rm -f "$disk/filler"
	# What could not be cleaned up for want of room the next command cleans up.
	shale rmi nobody >/dev/null 2>&1
	want=$before
	[ $status -ne 0 ] || want=$after
	if [ $status -eq 0 ]; then
		done_at=$kib
	elif [[ $out == *"No space left on device"* ]]; then
		refusals=$((refusals + 1))
	else
		failures=$((failures + 1))
		echo "# '$*' with $kib KiB: $out"
	fi
	if [ "$(snapshot)" != "$want" ]; then
		failures=$((failures + 1))
		echo "# '$*' with $kib KiB, status $status: $out"
		diff <(echo "$want") <(snapshot) | sed 's/^/#   /' | head -n 8
	fi
	if ! out=$(shale system check 2>&1); then
		failures=$((failures + 1))
		sed 's/^/# /' <<<"$out"
	fi
	return $status
}

shale rmi more:1 >/dev/null
for ((kib = 0; kib < 3000; kib = kib < 160 ? kib + 8 : kib * 9 / 8)); do
	try $kib "$with_one" "$with_two" import "$work/more" && break
done
echo "# an import needs less than $done_at KiB, and was refused $refusals times"
ktap_is "an import without room leaves nothing" 0 $failures
ktap_ok "it was refused with less, and done in the end" test $refusals -ge 15 -a $done_at -gt 0

failures=0 refusals=0
for ((kib = 0; kib < 2000; kib += 4)); do
	try $kib "$with_two" "$with_one" rmi more:1 && break
done
echo "# a removal needs less than $done_at KiB, and was refused $refusals times"
ktap_is "a removal without room changes nothing" 0 $failures
ktap_ok "a removal needs little" test $done_at -lt 256
shale import "$work/more" >/dev/null

empty=$(shale system prune -a -f >/dev/null && snapshot)
shale import "$work/kept" >/dev/null
shale import "$work/more" >/dev/null
failures=0
for ((kib = 0; kib < 2000; kib += 8)); do
	try $kib "$with_two" "$empty" system prune -a -f && break
done
ktap_is "nor does prune" 0 $failures

# --- a repair
shale import "$work/kept" >/dev/null
shale import "$work/more" >/dev/null
broken=0 repaired=-1
for ((kib = 0; kib < 3000; kib = kib * 5 / 4 + 8)); do
	rm -rf "$(layer_dir docker.io/library/more:1 1)"
	room "$kib"
	out=$(shale system check --repair --no-fetch 2>&1) && repaired=$kib
	rm -f "$disk/filler"
	shale images -q more:1 | grep -q . || broken=$((broken + 1))
	[ $repaired -lt 0 ] || break
	[[ $out == *"No space left on device"* ]] || { echo "# $kib: $out" && broken=$((broken + 1)); }
done
ktap_is "a repair without room drops nothing" 0 $broken
ktap_ok "and with room it is done" shale system check
ktap_end
