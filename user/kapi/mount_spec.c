// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps the strings and arrays of struct mount_spec. What they mean is mount.c's business and the
 * parser's.
 */
#include "kapi/mount_spec.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static int err_nomem(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "out of memory for mount options");
}

/* Room for one more element; arrays have a power of two of them, so nr tells when one is full. */
static int array_grow(void **array, size_t nr, size_t size, struct shale_err *err)
{
	void *bigger;

	if (nr & (nr - 1))
		return 0;
	bigger = reallocarray(*array, nr ? 2 * nr : 1, size);
	if (!bigger)
		return err_nomem(err);
	*array = bigger;
	return 0;
}

void mount_spec_clear_layers(struct mount_spec *spec)
{
	for (size_t i = 0; i < spec->nr_layers; i++)
		free(spec->layers[i]);
	free(spec->layers);
	spec->layers = NULL;
	spec->nr_layers = 0;
}

void mount_spec_release(struct mount_spec *spec)
{
	mount_spec_clear_layers(spec);
	for (size_t i = 0; i < spec->nr_params; i++) {
		free(spec->params[i].key);
		free(spec->params[i].value);
	}
	free(spec->params);
	free(spec->source);
	free(spec->upper);
	free(spec->work);
	memset(spec, 0, sizeof(*spec));
}

int mount_spec_add_layer(struct mount_spec *spec, const char *path, struct shale_err *err)
{
	char *copy;

	if (spec->nr_layers == MOUNT_LAYERS_MAX)
		return shale_err_set(err, EINVAL, "more than %d lower layers", MOUNT_LAYERS_MAX);
	if (array_grow((void **)&spec->layers, spec->nr_layers, sizeof(*spec->layers), err))
		return -1;
	copy = strdup(path);
	if (!copy)
		return err_nomem(err);
	spec->layers[spec->nr_layers++] = copy;
	return 0;
}

int mount_spec_add_param(struct mount_spec *spec, const char *key, const char *value,
			 struct shale_err *err)
{
	struct mount_param *param;
	__cleanup_free char *key_copy = strdup(key);
	__cleanup_free char *value_copy = value ? strdup(value) : NULL;

	if (!key_copy || (value && !value_copy))
		return err_nomem(err);
	if (array_grow((void **)&spec->params, spec->nr_params, sizeof(*spec->params), err))
		return -1;
	param = &spec->params[spec->nr_params++];
	param->key = steal_ptr(key_copy);
	param->value = steal_ptr(value_copy);
	return 0;
}
