#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Completion: what shale says a word may become, and the scripts that bash and zsh load.
set -u
. "$(dirname "$0")/common"

mkdir "$work/bin"
# A shale with a store of its own, which is what the scripts call.
printf '#!/bin/sh\nSHALE_ROOT=%s exec %s "$@"\n' "$work/own" "$program" >"$work/bin/shale"
chmod 755 "$work/bin/shale"
PATH=$work/bin:$PATH

asked() {
	shale __complete "$@" | xargs
}
shale() {
	"$work/bin/shale" "$@"
}
in_bash() {
	bash -c '
		. "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_WORDBREAKS=" :="
		_shale
		printf "%s\n" "${COMPREPLY[@]}"' bash "$top/Documentation/completion/shale" "$@" | xargs
}
# compadd is what zsh shows: here it prints.
in_zsh() {
	zsh -f -c '
		compadd() { shift ${@[(i)--]}; print -l -- "$@" }
		_files() { print -l -- files "$@" }
		words=("${@:2}") CURRENT=$#words
		. "$1"' zsh "$top/Documentation/completion/_shale" "$@" | xargs
}

ktap_plan 26
mkimage --name demo:1 "$work/img" "f:a:a"
own import "$work/img" >/dev/null
own tag demo:1 demo:2
own volume create vol-1 >/dev/null

ktap_is "verbs" "image images import info inspect" "$(asked i)"
ktap_is "options of shale" "--help --host" "$(asked --h)"
ktap_is "a noun's verbs" "prune pull push" "$(asked image p)"
ktap_is "a verb's options" "--no-trunc" "$(asked images --no)"
ktap_is "images" "demo:1 demo:2" "$(asked rmi demo)"
ktap_is "an ID" "$(own images -q demo:1)" "$(asked rmi "$(own images -q demo:1 | cut -c1-6)")"
ktap_is "volumes" "vol-1" "$(asked volume rm v)"
ktap_is "either" "demo:1 demo:2" "$(asked inspect demo)"
ktap_is "an image to be run, behind options" "demo:1 demo:2" "$(asked run -it de)"
ktap_is "options of run" "--net --network" "$(asked run --ne)"
ktap_is "and their values" "none" "$(asked run --network n)"
ktap_is "files" ":files" "$(asked load -i x)"
ktap_is "an image and then a directory" "demo:1 demo:2 :dirs" "$(asked mount d) $(asked mount demo:1 /)"
ktap_is "values" "overlay2" "$(asked --storage-driver o)"
ktap_is "a word that is no verb has none" "" "$(asked nonsense x)"
ktap_is "nothing is said of what takes nothing" "" "$(asked version x)"
ktap_is "a store that is named is the one that is asked" "" "$(shale __complete --root "$work/other" rmi demo | xargs)"

ktap_is "bash: verbs" "rm rmi" "$(in_bash shale rm)"
ktap_is "bash: images" "demo:1 demo:2" "$(in_bash shale rmi de)"
ktap_is "bash: behind a colon only the rest is put in" "1 2" "$(in_bash shale rmi demo : '')"
ktap_is "bash: an option's value" "json" "$(in_bash shale images --format = j)"
ktap_is "bash: files" "$work/img" "$(in_bash shale load -i "$work/im")"
if command -v zsh >/dev/null; then
	ktap_is "zsh: verbs" "rm rmi" "$(in_zsh shale rm)"
	ktap_is "zsh: images" "demo:1 demo:2" "$(in_zsh shale rmi demo:)"
	ktap_is "zsh: files" "files" "$(in_zsh shale load -i x)"
	ktap_is "zsh: nothing" "" "$(in_zsh shale version x)"
else
	for what in verbs images files nothing; do
		ktap_skip "zsh: $what" "there is no zsh"
	done
fi
ktap_end
