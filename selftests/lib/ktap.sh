# SPDX-License-Identifier: GPL-2.0-only
#
# ktap.sh - KTAP for selftests written in shell; sourced by them. One line for each behaviour:
#
#	. "$(dirname "$0")/../lib/ktap.sh"
#	ktap_plan 2
#	ktap_ok "an empty directory is refused" ! shale import "$dir"
#	ktap_skip "import of a 10 GB layer" "no space"
#	ktap_end
#
# What the command prints becomes diagnostics and is only shown when the check fails. The reader of the
# lines is selftests/run.

ktap_number=0
ktap_failed=0

ktap_plan() {
	ktap_planned=$1
	printf 'KTAP version 1\n1..%d\n' "$1"
}

ktap_result() {
	ktap_number=$((ktap_number + 1))
	printf '%s %d %s\n' "$1" "$ktap_number" "$2"
}

# ktap_ok DESCRIPTION [!] COMMAND...: passes when COMMAND succeeds (with !: fails).
ktap_ok() {
	local desc=$1 want=0 out status=0
	shift
	if [ "$1" = "!" ]; then
		want=1
		shift
	fi
	out=$("$@" 2>&1) || status=1
	if [ "$status" -eq "$want" ]; then
		ktap_result ok "$desc"
		return 0
	fi
	printf '# command: %s\n' "$*"
	printf '%s\n' "$out" | sed 's/^/# /'
	ktap_result "not ok" "$desc"
	ktap_failed=$((ktap_failed + 1))
}

# ktap_is DESCRIPTION WANT GOT: passes when the strings are equal.
ktap_is() {
	if [ "$2" = "$3" ]; then
		ktap_result ok "$1"
		return 0
	fi
	printf '%s\n' "wanted: $2" "got:    $3" | sed 's/^/# /'
	ktap_result "not ok" "$1"
	ktap_failed=$((ktap_failed + 1))
}

# ktap_skip DESCRIPTION REASON
ktap_skip() {
	ktap_result ok "$1 # SKIP $2"
}

# Ends the program: a number of results other than the plan is a failure.
ktap_end() {
	if [ "$ktap_number" -ne "$ktap_planned" ]; then
		printf '# planned %d tests, ran %d\n' "$ktap_planned" "$ktap_number"
		exit 1
	fi
	[ "$ktap_failed" -eq 0 ] || exit 1
	exit 0
}
