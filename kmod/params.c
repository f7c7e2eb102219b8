// SPDX-License-Identifier: GPL-2.0-only
/*
 * params.c - FACE: mount options: what fsconfig(2) and mount(2) say, and what /proc/mounts shows.
 * Directories are resolved here, with the caller's rights; layer.c opens them. Called by the VFS.
 */
#include <linux/file.h>
#include <linux/fs_parser.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "scan.h"

enum {
	OPT_LOWERDIR,
	OPT_UPPERDIR,
	OPT_WORKDIR,
	OPT_VOLATILE,
	OPT_USERXATTR,
	OPT_WHITEOUT,
	OPT_COW,
	OPT_XINO,
	OPT_REDIRECT_DIR,
	OPT_INDEX,
	OPT_METACOPY,
	OPT_NFS_EXPORT,
};

/* Takes files too, which only newer tables can say: see shale_parse_param(). */
#define LOWERDIR_ADD "lowerdir+"

static const struct constant_table whiteout_words[] = {
	{ "both", SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY },
	{ "overlay", SHALE_LAYER_OVERLAY },
	{ "aufs", SHALE_LAYER_AUFS },
	{}
};

static const struct constant_table cow_words[] = {
	{ "auto", SHALE_COW_AUTO },
	{ "block", SHALE_COW_BLOCK },
	{ "clone", SHALE_COW_CLONE },
	{ "copy", SHALE_COW_COPY },
	{}
};

/* /proc/mounts does not say it, which user/kapi/remount.c knows. */
#define COW_DEFAULT SHALE_COW_AUTO

/* What is always on can be said, but not refused. */
static const struct constant_table on_off[] = { { "on", true }, { "off", false }, {} };
static const struct constant_table xino_words[] = {
	{ "on", true }, { "auto", true }, { "off", false }, {}
};
static const struct constant_table redirect_words[] = {
	{ "on", true }, { "follow", true }, { "off", false }, { "nofollow", false }, {}
};

static const struct fs_parameter_spec parameters[] = {
	fsparam_string("lowerdir", OPT_LOWERDIR),
	fsparam_string("upperdir", OPT_UPPERDIR),
	fsparam_string("workdir", OPT_WORKDIR),
	fsparam_flag("volatile", OPT_VOLATILE),
	fsparam_flag("userxattr", OPT_USERXATTR),
	fsparam_enum("whiteout", OPT_WHITEOUT, whiteout_words),
	fsparam_enum("cow", OPT_COW, cow_words),
	fsparam_enum("xino", OPT_XINO, xino_words),
	fsparam_enum("redirect_dir", OPT_REDIRECT_DIR, redirect_words),
	fsparam_enum("index", OPT_INDEX, on_off),
	fsparam_enum("metacopy", OPT_METACOPY, on_off),
	fsparam_enum("nfs_export", OPT_NFS_EXPORT, on_off),
	{}
};

static void lower_clear(struct shale_params *params)
{
	while (params->nr_lower) {
		struct shale_dir_param *dir = &params->lower[--params->nr_lower];

		path_put(&dir->path);
		kfree(dir->name);
	}
}

static void dir_clear(struct shale_dir_param *dir)
{
	path_put(&dir->path);
	kfree(dir->name);
	memset(dir, 0, sizeof(*dir));
}

static void params_free(struct fs_context *fc)
{
	struct shale_params *params = fc->fs_private;

	if (!params)
		return;
	lower_clear(params);
	kvfree(params->lower);
	dir_clear(&params->upper);
	dir_clear(&params->work);
	kfree(params);
}

/* Takes the backslashes out of a name that was written with them. */
static void unescape(char *name)
{
	char *to = name;

	for (; *name; name++) {
		if (*name == '\\' && name[1])
			name++;
		*to++ = *name;
	}
	*to = '\0';
}

static bool is_directory(const struct path *path)
{
	return d_can_lookup(path->dentry);
}

/* Consumes NAME, also on failure. */
static int dir_resolve(struct fs_context *fc, const char *option, char *name,
		       struct shale_dir_param *ret_dir)
{
	struct path path;
	int err;

	err = *name ? kern_path(name, LOOKUP_FOLLOW, &path) : -EINVAL;
	if (err) {
		errorfc(fc, "%s: cannot find '%s' (%d)", option, name, err);
		goto out_name;
	}
	if (!is_directory(&path)) {
		errorfc(fc, "%s: '%s' is not a directory", option, name);
		err = -ENOTDIR;
		goto out_path;
	}
	ret_dir->name = name;
	ret_dir->path = path;
	return 0;

out_path:
	path_put(&path);
out_name:
	kfree(name);
	return err;
}

static int lower_reserve(struct fs_context *fc, struct shale_params *params)
{
	unsigned int room = params->lower_room ? params->lower_room * 2 : 16;
	struct shale_dir_param *lower;

	if (params->nr_lower >= SHALE_MAX_LAYERS - 1)
		return invalfc(fc, "lowerdir: more than %d layers", SHALE_MAX_LAYERS - 1);
	if (params->nr_lower < params->lower_room)
		return 0;
	lower = kvcalloc(room, sizeof(*lower), GFP_KERNEL);
	if (!lower)
		return -ENOMEM;
	if (params->nr_lower)
		memcpy(lower, params->lower, params->nr_lower * sizeof(*lower));
	kvfree(params->lower);
	params->lower = lower;
	params->lower_room = room;
	return 0;
}

/* Consumes NAME. */
static int lower_add(struct fs_context *fc, char *name)
{
	struct shale_params *params = fc->fs_private;
	int err;

	if (!name)
		return -ENOMEM;
	err = lower_reserve(fc, params);
	if (err) {
		kfree(name);
		return err;
	}
	err = dir_resolve(fc, "lowerdir", name, &params->lower[params->nr_lower]);
	if (!err)
		params->nr_lower++;
	return err;
}

static size_t name_length(const char *list)
{
	const char *at = list;

	for (; *at && *at != ':'; at++)
		if (*at == '\\' && at[1])
			at++;
	return at - list;
}

static int lower_list_parse(struct fs_context *fc, const char *list)
{
	size_t len;
	char *name;
	int err;

	lower_clear(fc->fs_private);
	if (!*list)
		return 0;
	for (;;) {
		len = name_length(list);
		name = kmemdup_nul(list, len, GFP_KERNEL);
		if (name)
			unescape(name);
		err = lower_add(fc, name);
		if (err || !list[len])
			return err;
		list += len + 1;
	}
}

static int lower_add_file(struct fs_context *fc, struct file *file)
{
	struct shale_params *params = fc->fs_private;
	char *buf, *name;
	int err;

	if (!is_directory(&file->f_path))
		return invalfc(fc, LOWERDIR_ADD ": the descriptor is not a directory");
	err = lower_reserve(fc, params);
	if (err)
		return err;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	name = d_path(&file->f_path, buf, PATH_MAX);
	name = IS_ERR(name) ? ERR_CAST(name) : kstrdup(name, GFP_KERNEL);
	kfree(buf);
	if (IS_ERR_OR_NULL(name))
		return name ? PTR_ERR(name) : -ENOMEM;
	params->lower[params->nr_lower].name = name;
	params->lower[params->nr_lower].path = file->f_path;
	path_get(&file->f_path);
	params->nr_lower++;
	return 0;
}

static int lower_add_parse(struct fs_context *fc, struct fs_parameter *param)
{
	switch (param->type) {
	case fs_value_is_string:
		return lower_add(fc, kstrdup(param->string, GFP_KERNEL));
	case fs_value_is_file:
		return lower_add_file(fc, param->file);
	default:
		return invalfc(fc, LOWERDIR_ADD ": takes a path or a directory's descriptor");
	}
}

static int dir_parse(struct fs_context *fc, const char *option, const char *value,
		     struct shale_dir_param *dir)
{
	struct shale_dir_param found;
	char *name = kstrdup(value, GFP_KERNEL);
	int err;

	if (!name)
		return -ENOMEM;
	unescape(name);
	err = dir_resolve(fc, option, name, &found);
	if (err)
		return err;
	dir_clear(dir);
	*dir = found;
	return 0;
}

static int shale_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct shale_params *params = fc->fs_private;
	struct fs_parse_result result;
	int opt;

	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		/* mount(8) repeats every option of the mount; a program of today has no reason to. */
		if (fc->oldapi)
			return 0;
		return invalfc(fc, "%s: cannot be changed by remounting", param->key);
	}
	if (!strcmp(param->key, LOWERDIR_ADD))
		return lower_add_parse(fc, param);

	opt = fs_parse(fc, parameters, param, &result);
	switch (opt) {
	case OPT_LOWERDIR:
		return lower_list_parse(fc, param->string);
	case OPT_UPPERDIR:
		return dir_parse(fc, param->key, param->string, &params->upper);
	case OPT_WORKDIR:
		return dir_parse(fc, param->key, param->string, &params->work);
	case OPT_VOLATILE:
		params->config.is_volatile = true;
		return 0;
	case OPT_USERXATTR:
		params->config.userxattr = true;
		return 0;
	case OPT_WHITEOUT:
		params->config.whiteout = result.uint_32;
		return 0;
	case OPT_COW:
		params->config.cow = result.uint_32;
		return 0;
	case OPT_XINO:
	case OPT_REDIRECT_DIR:
	case OPT_INDEX:
	case OPT_METACOPY:
	case OPT_NFS_EXPORT:
		if (result.uint_32)
			return 0;
		return invalfc(fc, "%s: is always on, '%s' is not possible", param->key,
			       param->string);
	}
	return opt;
}

/* Cuts the next option off *rest: up to a comma without a backslash before it. */
static char *option_next(char **rest)
{
	char *option = *rest, *at = option;

	if (!option)
		return NULL;
	for (; *at && *at != ','; at++)
		if (*at == '\\' && at[1])
			at++;
	*rest = *at ? at + 1 : NULL;
	*at = '\0';
	return option;
}

static int option_parse(struct fs_context *fc, char *option)
{
	char *value = strchr(option, '=');
	struct fs_parameter param = { .key = option, .type = fs_value_is_flag };
	int err;

	if (value == option)
		return invalfc(fc, "an option has no name");
	if (value) {
		*value++ = '\0';
		param.type = fs_value_is_string;
		param.size = strlen(value);
		param.string = kstrdup(value, GFP_KERNEL);
		if (!param.string)
			return -ENOMEM;
	}
	err = vfs_parse_fs_param(fc, &param);
	if (value)
		kfree(param.string);
	return err;
}

/* mount(2)'s string. The kernel's own way to take it apart knows nothing of "\,". */
static int shale_parse_monolithic(struct fs_context *fc, void *data)
{
	char *rest = data, *option;
	int err;

	while ((option = option_next(&rest))) {
		if (!*option)
			continue;
		err = option_parse(fc, option);
		if (err)
			return err;
	}
	return 0;
}

static int params_check(struct fs_context *fc)
{
	struct shale_params *params = fc->fs_private;

	if (!params->nr_lower)
		return invalfc(fc, "lowerdir: is missing");
	if (params->upper.name && !params->work.name)
		return invalfc(fc, "workdir: is missing, upperdir needs one");
	if (params->work.name && !params->upper.name)
		return invalfc(fc, "upperdir: is missing, workdir is of no use without it");
	if (params->config.is_volatile && !params->upper.name)
		return invalfc(fc, "volatile: is of no use without upperdir");
	return 0;
}

static int shale_get_tree(struct fs_context *fc)
{
	int err = params_check(fc);

	return err ?: get_tree_nodev(fc, shale_fill_super);
}

static int shale_reconfigure(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;
	struct shale_fs *fs = SHALE_FS(sb);

	if (!(fc->sb_flags & SB_RDONLY) && sb_rdonly(sb) && !shale_has_upper(fs)) {
		errorfc(fc, "cannot be made writable, it has no upperdir");
		return -EROFS;
	}
	if (fc->sb_flags & SB_RDONLY)
		shale_scan_stop(fs);
	else if (fc->sb_flags_mask & SB_RDONLY)
		shale_scan_allow(fs);
	/* Nobody syncs what is read-only, and nobody writes from here on. */
	return fc->sb_flags & SB_RDONLY && !sb_rdonly(sb) ? shale_sync_fs(sb, 1) : 0;
}

static const struct fs_context_operations context_ops = {
	.free = params_free,
	.parse_param = shale_parse_param,
	.parse_monolithic = shale_parse_monolithic,
	.get_tree = shale_get_tree,
	.reconfigure = shale_reconfigure,
};

int shale_init_fs_context(struct fs_context *fc)
{
	struct shale_params *params = kzalloc(sizeof(*params), GFP_KERNEL);

	if (!params)
		return -ENOMEM;
	params->config.whiteout = SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY;
	params->config.cow = COW_DEFAULT;
	/* trusted.* belongs to the initial user namespace. */
	params->config.userxattr = fc->user_ns != &init_user_ns;
	fc->fs_private = params;
	fc->ops = &context_ops;
	return 0;
}

/* A name as an option has it: backslashes before what separates, then the octal form that
 * /proc/mounts has for white space and backslashes. */
static void show_name(struct seq_file *m, const char *name)
{
	char escaped[3];

	for (; *name; name++) {
		char *at = escaped;

		if (*name == ':' || *name == ',' || *name == '\\')
			*at++ = '\\';
		*at++ = *name;
		*at = '\0';
		seq_escape(m, escaped, " \t\n\\#");
	}
}

static const char *word_of(const struct constant_table *words, int value)
{
	while (words->name && words->value != value)
		words++;
	return words->name;
}

int shale_show_options(struct seq_file *m, struct dentry *root)
{
	const struct shale_fs *fs = SHALE_FS(root->d_sb);
	unsigned int i;

	for (i = 1; i < fs->nr_layers; i++) {
		seq_puts(m, i == 1 ? ",lowerdir=" : ":");
		show_name(m, fs->layers[i].name);
	}
	if (fs->config.upperdir) {
		seq_puts(m, ",upperdir=");
		show_name(m, fs->config.upperdir);
		seq_puts(m, ",workdir=");
		show_name(m, fs->config.workdir);
	}
	if (fs->config.is_volatile)
		seq_puts(m, ",volatile");
	if (fs->config.userxattr)
		seq_puts(m, ",userxattr");
	if (fs->config.whiteout != (SHALE_LAYER_AUFS | SHALE_LAYER_OVERLAY))
		seq_printf(m, ",whiteout=%s", word_of(whiteout_words, fs->config.whiteout));
	if (fs->config.cow != COW_DEFAULT)
		seq_printf(m, ",cow=%s", word_of(cow_words, fs->config.cow));
	return 0;
}
