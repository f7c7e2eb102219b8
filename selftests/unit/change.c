// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of commit: what each makes of a config, and what is refused.
 */
#include "ktap.h"

#include <stdlib.h>

#include "engine/change.h"

struct good_case {
	struct ktap_row row;
	const char *before;
	const char *instructions[3];
	const char *after;
};

static const struct good_case goods[] = {
	{ { "cmd_array", "CMD as an array" }, "{}", { "CMD [\"a\", \"b c\"]" }, "{\"Cmd\":[\"a\",\"b c\"]}" },
	{ { "cmd_shell", "CMD for the shell" }, "{}", { "cmd  echo $HOME " }, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $HOME\"]}" },
	{ { "cmd_broken", "an array that is none is for the shell" }, "{}", { "CMD [a, 1]" }, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[a, 1]\"]}" },
	{ { "entrypoint", "ENTRYPOINT takes a CMD of before away" }, "{\"Cmd\":[\"x\"]}", { "ENTRYPOINT [\"a\"]" }, "{\"Entrypoint\":[\"a\"]}" },
	{ { "entrypoint_cmd", "but not one that came just now" }, "{}", { "CMD [\"x\"]", "ENTRYPOINT [\"a\"]" }, "{\"Cmd\":[\"x\"],\"Entrypoint\":[\"a\"]}" },
	{ { "env", "ENV adds, and changes in place" }, "{\"Env\":[\"A=1\",\"B=2\"]}", { "ENV A=3 C=\"x y\" D=a\\ b" }, "{\"Env\":[\"A=3\",\"B=2\",\"C=x y\",\"D=a b\"]}" },
	{ { "env_prefix", "a name that another begins with is another" }, "{\"Env\":[\"AB=1\"]}", { "ENV A=2" }, "{\"Env\":[\"AB=1\",\"A=2\"]}" },
	{ { "env_old", "ENV's old form" }, "{}", { "ENV A b  c" }, "{\"Env\":[\"A=b  c\"]}" },
	{ { "env_null", "null is nothing" }, "{\"Env\":null}", { "ENV A=" }, "{\"Env\":[\"A=\"]}" },
	{ { "quotes", "quotes of both kinds" }, "{}", { "LABEL a='$x \\y' b=\"q\\\"r\" \"c d\"=e" }, "{\"Labels\":{\"a\":\"$x \\\\y\",\"b\":\"q\\\"r\",\"c d\":\"e\"}}" },
	{ { "label", "LABEL replaces" }, "{\"Labels\":{\"a\":\"1\"}}", { "LABEL a=2 b.c=x=y" }, "{\"Labels\":{\"a\":\"2\",\"b.c\":\"x=y\"}}" },
	{ { "expose", "EXPOSE" }, "{}", { "EXPOSE 80 53/udp 8000-8002/TCP" }, "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"8000/tcp\":{},\"8001/tcp\":{},\"8002/tcp\":{}}}" },
	{ { "volume", "VOLUME" }, "{}", { "VOLUME /a /b", "VOLUME [\"/c d\"]" }, "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/c d\":{}}}" },
	{ { "user", "USER" }, "{}", { "USER 1000:1000" }, "{\"User\":\"1000:1000\"}" },
	{ { "workdir", "WORKDIR is cleaned" }, "{}", { "WORKDIR /a//b/./c/.." }, "{\"WorkingDir\":\"/a/b\"}" },
	{ { "workdir_relative", "and goes on from the one before" }, "{\"WorkingDir\":\"/a\"}", { "WORKDIR b", "WORKDIR ../../../c" }, "{\"WorkingDir\":\"/c\"}" },
	{ { "workdir_root", "up to the root" }, "{}", { "WORKDIR .." }, "{\"WorkingDir\":\"/\"}" },
	{ { "signal", "STOPSIGNAL by name" }, "{}", { "STOPSIGNAL SIGRTMIN+3" }, "{\"StopSignal\":\"SIGRTMIN+3\"}" },
	{ { "signal_number", "and by number" }, "{}", { "STOPSIGNAL 9" }, "{\"StopSignal\":\"9\"}" },
	{ { "onbuild", "ONBUILD" }, "{\"OnBuild\":[\"RUN a\"]}", { "ONBUILD COPY . /x" }, "{\"OnBuild\":[\"RUN a\",\"COPY . /x\"]}" },
	{ { "health_none", "HEALTHCHECK NONE" }, "{}", { "HEALTHCHECK NONE" }, "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
	{ { "health", "HEALTHCHECK with options" }, "{}", { "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD true" }, "{\"Healthcheck\":{\"Interval\":90000000000,\"Timeout\":500000000,\"Retries\":3,\"Test\":[\"CMD-SHELL\",\"true\"]}}" },
	{ { "health_array", "and as an array" }, "{}", { "HEALTHCHECK CMD [\"a\",\"b\"]" }, "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\",\"b\"]}}" },
};

static int apply(json_t *run, const char *const *instructions, size_t count, struct shale_err *err)
{
	struct change_state state = { 0 };

	for (size_t i = 0; i < count && instructions[i]; i++)
		if (change_apply(run, instructions[i], &state, err) < 0)
			return -1;
	return 0;
}

TEST_TABLE(good, struct good_case, goods, good)
{
	json_t *run = json_loads(good->before, 0, NULL);
	struct shale_err err = { 0 };
	char *text;

	EXPECT_EQ(apply(run, good->instructions, 3, &err), 0);
	EXPECT_STREQ(err.msg, "");
	text = json_dumps(run, JSON_COMPACT);
	EXPECT_STREQ(text, good->after);
	free(text);
	json_decref(run);
}

struct bad_case {
	struct ktap_row row;
	const char *instruction;
	const char *message;
};

static const struct bad_case bads[] = {
	{ { "unknown", "an instruction for a build" }, "RUN x", "'RUN x': there is no such instruction for an image" },
	{ { "nothing", "nothing" }, " ", "'': there is no such instruction for an image" },
	{ { "alone", "one without an argument" }, "CMD", "'CMD': it needs an argument" },
	{ { "env", "ENV without a value" }, "ENV A", "'ENV A': a name and a value are needed, as NAME=VALUE" },
	{ { "env_name", "ENV without a name" }, "ENV =b", "'ENV =b': a name and a value are needed, as NAME=VALUE" },
	{ { "env_mixed", "ENV with a word that is no pair" }, "ENV A=1 B", "'ENV A=1 B': a name and a value are needed, as NAME=VALUE" },
	{ { "quote", "a quote that does not end" }, "LABEL a=\"b", "'LABEL a=\"b': a quote does not end" },
	{ { "port", "a port that is none" }, "EXPOSE x", "'EXPOSE x': 'x' is no port" },
	{ { "port_large", "one that is too large" }, "EXPOSE 65536", "'EXPOSE 65536': '65536' is no port" },
	{ { "protocol", "an unknown protocol" }, "EXPOSE 1/icmp", "'EXPOSE 1/icmp': '1/icmp' is no port" },
	{ { "range", "a range from high to low" }, "EXPOSE 9-8", "'EXPOSE 9-8': '9-8' is no range of ports" },
	{ { "user", "two users" }, "USER a b", "'USER a b': one user is needed" },
	{ { "signal", "no signal" }, "STOPSIGNAL 65", "'STOPSIGNAL 65': '65' is no signal" },
	{ { "trigger", "a trigger that is none" }, "ONBUILD FROM x", "'ONBUILD FROM x': FROM cannot be a trigger" },
	{ { "health", "a health check without a command" }, "HEALTHCHECK CMD", "'HEALTHCHECK CMD': NONE, or options and CMD with a command are needed" },
	{ { "health_option", "an unknown option" }, "HEALTHCHECK --x=1 CMD a", "'HEALTHCHECK --x=1 CMD a': '--x=1' is not understood" },
	{ { "duration", "a time without a unit" }, "HEALTHCHECK --interval=5 CMD a", "'HEALTHCHECK --interval=5 CMD a': '--interval=5' is not understood" },
	{ { "utf8", "what is not UTF-8" }, "USER \xff", "'USER \xff': it is not UTF-8" },
};

TEST_TABLE(bad, struct bad_case, bads, bad)
{
	json_t *run = json_object();
	struct shale_err err = { 0 };

	EXPECT_EQ(apply(run, &bad->instruction, 1, &err), -1);
	EXPECT_STREQ(err.msg, bad->message);
	json_decref(run);
}
