// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver "azure": its parameters, which are those of distribution's driver and a few of our own.
 * Called through driver.c's table.
 */
#include "registry/azure.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"

#define DEFAULT_PIECE (10ull << 20)
#define MIN_PIECE     (1ull << 20)

static const char *const azure_params[] = {
	REMOTE_PARAMS, "accountname", "accountkey", "container", "realm", "serviceurl",
	"credentials.type", "copy_status_poll_delay", "copy_status_poll_max_retry", NULL,
};

static void azure_release(struct remote_store *store)
{
	struct azure_store *azure = azure_of(store);

	remote_store_release(store);
	explicit_bzero(azure->key, sizeof(azure->key));
	free(azure->account);
	free(azure->container);
	free(azure);
}

static const struct remote_ops azure_ops = {
	.head = azure_head,
	.open = azure_open,
	.put = azure_put,
	.remove = azure_remove,
	.move = azure_move,
	.list = azure_list,
	.link = azure_link,
	.pieces_load = azure_pieces_load,
	.pieces_put = azure_pieces_put,
	.pieces_cut = azure_pieces_cut,
	.pieces_commit = azure_pieces_commit,
	.pieces_discard = azure_pieces_discard,
	.piece_key = azure_piece_key,
	.release = azure_release,
};

static int read_key(struct azure_store *azure, const struct bucket_params *params,
		    struct shale_err *err)
{
	const char *text = bucket_param_text(params, "accountkey", NULL);
	const char *type = bucket_param_text(params, "credentials.type", "shared_key");
	size_t len = text ? strlen(text) : 0;
	unsigned char key[AZURE_MAX_KEY];
	int got;

	if (strcmp(type, "shared_key"))
		return shale_err_set(err, EINVAL, "storage: azure: credentials.type '%.40s': only shared_key is known",
				     type);
	if (!text)
		return shale_err_set(err, EINVAL, "storage: azure needs an accountkey");
	if (len % 4 || len / 4 * 3 > sizeof(key) ||
	    (got = EVP_DecodeBlock(key, (const unsigned char *)text, len)) < 0)
		return shale_err_set(err, EINVAL, "storage: azure: accountkey is not base64");
	while (len && text[len - 1] == '=' && got > 0) {
		got--;
		len--;
	}
	memcpy(azure->key, key, got);
	explicit_bzero(key, sizeof(key));
	azure->key_len = got;
	return 0;
}

/* Words of small letters and digits, joined by single characters of `more`. */
static bool name_is_good(const char *name, const char *more)
{
	size_t len = 0;
	size_t word = 0;

	while (name) {
		word = strspn(name + len, "abcdefghijklmnopqrstuvwxyz0123456789");
		len += word;
		if (!word || !name[len] || !strchr(more, name[len]))
			break;
		len++;
	}
	return name && word && !name[len] && len >= 3 && len <= 63;
}

static int read_address(struct azure_store *azure, const struct bucket_params *params,
			struct shale_err *err)
{
	const char *realm = bucket_param_text(params, "realm", "core.windows.net");
	const char *url = bucket_param_text(params, "serviceurl", NULL);
	__cleanup_buf struct buf text = BUF_INIT;

	if (url ? buf_adds(&text, url) < 0
		: buf_addf(&text, "https://%s.blob.%s", azure->account, realm) < 0)
		return shale_err_errno(err, "storage: azure");
	return remote_url_parse(buf_str(&text), "storage: azure: serviceurl", &azure->url, err);
}

/* A number of seconds or "500ms": distribution's is a Go duration. */
static int read_delay(struct azure_store *azure, const struct bucket_params *params,
		      struct shale_err *err)
{
	const char *text = bucket_param_text(params, "copy_status_poll_delay", "100ms");
	uint64_t count;
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!strcmp(end, "s") || !*end)
		value *= 1000;
	if (end == text || (strcmp(end, "s") && strcmp(end, "ms") && *end) || value < 1 || value > 60000)
		return shale_err_set(err, EINVAL, "storage: azure: copy_status_poll_delay '%.40s' is not 1ms to 60s",
				     text);
	azure->poll_ms = value;
	if (bucket_param_number(params, "copy_status_poll_max_retry", 1, 100000, 600, &count, err) < 0)
		return -1;
	azure->poll_count = count;
	return 0;
}

static int read_params(struct azure_store *azure, const struct bucket_params *params,
		       struct shale_err *err)
{
	const char *account = bucket_param_text(params, "accountname", NULL);
	const char *container = bucket_param_text(params, "container", NULL);

	if (!name_is_good(account, ""))
		return shale_err_set(err, EINVAL, "storage: azure: accountname '%.100s' is no account's name",
				     account ? account : "");
	if (!name_is_good(container, "-"))
		return shale_err_set(err, EINVAL, "storage: azure: container '%.100s' is no container's name",
				     container ? container : "");
	if (azure->base.piece_size > AZURE_MAX_BLOCK)
		return shale_err_set(err, EINVAL, "storage: azure: chunksize is above %llu",
				     (unsigned long long)AZURE_MAX_BLOCK);
	azure->account = strdup(account);
	azure->container = strdup(container);
	if (!azure->account || !azure->container)
		return shale_err_errno(err, "storage: azure");
	if (read_key(azure, params, err) < 0 || read_delay(azure, params, err) < 0)
		return -1;
	return read_address(azure, params, err);
}

static int make_container(struct azure_store *azure, struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure, "PUT", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	struct shale_err why = { 0 };
	const char *code;

	if (azure->base.is_readonly)
		return 0;
	azure_call_param(&call, "restype", "container");
	if (azure_call_run(&call, &answer, &why) == 0)
		return 0;
	code = remote_answer_header(&answer, "x-ms-error-code");
	if (answer.status == 409 && code && !strcmp(code, "ContainerAlreadyExists"))
		return 0;
	if (err)
		*err = why;
	return -1;
}

int drv_azure_open(const struct bucket_params *params, struct bucket **ret_bucket,
		   struct shale_err *err)
{
	struct azure_store *azure;

	if (bucket_params_check(params, "azure", azure_params, err) < 0)
		return -1;
	azure = calloc(1, sizeof(*azure));
	if (!azure)
		return shale_err_errno(err, "storage: azure");
	azure->base.ops = &azure_ops;
	azure->base.piece_limit = AZURE_MAX_BLOCKS;
	if (remote_store_init(&azure->base, params, "azure", "", MIN_PIECE, DEFAULT_PIECE, err) < 0 ||
	    read_params(azure, params, err) < 0 || make_container(azure, err) < 0 ||
	    remote_store_ready(&azure->base, params, err) < 0) {
		azure_release(&azure->base);
		return -1;
	}
	*ret_bucket = &azure->base.bucket;
	return 0;
}
