// SPDX-License-Identifier: GPL-2.0-only
/*
 * genl.c - CONTROL: the generic netlink family "shale": events of all mounts, and the list of mounts
 * with their counters. It keeps that list; super.c puts mounts in and takes them out, promote.c
 * reports copy-ups, parts.c files that cannot be opened. Nobody waits for a listener: an event that cannot be sent is lost.
 */
#include <linux/kdev_t.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "shale.h"

static LIST_HEAD(mounts);
static DEFINE_MUTEX(mounts_lock); /* mounts and shale_fs.node; innermost */

static int mount_dump(struct sk_buff *skb, struct netlink_callback *cb);

static const struct genl_ops shale_ops[] = {
	{ .cmd = SHALE_CMD_GET_MOUNT, .dumpit = mount_dump },
};

static const struct genl_multicast_group shale_groups[] = {
	{ .name = SHALE_GENL_GROUP, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static const struct nla_policy shale_policy[SHALE_A_MAX + 1] = {};

static struct genl_family shale_family __ro_after_init = {
	.name = SHALE_GENL_NAME,
	.version = SHALE_GENL_VERSION,
	.maxattr = SHALE_A_MAX,
	.policy = shale_policy,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = shale_ops,
	.n_ops = ARRAY_SIZE(shale_ops),
	.mcgrps = shale_groups,
	.n_mcgrps = ARRAY_SIZE(shale_groups),
};

static int put_identity(struct sk_buff *skb, const struct shale_fs *fs)
{
	if (nla_put_u64_64bit(skb, SHALE_A_MOUNT_ID, fs->mount_id, SHALE_A_PAD) ||
	    nla_put_u32(skb, SHALE_A_DEV, new_encode_dev(fs->sb->s_dev)))
		return -EMSGSIZE;
	return 0;
}

static int put_layers(struct sk_buff *skb, const struct shale_fs *fs)
{
	bool has_upper = shale_has_upper(fs);

	if (nla_put_u32(skb, SHALE_A_LAYERS, fs->nr_layers - !has_upper))
		return -EMSGSIZE;
	if (!has_upper)
		return 0;
	if (!sb_rdonly(fs->sb) && nla_put_flag(skb, SHALE_A_WRITABLE))
		return -EMSGSIZE;
	return 0;
}

static int put_upper(struct sk_buff *skb, const struct shale_fs *fs)
{
	return shale_has_upper(fs) ? nla_put_string(skb, SHALE_A_UPPER, fs->config.upperdir) : 0;
}

static int put_stats(struct sk_buff *skb, const struct shale_fs *fs)
{
	struct shale_stats sum;
	const u64 *value = (const u64 *)&sum;
	struct nlattr *nest;
	int type;

	/* The attributes are numbered in the order of the struct's fields. */
	BUILD_BUG_ON(SHALE_A_STAT_MAX - SHALE_A_STAT_COPY_UPS + 1 != sizeof(sum) / sizeof(u64));
	shale_stats_sum(fs, &sum);
	nest = nla_nest_start(skb, SHALE_A_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (type = SHALE_A_STAT_COPY_UPS; type <= SHALE_A_STAT_MAX; type++) {
		if (nla_put_u64_64bit(skb, type, *value++, SHALE_A_STAT_PAD)) {
			nla_nest_cancel(skb, nest);
			return -EMSGSIZE;
		}
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* What does not fit into a message of its own either goes without the upper. */
static int put_mount(struct sk_buff *skb, const struct netlink_callback *cb,
		     const struct shale_fs *fs)
{
	const bool is_first = !skb->len;
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				 &shale_family, NLM_F_MULTI, SHALE_CMD_GET_MOUNT);

	if (!head)
		return -EMSGSIZE;
	if (put_identity(skb, fs) || put_layers(skb, fs) || put_stats(skb, fs) ||
	    (put_upper(skb, fs) && !is_first)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* May who asked know of this mount? */
static bool is_visible(const struct netlink_callback *cb, const struct shale_fs *fs)
{
	const struct user_namespace *caller = sk_user_ns(NETLINK_CB(cb->skb).sk);
	const struct user_namespace *ns;

	for (ns = fs->sb->s_user_ns; ns; ns = ns->parent)
		if (ns == caller)
			return true;
	return netlink_ns_capable(cb->skb, &init_user_ns, CAP_SYS_ADMIN);
}

/* One message may hold only some of the mounts: cb->args[0] is the id of the last one sent. Ids grow
 * along the list, so a mount that comes or goes meanwhile disturbs nobody. */
static int mount_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct shale_fs *fs;
	int err = 0;

	mutex_lock(&mounts_lock);
	list_for_each_entry(fs, &mounts, node) {
		if (fs->mount_id <= (unsigned long)cb->args[0] || !is_visible(cb, fs))
			continue;
		err = put_mount(skb, cb, fs);
		if (err)
			break;
		cb->args[0] = fs->mount_id;
	}
	mutex_unlock(&mounts_lock);
	return skb->len ?: err;
}

/* A message for the group, or NULL where nobody would get it. */
static struct sk_buff *event_begin(const struct shale_fs *fs, u8 cmd, void **ret_head)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&shale_family, &init_net, 0))
		return NULL;
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	*ret_head = genlmsg_put(skb, 0, 0, &shale_family, 0, cmd);
	if (*ret_head && !put_identity(skb, fs))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static void event_send(struct sk_buff *skb, void *head, int err)
{
	if (err) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast_netns(&shale_family, &init_net, skb, 0, 0, GFP_KERNEL);
}

/* Ids are given before mounts come here, possibly in another order. */
static void list_insert(struct shale_fs *fs)
{
	struct shale_fs *other;

	list_for_each_entry_reverse(other, &mounts, node)
		if (other->mount_id < fs->mount_id)
			break;
	list_add(&fs->node, &other->node);
}

void shale_genl_mounted(struct shale_fs *fs)
{
	struct sk_buff *skb;
	void *head;
	int err;

	mutex_lock(&mounts_lock);
	list_insert(fs);
	mutex_unlock(&mounts_lock);

	skb = event_begin(fs, SHALE_CMD_MOUNTED, &head);
	if (!skb)
		return;
	err = put_layers(skb, fs);
	/* Without it where there is no room. */
	if (!err)
		put_upper(skb, fs);
	event_send(skb, head, err);
}

/* Also called for a mount that failed before it was in the list. */
void shale_genl_unmounted(struct shale_fs *fs)
{
	struct sk_buff *skb;
	bool was_listed;
	void *head;

	mutex_lock(&mounts_lock);
	was_listed = !list_empty(&fs->node);
	list_del_init(&fs->node);
	mutex_unlock(&mounts_lock);
	if (!was_listed)
		return;

	skb = event_begin(fs, SHALE_CMD_UNMOUNTED, &head);
	if (skb)
		event_send(skb, head, 0);
}

void shale_genl_copied_up(struct shale_fs *fs, struct inode *inode, u64 bytes)
{
	struct sk_buff *skb;
	void *head;
	int err;

	skb = event_begin(fs, SHALE_CMD_COPIED_UP, &head);
	if (!skb)
		return;
	err = nla_put_u64_64bit(skb, SHALE_A_INO, inode->i_ino, SHALE_A_PAD) ?:
	      nla_put_u32(skb, SHALE_A_MODE, inode->i_mode) ?:
	      nla_put_u64_64bit(skb, SHALE_A_BYTES, bytes, SHALE_A_PAD);
	event_send(skb, head, err);
}

/* Without it where there is no room. */
static void put_path(struct sk_buff *skb, struct inode *inode)
{
	struct dentry *dentry = d_find_any_alias(inode);
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	char *path;

	if (dentry && buf) {
		path = dentry_path_raw(dentry, buf, PATH_MAX);
		if (!IS_ERR(path))
			nla_put_string(skb, SHALE_A_PATH, path);
	}
	kfree(buf);
	dput(dentry);
}

void shale_genl_map_error(struct shale_fs *fs, struct inode *inode, int err)
{
	struct sk_buff *skb;
	void *head;

	skb = event_begin(fs, SHALE_CMD_MAP_ERROR, &head);
	if (!skb)
		return;
	err = nla_put_u64_64bit(skb, SHALE_A_INO, inode->i_ino, SHALE_A_PAD) ?:
	      nla_put_u32(skb, SHALE_A_ERROR, -err);
	if (!err)
		put_path(skb, inode);
	event_send(skb, head, err);
}

int __init shale_genl_init(void)
{
	return genl_register_family(&shale_family);
}

void shale_genl_exit(void)
{
	genl_unregister_family(&shale_family);
}
