# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# One step of the demo: says what it does, does it, says how long it took. Sourced by scripts/demo
# and by scripts/guest/demo, which goes on counting where the first stopped.

step_number=${STEP:-0}

# step TEXT COMMAND [ARG...]: in a process of its own, so that nothing but its output holds the pipe open.
step()
{
	local text=$1 start
	shift
	step_number=$((step_number + 1))
	printf '\n%d. %s\n' "$step_number" "$text"
	start=$(date +%s%N)
	"$@" 2>&1 | sed 's/^/     /'
	printf '     -- %d ms\n' $((($(date +%s%N) - start) / 1000000))
}
