// SPDX-License-Identifier: GPL-2.0-only
/*
 * Speaks generic netlink with the module over libmnl. Attributes are a table: where each goes in
 * struct genl_message and how wide it is. Called by programs that watch mounts, and by the tests of
 * uapi.
 */
#include "kapi/genl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The kernel puts at most this much into one datagram of a dump (NLMSG_GOODSIZE is less). */
#define DATAGRAM_MAX 32768

struct field {
	enum mnl_attr_data_type type;
	size_t offset;
};

#define FIELD(name, type) { type, offsetof(struct genl_message, name) }

static const struct field fields[SHALE_A_MAX + 1] = {
	[SHALE_A_MOUNT_ID] = FIELD(mount_id, MNL_TYPE_U64),
	[SHALE_A_DEV] = FIELD(dev, MNL_TYPE_U32),
	[SHALE_A_LAYERS] = FIELD(layers, MNL_TYPE_U32),
	[SHALE_A_WRITABLE] = { MNL_TYPE_FLAG, 0 },
	[SHALE_A_UPPER] = FIELD(upper, MNL_TYPE_NUL_STRING),
	[SHALE_A_INO] = FIELD(ino, MNL_TYPE_U64),
	[SHALE_A_MODE] = FIELD(mode, MNL_TYPE_U32),
	[SHALE_A_BYTES] = FIELD(bytes, MNL_TYPE_U64),
	[SHALE_A_STATS] = { MNL_TYPE_NESTED, 0 },
	[SHALE_A_ERROR] = FIELD(error, MNL_TYPE_U32),
	[SHALE_A_PATH] = FIELD(path, MNL_TYPE_NUL_STRING),
};

/* What the callbacks of libmnl fill; one of the two halves is in use. */
struct reader {
	struct genl *genl;
	struct genl_message *message;
	int (*each)(const struct genl_message *message, void *data);
	void *data;
	bool has_message;
};

static int stat_take(const struct nlattr *attr, void *data)
{
	struct genl_message *message = data;
	unsigned int type = mnl_attr_get_type(attr);

	/* Counters of a newer module are passed over. */
	if (type > SHALE_A_STAT_MAX || type <= SHALE_A_STAT_PAD)
		return MNL_CB_OK;
	if (mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
		return MNL_CB_ERROR;
	message->stat[type] = mnl_attr_get_u64(attr);
	message->has_stat |= 1U << type;
	return MNL_CB_OK;
}

static int attr_take(const struct nlattr *attr, void *data)
{
	struct genl_message *message = data;
	unsigned int type = mnl_attr_get_type(attr);
	void *place;

	if (type > SHALE_A_MAX || !fields[type].type)
		return MNL_CB_OK;
	if (mnl_attr_validate(attr, fields[type].type) < 0)
		return MNL_CB_ERROR;
	place = (char *)message + fields[type].offset;
	switch (fields[type].type) {
	case MNL_TYPE_U64:
		*(uint64_t *)place = mnl_attr_get_u64(attr);
		break;
	case MNL_TYPE_U32:
		*(uint32_t *)place = mnl_attr_get_u32(attr);
		break;
	case MNL_TYPE_NUL_STRING:
		snprintf(place, GENL_TEXT_SIZE, "%s", mnl_attr_get_str(attr));
		break;
	case MNL_TYPE_NESTED:
		if (mnl_attr_parse_nested(attr, stat_take, message) < 0)
			return MNL_CB_ERROR;
		break;
	default:
		break;
	}
	message->has |= 1U << type;
	return MNL_CB_OK;
}

static int message_parse(const struct nlmsghdr *nlh, struct genl_message *message)
{
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*header)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	memset(message, 0, sizeof(*message));
	message->cmd = header->cmd;
	return mnl_attr_parse(nlh, sizeof(*header), attr_take, message);
}

static int reader_mount(const struct nlmsghdr *nlh, void *data)
{
	struct reader *reader = data;

	if (message_parse(nlh, reader->message) < 0)
		return MNL_CB_ERROR;
	if (!reader->each(reader->message, reader->data))
		return MNL_CB_OK;
	errno = ECANCELED;
	return MNL_CB_ERROR;
}

static int reader_event(const struct nlmsghdr *nlh, void *data)
{
	struct reader *reader = data;

	if (nlh->nlmsg_type != reader->genl->family)
		return MNL_CB_OK;
	reader->has_message = true;
	return message_parse(nlh, reader->message);
}

static struct nlmsghdr *request_init(struct genl *genl, void *buf, uint16_t family, uint8_t cmd,
				     uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *header;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++genl->seq;
	header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));
	header->cmd = cmd;
	header->version = 1;
	return nlh;
}

/* Sends a request and runs the answers, to the last of them, through a callback. */
static int request_run(struct genl *genl, const struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	unsigned int port = mnl_socket_get_portid(genl->socket);
	static __thread char answer[DATAGRAM_MAX];
	ssize_t len;
	int ret = MNL_CB_OK;

	if (mnl_socket_sendto(genl->socket, nlh, nlh->nlmsg_len) < 0)
		return -1;
	while (ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(genl->socket, answer, sizeof(answer));
		if (len < 0)
			return -1;
		ret = mnl_cb_run(answer, (size_t)len, genl->seq, port, cb, data);
	}
	return ret;
}

static int group_take(const struct nlattr *attr, void *data)
{
	struct genl *genl = data;
	const struct nlattr *inner;
	const char *name = "";
	uint32_t id = 0;

	mnl_attr_for_each_nested(inner, attr) {
		if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(inner);
		if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_ID)
			id = mnl_attr_get_u32(inner);
	}
	if (!strcmp(name, SHALE_GENL_GROUP))
		genl->group = id;
	return MNL_CB_OK;
}

static int family_take(const struct nlattr *attr, void *data)
{
	struct genl *genl = data;

	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		genl->family = mnl_attr_get_u16(attr);
	if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
		return mnl_attr_parse_nested(attr, group_take, genl);
	return MNL_CB_OK;
}

static int family_parse(const struct nlmsghdr *nlh, void *data)
{
	return mnl_attr_parse(nlh, sizeof(struct genlmsghdr), family_take, data);
}

static int family_find(struct genl *genl, struct shale_err *err)
{
	char buf[256];
	struct nlmsghdr *nlh =
		request_init(genl, buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, SHALE_GENL_NAME);
	if (request_run(genl, nlh, family_parse, genl) < 0) {
		if (errno == ENOENT)
			return shale_err_set(err, ENOENT, "the module is not loaded");
		return shale_err_errno(err, "cannot find the module's netlink family");
	}
	if (!genl->family || !genl->group)
		return shale_err_set(err, EPROTO, "the kernel describes no family and group of shale");
	return 0;
}

int genl_open(struct genl *ret_genl, struct shale_err *err)
{
	struct genl genl = { 0 };

	genl.socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!genl.socket)
		return shale_err_errno(err, "cannot open a netlink socket");
	if (mnl_socket_bind(genl.socket, 0, MNL_SOCKET_AUTOPID) < 0)
		shale_err_errno(err, "cannot bind a netlink socket");
	else if (!family_find(&genl, err)) {
		*ret_genl = genl;
		return 0;
	}
	genl_close(&genl);
	return -1;
}

void genl_close(struct genl *genl)
{
	if (genl->socket)
		mnl_socket_close(genl->socket);
	genl->socket = NULL;
}

int genl_list(struct genl *genl, int (*each)(const struct genl_message *message, void *data),
	      void *data, struct shale_err *err)
{
	struct genl_message message;
	struct reader reader = { .genl = genl, .message = &message, .each = each, .data = data };
	char buf[256];
	struct nlmsghdr *nlh =
		request_init(genl, buf, genl->family, SHALE_CMD_GET_MOUNT, NLM_F_DUMP);

	if (request_run(genl, nlh, reader_mount, &reader) < 0)
		return shale_err_errno(err, "cannot list the mounts");
	return 0;
}

int genl_subscribe(struct genl *genl, struct shale_err *err)
{
	int group = (int)genl->group;

	if (mnl_socket_setsockopt(genl->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return shale_err_errno(err, "cannot listen to events");
	return 0;
}

int genl_wait(struct genl *genl, int timeout_ms, struct genl_message *ret_message, bool *ret_got,
	      struct shale_err *err)
{
	struct pollfd poll_fd = { .fd = mnl_socket_get_fd(genl->socket), .events = POLLIN };
	struct genl_message message;
	struct reader reader = { .genl = genl, .message = &message };
	static __thread char buf[DATAGRAM_MAX];
	ssize_t len;

	if (poll(&poll_fd, 1, timeout_ms) == 0) {
		*ret_got = false;
		return 0;
	}
	len = mnl_socket_recvfrom(genl->socket, buf, sizeof(buf));
	if (len < 0 && errno == ENOBUFS)
		return shale_err_set(err, ENOBUFS, "events were lost");
	if (len < 0 || mnl_cb_run(buf, (size_t)len, 0, 0, reader_event, &reader) < 0)
		return shale_err_errno(err, "cannot read an event");
	if (reader.has_message)
		*ret_message = message;
	*ret_got = reader.has_message;
	return 0;
}
