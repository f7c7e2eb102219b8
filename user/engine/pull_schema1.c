// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pull of docker's schema 1; see pull.h. What such a manifest does not say is found in the layers: so they are
 * downloaded first, and then there are a config and a manifest as of any other image. Both are the same whenever they are
 * made, so that the image is known again. Called by pull.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/pull.h"

/* As the first says that has it: a mirror need not have all. */
static int ask_size(struct pull *pull, const struct digest *blob, uint64_t *ret_size,
		    struct shale_err *err)
{
	struct places *places = &pull->places;

	for (size_t i = 0; i < places->count; i++) {
		if (remote_connect(&places->remotes[i], err) == 0 &&
		    document_blob_size(&places->remotes[i], blob, ret_size, err) == 0)
			return 0;
		if (err->code == ECANCELED)
			break;
	}
	return -1;
}

/* Of the store's, or as a registry says. */
static int measure_blob(struct pull *pull, const struct digest *blob, uint64_t *ret_size,
			struct shale_err *err)
{
	struct digest_text text = digest_text(blob);
	struct stat st;

	if (fstatat(pull->store.blobs_fd, digest_hex(&text), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ask_size(pull, blob, ret_size, err);
	*ret_size = st.st_size;
	return 0;
}

static const struct image_layer *find_layer(const struct image *image, const struct digest *blob)
{
	for (size_t i = 0; i < image->layer_count; i++)
		if (digest_is_equal(&image->layers[i].blob, blob))
			return &image->layers[i];
	return NULL;
}

int pull_measure_schema1(struct pull *pull, struct image *image, struct shale_err *err)
{
	const struct schema1 *schema1 = &pull->schema1;

	image->layers = calloc(schema1->layer_count + 1, sizeof(*image->layers));
	if (!image->layers)
		return shale_err_errno(err, "listing layers");
	for (size_t i = 0; i < schema1->count; i++) {
		const struct schema1_step *step = &schema1->steps[i];
		const struct image_layer *same = find_layer(image, &step->blob);
		struct image_layer layer = { .blob = step->blob };

		if (step->is_throwaway)
			continue;
		if (same)
			layer.size = same->size;
		else if (measure_blob(pull, &step->blob, &layer.size, err) < 0)
			return -1;
		image->layers[image->layer_count++] = layer;
	}
	return 0;
}

/* The same blob, found before; -1 if it was not. */
static ssize_t find_facts(const struct blob_facts *facts, size_t count, const struct digest *blob)
{
	for (size_t i = 0; i < count; i++)
		if (digest_is_equal(&facts[i].digest, blob))
			return i;
	return -1;
}

static int examine_layer(struct pull *pull, const struct image_layer *layer,
			 struct digest *ret_diff_id, struct blob_facts *ret_facts,
			 struct shale_err *err)
{
	struct blob_job job = {
		.task = &pull->task,
		.session = &pull->session,
		.source = &pull->source,
		.layer = *layer,
		.max_bytes = pull_max_bytes(pull),
	};

	if (fetch_wait(pull->fetch, &layer->blob, err) < 0)
		return -1;
	ret_facts->digest = layer->blob;
	ret_facts->size = layer->size;
	return blob_diff_id_here(&job, ret_diff_id, &ret_facts->codec, err);
}

static int examine_layers(struct pull *pull, const struct image *image, struct digest *diff_ids,
			  json_t *layers, struct shale_err *err)
{
	__cleanup_free struct blob_facts *facts = calloc(image->layer_count + 1, sizeof(*facts));
	ssize_t same;

	if (!facts)
		return shale_err_errno(err, "listing layers");
	for (size_t i = 0; i < image->layer_count; i++) {
		same = find_facts(facts, i, &image->layers[i].blob);
		if (same >= 0) {
			facts[i] = facts[same];
			diff_ids[i] = diff_ids[same];
		} else if (examine_layer(pull, &image->layers[i], &diff_ids[i], &facts[i], err) < 0) {
			return -1;
		}
		if (json_array_append_new(layers, plan_layer(&facts[i])) < 0)
			return shale_err_set(err, ENOMEM, "writing a manifest");
	}
	return 0;
}

static int plan_converted(struct pull *pull, const struct digest *diff_ids, json_t *layers,
			  struct shale_err *err)
{
	struct plan_image *image = plan_add(&pull->plan, err);

	if (!image || schema1_config(&pull->schema1, diff_ids, &image->config, err) < 0 ||
	    plan_write_manifest(image, layers, err) < 0)
		return -1;
	image->paths = calloc(image->image.layer_count + 1, sizeof(*image->paths));
	if (!image->paths)
		return shale_err_errno(err, "listing layers");
	pull->manifest.digest = image->image.manifest;
	pull->id = image->image.config;
	return plan_add_name(image, ref_text(&pull->ref).text, err);
}

int pull_convert_schema1(struct pull *pull, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_free struct digest *diff_ids = NULL;
	__cleanup_json json_t *layers = json_array();

	diff_ids = calloc(pull->schema1.layer_count + 1, sizeof(*diff_ids));
	if (!diff_ids || !layers)
		return shale_err_set(err, ENOMEM, "listing layers");
	if (pull_measure_schema1(pull, &image, err) < 0 || pull_start(pull, &image, err) < 0 ||
	    examine_layers(pull, &image, diff_ids, layers, err) < 0)
		return -1;
	return plan_converted(pull, diff_ids, layers, err);
}
