#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The store as a whole: shale system df, prune and check; every kind of damage, what check says of it and
# what --repair makes of it; stores without a database; what other tools write into it.
set -u
. "$(dirname "$0")/common"

ktap_plan 85

status_of() {
	"$@" >/dev/null 2>&1
	echo $?
}
# Two images that share a layer; the second was made last.
fresh() {
	rm -rf "$root"
	mkimage --name one:1 "$work/img" "rand:base:3000" "f:top/one:1,f:other/x:x"
	shale import -q "$work/img" >/dev/null
	mkimage --name two:1 "$work/img" "rand:base:3000" "f:top/two:22"
	shale import -q "$work/img" >/dev/null
}
blob_of() {
	python3 - "$root" "$1" "$2" <<-'END'
		import json, sys
		root, name, what = sys.argv[1:]
		load = lambda digest: json.load(open(f"{root}/blobs/sha256/{digest[7:]}"))
		for entry in json.load(open(root + "/index.json"))["manifests"]:
		    if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == f"docker.io/library/{name}":
		        manifest = load(entry["digest"])
		        digest = {"manifest": entry["digest"], "config": manifest["config"]["digest"],
		                  "layer": manifest["layers"][-1]["digest"]}[what]
		        print(f"{root}/blobs/sha256/{digest[7:]}")
	END
}
tops() { dirname "$(layer_dir "docker.io/library/$1" 1)"; }
names() { shale images 2>/dev/null | awk 'NR > 1 { print $1 }' | sort | xargs; }
said() { shale system check 2>&1 | sed -E 's/sha256:[0-9a-f]{64}/DIGEST/g; s/[0-9a-f]{64}/HEX/g' | grep -v 'problems\? found'; }
sql() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
db.executescript("PRAGMA foreign_keys = OFF;" + sys.argv[2])' "$root/store.db" "$1"
}

# --- words
ktap_is "system alone" 125 "$(status_of shale system)"
ktap_is "an unknown command of it" "shale: 'x' is not a command of system" "$("$program" system x 2>&1 | head -n 1)"
ktap_is "df of an argument" 125 "$(status_of shale system df x)"
ktap_is "a format that is none" 125 "$(status_of shale system df --format '{{.}')"
ktap_is "-v as JSON" 125 "$(status_of shale system df -v --format json)"
ktap_is "an unknown filter" "shale: invalid filter 'x'" "$(shale system prune -f --filter x=1 2>&1 | head -n 1)"
ktap_is "a time that is none" 125 "$(status_of shale system prune -f --filter until=soon)"
ktap_is "df without a store" "Images 0 0 0B 0B" "$(shale system df | sed -n 2p | xargs)"
ktap_ok "makes none" test ! -e "$root"
ktap_is "check without a store" 1 "$(status_of shale system check)"

# --- df
fresh
ktap_is "df has docker's columns" "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE" "$(shale system df | head -n 1)"
ktap_is "a shared layer counts once" "Images 2 0 3.004kB 3.004kB (100%)" "$(shale system df | sed -n 2p | xargs)"
ktap_is "blobs are there, too" "Blobs space usage:" "$(shale system df -v | awk '/^Blobs/ && $4 != "0B" { print $1, $2, $3 }')"
ktap_is "--format json has docker's keys" "Active Reclaimable Size TotalCount Type 4" "$(shale system df --format json | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(*sorted(rows[0]), len(rows))')"
ktap_is "-v tells shared and unique sizes" "one 3kB 2B" "$(shale system df -v | awk '$1 == "one" { print $1, $(NF-2), $(NF-1) }')"
mkdir -p "$work/mnt" "$work/empty"
while_mounted() {
	unshare -m bash -c 'mount -t overlay overlay -o "lowerdir=$1:$2" "$3" || exit 4; shift 3; "$@" 2>&1' while_mounted \
		"$(layer_dir "docker.io/library/$1" 1)" "$work/empty" "$work/mnt" "$program" --root "$root" "${@:2}"
}
mounts=1
while_mounted one:1 images >/dev/null 2>&1 || mounts=
if [ $mounts ]; then
	ktap_is "a mounted image is active" "Images 2 1 3.004kB 3.002kB (99%)" "$(while_mounted one:1 system df | sed -n 2p | xargs)"
	ktap_is "prune -a leaves what is mounted" "one" "$(while_mounted one:1 system prune -a -f >/dev/null; names)"
else
	ktap_skip "a mounted image is active" "overlayfs cannot be mounted here"
	ktap_skip "prune -a leaves what is mounted" "overlayfs cannot be mounted here"
fi

# --- prune
fresh
ktap_is "prune asks, and no is no" "1 one two" "$(shale system prune -a <<<n >/dev/null 2>&1; echo $?) $(names)"
ktap_is "so is nothing" "1 one two" "$(shale system prune -a </dev/null >/dev/null 2>&1; echo $?) $(names)"
ktap_is "what has a name stays without -a" "Total reclaimed space: 0B one two" "$(shale system prune -f) $(names)"
mkimage --name two:1 --created 2020-01-01T00:00:00Z "$work/img" "f:new:333"
shale import -q "$work/img" >/dev/null
ktap_is "an image without a name goes, and the layer only it had" "2 one two" "$(shale system prune -f | grep -c '^deleted: .*') $(names)"
ktap_is "a time before all takes nothing" "one two" "$(shale system prune -a -f --filter until=2019-06-01 >/dev/null; names)"
ktap_is "a time in between takes the older" "one" "$(shale system prune -a -f --filter until=2021-06-01T00:00:00Z >/dev/null; names)"
ktap_is "a duration" "" "$(shale system prune -a -f --filter until=1h30m >/dev/null; names)"
fresh
ktap_is "yes takes all" "" "$(shale system prune -a <<<y >/dev/null; names)"
ktap_is "and nothing is left" "" "$(find "$root/blobs/sha256" "$root/layers/sha256" "$root/tmp" -mindepth 1)"
fresh
ktap_is "prune says what it freed" "untagged: one:1 untagged: two:1" "$(shale system prune -a -f | grep ^untagged | sort | xargs)"

# --- writable layers
fresh
mkdir -p "$root/containers/0123456789ab/upper" "$root/containers/0123456789ab/work" "$root/containers/ba9876543210/upper"
head -c 5000 /dev/zero >"$root/containers/0123456789ab/upper/file"
sql "INSERT INTO container VALUES ('0123456789ab', x'$(basename "$(blob_of one:1 config)")', 'vfs', 1)"
# note DIR NAME: made.json of something that vfs made of an image.
note() {
	python3 - "$(blob_of "$2" manifest)" "$(blob_of "$2" config)" >"$root/$1/made.json" <<-'END'
		import json, os, sys
		print(json.dumps({"driver": "vfs", "xattrs": "trusted.", "image": "sha256:" + os.path.basename(sys.argv[1]),
		                  "layers": json.load(open(sys.argv[2]))["rootfs"]["diff_ids"]}))
	END
}
note containers/0123456789ab one:1
ktap_is "df of writable layers" "Containers 1 0 5kB 5kB (100%)" "$(shale system df | sed -n 3p | xargs)"
ktap_is "an image with one is active" "Images 2 1" "$(shale system df | sed -n 2p | cut -c1-30 | xargs)"
ktap_is "one without a row is told" "container ba9876543210: nothing needs it" "$(said)"
ktap_is "and removed" "0123456789ab" "$(shale system check --repair --no-fetch >/dev/null; ls "$root/containers")"
rm "$root/containers/0123456789ab/made.json"
ktap_is "one without its note is told" "container 0123456789ab: nobody knows what it was made of: made.json is missing or damaged" "$(said)"
ktap_is "and stays, since what was written to it is somebody's" "1 5000" "$(status_of shale system check --repair --no-fetch) $(stat -c %s "$root/containers/0123456789ab/upper/file")"
note containers/0123456789ab one:1
ktap_is "with it all is well" "0 No problems found." "$(status_of shale system check) $(shale system check)"
before=$(rows | grep '^container ')
rm "$root"/store.db*
ktap_is "a new database knows its image and its driver from it" "$(sed 's/ created=[0-9]*//' <<<"$before")" "$(names >/dev/null; rows | grep ^container | sed 's/ created=[0-9]*//')"
ktap_is "prune removes those that are not mounted" "0123456789ab" "$(shale system prune -f | sed -n 2p)"
ktap_is "with their files" "" "$(ls "$root/containers")"
sql "INSERT INTO container VALUES ('0123456789ab', NULL, 'shale', 1)"
ktap_is "a row without its directory is told" "container 0123456789ab: its directory is missing" "$(said)"
ktap_is "and dropped" "0 No problems found." "$(status_of shale system check --repair --no-fetch) $(shale system check)"

# --- whole trees, which drivers without a union keep
fresh
tree=trees/vfs/$(printf '3%.0s' {1..64})
make_tree() {
	mkdir -p "$root/$tree/root" && head -c 7000 /dev/zero >"$root/$tree/root/file"
}
make_tree && note "$tree" one:1
ktap_is "df counts them with images" "Images 2 0 10kB 10kB (100%)" "$(shale system df | sed -n 2p | xargs)"
ktap_is "check has nothing to say of one" "0 No problems found." "$(status_of shale system check) $(shale system check)"
shale rmi two:1 >/dev/null
ktap_ok "it stays when another image goes" test -e "$root/$tree/root/file"
ktap_ok "and through a repair" sh -c "'$program' --root '$root' system check --repair --no-fetch && test -e '$root/$tree/root/file'"
shale rmi one:1 >/dev/null
ktap_ok "and goes with its own" test ! -e "$root/$tree"
fresh && make_tree && note "$tree" one:1
freed=$(shale system prune -a -f | sed -n 's/Total reclaimed space: \([0-9]*\).*kB$/\1/p')
ktap_ok "prune takes it, too, and counts it" test "$freed" -ge 10 -a ! -e "$root/$tree"
fresh && make_tree
ktap_is "one without its note is told" "tree vfs/HEX: nothing needs it" "$(said)"
ktap_is "and removed" "0 No problems found. " "$(status_of shale system check --repair --no-fetch) $(shale system check) $(ls "$root/trees/vfs")"
fresh && make_tree && note "$tree" one:1
sed -i 's/sha256:[0-9a-f]*"]/sha256:'"$(printf '4%.0s' {1..64})"'"]/' "$root/$tree/made.json"
ktap_is "one of a layer that no image has is told" "tree vfs/HEX: nothing needs it" "$(said)"

# --- damage: damaged WHAT WANT-SAID WANT-NAMES COMMAND...
damaged() {
	local what=$1 want=$2 left=$3
	fresh
	"${@:4}"
	ktap_is "$what is found" "$want" "$(said)"
	ktap_is "$what: after a repair the store is clean, with the images that could be kept" "0 No problems found. $left" \
		"$(status_of shale system check --repair --no-fetch) $(shale system check) $(names)"
}
flip() {
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    byte = file.read(20)[-1:]
    file.seek(19)
    file.write(bytes([byte[0] ^ 1]))' "$1"
}
flip_blob() { flip "$(blob_of "$1" "$2")"; }
lose_blob() { rm "$(blob_of "$1" "$2")"; }
damaged "a bit of a layer's blob" "blob DIGEST: it does not have its digest" two flip_blob one:1 layer
damaged "a bit of a manifest" "blob DIGEST: it does not have its digest" one flip_blob two:1 manifest
damaged "a config that is missing" "blob DIGEST: it is missing" two lose_blob one:1 config
lose_layer() { rm -rf "$(tops one:1)"; }
damaged "a layer's directory that is missing" "layer DIGEST: its directory is missing" "one two" lose_layer
ktap_is "the layer is there again" 1 "$(cat "$(layer_dir docker.io/library/one:1 1)/top/one")"
cut_file() { : >"$(layer_dir docker.io/library/one:1 1)/top/one"; }
damaged "a file of a layer that is cut" "layer DIGEST: its files have 1 bytes instead of 2" "one two" cut_file
lose_file() { rm -r "$(layer_dir docker.io/library/one:1 1)/other"; }
damaged "a file of a layer that is missing" "layer DIGEST: its files have 1 bytes instead of 2" "one two" lose_file
ktap_is "the file is there again" x "$(cat "$(layer_dir docker.io/library/one:1 1)/other/x")"
lose_size() { rm "$(tops one:1)/size"; }
damaged "a size file that is missing" "layer DIGEST: its size file does not say 2" "one two" lose_size
lose_layer_row() { sql "DELETE FROM layer WHERE content = 2 AND diff_id = x'$(basename "$(tops one:1)")'"; }
damaged "a layer without its row" "layer DIGEST: it is not unpacked, and others of its image are" "one two" lose_layer_row
stray() { mkdir -p "$root/layers/sha256/$(printf '1%.0s' {1..64})/diff" && echo x >"$root/blobs/sha256/$(printf '2%.0s' {1..64})"; }
damaged "what nothing needs" "layer HEX: nothing needs it
blob HEX: nothing needs it" "one two" stray
lose_index() { rm "$root/index.json"; }
damaged "an index.json that is missing" "index index.json: it is missing" "one two" lose_index
break_index() { echo '{"schemaVersion": 2' >"$root/index.json"; }
damaged "an index.json that is broken" "index index.json: it is not an image index" "one two" break_index

# --- the database
garble_db() { head -c 8192 /dev/urandom | dd of="$root/store.db" conv=notrunc status=none; }
garble_middle() { head -c 12288 /dev/urandom | dd of="$root/store.db" bs=4096 seek=3 conv=notrunc status=none; }
cut_db() { truncate -s 5000 "$root/store.db"; }
for how in garble_db garble_middle cut_db; do
	fresh
	$how
	ktap_is "a database that is damaged ($how) is found" 1 "$(said | grep -c '^database store.db: ')"
	ktap_is "and made anew ($how)" "0 No problems found. one two" "$(status_of shale system check --repair --no-fetch) $(shale system check) $(names)"
done
fresh && garble_db && rm "$root/index.json"
ktap_is "without index.json images come back without their names" "0 <none> <none>" "$(status_of shale system check --repair --no-fetch) $(names)"
fresh
before=$(rows)
rm "$root"/store.db*
ktap_is "a store without a database gets it from its files" "one two" "$(names)"
shale rmi nobody >/dev/null 2>&1
ktap_is "with the same rows" "$before" "$(rows)"
: >"$root/store.db"
ktap_is "so does one with an empty file" "one two" "$(names)"
sql "PRAGMA user_version = 99"
ktap_is "a later shale's database is left alone" "shale: cannot open the store $root: the database has version 99, and this shale knows versions up to 3: a later shale made it" \
	"$(shale images 2>&1)"

# --- what other tools write
fresh
if command -v skopeo >/dev/null; then
	mkimage --name three:1 "$work/img" "f:three:3"
	skopeo copy -q "oci:$work/img:three:1" "oci:$root:docker.io/library/three:1"
	ktap_is "an image that skopeo adds is listed" "one three two" "$(names)"
	ktap_is "and kept" "one three two 0" "$(shale rmi nobody 2>/dev/null; names) $(status_of shale system check)"
else
	ktap_skip "an image that skopeo adds is listed" "no skopeo"
	ktap_skip "and kept" "no skopeo"
fi
ktap_end
