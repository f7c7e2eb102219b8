// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unfinished objects in Azure: the pieces of PATH are the committed blocks of the blob PATH/.shale, which can
 * be read, gone on with by any server, and cut to some of its blocks. Committing copies that blob to its
 * place, which Azure does by itself and within an account at once. Called through the vtable of
 * remote_store.h.
 */
#include "registry/azure.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_xml.h"

/* A block's id is base64 of its number as 15 digits: all ids of a blob must be of one length. */
#define ID_DIGITS 15
#define ID_LEN	  20

static int unfinished_key(const char *key, struct buf *ret_key, struct shale_err *err)
{
	if (buf_addf(ret_key, "%s/" REMOTE_HIDDEN, key) < 0)
		return shale_err_errno(err, "%s", key);
	return 0;
}

static void block_id(uint64_t number, char ret_id[ID_LEN + 1])
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%015llu", number % 1000000000000000ull);
	EVP_EncodeBlock((unsigned char *)ret_id, (const unsigned char *)digits, ID_DIGITS);
}

/* 0 to 10^15 - 1, or -1. */
static int64_t block_number(const char *id)
{
	unsigned char digits[ID_DIGITS + 1] = { 0 };

	if (strlen(id) != ID_LEN || EVP_DecodeBlock(digits, (const unsigned char *)id, ID_LEN) != ID_DIGITS ||
	    strspn((char *)digits, "0123456789") != ID_DIGITS)
		return -1;
	return strtoll((char *)digits, NULL, 10);
}

struct blocks {
	struct remote_pieces *pieces;
	int64_t number;
	uint64_t len;
};

#define BLOCK "BlockList/CommittedBlocks/Block"

static int take_block(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct blocks *blocks = ctx;

	if (!strcmp(path, BLOCK "/Name")) {
		blocks->number = block_number(text);
		if (blocks->number < 0)
			return shale_err_set(err, EIO, "an unfinished object has a block that is not ours");
	} else if (!strcmp(path, BLOCK "/Size")) {
		blocks->len = strtoull(text, NULL, 10);
	} else if (!strcmp(path, BLOCK)) {
		const struct remote_piece piece = { .len = blocks->len, .number = blocks->number };

		return remote_pieces_add(blocks->pieces, &piece, err);
	}
	return 0;
}

int azure_read_blocks(const void *data, size_t len, struct remote_pieces *ret_pieces,
		      struct shale_err *err)
{
	struct blocks blocks = { .pieces = ret_pieces };

	return remote_xml_read(data, len, "an unfinished object", take_block, &blocks, err);
}

int azure_pieces_load(struct remote_store *store, const char *key,
		      struct remote_pieces *ret_pieces, struct shale_err *err)
{
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf name = BUF_INIT;

	if (unfinished_key(key, &name, err) < 0)
		return -1;
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure_of(store), "GET", buf_str(&name));
	call.max = REMOTE_XML_MAX_BYTES;
	azure_call_param(&call, "comp", "blocklist");
	azure_call_param(&call, "blocklisttype", "committed");
	if (azure_call_run(&call, &answer, err) < 0)
		return -1;
	return azure_read_blocks(buf_str(&answer.body), answer.body.len, ret_pieces, err);
}

static int put_block(struct azure_store *store, const char *name, const char *id,
		     const struct remote_body *body, struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "PUT", name);
	__cleanup_answer struct remote_answer answer = { 0 };

	call.body = *body;
	azure_call_param(&call, "comp", "block");
	azure_call_param(&call, "blockid", id);
	return azure_call_run(&call, &answer, err);
}

/* The blob is now the first count of the pieces. */
static int put_list(struct azure_store *store, const char *name, const struct remote_pieces *pieces,
		    size_t count, struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "PUT", name);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf xml = BUF_INIT;
	char id[ID_LEN + 1];

	if (buf_adds(&xml, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>") < 0)
		return shale_err_errno(err, "%s", name);
	for (size_t i = 0; i < count; i++) {
		block_id(pieces->list[i].number, id);
		if (buf_addf(&xml, "<Latest>%s</Latest>", id) < 0)
			return shale_err_errno(err, "%s", name);
	}
	if (buf_adds(&xml, "</BlockList>") < 0)
		return shale_err_errno(err, "%s", name);
	call.body = (struct remote_body){ .data = xml.data, .fd = -1, .len = xml.len };
	azure_call_param(&call, "comp", "blocklist");
	azure_call_header(&call, "content-type", "application/xml");
	azure_call_header(&call, "x-ms-blob-content-type", "application/octet-stream");
	return azure_call_run(&call, &answer, err);
}

int azure_pieces_put(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     const struct remote_body *body, const char *hash, struct shale_err *err)
{
	struct remote_piece piece = { .len = body->len };
	__cleanup_buf struct buf name = BUF_INIT;
	char id[ID_LEN + 1];

	(void)hash;
	if (pieces->count)
		piece.number = pieces->list[pieces->count - 1].number + 1;
	if (unfinished_key(key, &name, err) < 0)
		return -1;
	if (!body->len)
		return put_list(azure_of(store), buf_str(&name), pieces, pieces->count, err);
	block_id(piece.number, id);
	if (put_block(azure_of(store), buf_str(&name), id, body, err) < 0 ||
	    remote_pieces_add(pieces, &piece, err) < 0)
		return -1;
	if (put_list(azure_of(store), buf_str(&name), pieces, pieces->count, err) == 0)
		return 0;
	remote_pieces_drop(pieces, pieces->count - 1);
	return -1;
}

int azure_pieces_cut(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     size_t index, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;

	if (unfinished_key(key, &name, err) < 0 ||
	    put_list(azure_of(store), buf_str(&name), pieces, index, err) < 0)
		return -1;
	remote_pieces_drop(pieces, index);
	return 0;
}

int azure_pieces_commit(struct remote_store *store, const char *key, struct remote_pieces *pieces,
			const char *to, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;

	(void)pieces;
	if (unfinished_key(key, &name, err) < 0)
		return -1;
	return azure_move(store, buf_str(&name), to, err);
}

int azure_pieces_discard(struct remote_store *store, const char *key, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	struct shale_err why = { 0 };

	if (unfinished_key(key, &name, err) < 0)
		return -1;
	if (azure_remove(store, buf_str(&name), NULL, &why) == 0 || why.code == ENOENT)
		return 0;
	if (err)
		*err = why;
	return -1;
}

int azure_piece_key(struct remote_store *store, const char *key, const struct remote_pieces *pieces,
		    size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err)
{
	(void)store;
	*ret_offset = 0;
	for (size_t i = 0; i < index; i++)
		*ret_offset += pieces->list[i].len;
	return unfinished_key(key, ret_key, err);
}
