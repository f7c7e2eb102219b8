#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Where the command's work is done: by a daemon that is named, by one of its own that comes and goes with it; two of these
# at once, one that is killed, one that is not there, and what is left of them.
set -u
. "$(dirname "$0")/common"

says() {
	local out status=0
	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}
# Daemons that a command has started: their connection is the only one of their options with that word.
private_daemons() {
	pgrep -f "shaled --connection 3 .*--root $work/" | wc -l
}

ktap_plan 21
mkimage --name demo:1 "$work/img" "rand:a:3000000" "f:b:b"
own import "$work/img" >/dev/null

ktap_is "a command starts a daemon of its own" "demo" "$(own images --format '{{.Repository}}')"
ktap_is "which is gone when it ends" 0 "$(private_daemons)"
ktap_is "reading makes no store" "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE no" \
	"$("$program" --root "$work/none" images) $([ -e "$work/none" ] && echo yes || echo no)"
own save demo:1 >"$work/one.tar" & first=$!
own save demo:1 >"$work/two.tar" & second=$!
wait $first
statuses=$?
wait $second
ktap_is "two at once" "0 0" "$statuses $?"
ktap_ok "do the same" cmp "$work/one.tar" "$work/two.tar"

# --- killed in the middle: the sink takes nothing, so that the daemon is at work for sure
mkfifo "$work/fifo"
(own save demo:1 >"$work/fifo" 2>"$work/error"; echo $? >"$work/status") &
saving=$!
exec 4<"$work/fifo"
for ((i = 0; i < 200; i++)); do
	victim=$(pgrep -f "shaled --connection 3 .*--root $work/own") && break
	sleep 0.05
done
[ -z "${victim-}" ] || kill -KILL "$victim"
cat <&4 >/dev/null
exec 4<&-
wait $saving
ktap_is "a daemon that is killed is an error" "1 shale: the daemon was killed: Killed" "$(cat "$work/status" "$work/error" | xargs)"
own system check --repair >/dev/null
ktap_is "and leaves no more than a session to be cleared" "0 No problems found." "$(says own system check)"

# --- interrupted: a pipe that never ends
mkfifo "$work/endless"
"$program" --root "$work/own" load -i "$work/endless" >"$work/out" 2>&1 &
loading=$!
exec 5>"$work/endless"
head -c 600000 "$work/one.tar" >&5
kill -TERM $loading
for ((i = 0; i < 200; i++)); do
	kill -0 $loading 2>/dev/null || break
	sleep 0.05
done
exec 5>&-
wait $loading
ktap_is "an interrupt ends both" "1 0" "$? $(private_daemons)"
ktap_is "and says so" "shale: cancelled" "$(cat "$work/out")"
ktap_is "and leaves nothing" "" "$(find "$work/own/tmp" -mindepth 1)"

# --- without a daemon
mkdir "$work/alone" && cp "$program" "$work/alone/shale"
ktap_is "no daemon to be started is said" "1 shale: there is no daemon, and none can be started: shaled is not in $work/alone nor beside it" \
	"$(says "$work/alone/shale" --root "$work/own" images)"
ktap_is "verbs of the engine need none" "0 No problems found." "$(says "$work/alone/shale" --root "$work/own" system check)"
printf '#!/bin/sh\necho "shaled: this is not my day" >&2\nexit 3\n' >"$work/alone/shaled" && chmod 755 "$work/alone/shaled"
ktap_is "what one dies of is said" "1 shale: this is not my day" "$(says "$work/alone/shale" --root "$work/own" images)"

# --- libarchive is loaded by who reads a tar, and by nobody else
mkdir "$work/libraries" && echo "no library" >"$work/libraries/libarchive.so.13"
ktap_is "without libarchive there are images" "0 demo" \
	"$(LD_LIBRARY_PATH=$work/libraries says "$program" --root "$work/own" images --format '{{.Repository}}')"
says env LD_LIBRARY_PATH="$work/libraries" "$program" --root "$work/own" load -q -i "$work/one.tar" >"$work/out"
ktap_is "and what reads a tar says that it is missing" "1 shale: reading the archive: libarchive, which reads tars, cannot be loaded: $work/libraries" \
	"$(sed 's,/libarchive.so.13: .*,,' "$work/out")"

# --- named
ktap_is "a socket that is not there" "1 shale: cannot connect to the daemon at $work/no.sock: No such file or directory" \
	"$(says "$program" -H "unix://$work/no.sock" images)"
ktap_is "a host of another kind" "1 shale: a daemon is named as unix:///PATH, not 'tcp://127.0.0.1:1'" \
	"$(says "$program" -H tcp://127.0.0.1:1 images)"
ktap_is "a store and a host" "1 shale: unix://$socket has a store of its own: --host and --root or --storage-driver exclude each other" \
	"$(says "$program" -H "unix://$socket" --root "$root" images)"
start_daemon
ktap_is "SHALE_HOST names one" "0" "$(SHALE_HOST=unix://$socket "$program" images -q >/dev/null 2>&1; echo $?)"
shale load -q -i "$work/one.tar" >/dev/null
ktap_is "its store is its own" "demo 1" "$(shale images --format '{{.Repository}} {{.Tag}}')"
end_daemon
ktap_is "one that has ended" 1 "$(shale images >/dev/null 2>&1; echo $?)"
ktap_end
