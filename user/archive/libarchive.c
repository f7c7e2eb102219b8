// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads libarchive; see libarchive.h. A library that lacks one of the functions is as good as none. It stays loaded: what
 * reads one tar reads more.
 */
#include "archive/libarchive.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

/* As the headers it was compiled with have it. */
#define LIBARCHIVE_SONAME "libarchive.so.13"
static_assert(ARCHIVE_VERSION_NUMBER / 1000000 == 3, "the soname is that of libarchive 3");

struct libarchive libarchive;

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* "" when it is loaded. */
static char why_not[256];

static const struct {
	const char *name;
	void **address;
} functions[] = {
#define LIBARCHIVE_ROW(name) { "archive_" #name, (void **)&libarchive.name },
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_ROW)
#undef LIBARCHIVE_ROW
};

static void load(void)
{
	void *library = dlopen(LIBARCHIVE_SONAME, RTLD_NOW | RTLD_LOCAL);
	bool is_whole = library;

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions) && is_whole; i++) {
		*functions[i].address = dlsym(library, functions[i].name);
		is_whole = *functions[i].address;
	}
	if (!is_whole)
		snprintf(why_not, sizeof(why_not), "%s", dlerror());
}

struct archive *libarchive_read_new(struct shale_err *err)
{
	struct archive *archive;

	pthread_once(&once, load);
	if (*why_not) {
		shale_err_set(err, ENOSYS, "libarchive, which reads tars, cannot be loaded: %s", why_not);
		return NULL;
	}
	archive = libarchive.read_new();
	if (!archive)
		shale_err_set(err, ENOMEM, "reading a tar: out of memory");
	return archive;
}

void libarchive_read_free(struct archive *archive)
{
	if (archive)
		libarchive.read_free(archive);
}
