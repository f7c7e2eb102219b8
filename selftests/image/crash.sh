#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale import and shale rmi killed at any moment, cancelled, and run side by side: the next one finds
# a store that is whole, cleans up what was left, and succeeds.
set -u
# What a kill leaves does not depend on the disk, and a memory filesystem makes the test short.
[ -n "${SHALE_TEST_DIR-}" ] || [ ! -w /dev/shm ] || SHALE_TEST_DIR=/dev/shm
. "$(dirname "$0")/common"

kills=50
ktap_plan 24

# Every image that is listed has all its blobs, with their digests, and its layers unpacked.
is_whole() {
	python3 - "$root" <<-'END'
		import hashlib, json, os, sys
		root = sys.argv[1]
		def blob(digest):
		    data = open(f"{root}/blobs/sha256/{digest[7:]}", "rb").read()
		    assert hashlib.sha256(data).hexdigest() == digest[7:], digest
		    return data
		if os.path.exists(root + "/index.json"):
		    for entry in json.load(open(root + "/index.json"))["manifests"]:
		        manifest = json.loads(blob(entry["digest"]))
		        config = json.loads(blob(manifest["config"]["digest"]))
		        for layer in manifest["layers"]:
		            blob(layer["digest"])
		        for diff_id in config["rootfs"]["diff_ids"]:
		            layer = f"{root}/layers/sha256/{diff_id[7:]}"
		            assert os.path.isdir(layer + "/diff") and int(open(layer + "/size").read()), layer
		            assert len(os.listdir(layer + "/diff")) == 21, layer
	END
}

layer() {
	local i

	# Only the base lists its root directory: the others' are like it.
	[ "$1" != a ] || printf 'd:.@mode=751@uid=7@gid=8@mtime=1400000000,'
	printf 'f:%s:%s' "$1" "$1"
	for i in {1..20}; do
		printf ',rand:%s.%s:%s' "$1" "$i" 150000
	done
}

rm -rf "$root"
mkimage --name victim:1 --format tar "$work/img" "$(layer a)" "$(layer b)" "$(layer c)" "$(layer d)"
cp "$work/img" "$work/victim.tar"
rm -rf "$work/img"
mkimage --name victim:1 "$work/img" "$(layer a)" "$(layer b)" "$(layer c)" "$(layer d)"
ktap_ok "an import that nobody disturbs" shale import "$work/img"
whole=$(snapshot)
start=$(date +%s%N)
shale rmi victim:1 >/dev/null
rmi_ns=$(($(date +%s%N) - start))
empty=$(snapshot)
start=$(date +%s%N)
shale import "$work/img" >/dev/null
import_ns=$(($(date +%s%N) - start))
shale rmi victim:1 >/dev/null

roots() {
	local n

	for n in 1 2 3 4; do
		stat -c '%a %u:%g %Y' "$(layer_dir docker.io/library/victim:1 $n)"
	done | sort | uniq -c | xargs
}

# kill_after NANOSECONDS COMMAND...: 0 when it was still running.
kill_after() {
	"${@:2}" >/dev/null 2>&1 &
	sleep "$(printf '0.%09d' "$1")"
	kill -9 $! 2>/dev/null
	! wait $! 2>/dev/null
}

# Half of the moments spread over the import's time, half by chance.
killed=0 broken=0
for ((i = 0; i < kills; i++)); do
	if ((i % 2)); then
		moment=$((import_ns * i / kills))
	else
		moment=$((RANDOM * 32768 % (import_ns + 1)))
	fi
	source=$work/img
	((i % 3)) || source=$work/victim.tar
	kill_after $moment "$program" --root "$root" import "$source" && killed=$((killed + 1))
	is_whole || broken=$((broken + 1))
done 2>/dev/null
echo "# $killed of $kills imports were still running when they were killed"
ktap_is "a store after $kills killed imports is whole each time" 0 $broken
ktap_ok "some of them were killed at work" test $killed -ge 1
ktap_ok "a later import succeeds" shale import "$work/img"
ktap_is "and the store is as after one that nobody disturbed" "$whole" "$(snapshot)"
ktap_is "a layer that does not list its root has that of the layer below" "4 751 7:8 1400000000" "$(roots)"

killed=0 broken=0
for ((i = 0; i < 20; i++)); do
	kill_after $((rmi_ns * i / 20)) "$program" --root "$root" rmi victim:1 && killed=$((killed + 1))
	is_whole || broken=$((broken + 1))
	[ -n "$(shale images -q)" ] || shale import "$work/img" >/dev/null
done 2>/dev/null
ktap_is "a store after 20 killed removals is whole each time" 0 $broken
shale import "$work/img" >/dev/null
ktap_is "a later import makes it as before" "$whole" "$(snapshot)"
shale rmi victim:1 >/dev/null
ktap_is "and a later removal empties it" "$empty" "$(snapshot)"

# --- killed exactly at each step that changes the store's names
# steps VERB...: kills at the first, second, ... call until the verb gets through.
steps() {
	local n status call

	broken=0 points=0
	for call in renameat,renameat2 fsync,syncfs,fdatasync mkdirat unlinkat linkat; do
		for ((n = 1; n < 400; n = n < 16 ? n + 1 : n * 3 / 2)); do
			strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=SIGKILL:when=$n" \
				"$program" --root "$root" "$@" >/dev/null 2>&1
			status=$?
			[ $status -ne 0 ] || break
			points=$((points + 1))
			is_whole || broken=$((broken + 1))
			[ "$1" != rmi ] || [ -n "$(shale images -q)" ] || shale import "$work/img" >/dev/null
		done
		shale rmi victim:1 >/dev/null 2>&1
		[ "$1" != rmi ] || shale import "$work/img" >/dev/null
	done
	echo "# killed at $points calls"
} 2>/dev/null
# failures VERB...: the first, second, ... call fails. What the verb reports as failed has left nothing, except that
# the words that it is done come too late for that. What it reports as done is there: index.json may have to
# follow, and something may have to be cleaned up, with the next verb.
failures() {
	local n call out

	broken=0 points=0
	for call in renameat,renameat2:EIO fsync,syncfs,fdatasync:EIO mkdirat:ENOSPC write,pwrite64:ENOSPC \
		linkat:EMLINK fchmod:EPERM fsetxattr:ENOSPC utimensat:EIO; do
		for ((n = 1; n < 200; n = n < 12 ? n + 1 : n * 3 / 2)); do
			out=$(strace -f -qq -o "$work/trace" -e trace="${call%:*}" \
				-e inject="${call%:*}:error=${call#*:}:when=$n" \
				"$program" --root "$root" "$@" 2>&1)
			status=$?
			grep -q INJECTED "$work/trace" || break
			points=$((points + 1))
			shale rmi nobody >/dev/null 2>&1
			if [ $status -eq 0 ]; then
				[ "$(snapshot)" = "$whole" ] || { echo "# $call $n: done" && broken=$((broken + 1)); }
				shale rmi victim:1 >/dev/null
				continue
			fi
			# strace counts the calls of each thread: the write that fails can be the message itself.
			[[ $out == "shale: "* || (-z $out && $call == write*) ]] ||
				{ echo "# $call $n: $out" && broken=$((broken + 1)); }
			if [ "$(snapshot)" = "$whole" ] &&
				[[ $out == *"standard output"* ]]; then
				shale rmi victim:1 >/dev/null
			elif [ "$(snapshot)" != "$empty" ]; then
				echo "# $call $n: $out"
				diff <(echo "$empty") <(snapshot) | sed 's/^/# /' | head -n 20
				broken=$((broken + 1))
			fi
		done
		shale rmi victim:1 >/dev/null 2>&1
	done
	echo "# failed at $points calls"
}
if strace -qq -o /dev/null true 2>/dev/null; then
	steps import "$work/img"
	ktap_is "an import killed at every rename, sync, mkdir and unlink" "0 $empty" "$broken $(snapshot)"
	ktap_ok "those were enough" test $points -ge 40
	shale import "$work/img" >/dev/null
	shale rmi victim:1 >/dev/null
	failures import "$work/img"
	ktap_is "an import whose renames, syncs, writes and mkdirs fail leaves nothing" "0 $empty" "$broken $(snapshot)"
	ktap_ok "those were enough" test $points -ge 60
	shale import "$work/img" >/dev/null
	steps rmi victim:1
	ktap_is "a removal killed there" "0 $whole" "$broken $(snapshot)"
	ktap_ok "those were enough" test $points -ge 20
	shale rmi victim:1 >/dev/null
else
	for what in "an import killed at every rename, sync, mkdir and unlink" "those were enough" \
		"an import whose renames, syncs, writes and mkdirs fail leaves nothing" "those were enough" \
		"a removal killed there" "those were enough"; do
		ktap_skip "$what" "no strace"
	done
fi

# --- cancelled
fifo_import() {
	mkfifo "$work/slow"
	# The archive comes as far as the middle and then stops.
	{ head -c 5000000 "$work/victim.tar" && sleep 30; } >"$work/slow" &
	writer=$!
	"$program" --root "$root" import "$work/slow" >"$work/out" 2>&1 &
	importer=$!
	# A stream is copied first, into a file called 0.
	for _ in {1..200}; do
		[ -z "$(find "$root/tmp" -type f -name 0 -size +64k 2>/dev/null)" ] || break
		sleep 0.05
	done
	kill -"$1" $importer
	kill $writer
	wait $importer
	status=$?
	wait $writer 2>/dev/null
	rm "$work/slow"
}
fifo_import INT
ktap_is "SIGINT cancels with status 1" 1 $status
ktap_ok "and says so" grep -q "cancelled" "$work/out"
ktap_is "and nothing is left" "$empty" "$(snapshot)"
fifo_import TERM
ktap_is "SIGTERM cancels as well" "1 $empty" "$status $(snapshot)"

# --- side by side
pids=()
for ((i = 0; i < 6; i++)); do
	source=$work/img
	((i % 2)) || source=$work/victim.tar
	"$program" --root "$root" import "$source" >/dev/null 2>>"$work/errors" &
	pids+=($!)
done
failures=0
for pid in "${pids[@]}"; do
	wait "$pid" || failures=$((failures + 1))
done
[ ! -s "$work/errors" ] || sed 's/^/# /' "$work/errors"
ktap_is "six imports of one image at the same time" "0 $whole" "$failures $(snapshot)"

# Who finds a layer being made by another one waits for that layer, and does not make it too.
shale rmi victim:1 >/dev/null 2>&1
if strace -qq -o /dev/null true 2>/dev/null; then
	pids=()
	for i in 1 2 3; do
		strace -f -qq -o "$work/made.$i" -e trace=mkdirat "$program" --root "$root" import "$work/img" \
			>/dev/null 2>&1 &
		pids+=($!)
	done
	failures=0
	for pid in "${pids[@]}"; do
		wait "$pid" || failures=$((failures + 1))
	done
	ktap_is "three at the same time unpack each of the four layers once" "0 4" \
		"$failures $(cat "$work"/made.? | grep -c 'mkdirat([0-9]*, "diff"')"
	ktap_is "and the store is as after one" "$whole" "$(snapshot)"
	ktap_is "with its roots" "4 751 7:8 1400000000" "$(roots)"
else
	ktap_skip "three at the same time unpack each of the four layers once" "no strace"
	ktap_skip "and the store is as after one" "no strace"
	ktap_skip "with its roots" "no strace"
fi

# Removing and importing against each other: whichever is last, the store is whole.
for ((i = 0; i < 10; i++)); do
	shale rmi victim:1 >/dev/null 2>&1 &
	shale import "$work/img" >/dev/null 2>&1 &
	shale import "$work/victim.tar" -t "victim:$i" >/dev/null 2>&1 &
	wait
done
ktap_ok "imports and removals at the same time" is_whole
ktap_end
