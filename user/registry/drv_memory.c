// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver "inmemory": objects in this process, gone with it. For tests and for trying
 * things out. Objects are kept sorted by path; their bytes are counted references, so that a reader
 * goes on with the version it opened. Called through the vtable of driver.h only.
 */
#include "registry/driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/entries.h"

/* The bytes of one version; never changed once an object has them. */
struct bytes {
	size_t refs; /* under the bucket's lock */
	struct buf data;
	int64_t mtime;
};

struct object {
	char *path;
	struct bytes *done;    /* NULL: not finished yet */
	struct buf unfinished; /* what a kept writer has left */
	bool is_begun;
};

struct memory_bucket {
	struct bucket base;
	pthread_mutex_t lock;
	struct object *objects; /* sorted by path; under the lock, as all of them */
	size_t count;
	size_t cap;
};

struct memory_reader {
	struct bucket_reader base;
	struct bytes *bytes;
	uint64_t offset;
};

struct memory_writer {
	struct bucket_writer base;
	char *path;
	struct buf data;
};

static struct memory_bucket *to_memory(struct bucket *bucket)
{
	return (struct memory_bucket *)bucket;
}

static void lock_putp(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

#define HOLD_LOCK(bucket)                                                                          \
	pthread_mutex_t *held_ __cleanup(lock_putp) = &to_memory(bucket)->lock;                    \
	pthread_mutex_lock(held_)

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOSPC, "no memory for an object");
}

static int no_object(const char *path, struct shale_err *err)
{
	return shale_err_set(err, ENOENT, "%s: no such object", path);
}

static void bytes_put_locked(struct bytes *bytes)
{
	if (!bytes || --bytes->refs)
		return;
	buf_release(&bytes->data);
	free(bytes);
}

/* The first object whose path is not before the given one. */
static size_t object_position_locked(const struct memory_bucket *memory, const char *path)
{
	size_t low = 0;
	size_t high = memory->count;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(memory->objects[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct object *object_lookup_locked(const struct memory_bucket *memory, const char *path)
{
	size_t at = object_position_locked(memory, path);

	if (at < memory->count && !strcmp(memory->objects[at].path, path))
		return &memory->objects[at];
	return NULL;
}

static struct object *finished_lookup_locked(const struct memory_bucket *memory, const char *path,
					     struct shale_err *err)
{
	struct object *object = object_lookup_locked(memory, path);

	if (object && object->done)
		return object;
	no_object(path, err);
	return NULL;
}

static struct object *object_make_locked(struct memory_bucket *memory, const char *path)
{
	size_t cap = memory->cap ? 2 * memory->cap : 64;
	struct object *object = object_lookup_locked(memory, path);
	__cleanup_free char *copy = NULL;
	size_t at;

	if (object)
		return object;
	copy = strdup(path);
	if (!copy)
		return NULL;
	if (memory->count == memory->cap) {
		object = reallocarray(memory->objects, cap, sizeof(*object));
		if (!object)
			return NULL;
		memory->objects = object;
		memory->cap = cap;
	}
	at = object_position_locked(memory, path);
	object = &memory->objects[at];
	memmove(object + 1, object, (memory->count++ - at) * sizeof(*object));
	*object = (struct object){ .path = steal_ptr(copy) };
	return object;
}

static void object_release_locked(struct object *object)
{
	bytes_put_locked(object->done);
	buf_release(&object->unfinished);
	free(object->path);
}

static void objects_drop_locked(struct memory_bucket *memory, size_t at, size_t count)
{
	struct object *first;

	if (!count)
		return;
	first = &memory->objects[at];
	for (size_t i = 0; i < count; i++)
		object_release_locked(&first[i]);
	memory->count -= count;
	memmove(first, first + count, (memory->count - at) * sizeof(*first));
}

static void object_drop_if_empty_locked(struct memory_bucket *memory, struct object *object)
{
	if (!object->done && !object->is_begun)
		objects_drop_locked(memory, object - memory->objects, 1);
}

static void object_end_locked(struct memory_bucket *memory, const char *path)
{
	struct object *object = object_lookup_locked(memory, path);

	if (!object)
		return;
	buf_release(&object->unfinished);
	object->is_begun = false;
	object_drop_if_empty_locked(memory, object);
}

/* Takes the data over when it succeeds. */
static int object_set_locked(struct memory_bucket *memory, const char *path, struct buf *data,
			     struct shale_err *err)
{
	struct bytes *bytes = calloc(1, sizeof(*bytes));
	struct object *object = bytes ? object_make_locked(memory, path) : NULL;

	if (!object) {
		free(bytes);
		return no_memory(err);
	}
	*bytes = (struct bytes){ .refs = 1, .data = *data, .mtime = time(NULL) };
	*data = (struct buf)BUF_INIT;
	bytes_put_locked(object->done);
	object->done = bytes;
	return 0;
}

static int memory_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		       struct shale_err *err)
{
	HOLD_LOCK(bucket);
	struct object *object = finished_lookup_locked(to_memory(bucket), path, err);

	if (!object)
		return -1;
	*ret_stat = (struct bucket_stat){ object->done->data.len, object->done->mtime };
	return 0;
}

static int memory_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
		      struct shale_err *err)
{
	HOLD_LOCK(bucket);
	struct object *object = finished_lookup_locked(to_memory(bucket), path, err);

	if (!object)
		return -1;
	if (object->done->data.len > max)
		return shale_err_set(err, EFBIG, "%s: larger than %zu bytes", path, max);
	if (buf_add(buf, object->done->data.data, object->done->data.len) < 0)
		return shale_err_set(err, ENOMEM, "%s: no memory to read it", path);
	return 0;
}

static int memory_put(struct bucket *bucket, const char *path, const void *data, size_t len,
		      unsigned int flags, struct shale_err *err)
{
	__cleanup_buf struct buf copy = BUF_INIT;
	HOLD_LOCK(bucket);

	(void)flags;
	if (buf_add(&copy, data, len) < 0)
		return no_memory(err);
	return object_set_locked(to_memory(bucket), path, &copy, err);
}

static bool content_is(const struct object *object, const char *text)
{
	if (!object || !object->done)
		return !text;
	return text && object->done->data.len == strlen(text) &&
	       !memcmp(buf_str(&object->done->data), text, strlen(text));
}

static int remove_locked(struct memory_bucket *memory, const char *path, struct shale_err *err)
{
	struct object *object = finished_lookup_locked(memory, path, err);

	if (!object)
		return -1;
	bytes_put_locked(object->done);
	object->done = NULL;
	object_drop_if_empty_locked(memory, object);
	return 0;
}

static int memory_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		       struct shale_err *err)
{
	struct memory_bucket *memory = to_memory(bucket);
	__cleanup_buf struct buf copy = BUF_INIT;
	HOLD_LOCK(bucket);

	if (!content_is(object_lookup_locked(memory, path), old))
		return shale_err_set(err, ESTALE, "%s has changed", path);
	if (!new)
		return old ? remove_locked(memory, path, err) : 0;
	if (buf_adds(&copy, new) < 0)
		return no_memory(err);
	return object_set_locked(memory, path, &copy, err);
}

static int memory_open(struct bucket *bucket, const char *path, uint64_t offset,
		       struct bucket_reader **ret_reader, struct shale_err *err)
{
	HOLD_LOCK(bucket);
	struct object *object = finished_lookup_locked(to_memory(bucket), path, err);
	struct memory_reader *reader;

	if (!object)
		return -1;
	if (offset > object->done->data.len)
		return shale_err_set(err, EINVAL, "%s: has no byte %llu", path,
				     (unsigned long long)offset);
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return shale_err_set(err, ENOMEM, "%s: no memory to read it", path);
	reader->base = (struct bucket_reader){ bucket, -1, object->done->data.len,
					       object->done->mtime };
	reader->bytes = object->done;
	reader->bytes->refs++;
	reader->offset = offset;
	*ret_reader = &reader->base;
	return 0;
}

static ssize_t memory_read(struct bucket_reader *base, void *data, size_t len,
			   struct shale_err *err)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	size_t left = reader->bytes->data.len - reader->offset;

	(void)err;
	if (len > left)
		len = left;
	if (len)
		memcpy(data, reader->bytes->data.data + reader->offset, len);
	reader->offset += len;
	return len;
}

static void memory_close(struct bucket_reader *base)
{
	struct memory_reader *reader = (struct memory_reader *)base;
	HOLD_LOCK(base->bucket);

	bytes_put_locked(reader->bytes);
	free(reader);
}

static void writer_free(struct memory_writer *writer)
{
	buf_release(&writer->data);
	free(writer->path);
	free(writer);
}

/* Takes what an earlier writer kept, as far as it is wanted. */
static int writer_begin_locked(struct memory_writer *writer, uint64_t at, struct shale_err *err)
{
	struct memory_bucket *memory = to_memory(writer->base.bucket);
	struct object *object = object_lookup_locked(memory, writer->path);

	if (at != BUCKET_FRESH && (!object || !object->is_begun))
		return no_object(writer->path, err);
	if (at != BUCKET_ALL && object && at > object->unfinished.len)
		return shale_err_set(err, EINVAL, "%s: only %zu bytes are there", writer->path,
				     object->unfinished.len);
	object = object_make_locked(memory, writer->path);
	if (!object)
		return no_memory(err);
	object->is_begun = true;
	if (buf_add(&writer->data, object->unfinished.data,
		    at < object->unfinished.len ? at : object->unfinished.len) < 0)
		return no_memory(err);
	writer->base.size = writer->data.len;
	return 0;
}

static int memory_append(struct bucket *bucket, const char *path, uint64_t at,
			 struct bucket_writer **ret_writer, struct shale_err *err)
{
	struct memory_writer *writer = calloc(1, sizeof(*writer));
	HOLD_LOCK(bucket);

	if (!writer)
		return no_memory(err);
	writer->base.bucket = bucket;
	writer->path = strdup(path);
	if (!writer->path || writer_begin_locked(writer, at, err) < 0) {
		if (!writer->path)
			no_memory(err);
		writer_free(writer);
		return -1;
	}
	*ret_writer = &writer->base;
	return 0;
}

static int memory_write(struct bucket_writer *base, const void *data, size_t len,
			struct shale_err *err)
{
	struct memory_writer *writer = (struct memory_writer *)base;

	if (buf_add(&writer->data, data, len) < 0)
		return no_memory(err);
	base->size = writer->data.len;
	return 0;
}

static int memory_keep(struct bucket_writer *base, struct shale_err *err)
{
	struct memory_writer *writer = (struct memory_writer *)base;
	HOLD_LOCK(base->bucket);
	struct object *object = object_lookup_locked(to_memory(base->bucket), writer->path);
	int ret = object ? 0 : no_object(writer->path, err);

	if (object) {
		buf_release(&object->unfinished);
		object->unfinished = writer->data;
		writer->data = (struct buf)BUF_INIT;
	}
	writer_free(writer);
	return ret;
}

static int memory_commit(struct bucket_writer *base, const char *to, struct shale_err *err)
{
	struct memory_writer *writer = (struct memory_writer *)base;
	struct memory_bucket *memory = to_memory(base->bucket);
	HOLD_LOCK(base->bucket);
	int ret = object_set_locked(memory, to, &writer->data, err);

	object_end_locked(memory, writer->path);
	writer_free(writer);
	return ret;
}

static void memory_cancel(struct bucket_writer *base)
{
	struct memory_writer *writer = (struct memory_writer *)base;
	HOLD_LOCK(base->bucket);

	object_end_locked(to_memory(base->bucket), writer->path);
	writer_free(writer);
}

/* What of an object's path lies below the prefix; NULL when it does not. */
static const char *path_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!len)
		return path;
	return !strncmp(path, prefix, len) && path[len] == '/' ? path + len + 1 : NULL;
}

static int collect(struct bucket *bucket, const char *prefix, bool is_deep,
		   struct entries *entries, struct shale_err *err)
{
	struct memory_bucket *memory = to_memory(bucket);
	HOLD_LOCK(bucket);

	for (size_t i = 0; i < memory->count; i++) {
		const struct object *object = &memory->objects[i];
		const char *below = path_below(object->path, prefix);
		size_t len = below ? strcspn(below, "/") : 0;
		struct bucket_entry entry = { .name = is_deep ? object->path : below };

		if (!below || !object->done)
			continue;
		entry.is_prefix = !is_deep && below[len];
		if (!entry.is_prefix) {
			entry.size = object->done->data.len;
			entry.mtime = object->done->mtime;
		}
		if (entries_add(entries, &entry, is_deep ? strlen(entry.name) : len, err) < 0)
			return -1;
	}
	return 0;
}

static int memory_list(struct bucket *bucket, const char *prefix, const char *after,
		       bucket_entry_fn each, void *ctx, struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };

	if (collect(bucket, prefix, false, &entries, err) < 0)
		return -1;
	entries_sort(&entries);
	return entries_report(&entries, after, each, ctx, err);
}

static int memory_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		       struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };

	if (collect(bucket, prefix, true, &entries, err) < 0)
		return -1;
	return entries_report(&entries, NULL, each, ctx, err);
}

static int memory_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	HOLD_LOCK(bucket);

	return remove_locked(to_memory(bucket), path, err);
}

static int memory_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	struct memory_bucket *memory = to_memory(bucket);
	HOLD_LOCK(bucket);

	(void)err;
	for (size_t i = memory->count; i-- > 0;)
		if (path_below(memory->objects[i].path, prefix))
			objects_drop_locked(memory, i, 1);
	return 0;
}

static int memory_move(struct bucket *bucket, const char *from, const char *to,
		       struct shale_err *err)
{
	struct memory_bucket *memory = to_memory(bucket);
	HOLD_LOCK(bucket);
	struct object *object = finished_lookup_locked(memory, from, err);
	struct bytes *bytes;

	if (!object)
		return -1;
	if (!strcmp(from, to))
		return 0;
	bytes = object->done;
	object = object_make_locked(memory, to);
	if (!object)
		return no_memory(err);
	bytes_put_locked(object->done);
	bytes->refs++;
	object->done = bytes;
	return remove_locked(memory, from, err);
}

static int memory_redirect(struct bucket *bucket, const char *path, const char *method,
			   unsigned int seconds, struct buf *url, struct shale_err *err)
{
	(void)bucket, (void)path, (void)method, (void)seconds, (void)url, (void)err;
	return 0;
}

static int memory_health(struct bucket *bucket, struct shale_err *err)
{
	(void)bucket, (void)err;
	return 0;
}

static void memory_release(struct bucket *bucket)
{
	struct memory_bucket *memory = to_memory(bucket);

	objects_drop_locked(memory, 0, memory->count);
	free(memory->objects);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static const struct bucket_ops memory_ops = {
	.name = "inmemory",
	.is_local = true,
	.has_swap = true,
	.stat = memory_stat,
	.get = memory_get,
	.put = memory_put,
	.swap = memory_swap,
	.open = memory_open,
	.read = memory_read,
	.close = memory_close,
	.append = memory_append,
	.write = memory_write,
	.keep = memory_keep,
	.commit = memory_commit,
	.cancel = memory_cancel,
	.list = memory_list,
	.walk = memory_walk,
	.remove = memory_remove,
	.remove_tree = memory_remove_tree,
	.removes_at_once = true,
	.move = memory_move,
	.redirect = memory_redirect,
	.health = memory_health,
	.release = memory_release,
};

int drv_memory_open(const struct bucket_params *params, struct bucket **ret_bucket,
		    struct shale_err *err)
{
	static const char *const known[] = { BUCKET_PARAM_READONLY, NULL };
	struct memory_bucket *memory;

	if (bucket_params_check(params, "inmemory", known, err) < 0)
		return -1;
	memory = calloc(1, sizeof(*memory));
	if (!memory)
		return no_memory(err);
	memory->base.ops = &memory_ops;
	pthread_mutex_init(&memory->lock, NULL);
	*ret_bucket = &memory->base;
	return 0;
}
