// SPDX-License-Identifier: GPL-2.0-only
/*
 * The option string taken apart: a splitter for tokens, and the table of words. Each word has an
 * action, and the actions fill struct parsed. Called by mount.shale and by shale mount.
 */
#include "kapi/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/cleanup.h"

struct word;
typedef int action_fn(struct parsed *parsed, const struct word *word, const char *value,
		      struct shale_err *err);

/* Does a word stand alone, or with a value? */
enum takes { ALONE, EITHER, VALUE };

struct word {
	const char *name;
	enum takes takes;
	action_fn *action;
	uint64_t arg;	   /* of the action: bits to set */
	uint64_t clear;	   /* of the action: bits to clear */
	const char *text;  /* of the action */
};

static action_fn do_attr, do_ignore, do_propagation, do_remount, do_lower, do_lower_add, do_dir;
static action_fn do_param, do_selinux, do_store, do_map, do_fsync, do_warn, do_xattr_permissions;

#define ATTR(name, set, clr) { name, ALONE, do_attr, set, clr, NULL }
#define IGNORE(name)	     { name, EITHER, do_ignore, 0, 0, NULL }
#define PROPAGATION(name, f) { name, ALONE, do_propagation, f, 0, NULL }
#define SELINUX(name)	     { name, VALUE, do_selinux, 0, 0, NULL }
#define PARAM(name, takes)   { name, takes, do_param, 0, 0, NULL }
#define WARN(name, text)     { name, EITHER, do_warn, 0, 0, text }

#define SECURITY_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const struct word words[] = {
	/* layers */
	{ "lowerdir", VALUE, do_lower, 0, 0, NULL },
	{ "lowerdir+", VALUE, do_lower_add, 0, 0, NULL },
	{ "upperdir", VALUE, do_dir, offsetof(struct mount_spec, upper), 0, NULL },
	{ "workdir", VALUE, do_dir, offsetof(struct mount_spec, work), 0, NULL },
	{ "store", VALUE, do_store, 0, 0, NULL },

	/* the kernel's own */
	PARAM("volatile", ALONE),
	PARAM("userxattr", ALONE),
	PARAM("whiteout", VALUE),
	PARAM("cow", VALUE),
	PARAM("xino", VALUE),
	PARAM("redirect_dir", VALUE),
	PARAM("index", VALUE),
	PARAM("metacopy", VALUE),
	PARAM("nfs_export", VALUE),
	SELINUX("context"),
	SELINUX("fscontext"),
	SELINUX("defcontext"),
	SELINUX("rootcontext"),

	/* attributes of any mount, mount(8) */
	ATTR("ro", MOUNT_ATTR_RDONLY, 0),
	ATTR("rw", 0, MOUNT_ATTR_RDONLY),
	ATTR("nosuid", MOUNT_ATTR_NOSUID, 0),
	ATTR("suid", 0, MOUNT_ATTR_NOSUID),
	ATTR("nodev", MOUNT_ATTR_NODEV, 0),
	ATTR("dev", 0, MOUNT_ATTR_NODEV),
	ATTR("noexec", MOUNT_ATTR_NOEXEC, 0),
	ATTR("exec", 0, MOUNT_ATTR_NOEXEC),
	ATTR("relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
	ATTR("noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
	ATTR("atime", 0, MOUNT_ATTR_NOATIME),
	ATTR("strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
	ATTR("nodiratime", MOUNT_ATTR_NODIRATIME, 0),
	ATTR("diratime", 0, MOUNT_ATTR_NODIRATIME),
	ATTR("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0),
	ATTR("symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW),
	/* mount(8): ordinary users' mounts carry no privileges */
	ATTR("user", SECURITY_ATTRS, 0),
	ATTR("users", SECURITY_ATTRS, 0),
	ATTR("owner", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0),
	ATTR("group", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0),
	{ "remount", ALONE, do_remount, 0, 0, NULL },
	PROPAGATION("private", MS_PRIVATE),
	PROPAGATION("rprivate", MS_PRIVATE | MS_REC),
	PROPAGATION("slave", MS_SLAVE),
	PROPAGATION("rslave", MS_SLAVE | MS_REC),
	PROPAGATION("shared", MS_SHARED),
	PROPAGATION("rshared", MS_SHARED | MS_REC),
	PROPAGATION("unbindable", MS_UNBINDABLE),
	PROPAGATION("runbindable", MS_UNBINDABLE | MS_REC),
	PARAM("sync", ALONE),
	PARAM("dirsync", ALONE),
	PARAM("lazytime", ALONE),
	PARAM("async", ALONE),
	PARAM("nolazytime", ALONE),

	/* words of fstab for others than us */
	IGNORE("_netdev"),
	IGNORE("nofail"),
	IGNORE("defaults"),
	IGNORE("auto"),
	IGNORE("noauto"),
	IGNORE("nouser"),
	IGNORE("nousers"),
	IGNORE("noowner"),
	IGNORE("nogroup"),
	IGNORE("comment"),
	IGNORE("silent"),
	IGNORE("loud"),
	IGNORE("mand"),
	IGNORE("nomand"),
	IGNORE("norelatime"),
	IGNORE("nostrictatime"),
	IGNORE("seclabel"),

	/* fuse-overlayfs's, from mountopt in storage.conf */
	{ "fsync", VALUE, do_fsync, 0, 0, NULL },
	{ "uidmapping", VALUE, do_map, offsetof(struct parsed, uids), 0, "uidmapping" },
	{ "gidmapping", VALUE, do_map, offsetof(struct parsed, gids), 0, "gidmapping" },
	{ "xattr_permissions", VALUE, do_xattr_permissions, 0, 0, NULL },
	WARN("squash_to_root", "files keep their owners"),
	WARN("squash_to_uid", "files keep their owners"),
	WARN("squash_to_gid", "files keep their groups"),
	WARN("noacl", "access control lists stay in force"),
	WARN("noxattrs", "extended attributes stay visible"),
	IGNORE("allow_other"),
	IGNORE("allow_root"),
	IGNORE("default_permissions"),
	IGNORE("nonempty"),
	IGNORE("clone_fd"),
	IGNORE("timeout"),
	IGNORE("threaded"),
	IGNORE("fast_ino"),
	IGNORE("writeback"),
	IGNORE("static_nlink"),
	IGNORE("ino32_t"),
};

static const struct word *word_find(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

static int err_nomem(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "out of memory for mount options");
}

/* Without the backslashes that protect the character after them. */
static int text_unescape(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len)
			i++;
		if (buf_addc(out, text[i]))
			return -1;
	}
	return 0;
}

/* Bytes up to the first stop that no backslash protects, or up to the end. */
static size_t text_span(const char *text, char stop)
{
	size_t i = 0;

	while (text[i] && text[i] != stop)
		i += text[i] == '\\' && text[i + 1] ? 2 : 1;
	return i;
}

static int do_attr(struct parsed *parsed, const struct word *word, const char *value,
		   struct shale_err *err)
{
	struct mount_spec *spec = &parsed->spec;

	(void)value;
	(void)err;
	/* The last word wins, so what a word clears is also no longer set. */
	spec->attr_set = (spec->attr_set & ~word->clear) | word->arg;
	spec->attr_clr = (spec->attr_clr & ~word->arg) | word->clear;
	return 0;
}

static int do_ignore(struct parsed *parsed, const struct word *word, const char *value,
		     struct shale_err *err)
{
	(void)parsed;
	(void)word;
	(void)value;
	(void)err;
	return 0;
}

static int do_propagation(struct parsed *parsed, const struct word *word, const char *value,
			  struct shale_err *err)
{
	(void)value;
	(void)err;
	parsed->spec.propagation = word->arg;
	return 0;
}

static int do_remount(struct parsed *parsed, const struct word *word, const char *value,
		      struct shale_err *err)
{
	(void)word;
	(void)value;
	(void)err;
	parsed->is_remount = true;
	return 0;
}

static int layer_add(struct parsed *parsed, const char *text, size_t len, struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;

	if (text_unescape(text, len, &path))
		return err_nomem(err);
	if (!path.len)
		return shale_err_set(err, EINVAL, "lowerdir has an empty path in it");
	return mount_spec_add_layer(&parsed->spec, buf_str(&path), err);
}

/* A list replaces the one given before, as in overlayfs. */
static int do_lower(struct parsed *parsed, const struct word *word, const char *value,
		    struct shale_err *err)
{
	(void)word;
	mount_spec_clear_layers(&parsed->spec);
	for (;;) {
		size_t len = text_span(value, ':');

		if (layer_add(parsed, value, len, err))
			return -1;
		if (!value[len])
			return 0;
		value += len + 1;
	}
}

static int do_lower_add(struct parsed *parsed, const struct word *word, const char *value,
			struct shale_err *err)
{
	(void)word;
	return layer_add(parsed, value, strlen(value), err);
}

static int text_set(char **place, const char *name, const char *value, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	char *copy;

	if (!*value)
		return shale_err_set(err, EINVAL, "option %s has an empty value", name);
	if (text_unescape(value, strlen(value), &text))
		return err_nomem(err);
	copy = buf_steal(&text);
	if (!copy)
		return err_nomem(err);
	free(*place);
	*place = copy;
	return 0;
}

static int do_dir(struct parsed *parsed, const struct word *word, const char *value,
		  struct shale_err *err)
{
	return text_set((char **)((char *)&parsed->spec + word->arg), word->name, value, err);
}

static int do_store(struct parsed *parsed, const struct word *word, const char *value,
		    struct shale_err *err)
{
	return text_set(&parsed->store, word->name, value, err);
}

static bool has_flag(const struct mount_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->nr_params; i++)
		if (!spec->params[i].value && !strcmp(spec->params[i].key, key))
			return true;
	return false;
}

static int param_put(struct parsed *parsed, const char *key, const char *value,
		     struct shale_err *err)
{
	if (!value && has_flag(&parsed->spec, key))
		return 0;
	if (parsed->spec.nr_params == PARSE_MAX_PARAMS)
		return shale_err_set(err, EINVAL, "more than %d mount options", PARSE_MAX_PARAMS);
	return mount_spec_add_param(&parsed->spec, key, value, err);
}

static int param_add(struct parsed *parsed, const char *key, const char *value,
		     struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (value && text_unescape(value, strlen(value), &text))
		return err_nomem(err);
	return param_put(parsed, key, value ? buf_str(&text) : NULL, err);
}

static int do_param(struct parsed *parsed, const struct word *word, const char *value,
		    struct shale_err *err)
{
	return param_add(parsed, word->name, value, err);
}

static int do_selinux(struct parsed *parsed, const struct word *word, const char *value,
		      struct shale_err *err)
{
	size_t len = strlen(value);
	__cleanup_free char *bare = NULL;

	if (*value != '"')
		return param_add(parsed, word->name, value, err);
	bare = strndup(value + 1, len - 2);
	if (!bare)
		return err_nomem(err);
	return param_put(parsed, word->name, bare, err);
}

static bool number_take(const char **text, uint32_t *ret_number)
{
	uint64_t number = 0;
	const char *p = *text;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		number = number * 10 + (unsigned int)(*p - '0');
		if (number > UINT32_MAX)
			return false;
	}
	*text = p;
	*ret_number = number;
	return true;
}

static bool extent_take(const char **text, struct idmap_extent *ret_extent)
{
	return number_take(text, &ret_extent->disk) && *(*text)++ == ':' &&
	       number_take(text, &ret_extent->shown) && *(*text)++ == ':' &&
	       number_take(text, &ret_extent->count) && (**text == ':' || !**text);
}

/* DISK:SHOWN:COUNT[:...]; containers/storage puts one more colon before the first. */
static int do_map(struct parsed *parsed, const struct word *word, const char *value,
		  struct shale_err *err)
{
	struct idmap *map = (struct idmap *)((char *)parsed + word->arg);
	const char *p = value + (*value == ':');

	map->nr = 0;
	do {
		if (map->nr == IDMAP_MAX_EXTENTS)
			return shale_err_set(err, EINVAL, "%s has more than %d ranges", word->text,
					     IDMAP_MAX_EXTENTS);
		if (!extent_take(&p, &map->extent[map->nr]) || !map->extent[map->nr].count)
			return shale_err_set(err, EINVAL,
					     "%s=%.100s is not a list of DISK:SHOWN:COUNT",
					     word->text, value);
		map->nr++;
	} while (*p++ == ':');
	return 0;
}

static int do_fsync(struct parsed *parsed, const struct word *word, const char *value,
		    struct shale_err *err)
{
	(void)word;
	if (!strcmp(value, "1"))
		return 0;
	if (!strcmp(value, "0"))
		return param_add(parsed, "volatile", NULL, err);
	return shale_err_set(err, EINVAL, "fsync=%.100s is neither 0 nor 1", value);
}

/* The layers were then written with wrong owners and modes, which stand in an xattr we don't read. */
static int do_xattr_permissions(struct parsed *parsed, const struct word *word, const char *value,
				struct shale_err *err)
{
	(void)parsed;
	(void)word;
	if (!strcmp(value, "0"))
		return 0;
	return shale_err_set(err, EINVAL,
			     "xattr_permissions=%.100s is not supported: shale shows the owners and "
			     "modes that are on disk; remove force_mask from storage.conf",
			     value);
}

static int do_warn(struct parsed *parsed, const struct word *word, const char *value,
		   struct shale_err *err)
{
	size_t used = strlen(parsed->warning);

	(void)value;
	(void)err;
	snprintf(parsed->warning + used, sizeof(parsed->warning) - used,
		 "%s%s is not supported and was ignored: %s", used ? "; " : "", word->name, word->text);
	return 0;
}

static bool is_for_others(const char *key)
{
	return !strncmp(key, "x-", 2) || !strncmp(key, "X-", 2);
}

static int word_apply(struct parsed *parsed, const char *key, const char *value, bool is_sloppy,
		      struct shale_err *err)
{
	const struct word *word = word_find(key);

	if (!word) {
		if (is_sloppy || is_for_others(key))
			return 0;
		return param_add(parsed, key, value, err);
	}
	if (word->takes == VALUE && !value)
		return shale_err_set(err, EINVAL, "option %s needs a value", key);
	if (word->takes == ALONE && value)
		return shale_err_set(err, EINVAL, "option %s takes no value", key);
	return word->action(parsed, word, value, err);
}

/* Bytes of the token at text: up to a comma that neither a backslash nor quotes protect. */
static int token_measure(const char *text, size_t *ret_len, struct shale_err *err)
{
	size_t key = strcspn(text, "=,");
	const char *end;

	if (text[key] != '=' || text[key + 1] != '"') {
		*ret_len = text_span(text, ',');
		return 0;
	}
	end = strchr(text + key + 2, '"');
	if (!end)
		return shale_err_set(err, EINVAL, "option %.*s has a quote that does not end",
				     (int)(key > 100 ? 100 : key), text);
	if (end[1] && end[1] != ',')
		return shale_err_set(err, EINVAL, "option %.*s goes on after its closing quote",
				     (int)(key > 100 ? 100 : key), text);
	*ret_len = (size_t)(end + 1 - text);
	return 0;
}

static int token_apply(struct parsed *parsed, const char *text, size_t len, bool is_sloppy,
		       struct shale_err *err)
{
	__cleanup_free char *token = strndup(text, len);
	char *value;

	if (!token)
		return err_nomem(err);
	value = strchr(token, '=');
	if (value)
		*value++ = '\0';
	if (!*token)
		return shale_err_set(err, EINVAL, "a mount option has no name before its \"=\"");
	return word_apply(parsed, token, value, is_sloppy, err);
}

void parsed_init(struct parsed *parsed)
{
	memset(parsed, 0, sizeof(*parsed));
}

int parsed_add(struct parsed *parsed, const char *opts, bool is_sloppy, struct shale_err *err)
{
	if (strnlen(opts, PARSE_MAX_OPTS + 1) > PARSE_MAX_OPTS)
		return shale_err_set(err, E2BIG, "mount options of more than %d bytes",
				     PARSE_MAX_OPTS);
	while (*opts) {
		size_t len = 0;

		if (token_measure(opts, &len, err))
			return -1;
		if (len && token_apply(parsed, opts, len, is_sloppy, err))
			return -1;
		opts += len + (opts[len] == ',');
	}
	return 0;
}

int parsed_check(struct parsed *parsed, struct shale_err *err)
{
	struct mount_spec *spec = &parsed->spec;

	if (!spec->upper != !spec->work)
		return shale_err_set(err, EINVAL, "%s is given without %s",
				     spec->upper ? "upperdir" : "workdir",
				     spec->upper ? "workdir" : "upperdir");
	if (!parsed->uids.nr != !parsed->gids.nr)
		return shale_err_set(err, EINVAL, "%s is given without %s",
				     parsed->uids.nr ? "uidmapping" : "gidmapping",
				     parsed->uids.nr ? "gidmapping" : "uidmapping");
	spec->uids = parsed->uids.nr ? &parsed->uids : NULL;
	spec->gids = parsed->gids.nr ? &parsed->gids : NULL;
	return 0;
}

void parsed_release(struct parsed *parsed)
{
	mount_spec_release(&parsed->spec);
	free(parsed->store);
	parsed_init(parsed);
}
