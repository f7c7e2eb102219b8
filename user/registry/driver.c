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

static void (*observer)(const char *driver, const char *action, uint64_t ns);

void bucket_observe(void (*observe)(const char *driver, const char *action, uint64_t ns))
{
	observer = observe;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	if (!observer)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void observe(const struct bucket *bucket, const char *action, uint64_t start)
{
	if (observer)
		observer(bucket->ops->name, action, clock_ns() - start);
}

/* The value of a driver's call, whose time is told. */
#define MEASURED(of, action, call)                                                                 \
	({                                                                                         \
		const struct bucket *bucket_ = (of);                                               \
		uint64_t start_ = clock_ns();                                                      \
		__auto_type ret_ = (call);                                                         \
		observe(bucket_, action, start_);                                                  \
		ret_;                                                                              \
	})

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

int bucket_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		struct shale_err *err)
{
	return path_check(path, err) < 0 ? -1 : MEASURED(bucket, "Stat",
			bucket->ops->stat(bucket, path, ret_stat, err));
}

int bucket_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
	       struct shale_err *err)
{
	return path_check(path, err) < 0 ? -1 : MEASURED(bucket, "GetContent",
			bucket->ops->get(bucket, path, max, buf, err));
}

int bucket_put(struct bucket *bucket, const char *path, const void *data, size_t len,
	       unsigned int flags, struct shale_err *err)
{
	if (path_check(path, err) < 0)
		return -1;
	return MEASURED(bucket, "PutContent",
			bucket->ops->put(bucket, path, data, len, flags, err));
}

int bucket_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		struct shale_err *err)
{
	return path_check(path, err) < 0 ? -1 : MEASURED(bucket, "Swap",
			bucket->ops->swap(bucket, path, old, new, err));
}

int bucket_open_reader(struct bucket *bucket, const char *path, uint64_t offset,
		       struct bucket_reader **ret_reader, struct shale_err *err)
{
	if (path_check(path, err) < 0)
		return -1;
	return MEASURED(bucket, "Reader",
			bucket->ops->open(bucket, path, offset, ret_reader, err));
}

ssize_t bucket_read(struct bucket_reader *reader, void *data, size_t len, struct shale_err *err)
{
	return MEASURED(reader->bucket, "Read", reader->bucket->ops->read(reader, data, len, err));
}

void bucket_close(struct bucket_reader *reader)
{
	if (reader)
		reader->bucket->ops->close(reader);
}

int bucket_append(struct bucket *bucket, const char *path, uint64_t at,
		  struct bucket_writer **ret_writer, struct shale_err *err)
{
	if (path_check(path, err) < 0)
		return -1;
	return MEASURED(bucket, "Writer",
			bucket->ops->append(bucket, path, at, ret_writer, err));
}

int bucket_write(struct bucket_writer *writer, const void *data, size_t len,
		 struct shale_err *err)
{
	return MEASURED(writer->bucket, "Write", writer->bucket->ops->write(writer, data, len, err));
}

int bucket_keep(struct bucket_writer *writer, struct shale_err *err)
{
	return MEASURED(writer->bucket, "Keep", writer->bucket->ops->keep(writer, err));
}

int bucket_commit(struct bucket_writer *writer, const char *to, struct shale_err *err)
{
	if (path_check(to, err) == 0)
		return MEASURED(writer->bucket, "Commit", writer->bucket->ops->commit(writer, to, err));
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
	if (prefix_check(prefix, err) < 0)
		return -1;
	return MEASURED(bucket, "List",
			bucket->ops->list(bucket, prefix, after, each, ctx, err));
}

int bucket_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		struct shale_err *err)
{
	return prefix_check(prefix, err) < 0 ? -1 : MEASURED(bucket, "Walk",
			bucket->ops->walk(bucket, prefix, each, ctx, err));
}

int bucket_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	return path_check(path, err) < 0 ? -1 : MEASURED(bucket, "Delete",
			bucket->ops->remove(bucket, path, err));
}

int bucket_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	return path_check(prefix, err) < 0 ? -1 : MEASURED(bucket, "DeleteTree",
			bucket->ops->remove_tree(bucket, prefix, err));
}

int bucket_move(struct bucket *bucket, const char *from, const char *to, struct shale_err *err)
{
	if (path_check(from, err) < 0 || path_check(to, err) < 0)
		return -1;
	return MEASURED(bucket, "Move",
			bucket->ops->move(bucket, from, to, err));
}

int bucket_redirect(struct bucket *bucket, const char *path, const char *method,
		    unsigned int seconds, struct buf *url, struct shale_err *err)
{
	if (path_check(path, err) < 0)
		return -1;
	return MEASURED(bucket, "RedirectURL",
			bucket->ops->redirect(bucket, path, method, seconds, url, err));
}

int bucket_health(struct bucket *bucket, struct shale_err *err)
{
	return MEASURED(bucket, "Health",
			bucket->ops->health(bucket, err));
}
