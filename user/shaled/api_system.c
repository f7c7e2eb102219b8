// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the daemon says about itself: _ping and version. About the machine it is on: api_info.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "shaled/api_handlers.h"

/* docker's names of machines: Go's. */
static const struct {
	const char *machine;
	const char *arch;
} arches[] = {
	{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "armv7l", "arm" },
	{ "i686", "386" },     { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
	{ "riscv64", "riscv64" },
};

const char *api_arch(const char *machine)
{
	for (size_t i = 0; i < sizeof(arches) / sizeof(*arches); i++)
		if (!strcmp(arches[i].machine, machine))
			return arches[i].arch;
	return machine;
}

/* Builder-Version 1: there is no BuildKit that a client could talk to. */
void api_ping(struct api_call *call)
{
	struct buf body = BUF_INIT;

	api_answer(call, 200);
	httpd_add_field(call->http, "Builder-Version", "1");
	httpd_add_field(call->http, "Swarm", "inactive");
	httpd_add_field(call->http, "Cache-Control", "no-cache, no-store, must-revalidate");
	httpd_add_field(call->http, "Pragma", "no-cache");
	httpd_add_field(call->http, "Content-Type", "text/plain; charset=utf-8");
	if (!httpd_is_head(call->http) && buf_adds(&body, "OK") == 0)
		httpd_send_buf(call->http, &body);
}

void api_version(struct api_call *call)
{
	char min[16], max[16];
	struct utsname uts;

	uname(&uts);
	snprintf(min, sizeof(min), "1.%d", API_MIN_MINOR);
	snprintf(max, sizeof(max), "1.%d", API_MAX_MINOR);
	api_answer_json(call, 200, json_pack(
		"{s:{s:s}, s:[{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}}], s:s, s:s, s:s, s:s, "
		"s:s, s:s, s:s, s:s, s:s}",
		"Platform", "Name", "shale", "Components", "Name", "Engine", "Version", SHALE_VERSION,
		"Details", "ApiVersion", max, "Arch", api_arch(uts.machine), "BuildTime", "",
		"Experimental", "false", "GitCommit", "", "GoVersion", "", "KernelVersion", uts.release,
		"MinAPIVersion", min, "Os", "linux", "Version", SHALE_VERSION, "ApiVersion", max,
		"MinAPIVersion", min, "GitCommit", "", "GoVersion", "", "Os", "linux", "Arch",
		api_arch(uts.machine), "KernelVersion", uts.release, "BuildTime", ""));
}
