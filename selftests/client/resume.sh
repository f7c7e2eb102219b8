#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull that is interrupted: killed at random moments, cut off by the registry, told to come back later. It goes
# on where it stood, no byte that was there is fetched again, and of many pulls at once one does the work.
set -u
. "$(dirname "$0")/common"
. "$(dirname "$0")/../lib/kill.sh"

kills=12
ktap_plan 40

# What the files of unfinished downloads say is there: "HEX FIRST LAST" a line.
have() {
	python3 - "$root/downloads" <<-'END'
		import os, struct, sys
		for name in os.listdir(sys.argv[1]) if os.path.isdir(sys.argv[1]) else []:
		    if len(name) != 64:
		        continue
		    data = open(os.path.join(sys.argv[1], name), "rb").read()
		    tail = data[-216:]
		    if tail[:8] != b"shaledl\1":
		        print(name, 0, len(data) - 1)
		        continue
		    size, count = struct.unpack("<QQ", tail[8:24])
		    for i in range(count):
		        start, end, done = struct.unpack_from("<QQQ", tail, 24 + 24 * i)
		        if done > start:
		            print(name, start, done - 1)
	END
}

# asked_twice HAVE LOG-LINES: ranges that were asked for although they were there.
asked_twice() {
	python3 - "$1" "$2" <<-'END'
		import sys
		have = [line.split() for line in open(sys.argv[1])]
		for line in open(sys.argv[2]):
		    method, path, span = line.split()[:3]
		    if "/blobs/" not in path:
		        continue
		    hex = path.split(":")[-1]
		    first, last = (0, 1 << 60) if span == "-" else map(int, span.split("-"))
		    for name, start, end in have:
		        if name == hex and first <= int(end) and last >= int(start):
		            print("asked for", span, "of", hex[:12], "and had", start, end)
	END
}

# --- killed
# Random bytes do not get smaller, and two parts are what it takes to see parts.
mkimage --name one --compress none "$work/img" "rand:a:3000000" "rand:b:1500000,f:f:1" "rand:big:68000000" "f:last:1"
total=$(find "$work/img/blobs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
serve "$work/img"
start=$(date +%s%N)
ktap_ok "a pull that nobody disturbs" shale pull -q "127.0.0.1:$port/x:one"
took=$(($(date +%s%N) - start))
[ $took -lt 2000000000 ] || took=2000000000
ktap_ok "fetches each byte once" test "$(body_bytes blobs)" -le $((total + 10000))
ktap_ok "a big layer in parts" test "$(requests "/blobs/.* [0-9]+-")" -ge 2
rm -rf "$root"
: >"$log"
twice=0 resumed=0 again=""
for ((i = 0; i < kills; i++)); do
	have >"$work/have"
	lines=$(answers | wc -l)
	"$program" pull --root "$root" -q "127.0.0.1:$port/x:one" >/dev/null 2>&1 &
	pid=$!
	after=$((RANDOM * took / 65536))
	sleep "$((after / 1000000000)).$(printf %09d $((after % 1000000000)))"
	kill_hard $pid
	answers | tail -n +$((lines + 1)) >"$work/asked"
	found=$(asked_twice "$work/have" "$work/asked")
	[ -z "$found" ] || { twice=$((twice + 1)) again="$found"; }
	[ ! -s "$work/have" ] || resumed=$((resumed + 1))
	# Done with it: from the start.
	[ -z "$(find "$root/index.json" 2>/dev/null)" ] || rm -rf "$root"
done
[ -z "$again" ] || echo "# $again"
ktap_is "killed at any moment, no byte that was there is asked for again" 0 $twice
ktap_ok "and there was something to go on from" test $resumed -gt 3
ktap_ok "the next one finishes it" shale pull -q "127.0.0.1:$port/x:one"
ktap_is "with every blob good" "" "$(blobs | grep damaged)"
ktap_is "and nothing left" "" "$(ls -A "$root/downloads" && ls -A "$root/tmp")"
ktap_is "content" 1 "$(cat "$root"/layers/sha256/*/diff/last)"
end_servers

# --- what was there and is damaged; from here on an image that is smaller will do
mkimage --name one --compress none "$work/img" "rand:a:7000000" "rand:b:3000000,f:f:1" "f:last:1"
total=$(find "$work/img/blobs" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
rm -rf "$root"
serve "$work/img" --fault blob-cut*8:1500000
ktap_ok "a pull that is cut off for good" ! shale pull -q --tries 1 "127.0.0.1:$port/x:one"
file=$(have | sed -n '1s/ .*//p')
ktap_ok "leaves what it has" test -n "$file"
printf 'damage' | dd of="$root/downloads/$file" bs=1 seek=5000 conv=notrunc status=none
end_servers
serve "$work/img"
ktap_ok "which is fetched anew when it is damaged" shale pull -q "127.0.0.1:$port/x:one"
ktap_is "and good in the end" "" "$(blobs | grep damaged)"
rm -rf "$root"
mkdir -p "$root/downloads"
find "$work/img/blobs" -size +1000k -printf '%f\n' | while read -r blob; do
	head -c 300 /dev/urandom >"$root/downloads/$blob"
done
ktap_ok "files that are no downloads" shale pull -q "127.0.0.1:$port/x:one"
ktap_is "do no harm" "" "$(blobs | grep damaged)"

# --- old ones are deleted
touch "$root/downloads/$(printf 'a%.0s' {1..64})"
touch -d '8 days ago' "$root/downloads/$(printf 'b%.0s' {1..64})"
shale rmi "127.0.0.1:$port/x:one" >/dev/null
shale pull -q "127.0.0.1:$port/x:one" >/dev/null
ktap_is "a download of last week is deleted, one of today stays" "$(printf 'a%.0s' {1..64})" "$(ls "$root/downloads")"

# --- system df counts them, system prune removes them
system() {
	"$program" system "$@" --root "$root"
}
downloads() {
	system df -v | sed -n 's/^Downloads space usage: //p'
}
rm -rf "$root/downloads"
ktap_is "df without downloads" 0B "$(downloads)"
mkdir "$root/downloads"
old=$root/downloads/$(printf 'b%.0s' {1..64}) new=$root/downloads/$(printf 'a%.0s' {1..64})
head -c 40960 /dev/urandom >"$old" && touch -d '8 days ago' "$old"
head -c 8192 /dev/urandom >"$new" && truncate -s 1M "$new" && : >"$new.image"
ktap_is "df counts downloads, without what is not there of them" 49.15kB "$(downloads)"
exec 4<"$new"
flock -s 4
ktap_is "prune takes the one of last week" "Total reclaimed space: 40.96kB 1" \
	"$(system prune -f --filter until=1h | tail -n 1) $(find "$root/downloads" -type f | grep -c 'a$')"
ktap_is "prune -a leaves what is in use" 1 "$(system prune -a -f >/dev/null; find "$root/downloads" -name 'a*' | wc -l)"
exec 4<&-
touch "$new"
ktap_is "and by time what is newer" 1 "$(system prune -a -f --filter until=1h >/dev/null; find "$root/downloads" -type f | wc -l)"
ktap_is "and takes the rest" "Total reclaimed space: 8.192kB" "$(system prune -a -f | tail -n 1)"
ktap_is "all of it" "" "$(ls -A "$root/downloads")"
ktap_ok "prune without downloads" sh -c "rmdir '$root/downloads' && '$program' system prune -a -f --root '$root' && ! test -e '$root/downloads'"
end_servers

# --- the registry breaks off
rm -rf "$root"
serve "$work/img" --fault blob-cut*30:2000000
ktap_ok "connections that break again and again" shale pull -q --tries 3 "127.0.0.1:$port/x:one"
ktap_ok "no byte comes twice" test "$(body_bytes blobs)" -le $((total + 10000))
end_servers
rm -rf "$root"
serve "$work/img" --no-ranges --fault blob-cut*2:900000
ktap_ok "a registry without ranges" shale pull -q "127.0.0.1:$port/x:one"
ktap_is "brings all" "" "$(blobs | grep damaged)"
end_servers
rm -rf "$root"
serve "$work/img" --fault 'blob-status*3:503' --fault 'manifest-status*2:500' --fault 'ping-status*1:502'
ktap_ok "5xx now and then" shale pull -q "127.0.0.1:$port/x:one"
end_servers
rm -rf "$root"
serve "$work/img" --fault 'manifest-status*1:429,3'
start=$(date +%s)
ktap_ok "429 with Retry-After" shale pull -q "127.0.0.1:$port/x:one"
ktap_ok "is waited for" test $(($(date +%s) - start)) -ge 3
end_servers
rm -rf "$root"
serve "$work/img" --fault 'blob-stall*1'
ktap_ok "a transfer that stalls is tried again" shale pull -q --timeout 2 "127.0.0.1:$port/x:one"
end_servers

# --- tokens that end
rm -rf "$root"
serve "$work/img" --auth bearer --token-life 1 --rate 600000 --token-field access_token
mkimage --name two --compress none "$work/img" "rand:a:1200000" "rand:b:1200000" "rand:c:1200000" "rand:d:1200000" "rand:e:1200000" "rand:f:1200000" "rand:g:1200000" "rand:h:1200000"
ktap_ok "a token that ends before the pull does" shale pull -q "127.0.0.1:$port/x:two"
end_servers

# --- cancelled
rm -rf "$root"
serve "$work/img" --rate 400000
"$program" pull --root "$root" -q "127.0.0.1:$port/x:two" >"$work/out" 2>&1 &
pid=$!
sleep 1
kill -INT $pid
wait $pid
ktap_is "SIGINT ends it, with a word" "1 cancelled" "$? $(grep -o 'cancelled' "$work/out")"
ktap_is "nothing is left but the downloads" downloads "$(leftovers | sed 's|/.*||' | sort -u)"
end_servers

# --- many at once
rm -rf "$root"
serve "$work/img"
many=()
for i in {1..10}; do
	"$program" pull --root "$root" -q "127.0.0.1:$port/x:two" >"$work/many.$i" 2>&1 &
	many+=($!)
done
failed=0
for pid in "${many[@]}"; do
	wait "$pid" || failed=$((failed + 1))
done
[ $failed -eq 0 ] || cat "$work"/many.* | grep '^shale: ' | sort | uniq -c | sed 's/^/# /'
ktap_is "ten pulls of one image at once" 0 $failed
ktap_is "download each layer once" 8 "$(answers | awk '$5 > 1000000' | wc -l)"
mkimage --name three --compress none "$work/img" "rand:a:1200000" "rand:x:1200000" "rand:y:1200000"
end_servers
shale rmi -f "$(shale images -q)" >/dev/null
serve "$work/img" --rate 3000000
many=()
for tag in three four; do
	[ $tag = three ] || python3 - "$work/img" <<-'END'
		import hashlib, json, sys
		root = sys.argv[1]
		index = json.load(open(root + "/index.json"))
		entry = index["manifests"][0]
		doc = json.load(open(f"{root}/blobs/sha256/{entry['digest'][7:]}"))
		doc["annotations"] = {"another": "image"}
		body = json.dumps(doc).encode()
		digest = hashlib.sha256(body).hexdigest()
		open(f"{root}/blobs/sha256/{digest}", "wb").write(body)
		index["manifests"].append({"mediaType": entry["mediaType"], "digest": "sha256:" + digest, "size": len(body),
		    "annotations": {"org.opencontainers.image.ref.name": "four"}})
		json.dump(index, open(root + "/index.json", "w"))
	END
done
for tag in three four; do
	"$program" pull --root "$root" -q "127.0.0.1:$port/x:$tag" >"$work/many.$tag" 2>&1 &
	many+=($!)
done
wait "${many[0]}" && wait "${many[1]}"
ktap_is "two images that share layers, at once" 0 $?
ktap_is "download each layer once" 3 "$(answers | awk '$5 > 1000000' | wc -l)"
ktap_is "and nothing is left" "" "$(ls -A "$root/downloads" && ls -A "$root/tmp")"

ktap_end
