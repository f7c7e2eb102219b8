// SPDX-License-Identifier: GPL-2.0-only
/*
 * The typed configuration; see settings.h. Each function reads one of its top-level keys. Called by the
 * verbs of main.c.
 */
#include "registry/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/proxy.h"

#define MAX_PEM (1u << 20)

static const struct settings defaults = {
	.reg = {
		.prefix = "",
		.catalog_max = 1000,
		.tags_max = 1000,
	},
	.address = ":5000",
	.socket_mode = 0660,
	.metrics_path = "/metrics",
	.refresh_seconds = 60,
	.is_purging = true,
	.purge_age = 168 * 3600,
	.purge_interval = 24 * 3600,
	.has_health_check = true,
	.health_interval = 10,
	.health_threshold = 3,
	.sweep_interval = 24 * 3600,
	.sweep_age = 24 * 3600,
	.retain_interval = 24 * 3600,
};

static int read_log(struct settings *settings, struct shale_err *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR }, { "warn", LOG_LEVEL_WARN },
		{ "warning", LOG_LEVEL_WARN }, { "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	const char *level = "info";
	const char *formatter = "text";
	bool is_disabled = false;
	size_t i = 0;

	if (conf_text(settings->conf, "loglevel", &level, err) < 0 ||
	    conf_text(settings->conf, "log.level", &level, err) < 0 ||
	    conf_text(settings->conf, "log.formatter", &formatter, err) < 0 ||
	    conf_bool(settings->conf, "log.accesslog.disabled", &is_disabled, err) < 0)
		return -1;
	while (i < sizeof(levels) / sizeof(*levels) && strcmp(levels[i].name, level))
		i++;
	if (i == sizeof(levels) / sizeof(*levels))
		return shale_err_set(err, EINVAL, "log.level: there is no level '%.50s'", level);
	if (strcmp(formatter, "text") && strcmp(formatter, "json") && strcmp(formatter, "logstash"))
		return shale_err_set(err, EINVAL, "log.formatter: there is no '%.50s'", formatter);
	log_setup(levels[i].level, strcmp(formatter, "text"));
	log_setup_calls(!is_disabled);
	return 0;
}

/* What is below storage and not a driver. */
static bool is_storage_option(const char *key)
{
	static const char *const options[] = { "cache", "delete", "maintenance", "redirect", "tag" };

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (!strcmp(options[i], key))
			return true;
	return false;
}

static char *keep_text(struct settings *settings, char *text)
{
	if (!text || settings->text_count == sizeof(settings->texts) / sizeof(*settings->texts)) {
		free(text);
		return NULL;
	}
	settings->texts[settings->text_count++] = text;
	return text;
}

/* A scalar's text: a string's own, another's as JSON prints it. */
static const char *scalar_text(struct settings *settings, const json_t *value)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_null(value))
		return "";
	return keep_text(settings, json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT));
}

static int read_params(struct settings *settings, const json_t *tree, const char *above,
		       struct shale_err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)tree, name, value) {
		char *key = NULL;
		struct bucket_param *param = &settings->params[settings->param_count];

		if (settings->param_count == SETTINGS_MAX_PARAMS)
			return shale_err_set(err, E2BIG, "storage.%s has more than %d parameters",
					     settings->driver, SETTINGS_MAX_PARAMS);
		if (asprintf(&key, "%s%s%s", above, *above ? "." : "", name) < 0 ||
		    !keep_text(settings, key))
			return shale_err_set(err, ENOMEM, "no memory for the configuration");
		if (json_is_object(value)) {
			if (read_params(settings, value, key, err) < 0)
				return -1;
			continue;
		}
		param->key = key;
		param->value = scalar_text(settings, value);
		if (!param->value)
			return shale_err_set(err, ENOMEM, "no memory for the configuration");
		settings->param_count++;
	}
	return 0;
}

static int read_driver(struct settings *settings, struct shale_err *err)
{
	const json_t *storage = conf_get(settings->conf, "storage");
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)storage, name, value) {
		if (is_storage_option(name))
			continue;
		if (settings->driver)
			return shale_err_set(err, EINVAL, "storage: '%s' and '%s': one driver is needed",
					     settings->driver, name);
		settings->driver = name;
		if (!json_is_object(value) && !json_is_null(value))
			return shale_err_set(err, EINVAL, "storage.%s is no mapping of keys", name);
		if (read_params(settings, value, "", err) < 0)
			return -1;
	}
	if (!settings->driver)
		return shale_err_set(err, EINVAL, "storage: no driver is named");
	return 0;
}

static int read_storage(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;
	struct reg_settings *reg = &settings->reg;

	if (conf_bool(conf, "storage.delete.enabled", &reg->is_delete_enabled, err) < 0 ||
	    conf_bool(conf, "storage.redirect.disable", &reg->is_redirect_disabled, err) < 0 ||
	    conf_bool(conf, "storage.maintenance.readonly.enabled", &reg->is_readonly, err) < 0 ||
	    conf_bool(conf, "storage.maintenance.uploadpurging.enabled", &settings->is_purging,
		      err) < 0 ||
	    conf_bool(conf, "storage.maintenance.uploadpurging.dryrun", &settings->is_purge_dry,
		      err) < 0 ||
	    conf_seconds(conf, "storage.maintenance.uploadpurging.age", &settings->purge_age, err) <
		    0 ||
	    conf_seconds(conf, "storage.maintenance.uploadpurging.interval",
			 &settings->purge_interval, err) < 0)
		return -1;
	return read_driver(settings, err);
}

static int read_headers(struct settings *settings, struct shale_err *err)
{
	const json_t *headers = conf_get(settings->conf, "http.headers");
	struct reg_settings *reg = &settings->reg;
	const char *name;
	json_t *list;
	json_t *value;
	size_t index;

	json_object_foreach((json_t *)headers, name, list) {
		if (!json_is_array(list))
			return shale_err_set(err, EINVAL, "'http.headers.%s' is no list", name);
		json_array_foreach(list, index, value) {
			if (!json_is_string(value))
				return shale_err_set(err, EINVAL, "'http.headers.%s': not a text", name);
			if (reg->field_count == REG_MAX_FIELDS)
				return shale_err_set(err, E2BIG, "http.headers: more than %d",
						     REG_MAX_FIELDS);
			reg->fields[reg->field_count++] =
				(struct reg_field){ name, json_string_value(value) };
		}
	}
	return 0;
}

static int read_pem(const json_t *conf, const char *key, struct buf *buf, struct shale_err *err)
{
	const char *path = NULL;

	if (conf_text(conf, key, &path, err) < 0)
		return -1;
	if (path && fs_read_file(AT_FDCWD, path, MAX_PEM, buf, err) < 0)
		return shale_err_wrap(err, "%s", key);
	return path && !buf->len ? shale_err_set(err, EINVAL, "%s: %s is empty", key, path) : 0;
}

static int read_authorities(const json_t *conf, struct buf *buf, struct shale_err *err)
{
	const json_t *list = conf_get(conf, "http.tls.clientcas");
	json_t *value;
	size_t index;

	if (list && !json_is_array(list))
		return shale_err_set(err, EINVAL, "'http.tls.clientcas' is no list");
	json_array_foreach(list, index, value) {
		if (!json_is_string(value))
			return shale_err_set(err, EINVAL, "'http.tls.clientcas': not a text");
		if (fs_read_file(AT_FDCWD, json_string_value(value), MAX_PEM, buf, err) < 0)
			return shale_err_wrap(err, "http.tls.clientcas");
	}
	return 0;
}

static int read_minimum(const json_t *conf, struct httpd_tls *tls, struct shale_err *err)
{
	const char *minimum = "tls1.2";

	if (conf_text(conf, "http.tls.minimumtls", &minimum, err) < 0)
		return -1;
	if (!strcmp(minimum, "tls1.3"))
		tls->priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
	else if (strcmp(minimum, "tls1.2"))
		return shale_err_set(err, EINVAL, "http.tls.minimumtls: '%.20s' is not spoken", minimum);
	return 0;
}

static int read_clients(const json_t *conf, struct httpd_tls *tls, struct shale_err *err)
{
	static const struct {
		const char *name;
		enum httpd_clients clients;
		bool wants_authorities;
	} modes[] = {
		{ "none", HTTPD_CLIENTS_NOT_ASKED, false },
		{ "request-client-cert", HTTPD_CLIENTS_ASKED, false },
		{ "require-any-client-cert", HTTPD_CLIENTS_WITH_ANY, false },
		{ "verify-client-cert-if-given", HTTPD_CLIENTS_GOOD_IF_ANY, true },
		{ "require-and-verify-client-cert", HTTPD_CLIENTS_GOOD, true },
	};
	const char *mode = tls->client_authorities ? "require-and-verify-client-cert" : "none";
	size_t i = 0;

	if (conf_text(conf, "http.tls.clientauth", &mode, err) < 0)
		return -1;
	while (i < sizeof(modes) / sizeof(*modes) && strcmp(modes[i].name, mode))
		i++;
	if (i == sizeof(modes) / sizeof(*modes))
		return shale_err_set(err, EINVAL, "http.tls.clientauth: there is no '%.50s'", mode);
	if (modes[i].wants_authorities && !tls->client_authorities)
		return shale_err_set(err, EINVAL, "http.tls.clientauth: '%s' needs http.tls.clientcas",
				     mode);
	tls->clients = modes[i].clients;
	return 0;
}

int settings_read_tls(const struct settings *settings, struct settings_pem *ret_pem,
		      struct httpd_tls *ret_tls, struct shale_err *err)
{
	const json_t *conf = settings->conf;

	*ret_pem = (struct settings_pem){ BUF_INIT, BUF_INIT, BUF_INIT };
	*ret_tls = (struct httpd_tls){ 0 };
	if (read_pem(conf, "http.tls.certificate", &ret_pem->certificate, err) < 0 ||
	    read_pem(conf, "http.tls.key", &ret_pem->key, err) < 0 ||
	    read_authorities(conf, &ret_pem->client_authorities, err) < 0)
		return -1;
	if (!ret_pem->certificate.len != !ret_pem->key.len)
		return shale_err_set(err, EINVAL, "http.tls needs both a certificate and a key");
	if (ret_pem->certificate.len) {
		ret_tls->certificate = buf_str(&ret_pem->certificate);
		ret_tls->key = buf_str(&ret_pem->key);
	}
	if (ret_pem->client_authorities.len)
		ret_tls->client_authorities = buf_str(&ret_pem->client_authorities);
	return read_minimum(conf, ret_tls, err) < 0 ? -1 : read_clients(conf, ret_tls, err);
}

void settings_release_pem(struct settings_pem *pem)
{
	buf_release(&pem->certificate);
	buf_release(&pem->key);
	buf_release(&pem->client_authorities);
}

static int read_tls(struct settings *settings, struct shale_err *err)
{
	return settings_read_tls(settings, &settings->pem, &settings->tls, err);
}

static int read_address(struct settings *settings, struct shale_err *err)
{
	const char *net = "tcp";

	if (conf_text(settings->conf, "http.addr", &settings->address, err) < 0 ||
	    conf_text(settings->conf, "http.net", &net, err) < 0)
		return -1;
	settings->is_unix = !strcmp(net, "unix");
	if (!settings->is_unix && strcmp(net, "tcp"))
		return shale_err_set(err, EINVAL, "http.net: neither tcp nor unix");
	return 0;
}

/* A prefix is "/", "/a/" or "/a"; ours has no slash at its end. */
static int read_prefix(struct settings *settings, struct shale_err *err)
{
	const char *prefix = "";
	size_t len;
	char *copy;

	if (conf_text(settings->conf, "http.prefix", &prefix, err) < 0)
		return -1;
	len = strlen(prefix);
	if (len && prefix[0] != '/')
		return shale_err_set(err, EINVAL, "http.prefix does not begin with a slash");
	while (len && prefix[len - 1] == '/')
		len--;
	copy = keep_text(settings, strndup(prefix, len));
	if (!copy)
		return shale_err_set(err, ENOMEM, "no memory for the configuration");
	settings->reg.prefix = copy;
	return 0;
}

static int read_http(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;
	uint64_t drain = settings->limits.drain_seconds;

	if (read_address(settings, err) < 0 || read_prefix(settings, err) < 0 ||
	    conf_text(conf, "http.host", &settings->reg.host, err) < 0 ||
	    conf_bool(conf, "http.relativeurls", &settings->reg.is_relative, err) < 0 ||
	    conf_seconds(conf, "http.draintimeout", &drain, err) < 0 ||
	    conf_text(conf, "http.debug.addr", &settings->debug_address, err) < 0 ||
	    conf_bool(conf, "http.debug.prometheus.enabled", &settings->has_metrics, err) < 0 ||
	    conf_text(conf, "http.debug.prometheus.path", &settings->metrics_path, err) < 0)
		return -1;
	settings->limits.drain_seconds = drain < 3600 ? drain : 3600;
	return read_headers(settings, err) < 0 ? -1 : read_tls(settings, err);
}

static int read_platforms(struct settings *settings, struct shale_err *err)
{
	const json_t *list = conf_get(settings->conf, "validation.indexes.platformlist");
	struct reg_settings *reg = &settings->reg;
	const char *mode = "all";
	json_t *value;
	size_t index;

	if (conf_text(settings->conf, "validation.indexes.platforms", &mode, err) < 0)
		return -1;
	if (!strcmp(mode, "none"))
		reg->platforms = PLATFORMS_NONE;
	else if (!strcmp(mode, "list"))
		reg->platforms = PLATFORMS_LIST;
	else if (strcmp(mode, "all"))
		return shale_err_set(err, EINVAL, "validation.indexes.platforms: there is no '%.20s'",
				     mode);
	json_array_foreach(list, index, value) {
		struct reg_platform platform = {
			json_string_value(json_object_get(value, "os")),
			json_string_value(json_object_get(value, "architecture")),
		};

		if (!platform.os || !platform.architecture || index == SETTINGS_MAX_PLATFORMS)
			return shale_err_set(err, EINVAL, "validation.indexes.platformlist[%zu]: not an "
							  "os and an architecture, or too many", index);
		settings->platforms[index] = platform;
		reg->platform_count = index + 1;
	}
	return 0;
}

static int read_number(const json_t *conf, const char *path, unsigned int min, unsigned int max,
		       unsigned int *value, struct shale_err *err)
{
	uint64_t number = *value;

	if (conf_number(conf, path, min, max, &number, err) < 0)
		return -1;
	*value = number;
	return 0;
}

static int read_limits(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;
	struct httpd_limits *limits = &settings->limits;
	uint64_t idle = limits->idle_seconds;

	/* Many of them wait for upstreams. */
	if (conf_get(conf, "proxy.remoteurl") || conf_get(conf, "shale.upstreams"))
		limits->workers = PROXY_WORKERS;
	if (read_number(conf, "shale.threads", 1, 64, &limits->threads, err) < 0 ||
	    read_number(conf, "shale.workers", 2, 1024, &limits->workers, err) < 0 ||
	    read_number(conf, "shale.connections", 1, 1000000, &limits->connections, err) < 0 ||
	    read_number(conf, "shale.perclient", 0, 1000000, &limits->per_client, err) < 0 ||
	    read_number(conf, "shale.kept", 1, 1000000, &limits->kept, err) < 0 ||
	    conf_seconds(conf, "shale.idletimeout", &idle, err) < 0 ||
	    conf_number(conf, "shale.socketmode", 0, 0777, &settings->socket_mode, err) < 0 ||
	    conf_seconds(conf, "shale.refresh", &settings->refresh_seconds, err) < 0)
		return -1;
	limits->idle_seconds = idle < 1 ? 1 : idle > 86400 ? 86400 : idle;
	return 0;
}

static int read_sweep(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;

	if (conf_bool(conf, "shale.gc.enabled", &settings->is_sweeping, err) < 0 ||
	    conf_seconds(conf, "shale.gc.interval", &settings->sweep_interval, err) < 0 ||
	    conf_seconds(conf, "shale.gc.age", &settings->sweep_age, err) < 0 ||
	    conf_bool(conf, "shale.gc.untagged", &settings->is_sweeping_untagged, err) < 0)
		return -1;
	return 0;
}

static int read_retention(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;

	if (conf_bool(conf, "shale.retention.enabled", &settings->is_retaining, err) < 0 ||
	    conf_bool(conf, "shale.retention.dryrun", &settings->is_retain_dry, err) < 0 ||
	    conf_seconds(conf, "shale.retention.interval", &settings->retain_interval, err) < 0)
		return -1;
	return retain_rules_load(conf_get(conf, "shale.retention.rules"), &settings->retain_rules, err);
}

static int read_health(struct settings *settings, struct shale_err *err)
{
	const json_t *conf = settings->conf;

	if (conf_bool(conf, "health.storagedriver.enabled", &settings->has_health_check, err) < 0 ||
	    conf_seconds(conf, "health.storagedriver.interval", &settings->health_interval, err) < 0 ||
	    conf_number(conf, "health.storagedriver.threshold", 1, 1000, &settings->health_threshold,
			err) < 0)
		return -1;
	return 0;
}

/* Beside the storage where that is a directory, else where the system keeps programs' data. */
static int read_index(struct settings *settings, struct shale_err *err)
{
	const struct bucket_params params = { settings->params, settings->param_count };
	const char *root = bucket_param_text(&params, "rootdirectory", "/var/lib/registry");
	const char *path = NULL;

	if (conf_text(settings->conf, "shale.index", &path, err) < 0)
		return -1;
	if (path)
		snprintf(settings->index, sizeof(settings->index), "%s", path);
	else if (!strcmp(settings->driver, "filesystem"))
		snprintf(settings->index, sizeof(settings->index), "%s/.shale/index.db", root);
	else if (!strcmp(settings->driver, "inmemory"))
		snprintf(settings->index, sizeof(settings->index), ":memory:");
	else
		snprintf(settings->index, sizeof(settings->index), SETTINGS_DEFAULT_INDEX);
	return 0;
}

static int read_lists(struct settings *settings, struct shale_err *err)
{
	struct reg_settings *reg = &settings->reg;

	if (conf_number(settings->conf, "catalog.maxentries", 1, 1000000, &reg->catalog_max, err) < 0)
		return -1;
	return conf_number(settings->conf, "tags.maxtags", 1, 1000000, &reg->tags_max, err);
}

int settings_from(json_t *conf, struct settings *settings, struct shale_err *err)
{
	static int (*const readers[])(struct settings *, struct shale_err *) = {
		read_log,   read_storage, read_http,  read_platforms, read_limits,
		read_sweep, read_health,  read_index, read_lists,     read_retention,
	};

	*settings = defaults;
	settings->conf = conf;
	settings->limits = httpd_limits_default;
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		if (readers[i](settings, err) < 0) {
			settings_release(settings);
			return -1;
		}
	settings->reg.platform_list = settings->platforms;
	return 0;
}

static void say_ignored(const char *key)
{
	log_text(LOG_LEVEL_WARN, "configuration", "'%s' means nothing here and is ignored", key);
}

int settings_load(const char *path, struct settings *settings, struct shale_err *err)
{
	json_t *conf;

	if (conf_load(path, environ, &conf, say_ignored, err) < 0)
		return -1;
	if (settings_from(conf, settings, err) < 0)
		return shale_err_wrap(err, "%s", path);
	return 0;
}

void settings_release(struct settings *settings)
{
	while (settings->text_count)
		free(settings->texts[--settings->text_count]);
	settings_release_pem(&settings->pem);
	retain_rules_release(&settings->retain_rules);
	json_decref(settings->conf);
	settings->conf = NULL;
}

int settings_open_bucket(const struct settings *settings, bool is_readonly,
			 struct bucket **ret_bucket, struct shale_err *err)
{
	struct bucket_param list[SETTINGS_MAX_PARAMS + 1];
	struct bucket_params params = { list, settings->param_count };

	memcpy(list, settings->params, settings->param_count * sizeof(*list));
	if (is_readonly)
		list[params.count++] = (struct bucket_param){ BUCKET_PARAM_READONLY, "true" };
	return bucket_open(settings->driver, &params, ret_bucket, err);
}
