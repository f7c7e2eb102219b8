// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the configuration to what decides; see gate.h. The keys of `auth:` are distribution's, and
 * `builtin` below `token` is ours. Called by the server's main at its start.
 */
#include "registry/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/issuer_keys.h"
#include "registry/jwt.h"
#include "registry/keyfile.h"
#include "store/json.h"

/* distribution's autoredirectpath. */
#define DEFAULT_TOKEN_PATH "/auth/token"
#define DEFAULT_JWKS_PATH  "/auth/jwks.json"
#define DEFAULT_NAME	   "shale-registry"

static int check_known(const json_t *object, const char *const *known, const char *what,
		       struct shale_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		const char *const *at = known;

		while (*at && strcmp(*at, key))
			at++;
		if (!*at)
			return shale_err_set(err, EINVAL, "%s: unknown key '%.100s'", what, key);
	}
	return 0;
}

/* Goes into headers: printable ASCII. */
static int get_line(const json_t *object, const char *field, bool optional, const char *what,
		    const char **ret_text, struct shale_err *err)
{
	if (json_get_text(object, field, optional, what, ret_text, err) < 0)
		return -1;
	if (!*ret_text)
		return 0;
	if (!(*ret_text)[0])
		return shale_err_set(err, EINVAL, "%s: '%s' is empty", what, field);
	for (const char *at = *ret_text; *at; at++)
		if (*at < ' ' || *at > '~')
			return shale_err_set(err, EINVAL, "%s: '%s' is not plain ASCII", what,
					     field);
	return 0;
}

static int open_htpasswd(struct gate *gate, const json_t *tree, struct shale_err *err)
{
	static const char *const known[] = {"realm", "path", NULL};
	const char *what = "auth.htpasswd";
	const char *path;

	if (check_known(tree, known, what, err) < 0 ||
	    get_line(tree, "realm", false, what, &gate->access.realm, err) < 0 ||
	    get_line(tree, "path", false, what, &path, err) < 0)
		return -1;
	gate->access.mode = ACCESS_HTPASSWD;
	if (htpasswd_open(path, &gate->htpasswd, err) < 0)
		return shale_err_wrap(err, "%s", what);
	gate->access.htpasswd = gate->htpasswd;
	return 0;
}

static int add_file(struct gate *gate, const json_t *tree, const char *field, const char *what,
		    int (*add)(struct jwk_ring *, const void *, size_t, const char *,
			       struct shale_err *),
		    struct shale_err *err)
{
	__cleanup(keyfile_wipe) struct buf text = BUF_INIT;
	const char *path;

	if (get_line(tree, field, true, what, &path, err) < 0)
		return -1;
	if (!path)
		return 0;
	if (keyfile_read(AT_FDCWD, path, GATE_MAX_FILE, &text, NULL, err) < 0 ||
	    add(gate->keys, buf_str(&text), text.len, path, err) < 0)
		return shale_err_wrap(err, "%s.%s", what, field);
	return 0;
}

static int get_algorithms(struct gate *gate, const json_t *tree, const char *what,
			  struct shale_err *err)
{
	json_t *list, *entry;
	size_t i;

	if (json_get_array(tree, "signingalgorithms", JWT_ALGORITHMS, true, what, &list, err) < 0)
		return -1;
	gate->access.algorithms = json_array_size(list) ? 0 : JWT_DEFAULT;
	json_array_foreach (list, i, entry) {
		const char *name = json_string_value(entry);
		unsigned int bit = name ? jwt_algorithm_bit(name) : 0;

		if (!bit)
			return shale_err_set(
				err, EINVAL,
				"%s.signingalgorithms: '%.40s' is not an algorithm we know", what,
				name ? name : "?");
		gate->access.algorithms |= bit;
	}
	return 0;
}

/* Of another token server. */
static int add_trusted(struct gate *gate, const json_t *tree, const char *what,
		       struct shale_err *err)
{
	if (get_line(tree, "issuer", false, what, &gate->access.issuer, err) < 0 ||
	    add_file(gate, tree, "rootcertbundle", what, jwk_ring_add_certs, err) < 0 ||
	    add_file(gate, tree, "jwks", what, jwk_ring_add_jwks, err) < 0)
		return -1;
	if (!gate->keys->count)
		return shale_err_set(err, EINVAL, "%s: neither rootcertbundle nor jwks", what);
	return 0;
}

static int get_expires(struct gate *gate, const json_t *tree, const char *what,
		       struct shale_err *err)
{
	const json_t *value = json_object_get(tree, "expiration");
	json_int_t seconds = json_integer_value(value);

	gate->issuer.expires = ISSUER_DEFAULT_EXPIRES;
	if (!value)
		return 0;
	if (!json_is_integer(value) || seconds < ISSUER_MIN_EXPIRES || seconds > ISSUER_MAX_EXPIRES)
		return shale_err_set(err, EINVAL, "%s.expiration: not %d to %d seconds", what,
				     ISSUER_MIN_EXPIRES, ISSUER_MAX_EXPIRES);
	gate->issuer.expires = seconds;
	return 0;
}

static int check_paths(const struct gate *gate, const char *what, struct shale_err *err)
{
	if (!gate->token_path || !gate->jwks_path)
		return shale_err_set(err, ENOMEM, "%s", what);
	if (gate->token_path[0] != '/' || !strncmp(gate->token_path, "/v2/", 4) ||
	    strpbrk(gate->token_path, "?#% "))
		return shale_err_set(err, EINVAL, "%s.path: not a path outside /v2/", what);
	return 0;
}

static int open_issuer(struct gate *gate, const json_t *token, const json_t *tree,
		       struct shale_err *err)
{
	static const char *const known[] = {"htpasswd", "keys", "expiration", "path", NULL};
	const char *what = "auth.token.builtin";
	const char *passwords, *keys, *path, *name;

	if (json_object_get(token, "rootcertbundle") || json_object_get(token, "jwks"))
		return shale_err_set(err, EINVAL, "%s: has its own keys: no rootcertbundle or jwks",
				     what);
	if (check_known(tree, known, what, err) < 0 ||
	    get_line(tree, "htpasswd", false, what, &passwords, err) < 0 ||
	    get_line(tree, "keys", false, what, &keys, err) < 0 ||
	    get_line(tree, "path", true, what, &path, err) < 0 ||
	    get_line(token, "issuer", true, "auth.token", &name, err) < 0 ||
	    get_expires(gate, tree, what, err) < 0)
		return -1;
	gate->token_path = strdup(path ? path : DEFAULT_TOKEN_PATH);
	gate->jwks_path = strdup(DEFAULT_JWKS_PATH);
	if (check_paths(gate, what, err) < 0)
		return -1;
	if (htpasswd_open(passwords, &gate->htpasswd, err) < 0 ||
	    issuer_keys_load(keys, gate->keys, err) < 0)
		return shale_err_wrap(err, "%s", what);
	gate->has_issuer = true;
	gate->access.issuer = name ? name : DEFAULT_NAME;
	gate->access.path = gate->token_path;
	gate->issuer.name = gate->access.issuer;
	gate->issuer.keys = gate->keys;
	gate->issuer.htpasswd = gate->htpasswd;
	return 0;
}

/* Where clients are sent: a URL, or with autoredirect and the built-in service a path of ours. */
static int get_realm(struct gate *gate, const json_t *tree, const char *what, struct shale_err *err)
{
	bool redirects = json_is_true(json_object_get(tree, "autoredirect"));
	const char *path;

	if (get_line(tree, "realm", true, what, &gate->access.realm, err) < 0 ||
	    get_line(tree, "autoredirectpath", true, what, &path, err) < 0)
		return -1;
	if (redirects) {
		gate->access.realm = NULL;
		if (!gate->access.path || path)
			gate->access.path = path ? path : DEFAULT_TOKEN_PATH "/";
	}
	if (!gate->access.realm && !gate->access.path)
		return shale_err_set(err, EINVAL, "%s: no field 'realm'", what);
	return 0;
}

static int open_token(struct gate *gate, const json_t *tree, struct shale_err *err)
{
	static const char *const known[] = {"realm",	    "service",
					    "issuer",	    "rootcertbundle",
					    "jwks",	    "signingalgorithms",
					    "autoredirect", "autoredirectpath",
					    "builtin",	    NULL};
	const char *what = "auth.token";
	json_t *builtin;

	gate->access.mode = ACCESS_TOKEN;
	gate->access.keys = gate->keys;
	if (check_known(tree, known, what, err) < 0 ||
	    json_get_object(tree, "builtin", true, what, &builtin, err) < 0 ||
	    get_line(tree, "service", false, what, &gate->access.service, err) < 0 ||
	    get_algorithms(gate, tree, what, err) < 0)
		return -1;
	if ((builtin ? open_issuer(gate, tree, builtin, err) : add_trusted(gate, tree, what, err)) <
	    0)
		return -1;
	gate->issuer.service = gate->access.service;
	return get_realm(gate, tree, what, err);
}

static int open_silly(struct gate *gate, const json_t *tree, struct shale_err *err)
{
	(void)gate;
	(void)tree;
	return shale_err_set(err, ENOTSUP,
			     "auth.silly lets everybody in who sends any Authorization header; "
			     "there is none here");
}

static const struct backend {
	const char *name;
	int (*open)(struct gate *gate, const json_t *tree, struct shale_err *err);
} backends[] = {
	{"htpasswd", open_htpasswd},
	{"token", open_token},
	{"silly", open_silly},
};

/* Nothing below `auth:`, as in `auth: none`, asks nobody. */
static int open_auth(struct gate *gate, const json_t *auth, struct shale_err *err)
{
	const char *name = json_object_iter_key(json_object_iter((json_t *)auth));
	json_t *tree;

	if (!auth || json_is_null(auth) ||
	    (json_is_string(auth) && !strcmp(json_string_value(auth), "none")) ||
	    (json_is_object(auth) && !name) || (name && !strcmp(name, "none")))
		return json_object_size(auth) > 1
			       ? shale_err_set(err, EINVAL, "auth: 'none' and another one")
			       : 0;
	if (!json_is_object(auth))
		return shale_err_set(err, EINVAL, "auth: not a mapping");
	if (json_object_size(auth) > 1)
		return shale_err_set(err, EINVAL, "auth: more than one of htpasswd and token");
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++)
		if (!strcmp(name, backends[i].name))
			return json_get_object(auth, name, false, "auth", &tree, err) < 0
				       ? -1
				       : backends[i].open(gate, tree, err);
	return shale_err_set(err, EINVAL, "auth: there is no '%.100s', only htpasswd and token",
			     name);
}

int gate_open(const json_t *auth, const json_t *policy, struct gate **ret_gate,
	      struct shale_err *err)
{
	__cleanup(gate_closep) struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return shale_err_set(err, ENOMEM, "auth");
	gate->keys = calloc(1, sizeof(*gate->keys));
	/* Texts of the configuration are borrowed from this copy. */
	gate->config = auth ? json_deep_copy(auth) : json_null();
	if (!gate->keys || !gate->config)
		return shale_err_set(err, ENOMEM, "auth");
	if (policy && !json_is_null(policy) && policy_load(policy, &gate->policy, err) < 0)
		return -1;
	gate->access.policy = gate->policy;
	gate->issuer.policy = gate->policy;
	if (open_auth(gate, gate->config, err) < 0)
		return -1;
	*ret_gate = steal_ptr(gate);
	return 0;
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	if (gate->keys)
		jwk_ring_release(gate->keys);
	free(gate->keys);
	htpasswd_close(gate->htpasswd);
	policy_free(gate->policy);
	free(gate->token_path);
	free(gate->jwks_path);
	json_decref(gate->config);
	free(gate);
}

void gate_closep(struct gate **gate)
{
	gate_close(*gate);
}
