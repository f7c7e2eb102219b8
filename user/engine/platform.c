// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choice of a platform; see platform.h. Other names for the same architecture are a table. Called by
 * pull.c.
 */
#include "engine/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

static const struct {
	const char *name; /* as uname or people have it */
	const char *architecture;
	const char *variant;
} architectures[] = {
	{ "x86_64", "amd64", "" },    { "x86-64", "amd64", "" },  { "aarch64", "arm64", "v8" },
	{ "arm64", "arm64", "v8" },   { "armv7l", "arm", "v7" },  { "armhf", "arm", "v7" },
	{ "armv6l", "arm", "v6" },    { "armel", "arm", "v6" },	  { "arm", "arm", "v7" },
	{ "i386", "386", "" },	      { "i686", "386", "" },	  { "ppc64le", "ppc64le", "" },
	{ "s390x", "s390x", "" },     { "riscv64", "riscv64", "" },
};

static void set_architecture(struct platform *platform, const char *name)
{
	snprintf(platform->architecture, sizeof(platform->architecture), "%s", name);
	for (size_t i = 0; i < sizeof(architectures) / sizeof(*architectures); i++) {
		if (strcmp(architectures[i].name, name))
			continue;
		snprintf(platform->architecture, sizeof(platform->architecture), "%s",
			 architectures[i].architecture);
		snprintf(platform->variant, sizeof(platform->variant), "%s",
			 architectures[i].variant);
	}
}

static bool read_word(const char **at, char *out)
{
	size_t len = strcspn(*at, "/");

	if (!len || len >= PLATFORM_MAX_WORD ||
	    strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < len)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len;
	return true;
}

int platform_parse(const char *text, struct platform *ret_platform, struct shale_err *err)
{
	struct platform platform = { .os = "linux" };
	char words[3][PLATFORM_MAX_WORD];
	struct utsname host;
	const char *at = text;
	size_t count = 0;

	if (!text) {
		if (uname(&host) < 0)
			return shale_err_errno(err, "which machine is this");
		set_architecture(&platform, host.machine);
		*ret_platform = platform;
		return 0;
	}
	while (count < 3 && read_word(&at, words[count])) {
		count++;
		if (*at != '/')
			break;
		at++;
	}
	if (!count || *at || at[-1] == '/')
		return shale_err_set(err, EINVAL, "'%.100s' is no platform: OS/ARCH[/VARIANT] is",
				     text);
	if (count > 1)
		memcpy(platform.os, words[0], sizeof(words[0]));
	set_architecture(&platform, words[count > 1]);
	if (count == 3)
		memcpy(platform.variant, words[2], sizeof(words[2]));
	*ret_platform = platform;
	return 0;
}

/* arm64 is v8 when it does not say. */
static const char *variant_of(const struct index_entry *entry)
{
	if (entry->variant && *entry->variant)
		return entry->variant;
	return entry->architecture && !strcmp(entry->architecture, "arm64") ? "v8" : "";
}

/* 0: not for us. An older variant of arm runs on a newer one. */
static int fit(const struct platform *platform, const struct index_entry *entry)
{
	const char *variant = variant_of(entry);

	if (entry->os && strcmp(entry->os, platform->os))
		return 0;
	if (!entry->architecture)
		return 1;
	if (strcmp(entry->architecture, platform->architecture))
		return 0;
	if (!strcmp(variant, platform->variant))
		return 100;
	if (!*variant)
		return 50;
	if (!*platform->variant)
		return 2;
	return strcmp(variant, platform->variant) < 0 ? 10 + variant[strlen(variant) - 1] % 10 : 0;
}

int platform_choose(const struct platform *platform, const struct index *index, size_t *ret_entry,
		    struct shale_err *err)
{
	struct index_entry entry;
	int best = 0;

	for (size_t i = 0; i < index_count(index); i++) {
		int fits;

		if (index_get(index, i, &entry, err) < 0)
			return -1;
		fits = fit(platform, &entry);
		if (fits <= best)
			continue;
		best = fits;
		*ret_entry = i;
	}
	if (best)
		return 0;
	return shale_err_set(err, ENOENT, "no image for %s/%s%s%s", platform->os,
			     platform->architecture, *platform->variant ? "/" : "",
			     platform->variant);
}
