// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mirrors; see mirrors.h. Keys that are not ours to know are left alone, as podman adds some with each
 * version; values of those we know are checked. Called by the engine's pull.
 */
#include "client/mirrors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "client/toml.h"

#define SYSTEM_CONF "/etc/containers/registries.conf"
#define SYSTEM_DIR  "/etc/containers/registries.conf.d"

void mirrors_release(struct mirrors *mirrors)
{
	for (size_t i = 0; i < mirrors->count; i++) {
		struct mirror_registry *registry = &mirrors->registries[i];

		for (size_t m = 0; m < registry->mirror_count; m++)
			free(registry->mirrors[m].location);
		free(registry->prefix);
		free(registry->location);
	}
	free(mirrors->registries);
	*mirrors = (struct mirrors){ 0 };
}

struct mirror_reader {
	struct mirrors *mirrors;
	const char *what;
};

static int fail_at(const struct mirror_reader *reader, const struct toml_item *item,
		   struct shale_err *err, const char *why)
{
	return shale_err_set(err, EINVAL, "%s: line %u: %s", reader->what, item->line, why);
}

static int add_registry(struct mirror_reader *reader, const struct toml_item *item,
			struct shale_err *err)
{
	struct mirrors *mirrors = reader->mirrors;
	struct mirror_registry *registries;

	if (mirrors->count == MIRRORS_MAX_REGISTRIES)
		return fail_at(reader, item, err, "too many registries");
	registries = reallocarray(mirrors->registries, mirrors->count + 1, sizeof(*registries));
	if (!registries)
		return shale_err_errno(err, "%s", reader->what);
	mirrors->registries = registries;
	registries[mirrors->count++] = (struct mirror_registry){ 0 };
	return 0;
}

static int add_mirror(struct mirror_reader *reader, const struct toml_item *item,
		      struct shale_err *err)
{
	struct mirrors *mirrors = reader->mirrors;
	struct mirror_registry *last;

	if (!mirrors->count)
		return fail_at(reader, item, err, "a mirror of no registry");
	last = &mirrors->registries[mirrors->count - 1];
	if (last->mirror_count == MIRRORS_MAX_MIRRORS)
		return fail_at(reader, item, err, "too many mirrors of one registry");
	last->mirrors[last->mirror_count++] = (struct mirror){ 0 };
	return 0;
}

static int take_text(const struct mirror_reader *reader, const struct toml_item *item, char **slot,
		     struct shale_err *err)
{
	size_t len = strlen(item->text ? item->text : "");

	if (item->kind != TOML_STRING)
		return fail_at(reader, item, err, "a string is needed");
	/* An empty location or prefix stands for none. */
	while (len && item->text[len - 1] == '/')
		len--;
	if (len > REF_MAX_NAME)
		return fail_at(reader, item, err, "a name that is too long");
	if (strstr(item->text, "://"))
		return fail_at(reader, item, err, "a name without 'https://' is needed");
	free(*slot);
	*slot = len ? strndup(item->text, len) : NULL;
	return !len || *slot ? 0 : shale_err_errno(err, "%s", reader->what);
}

static int take_flag(const struct mirror_reader *reader, const struct toml_item *item, bool *flag,
		     struct shale_err *err)
{
	if (item->kind != TOML_BOOLEAN)
		return fail_at(reader, item, err, "true or false is needed");
	*flag = item->boolean;
	return 0;
}

static int take_registry(const struct mirror_reader *reader, const struct toml_item *item,
			 struct shale_err *err)
{
	struct mirror_registry *last = &reader->mirrors->registries[reader->mirrors->count - 1];

	if (!strcmp(item->key, "prefix"))
		return take_text(reader, item, &last->prefix, err);
	if (!strcmp(item->key, "location"))
		return take_text(reader, item, &last->location, err);
	if (!strcmp(item->key, "insecure"))
		return take_flag(reader, item, &last->is_insecure, err);
	if (!strcmp(item->key, "blocked"))
		return take_flag(reader, item, &last->is_blocked, err);
	if (!strcmp(item->key, "mirror-by-digest-only"))
		return take_flag(reader, item, &last->is_by_digest, err);
	if (!strcmp(item->key, "schema1"))
		return take_flag(reader, item, &last->takes_schema1, err);
	return 0;
}

static int take_use(const struct mirror_reader *reader, const struct toml_item *item,
		    enum mirror_use *use, struct shale_err *err)
{
	static const char *const words[] = {
		[MIRROR_ALL] = "all",
		[MIRROR_BY_DIGEST] = "digest-only",
		[MIRROR_BY_TAG] = "tag-only",
	};

	for (size_t i = 0; item->kind == TOML_STRING && i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], item->text))
			continue;
		*use = i;
		return 0;
	}
	return fail_at(reader, item, err, "'all', 'digest-only' or 'tag-only' is needed");
}

static int take_mirror(const struct mirror_reader *reader, const struct toml_item *item,
		       struct shale_err *err)
{
	struct mirror_registry *last = &reader->mirrors->registries[reader->mirrors->count - 1];
	struct mirror *mirror = &last->mirrors[last->mirror_count - 1];

	if (!strcmp(item->key, "location"))
		return take_text(reader, item, &mirror->location, err);
	if (!strcmp(item->key, "insecure"))
		return take_flag(reader, item, &mirror->is_insecure, err);
	if (!strcmp(item->key, "pull-from-mirror"))
		return take_use(reader, item, &mirror->use, err);
	return 0;
}

static int take_item(void *arg, const struct toml_item *item, struct shale_err *err)
{
	struct mirror_reader *reader = arg;
	bool is_registry = !strcmp(item->table, "registry");
	bool is_mirror = !strcmp(item->table, "registry.mirror");

	if (!is_registry && !is_mirror)
		return 0;
	if (item->kind == TOML_TABLE)
		return fail_at(reader, item, err, "[[registry]] is a list");
	if (item->kind == TOML_TABLE_ELEMENT)
		return is_registry ? add_registry(reader, item, err) : add_mirror(reader, item, err);
	return is_registry ? take_registry(reader, item, err) : take_mirror(reader, item, err);
}

static int check_registries(const struct mirrors *mirrors, const char *what, struct shale_err *err)
{
	for (size_t i = 0; i < mirrors->count; i++) {
		const struct mirror_registry *registry = &mirrors->registries[i];

		if (!registry->prefix && !registry->location)
			return shale_err_set(err, EINVAL, "%s: a registry without a location", what);
		for (size_t m = 0; m < registry->mirror_count; m++)
			if (!registry->mirrors[m].location)
				return shale_err_set(err, EINVAL,
						     "%s: a mirror without a location", what);
	}
	return 0;
}

int mirrors_parse(const char *text, size_t len, const char *what, struct mirrors *mirrors,
		  struct shale_err *err)
{
	struct mirror_reader reader = { .mirrors = mirrors, .what = what };

	if (toml_parse(text, len, what, take_item, &reader, err) < 0)
		return -1;
	return check_registries(mirrors, what, err);
}

/* *ret_found: it is there. */
static int read_conf(const char *path, struct mirrors *mirrors, bool *ret_found,
		     struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*ret_found = fd >= 0;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size > MIRRORS_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s: not a file of at most %u bytes", path,
				     MIRRORS_MAX_BYTES);
	if (buf_reserve(&text, st.st_size) < 0 || fs_read_full(fd, text.data, st.st_size) < 0)
		return shale_err_errno(err, "%s", path);
	return mirrors_parse(text.data, st.st_size, path, mirrors, err);
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".conf");
}

static int read_conf_dir(const char *dir, struct mirrors *mirrors, struct shale_err *err)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_conf, alphasort);
	int ret = 0;

	for (int i = 0; i < count; i++) {
		__cleanup_buf struct buf path = BUF_INIT;
		bool found;

		if (!ret && buf_addf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
			ret = shale_err_errno(err, "%s", dir);
		if (!ret)
			ret = read_conf(buf_str(&path), mirrors, &found, err);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

static int load_default(struct mirrors *mirrors, struct shale_err *err)
{
	const char *named = secure_getenv("CONTAINERS_REGISTRIES_CONF");
	const char *home = secure_getenv("HOME");
	__cleanup_buf struct buf own = BUF_INIT;
	bool found = false;

	if (named && *named)
		return read_conf(named, mirrors, &found, err);
	if (home && *home) {
		if (buf_addf(&own, "%s/.config/containers/registries.conf", home) < 0)
			return shale_err_errno(err, "registries.conf");
		if (read_conf(buf_str(&own), mirrors, &found, err) < 0)
			return -1;
	}
	if (!found && read_conf(SYSTEM_CONF, mirrors, &found, err) < 0)
		return -1;
	return read_conf_dir(SYSTEM_DIR, mirrors, err);
}

int mirrors_load(const char *path, struct mirrors *ret_mirrors, struct shale_err *err)
{
	__cleanup_mirrors struct mirrors mirrors = { 0 };
	bool found = true;

	if ((path ? read_conf(path, &mirrors, &found, err) : load_default(&mirrors, err)) < 0)
		return -1;
	if (!found)
		return shale_err_set(err, ENOENT, "%s: no such file", path);
	*ret_mirrors = mirrors;
	mirrors = (struct mirrors){ 0 };
	return 0;
}

/* How much of a name a prefix covers; "*.example.com" covers the hosts below it. */
static size_t covered(const char *prefix, const char *name)
{
	size_t len = strlen(prefix);
	size_t host = strcspn(name, "/");

	if (!strncmp(prefix, "*.", 2)) {
		len--;
		return host > len && !strncmp(name + host - len, prefix + 1, len) ? host : 0;
	}
	if (strncmp(prefix, name, len) || (name[len] && name[len] != '/'))
		return 0;
	return len;
}

static const struct mirror_registry *find_registry(const struct mirrors *mirrors, const char *name,
						   size_t *ret_len)
{
	const struct mirror_registry *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < mirrors->count; i++) {
		const struct mirror_registry *registry = &mirrors->registries[i];
		const char *prefix = registry->prefix ? registry->prefix : registry->location;
		size_t len = covered(prefix, name);

		/* Of two equals the later one, so that registries.conf.d can override. */
		if (!len || strlen(prefix) < longest)
			continue;
		longest = strlen(prefix);
		best = registry;
		*ret_len = len;
	}
	return best;
}

static int set_place(const char *location, const char *rest, bool is_insecure,
		     struct mirror_place *place, struct shale_err *err)
{
	struct ref ref = { 0 };

	if (snprintf(ref.name, sizeof(ref.name), "%s%s", location, rest) >= (int)sizeof(ref.name))
		return shale_err_set(err, ENAMETOOLONG, "'%.100s': the name there is too long",
				     location);
	if (origin_of_ref(&ref, &place->origin, err) < 0)
		return -1;
	place->is_insecure = is_insecure;
	return 0;
}

static bool is_usable(const struct mirror_registry *registry, const struct mirror *mirror,
		      const struct ref *ref)
{
	if (registry->is_by_digest && !ref->has_digest)
		return false;
	if (mirror->use == MIRROR_ALL)
		return true;
	return ref->has_digest == (mirror->use == MIRROR_BY_DIGEST);
}

int mirrors_find(const struct mirrors *mirrors, const struct ref *ref,
		 struct mirror_place *ret_places, size_t *ret_count, struct shale_err *err)
{
	size_t len = 0;
	const struct mirror_registry *registry = find_registry(mirrors, ref->name, &len);
	const char *rest = ref->name + len;
	size_t count = 0;

	memset(ret_places, 0, MIRRORS_MAX_PLACES * sizeof(*ret_places));
	for (size_t i = 0; registry && i < MIRRORS_MAX_PLACES; i++)
		ret_places[i].takes_schema1 = registry->takes_schema1;
	if (registry && registry->is_blocked)
		return shale_err_set(err, EACCES, "%s is blocked by registries.conf",
				     registry->prefix ? registry->prefix : registry->location);
	for (size_t i = 0; registry && i < registry->mirror_count; i++) {
		const struct mirror *mirror = &registry->mirrors[i];

		if (!is_usable(registry, mirror, ref))
			continue;
		ret_places[count].is_mirror = true;
		if (set_place(mirror->location, rest, mirror->is_insecure, &ret_places[count++],
			      err) < 0)
			return -1;
	}
	*ret_count = count + 1;
	if (!registry || !registry->location)
		return set_place("", ref->name, registry && registry->is_insecure,
				 &ret_places[count], err);
	return set_place(registry->location, rest, registry->is_insecure, &ret_places[count], err);
}
