// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver "swift": its parameters, which are those of distribution's driver and a few of our own.
 * Called through driver.c's table.
 */
#include "registry/swift.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

/* distribution's chunks are 20 MB; ours may be larger than one server's memory, so no more is needed. */
#define DEFAULT_PIECE (20ull << 20)
#define MIN_PIECE     (1ull << 20)
#define PIECE_LIMIT   8000
/* Some dozen milliseconds are usual. */
#define LISTING_LAG_MS 300

static const char *const swift_params[] = {
	REMOTE_PARAMS, "authurl", "authversion", "username", "password", "tenant", "tenantid", "domain",
	"domainid", "tenantdomain", "tenantdomainid", "trustid", "region", "container", "endpointtype",
	"insecureskipverify", "prefix", "secretkey", NULL,
};

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void login_release(struct swift_login *login)
{
	free(login->url);
	free(login->user);
	free_secret(login->password);
	free(login->user_domain);
	free(login->user_domain_id);
	free(login->project);
	free(login->project_id);
	free(login->project_domain);
	free(login->project_domain_id);
	free(login->trust_id);
	free(login->region);
	free(login->interface);
}

static void swift_release(struct remote_store *store)
{
	struct swift_store *swift = swift_of(store);

	remote_store_release(store);
	login_release(&swift->login);
	free(swift->container);
	free(swift->dynamic_root);
	free_secret(swift->link_key);
	explicit_bzero(&swift->session, sizeof(swift->session));
	pthread_mutex_destroy(&swift->lock);
	free(swift);
}

static const struct remote_ops swift_ops = {
	.head = swift_head,
	.open = swift_open,
	.put = swift_put,
	.remove = swift_remove,
	.move = swift_move,
	.list = swift_list,
	.link = swift_link,
	.pieces_load = swift_pieces_load,
	.pieces_put = swift_pieces_put,
	.pieces_cut = swift_pieces_cut,
	.pieces_commit = swift_pieces_commit,
	.pieces_discard = swift_pieces_discard,
	.piece_key = swift_piece_key,
	.remove_hidden = swift_remove_hidden,
	.release = swift_release,
};

/* The address as it is asked for, without slashes at its end. */
static int read_url(struct swift_login *login, const struct bucket_params *params,
		    struct shale_err *err)
{
	const char *text = bucket_param_text(params, "authurl", NULL);
	__cleanup_buf struct buf url = BUF_INIT;
	struct remote_url parsed;

	if (!text)
		return shale_err_set(err, EINVAL, "storage: swift needs an authurl");
	if (remote_url_parse(text, "storage: swift: authurl", &parsed, err) < 0)
		return -1;
	if (remote_url_origin(&parsed, &url) < 0 || buf_adds(&url, parsed.path) < 0)
		return shale_err_errno(err, "storage: swift");
	login->url = buf_steal(&url);
	return login->url ? 0 : shale_err_errno(err, "storage: swift");
}

/* Where nothing is said the address says it, as for other clients. */
static int read_version(struct swift_login *login, const struct bucket_params *params,
			struct shale_err *err)
{
	uint64_t version;

	if (bucket_param_number(params, "authversion", 0, 3, 0, &version, err) < 0)
		return -1;
	if (version == 2)
		return shale_err_set(err, EINVAL, "storage: swift: authversion 2 is Keystone's old one: use 3 (or 1 for tempauth)");
	login->version = version ? version : strstr(login->url, "/v1") || strstr(login->url, "/auth/v1") ? 1 : 3;
	return 0;
}

static int read_login(struct swift_login *login, const struct bucket_params *params,
		      struct shale_err *err)
{
	static const char *const interfaces[] = { "public", "internal", "admin" };
	const struct field {
		const char *key;
		char **to;
	} fields[] = {
		{ "username", &login->user },		  { "password", &login->password },
		{ "domain", &login->user_domain },	  { "domainid", &login->user_domain_id },
		{ "tenant", &login->project },		  { "tenantid", &login->project_id },
		{ "tenantdomain", &login->project_domain }, { "tenantdomainid", &login->project_domain_id },
		{ "trustid", &login->trust_id },	  { "region", &login->region },
	};
	const char *interface = bucket_param_text(params, "endpointtype", "public");
	bool is_known = false;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const char *text = bucket_param_text(params, fields[i].key, NULL);

		if (text && !(*fields[i].to = strdup(text)))
			return shale_err_errno(err, "storage: swift");
	}
	for (size_t i = 0; i < sizeof(interfaces) / sizeof(*interfaces); i++)
		if (!strncmp(interface, interfaces[i], strlen(interfaces[i]))) {
			login->interface = strdup(interfaces[i]);
			is_known = true;
		}
	if (!is_known)
		return shale_err_set(err, EINVAL, "storage: swift: endpointtype '%.40s' is not public, internal or admin",
				     interface);
	if (!login->interface)
		return shale_err_errno(err, "storage: swift");
	if (!login->user || !login->password)
		return shale_err_set(err, EINVAL, "storage: swift needs username and password");
	return 0;
}

static int read_params(struct swift_store *swift, const struct bucket_params *params,
		       struct shale_err *err)
{
	const char *container = bucket_param_text(params, "container", NULL);
	const char *link_key = bucket_param_text(params, "secretkey", NULL);

	if (!container || strlen(container) > 256 || strchr(container, '/'))
		return shale_err_set(err, EINVAL, "storage: swift: container '%.100s' is no container's name",
				     container ? container : "");
	swift->container = strdup(container);
	swift->link_key = link_key ? strdup(link_key) : NULL;
	if (!swift->container || (link_key && !swift->link_key))
		return shale_err_errno(err, "storage: swift");
	if (read_url(&swift->login, params, err) < 0 || read_login(&swift->login, params, err) < 0)
		return -1;
	return read_version(&swift->login, params, err);
}

static uint64_t limit_of(const json_t *info, const char *part, const char *name, uint64_t absent)
{
	json_int_t value = json_integer_value(json_object_get(json_object_get(info, part), name));

	return value > 0 ? (uint64_t)value : absent;
}

/* What the server says of itself: it must have static large objects, and its limits are ours. */
static int read_info(struct swift_store *swift, struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "GET", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_json json_t *info = NULL;
	uint64_t names;

	call.is_info = true;
	if (swift_call_run(&call, &answer, err) < 0 ||
	    json_parse_object(buf_str(&answer.body), answer.body.len, "Swift's /info", &info, err) < 0)
		return -1;
	if (!json_object_get(info, "slo"))
		return shale_err_set(err, ENOTSUP, "storage: swift: the server has no static large objects (slo)");
	if (swift->link_key && !json_object_get(info, "tempurl"))
		return shale_err_set(err, ENOTSUP, "storage: swift: secretkey is set and the server has no tempurl");
	swift->max_segments = limit_of(info, "slo", "max_manifest_segments", 1000);
	names = limit_of(info, "swift", "container_listing_limit", 1000);
	if (names < swift->base.page)
		swift->base.page = names;
	return 0;
}

/* Makes the container, which succeeds when it is there, and gives it the key of signed URLs. */
static int make_container(struct swift_store *swift, struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "PUT", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };

	if (swift->base.is_readonly)
		return 0;
	swift_call_header(&call, "x-container-meta-temp-url-key", swift->link_key);
	return swift_call_run(&call, &answer, err);
}

/* Where distribution's driver has objects and segments: below its prefix, in two trees. */
static int read_prefix(struct swift_store *swift, const struct bucket_params *params,
		       struct buf *ret_root, struct shale_err *err)
{
	__cleanup_buf struct buf segments = BUF_INIT;
	const char *prefix = bucket_param_text(params, "prefix", "");

	prefix += strspn(prefix, "/");
	if (buf_addf(ret_root, "%s/files", prefix) < 0 ||
	    buf_addf(&segments, "%s%ssegments/", prefix,
		     *prefix && prefix[strlen(prefix) - 1] != '/' ? "/" : "") < 0)
		return shale_err_errno(err, "storage: swift");
	swift->dynamic_root = buf_steal(&segments);
	return swift->dynamic_root ? 0 : shale_err_errno(err, "storage: swift");
}

int drv_swift_open(const struct bucket_params *params, struct bucket **ret_bucket,
		   struct shale_err *err)
{
	__cleanup_buf struct buf root = BUF_INIT;
	struct swift_store *swift;

	if (bucket_params_check(params, "swift", swift_params, err) < 0)
		return -1;
	swift = calloc(1, sizeof(*swift));
	if (!swift)
		return shale_err_errno(err, "storage: swift");
	swift->base.ops = &swift_ops;
	swift->base.piece_limit = PIECE_LIMIT;
	/* An object's container learns of it before its writer is answered, one of three replicas maybe after. */
	swift->base.has_exact_lists = true;
	swift->base.lag_ms = LISTING_LAG_MS;
	pthread_mutex_init(&swift->lock, NULL);
	if (read_prefix(swift, params, &root, err) < 0 ||
	    remote_store_init(&swift->base, params, "swift", buf_str(&root), MIN_PIECE, DEFAULT_PIECE,
			      err) < 0 ||
	    read_params(swift, params, err) < 0 || read_info(swift, err) < 0 ||
	    make_container(swift, err) < 0 || remote_store_ready(&swift->base, params, err) < 0) {
		swift_release(&swift->base);
		return -1;
	}
	*ret_bucket = &swift->base.bucket;
	return 0;
}
