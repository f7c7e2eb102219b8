#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale pull -a: all tags of a repository, of which the registry's list comes in pages.
set -u
. "$(dirname "$0")/common"

ktap_plan 14

mkimage --name t1 "$work/img" "f:one:1"
python3 - "$work/img/index.json" <<-'END'
	import json, sys
	index = json.load(open(sys.argv[1]))
	first = index["manifests"][0]
	index["manifests"] = [{**first, "annotations": {"org.opencontainers.image.ref.name": f"t{n}"}} for n in range(1, 8)]
	json.dump(index, open(sys.argv[1], "w"))
END

all() { shale pull -a "$@" "127.0.0.1:$port/x"; }

serve "$work/img" --page 3
out=$(all)
ktap_is "all tags" "t1 t2 t3 t4 t5 t6 t7" "$(shale images --format '{{.Tag}}' | sort | xargs)"
ktap_is "are told one by one" "7 7" "$(grep -c '^t[1-7]: Pulling from x$' <<<"$out") $(grep -c '^Digest: ' <<<"$out")"
ktap_is "and together at the end" "Status: Downloaded newer image for 127.0.0.1:$port/x 127.0.0.1:$port/x" "$(tail -2 <<<"$out" | xargs)"
ktap_is "the list came in pages" 3 "$(requests '^GET /v2/x/tags/list')"
ktap_is "of which the registry does not say where they are" 0 "$(requests elsewhere)"
ktap_is "again" "Status: Image is up to date for 127.0.0.1:$port/x" "$(all | grep ^Status)"
ktap_is "-q" "127.0.0.1:$port/x" "$(all -q)"
ktap_is "with a tag" 125 "$(shale pull -a "127.0.0.1:$port/x:t1" >/dev/null 2>&1; echo $?)"
end_servers

# refused FAULT WANT: one line, and no image.
refused() {
	rm -rf "$root"
	serve "$work/img" --fault "$1"
	local out status
	out=$(all -q 2>&1)
	status=$?
	end_servers
	[ $status -eq 1 ] && [ "$(wc -l <<<"$out")" -eq 1 ] && grep -qF -- "$2" <<<"$out" && return
	echo "status $status: $out"
	return 1
}
ktap_ok "a tag that is none" refused "tags-bad:../../y" "'../../y' is no tag"
ktap_ok "a tag that is a digest" refused "tags-bad:x@sha256" "'x@sha256' is no tag"
ktap_ok "a list without an end" refused tags-endless "more than 2000 pages"
ktap_is "nothing is left" "" "$(leftovers)"

rm -rf "$root"
serve "$work/img" --fault tags-null
ktap_ok "a repository without tags" all -q
ktap_is "brings none" "" "$(shale images -q)"
end_servers

ktap_end
