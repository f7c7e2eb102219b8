// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of system calls; see seccomp.h. Called by spec.c.
 */
#include "container/seccomp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

/* clone(2)'s flags for namespaces but that of time: none may be asked for. */
#define CLONE_NAMESPACES 0x7e020000

static json_t *words_of(const char *text)
{
	json_t *list = json_array();
	size_t len;

	for (; list && *text; text += len) {
		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (len && json_array_append_new(list, json_stringn(text, len))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool has_capability(const json_t *capabilities, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(capabilities, i, item)
		if (!strcmp(json_string_value(item), name))
			return true;
	return false;
}

static json_t *allow(const char *names)
{
	return json_pack("{s:o, s:s}", "names", words_of(names), "action", "SCMP_ACT_ALLOW");
}

/* One argument compared. */
static json_t *allow_if(const char *name, int index, json_int_t value, json_int_t other, const char *op)
{
	return json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names", name, "action", "SCMP_ACT_ALLOW",
			 "args", "index", index, "value", value, "valueTwo", other, "op", op);
}

static int add_personalities(json_t *rules)
{
	static const json_int_t values[] = { PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
					     0xffffffff };
	int ret = 0;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		ret |= json_array_append_new(rules, allow_if("personality", 0, values[i], 0, "SCMP_CMP_EQ"));
	return ret;
}

/* clone3's flags are in memory, where a filter cannot look: programs go on with clone. */
static int add_clone(json_t *rules)
{
	return json_array_append_new(rules,
				     allow_if("clone", 0, CLONE_NAMESPACES, 0, "SCMP_CMP_MASKED_EQ")) |
	       json_array_append_new(rules, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
						      "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
}

static json_t *make_rules(const json_t *capabilities)
{
	json_t *rules = json_array();
	int ret = json_array_append_new(rules, allow(seccomp_for_all));

	for (size_t i = 0; i < seccomp_for_capability_count; i++)
		if (has_capability(capabilities, seccomp_for_capabilities[i].capability))
			ret |= json_array_append_new(rules, allow(seccomp_for_capabilities[i].calls));
	/* The host's side of a virtual machine is no network of the container's. */
	ret |= json_array_append_new(rules, allow_if("socket", 0, AF_VSOCK, 0, "SCMP_CMP_NE"));
	ret |= add_personalities(rules);
	if (!has_capability(capabilities, "CAP_SYS_ADMIN"))
		ret |= add_clone(rules);
	if (!ret)
		return rules;
	json_decref(rules);
	return NULL;
}

/* A kernel runs programs of its smaller machines, too. */
static json_t *make_machines(void)
{
#if defined(__x86_64__)
	return json_pack("[s, s, s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
#elif defined(__aarch64__)
	return json_pack("[s, s]", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM");
#else
	return json_array();
#endif
}

json_t *seccomp_make(const json_t *capabilities)
{
	json_t *rules = make_rules(capabilities);

	return rules ? json_pack("{s:s, s:i, s:o, s:o}", "defaultAction", "SCMP_ACT_ERRNO", "defaultErrnoRet",
				 EPERM, "architectures", make_machines(), "syscalls", rules) :
		       NULL;
}
