// SPDX-License-Identifier: GPL-2.0-only
/*
 * mount.shale's option parser: every option string that mount(8) and containers/storage were seen to
 * write, what each word does, and what is refused with which message. Mounting with the result is
 * tested in the virtual machine.
 */
#include "ktap.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/shale.h>
#include <sys/mount.h>

#include "kapi/parse.h"

#define G "/var/lib/containers/storage/overlay"

/*
 * What a string comes to, as text: layers, upper, work, then parameters and attributes, each on its
 * own "name=value " in a fixed order, so that a case is two strings.
 */
static void describe_list(const struct mount_spec *spec, FILE *out)
{
	for (size_t i = 0; i < spec->nr_layers; i++)
		fprintf(out, "layer=%s ", spec->layers[i]);
	if (spec->upper)
		fprintf(out, "upper=%s ", spec->upper);
	if (spec->work)
		fprintf(out, "work=%s ", spec->work);
	for (size_t i = 0; i < spec->nr_params; i++) {
		const struct mount_param *param = &spec->params[i];

		fprintf(out, "%s%s%s ", param->key, param->value ? "=" : "",
			param->value ? param->value : "");
	}
}

static void describe_attr(const struct mount_spec *spec, FILE *out)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} bits[] = {
		{ MOUNT_ATTR_RDONLY, "RDONLY" },	 { MOUNT_ATTR_NOSUID, "NOSUID" },
		{ MOUNT_ATTR_NODEV, "NODEV" },		 { MOUNT_ATTR_NOEXEC, "NOEXEC" },
		{ MOUNT_ATTR_NOATIME, "NOATIME" },	 { MOUNT_ATTR_STRICTATIME, "STRICTATIME" },
		{ MOUNT_ATTR_NODIRATIME, "NODIRATIME" }, { MOUNT_ATTR_NOSYMFOLLOW, "NOSYMFOLLOW" },
	};

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (spec->attr_set & bits[i].bit)
			fprintf(out, "+%s ", bits[i].name);
	if (spec->propagation)
		fprintf(out, "propagation=%#llx ", (unsigned long long)spec->propagation);
}

static void describe_map(const char *name, const struct idmap *map, FILE *out)
{
	for (size_t i = 0; map && i < map->nr; i++)
		fprintf(out, "%s=%u:%u:%u ", name, map->extent[i].disk, map->extent[i].shown,
			map->extent[i].count);
}

static char *describe(const struct parsed *parsed)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ASSERT(out);
	describe_list(&parsed->spec, out);
	describe_attr(&parsed->spec, out);
	describe_map("uid", parsed->spec.uids, out);
	describe_map("gid", parsed->spec.gids, out);
	if (parsed->store)
		fprintf(out, "store=%s ", parsed->store);
	if (parsed->is_remount)
		fprintf(out, "remount ");
	if (parsed->warning[0])
		fprintf(out, "warning: %s ", parsed->warning);
	ASSERT(!fclose(out));
	if (len)
		text[len - 1] = '\0';
	return text;
}

struct good_case {
	struct ktap_row row;
	const char *opts;
	const char *want;
};

static const struct good_case good_cases[] = {
	/* containers/storage, captured */
	{ { "podman_run", "podman run: a trailing comma is nothing" },
	  "lowerdir=" G "/l/QDHX:" G "/l/OW5K,upperdir=" G "/c/diff,workdir=" G "/c/work,",
	  "layer=" G "/l/QDHX layer=" G "/l/OW5K upper=" G "/c/diff work=" G "/c/work" },
	{ { "podman_run_new", "podman 5 run: no trailing comma" },
	  "lowerdir=" G "/l/QDHX:" G "/l/OW5K,upperdir=" G "/c/diff,workdir=" G "/c/work",
	  "layer=" G "/l/QDHX layer=" G "/l/OW5K upper=" G "/c/diff work=" G "/c/work" },
	{ { "podman_run_rm", "podman run --rm: an empty token before volatile" },
	  "lowerdir=" G "/l/A,upperdir=" G "/c/diff,workdir=" G "/c/work,,volatile",
	  "layer=" G "/l/A upper=" G "/c/diff work=" G "/c/work volatile" },
	{ { "podman_run_rm_new", "podman 5 run --rm: volatile" },
	  "lowerdir=" G "/l/A,upperdir=" G "/c/diff,workdir=" G "/c/work,volatile",
	  "layer=" G "/l/A upper=" G "/c/diff work=" G "/c/work volatile" },
	{ { "podman_diff", "podman diff, commit, image mount: no upper" },
	  "lowerdir=" G "/c/diff:" G "/l/A:" G "/l/B",
	  "layer=" G "/c/diff layer=" G "/l/A layer=" G "/l/B" },
	{ { "podman_base", "the base layer: an empty directory below" },
	  "lowerdir=" G "/b/diff:" G "/b/empty", "layer=" G "/b/diff layer=" G "/b/empty" },
	{ { "podman_volume", "podman -v SRC:DST:O: private" },
	  "lowerdir=/srv,upperdir=/u/overlay/1/upper,workdir=/u/overlay/1/work,private",
	  "layer=/srv upper=/u/overlay/1/upper work=/u/overlay/1/work propagation=0x40000" },
	{ { "podman_image", "podman --mount type=image: a mount as the upper of two lowers" },
	  "lowerdir=" G "/i/merged:/u/overlay/2/lower,private",
	  "layer=" G "/i/merged layer=/u/overlay/2/lower propagation=0x40000" },
	{ { "podman_image_rw", "podman --mount type=image,rw=true" },
	  "lowerdir=" G "/i/merged,upperdir=/u/1/upper,workdir=/u/1/work,private",
	  "layer=" G "/i/merged upper=/u/1/upper work=/u/1/work propagation=0x40000" },
	{ { "podman_uidmap", "podman --uidmap: a colon leads the mapping" },
	  "lowerdir=/l,upperdir=/u,workdir=/w,volatile,uidmapping=:0:100000:65536,"
	  "gidmapping=:0:100000:65536",
	  "layer=/l upper=/u work=/w volatile uid=0:100000:65536 gid=0:100000:65536" },
	{ { "podman_mountopt", "storage.conf mountopt: fuse-overlayfs's words" },
	  "lowerdir=/l,upperdir=/u,workdir=/w,fsync=0,squash_to_root,volatile",
	  "layer=/l upper=/u work=/w volatile "
	  "warning: squash_to_root is not supported and was ignored: files keep their owners" },
	{ { "podman_selinux", "a quoted context keeps its commas and loses its quotes" },
	  "lowerdir=/l,context=\"system_u:object_r:container_file_t:s0:c1,c2\",volatile",
	  "layer=/l context=system_u:object_r:container_file_t:s0:c1,c2 volatile" },
	/* mount(8) */
	{ { "mount_rw", "mount(8): rw comes first" }, "rw,lowerdir=/a:/b", "layer=/a layer=/b" },
	{ { "mount_ro", "mount(8): ro and attributes" },
	  "ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow,lowerdir=/a",
	  "layer=/a +RDONLY +NOSUID +NODEV +NOEXEC +NOATIME +NODIRATIME +NOSYMFOLLOW" },
	{ { "mount_fstab", "mount(8) passes _netdev and nofail: ignored" },
	  "rw,_netdev,nofail,lowerdir=/a", "layer=/a" },
	{ { "mount_fstab_others", "fstab words for others are ignored" },
	  "defaults,auto,noauto,nouser,comment=hello,x-systemd.automount,X-mount.mkdir,seclabel,"
	  "lowerdir=/a",
	  "layer=/a" },
	{ { "mount_user", "user implies nosuid, nodev, noexec" }, "rw,user,lowerdir=/a",
	  "layer=/a +NOSUID +NODEV +NOEXEC" },
	{ { "mount_user_exec", "user,exec: the later word wins" }, "rw,user,exec,lowerdir=/a",
	  "layer=/a +NOSUID +NODEV" },
	{ { "mount_remount", "remount" }, "ro,remount,lowerdir=/a", "layer=/a +RDONLY remount" },
	{ { "mount_ro_rw", "of ro and rw the later wins" }, "ro,rw,lowerdir=/a", "layer=/a" },
	{ { "mount_atime", "noatime, then strictatime" }, "noatime,strictatime,lowerdir=/a",
	  "layer=/a +STRICTATIME" },
	{ { "mount_sync", "sync and dirsync reach the kernel" }, "sync,dirsync,lowerdir=/a",
	  "layer=/a sync dirsync" },
	/* the kernel's words */
	{ { "kernel_words", "overlayfs's words reach the kernel as they are" },
	  "lowerdir=/a,userxattr,xino=auto,redirect_dir=on,index=on,metacopy=on,nfs_export=on,"
	  "whiteout=aufs",
	  "layer=/a userxattr xino=auto redirect_dir=on index=on metacopy=on nfs_export=on "
	  "whiteout=aufs" },
	{ { "kernel_cow", "cow= reaches the kernel, which knows its words" },
	  "lowerdir=/a,cow=auto,cow=block,cow=what", "layer=/a cow=auto cow=block cow=what" },
	{ { "unknown", "unknown words reach the kernel, which refuses them" },
	  "lowerdir=/a,frobnicate,colour=blue", "layer=/a frobnicate colour=blue" },
	{ { "store", "store= names where images are" }, "store=/srv/shale", "store=/srv/shale" },
	/* fuse-overlayfs's words */
	{ { "fsync_1", "fsync=1 is what always happens" }, "lowerdir=/a,fsync=1", "layer=/a" },
	{ { "xattr_permissions_0", "xattr_permissions=0 is what always happens" },
	  "lowerdir=/a,xattr_permissions=0", "layer=/a" },
	{ { "fuse", "words about FUSE itself mean nothing here" },
	  "lowerdir=/a,allow_other,timeout=1,threaded=0,static_nlink,clone_fd", "layer=/a" },
	{ { "warnings", "two ignored words give two warnings" }, "lowerdir=/a,noacl,squash_to_uid=7",
	  "layer=/a warning: noacl is not supported and was ignored: access control lists stay in "
	  "force; squash_to_uid is not supported and was ignored: files keep their owners" },
	/* mappings */
	{ { "map_two", "two ranges in one mapping" },
	  "lowerdir=/a,uidmapping=0:1000:1:1:100000:65535,gidmapping=0:1000:1",
	  "layer=/a uid=0:1000:1 uid=1:100000:65535 gid=0:1000:1" },
	{ { "map_max", "the largest ids" },
	  "lowerdir=/a,uidmapping=0:0:4294967295,gidmapping=4294967294:4294967294:1",
	  "layer=/a uid=0:0:4294967295 gid=4294967294:4294967294:1" },
	/* escapes */
	{ { "escape_comma", "\\, is a comma" }, "lowerdir=/a\\,b,upperdir=/u\\,v,workdir=/w",
	  "layer=/a,b upper=/u,v work=/w" },
	{ { "escape_colon", "\\: is a colon in a layer's name" }, "lowerdir=/a\\:b:/c",
	  "layer=/a:b layer=/c" },
	{ { "escape_backslash", "\\\\ is a backslash" }, "lowerdir=/a\\\\:/b", "layer=/a\\ layer=/b" },
	{ { "escape_last", "a backslash at the very end is itself" }, "lowerdir=/a\\", "layer=/a\\" },
	{ { "equals", "only the first = divides" }, "lowerdir=/a=b", "layer=/a=b" },
	{ { "quote_inside", "quotes inside a name are part of it" }, "lowerdir=/a\"b,volatile",
	  "layer=/a\"b volatile" },
	/* layers */
	{ { "lower_plus", "lowerdir+ adds one layer below, colons and all" },
	  "lowerdir+=/a:b,lowerdir+=/c", "layer=/a:b layer=/c" },
	{ { "lower_both", "lowerdir+ after lowerdir adds" }, "lowerdir=/a:/b,lowerdir+=/c",
	  "layer=/a layer=/b layer=/c" },
	{ { "lower_twice", "a second lowerdir replaces the first" }, "lowerdir=/a:/b,lowerdir=/c",
	  "layer=/c" },
	{ { "upper_twice", "the second upperdir wins" },
	  "lowerdir=/a,upperdir=/u,upperdir=/v,workdir=/w", "layer=/a upper=/v work=/w" },
	{ { "relative", "relative names stay as they are" }, "lowerdir=l/A:l/B",
	  "layer=l/A layer=l/B" },
	{ { "empty", "no options at all" }, "", "" },
	{ { "commas", "nothing but commas" }, ",,,", "" },
};

TEST_TABLE(good, struct good_case, good_cases, c)
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char *text;

	parsed_init(&parsed);
	ASSERT(!parsed_add(&parsed, c->opts, false, &err) && !parsed_check(&parsed, &err));
	text = describe(&parsed);
	EXPECT_STREQ(text, c->want);
	free(text);
	parsed_release(&parsed);
}

struct bad_case {
	struct ktap_row row;
	const char *opts;
	const char *want;
};

static const struct bad_case bad_cases[] = {
	{ { "xattr_permissions", "force_mask's layers are refused, they would show wrong modes" },
	  "lowerdir=/a,xattr_permissions=2",
	  "xattr_permissions=2 is not supported: shale shows the owners and modes that are on disk; "
	  "remove force_mask from storage.conf" },
	{ { "upper_alone", "upperdir without workdir" }, "lowerdir=/a,upperdir=/u",
	  "upperdir is given without workdir" },
	{ { "work_alone", "workdir without upperdir" }, "lowerdir=/a,workdir=/w",
	  "workdir is given without upperdir" },
	{ { "uid_alone", "uidmapping without gidmapping" }, "lowerdir=/a,uidmapping=0:1:1",
	  "uidmapping is given without gidmapping" },
	{ { "gid_alone", "gidmapping without uidmapping" }, "lowerdir=/a,gidmapping=0:1:1",
	  "gidmapping is given without uidmapping" },
	{ { "map_words", "a mapping that is no numbers" }, "uidmapping=a:b:c",
	  "uidmapping=a:b:c is not a list of DISK:SHOWN:COUNT" },
	{ { "map_short", "a mapping of two numbers" }, "gidmapping=:0:1",
	  "gidmapping=:0:1 is not a list of DISK:SHOWN:COUNT" },
	{ { "map_zero", "a mapping of no ids" }, "uidmapping=0:1:0",
	  "uidmapping=0:1:0 is not a list of DISK:SHOWN:COUNT" },
	{ { "map_big", "an id of more than 32 bits" }, "uidmapping=0:4294967296:1",
	  "uidmapping=0:4294967296:1 is not a list of DISK:SHOWN:COUNT" },
	{ { "map_trailing", "a colon with nothing after it" }, "uidmapping=0:1:1:",
	  "uidmapping=0:1:1: is not a list of DISK:SHOWN:COUNT" },
	{ { "map_sign", "a negative id" }, "uidmapping=0:-1:1",
	  "uidmapping=0:-1:1 is not a list of DISK:SHOWN:COUNT" },
	{ { "map_empty", "an empty mapping" }, "uidmapping=",
	  "uidmapping= is not a list of DISK:SHOWN:COUNT" },
	{ { "fsync", "fsync is 0 or 1" }, "fsync=2", "fsync=2 is neither 0 nor 1" },
	{ { "lower_empty", "an empty lowerdir" }, "lowerdir=", "lowerdir has an empty path in it" },
	{ { "lower_hole", "an empty path between colons" }, "lowerdir=/a::/b",
	  "lowerdir has an empty path in it" },
	{ { "lower_end", "a colon at the end" }, "lowerdir=/a:", "lowerdir has an empty path in it" },
	{ { "upper_empty", "an empty upperdir" }, "upperdir=", "option upperdir has an empty value" },
	{ { "cow_missing", "cow needs a value" }, "lowerdir=/a,cow", "option cow needs a value" },
	{ { "value_missing", "lowerdir needs a value" }, "lowerdir", "option lowerdir needs a value" },
	{ { "value_too_many", "volatile takes none" }, "volatile=1", "option volatile takes no value" },
	{ { "ro_value", "ro takes none" }, "ro=1", "option ro takes no value" },
	{ { "no_name", "a value without a name" }, "=x",
	  "a mount option has no name before its \"=\"" },
	{ { "quote_open", "a quote that does not end" }, "context=\"a,b",
	  "option context has a quote that does not end" },
	{ { "quote_more", "text after the closing quote" }, "context=\"a\"b",
	  "option context goes on after its closing quote" },
};

TEST_TABLE(bad, struct bad_case, bad_cases, c)
{
	struct parsed parsed;
	struct shale_err err = { 0 };

	parsed_init(&parsed);
	EXPECT(parsed_add(&parsed, c->opts, false, &err) || parsed_check(&parsed, &err));
	EXPECT_STREQ(err.msg, c->want);
	EXPECT_EQ(err.code, EINVAL);
	parsed_release(&parsed);
}

static char *long_lowerdir(size_t nr)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ASSERT(out);
	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%s" G "/l/%026zu", i ? ":" : "lowerdir=", i);
	ASSERT(!fclose(out));
	return text;
}

TEST(long_127, "the 127 layers of a deep image, 8 KB of options")
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char *opts = long_lowerdir(127);

	parsed_init(&parsed);
	EXPECT(strlen(opts) > 7200);
	ASSERT(!parsed_add(&parsed, opts, false, &err));
	EXPECT_EQ(parsed.spec.nr_layers, 127);
	EXPECT_STREQ(parsed.spec.layers[0], G "/l/00000000000000000000000000");
	EXPECT_STREQ(parsed.spec.layers[126], G "/l/00000000000000000000000126");
	free(opts);
	parsed_release(&parsed);
}

TEST(too_many_layers, "one layer more than the kernel takes is refused")
{
	struct parsed parsed;
	struct shale_err err = { 0 };

	parsed_init(&parsed);
	for (int i = 0; i < MOUNT_LAYERS_MAX; i++)
		ASSERT(!parsed_add(&parsed, "lowerdir+=/a", false, &err));
	EXPECT(parsed_add(&parsed, "lowerdir+=/a", false, &err));
	EXPECT_STREQ(err.msg, "more than 4095 lower layers");
	EXPECT_EQ(err.code, EINVAL);
	parsed_release(&parsed);
}

TEST(too_many_params, "more options for the kernel than the limit are refused")
{
	struct parsed parsed;
	struct shale_err err = { 0 };

	parsed_init(&parsed);
	for (int i = 0; i < PARSE_MAX_PARAMS; i++)
		ASSERT(!parsed_add(&parsed, "colour=blue", false, &err));
	EXPECT(parsed_add(&parsed, "colour=blue", false, &err));
	EXPECT_STREQ(err.msg, "more than 64 mount options");
	EXPECT(parsed_add(&parsed, "context=\"a,b\"", false, &err));
	parsed_release(&parsed);
}

TEST(too_many_ranges, "a mapping of more ranges than the kernel takes is refused")
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char opts[8192] = "uidmapping=0:0:1";

	parsed_init(&parsed);
	for (int i = 1; i <= IDMAP_MAX_EXTENTS; i++)
		snprintf(opts + strlen(opts), sizeof(opts) - strlen(opts), ":%d:%d:1", i, i);
	EXPECT(parsed_add(&parsed, opts, false, &err));
	EXPECT_STREQ(err.msg, "uidmapping has more than 340 ranges");
	parsed_release(&parsed);
}

TEST(too_long, "an option string above the limit is refused")
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char *opts = malloc(PARSE_MAX_OPTS + 2);

	ASSERT(opts);
	memset(opts, ',', PARSE_MAX_OPTS + 1);
	opts[PARSE_MAX_OPTS + 1] = '\0';
	parsed_init(&parsed);
	EXPECT(parsed_add(&parsed, opts, false, &err));
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_STREQ(err.msg, "mount options of more than 131072 bytes");
	opts[PARSE_MAX_OPTS] = '\0';
	EXPECT(!parsed_add(&parsed, opts, false, &err));
	free(opts);
	parsed_release(&parsed);
}

TEST(sloppy, "-s drops unknown words and keeps the known ones")
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char *text;

	parsed_init(&parsed);
	ASSERT(!parsed_add(&parsed, "frobnicate,lowerdir=/a,volatile", true, &err));
	text = describe(&parsed);
	EXPECT_STREQ(text, "layer=/a volatile");
	free(text);
	parsed_release(&parsed);
}

TEST(two_strings, "a second -o adds to the first")
{
	struct parsed parsed;
	struct shale_err err = { 0 };
	char *text;

	parsed_init(&parsed);
	ASSERT(!parsed_add(&parsed, "lowerdir=/a", false, &err));
	ASSERT(!parsed_add(&parsed, "lowerdir+=/b,ro", false, &err));
	text = describe(&parsed);
	EXPECT_STREQ(text, "layer=/a layer=/b +RDONLY");
	free(text);
	parsed_release(&parsed);
}
