// SPDX-License-Identifier: GPL-2.0-only
/*
 * Schema 1; see schema1.h. Called by document.c for a payload that was verified (jws.c), and by the engine's pull.
 */
#include "client/schema1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

/* Of a step's image, no config has. */
static const char *const dropped[] = { "id", "parent", "Size", "parent_id", "layer_id", "throwaway" };

void schema1_release(struct schema1 *schema1)
{
	for (size_t i = 0; i < schema1->count; i++)
		json_decref(schema1->steps[i].json);
	free(schema1->steps);
	*schema1 = (struct schema1){ 0 };
}

bool schema1_is_type(const char *media_type)
{
	return !strcmp(media_type, SCHEMA1_SIGNED) || !strcmp(media_type, SCHEMA1_PLAIN);
}

const char *schema1_text(const struct schema1 *schema1, const char *field)
{
	return json_text(schema1->steps[schema1->count - 1].json, field);
}

static int parse_step(const json_t *layer, const json_t *history, struct schema1_step *step,
		      struct shale_err *err)
{
	const char *blob = NULL;
	const char *text = NULL;
	struct digest unused;

	if (!json_is_object(layer) || !json_is_object(history))
		return shale_err_set(err, EINVAL, "it is not an object");
	if (json_get_text(layer, "blobSum", false, "fsLayers", &blob, err) < 0 ||
	    digest_parse(blob, "blobSum", &step->blob, err) < 0 ||
	    json_get_text(history, "v1Compatibility", false, "history", &text, err) < 0 ||
	    json_parse_object(text, strlen(text), "v1Compatibility", &step->json, err) < 0)
		return -1;
	if (!digest_parse_hex(json_text(step->json, "id"), &unused))
		return shale_err_set(err, EINVAL, "v1Compatibility: its id is none");
	step->is_throwaway = json_is_true(json_object_get(step->json, "throwaway"));
	return 0;
}

static int parse_steps(const json_t *layers, const json_t *history, struct schema1 *schema1,
		       struct shale_err *err)
{
	size_t count = json_array_size(layers);

	schema1->steps = calloc(count, sizeof(*schema1->steps));
	if (!schema1->steps)
		return shale_err_errno(err, "manifest");
	for (size_t i = 0; i < count; i++) {
		schema1->count = i + 1;
		if (parse_step(json_array_get(layers, count - 1 - i),
			       json_array_get(history, count - 1 - i), &schema1->steps[i], err) < 0)
			return shale_err_wrap(err, "manifest: fsLayers[%zu]", count - 1 - i);
	}
	return 0;
}

/* Some registries have given a step out several times in a row: the first one is meant. */
static void drop_repeated(struct schema1 *schema1)
{
	size_t kept = 1;

	for (size_t i = 1; i < schema1->count; i++) {
		if (!strcmp(json_text(schema1->steps[i].json, "id"),
			    json_text(schema1->steps[kept - 1].json, "id"))) {
			json_decref(schema1->steps[i].json);
			continue;
		}
		schema1->steps[kept++] = schema1->steps[i];
	}
	schema1->count = kept;
}

/* Each step is on the one before it, and none comes twice. */
static int check_chain(const struct schema1 *schema1, struct shale_err *err)
{
	__cleanup_json json_t *seen = json_object();
	const char *below = "";

	if (!seen)
		return shale_err_set(err, ENOMEM, "manifest");
	for (size_t i = 0; i < schema1->count; i++) {
		const char *id = json_text(schema1->steps[i].json, "id");
		const char *parent = json_text(schema1->steps[i].json, "parent");

		if (strcmp(parent, below))
			return shale_err_set(err, EINVAL,
					     "manifest: %.64s is on '%.64s', and should be on '%.64s'",
					     id, parent, below);
		if (json_object_get(seen, id))
			return shale_err_set(err, EINVAL, "manifest: %.64s comes twice", id);
		if (json_object_set_new(seen, id, json_true()) < 0)
			return shale_err_set(err, ENOMEM, "manifest");
		below = id;
	}
	return 0;
}

static int count_layers(struct schema1 *schema1, struct shale_err *err)
{
	for (size_t i = 0; i < schema1->count; i++)
		schema1->layer_count += !schema1->steps[i].is_throwaway;
	if (schema1->layer_count <= IMAGE_MAX_LAYERS)
		return 0;
	return shale_err_set(err, E2BIG, "manifest: more than %d layers", IMAGE_MAX_LAYERS);
}

int schema1_parse(const void *data, size_t len, struct schema1 *ret_schema1, struct shale_err *err)
{
	__cleanup_schema1 struct schema1 schema1 = { 0 };
	__cleanup_json json_t *json = NULL;
	json_t *layers = NULL;
	json_t *history = NULL;
	uint64_t version = 0;

	if (json_parse_object(data, len, "manifest", &json, err) < 0 ||
	    json_get_size(json, "schemaVersion", "manifest", &version, err) < 0)
		return -1;
	if (version != 1)
		return shale_err_set(err, EINVAL, "manifest: schemaVersion is not 1");
	if (json_get_array(json, "fsLayers", IMAGE_MAX_HISTORY, false, "manifest", &layers, err) < 0 ||
	    json_get_array(json, "history", IMAGE_MAX_HISTORY, false, "manifest", &history, err) < 0)
		return -1;
	if (!json_array_size(layers) || json_array_size(layers) != json_array_size(history))
		return shale_err_set(err, EINVAL, "manifest: %zu layers with a history of %zu",
				     json_array_size(layers), json_array_size(history));
	if (parse_steps(layers, history, &schema1, err) < 0)
		return -1;
	drop_repeated(&schema1);
	if (check_chain(&schema1, err) < 0 || count_layers(&schema1, err) < 0)
		return -1;
	*ret_schema1 = schema1;
	schema1 = (struct schema1){ 0 };
	return 0;
}

/* "/bin/sh -c make": the words of the command, as docker shows them. */
static int add_command(const json_t *step, json_t *entry)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const json_t *words = json_object_get(json_object_get(step, "container_config"), "Cmd");
	const char *word;

	for (size_t i = 0; i < json_array_size(words); i++) {
		word = json_string_value(json_array_get(words, i));
		if (word && buf_addf(&text, "%s%s", text.len ? " " : "", word) < 0)
			return -1;
	}
	return text.len ? json_object_set_new(entry, "created_by", json_string(buf_str(&text))) : 0;
}

static json_t *history_of(const struct schema1_step *step)
{
	static const char *const fields[] = { "created", "author", "comment" };
	__cleanup_json json_t *entry = json_object();

	for (size_t i = 0; entry && i < sizeof(fields) / sizeof(*fields); i++) {
		const char *text = json_text(step->json, fields[i]);

		if (*text && json_object_set_new(entry, fields[i], json_string(text)) < 0)
			return NULL;
	}
	if (!entry || add_command(step->json, entry) < 0 ||
	    (step->is_throwaway && json_object_set_new(entry, "empty_layer", json_true()) < 0))
		return NULL;
	return steal_ptr(entry);
}

static int set_history(const struct schema1 *schema1, json_t *config)
{
	json_t *history = json_array();

	for (size_t i = 0; i < schema1->count; i++)
		if (json_array_append_new(history, history_of(&schema1->steps[i])) < 0) {
			json_decref(history);
			return -1;
		}
	return json_object_set_new(config, "history", history);
}

static int set_rootfs(const struct schema1 *schema1, const struct digest *diff_ids, json_t *config)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < schema1->layer_count; i++) {
		struct digest_text text = digest_text(&diff_ids[i]);

		if (json_array_append_new(ids, json_string(text.text)) < 0) {
			json_decref(ids);
			return -1;
		}
	}
	return json_object_set_new(config, "rootfs",
				   json_pack("{s:s, s:o}", "type", "layers", "diff_ids", ids));
}

/* What OCI asks for, and images of the first years do not always say. */
static int set_missing(json_t *config, const char *field, const char *value)
{
	return *json_text(config, field) ? 0 : json_object_set_new(config, field, json_string(value));
}

int schema1_config(const struct schema1 *schema1, const struct digest *diff_ids,
		   struct buf *ret_config, struct shale_err *err)
{
	__cleanup_json json_t *config = json_copy(schema1->steps[schema1->count - 1].json);
	__cleanup_free char *text = NULL;

	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		json_object_del(config, dropped[i]);
	if (!config || set_missing(config, "os", "linux") < 0 ||
	    set_missing(config, "architecture", "amd64") < 0 ||
	    set_rootfs(schema1, diff_ids, config) < 0 || set_history(schema1, config) < 0)
		return shale_err_set(err, ENOMEM, "writing a config");
	text = json_dumps(config, JSON_COMPACT);
	if (!text || buf_adds(ret_config, text) < 0)
		return shale_err_set(err, ENOMEM, "writing a config");
	return 0;
}
