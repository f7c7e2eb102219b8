// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsck.shale: checks the maps of a layer's partial files while nobody uses it, and repairs what can be repaired
 * without doubt. Here are the command line, the way through the layer, and fsck(8)'s exit status.
 *
 *	fsck.shale [-n] [-y] [-v] [--userxattr] [--lower DIR]... LAYERDIR
 */
#include <shale.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/shale.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fsck.shale/fsck.h"
#include "fsck.shale/private.h"
#include "fsck.shale/walk.h"

/* fsck(8), EXIT STATUS: a sum. */
#define FSCK_EX_CORRECTED 1
#define FSCK_EX_LEFT	  4
#define FSCK_EX_FAILED	  8
#define FSCK_EX_USAGE	  16
#define FSCK_EX_CANCELLED 32

/* A mount has no more. */
#define LOWERS_MAX (SHALE_MAX_LAYERS - 1)

#define INDEX_PATH "/" SHALE_PRIVATE_DIR "/" SHALE_INDEX_DIR
#define MAP_PATH   "/" SHALE_PRIVATE_DIR "/" SHALE_MAP_DIR

static volatile sig_atomic_t is_cancelled;

struct call {
	bool looks, repairs;
	const char *lowers[LOWERS_MAX];
	size_t nr_lowers;
};

static int print_usage(FILE *out)
{
	fputs("Usage: fsck.shale [-n|-y] [-v] [--userxattr] [--lower DIR]... LAYERDIR\n"
	      "\n"
	      "Checks the maps of the partial files of a layer that is not mounted.\n"
	      "\n"
	      "  -n, --dry-run  change nothing\n"
	      "  -y             repair without asking; -a and -p are the same\n"
	      "  -v, --verbose  tell about each partial file\n"
	      "  --userxattr    private attributes are user.*, as on a mount with userxattr\n"
	      "  --lower DIR    a layer below, the topmost first: check the lower files, too\n"
	      "  -f             accepted for fsck(8)\n"
	      "  --version      print the version\n"
	      "  --help         print this\n",
	      out);
	return out == stdout ? 0 : FSCK_EX_USAGE;
}

static int usage_error(const char *what)
{
	fprintf(stderr, "fsck.shale: %s\n", what);
	return print_usage(stderr);
}

static void cancel(int signal)
{
	(void)signal;
	is_cancelled = 1;
}

static bool is_at(const char *path, const char *dir)
{
	const size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

/* Of the private directory, the index has names of files. */
static enum walk_next entry_seen(void *arg, const struct walk_entry *entry)
{
	struct fsck *fsck = arg;
	const bool is_indexed = is_at(entry->path, INDEX_PATH);

	if (is_cancelled)
		return WALK_END;
	if (!strcmp(entry->path, "/" SHALE_PRIVATE_DIR) || !strcmp(entry->path, INDEX_PATH))
		return WALK_ON;
	if (is_at(entry->path, "/" SHALE_PRIVATE_DIR) && !is_indexed)
		return WALK_PAST;
	partial_check(fsck, entry->dirfd, entry->name, entry->path, is_indexed);
	return WALK_ON;
}

static void entry_failed(void *arg, const char *path, const struct shale_err *err)
{
	struct fsck *fsck = arg;

	fsck->has_unread = true;
	failure_report(fsck, path, err);
}

static void layer_walk(struct fsck *fsck)
{
	const struct walk_calls calls = { entry_seen, entry_failed, fsck };
	struct shale_err err = { 0 };

	partial_check(fsck, fsck->root_fd, ".", "/", false);
	if (walk(fsck->root_fd, &calls, &err))
		entry_failed(fsck, "/", &err);
	if (!is_cancelled)
		leftovers_check(fsck);
}

/* A directory that is somewhere else would be read and written there. */
static void map_dir_open(struct fsck *fsck)
{
	const struct finding found = { .path = MAP_PATH, .what = "is no directory" };
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	__cleanup_fd int private = fs_open_entry(fsck->root_fd, SHALE_PRIVATE_DIR, flags);
	struct shale_err err = { 0 };

	if (private >= 0)
		fsck->map_fd = fs_open_entry(private, SHALE_MAP_DIR, flags);
	if (fsck->map_fd >= 0 || errno == ENOENT)
		return;
	if (errno == ENOTDIR || errno == ELOOP) {
		finding_report(fsck, &found);
		return;
	}
	shale_err_errno(&err, "cannot be opened");
	entry_failed(fsck, MAP_PATH, &err);
}

static int summary_print(const struct fsck *fsck)
{
	const uint64_t left = fsck->found - fsck->repaired;
	__cleanup_buf struct buf name = BUF_INIT;

	if (path_show(&name, fsck->name))
		buf_clear(&name);
	printf("%s: ", buf_str(&name));
	if (is_cancelled || fsck->has_failed)
		printf("%s, ", is_cancelled ? "cancelled" : "not checked completely");
	else if (!fsck->found)
		printf("clean, ");
	printf("%" PRIu64 " partial %s", fsck->partial, fsck->partial == 1 ? "file" : "files");
	if (fsck->found)
		printf(", %" PRIu64 " found, %" PRIu64 " repaired, %" PRIu64 " left", fsck->found,
		       fsck->repaired, left);
	putchar('\n');
	return (fsck->repaired ? FSCK_EX_CORRECTED : 0) | (left ? FSCK_EX_LEFT : 0) |
	       (fsck->has_failed || fflush(stdout) ? FSCK_EX_FAILED : 0) |
	       (is_cancelled ? FSCK_EX_CANCELLED : 0);
}

/* Two of us at work on one layer would undo each other's temporary files. */
static int layer_lock(const struct fsck *fsck, struct shale_err *err)
{
	const int how = fsck->mode == FSCK_LOOK ? LOCK_SH : LOCK_EX;

	if (flock(fsck->root_fd, how | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	return shale_err_set(err, EBUSY, "is being checked by another fsck.shale");
}

static int layer_check(const struct fsck *fsck, struct shale_err *err)
{
	struct statfs fs;

	if (access("/proc/self/fd", X_OK))
		return shale_err_errno(err, "cannot be checked without /proc");
	if (fstatfs(fsck->root_fd, &fs))
		return shale_err_errno(err, "cannot be read");
	if ((unsigned int)fs.f_type == SHALE_SUPER_MAGIC)
		return shale_err_set(err, EINVAL, "is on a mount of shale, and no layer");
	if (private_get(fsck->root_fd, fsck->prefix, SHALE_XATTR_MAP, NULL, 0) < 0 &&
	    errno == EOPNOTSUPP)
		return shale_err_errno(err, "cannot have attributes %s*", fsck->prefix);
	if (!private_is_visible(fsck->prefix))
		return shale_err_set(err, EPERM,
				     "only root sees attributes %s*; has the layer user.* "
				     "(--userxattr)?",
				     fsck->prefix);
	/* Lower layers do not change, so that looking at one disturbs nobody. */
	if (inuse_check(fsck, fsck->mode == FSCK_LOOK, err))
		return -1;
	return layer_lock(fsck, err);
}

static int layer_open(struct fsck *fsck, const struct call *call, struct shale_err *err)
{
	fsck->root_fd = open(fsck->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsck->root_fd < 0)
		return shale_err_errno(err, "cannot be opened");
	for (size_t i = 0; i < call->nr_lowers; i++)
		if (below_add(&fsck->below, call->lowers[i], err))
			return shale_err_wrap(err, "cannot open a lower layer");
	return layer_check(fsck, err);
}

static void fsck_release(struct fsck *fsck)
{
	fd_closep(&fsck->map_fd);
	fd_closep(&fsck->root_fd);
	below_release(&fsck->below);
	table_release(&fsck->sidecars);
	table_release(&fsck->seen);
}

/* Each lower layer is a descriptor, and one more where it has the directory at hand. */
static void files_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int fsck_run(struct fsck *fsck, const struct call *call)
{
	struct sigaction action = { .sa_handler = cancel };
	struct shale_err err = { 0 };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	files_allow();
	below_init(&fsck->below, fsck->prefix);
	if (layer_open(fsck, call, &err)) {
		failure_report(fsck, fsck->name, &err);
		return FSCK_EX_FAILED;
	}
	map_dir_open(fsck);
	layer_walk(fsck);
	return summary_print(fsck);
}

static int mode_choose(struct fsck *fsck, const struct call *call)
{
	if (call->looks && call->repairs)
		return usage_error("-n and -y together make no sense");
	fsck->mode = call->looks ? FSCK_LOOK : call->repairs ? FSCK_REPAIR : FSCK_ASK;
	if (fsck->mode != FSCK_ASK || isatty(STDIN_FILENO))
		return 0;
	fputs("fsck.shale: there is no terminal to ask what to repair; give -n or -y\n", stderr);
	return FSCK_EX_FAILED;
}

/* What follows the options. */
static int operand_take(struct fsck *fsck, int argc, char **argv)
{
	if (argc != 1)
		return usage_error(argc ? "too many operands" : "which layer is to be checked?");
	fsck->name = argv[0];
	return 0;
}

static int lower_take(struct call *call, const char *name)
{
	if (call->nr_lowers == LOWERS_MAX)
		return usage_error("too many lower layers");
	call->lowers[call->nr_lowers++] = name;
	return 0;
}

/* One option; false: exit with *ret_status at once. */
static bool option_take(struct fsck *fsck, struct call *call, int option, int *ret_status)
{
	switch (option) {
	case 'n':
		call->looks = true;
		break;
	case 'a':
	case 'p':
	case 'y':
		call->repairs = true;
		break;
	case 'v':
		fsck->is_verbose = true;
		break;
	case 'u':
		fsck->prefix = "user.";
		break;
	case 'l':
		*ret_status = lower_take(call, optarg);
		break;
	case 'f':
		break;
	case 'V':
		puts("fsck.shale " SHALE_VERSION);
		return false;
	case 'h':
		print_usage(stdout);
		return false;
	default:
		*ret_status = print_usage(stderr);
	}
	return !*ret_status;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "dry-run", no_argument, NULL, 'n' },	 { "verbose", no_argument, NULL, 'v' },
		{ "userxattr", no_argument, NULL, 'u' }, { "lower", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'V' },	 { "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct call call;
	__attribute__((cleanup(fsck_release))) struct fsck fsck = {
		.prefix = "trusted.", .root_fd = -1, .map_fd = -1,
	};
	int option, status = 0;

	setlocale(LC_CTYPE, "");
	while ((option = getopt_long(argc, argv, "nyapvf", longs, NULL)) != -1)
		if (!option_take(&fsck, &call, option, &status))
			return status;
	status = operand_take(&fsck, argc - optind, argv + optind);
	if (!status)
		status = mode_choose(&fsck, &call);
	return status ? status : fsck_run(&fsck, &call);
}
