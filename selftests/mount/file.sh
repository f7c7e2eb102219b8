#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# shale stat and shale materialize: what they print about files of a mount, as text and as JSON, and what they say of
# what is no such file. Runs in the virtual machine.
set -u
. selftests/lib/ktap.sh

install -m 755 build/user/mount.shale /sbin/mount.shale
install -m 755 build/user/shale /usr/local/bin/shale
dir=$(mktemp -d "${SHALE_TEST_DIR:?}/file.XXXXXX")
chmod 755 "$dir"
cd "$dir" || exit 1

says()
{
	local out status=0

	out=$("$@" 2>&1) || status=$?
	printf '%s%s' "$status" "${out:+ $out}"
}

# A file of $2 blocks of 4 KiB of the letter $3.
blocks()
{
	head -c "$(($2 * 4096))" /dev/zero | tr '\0' "$3" >"$1"
}

overwrite()
{
	head -c 4096 /dev/zero | tr '\0' "$3" | dd of="$1" bs=4096 seek="$2" conv=notrunc status=none
}

letters()
{
	tr -s a-z <"$1"
}

mkdir a b u w m
blocks a/f 8 a
blocks a/odd 1 a && printf xyz >>a/odd
blocks b/low 2 b
: >b/empty
mkdir a/sub && ln -s f a/link && mkfifo a/pipe
mount -t shale s m -o "lowerdir=$dir/a:$dir/b,upperdir=$dir/u,workdir=$dir/w,cow=block" || exit 1
overwrite m/f 3 c

partial="    File: m/f
    Size: 32768 (32.8kB)
   Owned: 4096 (4.1kB)
  Shared: 28672 (28.7kB)
   Layer: $dir/u (needs layers below)
OFFSET    LENGTH    LAYER
0         12288     $dir/a
12288     4096      $dir/u
16384     16384     $dir/a"
low="    File: m/low
    Size: 8192 (8.19kB)
   Owned: 0 (0B)
  Shared: 8192 (8.19kB)
   Layer: $dir/b
OFFSET    LENGTH    LAYER
0         8192      $dir/b"

ktap_plan 31
ktap_is "a partial file: who has which range, what is owned, and what it needs" "0 $partial" "$(says shale stat m/f)"
ktap_is "a file of a lower layer" "0 $low" "$(says shale stat m/low)"
ktap_is "several files have an empty line between" "0 $partial

$low" "$(says shale stat m/f m/low)"
ktap_is "a symbolic link is followed" "0 ${partial/m\/f/m\/link}" "$(says shale stat m/link)"
ktap_is "an empty file has no ranges" "0     File: m/empty
    Size: 0 (0B)
   Owned: 0 (0B)
  Shared: 0 (0B)
   Layer: $dir/b" "$(says shale stat m/empty)"
ktap_is "JSON" \
	"0 {\"File\":\"m/f\",\"Size\":32768,\"Owned\":4096,\"Shared\":28672,\"Layer\":\"$dir/u\",\"Partial\":true,\"Ranges\":[{\"Offset\":0,\"Length\":12288,\"Layer\":\"$dir/a\"},{\"Offset\":12288,\"Length\":4096,\"Layer\":\"$dir/u\"},{\"Offset\":16384,\"Length\":16384,\"Layer\":\"$dir/a\"}]}" \
	"$(says shale stat --format json m/f)"
ktap_is "JSON is one object a line" 2 "$(shale stat --format json m/odd m/empty | grep -c '^{.*}$')"
ktap_is "JSON of a file that is in one layer" \
	"0 {\"File\":\"m/odd\",\"Size\":4099,\"Owned\":0,\"Shared\":4099,\"Layer\":\"$dir/a\",\"Partial\":false,\"Ranges\":[{\"Offset\":0,\"Length\":4099,\"Layer\":\"$dir/a\"}]}" \
	"$(says shale stat --format=json m/odd)"
ktap_is "--format table is the default" "0 $low" "$(says shale stat --format table m/low)"

blocks a/many 1 a && truncate -s 20M a/many
perl -e 'open F, "+<", "m/many" or die; for (0 .. 2499) { sysseek F, $_ * 8192, 0; syswrite F, "x" x 4096 }'
ktap_is "a file of thousands of runs shows all of them" 5000 "$(shale stat m/many | grep -c "^[0-9]")"
ktap_is "and each once" 0 "$(shale stat m/many | grep "^[0-9]" | sort | uniq -d | wc -l)"

ktap_is "a directory is none" "1 shale: m/sub: is a directory" "$(says shale stat m/sub)"
ktap_is "nor is a pipe, which is not waited for" "1 shale: m/pipe: is no regular file" "$(says shale stat m/pipe)"
ktap_is "a file that is not there" "1 shale: m/none: cannot be found: No such file or directory" \
	"$(says shale stat m/none)"
ktap_is "a file that is not on shale" "1 shale: a/f: not on a mount of shale" "$(says shale stat a/f)"
chmod 600 m/odd
ktap_is "a file that the caller may not read" "1 shale: m/odd: cannot be opened: Permission denied" \
	"$(says setpriv --reuid 1000 --regid 1000 --clear-groups shale stat m/odd)"
ktap_is "one that cannot be told does not keep the others from it" "1 shale: m/none: cannot be found: No such file or directory
$low" "$(says shale stat m/none m/low)"
ktap_is "no file" "125 shale: which file?
Usage: shale stat [--format table|json] FILE..." "$(says shale stat)"
ktap_is "another format" "125 shale: --format xml is neither table nor json
Usage: shale stat [--format table|json] FILE..." "$(says shale stat --format xml m/f)"

ktap_is "materialize says nothing" 0 "$(says shale materialize m/f m/low)"
ktap_is "the files need no layer below then" "$dir/u
$dir/u" "$(shale stat m/f m/low | sed -n 's/^   Layer: //p')"
ktap_is "and are all in the writable one" "aca b" "$(letters u/f) $(letters u/low)"
ktap_is "a directory cannot be filled" "1 shale: m/sub: is a directory" "$(says shale materialize m/sub)"
ktap_is "nor a file that is not on shale" "1 shale: a/f: not on a mount of shale" "$(says shale materialize a/f)"
ktap_is "nor one that the caller may not write" "1 shale: m/f: cannot be opened: Permission denied" \
	"$(says setpriv --reuid 1000 --regid 1000 --clear-groups shale materialize m/f)"
ktap_is "the others are" "1 shale: m/none: cannot be found: No such file or directory" \
	"$(says shale materialize m/none m/odd)"
ktap_is "that is, filled" "4099 (4.1kB)" "$(shale stat m/odd | sed -n 's/^   Owned: //p')"
ktap_is "materialize of no file" "125 shale: which file?
Usage: shale materialize FILE..." "$(says shale materialize)"
mount -o remount,ro m
ktap_is "on a read-only mount nothing can be filled" "1 shale: m/empty: cannot be opened: Read-only file system" \
	"$(says shale materialize m/empty)"
umount m
echo changed >>a/many
mount -t shale s m -o "lowerdir=$dir/a:$dir/b,upperdir=$dir/u,workdir=$dir/w,cow=block"
ktap_is "a file whose layers changed cannot be told" "1 shale: m/many: cannot be opened: Input/output error" \
	"$(says shale stat m/many)"
ktap_is "one that was filled can" "32768 (32.8kB)" "$(shale stat m/f | sed -n 's/^   Owned: //p')"
umount m

cd / && rm -rf "$dir"
ktap_end
