// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values of options; see create_value.h. What is wrong with one is said in docker's words. Called by create_opts.c,
 * create_mount.c and cmd_exec.c.
 */
#include "shale/create_value.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/json.h"

#define BLANKS " \t"
#define BILLION 1000000000ll

static int no_utf8(struct shale_err *err, const char *text)
{
	return shale_err_set(err, EINVAL, "'%.200s' is not UTF-8", text);
}

int value_append(json_t *list, const char *text, struct shale_err *err)
{
	return json_array_append_new(list, json_string(text)) ? no_utf8(err, text) : 0;
}

int value_set(json_t *object, const char *key, const char *text, struct shale_err *err)
{
	return json_object_set_new(object, key, json_string(text)) ? no_utf8(err, text) : 0;
}

int value_bool(const char *text, bool *ret_value, struct shale_err *err)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	*ret_value = true;
	if (!text)
		return 0;
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!strcmp(text, yes[i]))
			return 0;
	*ret_value = false;
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (!strcmp(text, no[i]))
			return 0;
	return shale_err_set(err, EINVAL, "parsing \"%.200s\": invalid syntax", text);
}

int value_number(const char *text, int64_t *ret_value, struct shale_err *err)
{
	char *end;

	errno = 0;
	*ret_value = strtoll(text, &end, 10);
	if (errno || end == text || *end || isspace((unsigned char)*text))
		return shale_err_set(err, EINVAL, "parsing \"%.200s\": invalid syntax", text);
	return 0;
}

/* Digits with a fraction of at most nine, as billionths; *ret_end is behind them. */
static bool parse_decimal(const char *text, int64_t *ret_whole, int64_t *ret_nano, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");
	int64_t unit = BILLION / 10;

	if (!digits || digits > 18)
		return false;
	*ret_whole = strtoll(text, NULL, 10);
	*ret_nano = 0;
	text += digits;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return false;
		for (; isdigit((unsigned char)*text) && unit; text++, unit /= 10)
			*ret_nano += (*text - '0') * unit;
	}
	*ret_end = text;
	return true;
}

int value_bytes(const char *text, int64_t *ret_value, struct shale_err *err)
{
	static const char units[] = "kmgtp";
	int64_t whole, nano, unit = 1, value;
	const char *end, *letter;

	if (!parse_decimal(text, &whole, &nano, &end))
		return shale_err_set(err, EINVAL, "invalid size: '%.200s'", text);
	end += *end == ' ';
	letter = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (letter) {
		unit = 1ll << (10 * (letter - units + 1));
		end++;
		end += *end == 'i' || *end == 'I';
	}
	end += *end == 'b' || *end == 'B';
	if (*end || __builtin_mul_overflow(whole, unit, &value) ||
	    __builtin_add_overflow(value, (int64_t)(unit * (nano / (double)BILLION)), &value))
		return shale_err_set(err, EINVAL, "invalid size: '%.200s'", text);
	*ret_value = value;
	return 0;
}

int value_nano(const char *text, int64_t *ret_value, struct shale_err *err)
{
	int64_t whole, nano;
	const char *end;

	if (!parse_decimal(text, &whole, &nano, &end))
		return shale_err_set(err, EINVAL, "failed to parse %.200s as a rational number", text);
	if (isdigit((unsigned char)*end))
		return shale_err_set(err, EINVAL, "value is too precise");
	if (*end || whole > INT64_MAX / BILLION - 1)
		return shale_err_set(err, EINVAL, "failed to parse %.200s as a rational number", text);
	*ret_value = whole * BILLION + nano;
	return 0;
}

int value_ulimit(const char *text, json_t **ret_value, struct shale_err *err)
{
	const char *equals = strchr(text, '=');
	const char *colon = equals ? strchr(equals, ':') : NULL;
	__cleanup_free char *first = NULL;
	int64_t soft, hard;

	if (!equals || equals == text)
		return shale_err_set(err, EINVAL, "invalid ulimit argument: %.200s", text);
	first = colon ? strndup(equals + 1, colon - equals - 1) : strdup(equals + 1);
	if (!first)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (value_number(first, &soft, err) || value_number(colon ? colon + 1 : first, &hard, err))
		return -1;
	if (hard != -1 && (soft > hard || soft == -1))
		return shale_err_set(err, EINVAL,
				     "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
				     (long long)soft, (long long)hard);
	*ret_value = json_pack("{s:s%, s:I, s:I}", "Name", text, (size_t)(equals - text), "Soft", (json_int_t)soft,
			       "Hard", (json_int_t)hard);
	return *ret_value ? 0 : no_utf8(err, text);
}

int value_restart(const char *text, json_t **ret_value, struct shale_err *err)
{
	const char *colon = strchr(text, ':');
	int64_t count = 0;

	if (colon && value_number(colon + 1, &count, NULL))
		return shale_err_set(err, EINVAL,
				     "invalid restart policy format: maximum retry count must be an integer");
	*ret_value = json_pack("{s:s%, s:I}", "Name", text, colon ? (size_t)(colon - text) : strlen(text),
			       "MaximumRetryCount", (json_int_t)count);
	return *ret_value ? 0 : no_utf8(err, text);
}

int value_pair(json_t *map, const char *text, struct shale_err *err)
{
	const char *equals = strchrnul(text, '=');
	__cleanup_free char *key = strndup(text, equals - text);

	if (!key)
		return shale_err_set(err, ENOMEM, "out of memory");
	return value_set(map, key, *equals ? equals + 1 : "", err);
}

int value_variable(json_t *list, const char *text, struct shale_err *err)
{
	const char *own = strchr(text, '=') ? NULL : getenv(text);
	__cleanup_free char *both = NULL;

	if (!*text || *text == '=')
		return shale_err_set(err, EINVAL, "invalid environment variable: %.200s", text);
	if (!own)
		return value_append(list, text, err);
	if (asprintf(&both, "%s=%s", text, own) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	return value_append(list, both, err);
}

static int take_line(json_t *list, const char *line, bool is_label, struct shale_err *err)
{
	const char *equals = strchrnul(line, '=');

	if (equals == line)
		return shale_err_set(err, EINVAL, "no variable name on line '%.200s'", line);
	if (strcspn(line, BLANKS) < (size_t)(equals - line))
		return shale_err_set(err, EINVAL, "variable '%.*s' contains whitespaces", (int)(equals - line), line);
	if (*equals || is_label)
		return value_append(list, line, err);
	return getenv(line) ? value_variable(list, line, err) : 0;
}

int value_file(json_t *list, const char *path, bool is_label, struct shale_err *err)
{
	static const char mark[] = "\xef\xbb\xbf";
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	char *line, *next;

	if (fd < 0)
		return shale_err_errno(err, "%.300s", path);
	do {
		if (text.len > CREATE_MAX_FILE || buf_reserve(&text, 64u << 10) < 0)
			return shale_err_set(err, EFBIG, "%.300s: larger than %u bytes", path, CREATE_MAX_FILE);
		got = read(fd, text.data + text.len, 64u << 10);
		text.len += got > 0 ? got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0)
		return shale_err_errno(err, "%.300s", path);
	text.data[text.len] = '\0';
	if (strlen(text.data) != text.len)
		return shale_err_set(err, EINVAL, "%.300s: a NUL is in it", path);
	next = text.data + (strncmp(text.data, mark, strlen(mark)) ? 0 : strlen(mark));
	while ((line = strsep(&next, "\n"))) {
		if (*line && line[strlen(line) - 1] == '\r')
			line[strlen(line) - 1] = '\0';
		line += strspn(line, BLANKS);
		if (*line && *line != '#' && take_line(list, line, is_label, err))
			return shale_err_wrap(err, "%.300s", path);
	}
	return 0;
}
