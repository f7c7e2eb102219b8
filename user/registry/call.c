// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request through the registry: understood, admitted, handed to the handler of its resource and
 * method, and logged. Called by the HTTP server through call_ops; see httpd/server.h for the steps.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/admit.h"
#include "registry/announce.h"
#include "registry/log.h"
#include "registry/meter.h"
#include "registry/proxy.h"
#include "registry/reg.h"
#include "registry/upload.h"

static const struct handler handlers[] = {
	{ RESOURCE_BASE, "GET", false, h_base_get, NULL, NULL },
	{ RESOURCE_CATALOG, "GET", false, h_catalog_get, NULL, NULL },
	{ RESOURCE_DISCOVER, "GET", false, h_discover_get, NULL, NULL },
	{ RESOURCE_TAGS, "GET", false, h_tags_get, NULL, NULL },
	{ RESOURCE_MANIFEST, "GET", false, h_manifest_get, NULL, NULL },
	{ RESOURCE_MANIFEST, "PUT", true, h_manifest_put, h_manifest_body, h_manifest_put_end },
	{ RESOURCE_MANIFEST, "DELETE", true, h_manifest_delete, NULL, NULL },
	{ RESOURCE_BLOB, "GET", false, h_blob_get, NULL, NULL },
	{ RESOURCE_BLOB, "DELETE", true, h_blob_delete, NULL, NULL },
	{ RESOURCE_UPLOADS, "POST", true, h_upload_post, h_upload_body, h_upload_post_end },
	{ RESOURCE_UPLOAD, "GET", false, h_upload_get, NULL, NULL },
	{ RESOURCE_UPLOAD, "PATCH", true, h_upload_patch, h_upload_body, h_upload_patch_end },
	{ RESOURCE_UPLOAD, "PUT", true, h_upload_put, h_upload_body, h_upload_put_end },
	{ RESOURCE_UPLOAD, "DELETE", true, h_upload_delete, NULL, NULL },
	{ RESOURCE_REFERRERS, "GET", false, h_referrers_get, NULL, NULL },
};

#define HANDLER_COUNT (sizeof(handlers) / sizeof(*handlers))

int reg_init(struct reg *reg, struct shale_err *err)
{
	reg->docs = doc_cache_new(REG_DOC_CACHE);
	reg->leases = leases_new();
	reg->claims = upload_claims_new();
	for (size_t i = 0; i < REG_LOCKS; i++)
		pthread_mutex_init(&reg->locks[i], NULL);
	pthread_rwlock_init(&reg->sweep_lock, NULL);
	if (reg->docs && reg->leases && reg->claims)
		return 0;
	return shale_err_set(err, ENOMEM, "no memory for a registry");
}

void reg_release(struct reg *reg)
{
	for (size_t i = 0; i < REG_LOCKS; i++)
		pthread_mutex_destroy(&reg->locks[i]);
	pthread_rwlock_destroy(&reg->sweep_lock);
	doc_cache_free(reg->docs);
	leases_free(reg->leases);
	upload_claims_free(reg->claims);
}

pthread_mutex_t *reg_lock(struct reg *reg, const char *repo)
{
	size_t hash = 5381;

	while (*repo)
		hash = hash * 33 + (unsigned char)*repo++;
	return &reg->locks[hash % REG_LOCKS];
}

/* A HEAD is a GET whose body is not sent. */
static bool is_method(const char *method, const char *of_handler)
{
	return !strcmp(method, of_handler) ||
	       (!strcmp(method, "HEAD") && !strcmp(of_handler, "GET"));
}

static const struct handler *handler_find(enum resource resource, const char *method)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].resource == resource && is_method(method, handlers[i].method))
			return &handlers[i];
	return NULL;
}

/*
 * Reading is short where the storage is here and nobody's password has to be hashed, endpoint told or
 * upstream asked. To ask for an upload's state can mean to wait for another request.
 */
static bool call_is_quick(struct httpd_request *http)
{
	struct reg *reg = httpd_owner(http);

	return is_method(httpd_method(http), "GET") && reg->bucket->ops->is_local && !reg->proxy &&
	       !strstr(httpd_target(http), "/blobs/uploads/") && !announce_wants_pulls(reg) &&
	       !admit_may_sleep(reg, http);
}

void call_answer(struct call *call, unsigned int status)
{
	const struct reg_settings *settings = &call->reg->settings;

	httpd_answer(call->http, status);
	httpd_add_field(call->http, "Docker-Distribution-Api-Version", "registry/2.0");
	for (size_t i = 0; i < settings->field_count; i++)
		httpd_add_field(call->http, settings->fields[i].name, "%s",
				settings->fields[i].value);
}

static void send_allow(struct call *call)
{
	__cleanup_buf struct buf allow = BUF_INIT;

	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].resource == call->route.resource)
			buf_addf(&allow, "%s%s%s", allow.len ? ", " : "", handlers[i].method,
				 strcmp(handlers[i].method, "GET") ? "" : ", HEAD");
	fault_send(call, FAULT_UNSUPPORTED, NULL);
	httpd_add_field(call->http, "Allow", "%s", buf_str(&allow));
}

static bool find_handler(struct call *call)
{
	enum route_answer found;

	if (!target_parse(httpd_target(call->http), &call->target)) {
		fault_send(call, FAULT_BAD_REQUEST, "the path or the query is malformed");
		return false;
	}
	found = route_find(&call->target, call->reg->settings.prefix, &call->route);
	if (found == ROUTE_NONE) {
		fault_send(call, FAULT_NOT_FOUND, NULL);
		return false;
	}
	if (found == ROUTE_BAD_NAME) {
		fault_send(call, FAULT_NAME_INVALID, NULL);
		return false;
	}
	call->handler = handler_find(call->route.resource, httpd_method(call->http));
	if (!call->handler)
		send_allow(call);
	return call->handler;
}

static bool may_go_on(struct call *call)
{
	const struct reg_settings *settings = &call->reg->settings;

	if (!admit(call))
		return false;
	if (atomic_load(&call->reg->is_sick)) {
		fault_send(call, FAULT_UNAVAILABLE, "the storage fails its checks");
		return false;
	}
	if (!call->handler->is_change || !settings->is_readonly)
		return true;
	fault_send(call, FAULT_UNSUPPORTED, "the registry is in read-only mode");
	return false;
}

/* What the log wants of the connection, which may be gone when the line is written. */
static void note_client(struct call *call)
{
	const struct sockaddr *peer = httpd_peer(call->http);
	const char *agent = httpd_field(call->http, "User-Agent");

	snprintf(call->agent, sizeof(call->agent), "%s", agent ? agent : "");
	if (peer && peer->sa_family == AF_INET6)
		memcpy(&call->peer, peer, sizeof(struct sockaddr_in6));
	else if (peer && peer->sa_family == AF_INET)
		memcpy(&call->peer, peer, sizeof(struct sockaddr_in));
}

static void call_begin(struct httpd_request *http)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		httpd_answer(http, 503);
		return;
	}
	call->reg = httpd_owner(http);
	call->http = http;
	httpd_set_ctx(http, call);
	note_client(call);
	if (admit_special(call) || !find_handler(call))
		return;
	meter_begin(call->reg->meter, call);
	if (may_go_on(call) && proxy_prepare(call))
		call->handler->begin(call);
}

static void call_body(struct httpd_request *http, const void *data, size_t len)
{
	struct call *call = httpd_ctx(http);

	if (call->handler && call->handler->body)
		call->handler->body(call, data, len);
	else
		fault_send(call, FAULT_BAD_REQUEST, "this request has no body");
}

static void call_end(struct httpd_request *http)
{
	struct call *call = httpd_ctx(http);

	if (call->handler && call->handler->end)
		call->handler->end(call);
}

/* An upload that is still open here is one whose client is gone: what came is kept. */
static void call_finish(struct httpd_request *http, bool is_whole)
{
	struct call *call = httpd_ctx(http);

	if (!call)
		return;
	if (call->upload)
		upload_keep(call->upload, NULL);
	meter_finish(call->reg->meter, call);
	log_call(call, is_whole);
	buf_release(&call->body);
	target_release(&call->target);
	free(call->error);
	free(call);
}

const struct httpd_ops call_ops = {
	.is_quick = call_is_quick,
	.begin = call_begin,
	.body = call_body,
	.end = call_end,
	.finish = call_finish,
};

static bool is_host(const char *text)
{
	return text && *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789.-_:[]") == strlen(text);
}

void call_print_origin(struct call *call, char *text, size_t size)
{
	const struct reg_settings *settings = &call->reg->settings;
	const char *proto = httpd_field(call->http, "X-Forwarded-Proto");
	const char *host = httpd_field(call->http, "X-Forwarded-Host");
	bool is_tls = proto ? !strcmp(proto, "https") : httpd_is_tls(call->http);

	if (!host)
		host = httpd_field(call->http, "Host");
	*text = '\0';
	if (settings->host)
		snprintf(text, size, "%s", settings->host);
	else if (!settings->is_relative && is_host(host))
		snprintf(text, size, "%s://%s", is_tls ? "https" : "http", host);
}

void call_print_peer(const struct call *call, char *text, size_t size)
{
	const struct sockaddr_in6 *six = (const void *)&call->peer;
	const struct sockaddr_in *four = (const void *)&call->peer;
	char host[INET6_ADDRSTRLEN] = "";

	*text = '\0';
	if (call->peer.ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(four->sin_port));
	} else if (call->peer.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(six->sin6_port));
	}
}

void call_add_location(struct call *call, const char *fmt, ...)
{
	char origin[512];
	char path[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	call_print_origin(call, origin, sizeof(origin));
	httpd_add_field(call->http, "Location", "%s%s%s", origin, call->reg->settings.prefix, path);
}

bool call_page(struct call *call, uint64_t max, uint64_t *ret_count, const char **ret_last)
{
	const char *n = target_get(&call->target, "n");
	const char *last = target_get(&call->target, "last");
	char *end;

	*ret_last = last ? last : "";
	*ret_count = max;
	if (!n || !*n)
		return true;
	errno = 0;
	*ret_count = strtoull(n, &end, 10);
	if (*end || *n < '0' || *n > '9' || (errno && errno != ERANGE)) {
		fault_send(call, FAULT_PAGINATION_INVALID, "n is not a number");
		return false;
	}
	if (*ret_count > max)
		*ret_count = max;
	return true;
}

void call_add_link(struct call *call, const char *path, uint64_t count, const char *last,
		   const char *more)
{
	__cleanup_buf struct buf link = BUF_INIT;

	if (buf_addf(&link, "<%s%s?last=", call->reg->settings.prefix, path) < 0 ||
	    target_encode(&link, last) < 0 ||
	    buf_addf(&link, "&n=%llu%s>; rel=\"next\"", (unsigned long long)count, more) < 0)
		return;
	httpd_add_field(call->http, "Link", "%s", buf_str(&link));
}

bool call_sum(struct call *call, const char *text, struct sum *ret_sum)
{
	if (text && sum_parse(text, ret_sum))
		return true;
	fault_send(call, FAULT_DIGEST_INVALID, "'%.150s' is not a digest of an algorithm we know",
		   text ? text : "");
	return false;
}
