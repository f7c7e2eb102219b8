// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs that copy into and out of containers, and export. Paths are resolved in the container's root, and nothing
 * which a container does meanwhile leads out of it: reading opens nothing through a link, and for writing see unpack.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "archive/difftar.h"
#include "archive/unpack.h"
#include "base/fs.h"
#include "client/base64.h"
#include "container/mounts.h"
#include "container/rootfs.h"
#include "engine/container_view.h"

/* Something in a container. */
struct place {
	int parent;
	int fd; /* O_PATH, of the thing itself */
	struct stat st;
	char name[PATH_MAX]; /* its last word, as it was given: "." for what a path leads to */
	char base[NAME_MAX + 1];
	const char *shown; /* what it is called: the same; the name before a slash at the end; or a mount's that is not there */
};

#define PLACE_NONE	{ .parent = -1, .fd = -1 }
#define __cleanup_place __attribute__((cleanup(place_release)))

static void place_release(struct place *place)
{
	fd_closep(&place->parent);
	fd_closep(&place->fd);
}

/* A volume or a directory of the machine that one which does not run would have there. Its root, and the rest of the path. */
static int open_point(const struct opened *opened, const char *path, char rest[PATH_MAX])
{
	const json_t *point, *best = NULL;
	char clean[PATH_MAX];
	size_t i, longest = 0;

	if (!mounts_clean_path(path, clean))
		return -1;
	json_array_foreach(json_object_get(opened->record, "MountPoints"), i, point) {
		const char *target = json_text(point, "Destination");
		const size_t len = strlen(target);

		if (*json_text(point, "Source") && len > longest && !strncmp(clean, target, len) &&
		    (clean[len] == '/' || !clean[len])) {
			best = point;
			longest = len;
		}
	}
	if (!best)
		return -1;
	snprintf(rest, PATH_MAX, "%s", clean[longest] ? clean + longest : "/");
	return open(json_text(best, "Source"), O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Splits off the last word; a path that ends in a slash or in dots means what it leads to. */
static void split_path(const char *path, char parent[PATH_MAX], char name[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
		snprintf(parent, PATH_MAX, "%s", path);
		snprintf(name, PATH_MAX, ".");
		return;
	}
	snprintf(parent, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 0, path);
	snprintf(name, PATH_MAX, "%s", last);
}

/* "b" of "/a/b/", which docker calls so; false for any other path. */
static bool take_base(const char *path, char base[NAME_MAX + 1])
{
	size_t end = strlen(path), start;

	if (!end || path[end - 1] != '/')
		return false;
	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/'; start--)
		;
	snprintf(base, NAME_MAX + 1, "%.*s", (int)(end - start), path + start);
	return *base && strcmp(base, ".") && strcmp(base, "..");
}

static int no_file(const struct opened *opened, const char *path, struct shale_err *err)
{
	/* Also what leads out, or through a link of the kernel's: there is no such thing in the container. */
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != EXDEV)
		return shale_err_errno(err, "%.300s", path);
	return shale_err_set(err, ENOENT, "Could not find the file %.300s in container %s", path, opened->name);
}

static int place_open(const struct opened *opened, int root, const char *path, struct place *ret_place,
		      struct shale_err *err)
{
	char whole[PATH_MAX], parent[PATH_MAX];

	if (!*path || snprintf(whole, sizeof(whole), "/%s", path) >= (int)sizeof(whole))
		return shale_err_set(err, EINVAL, "the path is empty or too long");
	split_path(whole, parent, ret_place->name);
	ret_place->shown = take_base(whole, ret_place->base) ? ret_place->base : ret_place->name;
	ret_place->parent = rootfs_open(root, parent, O_RDONLY | O_DIRECTORY);
	if (ret_place->parent < 0)
		return no_file(opened, path, err);
	ret_place->fd = openat(ret_place->parent, ret_place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (ret_place->fd < 0 || fstat(ret_place->fd, &ret_place->st) < 0)
		return no_file(opened, path, err);
	return 0;
}

/* Go's file mode. */
static json_int_t go_mode(mode_t mode)
{
	static const struct {
		mode_t type;
		json_int_t bits;
	} types[] = {
		{ S_IFDIR, 1ll << 31 }, { S_IFLNK, 1 << 27 },		{ S_IFBLK, 1 << 26 },
		{ S_IFIFO, 1 << 25 },	{ S_IFSOCK, 1 << 24 },		{ S_IFCHR, 1 << 26 | 1 << 21 },
	};
	json_int_t out = mode & 0777;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((mode & S_IFMT) == types[i].type)
			out |= types[i].bits;
	return out | (mode & S_ISUID ? 1 << 23 : 0) | (mode & S_ISGID ? 1 << 22 : 0) | (mode & S_ISVTX ? 1 << 20 : 0);
}

/* What docker's header says of it. */
static int describe(const struct place *place, char **ret_stat, struct shale_err *err)
{
	char target[PATH_MAX] = "", when[64], stamp[CLOCK_TEXT];
	__cleanup_buf struct buf encoded = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	__cleanup_free char *text = NULL;
	ssize_t len = -1;
	struct tm tm;

	if (S_ISLNK(place->st.st_mode))
		len = readlinkat(place->fd, "", target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	gmtime_r(&place->st.st_mtim.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp, sizeof(stamp), "%.40s.%09ldZ", when, place->st.st_mtim.tv_nsec);
	json = json_pack("{s:s, s:I, s:I, s:s, s:s}", "name", place->shown, "size", (json_int_t)place->st.st_size,
			 "mode", go_mode(place->st.st_mode), "mtime", stamp, "linkTarget", target);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	*ret_stat = NULL;
	if (text && base64_encode(text, strlen(text), &encoded) == 0)
		*ret_stat = buf_steal(&encoded);
	return *ret_stat ? 0 : shale_err_set(err, EINVAL, "a name there is not UTF-8");
}

struct copying {
	struct opened opened;
	struct container_view view;
	int point; /* of a mount that is not there */
	char rest[PATH_MAX];
	char point_name[PATH_MAX]; /* of its place, when that is what was asked for; else "" */
};

#define COPYING_NONE	  { .opened = OPENED_NONE, .view = CONTAINER_VIEW_NONE, .point = -1 }
#define __cleanup_copying __attribute__((cleanup(copying_release)))

static void copying_release(struct copying *copying)
{
	fd_closep(&copying->point);
	container_view_release(&copying->view);
	opened_release(&copying->opened);
}

/* The root in which a path is to be looked for, and the path there. */
static int copying_open(struct shale_containers *containers, const char *name, const char *path,
			struct copying *copying, int *ret_root, struct shale_err *err)
{
	if (opened_open(containers, name, &copying->opened, err) < 0 ||
	    container_view_open(containers, &copying->opened, true, &copying->view, err) < 0)
		return -1;
	snprintf(copying->rest, sizeof(copying->rest), "%s", path);
	if (!copying->opened.is_alive)
		copying->point = open_point(&copying->opened, path, copying->rest);
	if (copying->point >= 0 && !strcmp(copying->rest, "/") && mounts_clean_path(path, copying->point_name))
		memmove(copying->point_name, strrchr(copying->point_name, '/') + 1,
			strlen(strrchr(copying->point_name, '/')));
	*ret_root = copying->point >= 0 ? copying->point : copying->view.root;
	return 0;
}

static int copying_find(const struct copying *copying, int root, struct place *ret_place, struct shale_err *err)
{
	if (place_open(&copying->opened, root, copying->rest, ret_place, err) < 0)
		return -1;
	if (copying->point_name[0])
		ret_place->shown = copying->point_name;
	return 0;
}

int shale_container_stat_path(struct shale_containers *containers, const char *name, const char *path,
			      char **ret_stat, struct shale_err *err)
{
	__cleanup_copying struct copying copying = COPYING_NONE;
	__cleanup_place struct place place = PLACE_NONE;
	int root;

	if (copying_open(containers, name, path, &copying, &root, err) < 0 ||
	    copying_find(&copying, root, &place, err) < 0)
		return -1;
	return describe(&place, ret_stat, err);
}

static int write_tar(void *arg, const void *data, size_t len, struct shale_err *err)
{
	const struct shale_sink *sink = arg;

	return sink->write(sink->arg, data, len) < 0 ? shale_err_set(err, ECANCELED, "nobody reads the tar any more") :
						       0;
}

static int pack(void *arg, const struct change *change, struct shale_err *err)
{
	/* A socket cannot be in a tar. */
	if (change->kind != CHANGE_ENTRY || S_ISSOCK(change->st.st_mode))
		return 0;
	return difftar_add(arg, change, err);
}

static int pack_place(struct difftar *difftar, struct place *place, struct shale_err *err)
{
	const struct change change = {
		.kind = CHANGE_ENTRY,
		.path = S_ISDIR(place->st.st_mode) ? place->shown : place->name,
		.fd = place->fd,
		.st = place->st,
		.data_root = place->parent,
	};
	__cleanup_fd int tree = -1;

	if (difftar_add(difftar, &change, err) < 0)
		return -1;
	if (!S_ISDIR(place->st.st_mode))
		return 0;
	tree = openat(place->parent, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0)
		return shale_err_errno(err, "%.300s", place->name);
	difftar->prefix = place->shown;
	return changes_all(tree, pack, difftar, err);
}

int shale_container_get_path(struct shale_containers *containers, const char *name, const char *path,
			     const struct shale_sink *sink, char **ret_stat, struct shale_err *err)
{
	__cleanup_difftar struct difftar difftar = { .prefix = NULL };
	__cleanup_copying struct copying copying = COPYING_NONE;
	__cleanup_place struct place place = PLACE_NONE;
	int root;

	if (copying_open(containers, name, path, &copying, &root, err) < 0 ||
	    copying_find(&copying, root, &place, err) < 0 || describe(&place, ret_stat, err) < 0 ||
	    difftar_init(&difftar, write_tar, (void *)sink, err) < 0)
		return -1;
	difftar.has_any_name = true;
	if (pack_place(&difftar, &place, err) < 0)
		return -1;
	return difftar_finish(&difftar, err);
}

int shale_container_export(struct shale_containers *containers, const char *name, const struct shale_sink *sink,
			   struct shale_err *err)
{
	__cleanup_difftar struct difftar difftar = { .prefix = NULL };
	__cleanup_container_view struct container_view view = CONTAINER_VIEW_NONE;
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int tree = -1;

	if (opened_open(containers, name, &opened, err) < 0 ||
	    container_view_open(containers, &opened, false, &view, err) < 0 ||
	    difftar_init(&difftar, write_tar, (void *)sink, err) < 0)
		return -1;
	difftar.has_any_name = true;
	tree = openat(view.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		return shale_err_errno(err, "exporting container %s", opened.id);
	if (changes_all(tree, pack, &difftar, err) < 0)
		return -1;
	return difftar_finish(&difftar, err);
}

int shale_container_put_path(struct shale_containers *containers, const char *name, const char *path, int fd,
			     bool keeps_kinds, struct shale_err *err)
{
	__cleanup_copying struct copying copying = COPYING_NONE;
	struct unpack_opts opts = { .fd = fd, .keeps_kinds = keeps_kinds, .path = copying.rest };
	char where[INSTANCE_MAX_NAME + sizeof("container ")];

	if (copying_open(containers, name, path, &copying, &opts.root, err) < 0)
		return -1;
	if (json_is_true(json_object_get(opened_host(&copying.opened), "ReadonlyRootfs")) && copying.point < 0 &&
	    !copying.opened.is_alive)
		return shale_err_set(err, EINVAL, "container rootfs is marked read-only");
	snprintf(where, sizeof(where), "container %s", copying.opened.name);
	opts.where = where;
	return unpack_inside(&opts, err);
}
