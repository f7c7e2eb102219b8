#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Self-test of scripts/vm: whatever goes wrong with a guest ends in the right status and shows the
# end of the kernel's log, and what goes right succeeds. Runs on the host; selftests/run calls it. The
# faults come from faults/faults.c.
#
#	selftests/vm/harness.sh [FILTER]	only the cases whose name contains FILTER
#
# Commands for the guest's shell are in single quotes on purpose.
# shellcheck disable=SC2016

set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source-path=SCRIPTDIR source=../lib/ktap.sh
. selftests/lib/ktap.sh

filter=${1-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# check NAME STATUS PATTERN ARG...: scripts/vm ARG... ends with STATUS and prints PATTERN.
check()
{
	local name=$1 want=$2 pattern=$3 status=0 why=
	shift 3
	[[ $name == *"$filter"* ]] || return 0
	scripts/vm --no-module "$@" >"$tmp/out" 2>&1 </dev/null || status=$?
	[ "$status" = "$want" ] || why="status $status instead of $want"
	[ -z "$pattern" ] || grep -qE -e "$pattern" "$tmp/out" || why+=" no line with '$pattern'"
	if [ "$want" -ge 124 ] && [ "$want" -le 126 ] && ! grep -q "end of the kernel's log" "$tmp/out"; then
		why+=" no log"
	fi
	[ -z "$why" ] || {
		printf '# rerun: selftests/vm/harness.sh "%s"\n# scripts/vm --no-module %s\n' "$name" "$*"
		sed 's/^/# /' "$tmp/out"
	}
	ktap_is "$name" "" "$why"
}

# check_fault KERNEL FAULT STATUS PATTERN [OPTION...]
check_fault()
{
	local kernel=$1 fault=$2 want=$3 pattern=$4
	shift 4
	check "$kernel: $fault" "$want" "$pattern" --kernel "$kernel" "$@" -- \
		sh -c "insmod build/$kernel/faults/faults.ko fault=$fault; echo the command goes on"
}

check_status()
{
	check "a command that succeeds" 0 'the tree is /shale' \
		-- sh -c 'echo the tree is $PWD; [ -x scripts/vm ] && ! touch x 2>/dev/null'
	check "a command that exits 3" 3 'before' -- sh -c 'echo before; exit 3'
	check "a command that a signal ends" 137 '' -- sh -c 'kill -KILL $$'
	check "a command that is not there" 127 'no-such-command' -- no-such-command
	check "a command that is too slow" 124 'the guest was stopped after 8 s' --timeout 8 -- sleep 100
	check "a guest that restarts by itself" 125 'without a result' \
		-- sh -c 'echo b >/proc/sysrq-trigger; sleep 100'
	check "processes left running are stopped" 0 '' -- sh -c 'sleep 1000 & exit 0'
}

check_boot()
{
	head -c 1000000 /dev/urandom >"$tmp/garbage"
	check "a kernel that is garbage" 125 'QEMU failed|without a result' --timeout 20 \
		--vmlinuz "$tmp/garbage" -- true
	check "a kernel that finds no root" 125 'Kernel panic' --append 'rdinit=/nothing' -- true
	check "a disk that cannot be made" 125 'cannot make disk 0' --disk xfs:1M -- true
}

check_guest()
{
	mkdir -p "$tmp/share/dir" "$tmp/got"
	echo shared >"$tmp/share/dir/file"
	check "every kind of disk" 0 '^ext4 ext4 xfs btrfs tmpfs$' \
		--disk ext4:64M --disk ext4-1k:64M --disk xfs:320M --disk btrfs:128M --disk tmpfs:16M \
		-- sh -c 'for i in 0 1 2 3 4; do findmnt -n -o FSTYPE /mnt/$i; done | paste -sd" "'
	check "the shared directory, read-only" 0 '^shared$' --share "$tmp/share" \
		-- sh -c 'cat /mnt/share/dir/file; ! touch /mnt/share/x 2>/dev/null'
	check "files brought out" 0 '' --out "$tmp/got" -- sh -c 'echo result >/mnt/out/file'
	[[ "files brought out" == *"$filter"* ]] &&
		ktap_is "files brought out are whole" result "$(cat "$tmp/got/file" 2>&1)"
	check "instructions counted, disks in memory" 0 '/dev/ram0' --icount --disk ext4:64M \
		-- findmnt -n -o SOURCE /mnt/0
	check "two CPUs" 0 '^2$' --smp 2 -- nproc
}

check_stock_faults()
{
	scripts/kmod-build --dir selftests/vm/faults --out build/6.1/faults 6.1 || exit 1
	check_fault 6.1 oops 125 'BUG: kernel NULL pointer'
	check_fault 6.1 warn 126 'the command goes on'
	check_fault 6.1 warn 126 'the kernel reported: .*WARNING: '
	check_fault 6.1 panic 125 'Kernel panic - not syncing: a panic on purpose'
	check_fault 6.1 softlockup 125 'soft lockup' --append watchdog_thresh=3 --timeout 120
	check_fault 6.1 hung 125 'blocked for more than' --timeout 120 \
		--append sysctl.kernel.hung_task_timeout_secs=5
	check_fault 6.1 silent 124 'the guest was stopped after 20 s' --timeout 20
}

# A report that is long past is shown as well.
check_old_report()
{
	check "6.1: a report long before the end" 126 'Call Trace' --kernel 6.1 -- \
		sh -c "insmod build/6.1/faults/faults.ko fault=warn
			for i in \$(seq 200); do echo \"line \$i\" >/dev/kmsg; done"
}

check_debug_faults()
{
	scripts/kmod-build --dir selftests/vm/faults --out build/debug/faults debug || exit 1
	check "debug: a command that succeeds" 0 '^fine$' --kernel debug -- echo fine
	check_fault debug leak 126 'unreferenced object'
	check_fault debug uaf 126 'KASAN: (slab-)?use-after-free' --no-leak-check
	check_fault debug inversion 126 'possible circular locking dependency' --no-leak-check
	check_fault debug atomic 126 'sleeping function|scheduling while atomic' --no-leak-check
	check_fault debug list 126 'list_del corruption' --no-leak-check
}

printf 'KTAP version 1\n'
check_status
check_boot
check_guest
check_stock_faults
check_old_report
if scripts/kernel is-built debug; then
	check_debug_faults
else
	ktap_skip "debug: leak, use after free, lock inversion" "the debug kernel is not built yet"
fi
printf '1..%d\n' "$ktap_number"
[ "$ktap_failed" -eq 0 ]
