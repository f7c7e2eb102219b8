// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion; see complete.h. Verbs are those of the tables, options those of a verb's own, which says them when it is
 * run to be asked; what stands behind them is in tables here. Called by main.c.
 */
#include "shale/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/fetch.h"
#include "shale/show.h"
#include "store/json.h"

enum operand {
	OPERAND_FILES,
	OPERAND_NOTHING,
	OPERAND_IMAGES,
	OPERAND_VOLUMES,
	OPERAND_OBJECTS, /* of any kind */
	OPERAND_CONTAINERS,
	OPERAND_IMAGE_AND_DIR,
	OPERAND_DIRS,
};

/* A verb that is not here takes files. */
static const struct {
	const char *verb;
	enum operand operand;
} operands[] = {
	{ "attach", OPERAND_CONTAINERS },      { "create", OPERAND_IMAGES },
	{ "exec", OPERAND_CONTAINERS },	       { "export", OPERAND_CONTAINERS },
	{ "run", OPERAND_IMAGES },
	{ "kill", OPERAND_CONTAINERS },	       { "logs", OPERAND_CONTAINERS },
	{ "pause", OPERAND_CONTAINERS },       { "ps", OPERAND_NOTHING },
	{ "rename", OPERAND_CONTAINERS },      { "restart", OPERAND_CONTAINERS },
	{ "rm", OPERAND_CONTAINERS },	       { "start", OPERAND_CONTAINERS },
	{ "stop", OPERAND_CONTAINERS },	       { "top", OPERAND_CONTAINERS },
	{ "unpause", OPERAND_CONTAINERS },     { "wait", OPERAND_CONTAINERS },
	{ "events", OPERAND_NOTHING },	       { "history", OPERAND_IMAGES },
	{ "image history", OPERAND_IMAGES },   { "image inspect", OPERAND_IMAGES },
	{ "image list", OPERAND_IMAGES },      { "image ls", OPERAND_IMAGES },
	{ "image prune", OPERAND_NOTHING },    { "image pull", OPERAND_IMAGES },
	{ "image push", OPERAND_IMAGES },      { "image remove", OPERAND_IMAGES },
	{ "image rm", OPERAND_IMAGES },	       { "image save", OPERAND_IMAGES },
	{ "image tag", OPERAND_IMAGES },       { "images", OPERAND_IMAGES },
	{ "info", OPERAND_NOTHING },	       { "inspect", OPERAND_OBJECTS },
	{ "login", OPERAND_NOTHING },	       { "logout", OPERAND_NOTHING },
	{ "mount", OPERAND_IMAGE_AND_DIR },    { "pull", OPERAND_IMAGES },
	{ "push", OPERAND_IMAGES },	       { "rmi", OPERAND_IMAGES },
	{ "save", OPERAND_IMAGES },	       { "search", OPERAND_NOTHING },
	{ "system check", OPERAND_NOTHING },   { "system df", OPERAND_NOTHING },
	{ "system events", OPERAND_NOTHING },  { "system info", OPERAND_NOTHING },
	{ "system prune", OPERAND_NOTHING },   { "tag", OPERAND_IMAGES },
	{ "umount", OPERAND_DIRS },	       { "version", OPERAND_NOTHING },
	{ "volume create", OPERAND_NOTHING },  { "volume inspect", OPERAND_VOLUMES },
	{ "volume list", OPERAND_NOTHING },    { "volume ls", OPERAND_NOTHING },
	{ "volume prune", OPERAND_NOTHING },   { "volume remove", OPERAND_VOLUMES },
	{ "volume rm", OPERAND_VOLUMES },
};

/* Options with a value, and what it may be; without a list it is a file. */
static const struct {
	const char *option;
	const char *values[6];
} valued[] = {
	{ "--root", { NULL } },
	{ "--host", { NULL } },
	{ "-H", { NULL } },
	{ "--input", { NULL } },
	{ "-i", { NULL } },
	{ "--output", { NULL } },
	{ "-o", { NULL } },
	{ "--authfile", { NULL } },
	{ "--cert-dir", { NULL } },
	{ "--storage-driver", { "shale", "overlay2", "btrfs", "vfs" } },
	{ "--format", { "json", "table" } },
	{ "--filter", { "before=", "dangling=", "label=", "reference=", "since=", } },
	{ "-f", { "before=", "dangling=", "label=", "reference=", "since=", } },
	{ "--env-file", { NULL } },
	{ "--label-file", { NULL } },
	{ "--cidfile", { NULL } },
	{ "--network", { "host", "none" } },
	{ "--pull", { "always", "missing", "never" } },
	{ "--platform", { "linux/amd64", "linux/arm64", "linux/arm/v7" } },
};

static void print_if(const char *text, const char *word)
{
	if (!strncmp(text, word, strlen(word)))
		puts(text);
}

/* Their letters are others. */
static bool has_other_letters(const struct verb *verb)
{
	static const char *const names[] = { "attach", "create", "exec", "run", "start" };

	for (size_t i = 0; verb && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], verb->name))
			return true;
	return false;
}

/* Whether the word before the last takes it as its value; then the values are printed. */
static bool complete_value(const struct verb *verb, const char *before, const char *word)
{
	for (size_t i = 0; i < sizeof(valued) / sizeof(*valued); i++) {
		if (strcmp(valued[i].option, before) || (before[1] != '-' && has_other_letters(verb)))
			continue;
		if (!valued[i].values[0])
			puts(":files");
		for (size_t v = 0; v < 6 && valued[i].values[v]; v++)
			print_if(valued[i].values[v], word);
		return true;
	}
	return false;
}

/* Names, and what begins an ID when there is no name. */
static void complete_images(const struct cli *cli, const char *word)
{
	__cleanup_json json_t *list = NULL;
	struct shale_err err = { 0 };

	if (fetch_get(cli, "/images/json", NULL, &list, &err))
		return;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *image = json_array_get(list, i);
		const json_t *tags = json_object_get(image, "RepoTags");
		__cleanup_json json_t *id = show_id(json_text(image, "Id"), false);

		for (size_t t = 0; t < json_array_size(tags); t++)
			print_if(json_string_value(json_array_get(tags, t)), word);
		if ((*word || !json_array_size(tags)) && id)
			print_if(json_string_value(id), word);
	}
}

static void complete_volumes(const struct cli *cli, const char *word)
{
	__cleanup_json json_t *answer = NULL;
	struct shale_err err = { 0 };
	const json_t *list;

	if (fetch_get(cli, "/volumes", NULL, &answer, &err))
		return;
	list = json_object_get(answer, "Volumes");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_if(json_text(json_array_get(list, i), "Name"), word);
}

static void complete_containers(const struct cli *cli, const char *word)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	__cleanup_json json_t *list = NULL;
	struct shale_err err = { 0 };

	if (dockapi_path(&call, &err, "/containers/json") || dockapi_query(&call, "all", "1", &err) ||
	    fetch_call(cli, &call, &list, &err))
		return;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *names = json_object_get(json_array_get(list, i), "Names");
		const char *name = json_string_value(json_array_get(names, 0));

		if (name)
			print_if(name + (*name == '/'), word);
	}
}

static void complete_operand(const struct cli *cli, enum operand operand, int at, const char *word)
{
	if (operand == OPERAND_FILES)
		puts(":files");
	if (operand == OPERAND_DIRS || (operand == OPERAND_IMAGE_AND_DIR && at))
		puts(":dirs");
	if (operand == OPERAND_IMAGES || operand == OPERAND_OBJECTS ||
	    (operand == OPERAND_IMAGE_AND_DIR && !at))
		complete_images(cli, word);
	if (operand == OPERAND_VOLUMES || operand == OPERAND_OBJECTS)
		complete_volumes(cli, word);
	if (operand == OPERAND_CONTAINERS || operand == OPERAND_OBJECTS)
		complete_containers(cli, word);
}

static enum operand operand_of(const char *verb)
{
	for (size_t i = 0; i < sizeof(operands) / sizeof(*operands); i++)
		if (!strcmp(operands[i].verb, verb))
			return operands[i].operand;
	return OPERAND_FILES;
}

static void complete_verbs(const struct verb *verbs, const char *word)
{
	for (; verbs->name; verbs++) {
		const char *last = strrchr(verbs->name, ' ');

		if (verbs->summary)
			print_if(last ? last + 1 : verbs->name, word);
	}
}

/* The verb is run, and says its options instead (cli_getopt). */
static void complete_options(struct cli *cli, const char *word)
{
	char *argv[] = { (char *)cli->verb->name, NULL };

	cli->option_prefix = word;
	optind = 0;
	cli->verb->run(cli, 1, argv);
}

/* How many words in front are options of shale itself, with their values. */
static int take_globals(struct cli *cli, int count, char **words)
{
	int i = 0;

	for (; i < count - 1 && *words[i] == '-'; i++) {
		if (i + 2 >= count)
			continue;
		if (!strcmp(words[i], "--root"))
			cli->root = words[++i];
		else if (!strcmp(words[i], "--storage-driver"))
			cli->driver = words[++i];
		else if (!strcmp(words[i], "--host") || !strcmp(words[i], "-H"))
			cli->host = words[++i];
	}
	cli->has_own_store = cli->has_own_store || cli->driver;
	return i;
}

/* Also behind the verb a store can be named. */
static void take_root(struct cli *cli, int count, char **words)
{
	for (int i = 0; i + 1 < count; i++)
		if (!strcmp(words[i], "--root")) {
			cli->root = words[i + 1];
			cli->has_own_store = true;
		}
}

static const struct verb *find_verb(const struct verb *verbs, const char *noun, const char *word)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", noun ? noun : "", noun ? " " : "", word);
	for (; verbs->name; verbs++)
		if (!strcmp(verbs->name, name))
			return verbs;
	return NULL;
}

static int count_operands(int count, char **words)
{
	int operands_seen = 0;

	for (int i = 0; i < count; i++)
		operands_seen += *words[i] != '-';
	return operands_seen;
}

/* Behind a verb that has no verbs of its own. */
static void complete_words(struct cli *cli, int count, char **words)
{
	const char *word = words[count - 1];

	if (count > 1 && complete_value(cli->verb, words[count - 2], word))
		return;
	if (*word == '-')
		complete_options(cli, word);
	else
		complete_operand(cli, operand_of(cli->verb->name), count_operands(count - 1, words), word);
}

int complete_run(struct cli *cli, const struct verb *verbs, int count, char **words)
{
	static const char *const globals[] = { "--help", "--host", "--root", "--storage-driver",
					       "--version" };
	int at = take_globals(cli, count, words);
	const char *noun = NULL;
	const char *word = words[count - 1];

	take_root(cli, count - 1, words);
	for (; at < count - 1; at++) {
		cli->verb = find_verb(verbs, noun, words[at]);
		if (!cli->verb)
			return EXIT_SUCCESS;
		if (!cli->verb->commands) {
			complete_words(cli, count - at - 1, words + at + 1);
			return EXIT_SUCCESS;
		}
		noun = cli->verb->name;
		verbs = cli->verb->commands;
	}
	if (count > 1 && !noun && complete_value(NULL, words[count - 2], word))
		return EXIT_SUCCESS;
	for (size_t i = 0; *word == '-' && i < sizeof(globals) / sizeof(*globals); i++)
		print_if(globals[i], word);
	if (*word != '-')
		complete_verbs(verbs, word);
	return EXIT_SUCCESS;
}
