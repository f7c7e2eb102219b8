# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What runs of programs that `make check` does not have (soak, crash, oracle) share: a virtual machine with the
# module, or without it where another filesystem is mounted (SHALE_TEST_FSTYPE).

fstype=${SHALE_TEST_FSTYPE:-shale}

# in_vm KERNEL ARGUMENT...: builds the module for it and calls scripts/vm; the arguments are those.
in_vm() {
	local vm=(--kernel "$1")
	if [ "$fstype" = shale ]; then
		scripts/kmod-build "$1" || exit 1
	else
		vm+=(--no-module)
	fi
	shift
	scripts/vm "${vm[@]}" "$@"
}
