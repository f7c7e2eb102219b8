// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases that other servers see, and what is doomed; see hold.h. Called by the handlers before they take the lock
 * that keeps our own collector out, since they may wait for another's here, and by the collector.
 */
#include "registry/hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "registry/entries.h"
#include "registry/layout.h"

#define LEASES	     ".shale/lease"
#define DOOMED	     ".shale/gc/doomed"
#define DOOMED_MAX   4096
#define PREFIX_DIGITS 16
/* A request waits so long for a collector, and asks so often. */
#define WAIT_SECONDS 10
#define WAIT_MSEC    50
/* A collector begins to take nothing later than this after it has written the list ... */
#define DOOM_SECONDS 600
/* ... which means nothing to others after this, by their own clocks. */
#define STALE_SECONDS 1800
/* Leases of this epoch and as many before it count, and of the next, by a clock that is ahead. */
#define EPOCHS 2

static uint64_t epoch_now(void)
{
	return (uint64_t)time(NULL) / HOLD_EPOCH_SECONDS;
}

static struct layout_path lease_path(uint64_t epoch, const struct sum *sum)
{
	struct layout_path path;

	snprintf(path.text, sizeof(path.text), LEASES "/%llu/%s/%s", (unsigned long long)epoch,
		 sum_kind_name(sum->kind), sum_hex(sum));
	return path;
}

/* 1 with the list, 0: nothing is doomed. */
static int read_doomed(struct reg *reg, struct buf *ret_text, struct shale_err *err)
{
	struct shale_err own = { 0 };

	buf_clear(ret_text);
	if (bucket_get(reg->bucket, DOOMED, DOOMED_MAX, ret_text, &own) == 0)
		return 1;
	if (own.code == ENOENT)
		return 0;
	if (err)
		*err = own;
	return -1;
}

/* "WHO WHEN DIGITS DIGITS...". A time that cannot be read, or is still to come, is none either. */
static bool is_stale(const char *text)
{
	const char *space = strchr(text, ' ');
	long long when = space ? strtoll(space + 1, NULL, 10) : 0;
	long long now = time(NULL);

	return when < now - STALE_SECONDS || when > now + STALE_SECONDS;
}

static bool is_listed(const char *text, const struct sum *const *sums, size_t count)
{
	char word[PREFIX_DIGITS + 2];

	for (size_t i = 0; i < count; i++) {
		snprintf(word, sizeof(word), " %.*s", PREFIX_DIGITS, sum_hex(sums[i]));
		if (strstr(text, word))
			return true;
	}
	return false;
}

static int wait_for_collector(struct reg *reg, const struct sum *const *sums, size_t count, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	int64_t end = clock_seconds() + WAIT_SECONDS;
	int ret;

	while ((ret = read_doomed(reg, &text, err)) > 0 && is_listed(buf_str(&text), sums, count) &&
	       !is_stale(buf_str(&text))) {
		if (clock_seconds() > end)
			return shale_err_set(err, EAGAIN, "what is asked for is being collected");
		nanosleep(&(struct timespec){ .tv_nsec = WAIT_MSEC * 1000000 }, NULL);
	}
	return ret < 0 ? -1 : 0;
}

int hold_sums(struct reg *reg, const struct sum *const *sums, size_t count, struct shale_err *err)
{
	uint64_t epoch = epoch_now();
	bool has_put = false;

	if (!reg->bucket->ops->is_shared || reg->settings.is_readonly)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (lease_is_told(reg->leases, sums[i], epoch))
			continue;
		if (bucket_put(reg->bucket, lease_path(epoch, sums[i]).text, "1", 1, BUCKET_SOON, err) < 0)
			return -1;
		has_put = true;
	}
	if (has_put && wait_for_collector(reg, sums, count, err) < 0)
		return -1;
	/* Only now: a lease that was put and not waited for protects nothing. */
	for (size_t i = 0; i < count; i++)
		lease_note_told(reg->leases, sums[i], epoch);
	return 0;
}

int hold_sum(struct reg *reg, const struct sum *sum, struct shale_err *err)
{
	return hold_sums(reg, &sum, 1, err);
}

static int print_doomed(const struct sum *const *sums, size_t count, struct hold_doom *doom, struct shale_err *err)
{
	uint64_t who;
	int len;

	if (getrandom(&who, sizeof(who), 0) != sizeof(who))
		return shale_err_set(err, EIO, "no random bytes for a collection");
	len = snprintf(doom->text, sizeof(doom->text), "%016llx %lld", (unsigned long long)who, (long long)time(NULL));
	for (size_t i = 0; i < count && i < HOLD_BATCH; i++)
		len += snprintf(doom->text + len, sizeof(doom->text) - len, " %.*s", PREFIX_DIGITS, sum_hex(sums[i]));
	return 0;
}

int hold_doom(struct reg *reg, const struct sum *const *sums, size_t count, struct hold_doom *ret_doom,
	      struct shale_err *err)
{
	__cleanup_buf struct buf old = BUF_INIT;
	int found = read_doomed(reg, &old, err);

	ret_doom->since = clock_seconds();
	if (found < 0 || print_doomed(sums, count, ret_doom, err) < 0)
		return -1;
	if (found && !is_stale(buf_str(&old)))
		return shale_err_set(err, EBUSY, "another server collects, or has died over it: its list is nobody's "
						 "after %d minutes", STALE_SECONDS / 60);
	if (bucket_swap(reg->bucket, DOOMED, found ? buf_str(&old) : NULL, ret_doom->text, err) == 0)
		return 0;
	if (err->code == ESTALE)
		return shale_err_set(err, EBUSY, "another server has begun to collect");
	return -1;
}

bool hold_doom_is_fresh(const struct hold_doom *doom)
{
	return clock_seconds() - doom->since < DOOM_SECONDS;
}

int hold_is_held(struct reg *reg, const struct sum *sum, struct shale_err *err)
{
	uint64_t now = epoch_now();

	for (uint64_t epoch = now - EPOCHS; epoch <= now + 1; epoch++) {
		__cleanup_buf struct buf text = BUF_INIT;
		struct shale_err own = { 0 };

		/* Read, not looked at: of the two it is what every store gives the newest of. */
		if (bucket_get(reg->bucket, lease_path(epoch, sum).text, DOOMED_MAX, &text, &own) == 0)
			return 1;
		if (own.code != ENOENT) {
			*err = own;
			return -1;
		}
	}
	return 0;
}

int hold_doom_end(struct reg *reg, const struct hold_doom *doom, struct shale_err *err)
{
	return bucket_swap(reg->bucket, DOOMED, doom->text, NULL, err);
}

static int note_epoch(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

int hold_forget(struct reg *reg, bool is_all, struct shale_err *err)
{
	__cleanup_entries struct entries epochs = { 0 };
	uint64_t now = epoch_now();

	if (bucket_list(reg->bucket, LEASES, NULL, note_epoch, &epochs, err) < 0)
		return -1;
	for (size_t i = 0; i < epochs.count; i++) {
		char path[sizeof(LEASES) + 32];
		char *end;
		uint64_t epoch = strtoull(epochs.list[i].name, &end, 10);

		if (*end || (!is_all && epoch + 2 * EPOCHS >= now) ||
		    (size_t)snprintf(path, sizeof(path), LEASES "/%s", epochs.list[i].name) >= sizeof(path))
			continue;
		if (bucket_remove_tree(reg->bucket, path, err) < 0)
			return -1;
	}
	return 0;
}
