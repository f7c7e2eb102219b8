// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities of containers: docker's, and what is added and dropped. Called by spec.c, and by create.c to check
 * names.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "container/spec.h"
#include "store/json.h"

/* In the kernel's order; is_default: docker gives it. */
static const struct {
	const char *name;
	bool is_default;
} capabilities[] = {
	{ "CAP_CHOWN", true },		 { "CAP_DAC_OVERRIDE", true },	  { "CAP_DAC_READ_SEARCH", false },
	{ "CAP_FOWNER", true },		 { "CAP_FSETID", true },	  { "CAP_KILL", true },
	{ "CAP_SETGID", true },		 { "CAP_SETUID", true },	  { "CAP_SETPCAP", true },
	{ "CAP_LINUX_IMMUTABLE", false }, { "CAP_NET_BIND_SERVICE", true }, { "CAP_NET_BROADCAST", false },
	{ "CAP_NET_ADMIN", false },	 { "CAP_NET_RAW", true },	  { "CAP_IPC_LOCK", false },
	{ "CAP_IPC_OWNER", false },	 { "CAP_SYS_MODULE", false },	  { "CAP_SYS_RAWIO", false },
	{ "CAP_SYS_CHROOT", true },	 { "CAP_SYS_PTRACE", false },	  { "CAP_SYS_PACCT", false },
	{ "CAP_SYS_ADMIN", false },	 { "CAP_SYS_BOOT", false },	  { "CAP_SYS_NICE", false },
	{ "CAP_SYS_RESOURCE", false },	 { "CAP_SYS_TIME", false },	  { "CAP_SYS_TTY_CONFIG", false },
	{ "CAP_MKNOD", true },		 { "CAP_LEASE", false },	  { "CAP_AUDIT_WRITE", true },
	{ "CAP_AUDIT_CONTROL", false },	 { "CAP_SETFCAP", true },	  { "CAP_MAC_OVERRIDE", false },
	{ "CAP_MAC_ADMIN", false },	 { "CAP_SYSLOG", false },	  { "CAP_WAKE_ALARM", false },
	{ "CAP_BLOCK_SUSPEND", false },	 { "CAP_AUDIT_READ", false },	  { "CAP_PERFMON", false },
	{ "CAP_BPF", false },		 { "CAP_CHECKPOINT_RESTORE", false },
};

#define COUNT (sizeof(capabilities) / sizeof(*capabilities))

/* "ALL", or a capability with or without its prefix, in any case. */
static bool is_meant(const char *word, size_t i)
{
	const char *name = capabilities[i].name;

	return !strcasecmp(word, "ALL") || !strcasecmp(word, name) ||
	       !strcasecmp(word, name + strlen("CAP_"));
}

static int mark(const json_t *words, bool value, bool has[COUNT], struct shale_err *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach(words, i, item) {
		const char *word = json_string_value(item) ?: "";
		bool is_known = false;

		for (size_t n = 0; n < COUNT; n++) {
			if (!is_meant(word, n))
				continue;
			has[n] = value;
			is_known = true;
		}
		if (!is_known)
			return shale_err_set(err, EINVAL, "invalid capability: unknown capability \"%.100s\"",
					     word);
	}
	return 0;
}

static bool has_all(const json_t *words)
{
	const json_t *item;
	size_t i;

	json_array_foreach(words, i, item)
		if (!strcasecmp(json_string_value(item) ?: "", "ALL"))
			return true;
	return false;
}

json_t *spec_capabilities(const json_t *host, struct shale_err *err)
{
	const json_t *add = json_object_get(host, "CapAdd"), *drop = json_object_get(host, "CapDrop");
	__cleanup_json json_t *list = json_array();
	bool has[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		has[i] = capabilities[i].is_default;
	/* With all dropped what is added stays, with all added what is dropped goes. */
	if (has_all(drop) ? mark(drop, false, has, err) < 0 || mark(add, true, has, err) < 0 :
			    mark(add, true, has, err) < 0 || mark(drop, false, has, err) < 0)
		return NULL;
	for (size_t i = 0; i < COUNT; i++)
		if (has[i] && json_array_append_new(list, json_string(capabilities[i].name))) {
			shale_err_set(err, ENOMEM, "out of memory");
			return NULL;
		}
	return json_incref(list);
}
