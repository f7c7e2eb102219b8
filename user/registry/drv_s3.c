// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver "s3": its parameters, which are distribution's and a few of our own, and where a bucket
 * is. Called through driver.c's table.
 */
#include "registry/s3.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define DEFAULT_PIECE (10ull << 20)
#define DEFAULT_COPY  (32ull << 20)
/* Putting the largest object together takes minutes. */
#define DEFAULT_ABANDON (24 * 3600)

static const char *const s3_params[] = {
	REMOTE_PARAMS, "accesskey", "secretkey", "sessiontoken", "region", "regionendpoint",
	"forcepathstyle", "bucket", "encrypt", "keyid", "secure", "v4auth", "storageclass", "objectacl",
	"accelerate", "usedualstack", "multipartcopychunksize", "multipartcopythresholdsize",
	"multipartcopymaxconcurrency", "maxparts", "abandonedafter", "loglevel", NULL,
};

static void s3_release(struct remote_store *store)
{
	struct s3_store *s3 = s3_of(store);

	remote_store_release(store);
	free(s3->bucket);
	free(s3->access_key);
	if (s3->secret_key)
		explicit_bzero(s3->secret_key, strlen(s3->secret_key));
	free(s3->secret_key);
	free(s3->session_token);
	free(s3->region);
	free(s3->encryption);
	free(s3->encryption_key);
	free(s3->storage_class);
	free(s3->acl);
	free(s3);
}

static const struct remote_ops s3_ops = {
	.head = s3_head,
	.open = s3_open,
	.put = s3_put,
	.remove = s3_remove,
	.move = s3_move,
	.list = s3_list,
	.link = s3_link,
	.pieces_load = s3_pieces_load,
	.pieces_put = s3_pieces_put,
	.pieces_cut = s3_pieces_cut,
	.pieces_commit = s3_pieces_commit,
	.pieces_discard = s3_pieces_discard,
	.piece_key = s3_piece_key,
	.release = s3_release,
};

static int copy_text(char **ret_copy, const char *text, struct shale_err *err)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? shale_err_errno(err, "storage: s3") : 0;
}

/* Without keys in the configuration: those that the tools of AWS take from the environment. */
static int read_keys(struct s3_store *s3, const struct bucket_params *params, struct shale_err *err)
{
	const char *access = bucket_param_text(params, "accesskey", NULL);
	const char *secret = bucket_param_text(params, "secretkey", NULL);
	const char *token = bucket_param_text(params, "sessiontoken", NULL);

	if (!access && !secret) {
		access = getenv("AWS_ACCESS_KEY_ID");
		secret = getenv("AWS_SECRET_ACCESS_KEY");
		token = getenv("AWS_SESSION_TOKEN");
	}
	if (!access || !secret || !*access || !*secret)
		return shale_err_set(err, EINVAL,
				     "storage: s3 needs accesskey and secretkey, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
	if (copy_text(&s3->access_key, access, err) < 0 || copy_text(&s3->secret_key, secret, err) < 0)
		return -1;
	return copy_text(&s3->session_token, token && *token ? token : NULL, err);
}

static int read_encryption(struct s3_store *s3, const struct bucket_params *params,
			   struct shale_err *err)
{
	const char *key = bucket_param_text(params, "keyid", NULL);
	bool is_encrypted;

	if (bucket_param_bool(params, "encrypt", false, &is_encrypted, err) < 0)
		return -1;
	if (key && !is_encrypted)
		return shale_err_set(err, EINVAL, "storage: s3: keyid without encrypt");
	if (copy_text(&s3->encryption_key, key, err) < 0)
		return -1;
	return copy_text(&s3->encryption, !is_encrypted ? NULL : key ? "aws:kms" : "AES256", err);
}

static bool bucket_name_is_good(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+");

	return len >= 3 && len <= 255 && !name[len];
}

/* Amazon's own address of a region. */
static int own_endpoint(struct s3_store *s3, bool is_secure, bool is_fast, bool is_dual,
			struct buf *ret_text, struct shale_err *err)
{
	const char *kind = is_fast ? (is_dual ? "s3-accelerate.dualstack" : "s3-accelerate")
				   : (is_dual ? "s3.dualstack" : "s3");
	const bool is_china = !strncmp(s3->region, "cn-", 3);

	if (buf_addf(ret_text, "%s://%s", is_secure ? "https" : "http", kind) < 0 ||
	    (!is_fast && buf_addf(ret_text, ".%s", s3->region) < 0) ||
	    buf_adds(ret_text, is_china ? ".amazonaws.com.cn" : ".amazonaws.com") < 0)
		return shale_err_errno(err, "storage: s3");
	return 0;
}

static int put_bucket_in_host(struct s3_store *s3, struct shale_err *err)
{
	char host[REMOTE_MAX_HOST];
	int len = snprintf(host, sizeof(host), "%s.%s", s3->bucket, s3->url.host);

	if (len < 0 || (size_t)len >= sizeof(host) || strpbrk(s3->bucket, "_+"))
		return shale_err_set(err, EINVAL, "storage: s3: bucket '%.100s' cannot be part of a host: set forcepathstyle",
				     s3->bucket);
	memcpy(s3->url.host, host, len + 1);
	return 0;
}

static int read_address(struct s3_store *s3, const struct bucket_params *params,
			struct shale_err *err)
{
	const char *endpoint = bucket_param_text(params, "regionendpoint", NULL);
	bool is_secure, is_fast, is_dual;
	__cleanup_buf struct buf text = BUF_INIT;

	if (bucket_param_bool(params, "secure", true, &is_secure, err) < 0 ||
	    bucket_param_bool(params, "accelerate", false, &is_fast, err) < 0 ||
	    bucket_param_bool(params, "usedualstack", false, &is_dual, err) < 0 ||
	    bucket_param_bool(params, "forcepathstyle", endpoint != NULL, &s3->is_path_style, err) < 0)
		return -1;
	if (endpoint && (is_fast || is_dual))
		return shale_err_set(err, EINVAL, "storage: s3: accelerate and usedualstack are Amazon's: not with regionendpoint");
	if (!endpoint && own_endpoint(s3, is_secure, is_fast, is_dual, &text, err) < 0)
		return -1;
	/* An endpoint without a scheme takes it from "secure". */
	if (endpoint && !strstr(endpoint, "://") &&
	    buf_addf(&text, "%s://", is_secure ? "https" : "http") < 0)
		return shale_err_errno(err, "storage: s3");
	if (endpoint && buf_adds(&text, endpoint) < 0)
		return shale_err_errno(err, "storage: s3");
	if (remote_url_parse(buf_str(&text), "storage: s3: regionendpoint", &s3->url, err) < 0)
		return -1;
	return s3->is_path_style ? 0 : put_bucket_in_host(s3, err);
}

static int read_sizes(struct s3_store *s3, const struct bucket_params *params,
		      struct shale_err *err)
{
	uint64_t threads, abandon;

	if (bucket_param_number(params, "multipartcopychunksize", S3_MIN_PART,
				S3_MAX_REQUEST - S3_MIN_PART, DEFAULT_COPY, &s3->copy_size, err) < 0 ||
	    bucket_param_number(params, "multipartcopythresholdsize", 0, S3_MAX_REQUEST, DEFAULT_COPY,
				&s3->copy_threshold, err) < 0 ||
	    bucket_param_number(params, "multipartcopymaxconcurrency", 1, 1000, s3->base.threads,
				&threads, err) < 0 ||
	    bucket_param_number(params, "abandonedafter", 1, 1u << 30, DEFAULT_ABANDON, &abandon, err) < 0 ||
	    bucket_param_number(params, "maxparts", 100, S3_MAX_PARTS, S3_MAX_PARTS,
				&s3->base.piece_limit, err) < 0)
		return -1;
	s3->abandon_seconds = abandon;
	/* Distribution's default of 100 requests at once would be a burst that S3 answers with SlowDown. */
	if (threads < s3->base.threads)
		s3->base.threads = threads;
	return 0;
}

static int read_params(struct s3_store *s3, const struct bucket_params *params,
		       struct shale_err *err)
{
	const char *bucket = bucket_param_text(params, "bucket", NULL);
	const char *region = bucket_param_text(params, "region", NULL);
	bool is_v4;

	if (bucket_param_bool(params, "v4auth", true, &is_v4, err) < 0)
		return -1;
	if (!is_v4)
		return shale_err_set(err, EINVAL, "storage: s3: only version 4 signatures can be made: v4auth cannot be false");
	if (!bucket || !bucket_name_is_good(bucket))
		return shale_err_set(err, EINVAL, "storage: s3: bucket '%.100s' is no bucket's name",
				     bucket ? bucket : "");
	if (!region && !bucket_param_text(params, "regionendpoint", NULL))
		return shale_err_set(err, EINVAL, "storage: s3 needs a region");
	if (copy_text(&s3->bucket, bucket, err) < 0 ||
	    copy_text(&s3->region, region ? region : "us-east-1", err) < 0 ||
	    copy_text(&s3->storage_class, bucket_param_text(params, "storageclass", NULL), err) < 0 ||
	    copy_text(&s3->acl, bucket_param_text(params, "objectacl", NULL), err) < 0 ||
	    read_keys(s3, params, err) < 0 || read_encryption(s3, params, err) < 0 ||
	    read_address(s3, params, err) < 0)
		return -1;
	return read_sizes(s3, params, err);
}

int drv_s3_open(const struct bucket_params *params, struct bucket **ret_bucket,
		struct shale_err *err)
{
	struct s3_store *s3;

	if (bucket_params_check(params, "s3", s3_params, err) < 0)
		return -1;
	s3 = calloc(1, sizeof(*s3));
	if (!s3)
		return shale_err_errno(err, "storage: s3");
	s3->base.ops = &s3_ops;
	/* As S3 itself since 2020, and the stores that took its place at home. */
	s3->base.has_exact_lists = true;
	if (remote_store_init(&s3->base, params, "s3", "", S3_MIN_PART, DEFAULT_PIECE, err) < 0 ||
	    read_params(s3, params, err) < 0 || remote_store_ready(&s3->base, params, err) < 0) {
		s3_release(&s3->base);
		return -1;
	}
	*ret_bucket = &s3->base.bucket;
	return 0;
}
