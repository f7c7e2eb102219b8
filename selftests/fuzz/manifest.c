// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the documents an image comes with: the first byte chooses an index, a manifest
 * with its config (a NUL between them), or a name. What is taken keeps the promises its users rely
 * on. Built and run by scripts/fuzz; its corpus is selftests/corpus/manifest.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/image.h"
#include "fuzz.h"

static void try_index(const uint8_t *data, size_t size)
{
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;
	struct shale_err err = { 0 };
	struct ref ref;
	size_t before;

	if (index_parse(data, size, "index.json", &index, &err) < 0) {
		promise(err.code > 0 && err.msg[0]);
		return;
	}
	before = index_count(&index);
	promise(before <= INDEX_MAX_ENTRIES);
	for (size_t i = 0; i < before; i++)
		if (index_get(&index, i, &entry, &err) == 0)
			image_kind(entry.media_type);
	promise(ref_parse("fuzz:1", &ref, NULL) == 0);
	entry = (struct index_entry){ .media_type = "application/vnd.oci.image.manifest.v1+json" };
	if (index_set(&index, &ref, &entry, &err) < 0)
		return;
	promise(index_get(&index, index_count(&index) - 1, &entry, &err) == 0);
	promise(!strcmp(entry.name, "docker.io/library/fuzz:1"));
	while (index_count(&index))
		index_remove(&index, 0);
}

static void try_image(const uint8_t *data, size_t size)
{
	__cleanup_image struct image image = { 0 };
	const uint8_t *config = memchr(data, '\0', size);
	size_t len = config ? (size_t)(config - data) : size;
	struct shale_err err = { 0 };

	if (image_parse_manifest(data, len, &image, &err) < 0) {
		promise(err.code > 0 && err.msg[0] && !image.layers);
		return;
	}
	promise(image.layer_count <= IMAGE_MAX_LAYERS);
	if (config && image_parse_config(config + 1, size - len - 1, &image, &err) == 0)
		promise(image.os && image.architecture);
}

static void try_name(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = strndup((const char *)data, size);
	struct ref_text full;
	struct ref again;
	struct ref ref;

	promise(text);
	if (ref_parse(text, &ref, NULL) < 0)
		return;
	promise(ref.name[0] && (ref.tag[0] || ref.has_digest) && strchr(ref.name, '/'));
	if (!ref.tag[0])
		return;
	full = ref_text(&ref);
	promise(ref_parse(full.text, &again, NULL) == 0);
	promise(!strcmp(again.name, ref.name) && !strcmp(again.tag, ref.tag));
	promise(ref_parse(ref_familiar(&ref), &again, NULL) == 0 && !strcmp(again.name, ref.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const uint8_t *, size_t) = { try_index, try_image, try_name };

	if (size)
		tries[data[0] % 3](data + 1, size - 1);
	return 0;
}
