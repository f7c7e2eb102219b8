// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of a container that are mounted over its own: its host's name and how it finds others by theirs. Called at
 * each start.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "engine/containers.h"

/* The machine's hosts and resolv.conf. */
#define MAX_FILE (1u << 20)

static const char hosts_default[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::0\tip6-localnet\n"
				    "ff00::0\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";

static int write_file(int dir, const char *name, const struct buf *text, struct shale_err *err)
{
	__cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0 || fs_write_full(fd, buf_str(text), text->len) < 0)
		return shale_err_errno(err, "cannot write %s", name);
	return 0;
}

static bool has_host_network(const struct opened *opened)
{
	const char *mode = json_string_value(json_object_get(opened_host(opened), "NetworkMode"));

	return mode && !strcmp(mode, "host");
}

/* One without is as good as an empty one; links lead to whoever keeps it. */
static void read_machines(const char *path, struct buf *text)
{
	__cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char chunk[4096];
	ssize_t got;

	while (fd >= 0 && text->len < MAX_FILE && (got = read(fd, chunk, sizeof(chunk))) > 0)
		if (buf_add(text, chunk, got) < 0)
			return;
}

static int write_hostname(const struct opened *opened, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (buf_addf(&text, "%s\n", json_string_value(json_object_get(opened_config(opened), "Hostname"))) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	return write_file(opened->dir, "hostname", &text, err);
}

/* "NAME:ADDRESS", where an address may have colons of its own. */
static int add_host(struct buf *text, const char *entry)
{
	const char *colon = strchr(entry, ':');

	return colon ? buf_addf(text, "%s\t%.*s\n", colon + 1, (int)(colon - entry), entry) : 0;
}

static int write_hosts(const struct opened *opened, struct shale_err *err)
{
	const json_t *more = json_object_get(opened_host(opened), "ExtraHosts"), *item;
	__cleanup_buf struct buf text = BUF_INIT;
	int ret = 0;
	size_t i;

	if (has_host_network(opened))
		read_machines("/etc/hosts", &text);
	else
		ret = buf_adds(&text, hosts_default);
	json_array_foreach(more, i, item)
		ret |= add_host(&text, json_string_value(item));
	return ret < 0 ? shale_err_set(err, ENOMEM, "out of memory") : write_file(opened->dir, "hosts", &text, err);
}

static int add_lines(struct buf *text, const char *word, const json_t *list, bool is_one)
{
	const json_t *item;
	size_t i;
	int ret = 0;

	json_array_foreach(list, i, item)
		ret |= buf_addf(text, is_one && i ? " %s%s" : "%s %s", is_one && i ? "" : word,
				json_string_value(item)) |
		       (is_one ? 0 : buf_addc(text, '\n'));
	if (is_one && json_array_size(list))
		ret |= buf_addc(text, '\n');
	return ret;
}

static int write_resolv(const struct opened *opened, struct shale_err *err)
{
	const json_t *host = opened_host(opened);
	__cleanup_buf struct buf text = BUF_INIT;
	int ret = 0;

	if (json_array_size(json_object_get(host, "Dns")))
		ret = add_lines(&text, "nameserver", json_object_get(host, "Dns"), false);
	else
		read_machines("/etc/resolv.conf", &text);
	ret |= add_lines(&text, "search", json_object_get(host, "DnsSearch"), true);
	ret |= add_lines(&text, "options", json_object_get(host, "DnsOptions"), true);
	return ret < 0 ? shale_err_set(err, ENOMEM, "out of memory") :
			 write_file(opened->dir, "resolv.conf", &text, err);
}

int container_files_write(const struct opened *opened, struct shale_err *err)
{
	return write_hostname(opened, err) < 0 || write_hosts(opened, err) < 0 ? -1 : write_resolv(opened, err);
}
