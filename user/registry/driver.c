// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of storage drivers, the reading of their parameters, and the door every call to one goes
 * through; see driver.h. A path is checked here as well as where it is made, so that no driver ever
 * sees one that could lead elsewhere. Called by the handlers, the collector and the programs' verbs.
 */
#include "registry/driver.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const struct driver {
	const char *name;
	int (*open)(const struct bucket_params *params, struct bucket **ret_bucket,
		    struct shale_err *err);
} drivers[] = {
	{ "azure", drv_azure_open },
	{ "filesystem", drv_file_open },
	{ "inmemory", drv_memory_open },
	{ "s3", drv_s3_open },
	{ "swift", drv_swift_open },
};

#define DRIVER_COUNT (sizeof(drivers) / sizeof(*drivers))

int bucket_open(const char *driver, const struct bucket_params *params, struct bucket **ret_bucket,
		struct shale_err *err)
{
	for (size_t i = 0; i < DRIVER_COUNT; i++)
		if (!strcmp(drivers[i].name, driver))
			return drivers[i].open(params, ret_bucket, err);
	return shale_err_set(err, EINVAL, "there is no storage driver '%s'", driver);
}

void bucket_release(struct bucket *bucket)
{
	if (bucket)
		bucket->ops->release(bucket);
}

const char *bucket_param_text(const struct bucket_params *params, const char *key,
			      const char *absent)
{
	for (size_t i = 0; i < params->count; i++)
		if (!strcmp(params->list[i].key, key) && params->list[i].value[0])
			return params->list[i].value;
	return absent;
}

int bucket_param_number(const struct bucket_params *params, const char *key, uint64_t min,
			uint64_t max, uint64_t absent, uint64_t *ret_value, struct shale_err *err)
{
	const char *text = bucket_param_text(params, key, NULL);
	unsigned long long value;
	char *end;

	*ret_value = absent;
	if (!text)
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || end == text || *text == '-' || errno || value < min || value > max)
		return shale_err_set(err, EINVAL, "storage: %s: '%.100s' is not a number from %llu to %llu",
				     key, text, (unsigned long long)min, (unsigned long long)max);
	*ret_value = value;
	return 0;
}

int bucket_param_bool(const struct bucket_params *params, const char *key, bool absent,
		      bool *ret_value, struct shale_err *err)
{
	const char *text = bucket_param_text(params, key, NULL);

	*ret_value = text ? !strcmp(text, "true") : absent;
	if (text && !*ret_value && strcmp(text, "false"))
		return shale_err_set(err, EINVAL, "storage: %s: '%.100s' is neither true nor false", key,
				     text);
	return 0;
}

static bool is_known(const char *key, const char *const *known)
{
	while (*known)
		if (!strcmp(*known++, key))
			return true;
	return false;
}

int bucket_params_check(const struct bucket_params *params, const char *driver,
			const char *const *known, struct shale_err *err)
{
	for (size_t i = 0; i < params->count; i++)
		if (!is_known(params->list[i].key, known))
			return shale_err_set(err, EINVAL, "storage: %s has no parameter '%.100s'", driver,
					     params->list[i].key);
	return 0;
}

static bool is_valid_component(const char *text, size_t len)
{
	if (!len || len > 255 || (len <= 2 && !strncmp(text, "..", len)))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

bool bucket_path_is_valid(const char *path)
{
	size_t len;

	if (strnlen(path, BUCKET_MAX_PATH + 1) > BUCKET_MAX_PATH)
		return false;
	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (!is_valid_component(path, len))
			return false;
		if (!path[len])
			return true;
	}
}

static int path_check(const char *path, struct shale_err *err)
{
	if (bucket_path_is_valid(path))
		return 0;
	return shale_err_set(err, EINVAL, "'%.200s' is not a path in the storage", path);
}

/* "" is the root. */
static int prefix_check(const char *prefix, struct shale_err *err)
{
	return *prefix ? path_check(prefix, err) : 0;
}

/* One call, timed if anybody wants to know. */
struct watched {
	const struct bucket_watch *watch;
	const char *action;
	struct timespec began;
};

static struct watched watched_begin(const struct bucket *bucket, const char *action)
{
	struct watched watched = { &bucket->watch, action, { 0 } };

	if (watched.watch->note)
		clock_gettime(CLOCK_MONOTONIC, &watched.began);
	return watched;
}

static void watched_end(struct watched *watched)
{
	struct timespec now;

	if (!watched->watch->note)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	watched->watch->note(watched->watch->ctx, watched->action,
			     (now.tv_sec - watched->began.tv_sec) * 1000000000ll + now.tv_nsec -
				     watched->began.tv_nsec);
}

/* Until the end of the function. */
#define WATCH(bucket, action)                                          \
	__attribute__((cleanup(watched_end), unused)) struct watched watched = \
		watched_begin(bucket, action)

int bucket_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		struct shale_err *err)
{
	WATCH(bucket, "Stat");

	return path_check(path, err) < 0 ? -1 : bucket->ops->stat(bucket, path, ret_stat, err);
}

int bucket_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
	       struct shale_err *err)
{
	WATCH(bucket, "GetContent");

	return path_check(path, err) < 0 ? -1 : bucket->ops->get(bucket, path, max, buf, err);
}

int bucket_put(struct bucket *bucket, const char *path, const void *data, size_t len,
	       unsigned int flags, struct shale_err *err)
{
	WATCH(bucket, "PutContent");

	if (path_check(path, err) < 0)
		return -1;
	return bucket->ops->put(bucket, path, data, len, flags, err);
}

int bucket_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		struct shale_err *err)
{
	WATCH(bucket, "PutContent");

	return path_check(path, err) < 0 ? -1 : bucket->ops->swap(bucket, path, old, new, err);
}

int bucket_open_reader(struct bucket *bucket, const char *path, uint64_t offset,
		       struct bucket_reader **ret_reader, struct shale_err *err)
{
	WATCH(bucket, "Reader");

	if (path_check(path, err) < 0)
		return -1;
	return bucket->ops->open(bucket, path, offset, ret_reader, err);
}

ssize_t bucket_read(struct bucket_reader *reader, void *data, size_t len, struct shale_err *err)
{
	return reader->bucket->ops->read(reader, data, len, err);
}

void bucket_close(struct bucket_reader *reader)
{
	if (reader)
		reader->bucket->ops->close(reader);
}

int bucket_append(struct bucket *bucket, const char *path, uint64_t at,
		  struct bucket_writer **ret_writer, struct shale_err *err)
{
	WATCH(bucket, "Writer");

	if (path_check(path, err) < 0)
		return -1;
	return bucket->ops->append(bucket, path, at, ret_writer, err);
}

int bucket_write(struct bucket_writer *writer, const void *data, size_t len,
		 struct shale_err *err)
{
	return writer->bucket->ops->write(writer, data, len, err);
}

int bucket_keep(struct bucket_writer *writer, struct shale_err *err)
{
	return writer->bucket->ops->keep(writer, err);
}

int bucket_commit(struct bucket_writer *writer, const char *to, struct shale_err *err)
{
	if (path_check(to, err) == 0)
		return writer->bucket->ops->commit(writer, to, err);
	writer->bucket->ops->cancel(writer);
	return -1;
}

void bucket_cancel(struct bucket_writer *writer)
{
	if (writer)
		writer->bucket->ops->cancel(writer);
}

int bucket_list(struct bucket *bucket, const char *prefix, const char *after, bucket_entry_fn each,
		void *ctx, struct shale_err *err)
{
	WATCH(bucket, "List");

	if (prefix_check(prefix, err) < 0)
		return -1;
	return bucket->ops->list(bucket, prefix, after, each, ctx, err);
}

int bucket_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		struct shale_err *err)
{
	WATCH(bucket, "Walk");

	return prefix_check(prefix, err) < 0 ? -1 : bucket->ops->walk(bucket, prefix, each, ctx, err);
}

int bucket_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	WATCH(bucket, "Delete");

	return path_check(path, err) < 0 ? -1 : bucket->ops->remove(bucket, path, err);
}

int bucket_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	WATCH(bucket, "Delete");

	return path_check(prefix, err) < 0 ? -1 : bucket->ops->remove_tree(bucket, prefix, err);
}

int bucket_move(struct bucket *bucket, const char *from, const char *to, struct shale_err *err)
{
	WATCH(bucket, "Move");

	if (path_check(from, err) < 0 || path_check(to, err) < 0)
		return -1;
	return bucket->ops->move(bucket, from, to, err);
}

int bucket_redirect(struct bucket *bucket, const char *path, const char *method,
		    unsigned int seconds, struct buf *url, struct shale_err *err)
{
	WATCH(bucket, "RedirectURL");

	if (path_check(path, err) < 0)
		return -1;
	return bucket->ops->redirect(bucket, path, method, seconds, url, err);
}

int bucket_health(struct bucket *bucket, struct shale_err *err)
{
	return bucket->ops->health(bucket, err);
}
