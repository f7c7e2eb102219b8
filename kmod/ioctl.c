// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c - CONTROL: the ioctls of include/uapi/linux/shale.h, one row of a table each. The row says
 * how large the struct is and which of its fields must be zero; a handler sees a struct that was
 * checked. Called from the file operations of files and directories.
 */
#include <linux/compat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shale.h"

static_assert(sizeof(struct shale_ioc_version) == 40);
static_assert(sizeof(struct shale_ioc_stack) == 56);
static_assert(sizeof(struct shale_ioc_stats) == 128);
static_assert(sizeof(struct shale_file_run) == 24);
static_assert(sizeof(struct shale_ioc_file_map) == 104);
static_assert(sizeof(struct shale_ioc_materialize) == 32);

#define FEATURES                                                                                  \
	(SHALE_FEATURE_FILE_COW | SHALE_FEATURE_REDIRECT | SHALE_FEATURE_INDEX |                  \
	 SHALE_FEATURE_AUFS_WHITEOUTS | SHALE_FEATURE_LOWERDIR_ADD | SHALE_FEATURE_NFS_EXPORT |   \
	 SHALE_FEATURE_IDMAP | SHALE_FEATURE_BLOCK_COW)

/* Room for the largest struct. */
union ioctl_arg {
	struct {
		__u32 size;
		__u32 flags;
	};
	struct shale_ioc_version version;
	struct shale_ioc_stack stack;
	struct shale_ioc_stats stats;
	struct shale_ioc_file_map file_map;
	struct shale_ioc_materialize materialize;
};

/* Bytes of a struct that the caller must leave zero. */
struct zero_range {
	size_t offset, size;
};

#define ZERO(type, field) { offsetof(struct type, field), sizeof_field(struct type, field) }

struct ioctl_row {
	unsigned int cmd;
	size_t size;
	struct zero_range zero[3];
	int (*handle)(struct shale_fs *fs, union ioctl_arg *arg);
	int (*handle_file)(struct file *file, union ioctl_arg *arg); /* instead, on regular files */
};

static int ioctl_version(struct shale_fs *fs, union ioctl_arg *arg)
{
	arg->version.major = SHALE_VERSION_MAJOR;
	arg->version.minor = SHALE_VERSION_MINOR;
	arg->version.features = FEATURES;
	return 0;
}

static int ioctl_stack(struct shale_fs *fs, union ioctl_arg *arg)
{
	struct shale_ioc_stack *stack = &arg->stack;
	unsigned int first = shale_has_upper(fs) ? 0 : 1;
	const struct shale_layer *layer;

	stack->count = fs->nr_layers - first;
	if (stack->index >= stack->count)
		return -ENOENT;
	layer = &fs->layers[first + stack->index];
	stack->layer_flags = layer->flags;
	stack->path_len = strlen(layer->name) + 1;
	if (stack->path_len > stack->path_size)
		return -ERANGE;
	if (copy_to_user(u64_to_user_ptr(stack->path_ptr), layer->name, stack->path_len))
		return -EFAULT;
	return 0;
}

static int ioctl_stats(struct shale_fs *fs, union ioctl_arg *arg)
{
	struct shale_ioc_stats *stats = &arg->stats;
	struct shale_stats sum;

	shale_stats_sum(fs, &sum);
	stats->mount_id = fs->mount_id;
	stats->copy_ups = sum.copy_ups;
	stats->copy_up_bytes = sum.copy_up_bytes;
	stats->copy_up_errors = sum.copy_up_errors;
	stats->lookups = sum.lookups;
	stats->layer_lookups = sum.layer_lookups;
	stats->whiteouts = sum.whiteouts;
	stats->redirects = sum.redirects;
	stats->merged_dirs = sum.merged_dirs;
	stats->block_copy_ups = sum.block_copy_ups;
	stats->block_bytes = sum.block_bytes;
	stats->map_errors = sum.map_errors;
	return 0;
}

static int ioctl_file_map(struct file *file, union ioctl_arg *arg)
{
	return shale_file_map(file, &arg->file_map);
}

static int ioctl_materialize(struct file *file, union ioctl_arg *arg)
{
	return shale_materialize(file);
}

static const struct ioctl_row rows[] = {
	{ SHALE_IOC_VERSION, sizeof(struct shale_ioc_version),
	  { ZERO(shale_ioc_version, flags), ZERO(shale_ioc_version, reserved) }, ioctl_version },
	{ SHALE_IOC_STACK, sizeof(struct shale_ioc_stack),
	  { ZERO(shale_ioc_stack, flags), ZERO(shale_ioc_stack, reserved0),
	    ZERO(shale_ioc_stack, reserved) }, ioctl_stack },
	{ SHALE_IOC_STATS, sizeof(struct shale_ioc_stats),
	  { ZERO(shale_ioc_stats, flags), ZERO(shale_ioc_stats, reserved) }, ioctl_stats },
	{ SHALE_IOC_FILE_MAP, sizeof(struct shale_ioc_file_map),
	  { ZERO(shale_ioc_file_map, flags), ZERO(shale_ioc_file_map, reserved0),
	    ZERO(shale_ioc_file_map, reserved) }, NULL, ioctl_file_map },
	{ SHALE_IOC_MATERIALIZE, sizeof(struct shale_ioc_materialize),
	  { ZERO(shale_ioc_materialize, flags), ZERO(shale_ioc_materialize, reserved) },
	  NULL, ioctl_materialize },
};

static int arg_get(const struct ioctl_row *row, void __user *user, union ioctl_arg *arg)
{
	const struct zero_range *zero;

	if (copy_from_user(&arg->size, user, sizeof(arg->size)))
		return -EFAULT;
	if (arg->size != row->size)
		return -EINVAL;
	if (copy_from_user(arg, user, row->size))
		return -EFAULT;
	/* The caller may have changed it between the two. */
	arg->size = row->size;
	for (zero = row->zero; zero < row->zero + ARRAY_SIZE(row->zero); zero++)
		if (memchr_inv((char *)arg + zero->offset, 0, zero->size))
			return -EINVAL;
	return 0;
}

static int row_handle(const struct ioctl_row *row, struct file *file, union ioctl_arg *arg)
{
	if (row->handle)
		return row->handle(SHALE_FS(file_inode(file)->i_sb), arg);
	return S_ISREG(file_inode(file)->i_mode) ? row->handle_file(file, arg) : -EISDIR;
}

long shale_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	const struct ioctl_row *row;
	union ioctl_arg buf;
	int err;

	for (row = rows; row < rows + ARRAY_SIZE(rows); row++)
		if (row->cmd == cmd)
			break;
	if (row == rows + ARRAY_SIZE(rows))
		return -ENOTTY;
	err = arg_get(row, user, &buf);
	if (err)
		return err;
	err = row_handle(row, file, &buf);
	/* Where the buffer was too small the answer says what it takes. */
	if ((!err || err == -ERANGE) && copy_to_user(user, &buf, row->size))
		return -EFAULT;
	return err;
}

/* The structs are the same for 32-bit callers; only the pointer to them is not. */
long shale_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return shale_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
}
