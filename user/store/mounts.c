// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounted layers; see mounts.h. A layer is recognised by its path in the options of a mount: any
 * "STORE/layers/sha256/HEX" there counts, whichever filesystem the mount is of, so that layers
 * mounted by hand with overlayfs are safe as well.
 */
#include "store/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/mountline.h"

#define LAYERS_PATH "/layers/sha256/"
/* Beside a directory that is mounted by itself; a store's longest image has 4096 layers. */
#define NOTE	    "made.json"
#define NOTE_MAX    (1u << 20)

int mounts_scan_line(const char *line, const char *store_path, mounts_seen_fn seen, void *arg)
{
	__cleanup_buf struct buf wanted = BUF_INIT;
	__cleanup_free char *target = mountline_field(line, MOUNTLINE_TARGET);
	const char *tail = strstr(line, " - ");
	__cleanup_free char *options = tail ? strdup(tail) : NULL;
	struct digest digest;
	char hex[DIGEST_HEX + 1];

	if (!tail)
		return 0;
	if (!target || !options || buf_addf(&wanted, "%s" LAYERS_PATH, store_path) < 0)
		return -1;
	mountline_unescape(target);
	mountline_unescape(options);
	mountline_drop_backslashes(options);
	for (char *at = options; (at = strstr(at, buf_str(&wanted)));) {
		at += wanted.len;
		snprintf(hex, sizeof(hex), "%s", at);
		if (digest_parse_hex(hex, &digest) && seen(arg, &digest, target) < 0)
			return -1;
	}
	return 0;
}

/*
 * Of a bind mount of a directory of the store: what it was made of is in a note beside the directory, one
 * digest in quotes after the other.
 */
static int scan_note(const char *line, const char *store_path, mounts_seen_fn seen, void *arg)
{
	static const char *const rooms[] = { "/containers/", "/trees/" };
	__cleanup_free char *root = mountline_field(line, MOUNTLINE_ROOT);
	__cleanup_free char *target = mountline_field(line, MOUNTLINE_TARGET);
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_buf struct buf note = BUF_INIT;
	char hex[DIGEST_HEX + 1];
	struct digest digest;
	const char *at = NULL;

	if (!root || !target)
		return -1;
	mountline_unescape(root);
	mountline_unescape(target);
	for (size_t i = 0; !at && i < sizeof(rooms) / sizeof(*rooms); i++)
		at = strstr(root, rooms[i]);
	if (!at || !strrchr(at, '/'))
		return 0;
	if (buf_addf(&path, "%s%.*s/" NOTE, store_path, (int)(strrchr(at, '/') - at), at) < 0)
		return -1;
	if (fs_read_file(AT_FDCWD, buf_str(&path), NOTE_MAX, &note, NULL) < 0)
		return 0;
	for (at = buf_str(&note); (at = strstr(at, "\"sha256:")); at++) {
		snprintf(hex, sizeof(hex), "%s", at + strlen("\"sha256:"));
		if (digest_parse_hex(hex, &digest) && seen(arg, &digest, target) < 0)
			return -1;
	}
	return 0;
}

static int scan_file(const char *path, const char *root, mounts_line_fn seen, void *arg)
{
	__cleanup(file_closep) FILE *file = fopen(path, "re");
	__cleanup_free char *line = NULL;
	size_t cap = 0;

	/* The process may be gone, or not ours to look at. */
	if (!file)
		return 0;
	while (getline(&line, &cap, file) > 0)
		if (seen(arg, line, root))
			return -1;
	return 0;
}

/* Views of what is mounted: a process shows what is below its root, in its namespace. */
struct views {
	struct view {
		ino_t namespace;
		dev_t root_dev;
		ino_t root;
	} *items;
	size_t count;
};

static int view_get(const char *pid, struct view *ret_view)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
	if (stat(path, &st) < 0)
		return -1;
	*ret_view = (struct view){ .namespace = st.st_ino };
	snprintf(path, sizeof(path), "/proc/%.20s/root/.", pid);
	if (stat(path, &st) < 0)
		return -1;
	ret_view->root_dev = st.st_dev;
	ret_view->root = st.st_ino;
	return 0;
}

static bool is_new(struct views *known, const char *pid)
{
	struct view view, *items;

	if (view_get(pid, &view))
		return false;
	for (size_t i = 0; i < known->count; i++)
		if (known->items[i].namespace == view.namespace &&
		    known->items[i].root_dev == view.root_dev && known->items[i].root == view.root)
			return false;
	items = reallocarray(known->items, known->count + 1, sizeof(*items));
	if (items) {
		known->items = items;
		items[known->count++] = view;
	}
	return true;
}

static void views_release(struct views *known)
{
	free(known->items);
}

int mounts_each_line(mounts_line_fn seen, void *arg, struct shale_err *err)
{
	__cleanup(views_release) struct views known = { 0 };
	__cleanup(dir_closep) DIR *proc = opendir("/proc");
	char path[64], root[64];
	struct dirent *entry;

	if (!proc)
		return shale_err_errno(err, "cannot see what is mounted: /proc");
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    !is_new(&known, entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", entry->d_name);
		snprintf(root, sizeof(root), "/proc/%.20s/root", entry->d_name);
		if (scan_file(path, root, seen, arg))
			return shale_err_errno(err, "looking for mounted layers");
	}
	return 0;
}

struct layers_seen {
	const char *store_path;
	mounts_seen_fn seen;
	void *arg;
};

static int line_seen(void *arg, const char *line, const char *root)
{
	const struct layers_seen *layers = arg;

	(void)root;
	if (scan_note(line, layers->store_path, layers->seen, layers->arg) < 0)
		return -1;
	return mounts_scan_line(line, layers->store_path, layers->seen, layers->arg);
}

int mounts_each_layer(const struct store *store, mounts_seen_fn seen, void *arg,
		      struct shale_err *err)
{
	struct layers_seen layers = { store->path, seen, arg };

	return mounts_each_line(line_seen, &layers, err);
}
