# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The frame of scripts/check-layers and scripts/check-house: a check is a function check_NAME that
# prints one line for each thing it does not like, and a line in CHECKS that says what it holds. What
# is checked is the tree that git knows, or with --tree any directory.
#
#	check-x [--tree DIR] [CHECK...]		all checks or those named; status 1 when one finds something
#	check-x --list				names and descriptions

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# files [PATTERN...]: those of the tree, as git ls-files names them.
files()
{
	if [ -e .git ]; then
		git ls-files -- "$@" | while read -r file; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
		return
	fi
	find . -type f -printf '%P\n' | while read -r file; do
		for pattern in "${@:-*}"; do
			# shellcheck disable=SC2053
			if [[ $file == $pattern || ${file##*/} == $pattern ]]; then
				printf '%s\n' "$file"
				break
			fi
		done
	done
}

# code FILE: the file without its comments, every line where it was.
code()
{
	awk '{
		line = $0
		out = ""
		while (line != "") {
			if (inside) {
				end = index(line, "*/")
				if (!end) { line = ""; break }
				line = substr(line, end + 2)
				inside = 0
			} else {
				start = index(line, "/*")
				if (!start) { out = out line; break }
				out = out substr(line, 1, start - 1)
				line = substr(line, start + 2)
				inside = 1
			}
		}
		sub(/\/\/.*/, "", out)
		print out
	}' "$1"
}

# find_code REGEX FILE...: lines of code that match, as "FILE:NUMBER: LINE".
find_code()
{
	local regex=$1 file
	shift
	for file in "$@"; do
		code "$file" | grep -nE -- "$regex" | sed "s|^\([0-9]*\):[[:space:]]*|$file:\1: |"
	done
}

# scripts: the shell scripts among the files.
scripts()
{
	files | while read -r file; do
		[[ $(head -c 64 "$file" | head -1 | tr -d '\0') =~ ^#!/bin/(ba)?sh ]] &&
			printf '%s\n' "$file"
	done
}

check_one()
{
	local found
	found=$("check_$1")
	[ -n "$found" ] || return 0
	printf '%s\n' "${CHECKS[$1]}:"
	printf '%s\n' "$found" | sed 's/^/  /'
	return 1
}

check_main()
{
	local status=0 name
	while :; do
		case ${1-} in
		--tree) tree=$2 && shift 2 ;;
		--list)
			for name in "${!CHECKS[@]}"; do
				printf '%s\t%s\n' "$name" "${CHECKS[$name]}"
			done | sort
			return 0
			;;
		-*)
			echo "usage: ${0##*/} [--tree DIR] [--list | CHECK...]" >&2
			return 2
			;;
		*) break ;;
		esac
	done
	cd "$tree" || return 2
	[ $# -gt 0 ] || set -- "${!CHECKS[@]}"
	for name in "$@"; do
		if [ -z "${CHECKS[$name]-}" ]; then
			echo "${0##*/}: no check '$name'" >&2
			return 2
		fi
		check_one "$name" || status=1
	done
	return "$status"
}
