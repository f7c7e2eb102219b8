// SPDX-License-Identifier: GPL-2.0-only
/*
 * lookup.c - FACE: finding a name: the upper is asked first, then each lower layer that has the
 * directory, until one of them ends the search. What is found becomes an inode in inode.c. Called by
 * the VFS, and by remove, rename and create to know what a name would uncover.
 */
#include <linux/slab.h>

#include "cred.h"
#include "real.h"
#include "redirect.h"
#include "trace.h"

/* Objects found in as many layers need no memory of their own. */
#define INLINE_FOUND 8

struct search {
	struct shale_fs *fs;
	struct inode *dir;
	const struct qstr *name;

	struct dentry *upper;
	struct shale_path *found;
	unsigned int nr, room;
	unsigned int asked; /* layers */
	struct shale_path inline_found[INLINE_FOUND];

	/* What the layers below call it: a name, or a path from their roots. NULL: as in NAME. */
	char *redirect;
	char *upper_redirect; /* the upper's own */
	unsigned long flags;  /* SHALE_I_* */
	struct shale_key key;
	bool has_key;
	bool is_dir;
	bool is_finished;
	bool wants_data;  /* a file's attributes were found, its data is below */
	bool wants_any;	  /* only whether there is something matters */
	bool is_upper_name;
};

static void search_init(struct search *s, struct inode *dir, const struct qstr *name)
{
	memset(s, 0, sizeof(*s));
	s->fs = SHALE_FS(dir->i_sb);
	s->dir = dir;
	s->name = name;
	s->found = s->inline_found;
	s->room = INLINE_FOUND;
}

static void search_clear(struct search *s)
{
	while (s->nr)
		dput(s->found[--s->nr].dentry);
	if (s->found != s->inline_found)
		kvfree(s->found);
	dput(s->upper);
	kfree(s->redirect);
	kfree(s->upper_redirect);
}

static int found_reserve(struct search *s)
{
	struct shale_path *more;

	if (s->nr < s->room)
		return 0;
	more = kvcalloc(s->room * 2, sizeof(*more), GFP_KERNEL);
	if (!more)
		return -ENOMEM;
	memcpy(more, s->found, s->nr * sizeof(*more));
	if (s->found != s->inline_found)
		kvfree(s->found);
	s->found = more;
	s->room *= 2;
	return 0;
}

/* Consumes REAL. */
static int found_add(struct search *s, const struct shale_layer *layer, struct dentry *real)
{
	int err = found_reserve(s);

	if (err) {
		dput(real);
		return err;
	}
	s->found[s->nr++] = (struct shale_path){ .layer = layer, .dentry = real };
	if (s->wants_any)
		s->is_finished = true;
	return 0;
}

static ssize_t get_private(const struct shale_layer *layer, struct dentry *real, const char *name,
			   void *value, size_t size)
{
	struct path path = { .mnt = layer->mnt, .dentry = real };

	return shale_real_get_private(layer->fs, &path, name, value, size);
}

/* What an absent xattr says, or a filesystem without any. */
static bool is_absent(ssize_t err)
{
	return err == -ENODATA || err == -EOPNOTSUPP;
}

/* Here and below: 1, 0 or -errno. A layer that cannot be read must not show what it may hide. */
static int has_value(const struct shale_layer *layer, struct dentry *real, const char *name,
		     char wanted)
{
	char value;
	ssize_t len = get_private(layer, real, name, &value, 1);

	if (len < 0)
		return is_absent(len) || len == -ERANGE ? 0 : len;
	return len == 1 && value == wanted;
}

/* overlayfs also marks whiteouts that are empty files; only lower layers may hold them. */
static bool is_marked_whiteout(const struct shale_layer *layer, struct dentry *real)
{
	if (!d_is_reg(real) || !layer->index || i_size_read(d_inode(real)))
		return false;
	return get_private(layer, real, OVERLAY_XATTR_WHITEOUT, NULL, 0) >= 0;
}

bool shale_is_whiteout(const struct shale_layer *layer, const struct dentry *real)
{
	const struct inode *inode = d_inode(real);

	if (!(layer->flags & SHALE_LAYER_OVERLAY))
		return false;
	if (S_ISCHR(inode->i_mode))
		return inode->i_rdev == WHITEOUT_DEV;
	return is_marked_whiteout(layer, (struct dentry *)real);
}

static int has_aufs_name(const struct shale_layer *layer, struct dentry *parent,
			 const struct qstr *name)
{
	struct dentry *real = shale_real_lookup(layer, parent, name);

	if (IS_ERR_OR_NULL(real))
		return PTR_ERR(real);
	dput(real);
	return 1;
}

/* Is there a .wh.NAME beside the missing NAME? */
static int is_deleted_aufs(const struct shale_layer *layer, struct dentry *parent,
			   const struct qstr *name)
{
	const size_t prefix = sizeof(AUFS_WHITEOUT_PREFIX) - 1;
	char buf[NAME_MAX + 1];

	if (!(layer->flags & SHALE_LAYER_AUFS) || name->len + prefix > NAME_MAX)
		return 0;
	memcpy(buf, AUFS_WHITEOUT_PREFIX, prefix);
	memcpy(buf + prefix, name->name, name->len);
	buf[prefix + name->len] = '\0';
	return has_aufs_name(layer, parent, &(struct qstr)QSTR_INIT(buf, prefix + name->len));
}

int shale_is_opaque(const struct shale_layer *layer, struct dentry *real)
{
	static const struct qstr mark = QSTR_INIT(AUFS_WHITEOUT_OPAQUE,
						  sizeof(AUFS_WHITEOUT_OPAQUE) - 1);
	int ret = 0;

	if (layer->flags & SHALE_LAYER_OVERLAY)
		ret = has_value(layer, real, OVERLAY_XATTR_OPAQUE, 'y');
	if (!ret && (layer->flags & SHALE_LAYER_AUFS))
		ret = has_aufs_name(layer, real, &mark);
	return ret;
}

int shale_dir_flags(struct shale_fs *fs, struct dentry *upper, unsigned long *ret_flags)
{
	const struct shale_layer *layer = shale_upper_layer(fs);
	int opaque, impure;

	opaque = has_value(layer, upper, OVERLAY_XATTR_OPAQUE, 'y');
	if (opaque < 0)
		return opaque;
	impure = has_value(layer, upper, SHALE_XATTR_IMPURE, 'y');
	if (impure < 0)
		return impure;
	*ret_flags = opaque * BIT(SHALE_I_OPAQUE) | impure * BIT(SHALE_I_IMPURE);
	return 0;
}

static int redirect_read(const struct shale_layer *layer, struct dentry *real, char **ret_redirect)
{
	ssize_t len = get_private(layer, real, OVERLAY_XATTR_REDIRECT, NULL, 0);
	char *redirect;

	*ret_redirect = NULL;
	if (is_absent(len))
		return 0;
	if (len < 0 || len >= PATH_MAX)
		return len < 0 ? len : -EIO;
	redirect = kzalloc(len + 1, GFP_KERNEL);
	if (!redirect)
		return -ENOMEM;
	len = get_private(layer, real, OVERLAY_XATTR_REDIRECT, redirect, len);
	if (len >= 0 && shale_redirect_is_valid(redirect, len)) {
		*ret_redirect = redirect;
		return 0;
	}
	pr_warn_ratelimited("%pd2 has a redirect that leads nowhere\n", real);
	kfree(redirect);
	return len < 0 ? len : -EIO;
}

static bool is_bottom(const struct search *s, const struct shale_layer *layer)
{
	return layer->index + 1 == s->fs->nr_visible;
}

/* An object was found whose REDIRECT, consumed, replaces NAME for the layers below. Where they are
 * searched by a path, NAME is followed there by REST_LEN more bytes. */
static int redirect_apply(struct search *s, char *redirect, size_t name_len, size_t rest_len)
{
	char *path;

	if (!redirect)
		return 0;
	if (!shale_redirect_is_path(s->redirect)) {
		kfree(s->redirect);
		s->redirect = redirect;
		return 0;
	}
	path = shale_redirect_follow(s->redirect, name_len, rest_len, redirect);
	kfree(redirect);
	if (!path)
		return -ENOMEM;
	kfree(s->redirect);
	s->redirect = path;
	return strlen(path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* An absolute redirect also leads out of an opaque directory on the way to it, below which nothing else
 * shows. */
static int redirect_take(struct search *s, const struct shale_layer *layer, struct dentry *real,
			 size_t name_len, size_t rest_len)
{
	char *redirect;
	int err;

	err = redirect_read(layer, real, &redirect);
	if (err)
		return err;
	if (shale_redirect_is_path(redirect))
		s->is_finished = false;
	return redirect_apply(s, redirect, name_len, rest_len);
}

/* What the directory NAME in PARENT says about the layers below it: nothing of them shows, or they
 * have it elsewhere. In the AUFS family a directory may stand beside its own whiteout. */
static int dir_inspect(struct search *s, const struct shale_layer *layer, struct dentry *parent,
		       struct dentry *real, const struct qstr *name, size_t rest_len)
{
	int err;

	if (is_bottom(s, layer))
		return 0;
	err = shale_is_opaque(layer, real);
	if (!err)
		err = is_deleted_aufs(layer, parent, name);
	if (err) {
		s->is_finished = true;
		return min(err, 0);
	}
	return redirect_take(s, layer, real, name->len, rest_len);
}

/* Is some of a regular file's data in a layer below? 1, 0 or -errno. */
static int is_partial(const struct shale_layer *layer, struct dentry *real)
{
	ssize_t len = -ENODATA;

	if (layer->has_maps)
		len = get_private(layer, real, SHALE_XATTR_MAP, NULL, 0);
	if (is_absent(len) && layer->index)
		len = get_private(layer, real, OVERLAY_XATTR_METACOPY, NULL, 0);
	if (len < 0)
		return is_absent(len) ? 0 : len;
	return 1;
}

static int file_inspect(struct search *s, const struct shale_layer *layer, struct dentry *real,
			size_t name_len)
{
	int partial;

	s->wants_data = false;
	if (d_is_reg(real) && !s->wants_any) {
		partial = is_partial(layer, real);
		if (partial < 0)
			return partial;
		s->wants_data = partial;
		if (partial)
			s->flags |= BIT(SHALE_I_PARTIAL);
	}
	if (!s->wants_data || is_bottom(s, layer)) {
		s->is_finished = true;
		return 0;
	}
	return redirect_take(s, layer, real, name_len, 0);
}

/* A file below a directory is hidden by it, and a directory below a file is no data for it. */
static bool is_hidden(const struct search *s, const struct dentry *real)
{
	if (!s->nr && !s->upper)
		return false;
	return s->is_dir ? !d_can_lookup(real) : !d_is_reg(real);
}

/* REAL, consumed, is what a lower layer has under the name that ends the search's path. */
static int found_lower(struct search *s, const struct shale_layer *layer, struct dentry *parent,
		       struct dentry *real, const struct qstr *name)
{
	int err;

	if (shale_is_whiteout(layer, real) || is_hidden(s, real)) {
		s->is_finished = true;
		dput(real);
		return 0;
	}
	if (!s->nr && !s->upper)
		s->is_dir = d_can_lookup(real);
	err = found_add(s, layer, real);
	if (err)
		return err;
	if (s->is_dir)
		return dir_inspect(s, layer, parent, real, name, 0);
	return file_inspect(s, layer, real, name->len);
}

/* What the next lower layer calls it, unless that is a path. */
static struct qstr lower_name(const struct search *s)
{
	if (s->redirect)
		return (struct qstr)QSTR_INIT(s->redirect, strlen(s->redirect));
	return (struct qstr)QSTR_INIT(s->name->name, s->name->len);
}

/* One layer whose PARENT has the name itself. */
static int search_lower(struct search *s, const struct shale_path *parent, bool is_last)
{
	const struct qstr name = lower_name(s);
	struct dentry *real;
	int deleted;

	s->asked++;
	real = shale_real_lookup(parent->layer, parent->dentry, &name);
	if (IS_ERR(real))
		return PTR_ERR(real);
	if (real)
		return found_lower(s, parent->layer, parent->dentry, real, &name);
	if (is_last)
		return 0;
	deleted = is_deleted_aufs(parent->layer, parent->dentry, &name);
	s->is_finished = deleted;
	return min(deleted, 0);
}

/* A directory on the way of a path: it may end the search for all layers below, too. */
static int pass_through(struct search *s, const struct shale_layer *layer, struct dentry *parent,
			struct dentry *real, const struct qstr *name, size_t rest_len)
{
	if (shale_is_whiteout(layer, real) || !d_can_lookup(real)) {
		s->is_finished = true;
		return 0;
	}
	return dir_inspect(s, layer, parent, real, name, rest_len);
}

static int search_path_at(struct search *s, const struct shale_layer *layer, const char *path,
			  struct dentry **at)
{
	size_t len = strcspn(path, "/"), rest_len = strlen(path + len);
	struct qstr name = QSTR_INIT(path, len);
	struct dentry *real;
	int err;

	real = shale_real_lookup(layer, *at, &name);
	if (IS_ERR(real))
		return PTR_ERR(real);
	if (!real) {
		err = is_bottom(s, layer) ? 0 : is_deleted_aufs(layer, *at, &name);
		if (err)
			s->is_finished = true;
		return min(err, 0);
	}
	if (!rest_len)
		return found_lower(s, layer, *at, real, &name);
	err = pass_through(s, layer, *at, real, &name, rest_len);
	if (err || !d_can_lookup(real)) {
		dput(real);
		return err;
	}
	dput(*at);
	*at = real;
	return 1;
}

/* One layer, from its root along the path. A directory on the way that is opaque or redirected does
 * so for the layers below only. */
static int search_path(struct search *s, const struct shale_layer *layer)
{
	char *path = kstrdup(s->redirect, GFP_KERNEL), *next;
	struct dentry *at = dget(layer->root);
	int ret = 1;

	s->asked++;
	if (!path)
		ret = -ENOMEM;
	for (next = path; ret > 0; next += strcspn(next, "/")) {
		next += strspn(next, "/");
		if (!*next)
			break;
		ret = search_path_at(s, layer, next, &at);
	}
	dput(at);
	kfree(path);
	return min(ret, 0);
}

static unsigned int next_place(const struct search *s, unsigned int from)
{
	const struct qstr name = lower_name(s);

	return shale_narrow_next(s->dir, &name, from);
}

/* The lower directories of the one that is searched, until a redirect leads out of it; *RET_BELOW is then the layer to go
 * on with. */
static int search_parents(struct search *s, unsigned int *ret_below)
{
	const struct shale_stack *parents = shale_dir_lower(s->dir);
	unsigned int i, nr = parents ? parents->nr : 0, asked = s->asked, had = s->nr;
	int err = 0;

	*ret_below = 1;
	for (i = next_place(s, 0); i < nr && !s->is_finished && !shale_redirect_is_path(s->redirect);
	     i = next_place(s, i + 1)) {
		err = search_lower(s, &parents->path[i], i + 1 == nr);
		if (err)
			break;
		*ret_below = parents->path[i].layer->index + 1;
	}
	shale_narrow_missed(s->dir, s->asked - asked - (s->nr - had));
	return err;
}

static int search_lowers(struct search *s)
{
	unsigned int i, below;
	int err = search_parents(s, &below);

	if (err || !shale_redirect_is_path(s->redirect))
		return err;
	for (i = below; i < s->fs->nr_visible && !s->is_finished; i++) {
		err = search_path(s, &s->fs->layers[i]);
		if (err)
			return err;
	}
	return 0;
}

/* A directory of the upper. Where nothing is below, and no redirect can say that something is, its
 * xattrs matter only for names that it holds. */
static int upper_dir_inspect(struct search *s)
{
	const struct shale_layer *layer = shale_upper_layer(s->fs);
	int err;

	err = shale_dir_flags(s->fs, s->upper, &s->flags);
	if (err)
		return err;
	if (s->flags & BIT(SHALE_I_OPAQUE)) {
		s->is_finished = true;
		return 0;
	}
	err = redirect_read(layer, s->upper, &s->upper_redirect);
	if (err || !s->upper_redirect)
		return err;
	s->redirect = kstrdup(s->upper_redirect, GFP_KERNEL);
	return s->redirect ? 0 : -ENOMEM;
}

/* Files say by P.shale.nlink that they are linked in the index as well. */
static int upper_identify(struct search *s)
{
	ssize_t len;
	int err;

	if (!test_bit(SHALE_I_IMPURE, &SHALE_I(s->dir)->flags))
		return 0;
	err = shale_origin_get(s->fs, s->upper, &s->key);
	if (err)
		return is_absent(err) ? 0 : err;
	s->has_key = true;
	if (s->is_dir || d_inode(s->upper)->i_nlink < 2)
		return 0;
	len = get_private(shale_upper_layer(s->fs), s->upper, SHALE_XATTR_NLINK, NULL, 0);
	if (len >= 0)
		s->flags |= BIT(SHALE_I_INDEXED);
	return is_absent(len) ? 0 : min_t(ssize_t, len, 0);
}

/* A file of the upper. Only directories that promotion has been to hold partial ones. */
static int upper_file_inspect(struct search *s)
{
	const struct shale_layer *layer = shale_upper_layer(s->fs);
	int partial = 0, err;

	if (d_is_reg(s->upper) && test_bit(SHALE_I_IMPURE, &SHALE_I(s->dir)->flags))
		partial = is_partial(layer, s->upper);
	if (partial <= 0) {
		s->is_finished = true;
		return partial;
	}
	s->wants_data = true;
	s->flags |= BIT(SHALE_I_PARTIAL);
	err = redirect_read(layer, s->upper, &s->upper_redirect);
	if (err || !s->upper_redirect)
		return err;
	s->redirect = kstrdup(s->upper_redirect, GFP_KERNEL);
	return s->redirect ? 0 : -ENOMEM;
}

static int search_upper(struct search *s)
{
	const struct shale_layer *layer = shale_upper_layer(s->fs);
	struct dentry *parent = shale_inode_upper(s->dir), *real;
	int err;

	if (!parent)
		return 0;
	s->asked++;
	real = shale_real_lookup(layer, parent, s->name);
	if (IS_ERR_OR_NULL(real))
		return PTR_ERR(real);
	if (shale_is_whiteout(layer, real)) {
		s->is_finished = true;
		dput(real);
		return 0;
	}
	s->upper = real;
	s->is_upper_name = true;
	s->is_dir = d_can_lookup(real);
	err = upper_identify(s);
	if (err)
		return err;
	return s->is_dir ? upper_dir_inspect(s) : upper_file_inspect(s);
}

/* A lower file with other names may have been promoted by one of them. */
static int search_index(struct search *s)
{
	const struct shale_layer *layer = shale_upper_layer(s->fs);
	int err, partial;

	if (s->upper || !s->nr || s->is_dir || !s->fs->indexdir ||
	    d_inode(s->found[0].dentry)->i_nlink < 2)
		return 0;
	err = shale_index_lookup(s->fs, &s->found[0], &s->upper);
	if (err)
		return err == -ENOENT || err == -EOPNOTSUPP ? 0 : err;
	partial = d_is_reg(s->upper) ? is_partial(layer, s->upper) : 0;
	if (partial < 0)
		return partial;
	if (!partial)
		s->flags &= ~(BIT(SHALE_I_PARTIAL) | BIT(SHALE_I_LOST));
	/* By the name that it was found by its data is below, but not by each of the others. */
	err = partial ? redirect_read(layer, s->upper, &s->upper_redirect) : 0;
	if (err)
		return err;
	s->flags |= BIT(SHALE_I_INDEXED) | (partial ? BIT(SHALE_I_PARTIAL) : 0);
	s->key.ino = d_inode(s->found[0].dentry)->i_ino;
	s->key.fsid = s->found[0].layer->fsid;
	s->has_key = true;
	return 0;
}

static int search_all(struct search *s)
{
	int err;

	err = search_upper(s);
	if (!err && !s->is_finished)
		err = search_lowers(s);
	if (!err && s->wants_data) {
		pr_warn_ratelimited("data of %pd2 is in no layer\n", s->upper ?: s->found[0].dentry);
		s->flags |= BIT(SHALE_I_LOST);
	}
	return err ?: search_index(s);
}

/* Moves the search's finds into ARGS. */
static int search_take(struct search *s, struct shale_iget *args)
{
	if (s->nr) {
		args->lower = shale_stack_alloc(s->nr);
		if (!args->lower)
			return -ENOMEM;
		memcpy(args->lower->path, s->found, s->nr * sizeof(*s->found));
		s->nr = 0;
	}
	args->upper = s->upper;
	args->redirect = s->upper_redirect;
	args->flags = s->flags;
	args->key = s->key;
	args->has_key = s->has_key;
	s->upper = NULL;
	s->upper_redirect = NULL;
	return 0;
}

static struct inode *search_inode(struct search *s)
{
	struct shale_iget args = {};
	int err;

	if (!s->upper && !s->nr)
		return NULL;
	err = search_take(s, &args);
	if (err)
		return ERR_PTR(err);
	return shale_iget(s->fs->sb, &args);
}

struct dentry *shale_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct dentry *alias;
	const struct cred *old;
	struct inode *inode;
	struct search s;
	int err;

	if (dentry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	search_init(&s, dir, &dentry->d_name);
	shale_stats_inc(s.fs, lookups);
	if (shale_name_is_reserved(dir, &dentry->d_name))
		return d_splice_alias(NULL, dentry);

	old = shale_cred_begin(dir->i_sb);
	err = search_all(&s);
	inode = err ? ERR_PTR(err) : search_inode(&s);
	shale_cred_end(old);
	shale_stats_add(s.fs, layer_lookups, s.asked);
	trace_shale_lookup(dir, dentry, IS_ERR(inode) ? NULL : inode, s.asked,
			   PTR_ERR_OR_ZERO(inode));
	if (s.is_upper_name && !IS_ERR_OR_NULL(inode))
		shale_set_upper_name(dentry);
	search_clear(&s);
	alias = d_splice_alias(inode, dentry);
	if (s.is_upper_name && !IS_ERR_OR_NULL(alias))
		shale_set_upper_name(alias);
	return alias;
}

int shale_lookup_in_lower(struct dentry *dir, const struct qstr *name)
{
	struct search s;
	int ret;

	search_init(&s, d_inode(dir), name);
	s.wants_any = true;
	ret = search_lowers(&s);
	if (!ret)
		ret = s.nr > 0;
	search_clear(&s);
	return ret;
}
