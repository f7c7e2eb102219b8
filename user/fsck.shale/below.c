// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for what is below a file, as kmod/lookup.c does for the same name. The directories below that of the
 * last file are kept, since partial files come together; they are looked for from the root, so nothing
 * is needed for directories without them. Called by partial.c.
 */
#include "fsck.shale/below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/shale_disk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "fsck.shale/private.h"

#define OBJECT (O_PATH | O_NOFOLLOW)

struct search {
	const struct below *below;
	const char *name;
	bool is_dir; /* what the checked layer has */
	struct below_stack found;
	/* What the layers further down call it: a name, or a path from their roots. NULL: as in name. */
	char *redirect;
	bool is_finished;
	struct shale_err *err;
};

static void stack_clear(struct below_stack *stack)
{
	while (stack->nr)
		close(stack->dirs[--stack->nr].fd);
}

static void stack_release(struct below_stack *stack)
{
	stack_clear(stack);
	free(stack->dirs);
	*stack = (struct below_stack){ 0 };
}

/* Consumes fd. */
static int stack_add(struct below_stack *stack, size_t layer, int fd)
{
	size_t cap = stack->cap * 2 + 8;
	struct below_dir *dirs = stack->dirs;

	if (stack->nr == stack->cap) {
		dirs = reallocarray(dirs, cap, sizeof(*dirs));
		if (!dirs) {
			close(fd);
			return -1;
		}
		stack->dirs = dirs;
		stack->cap = cap;
	}
	dirs[stack->nr++] = (struct below_dir){ layer, fd };
	return 0;
}

void below_init(struct below *below, const char *prefix)
{
	*below = (struct below){ .prefix = prefix };
}

void below_release(struct below *below)
{
	for (size_t i = 0; i < below->nr; i++)
		close(below->layers[i].fd);
	free(below->layers);
	stack_release(&below->stack);
	free(below->stack_path);
	below_init(below, below->prefix);
}

/* What a layer's root says about its whiteouts. */
static void layer_narrow(const struct below *below, struct below_layer *layer)
{
	char word[8];
	ssize_t len = private_get(layer->fd, below->prefix, SHALE_XATTR_WHITEOUT, word,
				  sizeof(word));

	if (len == 7 && !memcmp(word, "overlay", 7))
		layer->has_aufs = false;
	if (len == 4 && !memcmp(word, "aufs", 4))
		layer->has_overlay = false;
}

int below_add(struct below *below, const char *name, struct shale_err *err)
{
	struct below_layer layer = { .name = name, .has_aufs = true, .has_overlay = true };
	struct below_layer *layers;

	layers = reallocarray(below->layers, below->nr + 1, sizeof(*layers));
	if (!layers)
		return shale_err_errno(err, "%s", name);
	below->layers = layers;
	layer.fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (layer.fd < 0)
		return shale_err_errno(err, "%s", name);
	layer_narrow(below, &layer);
	layers[below->nr++] = layer;
	return 0;
}

static int failed(struct search *s, const char *what)
{
	return shale_err_errno(s->err, "below it: %s", what);
}

static bool is_bottom(const struct search *s, size_t layer)
{
	return layer + 1 == s->below->nr;
}

/* Here and below: 1, 0 or -1. */
static int has_name(struct search *s, int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT || errno == ENAMETOOLONG ? 0 : failed(s, name);
}

static int is_deleted_aufs(struct search *s, size_t layer, int dirfd, const char *name)
{
	char whiteout[NAME_MAX + sizeof(AUFS_WHITEOUT_PREFIX)];

	if (!s->below->layers[layer].has_aufs)
		return 0;
	snprintf(whiteout, sizeof(whiteout), AUFS_WHITEOUT_PREFIX "%s", name);
	return has_name(s, dirfd, whiteout);
}

static int is_opaque_overlay(struct search *s, int fd)
{
	char value;
	ssize_t len = private_get(fd, s->below->prefix, OVERLAY_XATTR_OPAQUE, &value, 1);

	if (len < 0)
		return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE ?
			       0 :
			       failed(s, "reading whether a directory is opaque");
	return len == 1 && value == 'y';
}

static int is_opaque(struct search *s, size_t layer, int fd)
{
	const struct below_layer *in = &s->below->layers[layer];
	int ret = in->has_overlay ? is_opaque_overlay(s, fd) : 0;

	return !ret && in->has_aufs ? has_name(s, fd, AUFS_WHITEOUT_OPAQUE) : ret;
}

static bool is_whiteout(const struct search *s, size_t layer, int fd, const struct stat *st)
{
	if (!s->below->layers[layer].has_overlay)
		return false;
	if (S_ISCHR(st->st_mode))
		return st->st_rdev == makedev(0, 0);
	return S_ISREG(st->st_mode) && !st->st_size &&
	       private_get(fd, s->below->prefix, OVERLAY_XATTR_WHITEOUT, NULL, 0) >= 0;
}

static bool is_plain_name(const char *name, size_t len)
{
	return len && !(len == 1 && name[0] == '.') && !(len == 2 && !memcmp(name, "..", 2));
}

static bool redirect_is_valid(const char *redirect)
{
	size_t len;

	if (*redirect != '/')
		return is_plain_name(redirect, strlen(redirect)) && !strchr(redirect, '/');
	for (; *redirect; redirect += len) {
		len = strcspn(++redirect, "/");
		if (!is_plain_name(redirect, len))
			return false;
	}
	return true;
}

static bool is_path(const char *redirect)
{
	return redirect && redirect[0] == '/';
}

/* The redirect of an object, or NULL. */
static int redirect_read(struct search *s, int fd, char **ret_redirect)
{
	char text[PATH_MAX] = "";
	ssize_t len;

	*ret_redirect = NULL;
	len = private_get(fd, s->below->prefix, OVERLAY_XATTR_REDIRECT, text, sizeof(text) - 1);
	if (len < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
		return 0;
	if (len < 0 && errno != ERANGE)
		return failed(s, "reading a redirect");
	if (len < 0 || strlen(text) != (size_t)len || !redirect_is_valid(text))
		return shale_err_set(s->err, EUCLEAN,
				     "the redirect of %s, or of a directory it is in, leads nowhere",
				     s->name);
	*ret_redirect = strdup(text);
	return *ret_redirect ? 0 : failed(s, "following a redirect");
}

/* The path further down, where the name of NAME_LEN bytes before the last REST_LEN ones has a redirect. */
static char *redirect_follow(const char *path, size_t name_len, size_t rest_len,
			     const char *redirect)
{
	const size_t len = strlen(path), kept = is_path(redirect) ? 0 : len - rest_len - name_len;
	char *followed;

	if (asprintf(&followed, "%.*s%s%s", (int)kept, path, redirect, path + len - rest_len) < 0)
		return NULL;
	return followed;
}

/* Consumes redirect. */
static int redirect_apply(struct search *s, char *redirect, size_t name_len, size_t rest_len)
{
	char *path = redirect;

	if (!redirect)
		return 0;
	if (is_path(s->redirect)) {
		path = redirect_follow(s->redirect, name_len, rest_len, redirect);
		free(redirect);
		if (!path)
			return failed(s, "following a redirect");
	}
	free(s->redirect);
	s->redirect = path;
	if (strlen(path) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return failed(s, "following a redirect");
}

/* What a directory says about the layers further down: nothing of them shows, or they have it elsewhere. */
static int dir_inspect(struct search *s, size_t layer, int parent, int fd, const char *name,
		       size_t rest_len)
{
	char *redirect;
	int ret;

	if (is_bottom(s, layer))
		return 0;
	ret = is_opaque(s, layer, fd);
	if (!ret)
		ret = is_deleted_aufs(s, layer, parent, name);
	if (ret) {
		s->is_finished = true;
		return ret < 0 ? -1 : 0;
	}
	if (redirect_read(s, fd, &redirect))
		return -1;
	/* It also leads out of an opaque directory on the way. */
	if (is_path(redirect))
		s->is_finished = false;
	return redirect_apply(s, redirect, strlen(name), rest_len);
}

/* Consumes fd, which is what a layer has under the name. */
static int found_add(struct search *s, size_t layer, int parent, int fd, const char *name)
{
	__cleanup_fd int held = fd;
	struct stat st;

	if (fstat(fd, &st))
		return failed(s, name);
	if (is_whiteout(s, layer, fd, &st) ||
	    (s->is_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))) {
		s->is_finished = true;
		return 0;
	}
	if (stack_add(&s->found, layer, steal_fd(&held)))
		return failed(s, name);
	if (s->is_dir)
		return dir_inspect(s, layer, parent, fd, name, 0);
	s->is_finished = true;
	return 0;
}

/* 1: open; 0: there is none; -1. */
static int object_open(struct search *s, int dirfd, const char *name, int *ret_fd)
{
	*ret_fd = fs_open_entry(dirfd, name, OBJECT);
	if (*ret_fd >= 0)
		return 1;
	return errno == ENOENT ? 0 : failed(s, name);
}

/* A layer that has the directory. */
static int search_lower(struct search *s, const struct below_dir *dir, bool is_last)
{
	/* A redirect found here is for the layers after this one. */
	__cleanup_free char *name = strdup(s->redirect ? s->redirect : s->name);
	int fd, ret;

	if (!name)
		return failed(s, s->name);
	ret = object_open(s, dir->fd, name, &fd);
	if (ret)
		return ret < 0 ? -1 : found_add(s, dir->layer, dir->fd, fd, name);
	if (is_last)
		return 0;
	ret = is_deleted_aufs(s, dir->layer, dir->fd, name);
	s->is_finished = ret;
	return ret < 0 ? -1 : 0;
}

/* One step along a path, from *at on. 1: there are more. */
static int path_step(struct search *s, size_t layer, const char *name, size_t rest_len, int *at)
{
	__cleanup_fd int fd = -1;
	struct stat st;
	int ret = object_open(s, *at, name, &fd);

	if (!ret && !is_bottom(s, layer)) {
		ret = is_deleted_aufs(s, layer, *at, name);
		s->is_finished |= ret != 0;
		return ret < 0 ? -1 : 0;
	}
	if (ret <= 0)
		return ret;
	if (!rest_len)
		return found_add(s, layer, *at, steal_fd(&fd), name);
	if (fstat(fd, &st))
		return failed(s, name);
	if (!S_ISDIR(st.st_mode)) {
		s->is_finished = true;
		return 0;
	}
	if (dir_inspect(s, layer, *at, fd, name, rest_len))
		return -1;
	close(*at);
	*at = steal_fd(&fd);
	return 1;
}

/* A layer, from its root along the redirect as it was above. */
static int search_path(struct search *s, size_t layer)
{
	__cleanup_free char *path = strdup(s->redirect);
	__cleanup_fd int at = fcntl(s->below->layers[layer].fd, F_DUPFD_CLOEXEC, 0);
	char *name = path, *end;
	size_t rest_len;
	int ret = 1;

	if (!path || at < 0)
		return failed(s, s->name);
	for (; ret > 0 && *name; name = end) {
		name++;
		end = name + strcspn(name, "/");
		rest_len = strlen(end);
		if (rest_len) {
			/* The name ends here while the rest is still needed. */
			*end = '\0';
			ret = path_step(s, layer, name, rest_len, &at);
			*end = '/';
		} else {
			ret = path_step(s, layer, name, 0, &at);
		}
	}
	return ret < 0 ? -1 : 0;
}

static int search_layers(struct search *s, const struct below_stack *parents)
{
	size_t below = 0;

	for (size_t i = 0; i < parents->nr && !s->is_finished && !is_path(s->redirect); i++) {
		if (search_lower(s, &parents->dirs[i], i + 1 == parents->nr))
			return -1;
		below = parents->dirs[i].layer + 1;
	}
	if (!is_path(s->redirect))
		return 0;
	for (size_t i = below; i < s->below->nr && !s->is_finished; i++)
		if (search_path(s, i))
			return -1;
	return 0;
}

/* FD is what the checked layer has under the name. */
static int search(struct search *s, int fd, const struct below_stack *parents)
{
	int opaque = s->is_dir ? is_opaque_overlay(s, fd) : 0;

	if (opaque)
		return opaque < 0 ? -1 : 0;
	if (redirect_read(s, fd, &s->redirect))
		return -1;
	return search_layers(s, parents);
}

static void search_release(struct search *s)
{
	stack_release(&s->found);
	free(s->redirect);
}

/* The roots: those down to one that hides the ones below it. */
static int roots_stack(struct below *below, int root_fd, struct below_stack *stack,
		       struct shale_err *err)
{
	struct search s = { .below = below, .err = err };
	int fd, opaque = is_opaque_overlay(&s, root_fd);

	for (size_t i = 0; i < below->nr && !opaque; i++) {
		fd = fcntl(below->layers[i].fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || stack_add(stack, i, fd))
			return failed(&s, below->layers[i].name);
		opaque = is_bottom(&s, i) ? 0 : is_opaque(&s, i, fd);
	}
	return opaque < 0 ? -1 : 0;
}

/* Into the directory NAME of *fd: that of the checked layer, and those below it. */
static int stack_descend(struct below *below, struct below_stack *stack, int *fd, const char *name,
			 struct shale_err *err)
{
	__attribute__((cleanup(search_release))) struct search s = {
		.below = below, .name = name, .is_dir = true, .err = err,
	};
	struct below_stack above = *stack;
	int child = fs_open_entry(*fd, name, OBJECT | O_DIRECTORY);

	if (child < 0)
		return failed(&s, name);
	close(*fd);
	*fd = child;
	if (search(&s, child, stack))
		return -1;
	*stack = s.found;
	s.found = above;
	return 0;
}

/* The directories below that at PATH, of LEN bytes. */
static int stack_find(struct below *below, int root_fd, const char *path, size_t len,
		      struct shale_err *err)
{
	__cleanup_free char *names = strndup(path, len);
	__cleanup_fd int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	char *next = names, *name;

	stack_clear(&below->stack);
	if (!names || fd < 0)
		return shale_err_errno(err, "looking below it");
	if (roots_stack(below, root_fd, &below->stack, err))
		return -1;
	while ((name = strsep(&next, "/")))
		if (*name && stack_descend(below, &below->stack, &fd, name, err))
			return -1;
	return 0;
}

/* Kept for the next file, if PATH is in the same directory. */
static int stack_get(struct below *below, int root_fd, const char *path, size_t len,
		     struct shale_err *err)
{
	if (below->stack_path && strlen(below->stack_path) == len &&
	    !memcmp(below->stack_path, path, len))
		return 0;
	free(below->stack_path);
	below->stack_path = NULL;
	if (stack_find(below, root_fd, path, len, err))
		return -1;
	below->stack_path = strndup(path, len);
	return below->stack_path ? 0 : shale_err_errno(err, "looking below it");
}

int below_find(struct below *below, int root_fd, int fd, const char *path, struct stat *ret_st,
	       const char **ret_layer, struct shale_err *err)
{
	const char *name = strrchr(path, '/') + 1;
	__attribute__((cleanup(search_release))) struct search s = {
		.below = below, .name = name, .err = err,
	};

	*ret_layer = NULL;
	if (stack_get(below, root_fd, path, (size_t)(name - 1 - path), err) ||
	    search(&s, fd, &below->stack))
		return -1;
	if (!s.found.nr)
		return 0;
	if (fstat(s.found.dirs[0].fd, ret_st))
		return failed(&s, name);
	*ret_layer = below->layers[s.found.dirs[0].layer].name;
	return 0;
}
