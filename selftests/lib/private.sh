# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Mounts of a test are its own. Sourced by what needs that, after ktap.sh and after $work was made.

# private_mounts WHAT [ARG...]: begins the script again, with its arguments, in a mount namespace of its own; where that cannot
# be had WHAT is skipped.
private_mounts() {
	local what=$1
	shift
	[ -z "${SHALE_TEST_PRIVATE-}" ] || return 0
	rm -rf "$work"
	if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
		SHALE_TEST_PRIVATE=1 exec unshare -m "$0" "$@"
	fi
	ktap_plan 1
	ktap_skip "$what" "needs root and a mount namespace"
	ktap_end
}
