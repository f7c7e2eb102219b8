// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tar writer; see tarout.h. Called by difftar.c for layers and by the engine's save for the
 * archive around them.
 */
#include "archive/tarout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "archive/name.h"

#define BLOCK 512

/* POSIX.1-2008, pax, "ustar Interchange Format". */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char padding[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

/* The largest number of so many octal digits, as fields of 8 and of 12 bytes have before their NUL.
 */
#define OCTAL_MAX(digits) ((1ULL << (3 * (digits))) - 1)

void tarout_init(struct tarout *tarout, tarout_write_fn write, void *arg)
{
	*tarout = (struct tarout){ .write = write, .arg = arg };
}

void tarout_release(struct tarout *tarout)
{
	buf_release(&tarout->pax);
}

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "writing a tar");
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, text, size);
}

static void put_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	memcpy(field, text, len < size ? len : size);
}

static void seal(struct header *header)
{
	const unsigned char *bytes = (const void *)header;
	unsigned int sum = 0;

	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

static int pad(struct tarout *tarout, struct shale_err *err)
{
	static const char zeros[BLOCK];
	unsigned int len = tarout->padding;

	tarout->padding = 0;
	return len ? tarout->write(tarout->arg, zeros, len, err) : 0;
}

static void expect_data(struct tarout *tarout, uint64_t len)
{
	tarout->pending = len;
	tarout->padding = (BLOCK - len % BLOCK) % BLOCK;
}

/* "LEN KEY=VALUE\n", where LEN counts its own digits, too. */
static int add_record(struct buf *pax, const char *prefix, const char *key, const void *value,
		      size_t value_len)
{
	size_t rest = strlen(prefix) + strlen(key) + value_len + 3; /* blank, '=', newline */
	size_t len = rest;
	char digits[24];

	for (size_t before = 0; len != before; len = rest + strlen(digits)) {
		before = len;
		snprintf(digits, sizeof(digits), "%zu", len);
		if (rest + strlen(digits) == before)
			break;
	}
	if (buf_addf(pax, "%zu %s%s=", len, prefix, key) < 0 || buf_add(pax, value, value_len) < 0)
		return -1;
	return buf_addc(pax, '\n');
}

static int add_text(struct buf *pax, const char *key, const char *text)
{
	return add_record(pax, "", key, text, strlen(text));
}

static int add_number(struct buf *pax, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return add_text(pax, key, text);
}

/* Decimal: 1.5 seconds before 1970 are -1.5, which struct timespec has as -2 and half a second. */
static int add_time(struct buf *pax, const char *key, const struct timespec *time)
{
	bool is_negative = time->tv_sec < 0;
	long nsec = time->tv_nsec;
	long long sec = time->tv_sec;
	char text[48];
	size_t len;

	if (is_negative && nsec) {
		sec++;
		nsec = 1000000000 - nsec;
	}
	len = snprintf(text, sizeof(text), "%s%lld.%09ld", is_negative ? "-" : "",
		       is_negative ? -sec : sec, nsec);
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	return add_record(pax, "", key, text, len);
}

static bool is_plain_time(const struct timespec *time)
{
	return time->tv_sec >= 0 && (uint64_t)time->tv_sec <= OCTAL_MAX(11) && !time->tv_nsec;
}

/* Well-formed UTF-8, RFC 3629. */
static bool is_utf8(const char *text)
{
	static const struct {
		unsigned char first, last, low, high; /* of the first byte, and of the second */
		int more;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 }, { 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 }, { 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 }, { 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	const unsigned char *at = (const void *)text;
	size_t form;

	while (*at) {
		for (form = 0; form < sizeof(forms) / sizeof(*forms); form++)
			if (*at >= forms[form].first && *at <= forms[form].last)
				break;
		if (form == sizeof(forms) / sizeof(*forms))
			return false;
		at++;
		for (int i = 0; i < forms[form].more; i++, at++)
			if (*at < (i ? 0x80 : forms[form].low) ||
			    *at > (i ? 0xbf : forms[form].high))
				return false;
	}
	return true;
}

static bool is_long(const char *text, size_t extra)
{
	return text && strlen(text) + extra > sizeof(((struct header *)0)->name);
}

static size_t slash_of(const struct tarout_entry *entry)
{
	return !entry->is_hardlink && S_ISDIR(entry->attr->mode);
}

static int add_names(struct buf *pax, const struct tarout_entry *entry)
{
	__cleanup_buf struct buf path = BUF_INIT;

	if (buf_adds(&path, entry->path) < 0 || (slash_of(entry) && buf_addc(&path, '/') < 0))
		return -1;
	if ((is_long(entry->path, slash_of(entry)) && !is_utf8(entry->path)) ||
	    (is_long(entry->target, 0) && !is_utf8(entry->target)))
		if (add_text(pax, "hdrcharset", "BINARY") < 0)
			return -1;
	/* A file with holes has its name in the map's records. */
	if (!entry->runs && is_long(entry->path, slash_of(entry)) &&
	    add_text(pax, "path", buf_str(&path)) < 0)
		return -1;
	return is_long(entry->target, 0) ? add_text(pax, "linkpath", entry->target) : 0;
}

static int add_map_records(struct buf *pax, const struct tarout_entry *entry)
{
	return add_text(pax, "GNU.sparse.major", "1") < 0 ||
			       add_text(pax, "GNU.sparse.minor", "0") < 0 ||
			       add_text(pax, "GNU.sparse.name", entry->path) < 0 ||
			       add_number(pax, "GNU.sparse.realsize", entry->size) < 0
		       ? -1
		       : 0;
}

static int add_xattrs(struct buf *pax, const struct attr *attr, struct shale_err *err)
{
	for (size_t i = 0; i < attr->xattr_count; i++) {
		const struct attr_xattr *xattr = &attr->xattrs[i];

		if (strchr(xattr->name, '='))
			return shale_err_set(err, EINVAL,
					     "the name of extended attribute %s has a '=', which a "
					     "tar cannot hold",
					     xattr->name);
		if (add_record(pax, "SCHILY.xattr.", xattr->name, xattr->value, xattr->len) < 0)
			return no_memory(err);
	}
	return 0;
}

static int add_records(struct buf *pax, const struct tarout_entry *entry, uint64_t stored,
		       struct shale_err *err)
{
	const struct attr *attr = entry->attr;

	if (add_names(pax, entry) < 0 ||
	    (!is_plain_time(&attr->times[1]) && add_time(pax, "mtime", &attr->times[1]) < 0) ||
	    (attr->uid > OCTAL_MAX(7) && add_number(pax, "uid", attr->uid) < 0) ||
	    (attr->gid > OCTAL_MAX(7) && add_number(pax, "gid", attr->gid) < 0) ||
	    (stored > OCTAL_MAX(11) && add_number(pax, "size", stored) < 0) ||
	    (entry->runs && add_map_records(pax, entry) < 0))
		return no_memory(err);
	return entry->is_hardlink ? 0 : add_xattrs(pax, attr, err);
}

static const struct {
	mode_t mode;
	char type;
} types[] = {
	{ S_IFREG, '0' }, { S_IFLNK, '2' }, { S_IFCHR, '3' },
	{ S_IFBLK, '4' }, { S_IFDIR, '5' }, { S_IFIFO, '6' },
};

static char type_of(const struct tarout_entry *entry)
{
	if (entry->is_hardlink)
		return '1';
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].mode == (entry->attr->mode & S_IFMT))
			return types[i].type;
	return 0;
}

/* Numbers that do not fit are in the pax header, and zero here. */
static void fill_header(struct header *header, const char *name, char type, const struct attr *attr,
			uint64_t size)
{
	*header = (struct header){ .type = type };
	put_text(header->name, sizeof(header->name), name);
	put_octal(header->mode, sizeof(header->mode), attr->mode & 07777);
	put_octal(header->uid, sizeof(header->uid), attr->uid > OCTAL_MAX(7) ? 0 : attr->uid);
	put_octal(header->gid, sizeof(header->gid), attr->gid > OCTAL_MAX(7) ? 0 : attr->gid);
	put_octal(header->size, sizeof(header->size), size > OCTAL_MAX(11) ? 0 : size);
	put_octal(header->mtime, sizeof(header->mtime),
		  attr->times[1].tv_sec < 0 || (uint64_t)attr->times[1].tv_sec > OCTAL_MAX(11)
			  ? 0
			  : attr->times[1].tv_sec);
	memcpy(header->magic, "ustar", sizeof(header->magic));
	memcpy(header->version, "00", sizeof(header->version));
	put_octal(header->major, sizeof(header->major), 0);
	put_octal(header->minor, sizeof(header->minor), 0);
}

static int put_pax(struct tarout *tarout, const char *path, struct shale_err *err)
{
	static const struct attr plain = { .mode = S_IFREG | 0644 };
	struct header header;
	char name[sizeof(header.name) + 1];

	snprintf(name, sizeof(name), "PaxHeaders/%s", name_base(path));
	fill_header(&header, name, 'x', &plain, tarout->pax.len);
	seal(&header);
	expect_data(tarout, tarout->pax.len);
	if (tarout->write(tarout->arg, &header, sizeof(header), err) < 0)
		return -1;
	return tarout_data(tarout, tarout->pax.data, tarout->pax.len, err);
}

static int put_header(struct tarout *tarout, const struct tarout_entry *entry, uint64_t stored,
		      struct shale_err *err)
{
	struct header header;
	char name[sizeof(header.name) + 1];

	snprintf(name, sizeof(name), "%s%s%s", entry->runs ? "GNUSparseFile.0/" : "",
		 entry->runs ? name_base(entry->path) : entry->path, slash_of(entry) ? "/" : "");
	fill_header(&header, name, type_of(entry), entry->attr, stored);
	if (entry->target)
		put_text(header.linkname, sizeof(header.linkname), entry->target);
	if (S_ISCHR(entry->attr->mode) || S_ISBLK(entry->attr->mode)) {
		put_octal(header.major, sizeof(header.major), major(entry->device));
		put_octal(header.minor, sizeof(header.minor), minor(entry->device));
	}
	seal(&header);
	expect_data(tarout, stored);
	return tarout->write(tarout->arg, &header, sizeof(header), err);
}

/* The map of format 1.0: decimal numbers, one a line, up to a whole block. */
static int make_map(const struct tarout_entry *entry, struct buf *map, uint64_t *ret_stored)
{
	uint64_t data = 0;

	if (buf_addf(map, "%zu\n", entry->run_count) < 0)
		return -1;
	for (size_t i = 0; i < entry->run_count; i++) {
		const struct tarout_run *run = &entry->runs[i];

		data += run->length;
		if (buf_addf(map, "%llu\n%llu\n", (unsigned long long)run->offset,
			     (unsigned long long)run->length) < 0)
			return -1;
	}
	while (map->len % BLOCK)
		if (buf_addc(map, '\0') < 0)
			return -1;
	*ret_stored = map->len + data;
	return 0;
}

int tarout_add(struct tarout *tarout, const struct tarout_entry *entry, struct shale_err *err)
{
	bool has_data = !entry->is_hardlink && S_ISREG(entry->attr->mode);
	__cleanup_buf struct buf map = BUF_INIT;
	uint64_t stored = has_data ? entry->size : 0;

	if (!type_of(entry))
		return shale_err_set(err, EINVAL, "a tar cannot hold a file of this type");
	if (tarout->pending)
		return shale_err_set(err, EINVAL, "less data than the entry before has");
	if (has_data && entry->runs && make_map(entry, &map, &stored) < 0)
		return no_memory(err);
	buf_clear(&tarout->pax);
	if (pad(tarout, err) < 0 || add_records(&tarout->pax, entry, stored, err) < 0)
		return -1;
	if (tarout->pax.len && (put_pax(tarout, entry->path, err) < 0 || pad(tarout, err) < 0))
		return -1;
	if (put_header(tarout, entry, stored, err) < 0)
		return -1;
	return map.len ? tarout_data(tarout, map.data, map.len, err) : 0;
}

int tarout_data(struct tarout *tarout, const void *data, size_t len, struct shale_err *err)
{
	if (len > tarout->pending)
		return shale_err_set(err, EINVAL, "more data than the entry has");
	tarout->pending -= len;
	return len ? tarout->write(tarout->arg, data, len, err) : 0;
}

int tarout_finish(struct tarout *tarout, struct shale_err *err)
{
	static const char zeros[2 * BLOCK];

	if (tarout->pending)
		return shale_err_set(err, EINVAL, "less data than the last entry has");
	if (pad(tarout, err) < 0)
		return -1;
	return tarout->write(tarout->arg, zeros, sizeof(zeros), err);
}
