# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Judges a finished guest: scripts/vm calls verdict once QEMU is gone. Success needs three things: a
# status on the result port, no new taint of the kernel, and no report in the kernel's log.

# What the kernel prints when something is wrong with it, at the start of a line of its log.
REPORTS='WARNING: |BUG: |INFO: (task|rcu|possible|trying|suspicious)|Oops|Kernel panic|UBSAN:'
REPORTS+='|general protection fault|rcu: INFO:|watchdog: |list_(add|del) corruption|refcount_t:'
REPORTS+='|kmem_cache_destroy |VFS: Busy inodes|kobject: .* is not initialized|DEBUG_LOCKS_WARN_ON'
REPORTS+='|possible deadlock|stack segment|double fault|Unable to handle|turning off the locking'
# W and D of /proc/sys/kernel/tainted, bad page, soft lockup, live oops: what a fault sets.
TAINT_FAULT=$((1 << 5 | 1 << 7 | 1 << 9 | 1 << 14))

# What belongs to a report is not longer: lockdep's are the longest.
REPORT_LINES=150

reports()
{
	grep -aE "^(\[[^]]*\] ?)*($REPORTS)" "$tmp/console"
}

# The first one, and what follows it.
show_report()
{
	reports >/dev/null || return 0
	say "the kernel's log from its first report on:"
	grep -aE -m 1 -A "$REPORT_LINES" "^(\[[^]]*\] ?)*($REPORTS)" "$tmp/console" | tr -d '\r' >&2
}

show_log()
{
	say "$1"
	show_report
	say "the end of the kernel's log:"
	tail -n "${SHALE_VM_TAIL:-60}" "$tmp/console" | tr -d '\r' >&2
	tail -n 5 "$tmp/qemu.err" >&2
}

fail()
{
	show_log "$2"
	exit "$1"
}

copy_out()
{
	[ -n "$out" ] || return 0
	mkdir -p "$out"
	tar -C "$out" -xf "$tmp/out.img" || fail "$EXIT_GUEST" "the guest's /mnt/out did not arrive whole"
}

# verdict QEMU-STATUS: ends the program with the status the whole run deserves.
verdict()
{
	local status taint why found
	found=$(reports | head -n 1 | tr -d '\r') || true
	if [ ! -s "$tmp/result" ]; then
		case $1 in
		124 | 137) fail "$EXIT_TIMEOUT" "the guest was stopped after $timeout s${found:+; $found}" ;;
		0) fail "$EXIT_GUEST" "the kernel died without a result${found:+: $found}" ;;
		*) fail "$EXIT_GUEST" "QEMU failed with status $1" ;;
		esac
	fi
	read -r status taint why <"$tmp/result"
	status=${status#status=} taint=${taint#taint=}
	[ -z "$found" ] || fail "$EXIT_REPORT" "the kernel reported: $found"
	[ $((taint & TAINT_FAULT)) = 0 ] || fail "$EXIT_REPORT" "the kernel is tainted ($taint)"
	[ "$why" = "the command ended" ] || fail "$EXIT_GUEST" "$why"
	copy_out
	exit "$status"
}
