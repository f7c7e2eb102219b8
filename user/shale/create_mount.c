// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts of options; see create_mount.h. Whether they can be had is the daemon's to say. Called by create_opts.c.
 */
#include "shale/create_mount.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "shale/create_value.h"
#include "store/json.h"

static json_t *member(json_t *object, const char *key, json_t *fresh)
{
	if (!json_object_get(object, key))
		json_object_set(object, key, fresh);
	json_decref(fresh);
	return json_object_get(object, key);
}

/* The daemon works elsewhere: what begins with a dot is of our directory. */
static char *make_absolute(const char *path, size_t len)
{
	__cleanup_free char *here = *path == '.' ? getcwd(NULL, 0) : NULL;
	char *whole = NULL;

	if (here && len == 1)
		return steal_ptr(here);
	if (asprintf(&whole, "%s%s%.*s", here ? here : "", here ? "/" : "", (int)len, path) < 0)
		return NULL;
	return whole;
}

int mount_take_volume(json_t *config, json_t *host, const char *text, struct shale_err *err)
{
	const char *colon = strchr(text, ':');
	__cleanup_free char *source = NULL;
	__cleanup_free char *bind = NULL;

	if (!colon)
		return json_object_set_new(member(config, "Volumes", json_object()), text, json_object()) ?
			       shale_err_set(err, EINVAL, "'%.200s' is not UTF-8", text) :
			       0;
	source = make_absolute(text, colon - text);
	if (!source || asprintf(&bind, "%s%s", source, colon) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	return value_append(member(host, "Binds", json_array()), bind, err);
}

int mount_take_tmpfs(json_t *host, const char *text, struct shale_err *err)
{
	const char *colon = strchrnul(text, ':');
	__cleanup_free char *target = strndup(text, colon - text);

	if (!target)
		return shale_err_set(err, ENOMEM, "out of memory");
	return value_set(member(host, "Tmpfs", json_object()), target, *colon ? colon + 1 : "", err);
}

/* A mount at work: what was said of one type only. */
struct mounting {
	json_t *mount;
	const char *field; /* as it was written */
	const char *value; /* NULL: there is none */
};

static int bad_value(const struct mounting *mounting, const char *key, struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "invalid value for %s: %.200s", key, mounting->value);
}

enum value_kind { IS_TEXT, IS_PATH, IS_LOWER, IS_BOOL, IS_BYTES, IS_MODE, IS_PAIR };

static const struct {
	const char *key;
	const char *object; /* of the mount's, or NULL for itself; "A.B" is within another */
	const char *field;
	enum value_kind kind;
} keys[] = {
	{ "type", NULL, "Type", IS_LOWER },
	{ "source", NULL, "Source", IS_PATH },
	{ "src", NULL, "Source", IS_PATH },
	{ "target", NULL, "Target", IS_TEXT },
	{ "dst", NULL, "Target", IS_TEXT },
	{ "destination", NULL, "Target", IS_TEXT },
	{ "readonly", NULL, "ReadOnly", IS_BOOL },
	{ "ro", NULL, "ReadOnly", IS_BOOL },
	{ "consistency", NULL, "Consistency", IS_LOWER },
	{ "bind-propagation", "BindOptions", "Propagation", IS_LOWER },
	{ "bind-nonrecursive", "BindOptions", "NonRecursive", IS_BOOL },
	{ "volume-nocopy", "VolumeOptions", "NoCopy", IS_BOOL },
	{ "volume-label", "VolumeOptions", "Labels", IS_PAIR },
	{ "volume-subpath", "VolumeOptions", "Subpath", IS_TEXT },
	{ "volume-driver", "VolumeOptions.DriverConfig", "Name", IS_TEXT },
	{ "volume-opt", "VolumeOptions.DriverConfig", "Options", IS_PAIR },
	{ "tmpfs-size", "TmpfsOptions", "SizeBytes", IS_BYTES },
	{ "tmpfs-mode", "TmpfsOptions", "Mode", IS_MODE },
};

static json_t *object_at(json_t *mount, const char *path)
{
	const char *dot = path ? strchr(path, '.') : NULL;
	char first[32];

	if (!path)
		return mount;
	if (!dot)
		return member(mount, path, json_object());
	snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
	return member(member(mount, first, json_object()), dot + 1, json_object());
}

static int set_text(json_t *object, size_t row, const char *value, struct shale_err *err)
{
	__cleanup_free char *text = keys[row].kind == IS_PATH ? make_absolute(value, strlen(value)) : strdup(value);

	if (!text)
		return shale_err_set(err, ENOMEM, "out of memory");
	for (char *at = text; keys[row].kind == IS_LOWER && *at; at++)
		*at = tolower((unsigned char)*at);
	return value_set(object, keys[row].field, text, err);
}

static int set_number(const struct mounting *mounting, json_t *object, size_t row, struct shale_err *err)
{
	int64_t number;
	char *end;

	if (keys[row].kind == IS_BYTES && value_bytes(mounting->value, &number, NULL))
		return bad_value(mounting, keys[row].key, err);
	if (keys[row].kind == IS_MODE) {
		number = strtoul(mounting->value, &end, 8);
		if (!isdigit((unsigned char)*mounting->value) || *end || number > UINT32_MAX)
			return bad_value(mounting, keys[row].key, err);
	}
	return json_object_set_new(object, keys[row].field, json_integer(number));
}

static int take_key(const struct mounting *mounting, size_t row, struct shale_err *err)
{
	json_t *object = object_at(mounting->mount, keys[row].object);
	bool flag;

	switch (keys[row].kind) {
	case IS_BOOL:
		if (value_bool(mounting->value, &flag, NULL))
			return bad_value(mounting, keys[row].key, err);
		return json_object_set_new(object, keys[row].field, json_boolean(flag));
	case IS_PAIR:
		return value_pair(member(object, keys[row].field, json_object()), mounting->value, err);
	case IS_BYTES:
	case IS_MODE:
		return set_number(mounting, object, row, err);
	default:
		return set_text(object, row, mounting->value, err);
	}
}

static int take_field(struct mounting *mounting, char *field, struct shale_err *err)
{
	char *equals = strchr(field, '=');
	size_t len = equals ? (size_t)(equals - field) : strlen(field);

	mounting->value = equals ? equals + 1 : NULL;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strlen(keys[i].key) != len || strncasecmp(keys[i].key, field, len))
			continue;
		if (!equals && keys[i].kind != IS_BOOL)
			break;
		return take_key(mounting, i, err);
	}
	if (!equals)
		return shale_err_set(err, EINVAL, "invalid field '%.200s' must be a key=value pair", field);
	return shale_err_set(err, EINVAL, "unexpected key '%.*s' in '%.200s'", (int)len, field, field);
}

/* The next field of a line of comma-separated values; what is in quotes may have commas, and "" for a quote. */
static int next_field(const char **at, struct buf *field, struct shale_err *err)
{
	const char *text = *at;
	bool is_quoted = *text == '"';
	int ret = 0;

	buf_clear(field);
	for (text += is_quoted; !ret && *text; text++) {
		if (is_quoted && text[0] == '"' && text[1] == '"')
			text++;
		else if (is_quoted && *text == '"')
			break;
		else if (!is_quoted && *text == ',')
			break;
		else if (!is_quoted && *text == '"')
			return shale_err_set(err, EINVAL, "bare \" in non-quoted field");
		ret = buf_addc(field, *text);
	}
	if (ret)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (is_quoted && (*text != '"' || (text[1] && text[1] != ',')))
		return shale_err_set(err, EINVAL, "extraneous or missing \" in quoted-field");
	text += is_quoted;
	*at = *text ? text + 1 : NULL;
	return 0;
}

static int check_mix(const json_t *mount, const char *field, const char *type, const char *prefix,
		     struct shale_err *err)
{
	if (!json_object_get(mount, field) || !strcmp(json_text(mount, "Type"), type))
		return 0;
	return shale_err_set(err, EINVAL, "cannot mix '%s-*' options with mount type '%s'", prefix,
			     json_text(mount, "Type"));
}

static int check_mount(const json_t *mount, struct shale_err *err)
{
	if (!*json_text(mount, "Type"))
		return shale_err_set(err, EINVAL, "type is required");
	if (!*json_text(mount, "Target"))
		return shale_err_set(err, EINVAL, "target is required");
	return check_mix(mount, "VolumeOptions", "volume", "volume", err) ||
			       check_mix(mount, "BindOptions", "bind", "bind", err) ||
			       check_mix(mount, "TmpfsOptions", "tmpfs", "tmpfs", err) ?
		       -1 :
		       0;
}

int mount_parse(const char *text, json_t **ret_mount, struct shale_err *err)
{
	__cleanup_json json_t *mount = json_pack("{s:s}", "Type", "volume");
	struct mounting mounting = { .mount = mount };
	__cleanup_buf struct buf field = BUF_INIT;
	const char *at = text;

	if (!mount || buf_reserve(&field, 1) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	while (at) {
		if (next_field(&at, &field, err) || take_field(&mounting, field.data, err))
			return -1;
	}
	if (check_mount(mount, err))
		return -1;
	*ret_mount = json_incref(mount);
	return 0;
}
