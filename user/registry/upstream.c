// SPDX-License-Identifier: GPL-2.0-only
/*
 * Upstreams; see upstream.h. A line has a connection and, for the repository it was last used for, a token;
 * so the next request for the same repository needs neither. Called by proxy.c and flight.c.
 */
#include "registry/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "registry/conf.h"

#define DEFAULT_TTL	(168 * 3600)
#define DEFAULT_TIMEOUT 30
#define MAX_TIMEOUT	3600
#define MAX_PEM		(1u << 20)

static int read_url(const char *text, const char *what, struct upstream *upstream,
		    struct shale_err *err)
{
	size_t len = text ? strlen(text) : 0;
	const char *rest = text ? strstr(text, "://") : NULL;

	if (!rest || (strncmp(text, "http://", 7) && strncmp(text, "https://", 8)) || !rest[3] ||
	    rest[3] == '/' || strpbrk(text, "?#@ ") || len >= sizeof(upstream->url))
		return shale_err_set(err, EINVAL, "%s.remoteurl: not http:// or https:// and a host", what);
	while (text[len - 1] == '/')
		len--;
	memcpy(upstream->url, text, len);
	return 0;
}

static int read_upstream(const json_t *tree, const char *what, struct upstream *upstream,
			 struct shale_err *err)
{
	const char *url = NULL;

	upstream->ttl = DEFAULT_TTL;
	if (conf_text(tree, "remoteurl", &url, err) < 0 ||
	    conf_text(tree, "username", &upstream->username, err) < 0 ||
	    conf_text(tree, "password", &upstream->password, err) < 0 ||
	    conf_seconds(tree, "ttl", &upstream->ttl, err) < 0)
		return shale_err_wrap(err, "%s", what);
	if (upstream->username && !*upstream->username)
		upstream->username = NULL;
	if (upstream->password && *upstream->password && !upstream->username)
		return shale_err_set(err, EINVAL, "%s has a password and no username", what);
	return read_url(url, what, upstream, err);
}

static int check_namespace(const struct upstreams *upstreams, const char *what, const char *namespace,
			   struct shale_err *err)
{
	if (!namespace || !name_is_repo(namespace))
		return shale_err_set(err, EINVAL, "%s.namespace is no name of repositories", what);
	for (size_t i = 0; i < upstreams->count; i++)
		if (!strcmp(upstreams->list[i].namespace, namespace))
			return shale_err_set(err, EINVAL, "%s: '%s' is there twice", what, namespace);
	return 0;
}

static int read_list(const json_t *list, struct upstreams *upstreams, struct shale_err *err)
{
	static const char *const known[] = { "namespace", "remoteurl", "username", "password", "ttl" };
	json_t *tree, *value;
	const char *name;
	char what[64];
	size_t i, k;

	if (list && (!json_is_array(list) || json_array_size(list) >= UPSTREAM_MAX))
		return shale_err_set(err, EINVAL, "shale.upstreams: not a list of less than %d",
				     UPSTREAM_MAX);
	json_array_foreach((json_t *)list, i, tree) {
		struct upstream *upstream = &upstreams->list[upstreams->count];

		snprintf(what, sizeof(what), "shale.upstreams[%zu]", i);
		json_object_foreach(tree, name, value) {
			for (k = 0; k < sizeof(known) / sizeof(*known) && strcmp(known[k], name); k++)
				;
			if (k == sizeof(known) / sizeof(*known))
				return shale_err_set(err, EINVAL, "%s: there is no key '%.50s'", what, name);
		}
		if (conf_text(tree, "namespace", &upstream->namespace, err) < 0 ||
		    check_namespace(upstreams, what, upstream->namespace, err) < 0 ||
		    read_upstream(tree, what, upstream, err) < 0)
			return -1;
		upstreams->count++;
	}
	return 0;
}

static int read_common(const json_t *conf, struct upstreams *upstreams, struct shale_err *err)
{
	uint64_t timeout = DEFAULT_TIMEOUT;
	const char *roots = NULL;

	if (conf_seconds(conf, "shale.proxy.fresh", &upstreams->fresh, err) < 0 ||
	    conf_seconds(conf, "shale.proxy.timeout", &timeout, err) < 0 ||
	    conf_text(conf, "shale.proxy.cacert", &roots, err) < 0)
		return -1;
	if (!timeout || timeout > MAX_TIMEOUT)
		return shale_err_set(err, EINVAL, "shale.proxy.timeout: from 1s to %ds", MAX_TIMEOUT);
	if (roots && fs_read_file(AT_FDCWD, roots, MAX_PEM, &upstreams->roots, err) < 0)
		return shale_err_wrap(err, "shale.proxy.cacert");
	/* A client that waits is better told, or given what is here, than kept waiting. */
	upstreams->opts = (struct shale_registry_opts){ .tries = 1, .stall_seconds = timeout };
	return 0;
}

static int read_all(const json_t *conf, struct upstreams *upstreams, struct shale_err *err)
{
	const json_t *one = conf_get(conf, "proxy");

	if (read_common(conf, upstreams, err) < 0)
		return -1;
	if (conf_get(one, "remoteurl")) {
		upstreams->list[0].namespace = "";
		if (read_upstream(one, "proxy", &upstreams->list[0], err) < 0)
			return -1;
		upstreams->count = 1;
	}
	return read_list(conf_get(conf, "shale.upstreams"), upstreams, err);
}

int upstreams_load(const json_t *conf, struct upstreams **ret_upstreams, struct shale_err *err)
{
	struct upstreams *upstreams = calloc(1, sizeof(*upstreams));

	*ret_upstreams = NULL;
	if (!upstreams)
		return shale_err_set(err, ENOMEM, "no memory for upstreams");
	pthread_mutex_init(&upstreams->lock, NULL);
	atomic_init(&upstreams->stop_at, INT64_MAX);
	if (read_all(conf, upstreams, err) < 0) {
		upstreams_free(upstreams);
		return -1;
	}
	if (upstreams->count)
		*ret_upstreams = upstreams;
	else
		upstreams_free(upstreams);
	return 0;
}

static void line_free(struct upstream_line *line)
{
	remote_close(&line->remote);
	web_close(line->web);
	free(line);
}

void upstreams_free(struct upstreams *upstreams)
{
	struct upstream_line *line;

	if (!upstreams)
		return;
	while ((line = upstreams->idle)) {
		upstreams->idle = line->next;
		line_free(line);
	}
	pthread_mutex_destroy(&upstreams->lock);
	buf_release(&upstreams->roots);
	free(upstreams);
}

struct upstream *upstreams_find(struct upstreams *upstreams, const char *repo,
				const char **ret_remote)
{
	struct upstream *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; upstreams && i < upstreams->count; i++) {
		struct upstream *upstream = &upstreams->list[i];
		size_t len = strlen(upstream->namespace);

		if (len && (strncmp(repo, upstream->namespace, len) || repo[len] != '/'))
			continue;
		if (found && len < longest)
			continue;
		found = upstream;
		longest = len;
		*ret_remote = len ? repo + len + 1 : repo;
	}
	return found;
}

static int poll_stop(void *arg, struct shale_err *err)
{
	struct upstreams *upstreams = arg;

	if (clock_seconds() < atomic_load(&upstreams->stop_at))
		return 0;
	return shale_err_set(err, ECANCELED, "the server is being stopped");
}

static void set_creds(const struct upstream *upstream, struct remote *remote)
{
	/* Nobody else's, from files of whoever runs the server, may be found. */
	remote->has_creds = true;
	if (!upstream->username)
		return;
	remote->creds.username = strdup(upstream->username);
	remote->creds.password = strdup(upstream->password ? upstream->password : "");
}

/*
 * The address is the configuration's, so neither is https tried where it says http, nor the other way
 * round; and a certificate is checked, on this machine too.
 */
static int line_dial(struct upstream_line *line, struct shale_err *err)
{
	struct upstreams *upstreams = line->upstreams;
	struct upstream *upstream = line->upstream;
	const char *host = strstr(upstream->url, "://") + 3;
	struct origin origin = { 0 };
	struct remote_wish wish = {
		.web = line->web,
		.opts = &upstreams->opts,
		.origin = &origin,
		.actions = "pull",
	};

	snprintf(origin.host, sizeof(origin.host), "%.*s", (int)strcspn(host, "/"), host);
	snprintf(origin.endpoint, sizeof(origin.endpoint), "%s", origin.host);
	snprintf(origin.repository, sizeof(origin.repository), "%s", line->repository);
	if (remote_init(&wish, &line->remote, err) < 0)
		return -1;
	set_creds(upstream, &line->remote);
	line->remote.base = strdup(upstream->url);
	line->remote.is_insecure = web_is_plain(upstream->url);
	line->remote.tls.is_insecure = line->remote.is_insecure;
	if (upstreams->roots.len) {
		line->remote.tls.roots = upstreams->roots.data;
		line->remote.tls.roots_len = upstreams->roots.len;
	}
	if (line->remote.base && !upstream->username == !line->remote.creds.username)
		return 0;
	remote_close(&line->remote);
	return shale_err_set(err, EAGAIN, "no memory for a connection");
}

/* One that has a token for the repository, or else one of the same host, or none. */
static struct upstream_line *take_idle_locked(struct upstreams *upstreams,
					      const struct upstream *upstream, const char *repository)
{
	struct upstream_line **best = NULL;
	struct upstream_line *line;

	for (struct upstream_line **at = &upstreams->idle; *at; at = &(*at)->next) {
		if ((*at)->upstream != upstream)
			continue;
		best = at;
		if (!strcmp((*at)->repository, repository))
			break;
	}
	if (!best)
		return NULL;
	line = *best;
	*best = line->next;
	upstreams->idle_count--;
	return line;
}

static struct upstream_line *line_new(struct upstreams *upstreams, struct upstream *upstream,
				      struct shale_err *err)
{
	const struct web_opts opts = {
		.stall_seconds = upstreams->opts.stall_seconds,
		.poll = poll_stop,
		.arg = upstreams,
	};
	struct upstream_line *line = calloc(1, sizeof(*line));

	if (!line) {
		shale_err_set(err, EAGAIN, "no memory for a connection");
		return NULL;
	}
	line->upstreams = upstreams;
	line->upstream = upstream;
	if (web_open(&opts, &line->web, err) == 0)
		return line;
	free(line);
	return NULL;
}

int upstream_take(struct upstreams *upstreams, struct upstream *upstream, const char *repository,
		  struct upstream_line **ret_line, struct shale_err *err)
{
	struct upstream_line *line;

	*ret_line = NULL;
	pthread_mutex_lock(&upstreams->lock);
	line = take_idle_locked(upstreams, upstream, repository);
	pthread_mutex_unlock(&upstreams->lock);
	if (!line)
		line = line_new(upstreams, upstream, err);
	if (!line)
		return -1;
	if (strcmp(line->repository, repository)) {
		remote_close(&line->remote);
		snprintf(line->repository, sizeof(line->repository), "%s", repository);
		if (line_dial(line, err) < 0) {
			line_free(line);
			return -1;
		}
	}
	*ret_line = line;
	return 0;
}

int upstream_request(struct upstream_line *line, struct web_request *request, struct shale_err *err)
{
	if (remote_request(&line->remote, request, 0, err) == 0)
		return 0;
	/* A certificate that is not trusted is no refusal of the upstream's. */
	if (request->has_failed && (err->code == EACCES || err->code == ENOENT))
		err->code = EPROTO;
	return -1;
}

void upstream_give_back(struct upstream_line *line)
{
	struct upstreams *upstreams;

	if (!line)
		return;
	upstreams = line->upstreams;
	pthread_mutex_lock(&upstreams->lock);
	if (upstreams->idle_count < UPSTREAM_MAX_IDLE && line->remote.base) {
		line->next = upstreams->idle;
		upstreams->idle = line;
		upstreams->idle_count++;
		line = NULL;
	}
	pthread_mutex_unlock(&upstreams->lock);
	if (line)
		line_free(line);
}

void upstream_give_backp(struct upstream_line **line)
{
	upstream_give_back(*line);
}
