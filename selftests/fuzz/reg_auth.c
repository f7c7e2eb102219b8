// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of what else the registry reads to know who somebody is and what they may do: the
 * first byte chooses an Authorization header, scopes, a form, a policy, an htpasswd file or a set of
 * keys. What is taken keeps the promises of its header. Built and run by scripts/fuzz; its corpus is
 * selftests/corpus/reg_auth.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "registry/authorization.h"
#include "registry/form.h"
#include "registry/grant.h"
#include "registry/htpasswd.h"
#include "registry/jwk.h"
#include "registry/policy.h"
#include "store/json.h"
#include "fuzz.h"

static void try_header(const char *text, size_t len)
{
	struct authorization who;

	authorization_parse(text, &who);
	if (who.kind == AUTHORIZATION_BASIC)
		promise(who.user[0] && strlen(who.user) <= HTPASSWD_MAX_USER);
	if (who.kind == AUTHORIZATION_BEARER)
		promise(who.token >= text && who.token + who.token_len <= text + len);
}

static void try_scopes(const char *text, size_t len)
{
	struct grants *grants = calloc(1, sizeof(*grants));
	struct grants *again = calloc(1, sizeof(*again));
	__cleanup_buf struct buf back = BUF_INIT;

	if (grant_parse_scopes(text, len, grants, NULL) == 0) {
		for (size_t i = 0; i < grants->count; i++) {
			buf_addc(&back, ' ');
			grant_add_scope(&grants->list[i], &back);
		}
		promise(grant_parse_scopes(buf_str(&back), back.len, again, NULL) == 0);
		promise(again->count == grants->count && !memcmp(again, grants, sizeof(*grants)));
	}
	free(grants);
	free(again);
}

static void try_form(const char *text, size_t len)
{
	struct form *form = calloc(1, sizeof(*form));

	if (form_parse(text, len, form, NULL) == 0)
		for (size_t i = 0; i < form->count; i++)
			promise(form_get(form, form->pairs[i].name) != NULL);
	form_release(form);
	free(form);
}

static void try_policy(const char *text, size_t len)
{
	__cleanup_json json_t *json = NULL;
	struct shale_err err = { 0 };
	struct policy *policy;

	if (json_parse_object(text, len, "policy", &json, NULL) < 0)
		return;
	if (policy_load(json, &policy, &err) < 0) {
		promise(err.code > 0 && err.msg[0]);
		return;
	}
	/* Whatever nobody may, everybody may. */
	promise(!(policy_actions(policy, NULL, "a/b") & ~policy_actions(policy, "bob", "a/b")) ||
		policy_actions(policy, "bob", "a/b") & GRANT_ANY);
	policy_may_list(policy, "bob");
	policy_free(policy);
}

static void try_passwords(const char *text, size_t len)
{
	char path[64], print[HTPASSWD_PRINT + 1];
	int fd = memfd_create("htpasswd", MFD_CLOEXEC);
	struct shale_err err = { 0 };
	struct htpasswd *file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	promise(fd >= 0 && fs_write_full(fd, text, len) == 0);
	if (htpasswd_open(path, &file, &err) == 0) {
		htpasswd_print(file, "bob", print);
		htpasswd_complaint(file, &err);
		htpasswd_close(file);
	} else {
		promise(err.code > 0 && err.msg[0]);
	}
	close(fd);
}

static void try_keys(const char *text, size_t len)
{
	struct jwk_ring *ring = calloc(1, sizeof(*ring));

	if (jwk_ring_add_jwks(ring, text, len, "keys", NULL) == 0)
		json_decref(jwk_ring_to_json(ring));
	jwk_ring_release(ring);
	jwk_ring_add_certs(ring, text, len, "certificates", NULL);
	jwk_ring_release(ring);
	free(ring);
}

static void (*const tries[])(const char *text, size_t len) = {
	try_header, try_scopes, try_form, try_policy, try_passwords, try_keys,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || data[0] >= sizeof(tries) / sizeof(*tries))
		return 0;
	text = fuzz_text(data, size);
	tries[data[0]](text, size - 1);
	free(text);
	return 0;
}
