// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_names.c - GROUND: the names in a directory of a layer, collected under its lock to be looked at
 * without it. For emptying and scanning directories; what lists them for user space is readdir.c's.
 */
#include <linux/slab.h>

#include "real.h"

struct collector {
	struct dir_context ctx;
	struct list_head *names;
	int err;
};

static bool collect(struct dir_context *ctx, const char *text, int len, loff_t pos, u64 ino,
		    unsigned int type)
{
	struct collector *c = container_of(ctx, struct collector, ctx);
	struct shale_real_name *one;

	if (name_is_dot_dotdot(text, len))
		return true;
	one = kmalloc(struct_size(one, text, len + 1), GFP_KERNEL);
	if (!one) {
		c->err = -ENOMEM;
		return false;
	}
	memcpy(one->text, text, len);
	one->text[len] = '\0';
	one->name = (struct qstr)QSTR_INIT(one->text, len);
	one->type = type;
	list_add_tail(&one->node, c->names);
	return true;
}

int shale_real_names_walk(const struct path *dir, struct dir_context *ctx)
{
	struct file *file;
	loff_t pos;
	int err;

	file = shale_real_open(dir, O_RDONLY | O_DIRECTORY);
	if (IS_ERR(file))
		return PTR_ERR(file);
	do {
		pos = ctx->pos;
		err = shale_real_iterate(file, ctx);
	} while (!err && ctx->pos != pos);
	fput(file);
	return err;
}

int shale_real_names_read(const struct path *dir, struct list_head *names)
{
	struct collector c = { .ctx.actor = collect, .names = names };
	int err = shale_real_names_walk(dir, &c.ctx);

	return err ?: c.err;
}

void shale_real_names_free(struct list_head *names)
{
	struct shale_real_name *one, *next;

	list_for_each_entry_safe(one, next, names, node)
		kfree(one);
	INIT_LIST_HEAD(names);
}
