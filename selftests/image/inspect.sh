#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale tag, history and inspect: names that come and go, docker's columns and fields, formats, parents, and
# the exit statuses.
set -u
. "$(dirname "$0")/common"

ktap_plan 54

says() {
	local out status=0
	out=$(shale "$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}
steps='[{"created":"2024-05-06T07:08:09Z","created_by":"ADD\trootfs"},
 {"created":"2024-05-06T07:08:10Z","created_by":"CMD [\"sh\"]","empty_layer":True},
 {"created":"2024-05-06T07:08:11.25Z","created_by":"RUN 1234567890 1234567890 1234567890 1234567890 é","comment":"why"}]'
config='config.update({"author":"me","variant":"v8","created":"2024-05-06T07:08:11.25Z","history":'$steps',
 "config":{"Env":["A=b","C=d"],"Cmd":["sh"],"Labels":{"x.y":"z"},"StopSignal":"SIGINT"}})'

# --- no store, no image
ktap_is "history without a store" "1 shale: No such image: x:latest" "$(says history x)"
ktap_is "inspect without a store" "1 shale: No such object: x
[]" "$(says inspect x)"
ktap_is "tag without a store" "1 shale: No such image: x:latest" "$(says tag x y)"
for verb in history inspect tag; do
	ktap_is "$verb of nothing" 125 "$(shale $verb >/dev/null 2>&1; echo $?)"
done

mkimage --name base:1 --edit-config "config['history'] = ${steps}[:2]" "$work/img" "rand:a:1234567"
shale import "$work/img" >/dev/null
base=$(shale images -q --no-trunc base)
mkimage --name demo:1 --edit-config "$config" "$work/img" "rand:a:1234567" "f:b:b"
shale import "$work/img" >/dev/null
demo=$(shale images -q --no-trunc demo)

# --- history
ktap_is "history's columns" "IMAGE          CREATED       CREATED BY                                      SIZE      COMMENT" \
	"$(shale history demo:1 | head -1)"
ktap_is "the newest step is the image" "${demo:7:12}   2 years ago   RUN 1234567890 1234567890 1234567890 1234567…   1B        why" \
	"$(shale history demo:1 | sed 's/[0-9]* years ago/2 years ago/' | sed -n 2p)"
ktap_is "a step that another image ends with has its ID" "${base:7:12}" "$(shale history -q demo:1 | sed -n 2p)"
ktap_is "one that none ends with has none" "<missing>" "$(shale history -q demo:1 | sed -n 3p)"
ktap_is "sizes are those of the layers, and a step without one has none" "1B 0B 1.23MB" \
	"$(shale history --format '{{.Size}}' demo:1 | xargs)"
ktap_is "--no-trunc" "$demo RUN 1234567890 1234567890 1234567890 1234567890 é" \
	"$(shale history --no-trunc --format '{{.ID}} {{.CreatedBy}}' demo:1 | head -1)"
ktap_is "a tab in a step is a blank" "ADD rootfs" "$(shale history --format '{{.CreatedBy}}' demo:1 | tail -1)"
ktap_is "-H=false" "CREATED AT 2024-05-06T07:08:09Z 1234567" \
	"$(TZ=UTC shale history -H=false demo:1 | sed -n '1p;4p' | awk 'NR == 1 { print $2, $3 } NR == 2 { print $2, $5 }' | xargs)"
ktap_is "the zone is told" "2024-05-06T09:08:09+02:00" "$(TZ=AAA-2 shale history --format '{{.CreatedAt}}' demo:1 | tail -1)"
ktap_is "--human is checked" "shale: --human is true or false, not 'maybe'" "$(shale history --human=maybe demo:1 2>&1 | head -1)"
ktap_is "--format json has docker's keys" "Comment CreatedAt CreatedBy CreatedSince ID Size" \
	"$(shale history --format json demo:1 | head -1 | python3 -c 'import json, sys; print(*json.load(sys.stdin))')"
ktap_is "by ID" "3" "$(shale history -q "${demo:7:12}" | wc -l)"
mkimage --name plain:1 "$work/img" "f:a:abc" "f:b:b"
shale import "$work/img" >/dev/null
ktap_is "layers without a history" "1B 3B" "$(shale history --format '{{.Size}}' plain:1 | xargs)"
mkimage --name bad:1 --edit-config "config['history'] = $steps" "$work/img" "f:a:abc"
shale import "$work/img" >/dev/null
ktap_is "a history of more layers than there are" "1 shale: the image's history has more layers than the image" "$(says history bad:1)"
mkimage --name bad:1 --edit-config "config['history'] = 7" "$work/img" "f:a:abc"
shale import "$work/img" >/dev/null
ktap_is "a history that is none" "1 shale: config: field 'history' is not an array" "$(says history bad:1)"

# --- inspect
fields() {
	shale inspect "$@" | python3 -c 'import json, sys; print(*json.load(sys.stdin)[0])'
}
of() {
	shale inspect -f "$1" "${2:-demo:1}" 2>&1
}
ktap_is "docker's fields in docker's order" \
	"Id RepoTags RepoDigests Parent Comment Created DockerVersion Author Config Architecture Variant Os Size GraphDriver RootFS Metadata" \
	"$(fields demo:1)"
ktap_is "without a variant there is no such field" 0 "$(fields plain:1 | grep -c Variant)"
ktap_is "the ID" "$demo" "$(of '{{.Id}}')"
ktap_is "names" "[demo:1]" "$(of '{{.RepoTags}}')"
ktap_is "a name by digest" "demo@$(shale images --digests --format '{{.Digest}}' demo)" "$(of '{{index .RepoDigests 0}}')"
ktap_is "the parent" "$base" "$(of '{{.Parent}}')"
ktap_is "without one" "" "$(of '{{.Parent}}' plain:1)$(of '{{.Parent}}' base:1)"
ktap_is "the comment of the last step" why "$(of '{{.Comment}}')"
ktap_is "when, by whom, for what" "2024-05-06T07:08:11.25Z me amd64 v8 linux" \
	"$(of '{{.Created}} {{.Author}} {{.Architecture}} {{.Variant}} {{.Os}}')"
ktap_is "how to run it" '["A=b","C=d"] ["sh"] z SIGINT' \
	"$(of '{{json .Config.Env}} {{json .Config.Cmd}} {{index .Config.Labels "x.y"}} {{.Config.StopSignal}}')"
ktap_is "what the config does not say" 'null "" false' "$(of '{{json .Config.Entrypoint}} {{json .Config.WorkingDir}} {{.Config.Tty}}')"
ktap_is "the size" 1234568 "$(of '{{.Size}}')"
ktap_is "the layers" "layers 2" "$(of '{{.RootFS.Type}} {{len .RootFS.Layers}}')"
ktap_is "the topmost layer's directory" b "$(ls "$(of '{{.GraphDriver.Data.UpperDir}}')")"
ktap_is "those below it" a "$(ls "$(of '{{.GraphDriver.Data.LowerDir}}')")"
ktap_is "two images are one array" 2 "$(shale inspect demo:1 plain:1 | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')"
ktap_is "one that is not there does not keep the other away" "1 1" \
	"$(shale inspect none:1 demo:1 2>/dev/null | grep -c '"Id"') $(shale inspect none:1 demo:1 >/dev/null 2>&1; echo $?)"
ktap_is "a field that is not there" "1 shale: --format: there is no field 'No'" "$(says inspect -f '{{.No}}' demo:1)"
ktap_is "a template that is none" "125 shale: --format: '{{if .Id}}' is not understood: there is no {{end}}" "$(says inspect -f '{{if .Id}}' demo:1 | head -1)"
ktap_is "--format json" "$demo" "$(shale inspect --format json demo:1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["Id"])')"

# --- tag
ktap_is "tag prints nothing" 0 "$(says tag demo:1 quay.io/me/it)"
ktap_is "the image has two names" "[demo:1 quay.io/me/it:latest]" "$(of '{{.RepoTags}}')"
ktap_is "tag by ID" 0 "$(says tag "${demo:7:12}" demo:2)"
ktap_is "tag twice" "0 3" "$(says tag demo:1 demo:2) $(of '{{len .RepoTags}}')"
ktap_is "a name goes from one image to another" "0 [base:1 demo:2]" "$(says tag base:1 demo:2) $(of '{{.RepoTags}}' demo:2)"
ktap_is "and the first has it no more" "[demo:1 quay.io/me/it:latest]" "$(of '{{.RepoTags}}')"
ktap_is "tag of what is not there" "1 shale: No such image: none:latest" "$(says tag none x)"
ktap_is "a name that is none" "1 shale: 'X' is not an image name" "$(says tag demo:1 X)"
ktap_is "a digest" "1 shale: 'x@sha256:$(printf '0%.0s' {1..64})': an image cannot be given a digest" \
	"$(says tag demo:1 "x@sha256:$(printf '0%.0s' {1..64})")"
mkimage "$work/img" "f:unnamed:u"
shale import "$work/img" >/dev/null
id=$(shale images -q | head -1)
ktap_is "an image without a name gets one" "0 1 0" "$(says tag "$id" named:1) $(shale images -q named | wc -l) $(shale images | grep -c '<none> *<none> *'"$id")"

# --- formats of lists
ktap_is "a table by a template" "REPOSITORY           IMAGE ID" "$(shale images --format 'table {{.Repository}}\t{{.ID}}' base:1 | head -1 | sed 's/REPOSITORY  */REPOSITORY           /')"
ktap_is "lines by a template" "base:1" "$(shale images --format '{{.Repository}}:{{.Tag}}' base:1)"
ktap_is "a field that a list does not have" "shale: --format: there is no field 'Nope'" "$(shale images --format '{{.Nope}}' nothing 2>&1 | head -1)"
ktap_end
