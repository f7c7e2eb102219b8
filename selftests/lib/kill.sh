# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What kills a command together with the daemon it has started, which does its work: the daemon would otherwise find the
# connection closed, and clean up. Sourced by the tests that kill at random moments.

# kill_hard PID: of a child. Its status, when both are gone.
kill_hard() {
	local daemons=() daemon i status

	read -ra daemons 2>/dev/null <"/proc/$1/task/$1/children"
	kill -9 "$1" "${daemons[@]}" 2>/dev/null
	wait "$1" 2>/dev/null
	status=$?
	for daemon in "${daemons[@]}"; do
		for ((i = 0; i < 500; i++)); do
			grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$daemon/status" || break
			sleep 0.01
		done
	done
	return $status
}
