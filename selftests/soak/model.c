// SPDX-License-Identifier: GPL-2.0-only
/*
 * model.c - random operations on a directory of the mount and on its twin in memory. An operation that
 * fails with EROFS, because somebody remounts, changes neither; any other difference is a failure.
 */
#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NODES_MAX  120
#define SIZE_MAX_F (192 * 1024)
#define CHUNK_MAX  (48 * 1024)
#define NAMES	   16
#define PATH_SIZE  4096
#define XATTR_NAME "trusted.soak"

/* What the names of a file share. */
struct data {
	unsigned char *bytes;
	long size;
	int links;
	int mark; /* value of the attribute, -1: none */
	mode_t mode;
	ino_t ino; /* 0: not seen yet */
};

enum node_kind {
	NODE_FREE,
	NODE_DIR,
	NODE_FILE,
	NODE_LINK,
};

struct node {
	enum node_kind kind;
	int parent;
	int name; /* the name is "n%d" */
	struct data *data;
	ino_t ino; /* of a directory */
};

struct model {
	char root[PATH_SIZE / 2];
	char label[64];
	unsigned long random, done, steps;
	const char *doing;
	struct node node[NODES_MAX]; /* node 0 is the root */
};

static unsigned int pick(struct model *m, unsigned int below)
{
	m->random = m->random * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned int)(m->random >> 33) % below;
}

static bool differ(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool differ(struct model *m, const char *fmt, ...)
{
	va_list args;

	printf("soak: %s, step %lu, %s: ", m->label, m->steps, m->doing);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return false;
}

static void path_of(const struct model *m, const char *base, int node, char *out)
{
	char parent[PATH_SIZE];

	if (node == 0) {
		snprintf(out, PATH_SIZE, "%s", base);
		return;
	}
	path_of(m, base, m->node[node].parent, parent);
	snprintf(out, PATH_SIZE, "%.4000s/n%d", parent, m->node[node].name);
}

static int find_child(const struct model *m, int parent, int name)
{
	for (int i = 1; i < NODES_MAX; i++)
		if (m->node[i].kind && m->node[i].parent == parent && m->node[i].name == name)
			return i;
	return -1;
}

static int count_children(const struct model *m, int parent)
{
	int count = 0;

	for (int i = 1; i < NODES_MAX; i++)
		count += m->node[i].kind && m->node[i].parent == parent;
	return count;
}

static bool is_below(const struct model *m, int node, int above)
{
	for (; node != 0; node = m->node[node].parent)
		if (node == above)
			return true;
	return above == 0;
}

static int pick_kind(struct model *m, enum node_kind kind)
{
	int found[NODES_MAX], count = 0;

	for (int i = 0; i < NODES_MAX; i++)
		if (m->node[i].kind == kind)
			found[count++] = i;
	return count ? found[pick(m, count)] : -1;
}

static int pick_any(struct model *m)
{
	int found[NODES_MAX], count = 0;

	for (int i = 1; i < NODES_MAX; i++)
		if (m->node[i].kind)
			found[count++] = i;
	return count ? found[pick(m, count)] : -1;
}

static int node_add(struct model *m, enum node_kind kind, int parent, int name)
{
	for (int i = 1; i < NODES_MAX; i++) {
		if (m->node[i].kind)
			continue;
		m->node[i] = (struct node){.kind = kind, .parent = parent, .name = name};
		return i;
	}
	return -1;
}

static bool has_room(const struct model *m)
{
	for (int i = 1; i < NODES_MAX; i++)
		if (!m->node[i].kind)
			return true;
	return false;
}

static struct data *data_new(void)
{
	struct data *data = calloc(1, sizeof(*data));

	data->bytes = calloc(1, SIZE_MAX_F);
	data->links = 1;
	data->mark = -1;
	data->mode = 0644;
	return data;
}

static void node_drop(struct model *m, int node)
{
	struct data *data = m->node[node].data;

	if (data && --data->links == 0) {
		free(data->bytes);
		free(data);
	}
	m->node[node] = (struct node){0};
}

static void scramble(struct model *m, unsigned char *bytes, long size)
{
	unsigned char seed = pick(m, 256);

	for (long i = 0; i < size; i++)
		bytes[i] = seed + i * 7 + (i >> 8);
}

/* ------------------------------------------------------------------ operations */

/* Whether RET is a success; an EROFS is none but no difference either: *ret_good stays true. */
static bool took_effect(struct model *m, long ret, bool *ret_good)
{
	if (ret >= 0) {
		m->done++;
		return true;
	}
	if (errno != EROFS)
		*ret_good = differ(m, "%s", strerror(errno));
	return false;
}

static bool op_create(struct model *m)
{
	int parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES), node, fd;
	char path[PATH_SIZE], dir[PATH_SIZE];
	bool good = true;

	if (!has_room(m) || find_child(m, parent, name) >= 0)
		return true;
	path_of(m, m->root, parent, dir);
	snprintf(path, sizeof(path), "%.4000s/n%d", dir, name);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (!took_effect(m, fd, &good))
		return good;
	close(fd);
	node = node_add(m, NODE_FILE, parent, name);
	m->node[node].data = data_new();
	return true;
}

static bool op_tmpfile(struct model *m)
{
	int parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES), fd, ret;
	char path[PATH_SIZE], dir[PATH_SIZE], proc[64];
	bool good = true;

	if (!has_room(m) || find_child(m, parent, name) >= 0)
		return true;
	path_of(m, m->root, parent, dir);
	snprintf(path, sizeof(path), "%.4000s/n%d", dir, name);
	fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EOPNOTSUPP)
		return true;
	if (!took_effect(m, fd, &good))
		return good;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ret = linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
	if (took_effect(m, ret, &good))
		m->node[node_add(m, NODE_FILE, parent, name)].data = data_new();
	close(fd);
	return good;
}

static bool op_write(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), fd;
	long at, size, put;
	struct data *data;
	char path[PATH_SIZE];
	bool good = true;

	if (node < 0)
		return true;
	data = m->node[node].data;
	at = pick(m, 3) ? pick(m, data->size + 1) : pick(m, SIZE_MAX_F - CHUNK_MAX);
	size = 1 + pick(m, pick(m, 4) ? 4096 : CHUNK_MAX);
	if (at + size > SIZE_MAX_F)
		return true;
	path_of(m, m->root, node, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (!took_effect(m, fd, &good))
		return good;
	scramble(m, data->bytes + at, size);
	put = pwrite(fd, data->bytes + at, size, at);
	if (put != size)
		good = differ(m, "wrote %ld of %ld bytes at %ld: %s", put, size, at, strerror(errno));
	if (at + size > data->size)
		data->size = at + size;
	if (pick(m, 8) == 0 && fsync(fd) < 0)
		good = differ(m, "fsync: %s", strerror(errno));
	close(fd);
	return good;
}

static bool op_map(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), fd;
	struct data *data;
	char path[PATH_SIZE];
	bool good = true;
	unsigned char *map;
	long at, size;

	if (node < 0 || m->node[node].data->size == 0)
		return true;
	data = m->node[node].data;
	path_of(m, m->root, node, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (!took_effect(m, fd, &good))
		return good;
	map = mmap(NULL, data->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return differ(m, "mmap: %s", strerror(errno));
	}
	at = pick(m, data->size);
	size = 1 + pick(m, data->size - at);
	if (memcmp(map + at, data->bytes + at, size))
		good = differ(m, "the mapping of %s differs", path);
	scramble(m, data->bytes + at, size);
	memcpy(map + at, data->bytes + at, size);
	if (pick(m, 4) == 0 && msync(map, data->size, MS_SYNC) < 0)
		good = differ(m, "msync: %s", strerror(errno));
	munmap(map, data->size);
	close(fd);
	return good;
}

static bool compare_file(struct model *m, int node)
{
	struct data *data = m->node[node].data;
	static unsigned char bytes[SIZE_MAX_F];
	char path[PATH_SIZE], value[16] = "";
	bool good = true;
	struct stat st;
	int fd, mark;
	long got;

	path_of(m, m->root, node, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return differ(m, "open %s: %s", path, strerror(errno));
	got = pread(fd, bytes, sizeof(bytes), 0);
	if (fstat(fd, &st) < 0)
		good = differ(m, "fstat %s: %s", path, strerror(errno));
	mark = fgetxattr(fd, XATTR_NAME, value, sizeof(value) - 1) < 0 ? -1 : atoi(value);
	close(fd);
	if (got != data->size || st.st_size != data->size)
		return differ(m, "%s has %ld bytes (st_size %ld), not %ld", path, got, st.st_size,
			      data->size);
	for (long i = 0; i < got; i++)
		if (bytes[i] != data->bytes[i])
			return differ(m, "%s differs at byte %ld of %ld: %02x, not %02x", path, i, got,
				      bytes[i], data->bytes[i]);
	if ((int)st.st_nlink != data->links)
		good = differ(m, "%s has %d links, not %d", path, (int)st.st_nlink, data->links);
	if ((st.st_mode & 07777) != data->mode)
		good = differ(m, "%s has mode %o, not %o", path, st.st_mode & 07777, data->mode);
	if (mark != data->mark)
		good = differ(m, "%s has mark %d, not %d", path, mark, data->mark);
	if (data->ino && data->ino != st.st_ino)
		good = differ(m, "%s has st_ino %lu, it had %lu", path, st.st_ino, data->ino);
	data->ino = st.st_ino;
	return good;
}

static bool op_read(struct model *m)
{
	int node = pick_kind(m, NODE_FILE);

	return node < 0 || compare_file(m, node);
}

static bool compare_dir(struct model *m, int node)
{
	struct dirent *entry;
	char path[PATH_SIZE];
	struct stat st;
	int count = 0;
	DIR *dir;

	path_of(m, m->root, node, path);
	dir = opendir(path);
	if (!dir)
		return differ(m, "opendir %s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (entry->d_name[0] != 'n' || find_child(m, node, atoi(entry->d_name + 1)) < 0) {
			closedir(dir);
			return differ(m, "%s lists %s, which is not there", path, entry->d_name);
		}
	}
	if (fstat(dirfd(dir), &st) == 0) {
		if (m->node[node].ino && m->node[node].ino != st.st_ino)
			differ(m, "%s has st_ino %lu, it had %lu", path, st.st_ino, m->node[node].ino);
		m->node[node].ino = st.st_ino;
	}
	closedir(dir);
	if (count != count_children(m, node))
		return differ(m, "%s lists %d names, not %d", path, count, count_children(m, node));
	return true;
}

static bool op_list(struct model *m)
{
	return compare_dir(m, pick_kind(m, NODE_DIR));
}

static bool op_truncate(struct model *m)
{
	int node = pick_kind(m, NODE_FILE);
	struct data *data;
	char path[PATH_SIZE];
	bool good = true;
	long size;

	if (node < 0)
		return true;
	data = m->node[node].data;
	size = pick(m, 3) ? pick(m, data->size + 1) : pick(m, SIZE_MAX_F);
	path_of(m, m->root, node, path);
	if (!took_effect(m, truncate(path, size), &good))
		return good;
	if (size < data->size)
		memset(data->bytes + size, 0, SIZE_MAX_F - size);
	data->size = size;
	return true;
}

static bool op_punch(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), fd;
	struct data *data;
	char path[PATH_SIZE];
	bool good = true;
	long at, size;

	if (node < 0 || m->node[node].data->size == 0)
		return true;
	data = m->node[node].data;
	at = pick(m, data->size);
	size = 1 + pick(m, data->size - at);
	path_of(m, m->root, node, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (!took_effect(m, fd, &good))
		return good;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, size) == 0)
		memset(data->bytes + at, 0, size);
	else if (errno != EOPNOTSUPP)
		good = differ(m, "fallocate: %s", strerror(errno));
	close(fd);
	return good;
}

static bool op_copy(struct model *m)
{
	int from = pick_kind(m, NODE_FILE), to = pick_kind(m, NODE_FILE), in, out;
	char in_path[PATH_SIZE], out_path[PATH_SIZE];
	struct data *source, *target;
	loff_t in_at, out_at;
	bool good = true;
	ssize_t got;

	if (from < 0 || m->node[from].data == m->node[to].data || m->node[from].data->size == 0)
		return true;
	source = m->node[from].data;
	target = m->node[to].data;
	path_of(m, m->root, from, in_path);
	path_of(m, m->root, to, out_path);
	out = open(out_path, O_WRONLY | O_CLOEXEC);
	if (!took_effect(m, out, &good))
		return good;
	in = open(in_path, O_RDONLY | O_CLOEXEC);
	in_at = pick(m, source->size);
	out_at = pick(m, SIZE_MAX_F - CHUNK_MAX);
	got = copy_file_range(in, &in_at, out, &out_at, 1 + pick(m, CHUNK_MAX), 0);
	if (got <= 0) {
		good = differ(m, "copy_file_range gave %zd: %s", got, strerror(errno));
	} else {
		memcpy(target->bytes + out_at - got, source->bytes + in_at - got, got);
		if (out_at > target->size)
			target->size = out_at;
	}
	close(in);
	close(out);
	return good;
}

static bool op_unlink(struct model *m)
{
	int node = pick_any(m);
	char path[PATH_SIZE];
	bool good = true;

	if (node < 0 || m->node[node].kind == NODE_DIR)
		return true;
	path_of(m, m->root, node, path);
	if (took_effect(m, unlink(path), &good))
		node_drop(m, node);
	return good;
}

static bool op_mkdir(struct model *m)
{
	int parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES), depth = 0;
	char path[PATH_SIZE], dir[PATH_SIZE];
	bool good = true;

	for (int at = parent; at; at = m->node[at].parent)
		depth++;
	if (depth > 6 || !has_room(m) || find_child(m, parent, name) >= 0)
		return true;
	path_of(m, m->root, parent, dir);
	snprintf(path, sizeof(path), "%.4000s/n%d", dir, name);
	if (took_effect(m, mkdir(path, 0755), &good))
		node_add(m, NODE_DIR, parent, name);
	return good;
}

static bool op_rmdir(struct model *m)
{
	int node = pick_kind(m, NODE_DIR);
	char path[PATH_SIZE];
	bool good = true;

	if (node <= 0)
		return true;
	path_of(m, m->root, node, path);
	if (count_children(m, node)) {
		if (rmdir(path) == 0 || (errno != ENOTEMPTY && errno != EROFS))
			return differ(m, "rmdir of %s, which is full, gave %s", path, strerror(errno));
		return true;
	}
	if (took_effect(m, rmdir(path), &good))
		node_drop(m, node);
	return good;
}

static bool op_rename(struct model *m)
{
	int node = pick_any(m), parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES), old;
	char from[PATH_SIZE], to[PATH_SIZE], dir[PATH_SIZE];
	bool good = true;

	if (node < 0 || is_below(m, parent, node))
		return true;
	old = find_child(m, parent, name);
	if (old == node)
		return true;
	if (old >= 0 && (is_below(m, node, old) ||
			 (m->node[old].kind == NODE_DIR) != (m->node[node].kind == NODE_DIR)))
		return true;
	path_of(m, m->root, node, from);
	path_of(m, m->root, parent, dir);
	snprintf(to, sizeof(to), "%.4000s/n%d", dir, name);
	if (old >= 0 && m->node[old].kind == NODE_DIR && count_children(m, old)) {
		if (rename(from, to) == 0 || (errno != ENOTEMPTY && errno != EEXIST && errno != EROFS))
			return differ(m, "rename over %s, which is full: %s", to, strerror(errno));
		return true;
	}
	if (!took_effect(m, rename(from, to), &good))
		return good;
	/* Two names of one file: POSIX has nothing done. */
	if (old >= 0 && m->node[old].data && m->node[old].data == m->node[node].data)
		return true;
	if (old >= 0)
		node_drop(m, old);
	m->node[node].parent = parent;
	m->node[node].name = name;
	return true;
}

static bool op_exchange(struct model *m)
{
	int one = pick_any(m), two = pick_any(m), parent, name;
	char from[PATH_SIZE], to[PATH_SIZE];
	bool good = true;

	if (one < 0 || is_below(m, one, two) || is_below(m, two, one))
		return true;
	path_of(m, m->root, one, from);
	path_of(m, m->root, two, to);
	if (!took_effect(m, renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE), &good))
		return good;
	parent = m->node[one].parent;
	name = m->node[one].name;
	m->node[one].parent = m->node[two].parent;
	m->node[one].name = m->node[two].name;
	m->node[two].parent = parent;
	m->node[two].name = name;
	return true;
}

static bool op_link(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES), new;
	char from[PATH_SIZE], to[PATH_SIZE], dir[PATH_SIZE];
	bool good = true;

	if (node < 0 || !has_room(m) || find_child(m, parent, name) >= 0)
		return true;
	path_of(m, m->root, node, from);
	path_of(m, m->root, parent, dir);
	snprintf(to, sizeof(to), "%.4000s/n%d", dir, name);
	if (!took_effect(m, link(from, to), &good))
		return good;
	new = node_add(m, NODE_FILE, parent, name);
	m->node[new].data = m->node[node].data;
	m->node[new].data->links++;
	return true;
}

static bool op_symlink(struct model *m)
{
	int parent = pick_kind(m, NODE_DIR), name = pick(m, NAMES);
	char path[PATH_SIZE], dir[PATH_SIZE];
	bool good = true;

	if (!has_room(m) || find_child(m, parent, name) >= 0)
		return true;
	path_of(m, m->root, parent, dir);
	snprintf(path, sizeof(path), "%.4000s/n%d", dir, name);
	if (took_effect(m, symlink("target", path), &good))
		node_add(m, NODE_LINK, parent, name);
	return good;
}

static bool op_chmod(struct model *m)
{
	int node = pick_kind(m, NODE_FILE);
	char path[PATH_SIZE];
	bool good = true;
	mode_t mode = 0600 | pick(m, 0100);

	if (node < 0)
		return true;
	path_of(m, m->root, node, path);
	if (took_effect(m, chmod(path, mode), &good))
		m->node[node].data->mode = mode;
	return good;
}

static bool op_mark(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), mark = pick(m, 1000);
	char path[PATH_SIZE], value[16];
	bool good = true;

	if (node < 0)
		return true;
	path_of(m, m->root, node, path);
	snprintf(value, sizeof(value), "%d", mark);
	if (took_effect(m, setxattr(path, XATTR_NAME, value, strlen(value), 0), &good))
		m->node[node].data->mark = mark;
	return good;
}

/* A file that is open while it is removed keeps its bytes. */
static bool op_orphan(struct model *m)
{
	int node = pick_kind(m, NODE_FILE), fd;
	unsigned char byte, want;
	struct data *data;
	char path[PATH_SIZE];
	bool good = true;
	long at;

	if (node < 0 || m->node[node].data->size == 0 || m->node[node].data->links > 1)
		return true;
	data = m->node[node].data;
	at = pick(m, data->size);
	want = data->bytes[at];
	path_of(m, m->root, node, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (!took_effect(m, fd, &good))
		return good;
	if (took_effect(m, unlink(path), &good)) {
		node_drop(m, node);
		if (pread(fd, &byte, 1, at) != 1 || byte != want)
			good = differ(m, "removed %s has %02x at %ld, not %02x", path, byte, at, want);
		byte = want + 1;
		if (pwrite(fd, &byte, 1, at) != 1 || pread(fd, &byte, 1, at) != 1 ||
		    byte != (unsigned char)(want + 1))
			good = differ(m, "removed %s cannot be written: %s", path, strerror(errno));
	}
	close(fd);
	return good;
}

static const struct operation {
	const char *name;
	int weight;
	bool (*run)(struct model *m);
} operations[] = {
	{"create", 8, op_create},   {"tmpfile", 2, op_tmpfile}, {"write", 14, op_write},
	{"map", 5, op_map},	    {"read", 14, op_read},	{"list", 8, op_list},
	{"truncate", 5, op_truncate}, {"punch", 3, op_punch},	{"copy", 4, op_copy},
	{"unlink", 6, op_unlink},   {"mkdir", 5, op_mkdir},	{"rmdir", 5, op_rmdir},
	{"rename", 10, op_rename},  {"exchange", 3, op_exchange}, {"link", 5, op_link},
	{"symlink", 2, op_symlink}, {"chmod", 3, op_chmod},	{"xattr", 3, op_mark},
	{"orphan", 2, op_orphan},
};

bool model_step(struct model *m)
{
	size_t count = sizeof(operations) / sizeof(operations[0]);
	int total = 0, at;

	for (size_t i = 0; i < count; i++)
		total += operations[i].weight;
	at = pick(m, total);
	m->steps++;
	for (size_t i = 0; i < count; i++) {
		at -= operations[i].weight;
		if (at >= 0)
			continue;
		m->doing = operations[i].name;
		errno = 0;
		return operations[i].run(m);
	}
	return true;
}

bool model_verify(struct model *m)
{
	bool good = true;

	m->doing = "verify";
	for (int i = 0; i < NODES_MAX; i++) {
		if (m->node[i].kind == NODE_FILE)
			good &= compare_file(m, i);
		else if (m->node[i].kind == NODE_DIR)
			good &= compare_dir(m, i);
	}
	return good;
}

unsigned long model_done(const struct model *m)
{
	return m->done;
}

/* ------------------------------------------------------------------ the layers to start from */

/* A directory shows merged: it is made in every layer that gets something below it. */
static void make_in_layer(struct model *m, const char *base, int node)
{
	char path[PATH_SIZE];
	struct data *data;
	int fd;

	if (node && m->node[node].parent)
		make_in_layer(m, base, m->node[node].parent);
	path_of(m, base, node, path);
	if (m->node[node].kind == NODE_DIR) {
		mkdir(path, 0755);
		return;
	}
	data = m->node[node].data;
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data->bytes, data->size) != data->size) {
		perror(path);
		exit(1);
	}
	close(fd);
}

struct model *model_create(const char *const *layers, int layer_count, const char *mount, const char *name,
			   unsigned int seed)
{
	struct model *m = calloc(1, sizeof(*m));
	char base[PATH_SIZE];

	m->random = seed * 2654435761UL + 12345;
	m->node[0].kind = NODE_DIR;
	snprintf(m->root, sizeof(m->root), "%s/%s", mount, name);
	snprintf(m->label, sizeof(m->label), "%s (seed %u)", name, seed);
	for (int i = 0; i < 60; i++) {
		int parent = pick_kind(m, NODE_DIR), child = pick(m, NAMES), node, layer;

		if (find_child(m, parent, child) >= 0)
			continue;
		node = node_add(m, i % 4 ? NODE_FILE : NODE_DIR, parent, child);
		if (m->node[node].kind == NODE_FILE) {
			m->node[node].data = data_new();
			m->node[node].data->size = pick(m, 3) ? pick(m, 2000) : pick(m, SIZE_MAX_F);
			scramble(m, m->node[node].data->bytes, m->node[node].data->size);
		}
		layer = pick(m, layer_count);
		snprintf(base, sizeof(base), "%s/%s", layers[layer], name);
		mkdir(base, 0755);
		make_in_layer(m, base, node);
	}
	return m;
}
