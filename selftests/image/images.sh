#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale images and shale rmi: columns, filters, formats, names and IDs, what goes and what stays, and the
# exit statuses of the program.
set -u
. "$(dirname "$0")/common"

ktap_plan 60

status_of() {
	"$@" >/dev/null 2>&1
	echo $?
}
first_line() {
	"$@" 2>&1 | head -n 1
}

# --- the program
ktap_is "no verb is a usage error" 125 "$(status_of "$program")"
ktap_is "an unknown verb is a usage error" 125 "$(status_of "$program" nonsense)"
ktap_is "and is named" "shale: 'nonsense' is not a shale verb" "$(first_line "$program" nonsense)"
ktap_is "an unknown option is a usage error" 125 "$(status_of "$program" images --nonsense)"
ktap_is "and is named" "shale: unknown option --nonsense" "$(first_line "$program" images --nonsense)"
ktap_is "an unknown letter is named" "shale: unknown option -z" "$(first_line "$program" images -z)"
ktap_is "an option without its value is named" "shale: option --format needs a value" "$(first_line "$program" images --format)"
ktap_is "a format that is no template is named" "shale: --format: '{{if}}' is not understood: a value is missing" "$(first_line "$program" images --format '{{if}}')"
ktap_is "import of nothing" 125 "$(status_of "$program" import)"
ktap_is "import of three" 125 "$(status_of "$program" import a b c)"
ktap_is "a limit that is no size" "shale: '12q' is not a size" "$(first_line "$program" import --max-layer-size 12q x)"
ktap_is "a limit of nothing" "shale: '0' is not a size" "$(first_line "$program" import --max-layer-size 0 x)"
ktap_is "rmi of nothing" 125 "$(status_of "$program" rmi)"
ktap_is "images of two" 125 "$(status_of "$program" images a b)"
ktap_is "help" 0 "$(status_of "$program" --help)"
ktap_is "a verb's help" "Usage: shale rmi [OPTIONS] NAME|ID..." "$("$program" rmi --help)"
ktap_is "output that cannot be written" 1 "$("$program" --version >/dev/full 2>/dev/null; echo $?)"

# --- no store
ktap_is "images without a store" "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE" "$(shale images)"
ktap_ok "makes none" test ! -e "$root"
ktap_is "rmi without a store" "shale: No such image: x:latest" "$(shale rmi x 2>&1)"
mkdir "$work/empty"
ktap_is "an empty directory has no images" "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE" "$("$program" --root "$work/empty" images)"
echo >"$work/file"
ktap_is "a file is no store" "shale: cannot open the store $work/file: Not a directory" "$("$program" --root "$work/file" images 2>&1)"
ktap_is "import of what is not there" "shale: cannot open $work/none: No such file or directory" "$(shale import "$work/none" 2>&1)"
ktap_is "a bad name to import as" "shale: 'Bad' is not an image name" "$(shale import -t Bad "$work/none" 2>&1)"
ktap_is "a digest to import as" 1 "$(status_of shale import -t "a@sha256:$(printf '0%.0s' {1..64})" "$work/none")"
ktap_is "SHALE_ROOT is the store" "shale: No such image: x:latest" "$(SHALE_ROOT=$root "$program" rmi x 2>&1)"

# --- images
mkimage --name debian:12 --created 2024-05-06T07:08:09.5+02:00 "$work/img" "rand:a:1234567"
shale import "$work/img" >/dev/null
id=$(shale images -q --no-trunc debian:12)
mkimage --name quay.io/a/b:v1 --created "$(date -u +%FT%TZ --date='3 hours ago')" "$work/img" "rand:a:1234567" "f:b:b"
shale import "$work/img" >/dev/null
ktap_is "the newest comes first" "quay.io/a/b v1 debian 12" "$(shale images | awk 'NR > 1 { print $1, $2 }' | xargs)"
ktap_is "columns" "REPOSITORY    TAG       IMAGE ID       CREATED       SIZE" "$(shale images | head -1)"
ktap_is "a row" "quay.io/a/b   v1        $(shale images -q quay.io/a/b)   3 hours ago   1.23MB" "$(shale images | sed -n 2p)"
ktap_is "the ID is the config's digest" "$id" "sha256:$(cd "$root/blobs/sha256" && sha256sum "${id#sha256:}" | cut -d' ' -f1)"
ktap_is "-q" "${id:7:12}" "$(shale images -q debian)"
ktap_is "a filter with another tag" "" "$(shale images -q debian:11)"
ktap_is "a filter that is no name fits none" "" "$(shale images -q 'x y' 2>&1)"
digest=sha256:$(cd "$root/blobs/sha256" && sha256sum ./* | grep -l . >/dev/null; python3 -c "
import json; print(json.load(open('$root/index.json'))['manifests'][0]['digest'][7:])")
ktap_is "--digests" "$digest" "$(shale images --digests debian | awk 'NR == 2 { print $3 }')"
ktap_is "--format json" "debian 12 ${id:7:12} 1.23MB <none>" "$(shale images --format json debian | python3 -c '
import json, sys
for line in sys.stdin:
    image = json.loads(line)
    print(*(image[key] for key in ("Repository", "Tag", "ID", "Size", "Digest")))')"
ktap_is "the time of creation has a zone" "2024-05-06 05:08:09 +0000 UTC" "$(TZ=UTC shale images --format json debian | sed 's/.*CreatedAt":"\([^"]*\).*/\1/')"

# --- rmi
ktap_is "rmi of an unknown name" "shale: No such image: nope:latest" "$(shale rmi nope 2>&1)"
ktap_is "rmi of an unknown ID" "shale: No such image: 0123456789ab:latest" "$(shale rmi 0123456789ab 2>&1)"
ktap_is "rmi of no name" "shale: invalid reference format: '%%' is not an image name" "$(shale rmi %% 2>&1)"
mkimage --name other:1 --created 2024-05-06T07:08:09.5+02:00 "$work/img" "rand:a:1234567"
shale import "$work/img" >/dev/null
ktap_is "rmi by an ID with two names" "shale: conflict: unable to delete ${id:7:12} (must be forced) - image is referenced in multiple repositories" \
	"$(shale rmi "${id:7:12}" 2>&1)"
ktap_is "rmi of one of two names" "Untagged: other:1" "$(shale rmi other:1)"
ktap_is "leaves the other" 1 "$(shale images -q debian | wc -l)"
shale import "$work/img" >/dev/null
ktap_is "rmi -f by ID removes every name" "Deleted: $id Untagged: debian:12 Untagged: other:1" "$(shale rmi -f "$id" | sort | xargs)"
ktap_is "a layer another image needs stays" 2 "$(ls "$root/layers/sha256" | wc -l)"
layers=$(cd "$root/layers/sha256" && printf 'Deleted: sha256:%s\n' * | sort | xargs)
ktap_is "rmi of two, one unknown: the other goes" "1 0" "$(status_of shale rmi nope quay.io/a/b:v1) $(shale images -q | wc -l)"
ktap_is "nothing is left" "index.json lock oci-layout store.db" "$(cd "$root" && find . -type f -printf '%f\n' | sort | xargs)"
mkimage --name quay.io/a/b:v1 "$work/img" "rand:a:1234567" "f:b:b"
shale import "$work/img" >/dev/null
ktap_is "rmi says what it deleted" "$layers" "$(shale rmi quay.io/a/b:v1 | grep -v Untagged | sed 1d | sort | xargs)"
shale import "$work/img" >/dev/null
ktap_ok "rmi by digest" shale rmi "quay.io/a/b@$(shale images --digests | awk 'NR == 2 { print $3 }')"

# --- mounted layers
shale import "$work/img" >/dev/null
mkimage --name derived:1 "$work/img" "rand:a:1234567"
shale import "$work/img" >/dev/null
mount_and() {
	local lower

	lower=$(layer_dir "$1" 1):$work/empty
	mkdir -p "$work/mnt, with\\chars"
	unshare -m bash -c 'mount -t overlay overlay -o "lowerdir=$1" "$2" || exit 4; shift 2; "$@" 2>&1' \
		mount_and "$lower" "$work/mnt, with\\chars" "${@:2}"
}
if mount_and quay.io/a/b:v1 true >/dev/null 2>&1; then
	ktap_is "rmi of a mounted image" "shale: conflict: unable to delete quay.io/a/b:v1 (cannot be forced) - image quay.io/a/b:v1 is in use: it is mounted at $work/mnt, with\\chars" \
		"$(mount_and quay.io/a/b:v1 "$program" --root "$root" rmi quay.io/a/b:v1)"
	ktap_is "leaves it" 1 "$(shale images -q quay.io/a/b | wc -l)"
	ktap_is "also with -f" 1 "$(status_of mount_and quay.io/a/b:v1 "$program" --root "$root" rmi -f quay.io/a/b:v1)"
	ktap_is "an image whose mounted layer another image needs can go" "Untagged: derived:1" \
		"$(mount_and docker.io/library/derived:1 "$program" --root "$root" rmi derived:1 | head -1)"
	ktap_is "a mount in another namespace counts" 1 "$(mount_and quay.io/a/b:v1 unshare -m "$program" --root "$root" rmi quay.io/a/b:v1 | grep -c 'in use')"
	ktap_ok "after unmounting it can go" shale rmi quay.io/a/b:v1
else
	for what in "rmi of a mounted image" "leaves it" "also with -f" \
		"an image whose mounted layer another image needs can go" \
		"a mount in another namespace counts" "after unmounting it can go"; do
		ktap_skip "$what" "overlayfs cannot be mounted here"
	done
	shale rmi derived:1 quay.io/a/b:v1 >/dev/null
fi

# --- damage is found, not made worse
mkimage --name debian:12 "$work/img" "f:x:x"
shale import "$work/img" >/dev/null
manifest=$(python3 -c "import json; print(json.load(open('$root/index.json'))['manifests'][-1]['digest'][7:])")
cp "$root/blobs/sha256/$manifest" "$work/manifest"
echo >>"$root/blobs/sha256/$manifest"
ktap_is "a corrupt blob is named" "shale: image sha256:$manifest: blob sha256:$manifest in $root is corrupt" "$(shale images 2>&1)"
mkimage --name more:1 "$work/img" "f:y:y"
shale import "$work/img" >/dev/null
ktap_is "another image can go beside it, and its layers stay" "0 1" "$(status_of shale rmi more:1) $(ls "$root/layers/sha256" | wc -l)"
cp "$work/manifest" "$root/blobs/sha256/$manifest"
echo '{' >"$root/index.json"
ktap_is "a broken index.json does no harm: the database has the names" 1 "$(shale images -q debian:12 | wc -l)"
ktap_is "and the next verb at work writes it anew" "0 $manifest" "$(status_of shale import "$work/img") $(python3 -c "
import json; print(json.load(open('$root/index.json'))['manifests'][0]['digest'][7:])")"
rm "$root"/store.db*
echo '{' >"$root/index.json"
ktap_is "without a database a broken index is named" "shale: cannot open the store $root: the index of $root: index.json: not JSON" "$(shale images 2>&1 | cut -c 1-$((66 + 2 * ${#root})))"
ktap_is "and nothing is written over it" "1 {" "$(status_of shale import "$work/img") $(cat "$root/index.json")"
ktap_end
