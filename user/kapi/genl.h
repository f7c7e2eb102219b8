/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's generic netlink family: the list of mounts with their counters, and events as they
 * happen. One struct holds whatever a message may carry; attributes are described in <linux/shale.h>.
 */
#ifndef SHALE_KAPI_GENL_H
#define SHALE_KAPI_GENL_H

#include <limits.h>
#include <linux/shale.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mnl_socket;

struct genl {
	struct mnl_socket *socket;
	uint32_t group; /* the events' */
	uint16_t family;
	uint32_t seq; /* of the last request */
};

/* Of every text in a message. */
#define GENL_TEXT_SIZE PATH_MAX

struct genl_message {
	uint8_t cmd;  /* enum shale_cmd */
	uint32_t has; /* bit 1 << SHALE_A_X: attribute X came */
	uint64_t mount_id;
	uint32_t dev;
	uint32_t layers;
	char upper[GENL_TEXT_SIZE];
	uint64_t ino;
	uint32_t mode;
	uint64_t bytes;
	uint32_t error;
	char path[GENL_TEXT_SIZE];
	uint32_t has_stat; /* bit 1 << SHALE_A_STAT_X */
	uint64_t stat[SHALE_A_STAT_MAX + 1];
};

static inline bool genl_has(const struct genl_message *message, unsigned int attr)
{
	return message->has & (1U << attr);
}

/* One socket serves the list or the events, not both. err->code ENOENT: the module is not loaded. */
int genl_open(struct genl *ret_genl, struct shale_err *err);
void genl_close(struct genl *genl);

/* Calls back for each mount the caller may see; another value than 0 from there ends it with -1. */
int genl_list(struct genl *genl, int (*each)(const struct genl_message *message, void *data),
	      void *data, struct shale_err *err);

/* Joins the events. Needs CAP_NET_ADMIN. */
int genl_subscribe(struct genl *genl, struct shale_err *err);

/*
 * The next event, waiting up to timeout_ms (-1: for ever). *ret_got false: none came. err->code
 * ENOBUFS: events were lost since the last one; waiting can go on.
 */
int genl_wait(struct genl *genl, int timeout_ms, struct genl_message *ret_message, bool *ret_got,
	      struct shale_err *err);

#endif
