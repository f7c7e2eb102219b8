/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration as the programs use it: typed, with defaults, its files read, the storage's
 * parameters flat. Texts are the configuration's, which lives as long.
 */
#ifndef SHALE_REGISTRY_SETTINGS_H
#define SHALE_REGISTRY_SETTINGS_H

#include "registry/conf.h"
#include "registry/log.h"
#include "registry/reg.h"
#include "registry/retain_rules.h"

#define SETTINGS_DEFAULT_PATH  "/etc/shale-registry/config.yml"
#define SETTINGS_DEFAULT_INDEX "/var/lib/shale-registry/index.db"
/* Parameters of a storage driver, and platforms of validation.indexes. */
#define SETTINGS_MAX_PARAMS    64
#define SETTINGS_MAX_PLATFORMS 64

/* The files of http.tls. */
struct settings_pem {
	struct buf certificate;
	struct buf key;
	struct buf client_authorities;
};

struct settings {
	json_t *conf;
	struct reg_settings reg;
	struct httpd_limits limits;
	const char *driver;
	struct bucket_param params[SETTINGS_MAX_PARAMS];
	size_t param_count;
	char *texts[2 * SETTINGS_MAX_PARAMS + 1]; /* keys and values that had to be made */
	size_t text_count;
	struct reg_platform platforms[SETTINGS_MAX_PLATFORMS];
	const char *address;
	bool is_unix;
	uint64_t socket_mode;
	struct settings_pem pem;
	struct httpd_tls tls; /* points into pem; without a certificate: none */
	const char *debug_address;
	bool has_metrics;
	const char *metrics_path;
	char index[4096];
	uint64_t refresh_seconds;
	bool is_purging;
	bool is_purge_dry;
	uint64_t purge_age;
	uint64_t purge_interval;
	bool has_health_check;
	uint64_t health_interval;
	uint64_t health_threshold;
	bool is_sweeping;
	uint64_t sweep_interval;
	uint64_t sweep_age;
	bool is_sweeping_untagged;
	struct retain_rules retain_rules;
	bool is_retaining;
	bool is_retain_dry;
	uint64_t retain_interval;
};

#define __cleanup_settings __attribute__((cleanup(settings_release)))

/* Reads the file and the environment. */
int settings_load(const char *path, struct settings *settings, struct shale_err *err);
int settings_from(json_t *conf, struct settings *settings, struct shale_err *err);
void settings_release(struct settings *settings);
/*
 * Reads the files of http.tls once more. The caller releases ret_pem, into which ret_tls points, in any
 * case.
 */
int settings_read_tls(const struct settings *settings, struct settings_pem *ret_pem,
		      struct httpd_tls *ret_tls, struct shale_err *err);
void settings_release_pem(struct settings_pem *pem);
/* The bucket they describe. */
int settings_open_bucket(const struct settings *settings, bool is_readonly,
			 struct bucket **ret_bucket, struct shale_err *err);

#endif
