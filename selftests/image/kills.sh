#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Commands on the store killed at random moments: import, pull, commit, rmi, prune, check --repair, some beside another one
# at work. After each kill the next command cleans up, and then the store checks clean, has nothing more than what its
# images need, and everything that was acknowledged. `make kills` takes 200 moments, the ring a few; the seed of a
# failure is printed.
set -u
[ -n "${SHALE_TEST_DIR-}" ] || [ ! -w /dev/shm ] || SHALE_TEST_DIR=/dev/shm
. "$(dirname "$0")/common"
. "$(dirname "$0")/../lib/kill.sh"
. "$(dirname "$0")/../lib/private.sh"

private_mounts "commands that are killed" "$@"

kills=${KILLS:-20}
seed=${SEED:-$RANDOM}
RANDOM=$seed
ktap_plan 6
echo "# SEED=$seed KILLS=$kills"

layer() {
	local i

	printf 'f:%s:%s' "$1" "$1"
	for i in {1..10}; do
		printf ',rand:%s.%s:%s' "$1" "$i" 60000
	done
}
for name in a b c; do
	mkimage --name "$name:1" "$work/img" "$(layer base)" "$(layer $name)" "$(layer "$name.top")"
	mv "$work/img" "$work/$name"
done
# What is pulled, and what is committed: a writable layer that is mounted all the time.
mkimage --name 1 "$work/img" "$(layer base)" "$(layer p)"
mv "$work/img" "$work/served"
exec 3< <(exec "$here/../client/server" --log "$work/log" "$work/served" 2>/dev/null)
server=$!
trap 'kill $server; umount -l "$work/m" 2>/dev/null; rm -rf "$work"' EXIT
read -r -t 20 port <&3
pulled=127.0.0.1:$port/p
mkimage --name "work:1" "$work/img" "$(layer work)"
shale import "$work/img" >/dev/null
mkdir "$work/m"
id=$(shale mount -s vfs --rw work:1 "$work/m")
for i in {1..11}; do
	head -c 60000 /dev/urandom >"$work/m/new.$i"
done
mkimage --name "other:1" --format tar "$work/img" "$(layer base)" "$(layer x)"
mv "$work/img" "$work/other.tar"

start=$(date +%s%N)
shale import "$work/a" >/dev/null
import_ns=$(($(date +%s%N) - start))

names() {
	shale images --format json | python3 -c '
import json, sys
print(*sorted({json.loads(line)["Repository"] for line in sys.stdin}))'
}

# What the image has is there, byte by byte: its layers are unpacked and have all files.
is_there() {
	local top name=docker.io/library/$1:1

	[ "$1" != "$pulled" ] || name=$1:1
	top=$(layer_dir "$name" 1)
	[ -n "$top" ] && [ "$(ls "$top" 2>/dev/null | wc -l)" -eq "$2" ]
}

# The store has as many layers and blobs as its images need, no lease and no session.
is_tight() {
	python3 - "$root" <<-'END'
		import os, sqlite3, sys
		root = sys.argv[1]
		db = sqlite3.connect(root + "/store.db", timeout=60)
		one = lambda sql: {row[0].hex() for row in db.execute(sql)}
		blobs = one("SELECT digest FROM image UNION SELECT digest FROM image_blob UNION SELECT blob FROM image_layer")
		layers = one("SELECT diff_id FROM image_layer")
		found = set(os.listdir(root + "/blobs/sha256")), set(os.listdir(root + "/layers/sha256"))
		assert found == (blobs, layers), (blobs ^ found[0], layers ^ found[1])
		assert one("SELECT diff_id FROM layer") == layers
		assert not one("SELECT digest FROM lease")
		assert not os.listdir(root + "/tmp")
		assert not [name for name in os.listdir(root) if name.endswith(".new")]
	END
}

# The states that may follow a command on a store with the images BEFORE, and what was acknowledged.
broken=0 lost=0 loose=0 killed=0 odd=0
fail() {
	echo "# kill $i of '$verb' after ${moment}ns with '$before': $1"
	shale system check | sed 's/^/#   /'
}
for ((i = 1; i <= kills; i++)); do
	before=$(names)
	case $((RANDOM % 9)) in
	0 | 1 | 2)
		name=$(printf '%s\n' a b c | sed -n $((RANDOM % 3 + 1))p)
		verb="import $name" command=(import "$work/$name")
		may=$(printf '%s\n' $before "$name" | sort -u | xargs)
		;;
	3 | 4)
		# shellcheck disable=SC2086
		name=$(printf '%s\n' $before | grep -vx work | sort -R --random-source=<(yes "$RANDOM") | head -n 1)
		verb="rmi $name" command=(rmi "${name:-none}:1")
		may=$(printf '%s\n' $before | grep -vx "$name" | xargs)
		;;
	5) verb=prune command=(system prune -a -f) may=work ;;
	6) verb=pull command=(pull -q "$pulled:1") may=$(printf '%s\n' $before "$pulled" | sort -u | xargs) ;;
	7)
		# The one before it would lose its name.
		shale rmi made:1 >/dev/null 2>&1
		before=$(names)
		verb=commit command=(commit "$id" made:1) may=$(printf '%s\n' $before made | sort -u | xargs)
		;;
	8) verb=repair command=(system check --repair --no-fetch) may=$before ;;
	esac
	# Beside another one that nobody disturbs, now and then; its image is not counted.
	companion=
	if ((RANDOM % 3 == 0)) && [[ $verb != prune && $verb != repair ]]; then
		"$program" --root "$root" import "$work/other.tar" >/dev/null 2>&1 3<&- &
		companion=$!
	fi
	moment=$((RANDOM * 32768 % (import_ns + 1)))
	"$program" --root "$root" "${command[@]}" >/dev/null 2>&1 &
	sleep "$(printf '%d.%09d' $((moment / 1000000000)) $((moment % 1000000000)))"
	kill_hard $!
	status=$?
	[ "$status" -ne 137 ] || killed=$((killed + 1))
	[ -z "$companion" ] || wait "$companion" || { fail "the other command failed" && odd=$((odd + 1)); }
	after=$(names)
	# A companion's image comes on top, and goes before the next round.
	[[ -z $companion ]] || shale rmi other:1 >/dev/null 2>&1
	after=$(names)
	case $status in
	0) [ "$after" = "$may" ] || { fail "was done, and there is '$after'" && lost=$((lost + 1)); } ;;
	137) [[ "$after" = "$may" || "$after" = "$before" ]] || { fail "there is '$after'" && lost=$((lost + 1)); } ;;
	*) [ "$after" = "$before" ] || { fail "failed, and there is '$after'" && odd=$((odd + 1)); } ;;
	esac
	for name in $after; do
		is_there "$name" 11 || { fail "$name is not whole" && lost=$((lost + 1)); }
	done
	# Whatever was left is removed by the next command that has work to do.
	shale rmi nobody >/dev/null 2>&1
	shale system check >/dev/null || { fail "the store is not clean" && broken=$((broken + 1)); }
	is_tight || { fail "something is left" && loose=$((loose + 1)); }
done 2>"$work/noise"
grep -v Killed "$work/noise" | sed 's/^/# /' | head -n 20
echo "# $killed of $kills were still running when they were killed"
ktap_ok "some commands were killed at work" test $killed -ge $((kills / 10))
ktap_is "after each kill the store checks clean" 0 $broken
ktap_is "what was acknowledged is there, and what was not is there whole or not at all" 0 $lost
ktap_is "nothing is left over" 0 $loose
ktap_is "commands beside the killed ones are not disturbed" 0 $odd
shale umount "$work/m"
shale system prune -a -f >/dev/null
ktap_is "and in the end everything can be removed" "" "$(find "$root/blobs/sha256" "$root/layers/sha256" -mindepth 1)"
ktap_end
