# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts share: where the cache outside the tree is, how a thing in it is made once
# (built aside, renamed in, under a lock), and which Debian mirror this machine already uses. It
# fetches nothing itself. Sourced by scripts/kernel, scripts/kmod-build, scripts/vm-image and
# scripts/vm.

SHALE_CACHE=${SHALE_CACHE:-/var/cache/shale}
SHALE_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

# cache_lock NAME: hold the lock NAME until the shell ends. Waiting is bounded, since a build that
# another process does takes minutes, not hours.
cache_lock()
{
	local fd
	mkdir -p "$SHALE_CACHE/lock"
	exec {fd}>"$SHALE_CACHE/lock/$1"
	flock -w 5400 "$fd" || die "lock $1 is held for too long by another process"
}

# cache_make TARGET FUNCTION [ARG...]: unless TARGET exists, run FUNCTION TMP ARG... and rename TMP
# to TARGET. Whoever is killed half-way leaves a TMP that nobody takes for the result.
cache_make()
{
	local target=$1 tmp=$1.tmp
	shift
	[ -e "$target" ] && return 0
	(
		cache_lock "$(basename "$target")"
		[ -e "$target" ] && exit 0
		rm -rf "$tmp"
		mkdir -p "$(dirname "$target")"
		"$1" "$tmp" "${@:2}" || exit 1
		mv -T "$tmp" "$target"
	) || die "could not make $target"
}

# mirror_uri RELEASE: the URI from which this machine's apt takes RELEASE.
mirror_uri()
{
	apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" \
		'Created-By: Packages' |
		awk -v rel="$1" '$1 == rel && $2 == "main" { print $3; exit }'
}

# debian_uri: the URI of the main archive, which also carries the releases not configured here.
debian_uri()
{
	local uri
	uri=$(mirror_uri bookworm)
	[ -n "$uri" ] || die "apt has no source for bookworm main: is this Debian 12?"
	printf '%s\n' "$uri"
}

# source_line URI SUITE: a sources.list line that trusts Debian's keys only.
source_line()
{
	printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$1" "$2"
}

# bookworm_sources: what a bookworm system of our own takes its packages from.
bookworm_sources()
{
	local suite uri
	for suite in bookworm bookworm-updates bookworm-security; do
		uri=$(mirror_uri $suite)
		[ -z "$uri" ] || source_line "$uri" $suite
	done
}

# apt_private NAME SOURCES: prints an APT_CONFIG file whose lists, sources and downloads are its own.
# The system's apt is left as it is, and its proxy and network settings are honoured.
apt_private()
{
	local dir=$SHALE_CACHE/apt/$1
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	printf '%s\n' "$2" >"$dir/sources.list"
	: >"$dir/status"
	cat >"$dir/apt.conf" <<-END
		Dir::State "$dir";
		Dir::State::lists "lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
	END
	printf '%s\n' "$dir/apt.conf"
}
