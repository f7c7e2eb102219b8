// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fsck.shale is called: its words, what it asks, whom it refuses, layers that are in use, and that it can
 * be stopped, or fail, at any step of a repair. What it finds is fsck.c.
 */
#include "ktap.h"
#include "layer_maps.h"

#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <asm/byteorder.h>

#define HEAD	sizeof(struct shale_disk_map)
#define RUNS	"0+1 5+3 511+2 20000+40000 76799+1"
#define SIDECAR "layer/.shale/map/" MAPS_NAME

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}

static void in_terminal(const char *answer, const char *wanted)
{
	char text[8192] = "";
	size_t got = 0;
	ssize_t len;
	int fd, status;
	pid_t pid = ASSERT_OK(forkpty(&fd, NULL, NULL, NULL));

	if (!pid) {
		alarm(30);
		maps_exec("layer");
	}
	ASSERT_EQ(write(fd, answer, strlen(answer)), strlen(answer));
	while (got < sizeof(text) - 1 && (len = read(fd, text + got, sizeof(text) - 1 - got)) > 0)
		got += len;
	ASSERT_OK(waitpid(pid, &status, 0));
	close(fd);
	snprintf(maps_output, sizeof(maps_output), "%d %s", WEXITSTATUS(status), text);
	if (!strstr(maps_output, wanted))
		ktap_fail(__FILE__, __LINE__, "wanted \"%s\", got:\n%s", wanted, maps_output);
}

TEST(ask, "without -n and -y each repair is asked for, at a terminal only")
{
	const u64 before = maps_tree("layer");

	maps_sidecar_file("layer", 7, MAPS_LIMIT, RUNS);
	maps_expect("layer", 8, "there is no terminal to ask what to repair; give -n or -y");
	in_terminal("n\n", ": is a sidecar of no file: left as it is");
	EXPECT(strstr(maps_output, ": is a sidecar of no file. Repair it [y/N]? "));
	EXPECT(!strncmp(maps_output, "4 ", 2));
	in_terminal("\n", "left as it is");
	in_terminal("\4", "left as it is");
	EXPECT(maps_tree("layer") != before);
	in_terminal("y\n", ": is a sidecar of no file: repaired");
	EXPECT(!strncmp(maps_output, "1 ", 2));
	in_terminal("", "layer: clean");
}

struct usage_case {
	struct ktap_row row;
	const char *words;
	int status;
	const char *want;
};

static const struct usage_case usage_cases[] = {
	{ ROW("none", "no layer"), "-n", 16, "which layer is to be checked?\nUsage: fsck.shale" },
	{ ROW("two", "two layers"), "-n layer layer", 16, "too many operands" },
	{ ROW("option", "an unknown option"), "-x layer", 16, "Usage: fsck.shale" },
	{ ROW("long", "an unknown word"), "--repair layer", 16, "Usage: fsck.shale" },
	{ ROW("argument", "--lower without a directory"), "-n layer --lower", 16, "Usage: fsck.shale" },
	{ ROW("both", "-n and -y"), "-n -y layer", 16, "-n and -y together make no sense" },
	{ ROW("help", "--help"), "--help", 0, "Usage: fsck.shale [-n|-y]" },
	{ ROW("version", "--version"), "--version", 0, "fsck.shale 0." },
	{ ROW("missing", "a layer that is not there"), "-n nothing", 8,
	  "fsck.shale: nothing: cannot be opened: No such file or directory\n" },
	{ ROW("file", "a layer that is a file"), "-n /proc/self/exe", 8, "cannot be opened: Not a directory\n" },
	{ ROW("lower", "a lower layer that is not there"), "-n --lower nothing layer", 8,
	  "layer: cannot open a lower layer: nothing: No such file or directory" },
	{ ROW("proc", "a filesystem without attributes"), "-n /proc/self", 8, "cannot have attributes" },
	{ ROW("a", "-a for -y"), "-a layer", 0, "clean" },
	{ ROW("p", "-p for -y"), "-f -p layer", 0, "clean" },
	{ ROW("dry", "--dry-run for -n"), "layer --dry-run --verbose", 0, "clean" },
};

TEST_TABLE(usage, struct usage_case, usage_cases, c)
{
	maps_expect(c->words, c->status, c->want);
}

TEST(privilege, "who does not see trusted.* does not call a layer clean, and --userxattr goes by user.*")
{
	if (!maps_is_root())
		SKIP("only root can become somebody else");
	maps_sh("touch layer/f; setfattr -n user.shale.map -v x layer/f");
	maps_expect("-n layer", 0, "layer: clean");
	maps_expect("-n --userxattr layer", 4, "/f: its map is damaged: it is shorter than its header");
	ASSERT_EQ(maps_fsck_behind("setpriv --bounding-set -sys_admin --inh-caps -all", "-n layer"), 8);
	EXPECT(strstr(maps_output, "only root sees attributes trusted.*"));
	ASSERT_EQ(maps_fsck_behind("unshare -U -r", "-n layer"), 8);
	EXPECT(strstr(maps_output, "only root sees attributes trusted.*"));
	ASSERT_EQ(maps_fsck_behind("setpriv --reuid=65534 --clear-groups", "-n --userxattr layer"), 4);
	maps_sh("chmod 711 layer");
	ASSERT_EQ(maps_fsck_behind("setpriv --reuid=65534 --clear-groups", "-n --userxattr layer"), 8);
	EXPECT(strstr(maps_output, "fsck.shale: layer: cannot be opened: Permission denied"));
	maps_sh("chmod 755 layer; mkdir -m 700 layer/d");
	ASSERT_EQ(maps_fsck_behind("setpriv --reuid=65534 --clear-groups", "-n --userxattr layer"), 8 | 4);
	EXPECT(strstr(maps_output, "fsck.shale: /d: cannot be opened: Permission denied"));
	EXPECT(strstr(maps_output, "layer: not checked completely, 1 partial file, 1 found"));
}

TEST(unreadable, "sidecars of no file are kept if not all directories could be read")
{
	if (!maps_is_root())
		SKIP("only root can become somebody else");
	maps_sh("mkdir -p layer/d layer/.shale/map; touch " SIDECAR "; chown -R 65534 layer; chmod 0 layer/d");
	ASSERT_EQ(maps_fsck_behind("setpriv --reuid=65534 --clear-groups", "-y --userxattr layer"), 8 | 4);
	EXPECT(strstr(maps_output, "is a sidecar of no file, or of one whose map cannot be read: left as it is"));
	maps_sh("test -f " SIDECAR);
}

TEST(locked, "two of them do not work on one layer, unless both only look")
{
	int fd = ASSERT_OK(open("layer", O_RDONLY | O_DIRECTORY));

	ASSERT_OK(flock(fd, LOCK_SH));
	maps_expect("-n layer", 0, "clean");
	maps_expect("-y layer", 8, "fsck.shale: layer: is being checked by another fsck.shale\n");
	ASSERT_OK(flock(fd, LOCK_EX));
	maps_expect("-n layer", 8, "is being checked by another fsck.shale");
}

/* Into a mount namespace that goes with the test. */
static void mounts_begin(void)
{
	if (unshare(CLONE_NEWNS))
		SKIP("only root can mount");
	ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	maps_sh("mkdir l l2 u w m");
	if (system("mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m 2>/dev/null"))
		SKIP("overlayfs cannot be mounted here");
	maps_sh("umount m");
}

/* Whichever filesystem mounts a layer: what is known of mounts of shale is known of overlayfs's. */
struct mount_case {
	struct ktap_row row;
	const char *name; /* of the layer */
	const char *command; /* "." is the directory that all is in, "$l" the layer */
	const char *want; /* NULL: clean */
	bool can_look;
};

#define UPPER "is in use: it is the upper layer of "
#define LOWER "is in use: it is a lower layer of "
#define MOUNT "mount -t overlay overlay m -o "

static const struct mount_case mount_cases[] = {
	{ ROW("none", "a mount of others"), "layer", MOUNT "lowerdir=$PWD/l:$PWD/l2,upperdir=$PWD/u,workdir=$PWD/w" },
	{ ROW("upper", "an upper layer"), "layer", MOUNT "lowerdir=$PWD/l,upperdir=$PWD/$l,workdir=$PWD/w", UPPER },
	{ ROW("work", "a work directory"), "layer", MOUNT "lowerdir=$PWD/l,upperdir=$PWD/u,workdir=$PWD/$l", UPPER },
	{ ROW("relative", "a relative name"), "layer", MOUNT "lowerdir=l,upperdir=./$l/,workdir=w", UPPER },
	{ ROW("parent", "a name from elsewhere"), "layer",
	  "cd u && mount -t overlay overlay ../m -o lowerdir=../l:../$l", LOWER, true },
	{ ROW("link", "a symlink"), "layer", "ln -s $l x; " MOUNT "lowerdir=$PWD/l,upperdir=$PWD/x,workdir=w", UPPER },
	{ ROW("first", "the first lower layer"), "layer", MOUNT "lowerdir=$PWD/$l:$PWD/l", LOWER, true },
	{ ROW("last", "the last lower layer"), "layer", MOUNT "lowerdir=$PWD/l:$PWD/l2:$PWD/$l", LOWER, true },
	{ ROW("blank", "a name with a blank"), "a\\040b", MOUNT "lowerdir=$PWD/l,upperdir=\"$PWD/$l\",workdir=w", UPPER },
	{ ROW("colon", "a name with a colon"), "a:b", MOUNT "\"lowerdir=$PWD/a\\:b:$PWD/l\"", LOWER, true },
	{ ROW("colon_upper", "as the upper layer"), "a:b", MOUNT "lowerdir=l,upperdir=$PWD/a:b,workdir=w", UPPER },
	{ ROW("comma", "a name with a comma"), "a,b", MOUNT "lowerdir=l,\"upperdir=$PWD/a\\,b\",workdir=w", UPPER },
	{ ROW("suffix", "a name that begins alike"), "layer", "mkdir layer2; " MOUNT "lowerdir=$PWD/layer2:l" },
	{ ROW("elsewhere", "a mount in another namespace"), "layer",
	  "unshare -m sh -c '" MOUNT "lowerdir=$PWD/l,upperdir=$PWD/'$l',workdir=$PWD/w && touch x && exec sleep 60' & "
	  "echo $! >>pid; for i in $(seq 100); do test -e x && break; sleep 0.1; done", UPPER },
	{ ROW("chroot", "a mount that the first process of its namespace does not see"), "layer",
	  "unshare -m sh -c '" MOUNT "lowerdir=$PWD/l2,upperdir=$PWD/'$l',workdir=$PWD/w && sleep 60 & "
	  "echo $! >>pid; sleep 1; exec perl -e \"chroot q(l); chdir q(/); sleep 60\"' & "
	  "echo $! >>pid; sleep 3", UPPER },
};

static void processes_end(void)
{
	maps_sh("for p in $(cat pid 2>/dev/null); do kill $p 2>/dev/null; done; true");
}

TEST_TABLE(mounted, struct mount_case, mount_cases, c)
{
	char layer[64], words[128];

	mounts_begin();
	snprintf(layer, sizeof(layer), "%s", c->name);
	if (strchr(c->name, '\\'))
		strcpy(layer, "a b");
	maps_sh("rmdir layer; mkdir '%s'; l='%s'; %s", layer, layer, c->command);
	/* The words of a call are apart by blanks. */
	maps_sh("ln -s '%s' name", layer);
	snprintf(words, sizeof(words), "-y name");
	maps_expect(words, c->want ? 8 : 0, c->want ?: "clean");
	maps_expect("-n name", c->want && !c->can_look ? 8 : 0, c->want && !c->can_look ? c->want : "clean");
	processes_end();
}

TEST(mounted_point, "where a layer is mounted is said")
{
	char want[256], cwd[128];

	mounts_begin();
	maps_sh("mkdir 'm m'; mount -t overlay overlay -o lowerdir=l,upperdir=layer,workdir=w 'm m'");
	ASSERT(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "fsck.shale: layer: " UPPER "%s/m m\n", cwd);
	maps_expect("-y layer", 8, want);
	maps_sh("umount 'm m'");
	maps_expect("-y layer", 0, "clean");
}

TEST(mounted_inside, "a directory on which something is mounted cannot be looked at, and nothing is called clean")
{
	mounts_begin();
	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sh("mkdir -p layer/d/e; touch layer/.shale/map/0000000000000007; mount -t tmpfs none layer/d/e");
	maps_expect("-y layer", 8 | 4, "fsck.shale: /d/e: not checked, something is mounted on it");
	EXPECT(strstr(maps_output, "is a sidecar of no file, or of one whose map cannot be read: left as it is"));
	maps_sh("umount layer/d/e; mount -t tmpfs none layer/.shale/map");
	maps_expect("-n layer", 8 | 4, "fsck.shale: /.shale/map: cannot be opened");
}

/* Damage of each repairable kind. */
static void damage_make(void)
{
	struct shale_map_head other = { .id = 9 };
	u8 buf[SHALE_DISK_MAP_INLINE_MAX];

	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sector(SIDECAR, 0, 64, "x", 1, false);
	maps_sidecar("layer", "layer/z", &other, 0, "");
	maps_sh("rm layer/.shale/map/0000000000000009; touch layer/.shale/map/0000000000000008");
	maps_inline("layer/g", NULL, 4096 * 4096, "5+1");
	ASSERT_EQ(maps_value("layer/g", buf, sizeof(buf)), HEAD + 2);
	((struct shale_disk_map *)buf)->limit = cpu_to_le64(3 * 4096);
	maps_reseal(buf, HEAD + 2);
	maps_file("layer/g", buf, HEAD + 2);
}

static void damage_expect_gone(void)
{
	maps_expect("-n layer", 0, "layer: clean, 3 partial files\n");
	maps_expect_runs("layer", "layer/f", MAPS_LIMIT, RUNS);
	maps_expect_runs("layer", "layer/g", 3 * 4096, "");
	maps_expect_runs("layer", "layer/z", 0, "");
	maps_sh("test \"$(ls -A layer/.shale/map)\" = " MAPS_NAME);
}

/* 0: the program was not stopped by the COUNT-th call any more. */
static int strace_fsck(const char *calls, const char *what, int count)
{
	char before[256];

	snprintf(before, sizeof(before), "strace -f -qq -o /dev/null -e trace=%s -e inject=%s:%s:when=%d", calls,
		 calls, what, count);
	return maps_fsck_behind(before, "-y layer");
}

static const char *const steps[] = { "fsync", "renameat,renameat2", "setxattr", "unlinkat", "openat,openat2",
				     "write,pwrite64", "fchown", "fchmod", "syncfs", "pread64" };
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static void strace_prepare(void)
{
	if (system("strace -qq -o /dev/null true 2>/dev/null"))
		SKIP("there is no strace");
	/* It cannot look for leaks under strace. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
}

TEST(killed, "killed at any step of a repair it leaves a layer that the next run repairs")
{
	int points = 0;

	strace_prepare();
	for (size_t i = 0; i < NR_STEPS; i++)
		for (int count = 1; count < 400 && !ktap_has_failed(); count = count < 16 ? count + 1 : count * 4 / 3) {
			damage_make();
			if (strace_fsck(steps[i], "signal=SIGKILL", count) != 128 + SIGKILL)
				break;
			points++;
			ASSERT_EQ(maps_fsck("-y layer") & ~1, 0);
			damage_expect_gone();
			maps_sh("rm -r layer; mkdir layer");
		}
	ktap_note("killed at %d calls", points);
	EXPECT(points >= 40);
}

TEST(failing, "where a step of a repair fails the layer is as it was or repaired, and the status says so")
{
	int points = 0;

	strace_prepare();
	for (size_t i = 0; i < 8; i++)
		for (int count = 1; count < 400 && !ktap_has_failed(); count = count < 16 ? count + 1 : count * 4 / 3) {
			int status;

			damage_make();
			status = strace_fsck(steps[i], "error=ENOSPC", count);
			if (status == 1)
				break;
			points++;
			/* Libraries and output may take a failure of theirs as they like. */
			if (!(status & 8) && status != 127 && status != 1)
				ktap_fail(__FILE__, __LINE__, "%s %d: %d and:\n%s", steps[i], count, status,
					  maps_output);
			ASSERT_EQ(maps_fsck("-y layer") & ~1, 0);
			damage_expect_gone();
			maps_sh("rm -r layer; mkdir layer");
		}
	ktap_note("failed at %d calls", points);
	EXPECT(points >= 20);
}

TEST(cancelled, "a signal ends it between two files, and nothing is called clean")
{
	strace_prepare();
	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sh("touch layer/.shale/map/0000000000000007 layer/a layer/b layer/c");
	ASSERT_EQ(strace_fsck("lgetxattr", "signal=SIGINT", 2), 32);
	EXPECT(strstr(maps_output, "layer: cancelled, "));
	ASSERT_EQ(strace_fsck("lgetxattr", "signal=SIGTERM", 2), 32);
	maps_sh("test -e layer/.shale/map/0000000000000007");
}

TEST(order, "a new sidecar is stable before it takes the old one's place, and so is its name")
{
	strace_prepare();
	maps_sidecar("layer", "layer/f", NULL, MAPS_LIMIT, RUNS);
	maps_sector(SIDECAR, 0, 64, "x", 1, false);
	ASSERT_EQ(maps_fsck_behind("strace -f -qq -o trace -e trace=write,fsync,renameat,renameat2", "-y layer"), 1);
	maps_sh("grep -v 'write(1,' trace | sed 's/.* \\([a-z]*\\)[a-z0-9]*(.*/\\1/; s/^[0-9]* *//; s/(.*//' | uniq | "
		"tr '\\n' ' ' | grep -q 'write fsync renameat[2]* fsync $'");
}
