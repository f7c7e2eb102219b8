// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole trees; see whole.h. A tree is made in the session's directory and renamed to its place when it is
 * complete and on disk, so a name in trees/ is always whole. Called by btrfs.c and vfs.c.
 */
#include "driver/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "archive/apply.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "driver/where.h"
#include "store/trees.h"

#define ROOM	 TREES_ROOM
#define MAKING	 "tree"
#define STAMP	 "copied"
#define TREE_DIR (sizeof(ROOM) + 32 + DIGEST_HEX)

/* OCI's ChainID: what the layers up to this one are, taken together. */
static int chain_ids(const struct driver_image *image, struct digest *ret_ids,
		     struct shale_err *err)
{
	char text[2 * (DIGEST_TEXT + 1) + 1];

	ret_ids[0] = image->layers[0];
	for (size_t i = 1; i < image->count; i++) {
		snprintf(text, sizeof(text), "%s %s", digest_text(&ret_ids[i - 1]).text,
			 digest_text(&image->layers[i]).text);
		if (digest_of(text, strlen(text), &ret_ids[i], err) < 0)
			return -1;
	}
	return 0;
}

static void print_dir(const struct whole_kind *kind, const struct digest *chain,
		      char dir[TREE_DIR])
{
	struct digest_text text = digest_text(chain);

	snprintf(dir, TREE_DIR, ROOM "/%s/%s", kind->name, digest_hex(&text));
}

/* The root of a tree that is there; -1 and ENOENT if it is not. */
static int open_tree_of(const struct whole_kind *kind, const struct store *store,
			const struct digest *chain)
{
	char dir[TREE_DIR], path[TREE_DIR + sizeof("/root")];

	print_dir(kind, chain, dir);
	snprintf(path, sizeof(path), "%s/root", dir);
	return fs_open_beneath(store->dirfd, path, O_RDONLY | O_DIRECTORY, 0);
}

static int apply_one(const struct driver_image *image, size_t i, int tree_fd,
		     struct shale_err *err)
{
	__cleanup_free char *path = store_layer_path(image->session->store, &image->layers[i]);
	__cleanup_fd int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct digest_text text = digest_text(&image->layers[i]);

	if (fd < 0)
		return shale_err_errno(err, "layer %s", text.text);
	if (apply_layer(fd, geteuid() ? "user." : "trusted.", tree_fd, err) < 0)
		return shale_err_wrap(err, "layer %s", text.text);
	return 0;
}

/* All layers in a new tree below the session's; it begins as the longest beginning that there is. */
static int fill_tree(const struct whole_kind *kind, const struct driver_image *image,
		     const struct digest *chains, int dirfd, struct shale_err *err)
{
	size_t done = image->count - 1;
	__cleanup_fd int from = -1;
	__cleanup_fd int root = -1;

	while (done && (from = open_tree_of(kind, image->session->store, &chains[done - 1])) < 0)
		done--;
	if (kind->make(dirfd, "root", from, err) < 0)
		return -1;
	root = openat(dirfd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return shale_err_errno(err, "making a tree");
	for (; done < image->count; done++)
		if (apply_one(image, done, root, err) < 0)
			return -1;
	return syncfs(root) < 0 ? shale_err_errno(err, "syncing a tree") : 0;
}

static int save_note(const struct whole_kind *kind, const struct driver_image *image,
		     const char *dir, struct shale_err *err)
{
	struct made made = { .count = image->count, .layers = (struct digest *)image->layers };

	snprintf(made.driver, sizeof(made.driver), "%s", kind->name);
	snprintf(made.xattr_prefix, sizeof(made.xattr_prefix), "trusted.");
	return made_save(image->session->store, dir, &made, err);
}

static int place_tree(const struct whole_kind *kind, const struct driver_image *image,
		      const struct digest *chain, struct shale_err *err)
{
	const struct store *store = image->session->store;
	char room[sizeof(ROOM) + 32], dir[TREE_DIR];

	snprintf(room, sizeof(room), ROOM "/%s", kind->name);
	print_dir(kind, chain, dir);
	if (fs_mkdir(store->dirfd, ROOM, 0700) < 0 || fs_mkdir(store->dirfd, room, 0700) < 0)
		return shale_err_errno(err, "%s/%s", store->path, room);
	/* Somebody else was faster: theirs is the same, and ours goes with the session. */
	if (renameat(image->session->fd, MAKING, store->dirfd, dir) < 0 && errno != ENOTEMPTY &&
	    errno != EEXIST)
		return shale_err_errno(err, "%s/%s", store->path, dir);
	return 0;
}

static int make_tree(const struct whole_kind *kind, const struct driver_image *image,
		     const struct digest *chains, struct shale_err *err)
{
	struct session *session = image->session;
	char note[sizeof("tmp//" MAKING) + sizeof(session->name)];
	__cleanup_fd int dirfd = -1;

	if (fs_remove_tree(session->fd, MAKING) < 0 || mkdirat(session->fd, MAKING, 0700) < 0)
		return shale_err_errno(err, "making a tree");
	dirfd = openat(session->fd, MAKING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return shale_err_errno(err, "making a tree");
	snprintf(note, sizeof(note), "tmp/%s/" MAKING, session->name);
	if (fill_tree(kind, image, chains, dirfd, err) < 0 || save_note(kind, image, note, err) < 0)
		return -1;
	return place_tree(kind, image, &chains[image->count - 1], err);
}

/* The root directory of the image's tree, which is made if it is not there. */
static int get_tree(const struct whole_kind *kind, const struct driver_image *image, int *ret_fd,
		    struct shale_err *err)
{
	__cleanup_free struct digest *chains = calloc(image->count, sizeof(*chains));
	const struct digest *last = chains + image->count - 1;

	if (!chains)
		return shale_err_errno(err, "making a tree");
	if (chain_ids(image, chains, err) < 0)
		return -1;
	*ret_fd = open_tree_of(kind, image->session->store, last);
	if (*ret_fd >= 0)
		return 0;
	if (make_tree(kind, image, chains, err) < 0)
		return shale_err_wrap(err, "storage driver %s", kind->name);
	*ret_fd = open_tree_of(kind, image->session->store, last);
	return *ret_fd < 0 ? shale_err_errno(err, "making a tree") : 0;
}

static int open_own(const struct store *store, const char *id, struct shale_err *err)
{
	char path[sizeof("containers/") + CONTAINER_ID_TEXT];
	int fd;

	snprintf(path, sizeof(path), "containers/%s", id);
	fd = fs_open_beneath(store->dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? shale_err_errno(err, "%s/%s", store->path, path) : fd;
}

int whole_create(const struct whole_kind *kind, const struct driver_work *work,
		 struct shale_err *err)
{
	__cleanup_fd int own = open_own(work->image.session->store, work->container->id, err);
	__cleanup_fd int from = -1;
	__cleanup_fd int stamp = -1;

	if (own < 0 || get_tree(kind, &work->image, &from, err) < 0)
		return -1;
	if (unlinkat(own, "upper", AT_REMOVEDIR) < 0)
		return shale_err_errno(err, "making a writable layer");
	if (kind->make(own, "upper", from, err) < 0)
		return -1;
	/* Its time is when the copy was complete. */
	stamp = openat(own, STAMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return stamp < 0 ? shale_err_errno(err, "making a writable layer") : 0;
}

/* What is mounted is the directory itself, once more. */
static int bind(int fd, const struct mount_spec *spec, uint64_t more, int *ret_mntfd,
		struct shale_err *err)
{
	struct mount_attr attr = {
		.attr_set = spec->attr_set | more,
		.propagation = MS_PRIVATE,
	};
	__cleanup_fd int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return shale_err_errno(err, "cannot mount a directory");
	*ret_mntfd = steal_fd(&tree);
	return 0;
}

int whole_view(const struct whole_kind *kind, const struct driver_image *image,
	       struct mount_spec *spec, int *ret_mntfd, struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (get_tree(kind, image, &fd, err) < 0)
		return -1;
	return bind(fd, spec, MOUNT_ATTR_RDONLY, ret_mntfd, err);
}

int whole_mount(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
		struct shale_err *err)
{
	__cleanup_fd int fd = open(work->container->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return shale_err_errno(err, "%s", work->container->upper);
	return bind(fd, spec, 0, ret_mntfd, err);
}

int whole_umount(const struct store *store, const char *target, int flags, struct shale_err *err)
{
	return where_umount(store, target, NULL, flags, err);
}

int whole_diff(const struct driver_work *work, int base_fd, int view_fd, change_fn fn, void *arg,
	       struct shale_err *err)
{
	__cleanup_fd int own = open_own(work->image.session->store, work->container->id, err);
	__cleanup_fd int tree = -1;
	struct changes_trees trees;
	struct stat stamp;

	(void)view_fd;
	if (own < 0)
		return -1;
	tree = openat(own, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0 || fstatat(own, STAMP, &stamp, AT_SYMLINK_NOFOLLOW) < 0)
		return shale_err_errno(err, "looking for changes");
	trees = (struct changes_trees){
		.base_fd = base_fd,
		.tree_fd = tree,
		.since = stamp.st_ctim,
	};
	return changes_between(&trees, fn, arg, err);
}

int whole_remove(const struct whole_kind *kind, const struct store *store, const char *id,
		 struct shale_err *err)
{
	__cleanup_fd int own = open_own(store, id, err);

	if (own < 0)
		return -1;
	if (kind->drop)
		kind->drop(own, "upper");
	return container_remove(store, id, err);
}

static int add_usage(void *arg, const struct change *change, struct shale_err *err)
{
	struct driver_usage *usage = arg;

	(void)err;
	if (change->kind != CHANGE_ENTRY || change->link)
		return 0;
	usage->inodes++;
	usage->bytes += change->st.st_blocks * 512ull;
	return 0;
}

int whole_usage(const struct whole_kind *kind, const struct driver_work *work,
		struct driver_usage *ret_usage, struct shale_err *err)
{
	struct driver_usage usage = { 0 };
	__cleanup_fd int base = -1;

	if (get_tree(kind, &work->image, &base, err) < 0 ||
	    whole_diff(work, base, -1, add_usage, &usage, err) < 0)
		return -1;
	*ret_usage = usage;
	return 0;
}
