// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans from the tar of a root directory, as docker import takes it: it becomes the one layer of a
 * new image. The tar is kept as it came, also if it is compressed; its config and manifest are
 * written here.
 */
#include "engine/plan.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine/blob.h"
#include "engine/change.h"
#include "engine/platform.h"

#define COMMENT "Imported from "

/* RFC 3339 with nanoseconds, as docker writes it. */
static void print_now(char *text, size_t len)
{
	struct timespec now;
	struct tm tm;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	used = strftime(text, len, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + used, len - used, ".%09ldZ", now.tv_nsec);
}

static int plan_changes(json_t *json, const struct plan_opts *opts, struct shale_err *err)
{
	struct change_state state = { 0 };

	for (size_t i = 0; i < opts->change_count; i++)
		if (change_apply(json_object_get(json, "config"), opts->changes[i], &state, err) < 0)
			return -1;
	return 0;
}

static int write_config(const struct source *source, const struct plan_opts *opts,
			const struct digest *diff_id, struct plan_image *image,
			struct shale_err *err)
{
	struct digest_text layer = digest_text(diff_id);
	__cleanup_buf struct buf comment = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	__cleanup_free char *text = NULL;
	struct platform platform;
	char now[64];

	if (opts->platform && platform_parse(opts->platform, &platform, err) < 0)
		return -1;
	print_now(now, sizeof(now));
	if (opts->message ? buf_adds(&comment, opts->message)
			  : buf_addf(&comment, COMMENT "%s", source->name))
		return shale_err_errno(err, "writing a config");
	json = json_pack("{s:s, s:s, s:s, s:{}, s:{s:s, s:[s]}, s:[{s:s, s:s}]}", "created", now,
			 "architecture", opts->platform ? platform.architecture : PLAN_ARCH, "os",
			 opts->platform ? platform.os : PLAN_OS, "config", "rootfs", "type",
			 "layers", "diff_ids", layer.text, "history", "created", now, "comment",
			 buf_str(&comment));
	if (json && opts->platform && *platform.variant &&
	    json_object_set_new(json, "variant", json_string(platform.variant)))
		return shale_err_set(err, ENOMEM, "writing a config");
	if (json && plan_changes(json, opts, err) < 0)
		return -1;
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text || buf_adds(&image->config, text) < 0)
		return shale_err_set(err, ENOMEM, "writing a config");
	return 0;
}

int plan_make_rootfs(const struct source *source, struct task *task, const struct plan_opts *opts,
		     struct plan *plan, struct shale_err *err)
{
	__cleanup_free char *path = strdup(SOURCE_ROOTFS);
	struct plan_image *image = plan_add(plan, err);
	__cleanup_json json_t *layers = json_array();
	struct blob_facts facts;
	struct digest diff_id;

	if (!image)
		return -1;
	if (!path || !layers)
		return shale_err_set(err, ENOMEM, "listing layers");
	if (blob_examine(source, task, path, &facts, err) < 0 ||
	    blob_diff_id(source, task, path, &diff_id, err) < 0 ||
	    write_config(source, opts, &diff_id, image, err) < 0)
		return -1;
	if (json_array_append_new(layers, plan_layer(&facts)) < 0)
		return shale_err_set(err, ENOMEM, "writing a manifest");
	if (plan_write_manifest(image, layers, err) < 0)
		return -1;
	image->paths = calloc(2, sizeof(*image->paths));
	if (!image->paths)
		return shale_err_errno(err, "listing layers");
	image->paths[0] = path;
	path = NULL;
	return 0;
}
