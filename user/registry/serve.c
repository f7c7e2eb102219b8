// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb serve; see serve.h. Signals are blocked in all threads and waited for here; systemd is told
 * when we are ready and when we stop.
 */
#include "registry/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "httpd/listen.h"
#include "httpd/manager.h"
#include "registry/debug.h"
#include "registry/gate.h"
#include "registry/maintain.h"
#include "registry/meter.h"
#include "registry/notify.h"
#include "registry/proxy.h"
#include "registry/quota.h"
#include "registry/scan.h"

#define EVENTS_NAME "events.db"

int serve_open(const struct settings *settings, bool is_readonly, struct reg *reg,
	       struct shale_err *err)
{
	enum catalog_state state;

	*reg = (struct reg){ .settings = settings->reg };
	if (reg_init(reg, err) < 0)
		return -1;
	if (quota_load(conf_get(settings->conf, "shale.quotas"), &reg->quota, err) < 0 ||
	    upstreams_load(settings->conf, &reg->upstreams, err) < 0 ||
	    settings_open_bucket(settings, is_readonly, &reg->bucket, err) < 0)
		return -1;
	if (catalog_open(is_readonly ? ":memory:" : settings->index, &reg->catalog, &state, err) < 0)
		return -1;
	if (is_readonly)
		return 0;
	if (state == CATALOG_CRASHED)
		log_text(LOG_LEVEL_INFO, "index", "the index is made anew from the storage");
	return scan_by_state(reg, state, err);
}

void serve_close(struct reg *reg)
{
	gate_close(reg->gate);
	catalog_close(reg->catalog);
	bucket_release(reg->bucket);
	upstreams_free(reg->upstreams);
	quota_free(reg->quota);
	meter_free(reg->meter);
	reg_release(reg);
}

static int listen_one(struct httpd *httpd, int fd, const struct settings *settings,
		      struct shale_err *err)
{
	const struct httpd_tls *tls = settings->tls.certificate ? &settings->tls : NULL;
	char text[256] = "?";

	listen_describe(fd, text, sizeof(text));
	if (httpd_listen(httpd, fd, tls, err) < 0)
		return -1;
	log_text(LOG_LEVEL_INFO, "server", "listening on %s%s", text, tls ? ", tls" : "");
	return 0;
}

/* Sockets that systemd holds for us, or else the configuration's address. */
static int listen_all(struct httpd *httpd, const struct settings *settings, struct shale_err *err)
{
	int inherited = listen_inherited();
	char address[512];
	int fd;

	for (fd = LISTEN_FIRST; fd < LISTEN_FIRST + inherited; fd++)
		if (listen_one(httpd, fd, settings, err) < 0)
			return -1;
	if (inherited)
		return 0;
	snprintf(address, sizeof(address), "%s%s", settings->is_unix ? "unix:" : "",
		 settings->address);
	fd = listen_open(address, settings->socket_mode, err);
	return fd < 0 ? -1 : listen_one(httpd, fd, settings, err);
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Files that cannot be read or do not fit each other leave the old ones in force. */
static void reload_tls(const struct settings *settings, struct httpd *httpd)
{
	struct settings_pem pem;
	struct httpd_tls tls;
	struct shale_err err = { 0 };

	if (settings_read_tls(settings, &pem, &tls, &err) == 0 &&
	    (!tls.certificate || httpd_change_tls(httpd, &tls, &err) == 0))
		log_text(LOG_LEVEL_INFO, "server", "%s",
			 tls.certificate ? "the files of http.tls were read again" :
					   "there is no http.tls to read again");
	else
		log_text(LOG_LEVEL_ERROR, "server", "http.tls stays as it is: %s", err.msg);
	settings_release_pem(&pem);
}

/* SIGUSR1 runs the collector, SIGHUP takes new certificates; the others end us. */
static void wait_for_end(const sigset_t *signals, const struct settings *settings, struct reg *reg,
			 struct maintainer *maintainer)
{
	int which;

	while (sigwait(signals, &which) == 0 && (which == SIGUSR1 || which == SIGHUP)) {
		if (which == SIGUSR1)
			maintain_sweep_now(maintainer);
		else
			reload_tls(settings, reg->httpd);
	}
}

/* Beside the index, in memory where that is. */
static void print_queue_path(const struct settings *settings, char *path, size_t size)
{
	const char *slash = strrchr(settings->index, '/');

	if (!strcmp(settings->index, ":memory:"))
		snprintf(path, size, ":memory:");
	else
		snprintf(path, size, "%.*s" EVENTS_NAME,
			 slash ? (int)(slash - settings->index + 1) : 0, settings->index);
}

/* "machine:5000", which tells receivers of several servers' events whose they are. */
static void print_source(const struct settings *settings, char *text, size_t size)
{
	const char *port = settings->is_unix ? NULL : strrchr(settings->address, ':');
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	snprintf(text, size, "%s%s", name, port ? port : "");
}

static void complain(const char *endpoint, const char *text)
{
	log_text(LOG_LEVEL_WARN, "notifications", "'%s' does not take events: %s", endpoint, text);
}

int serve_open_queue(const struct settings *settings, struct reg *reg, struct shale_err *err)
{
	char path[sizeof(settings->index) + sizeof(EVENTS_NAME)];
	char source[320];

	if (!reg->meter)
		reg->meter = meter_new(err);
	if (!reg->meter)
		return -1;
	print_queue_path(settings, path, sizeof(path));
	print_source(settings, source, sizeof(source));
	return notify_open(conf_get(settings->conf, "notifications"), path, source,
			   meter_metrics(reg->meter), complain, &reg->notify, err);
}

/* What runs beside the server. */
struct beside {
	struct maintainer *maintainer;
	struct debug *debug;
};

static int start_beside(const struct settings *settings, struct reg *reg, struct beside *beside,
			struct shale_err *err)
{
	if (quota_open(reg->quota, reg->bucket, false, meter_metrics(reg->meter), err) < 0 ||
	    serve_open_queue(settings, reg, err) < 0 ||
	    proxy_open(reg, settings->limits.workers, &reg->proxy, err) < 0 ||
	    maintain_start(reg, settings, &beside->maintainer, err) < 0)
		return -1;
	return debug_start(reg, settings, &beside->debug, err);
}

/* Requests first, for they make events; then the events. */
static void stop_all(const struct settings *settings, struct reg *reg, struct beside *beside)
{
	proxy_drain(reg->proxy, settings->limits.drain_seconds);
	httpd_stop(reg->httpd);
	maintain_stop(beside->maintainer);
	proxy_close(reg->proxy);
	notify_close(reg->notify, settings->limits.drain_seconds * 1000ll);
	debug_stop(beside->debug);
}

static int run_server(const struct settings *settings, struct reg *reg, struct shale_err *err)
{
	struct beside beside = { NULL, NULL };
	sigset_t signals;
	int ret;

	block_signals(&signals);
	reg->meter = meter_new(err);
	if (!reg->meter || httpd_start(&call_ops, reg, &settings->limits, &reg->httpd, err) < 0)
		return -1;
	meter_watch(reg->meter, reg->bucket, settings->driver);
	ret = start_beside(settings, reg, &beside, err);
	if (ret == 0)
		ret = listen_all(reg->httpd, settings, err);
	if (ret == 0) {
		manager_notify("READY=1");
		wait_for_end(&signals, settings, reg, beside.maintainer);
		log_text(LOG_LEVEL_INFO, "server", "draining");
		manager_notify("STOPPING=1");
	}
	stop_all(settings, reg, &beside);
	return ret;
}

int serve_run(const struct settings *settings, struct shale_err *err)
{
	struct reg reg;
	int ret = serve_open(settings, false, &reg, err);

	if (ret == 0)
		ret = gate_open(conf_get(settings->conf, "auth"), conf_get(settings->conf, "policy"),
				&reg.gate, err);
	if (ret == 0)
		ret = run_server(settings, &reg, err);
	serve_close(&reg);
	if (ret == 0)
		log_text(LOG_LEVEL_INFO, "server", "stopped");
	return ret;
}
