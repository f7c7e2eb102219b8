// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsck.shale --lower: under which name a layer below has the file that a partial one needs, by each rule of
 * the module's lookup, and that it is what it was. Two lower layers, "l1" above "l2".
 */
#include "ktap.h"
#include "layer_maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}
#define GONE "/d/f: its lower file is not there: left as it is\n"

/*
 * "layer" has the partial file d/f, made after the lower file TARGET was, which exists as d/f in l1 unless
 * the commands make it elsewhere. In the commands, x OBJECT NAME VALUE sets a private attribute of overlayfs.
 */
struct lower_case {
	struct ktap_row row;
	const char *before; /* commands before the map is made */
	const char *target;
	const char *after; /* and after it */
	const char *want;  /* NULL: clean */
};

#define X(OBJECT, NAME, VALUE) "x " OBJECT " " NAME " " VALUE
#define MOVE(TO) "mkdir -p $(dirname " TO "); mv l1/d/f " TO
#define DIFFERS "/d/f: its lower file in l1 is not what it was "

static const struct lower_case lower_cases[] = {
	{ ROW("same", "the same name"), "", "l1/d/f" },
	{ ROW("second", "in the second layer"), MOVE("l2/d/f"), "l2/d/f" },
	{ ROW("second_only", "of which the first has not even the directory"), MOVE("l2/d/f") "; rmdir l1/d", "l2/d/f" },
	{ ROW("first_wins", "the first layer's file is it"), "mkdir l2/d; cp l1/d/f l2/d/f", "l2/d/f", "", DIFFERS },
	{ ROW("gone", "removed"), "", "l1/d/f", "rm l1/d/f", GONE },
	{ ROW("dir_gone", "with its directory"), "", "l1/d/f", "rm -r l1/d", GONE },
	{ ROW("size", "longer now"), "", "l1/d/f", "touch -r l1/d/f t; echo >>l1/d/f; touch -r t l1/d/f",
	  DIFFERS "(size, ctime): left as it is\n" },
	{ ROW("mtime", "written"), "", "l1/d/f", "touch -d 2001-01-01 l1/d/f", DIFFERS "(mtime, ctime)" },
	{ ROW("nsec", "written in the same second"), "touch -d '2001-01-01 0:0:0.5' l1/d/f", "l1/d/f",
	  "touch -d '2001-01-01 0:0:0.6' l1/d/f", DIFFERS "(mtime, ctime)" },
	{ ROW("ctime", "replaced by a copy"), "", "l1/d/f", "cp -p l1/d/f t; mv t l1/d/f", DIFFERS "(ctime)" },
	{ ROW("old", "a lower file from before 1970"), "touch -d 1950-01-01 l1/d/f", "l1/d/f" },
	{ ROW("dir", "a directory now"), "", "l1/d/f", "rm l1/d/f; mkdir l1/d/f", GONE },
	{ ROW("link", "a symlink now"), "", "l1/d/f", "mv l1/d/f l1/g; ln -s ../g l1/d/f", GONE },
	{ ROW("dir_link", "a symlink as its directory"), "", "l1/d/f", "mv l1/d l1/e; ln -s e l1/d", GONE },
	{ ROW("dir_file", "a file as its directory hides the layers below"), MOVE("l2/d/f") "; rmdir l1/d; touch l1/d",
	  "l2/d/f", "", GONE },

	{ ROW("whiteout", "deleted by the layer between"), MOVE("l2/d/f") "; mknod l1/d/f c 0 0", "l2/d/f", "", GONE },
	{ ROW("whiteout_dir", "with its directory"), MOVE("l2/d/f") "; rmdir l1/d; mknod l1/d c 0 0", "l2/d/f", "", GONE },
	{ ROW("whiteout_file", "by an empty file with overlayfs's mark"),
	  MOVE("l2/d/f") "; touch l1/d/f; " X("l1/d/f", "whiteout", "y"), "l2/d/f", "", GONE },
	{ ROW("whiteout_aufs", "by a name of AUFS"), MOVE("l2/d/f") "; touch l1/d/.wh.f", "l2/d/f", "", GONE },
	{ ROW("whiteout_aufs_dir", "by one of its directory"), MOVE("l2/d/f") "; rmdir l1/d; touch l1/.wh.d", "l2/d/f",
	  "", GONE },
	{ ROW("whiteout_aufs_beside", "by one beside its directory"), MOVE("l2/d/f") "; touch l1/.wh.d", "l2/d/f", "",
	  GONE },
	{ ROW("whiteout_aufs_last", "in the last layer it hides nothing"), "touch l1/d/.wh.f l1/.wh.d", "l1/d/f" },
	{ ROW("narrow_overlay", "a layer with overlayfs's whiteouts only has no names of AUFS"),
	  MOVE("l2/d/f") "; touch l1/d/.wh.f; s l1 whiteout overlay", "l2/d/f" },
	{ ROW("narrow_aufs", "one with AUFS's only has no devices: this one is in the way"),
	  MOVE("l2/d/f") "; mknod l1/d/f c 0 0; s l1 whiteout aufs", "l2/d/f", "", GONE },
	{ ROW("narrow_aufs_dir", "and no opaque directories"),
	  MOVE("l2/d/f") "; " X("l1/d", "opaque", "y") "; s l1 whiteout aufs", "l2/d/f" },

	{ ROW("opaque", "below an opaque directory"), MOVE("l2/d/f") "; " X("l1/d", "opaque", "y"), "l2/d/f", "", GONE },
	{ ROW("opaque_x", "which \"x\" is not"), MOVE("l2/d/f") "; " X("l1/d", "opaque", "x"), "l2/d/f" },
	{ ROW("opaque_in", "in it it is there"), X("l1/d", "opaque", "y"), "l1/d/f" },
	{ ROW("opaque_aufs", "below AUFS's"), MOVE("l2/d/f") "; touch l1/d/.wh..wh..opq", "l2/d/f", "", GONE },
	{ ROW("opaque_root", "below an opaque root"), MOVE("l2/d/f") "; " X("l1", "opaque", "y"), "l2/d/f", "", GONE },
	{ ROW("opaque_root_aufs", "below AUFS's"), MOVE("l2/d/f") "; touch l1/.wh..wh..opq", "l2/d/f", "", GONE },
	{ ROW("opaque_upper", "an opaque directory of the layer itself"), X("layer/d", "opaque", "y"), "l1/d/f", "", GONE },
	{ ROW("opaque_upper_root", "its opaque root"), X("layer", "opaque", "y"), "l1/d/f", "", GONE },
	{ ROW("opaque_upper_aufs", "AUFS's marks mean nothing in a layer that was written"),
	  "touch layer/.wh..wh..opq layer/d/.wh..wh..opq layer/.wh.d", "l1/d/f" },

	{ ROW("redirect", "a renamed directory"), "mv l1/d l1/e; " X("layer/d", "redirect", "e"), "l1/e/f" },
	{ ROW("redirect_path", "a moved one"), "mkdir l1/a; mv l1/d l1/a/e; " X("layer/d", "redirect", "/a/e"), "l1/a/e/f" },
	{ ROW("redirect_second", "renamed in the layer itself and in the first below"),
	  MOVE("l2/x/f") "; mv l1/d l1/e; " X("layer/d", "redirect", "e") "; " X("l1/e", "redirect", "x"), "l2/x/f" },
	{ ROW("redirect_paths", "moved in both, the second by a name"),
	  MOVE("l2/a/x/f") "; mkdir l1/a; mv l1/d l1/a/e; " X("layer/d", "redirect", "/a/e") "; "
	  X("l1/a/e", "redirect", "x"), "l2/a/x/f" },
	{ ROW("redirect_way", "a directory on the way has moved"),
	  MOVE("l2/b/c/e/f") "; mkdir l1/a; mv l1/d l1/a/e; " X("layer/d", "redirect", "/a/e") "; "
	  X("l1/a", "redirect", "/b/c"), "l2/b/c/e/f" },
	{ ROW("redirect_way_only", "which has not the directory itself"),
	  MOVE("l2/b/e/f") "; rmdir l1/d; mkdir l1/a; " X("layer/d", "redirect", "/a/e") "; " X("l1/a", "redirect", "b"),
	  "l2/b/e/f" },
	{ ROW("redirect_way_opaque", "or is opaque"),
	  MOVE("l2/a/e/f") "; rmdir l1/d; mkdir l1/a; " X("layer/d", "redirect", "/a/e") "; " X("l1/a", "opaque", "y"),
	  "l2/a/e/f", "", GONE },
	{ ROW("redirect_way_file", "or is none"),
	  MOVE("l2/a/e/f") "; rmdir l1/d; touch l1/a; " X("layer/d", "redirect", "/a/e"), "l2/a/e/f", "", GONE },
	{ ROW("redirect_way_deleted", "or is deleted"),
	  MOVE("l2/a/e/f") "; rmdir l1/d; touch l1/.wh.a; " X("layer/d", "redirect", "/a/e"), "l2/a/e/f", "", GONE },
	{ ROW("redirect_out", "a path leads out of where nothing is below"),
	  "mkdir -p layer/a l1/e; mv layer/d layer/a/d; " X("layer/a", "opaque", "y") "; "
	  X("layer/a/d", "redirect", "/d") "; mkdir layer/d; touch layer/d/f", "l1/d/f" },
	{ ROW("redirect_old_name", "the old name is not asked any more"), X("layer/d", "redirect", "e"), "l1/d/f", "", GONE },
	{ ROW("redirect_file", "a renamed file"), "mv l1/d/f l1/d/g; " X("layer/d/f", "redirect", "/d/g"), "l1/d/g" },
	{ ROW("redirect_file_second", "in the second layer"),
	  MOVE("l2/a/g") "; " X("layer/d/f", "redirect", "/a/g"), "l2/a/g" },
	{ ROW("redirect_file_name", "by a name"), "mv l1/d/f l1/d/g; " X("layer/d/f", "redirect", "g"), "l1/d/g" },
	{ ROW("redirect_file_dir", "through a directory that was moved in the layer below"),
	  MOVE("l2/x/g") "; " X("layer/d/f", "redirect", "/a/g") "; mkdir l1/a; " X("l1/a", "redirect", "/x"), "l2/x/g" },
	{ ROW("redirect_file_gone", "to where nothing is"), X("layer/d/f", "redirect", "/d/g"), "l1/d/f", "", GONE },

	{ ROW("invalid_empty", "a redirect that is empty"), "setfattr -n ${P}overlay.redirect layer/d", "l1/d/f", "",
	  "/d/f: the redirect of d, or of a directory it is in, leads nowhere: left as it is\n" },
	{ ROW("invalid_dots", "or leads up"), X("layer/d", "redirect", "/a/../d"), "l1/d/f", "", "leads nowhere: left" },
	{ ROW("invalid_dot", "or stays"), X("layer/d", "redirect", "."), "l1/d/f", "", "leads nowhere: left" },
	{ ROW("invalid_slash", "or is a relative path"), X("layer/d", "redirect", "a/b"), "l1/d/f", "", "leads nowhere" },
	{ ROW("invalid_end", "or ends in a slash"), X("layer/d", "redirect", "/a/"), "l1/d/f", "", "leads nowhere" },
	{ ROW("invalid_nul", "or has a NUL in it"), X("layer/d", "redirect", "0x610062"), "l1/d/f", "", "leads nowhere" },
	{ ROW("invalid_lower", "in a layer below"), MOVE("l2/d/f") "; " X("l1/d", "redirect", ".."), "l2/d/f", "",
	  "leads nowhere" },
	{ ROW("invalid_last", "in the last layer it is not read"), "rm -r l2; mv l1 l2; mkdir l1; " X("l2/d", "redirect", ".."),
	  "l2/d/f" },
};

static void commands(const char *text)
{
	maps_sh("set -e; P=%s; x() { setfattr -n ${P}overlay.$2 -v $3 $1; }; s() { setfattr -n ${P}shale.$2 -v $3 $1; }; %s",
		maps_prefix(), *text ? text : ":");
}

/* A partial file of which LOWER is what is below. */
static void map_make(const char *path, const char *lower)
{
	struct shale_map_head head = maps_head(lower);

	maps_inline(path, &head, 5, "");
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

TEST_TABLE(lower, struct lower_case, lower_cases, c)
{
	u64 before;

	if (!maps_is_root() && strstr(c->before, "mknod"))
		SKIP("only root can make a device");
	maps_sh("mkdir layer/d l1 l1/d l2; echo lower >l1/d/f; touch layer/d/f");
	commands(c->before);
	map_make(is_there("layer/a/d/f") ? "layer/a/d/f" : "layer/d/f", c->target);
	commands(c->after ?: "");
	before = maps_tree("layer");
	maps_expect("-n --lower l1 --lower l2 layer", c->want ? 4 : 0, c->want ?: "layer: clean, 1 partial file\n");
	maps_expect("-y --lower l1 --lower l2 layer", c->want ? 4 : 0, c->want ?: "layer: clean, 1 partial file\n");
	EXPECT(maps_tree("layer") == before);
	/* Without lower layers nothing of this is looked at. */
	maps_expect("-n layer", 0, "clean");
}

/* DIR/f for several files, each with its lower file. */
static void file_make(const char *path)
{
	char lower[256], upper[256];

	snprintf(lower, sizeof(lower), "l1/%s", path);
	snprintf(upper, sizeof(upper), "layer/%s", path);
	maps_sh("mkdir -p \"$(dirname l1/%s)\" \"$(dirname layer/%s)\"; echo lower >l1/%s", path, path, path);
	map_make(upper, lower);
}

TEST(several, "files of several directories, and of the root, each have their own")
{
	static const char *const paths[] = { "f", "g", "a/f", "a/b/f", "a/b/g", "c/f", "c/d/e/f" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		file_make(paths[i]);
	maps_expect("-y --lower l1 layer", 0, "layer: clean, 7 partial files\n");
	maps_sh("rm l1/a/b/g l1/f");
	maps_expect("-y --lower l1 layer", 4, "/a/b/g: its lower file is not there");
	EXPECT(strstr(maps_output, "/f: its lower file is not there"));
	EXPECT(strstr(maps_output, "7 partial files, 2 found, 0 repaired, 2 left\n"));
}

TEST(names, "each name of a file is followed, but those in the index are none in the layers below")
{
	file_make("a");
	maps_sh("mkdir -p layer/.shale/index; ln layer/a layer/b; ln layer/a layer/.shale/index/00; ln layer/a layer/c;"
		"ln l1/a l1/b; mv l1/a l1/c");
	map_make("layer/a", "l1/b");
	maps_expect("-n --lower l1 layer", 4, "/a: its lower file is not there");
	EXPECT(strstr(maps_output, "1 partial file, 1 found, 0 repaired, 1 left\n"));
}

TEST(many, "300 lower layers take no more open files than 1000 together")
{
	struct rlimit limit = { 1000, 1000 };
	static char words[8192];
	size_t len;

	file_make("a/f");
	maps_sh("for i in $(seq 300); do mkdir -p n/$i/a; done; mv l1/a/f t; mv t n/300/a/f");
	map_make("layer/a/f", "n/300/a/f");
	len = snprintf(words, sizeof(words), "-n layer");
	for (int i = 1; i <= 300; i++)
		len += snprintf(words + len, sizeof(words) - len, " --lower n/%d", i);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	maps_expect(words, 0, "clean, 1 partial file\n");
	maps_sh("mknod n/299/a/f c 0 0 || touch n/299/a/.wh.f");
	maps_expect(words, 4, "/a/f: its lower file is not there");
}

TEST(damaged, "of a file whose map cannot be read nothing below is asked")
{
	maps_sh("mkdir l1");
	maps_file("layer/f", "x", 1);
	maps_expect("-n --lower l1 layer", 4, "1 partial file, 1 found, 0 repaired, 1 left\n");
}

TEST(unreadable, "a lower layer that cannot be read is a failure, and no finding")
{
	if (!maps_is_root())
		SKIP("only root can become somebody else");
	file_make("a/f");
	maps_sh("setfattr -n user.shale.map -v \"$(getfattr -n trusted.shale.map -e hex layer/a/f | sed -n 's/.*=//p')\" "
		"layer/a/f; chmod 755 l1; chmod 700 l1/a");
	ASSERT_EQ(maps_fsck_behind("setpriv --reuid=65534 --clear-groups", "-n --userxattr --lower l1 layer"), 8);
	EXPECT(strstr(maps_output, "fsck.shale: /a/f: below it: f: Permission denied\n"));
}
