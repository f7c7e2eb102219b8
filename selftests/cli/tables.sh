#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shale command beside docker's own client, both at the same shaled: tables, formats, filters, IDs and errors' statuses
# byte for byte.
set -u
. "$(dirname "$0")/common"

# What both print, and how they end. Errors' words are each program's own.
same() {
	local what=$1
	shift
	if [ -z "$docker_program" ]; then
		ktap_skip "$what" "docker's client cannot be fetched"
		return
	fi
	ktap_is "$what" "$(docker "$@" 2>/dev/null; echo "status $?")" "$(shale "$@" 2>/dev/null; echo "status $?")"
}

# Formats and fields that older clients do not have.
same_new() {
	if [ "${docker_version:-0}" -lt 28 ]; then
		ktap_skip "$1" "docker's client is older than 28"
	else
		same "$@"
	fi
}

ktap_plan 84
start_daemon

same "no images" images
mkimage --name base:1 --created 2024-05-06T07:08:09Z --edit-config 'config["history"] = [
 {"created": "2024-05-06T07:08:09Z", "created_by": "ADD\trootfs of a very long name that is cut somewhere", "comment": "why"},
 {"created": "2024-05-06T07:08:10Z", "created_by": "CMD [\"sh\"]", "empty_layer": True}]
config["config"] = {"Env": ["A=b", "C=d"], "Labels": {"x.y": "z", "tier": "1"}, "Cmd": ["sh"]}' "$work/img" "rand:a:1234567"
own import "$work/img" >/dev/null
mkimage --name quay.io/a/b:v1 --created 2023-01-02T03:04:05Z "$work/img" "rand:a:1234567" "f:b:b"
own import "$work/img" >/dev/null
mkimage --name other/name:2 --created 2022-01-02T03:04:05Z "$work/img" "f:c:c"
own import "$work/img" >/dev/null
mkimage --created 2021-01-02T03:04:05Z "$work/img" "f:u:u"
own import "$work/img" >/dev/null
own save -o "$work/all.tar" base:1 other/name:2 quay.io/a/b:v1 "$(own images -q --filter dangling=true)"
same "load" load -q -i "$work/all.tar"
id=$(shale images -q --no-trunc base:1)

# --- images
for words in "" "-a" "-q" "--no-trunc" "--digests" "-q --no-trunc" "base" "base:1" "base:2" "nothing" "--digests quay.io/a/b" \
	"--filter dangling=true" "--filter dangling=false -q" "--filter reference=*/name" "--filter label=tier=1" \
	"--filter label=tier=2" "--filter before=base:1" "--filter since=quay.io/a/b:v1 -q" "--filter nonsense=1"; do
	# shellcheck disable=SC2086
	same "images $words" images $words
done
same "image ls" image ls
same "image list" image list -q
for format in json table '{{json .}}' '{{.ID}}' '{{.Repository}}:{{.Tag}} {{.Digest}}' 'table {{.ID}}\t{{.Repository}}\t{{.Size}}' \
	'table {{.Tag}}' '{{.ID}} {{.CreatedAt}} {{.CreatedSince}} {{.Size}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}}' \
	'{{if eq .Tag "1"}}one{{else}}other{{end}}' '{{upper .Repository}}|{{lower .Tag}}|{{title .Repository}}' \
	'{{printf "%-20s|%5s" .Repository .Tag}}' '{{.ID | printf "%.4s"}}' '{{json .Repository}}{{println .Tag}}' \
	'{{len .ID}} {{slice .ID 0 3}} {{truncate .ID 5}} {{pad .Tag 1 2}}' '{{range split .Repository "/"}}<{{.}}>{{end}}' \
	'{{join (split .Repository "/") "-"}}' '{{with .Tag}}{{.}}{{end}}{{- /* c */ -}} !' 'table {{upper .ID}}\t{{json .Tag}}' \
	'{{$x := .Tag}}{{$x}}{{not (eq $x "1")}}{{and .Tag .ID}}{{or "" .ID}}'; do
	case $format in
	*json*) same_new "images --format $format" images --format "$format" ;;
	*) same "images --format $format" images --format "$format" ;;
	esac
done
same "-q and a format" images -q --format '{{.Tag}}'

# --- history, inspect
same "history" history base:1
same "history of the whole" history --no-trunc base:1
same "history -q" history -q base:1
same "history -H=false" history -H=false base:1
same_new "history as JSON" history --format json base:1
same "history by a template" history --format '{{.ID}} {{.CreatedAt}} {{.Comment}} {{.Size}}' base:1
same "image history of an ID" image history "${id:7:12}"
same "history of what is not there" history nothing
same "image inspect" image inspect base:1
same "image inspect of two" image inspect base:1 quay.io/a/b:v1
same "inspect" inspect base:1
same "inspect, one is not there" inspect base:1 nothing
for format in '{{.Id}}' '{{json .Config.Env}}' '{{.RepoTags}}' '{{index .RepoTags 0}}' '{{range .RootFS.Layers}}{{println .}}{{end}}' \
	'{{.Config.Labels}}' '{{index .Config.Labels "x.y"}}' '{{len .RootFS.Layers}}' '{{.Size}} {{.Os}}/{{.Architecture}}' \
	'{{range $i, $e := .Config.Env}}{{$i}}={{$e}} {{end}}'; do
	same "inspect --format $format" image inspect --format "$format" base:1
done

# --- volumes
same "no volumes" volume ls
shale volume create one --label a=b >/dev/null
shale volume create two >/dev/null
same "volumes" volume ls
same "volumes' names" volume ls -q
same_new "volumes as JSON" volume ls --format json
same "volumes by a filter" volume ls --filter label=a -q
same "volumes by a template" volume ls --format 'table {{.Name}}\t{{.Labels}}\t{{.Scope}}'
same "volume inspect" volume inspect one two
same "inspect of a volume" inspect two --format '{{.Name}} {{.Driver}}'
same "a volume that is not there" volume inspect three

# --- the system
same "df" system df
same_new "df as JSON" system df --format json
same "version of the server" version --format '{{.Server.Version}}'
same "info" info --format '{{.Driver}} {{.Images}} {{.DockerRootDir}} {{len .DriverStatus}}'
same "events that were" events --since 1h --until 0s --format '{{.Type}} {{.Action}} {{.Actor.ID}}'
same "search is not served" search debian
ktap_is "and says so" 1 "$(shale search debian 2>&1 | wc -l)"

# --- what changes: each program on the same state
shale tag base:1 gone:1 && shale tag base:1 gone:2
if [ -n "$docker_program" ]; then
	ktap_is "rmi" "$(docker rmi gone:1)" "$(shale rmi gone:2 | sed 's/:2/:1/')"
else
	ktap_skip "rmi" "docker's client cannot be fetched"
fi
same "rmi of what is not there" rmi nothing
same "rmi -f of what is not there" rmi -f nothing
ktap_end
