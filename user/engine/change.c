// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions; see change.h. Each is a row of a table and a function. Words are split as the Dockerfile's reference
 * says: at blanks, with quotes of both kinds and backslashes. Called by commit.c.
 */
#include "engine/change.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define PORT_MAX 65535

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "changing a config");
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* The next word, without its quotes; NULL at the end, or with err for a quote that does not end. */
static const char *take_word(const char *text, struct buf *word, struct shale_err *err)
{
	char quote = 0;

	buf_clear(word);
	text = skip_blanks(text);
	if (!*text)
		return NULL;
	for (; *text && (quote || !strchr(" \t", *text)); text++) {
		if (!quote && (*text == '"' || *text == '\'')) {
			quote = *text;
			continue;
		}
		if (quote && *text == quote) {
			quote = 0;
			continue;
		}
		if (*text == '\\' && quote != '\'' && text[1])
			text++;
		if (buf_addc(word, *text) < 0) {
			no_memory(err);
			return NULL;
		}
	}
	if (!quote)
		return text;
	shale_err_set(err, EINVAL, "a quote does not end");
	return NULL;
}

/* All words, as an array of strings. */
static json_t *split_words(const char *text, struct shale_err *err)
{
	__cleanup_buf struct buf word = BUF_INIT;
	struct shale_err why = { 0 };
	json_t *words = json_array();

	while (words && (text = take_word(text, &word, &why)))
		if (json_array_append_new(words, json_string(buf_str(&word)))) {
			json_decref(words);
			words = NULL;
		}
	if (words && !why.code)
		return words;
	json_decref(words);
	shale_err_set(err, why.code ? why.code : EINVAL, "%s",
		      why.code ? why.msg : "it is not UTF-8");
	return NULL;
}

/* ["a","b"]: an array of strings; NULL without err if the text is no such thing. */
static json_t *parse_array(const char *text)
{
	json_t *list = *text == '[' ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* The form that is no array is for the shell. */
static json_t *parse_command(const char *text)
{
	json_t *list = parse_array(text);

	return list ? list : json_pack("[s, s, s]", "/bin/sh", "-c", text);
}

static int set_new(json_t *object, const char *key, json_t *value, struct shale_err *err)
{
	if (value && json_object_set_new(object, key, value) == 0)
		return 0;
	return shale_err_set(err, EINVAL, "it is not UTF-8");
}

/* An object or array of the config, made if it is not there. */
static json_t *get_or_make(json_t *run, const char *key, json_t *(*make)(void))
{
	json_t *value = json_object_get(run, key);

	if (value && !json_is_null(value))
		return value;
	if (json_object_set_new(run, key, make()))
		return NULL;
	return json_object_get(run, key);
}

static int change_cmd(json_t *run, const char *text, struct change_state *state,
		      struct shale_err *err)
{
	state->has_cmd = true;
	return set_new(run, "Cmd", parse_command(text), err);
}

/* A CMD of before was for another one. */
static int change_entrypoint(json_t *run, const char *text, struct change_state *state,
			     struct shale_err *err)
{
	if (!state->has_cmd)
		json_object_del(run, "Cmd");
	return set_new(run, "Entrypoint", parse_command(text), err);
}

/* "NAME=VALUE NAME=VALUE", or "NAME VALUE" with blanks in the value. */
static json_t *split_pairs(const char *text, struct shale_err *err)
{
	size_t name = strcspn(text, "= \t");
	json_t *words;

	if (!name)
		goto bad;
	if (text[name] != '=') {
		const char *value = skip_blanks(text + name);

		if (!*value)
			goto bad;
		words = json_pack("[o]", json_sprintf("%.*s=%s", (int)name, text, value));
		if (!words)
			shale_err_set(err, EINVAL, "it is not UTF-8");
		return words;
	}
	words = split_words(text, err);
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *word = json_string_value(json_array_get(words, i));

		if (*word == '=' || !strchr(word, '=')) {
			json_decref(words);
			goto bad;
		}
	}
	return words;
bad:
	shale_err_set(err, EINVAL, "a name and a value are needed, as NAME=VALUE");
	return NULL;
}

static bool has_name(const json_t *entry, const char *pair)
{
	const char *text = json_string_value(entry);
	size_t len = strchr(pair, '=') + 1 - pair;

	return text && !strncmp(text, pair, len);
}

/* In its place if the name is there, at the end if it is new. */
static int set_env(json_t *list, json_t *pair)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (has_name(json_array_get(list, i), json_string_value(pair)))
			return json_array_set(list, i, pair);
	return json_array_append(list, pair);
}

static int change_env(json_t *run, const char *text, struct change_state *state,
		      struct shale_err *err)
{
	__cleanup_json json_t *pairs = split_pairs(text, err);
	json_t *list = get_or_make(run, "Env", json_array);

	(void)state;
	if (!pairs)
		return -1;
	for (size_t i = 0; i < json_array_size(pairs); i++)
		if (set_env(list, json_array_get(pairs, i)))
			return no_memory(err);
	return 0;
}

static int change_label(json_t *run, const char *text, struct change_state *state,
			struct shale_err *err)
{
	__cleanup_json json_t *pairs = split_pairs(text, err);
	json_t *labels = get_or_make(run, "Labels", json_object);

	(void)state;
	if (!pairs)
		return -1;
	for (size_t i = 0; i < json_array_size(pairs); i++) {
		const char *pair = json_string_value(json_array_get(pairs, i));
		__cleanup_free char *name = strndup(pair, strchr(pair, '=') - pair);

		if (!name || json_object_set_new(labels, name, json_string(strchr(pair, '=') + 1)))
			return no_memory(err);
	}
	return 0;
}

static bool parse_port(const char *text, size_t len, unsigned long *ret_port)
{
	char *end;

	if (!len || strspn(text, "0123456789") < len)
		return false;
	*ret_port = strtoul(text, &end, 10);
	return end == text + len && *ret_port <= PORT_MAX;
}

/* "80", "53/udp", "8000-8010/tcp". */
static int expose(json_t *ports, const char *word, struct shale_err *err)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	const char *protocol = word + strcspn(word, "/");
	size_t len = protocol - word, first = strcspn(word, "-/");
	unsigned long from, to;
	size_t p = 0;

	if (*protocol)
		while (p < 3 && strcasecmp(protocol + 1, protocols[p]))
			p++;
	if (p == 3 || !parse_port(word, first, &from))
		return shale_err_set(err, EINVAL, "'%.100s' is no port", word);
	to = from;
	if (first < len && (!parse_port(word + first + 1, len - first - 1, &to) || to < from))
		return shale_err_set(err, EINVAL, "'%.100s' is no range of ports", word);
	for (; from <= to; from++) {
		char key[32];

		snprintf(key, sizeof(key), "%lu/%s", from, protocols[p]);
		if (json_object_size(ports) >= CHANGE_MAX_PORTS)
			return shale_err_set(err, E2BIG, "more than %d ports", CHANGE_MAX_PORTS);
		if (json_object_set_new(ports, key, json_object()))
			return no_memory(err);
	}
	return 0;
}

static int change_expose(json_t *run, const char *text, struct change_state *state,
			 struct shale_err *err)
{
	__cleanup_json json_t *words = split_words(text, err);
	json_t *ports = get_or_make(run, "ExposedPorts", json_object);

	(void)state;
	if (!words)
		return -1;
	for (size_t i = 0; i < json_array_size(words); i++)
		if (expose(ports, json_string_value(json_array_get(words, i)), err) < 0)
			return -1;
	return 0;
}

static int change_volume(json_t *run, const char *text, struct change_state *state,
			 struct shale_err *err)
{
	__cleanup_json json_t *words = parse_array(text);
	json_t *volumes = get_or_make(run, "Volumes", json_object);

	(void)state;
	if (!words)
		words = split_words(text, err);
	if (!words)
		return -1;
	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *path = json_string_value(json_array_get(words, i));

		if (!*path)
			return shale_err_set(err, EINVAL, "a volume without a path");
		if (json_object_set_new(volumes, path, json_object()))
			return no_memory(err);
	}
	return 0;
}

static int change_user(json_t *run, const char *text, struct change_state *state,
		       struct shale_err *err)
{
	(void)state;
	if (strpbrk(text, " \t"))
		return shale_err_set(err, EINVAL, "one user is needed");
	return set_new(run, "User", json_string(text), err);
}

/* Without ".", ".." and needless slashes. */
static int clean_path(const char *path, struct buf *out)
{
	size_t len;

	for (; *path; path += len + !!path[len]) {
		len = strcspn(path, "/");
		if (!len || (len == 1 && *path == '.'))
			continue;
		if (len == 2 && !strncmp(path, "..", 2)) {
			while (out->len && out->data[--out->len] != '/')
				;
			continue;
		}
		if (buf_addc(out, '/') < 0 || buf_add(out, path, len) < 0)
			return -1;
	}
	if (out->data)
		out->data[out->len] = '\0';
	return out->len ? 0 : buf_addc(out, '/');
}

static int change_workdir(json_t *run, const char *text, struct change_state *state,
			  struct shale_err *err)
{
	const char *now = json_string_value(json_object_get(run, "WorkingDir"));
	__cleanup_buf struct buf joined = BUF_INIT;
	__cleanup_buf struct buf clean = BUF_INIT;

	(void)state;
	if (buf_addf(&joined, "%s/%s", *text != '/' && now ? now : "", text) < 0 ||
	    clean_path(buf_str(&joined), &clean) < 0)
		return no_memory(err);
	return set_new(run, "WorkingDir", json_string(buf_str(&clean)), err);
}

static int change_stopsignal(json_t *run, const char *text, struct change_state *state,
			     struct shale_err *err)
{
	const char *name = !strncasecmp(text, "SIG", 3) ? text + 3 : text;
	size_t len = strlen(name);
	bool is_number = strspn(name, "0123456789") == len;

	(void)state;
	if (!len || len > 12 ||
	    (is_number ? !strtoul(name, NULL, 10) || strtoul(name, NULL, 10) > 64 :
			 strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-") != len))
		return shale_err_set(err, EINVAL, "'%.100s' is no signal", text);
	return set_new(run, "StopSignal", json_string(text), err);
}

static int change_onbuild(json_t *run, const char *text, struct change_state *state,
			  struct shale_err *err)
{
	static const char *const refused[] = { "ONBUILD", "FROM", "MAINTAINER" };
	size_t len = strcspn(text, " \t");
	json_t *list = get_or_make(run, "OnBuild", json_array);

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strlen(refused[i]) == len && !strncasecmp(text, refused[i], len))
			return shale_err_set(err, EINVAL, "%s cannot be a trigger", refused[i]);
	return json_array_append_new(list, json_string(text)) ?
		       shale_err_set(err, EINVAL, "it is not UTF-8") :
		       0;
}

static const struct {
	const char *name;
	int64_t nsec;
} duration_units[] = {
	{ "ns", 1 },	      { "us", 1000 },	       { "ms", 1000000 },
	{ "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
};

/* Go's "1m30s". */
static bool parse_duration(const char *text, int64_t *ret_nsec)
{
	int64_t total = 0;
	size_t unit, len;
	double value;
	char *end;

	if (!strcmp(text, "0")) {
		*ret_nsec = 0;
		return true;
	}
	for (; *text; text = end + len) {
		if (!isdigit((unsigned char)*text))
			return false;
		value = strtod(text, &end);
		len = strspn(end, "numsh");
		for (unit = 0; unit < 6; unit++)
			if (strlen(duration_units[unit].name) == len &&
			    !strncmp(end, duration_units[unit].name, len))
				break;
		if (unit == 6 || value * duration_units[unit].nsec > INT64_MAX / 2 - total)
			return false;
		total += value * duration_units[unit].nsec;
	}
	*ret_nsec = total;
	return total > 0;
}

static const struct {
	const char *option;
	const char *field;
	bool is_number;
} health_options[] = {
	{ "--interval=", "Interval", false },
	{ "--timeout=", "Timeout", false },
	{ "--start-period=", "StartPeriod", false },
	{ "--start-interval=", "StartInterval", false },
	{ "--retries=", "Retries", true },
};

static int health_option(json_t *health, const char *word, struct shale_err *err)
{
	for (size_t i = 0; i < sizeof(health_options) / sizeof(*health_options); i++) {
		size_t len = strlen(health_options[i].option);
		int64_t value;
		char *end;

		if (strncmp(word, health_options[i].option, len))
			continue;
		value = strtoul(word + len, &end, 10);
		if (health_options[i].is_number ? !word[len] || *end || value > INT_MAX :
						  !parse_duration(word + len, &value))
			break;
		return set_new(health, health_options[i].field, json_integer(value), err);
	}
	return shale_err_set(err, EINVAL, "'%.100s' is not understood", word);
}

static json_t *health_test(const char *text)
{
	json_t *list = parse_array(text);

	if (!list)
		return json_pack("[s, s]", "CMD-SHELL", text);
	if (json_array_insert_new(list, 0, json_string("CMD"))) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static int change_healthcheck(json_t *run, const char *text, struct change_state *state,
			      struct shale_err *err)
{
	__cleanup_json json_t *health = json_object();
	__cleanup_buf struct buf word = BUF_INIT;
	const char *next;

	(void)state;
	if (!strcasecmp(text, "NONE"))
		return set_new(run, "Healthcheck", json_pack("{s:[s]}", "Test", "NONE"), err);
	while (!strncmp(text, "--", 2)) {
		next = take_word(text, &word, err);
		if (!next || health_option(health, buf_str(&word), err) < 0)
			return -1;
		text = skip_blanks(next);
	}
	if (strncasecmp(text, "CMD", 3) || !strchr(" \t[", text[3]) || !*skip_blanks(text + 3))
		return shale_err_set(err, EINVAL, "NONE, or options and CMD with a command are needed");
	if (set_new(health, "Test", health_test(skip_blanks(text + 3)), err) < 0)
		return -1;
	return json_object_set(run, "Healthcheck", health) ? no_memory(err) : 0;
}

static const struct {
	const char *name;
	int (*change)(json_t *run, const char *text, struct change_state *state,
		      struct shale_err *err);
} instructions[] = {
	{ "CMD", change_cmd },
	{ "ENTRYPOINT", change_entrypoint },
	{ "ENV", change_env },
	{ "EXPOSE", change_expose },
	{ "HEALTHCHECK", change_healthcheck },
	{ "LABEL", change_label },
	{ "ONBUILD", change_onbuild },
	{ "STOPSIGNAL", change_stopsignal },
	{ "USER", change_user },
	{ "VOLUME", change_volume },
	{ "WORKDIR", change_workdir },
};

static int apply_words(json_t *run, const char *word, size_t len, const char *rest,
		       struct change_state *state, struct shale_err *err)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(*instructions); i++) {
		if (strlen(instructions[i].name) != len ||
		    strncasecmp(instructions[i].name, word, len))
			continue;
		if (!*rest)
			return shale_err_set(err, EINVAL, "it needs an argument");
		return instructions[i].change(run, rest, state, err);
	}
	return shale_err_set(err, EINVAL, "there is no such instruction for an image");
}

int change_apply(json_t *run, const char *instruction, struct change_state *state,
		 struct shale_err *err)
{
	__cleanup_free char *text = strdup(skip_blanks(instruction));
	size_t len, end;

	if (!text)
		return no_memory(err);
	if (strlen(text) > CHANGE_MAX_BYTES)
		return shale_err_set(err, E2BIG, "an instruction of more than %d bytes",
				     CHANGE_MAX_BYTES);
	for (end = strlen(text); end && strchr(" \t\r\n", text[end - 1]);)
		text[--end] = '\0';
	len = strcspn(text, " \t");
	if (apply_words(run, text, len, skip_blanks(text + len), state, err) < 0)
		return shale_err_wrap(err, "'%.200s'", text);
	return 0;
}
