// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector; see gc.h. Marks by reading every image, sweeps by renaming into the trash, which
 * keeps the time under the lock short. When an image cannot be read nothing is collected at all: an
 * unreadable manifest must not cost the layers it names. Called by rmi and after a killed session.
 */
#include "store/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/image.h"
#include "store/mounts.h"

struct digest_set {
	struct digest *items;
	size_t count;
	size_t cap;
};

/* Blobs and layers by digest: what one is called cannot be the other. */
struct marks {
	struct digest_set live;
	const struct store *store;
};

static int set_add(struct digest_set *set, const struct digest *digest)
{
	struct digest *items;

	if (set->count == set->cap) {
		items = reallocarray(set->items, set->cap * 2 + 64, sizeof(*items));
		if (!items)
			return -1;
		set->items = items;
		set->cap = set->cap * 2 + 64;
	}
	set->items[set->count++] = *digest;
	return 0;
}

static bool set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->count && bsearch(digest, set->items, set->count, sizeof(*digest),
				     digest_compare);
}

static void marks_release(struct marks *marks)
{
	free(marks->live.items);
}

static int mark_image(struct marks *marks, const struct digest *manifest, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (image_load(marks->store, manifest, &image, err) < 0)
		return -1;
	if (set_add(&marks->live, &image.config) < 0)
		return shale_err_errno(err, "collecting garbage");
	for (size_t i = 0; i < image.layer_count; i++)
		if (set_add(&marks->live, &image.layers[i].blob) < 0 ||
		    set_add(&marks->live, &image.layers[i].diff_id) < 0)
			return shale_err_errno(err, "collecting garbage");
	return 0;
}

/* What an index of another tool names belongs to that index; one level is all there is in use. */
static int mark_index(struct marks *marks, const struct digest *digest, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	struct index_entry entry;

	if (store_read_blob(marks->store, digest, &text, err) < 0 ||
	    index_parse(text.data, text.len, "image index", &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index_count(&index); i++) {
		if (index_get(&index, i, &entry, err) < 0)
			return -1;
		if (set_add(&marks->live, &entry.digest) < 0)
			return shale_err_errno(err, "collecting garbage");
		if (store_has_blob(marks->store, &entry.digest) &&
		    mark_image(marks, &entry.digest, err) < 0)
			return -1;
	}
	return 0;
}

static int mark_entries(struct marks *marks, const struct index *index, struct shale_err *err)
{
	struct index_entry entry;
	int ret;

	for (size_t i = 0; i < index_count(index); i++) {
		if (index_get(index, i, &entry, err) < 0)
			return -1;
		if (set_add(&marks->live, &entry.digest) < 0)
			return shale_err_errno(err, "collecting garbage");
		ret = image_kind(entry.media_type) == IMAGE_INDEX ?
			      mark_index(marks, &entry.digest, err) :
			      mark_image(marks, &entry.digest, err);
		if (ret < 0)
			return -1;
	}
	return 0;
}

typedef int (*each_fn)(void *arg, int dirfd, const char *name);

static int for_each_name(int dirfd, const char *path, each_fn each, void *arg)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* A session may end while we look at it. */
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && each(arg, fd, entry->d_name) < 0)
			return -1;
	return errno ? -1 : 0;
}

static int mark_lease(void *arg, int dirfd, const char *name)
{
	struct marks *marks = arg;
	struct digest digest;

	(void)dirfd;
	return digest_parse_hex(name, &digest) ? set_add(&marks->live, &digest) : 0;
}

static int mark_session(void *arg, int dirfd, const char *name)
{
	__cleanup_buf struct buf path = BUF_INIT;

	if (buf_addf(&path, "%s/leases", name) < 0)
		return -1;
	return for_each_name(dirfd, buf_str(&path), mark_lease, arg);
}

static int mark_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	struct marks *marks = arg;

	(void)target;
	return set_add(&marks->live, diff_id);
}

static void marks_sort(struct marks *marks)
{
	if (marks->live.count)
		qsort(marks->live.items, marks->live.count, sizeof(struct digest), digest_compare);
}

static int mark_needed(struct marks *marks, const struct index *index, struct shale_err *err)
{
	if (mark_entries(marks, index, err) < 0)
		return -1;
	if (for_each_name(marks->store->tmp_fd, ".", mark_session, marks) < 0)
		return shale_err_errno(err, "looking for leases");
	return 0;
}

static int mark_all(struct marks *marks, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };

	if (index_load(marks->store, &index, err) < 0 || mark_needed(marks, &index, err) < 0 ||
	    mounts_each_layer(marks->store, mark_mounted, marks, err) < 0)
		return -1;
	marks_sort(marks);
	return 0;
}

struct sweep {
	const struct marks *marks;
	int trash_fd;
	const char *kind;
	gc_removed_fn removed;
	void *arg;
};

static int sweep_one(void *arg, int dirfd, const char *name)
{
	struct sweep *sweep = arg;
	__cleanup_buf struct buf grave = BUF_INIT;
	struct digest digest;

	if (!digest_parse_hex(name, &digest) || set_has(&sweep->marks->live, &digest))
		return 0;
	if (buf_addf(&grave, "%s-%s", sweep->kind, name) < 0 ||
	    renameat(dirfd, name, sweep->trash_fd, buf_str(&grave)) < 0)
		return -1;
	if (sweep->removed)
		sweep->removed(sweep->arg, &digest);
	return 0;
}

int gc_collect_locked(struct session *session, gc_removed_fn removed, void *arg,
		      struct shale_err *err)
{
	struct store *store = session->store;
	__cleanup(marks_release) struct marks marks = { .store = store };
	struct sweep layers = { &marks, session->trash_fd, "layer", removed, arg };
	struct sweep blobs = { &marks, session->trash_fd, "blob", NULL, NULL };

	if (mark_all(&marks, err) < 0)
		return shale_err_wrap(err, "collecting garbage");
	if (for_each_name(store->layers_fd, ".", sweep_one, &layers) < 0 ||
	    for_each_name(store->blobs_fd, ".", sweep_one, &blobs) < 0)
		return shale_err_errno(err, "collecting garbage in %s", store->path);
	return store_sync_names(store, err);
}

struct mounted {
	const struct marks *needed;
	const struct image *image;
	const char *name;
	struct shale_err *err;
	bool found;
};

static int refuse_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	struct mounted *mounted = arg;

	if (set_has(&mounted->needed->live, diff_id))
		return 0;
	for (size_t i = 0; i < mounted->image->layer_count && !mounted->found; i++)
		mounted->found = digest_is_equal(&mounted->image->layers[i].diff_id, diff_id);
	if (!mounted->found)
		return 0;
	return shale_err_set(mounted->err, EBUSY, "image %s is in use: it is mounted at %s",
			     mounted->name, target);
}

int gc_check_unmounted_locked(struct session *session, const struct index *index,
			      const struct image *image, const char *name, struct shale_err *err)
{
	__cleanup(marks_release) struct marks marks = { .store = session->store };
	struct mounted mounted = { &marks, image, name, err, false };
	struct shale_err why = { 0 };

	if (mark_needed(&marks, index, err) < 0)
		return -1;
	marks_sort(&marks);
	if (mounts_each_layer(session->store, refuse_mounted, &mounted, &why) == 0)
		return 0;
	return mounted.found ? -1 : shale_err_set(err, why.code, "%s", why.msg);
}
