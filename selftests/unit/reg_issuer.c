// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry's own token service: both ways to ask, what is granted, refresh tokens, and that the
 * registry's door takes what it gives.
 */
#include "ktap.h"

#include <crypt.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "registry/access.h"
#include "registry/gate.h"
#include "registry/issuer_keys.h"
#include "registry/jwt.h"
#include "tokens.h"

#define NOW 1700000000L

static char dir[64];
static struct gate *gate;

static void put_user(const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char path[128], line[128];
	int fd;

	snprintf(path, sizeof(path), "%s/htpasswd", dir);
	snprintf(line, sizeof(line), "bob:%s\n", crypt_r(password, "$2y$04$abcdefghijklmnopqrstuu", data));
	free(data);
	unlink(path);
	fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_EXCL, 0600));
	ASSERT_EQ(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	close(fd);
}

static struct gate *reopen(void)
{
	static const char policy[] =
		"{\"rules\":[{\"repositories\":[\"public/**\"],\"anonymous\":true,\"actions\":[\"pull\"]},"
		"{\"repositories\":[\"team/**\"],\"users\":[\"bob\"],\"actions\":[\"pull\",\"push\"]},"
		"{\"catalog\":true,\"users\":[\"bob\"]}]}";
	struct shale_err err = { 0 };
	struct gate *made = NULL;
	json_t *auth = json_pack("{s:{s:s, s:s, s:{s:s+, s:s+}}}", "token", "service", "reg", "issuer", "me",
				 "builtin", "htpasswd", dir, "/htpasswd", "keys", dir, "/keys");
	json_t *rules = json_loads(policy, 0, NULL);

	if (gate_open(auth, rules, &made, &err) < 0)
		EXPECT_STREQ(err.msg, "");
	json_decref(auth);
	json_decref(rules);
	return made;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reg_issuer.XXXXXX");
	ASSERT(mkdtemp(dir));
	put_user("secret");
	gate = reopen();
	ASSERT(gate);
}

static void teardown(void)
{
	char command[128];

	gate_close(gate);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ASSERT_EQ(system(command), 0);
}

/* The answer's JSON, and its status. */
static json_t *ask_at(time_t now, const char *method, const char *authorization, const char *text, unsigned int *ret_status)
{
	struct form *form = calloc(1, sizeof(*form));
	struct issuer_answer answer;
	json_t *json;

	ASSERT_EQ(form_parse(text, strlen(text), form, NULL), 0);
	const struct issuer_request request = { method, authorization, form, now };
	issuer_handle(&gate->issuer, &request, &answer);
	*ret_status = answer.status;
	json = json_loadb(buf_str(&answer.body), answer.body.len, 0, NULL);
	EXPECT(json_is_object(json));
	EXPECT_EQ(answer.status == 401, answer.challenge != NULL);
	issuer_answer_release(&answer);
	form_release(form);
	free(form);
	return json;
}

static json_t *ask(const char *method, const char *authorization, const char *text, unsigned int *ret_status)
{
	return ask_at(NOW, method, authorization, text, ret_status);
}

#define BOB "Basic Ym9iOnNlY3JldA=="

struct ask_case {
	struct ktap_row row;
	const char *method;
	const char *authorization;
	const char *text;
	unsigned int status;
	const char *scope; /* granted; NULL: an error */
	bool refresh;
};

static const struct ask_case asks[] = {
	{ { "anonymous", "nobody may pull what is public" }, "GET", NULL, "service=reg&scope=repository:public/a:pull,push", 200, "repository:public/a:pull" },
	{ { "anonymous_none", "and gets a token for nothing else" }, "GET", NULL, "service=reg&scope=repository:team/a:pull", 200, "" },
	{ { "empty", "a user of nothing is nobody" }, "GET", "Basic Og==", "service=reg&scope=repository:team/a:pull", 200, "" },
	{ { "login", "a login without scopes" }, "GET", BOB, "account=bob&client_id=docker&offline_token=true&service=reg", 200, "", true },
	{ { "push", "a user's push" }, "GET", BOB, "service=reg&scope=repository%3Ateam%2Fa%3Apull%2Cpush", 200, "repository:team/a:pull,push" },
	{ { "scopes", "two scopes, in one parameter and in two" }, "GET", BOB, "service=reg&scope=repository:team/a:pull+repository:team/b:pull&scope=repository:public/c:pull", 200, "repository:team/a:pull repository:team/b:pull repository:public/c:pull" },
	{ { "narrow", "what is not allowed is left out" }, "GET", BOB, "service=reg&scope=repository:team/a:pull,delete&scope=repository:x:pull", 200, "repository:team/a:pull" },
	{ { "star", "everything asked for gives what there is" }, "GET", BOB, "scope=repository:team/a:*", 200, "repository:team/a:pull,push" },
	{ { "catalog", "the catalog" }, "GET", BOB, "scope=registry:catalog:*", 200, "registry:catalog:*" },
	{ { "catalog_nobody", "is not everybody's" }, "GET", NULL, "scope=registry:catalog:*", 200, "" },
	{ { "registry_other", "nor is anything else of the registry" }, "GET", BOB, "scope=registry:secrets:*", 200, "" },
	{ { "wrong", "a wrong password" }, "GET", "Basic Ym9iOnh4", "service=reg", 401, NULL },
	{ { "bearer", "a token for a password" }, "GET", "Bearer x.y.z", "service=reg", 401, NULL },
	{ { "service", "another service" }, "GET", BOB, "service=other", 400, NULL },
	{ { "service_bytes", "one that is not text" }, "GET", BOB, "service=%ff%fe", 400, NULL },
	{ { "scope", "a scope that is none" }, "GET", BOB, "service=reg&scope=team", 400, NULL },
	{ { "twice", "two services" }, "GET", BOB, "service=reg&service=reg", 400, NULL },
	{ { "put", "another method" }, "PUT", BOB, "service=reg", 405, NULL },
	{ { "password", "OAuth2 with a password" }, "POST", NULL, "grant_type=password&username=bob&password=secret&service=reg&client_id=x&scope=repository:team/a:push", 200, "repository:team/a:push" },
	{ { "password_offline", "and a refresh token" }, "POST", NULL, "grant_type=password&username=bob&password=secret&service=reg&client_id=x&access_type=offline", 200, "", true },
	{ { "password_wrong", "a wrong one" }, "POST", NULL, "grant_type=password&username=bob&password=xx&service=reg", 401, NULL },
	{ { "password_none", "none" }, "POST", NULL, "grant_type=password&username=bob&service=reg", 400, NULL },
	{ { "grant", "another grant" }, "POST", NULL, "grant_type=client_credentials&service=reg", 400, NULL },
	{ { "grant_none", "no grant" }, "POST", NULL, "", 400, NULL },
	{ { "post_basic", "a header is no grant" }, "POST", BOB, "service=reg", 400, NULL },
	{ { "refresh_bad", "a refresh token of somebody else" }, "POST", NULL, "grant_type=refresh_token&refresh_token=a.b.c&service=reg", 400, NULL },
	{ { "refresh_none", "no refresh token" }, "POST", NULL, "grant_type=refresh_token&service=reg", 400, NULL },
};

TEST_TABLE(ask, struct ask_case, asks, c)
{
	unsigned int status;
	json_t *json;

	setup();
	json = ask(c->method, c->authorization, c->text, &status);
	EXPECT_EQ(status, c->status);
	EXPECT_EQ(json_object_get(json, "refresh_token") != NULL, c->refresh);
	if (c->scope) {
		EXPECT_STREQ(json_string_value(json_object_get(json, "scope")), c->scope);
		EXPECT_EQ(json_integer_value(json_object_get(json, "expires_in")), 300);
		EXPECT_STREQ(json_string_value(json_object_get(json, "issued_at")), "2023-11-14T22:13:20Z");
		EXPECT(json_equal(json_object_get(json, "token"), json_object_get(json, "access_token")));
	} else {
		EXPECT(!json_object_get(json, "token"));
	}
	json_decref(json);
	teardown();
}

static enum access_verdict knock(const char *token, const char *method, const char *repository, time_t now, char *actor)
{
	struct access_answer answer;
	struct grant wanted[2];
	char *header;

	ASSERT(asprintf(&header, "Bearer %s", token) > 0);
	const struct access_request request = { header, "http", "h", wanted, access_want(method, repository, NULL, wanted), now };
	access_decide(&gate->access, &request, &answer);
	snprintf(actor, 256, "%s", answer.actor);
	access_answer_release(&answer);
	free(header);
	return answer.verdict;
}

TEST(door, "the door takes what the service gives, until it ends")
{
	unsigned int status;
	char actor[256];
	const char *token;
	json_t *json;

	setup();
	json = ask("GET", BOB, "service=reg&scope=repository:team/a:pull,push", &status);
	token = json_string_value(json_object_get(json, "token"));
	EXPECT_EQ(knock(token, "PUT", "team/a", NOW, actor), ACCESS_ALLOWED);
	EXPECT_STREQ(actor, "bob");
	EXPECT_EQ(knock(token, "PUT", "team/b", NOW, actor), ACCESS_UNKNOWN);
	EXPECT_EQ(knock(token, "PUT", "team/a", NOW + 360, actor), ACCESS_ALLOWED);
	EXPECT_EQ(knock(token, "PUT", "team/a", NOW + 361, actor), ACCESS_UNKNOWN);
	json_decref(json);
	json = ask("GET", NULL, "service=reg&scope=repository:public/a:pull", &status);
	token = json_string_value(json_object_get(json, "token"));
	EXPECT_EQ(knock(token, "GET", "public/a", NOW, actor), ACCESS_ALLOWED);
	EXPECT_STREQ(actor, "");
	EXPECT_EQ(knock(token, "PUT", "public/a", NOW, actor), ACCESS_UNKNOWN);
	json_decref(json);
	teardown();
}

static json_t *refresh(const char *token, time_t now, const char *scope, unsigned int *ret_status)
{
	char *text;
	json_t *json;

	ASSERT(asprintf(&text, "grant_type=refresh_token&service=reg&client_id=x&scope=%s&refresh_token=%s", scope, token) > 0);
	json = ask_at(now, "POST", NULL, text, ret_status);
	free(text);
	return json;
}

TEST(refresh, "a refresh token lasts until it ends or its password changes, and is no access token")
{
	unsigned int status;
	json_t *first, *json;
	char actor[256];
	const char *token;

	setup();
	first = ask("GET", BOB, "service=reg&offline_token=true", &status);
	token = json_string_value(json_object_get(first, "refresh_token"));
	ASSERT(token);
	json = refresh(token, NOW + 86400, "repository:team/a:push", &status);
	EXPECT_EQ(status, 200);
	EXPECT_STREQ(json_string_value(json_object_get(json, "refresh_token")), token);
	EXPECT_STREQ(json_string_value(json_object_get(json, "scope")), "repository:team/a:push");
	json_decref(json);
	EXPECT_EQ(knock(token, "GET", "public/a", NOW, actor), ACCESS_UNKNOWN);
	json_decref(refresh(json_string_value(json_object_get(first, "token")), NOW, "", &status));
	EXPECT_EQ(status, 400);
	json_decref(refresh(token, NOW + ISSUER_REFRESH_EXPIRES + 61, "", &status));
	EXPECT_EQ(status, 400);
	put_user("changed");
	json_decref(refresh(token, NOW, "", &status));
	EXPECT_EQ(status, 400);
	json_decref(first);
	teardown();
}

TEST(keys, "keys are made once, for their owner only, and published without their secret")
{
	struct stat seen;
	char path[128], command[256];
	struct gate *second;
	struct buf a = BUF_INIT, b = BUF_INIT;

	setup();
	snprintf(path, sizeof(path), "%s/keys/0001.pem", dir);
	ASSERT_OK(stat(path, &seen));
	EXPECT_EQ(seen.st_mode & 07777, 0600);
	second = reopen();
	ASSERT(second);
	EXPECT_EQ(issuer_publish(&gate->issuer, &a, NULL), 0);
	EXPECT_EQ(issuer_publish(&second->issuer, &b, NULL), 0);
	EXPECT_STREQ(a.data, b.data);
	EXPECT(strstr(a.data, "\"crv\":\"P-256\"") && !strstr(a.data, "\"d\":"));
	buf_release(&a);
	buf_release(&b);
	gate_close(second);
	/* A second key signs, and the first one's tokens still count. */
	unsigned int status;
	char actor[256];
	json_t *old = ask("GET", BOB, "service=reg&scope=repository:team/a:pull", &status);
	snprintf(command, sizeof(command), "umask 077; openssl genpkey -algorithm ED25519 -out %s/keys/0002.pem", dir);
	ASSERT_EQ(system(command), 0);
	gate_close(gate);
	gate = reopen();
	ASSERT(gate);
	EXPECT_EQ(gate->issuer.keys->count, 2);
	EXPECT_EQ(knock(json_string_value(json_object_get(old, "token")), "GET", "team/a", NOW, actor), ACCESS_ALLOWED);
	json_decref(old);
	old = ask("GET", BOB, "service=reg&scope=repository:team/a:pull", &status);
	ASSERT_OK(unlink(path));
	gate_close(gate);
	gate = reopen();
	EXPECT_EQ(knock(json_string_value(json_object_get(old, "token")), "GET", "team/a", NOW, actor), ACCESS_ALLOWED);
	json_decref(old);
	teardown();
}

TEST(keys_open, "a key that others may read is refused")
{
	struct jwk_ring *ring = calloc(1, sizeof(*ring));
	struct shale_err err = { 0 };
	char path[160], keys[128];

	setup();
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	snprintf(path, sizeof(path), "%s/0001.pem", keys);
	ASSERT_OK(chmod(path, 0644));
	EXPECT_EQ(issuer_keys_load(keys, ring, &err), -1);
	EXPECT(strstr(err.msg, "0001.pem: others than its owner may use it (mode 0644)"));
	jwk_ring_release(ring);
	free(ring);
	teardown();
}

TEST(keys_race, "servers that start at once use one key")
{
	char keys[128];
	pid_t pids[8];

	setup();
	snprintf(keys, sizeof(keys), "%s/shared", dir);
	ASSERT_OK(mkdir(keys, 0700));
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			struct jwk_ring *ring = calloc(1, sizeof(*ring));

			_exit(issuer_keys_load(keys, ring, NULL) < 0 || ring->count != 1);
		}
	}
	for (int i = 0; i < 8; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		EXPECT_EQ(status, 0);
	}
	teardown();
}

struct form_case {
	struct ktap_row row;
	const char *text;
	const char *value; /* of "a"; NULL: refused */
};

static const struct form_case forms[] = {
	{ { "plain", "a value" }, "a=b", "b" },
	{ { "decoded", "an encoded one" }, "x=1&a=%2F+%c3%a4%3d", "/ \xc3\xa4=" },
	{ { "first", "the first of two" }, "a=1&a=2", "1" },
	{ { "empty", "an empty one" }, "&&a=&", "" },
	{ { "alone", "a name alone" }, "a", "" },
	{ { "equals", "equals signs" }, "a=b=c", "b=c" },
	{ { "cut", "a percent at the end" }, "a=%", NULL },
	{ { "cut_one", "one digit" }, "a=%4", NULL },
	{ { "not_hex", "no digit" }, "a=%4g", NULL },
	{ { "nul", "a NUL" }, "a=b%00c", NULL },
	{ { "nul_name", "a NUL in the name" }, "a%00=b", NULL },
};

TEST_TABLE(form, struct form_case, forms, c)
{
	struct form *form = calloc(1, sizeof(*form));

	EXPECT_EQ(form_parse(c->text, strlen(c->text), form, NULL), c->value ? 0 : -1);
	if (c->value)
		EXPECT_STREQ(form_get(form, "a"), c->value);
	form_release(form);
	free(form);
}

TEST(form_limits, "a form has limits in bytes and in parameters")
{
	struct form *form = calloc(1, sizeof(*form));
	char *text = calloc(1, FORM_MAX_BYTES + 2);

	memset(text, 'a', FORM_MAX_BYTES + 1);
	EXPECT_EQ(form_parse(text, FORM_MAX_BYTES + 1, form, NULL), -1);
	EXPECT_EQ(form_parse(text, FORM_MAX_BYTES, form, NULL), 0);
	form_release(form);
	for (int i = 0; i < 2 * FORM_MAX_PAIRS + 1; i += 2)
		memcpy(text + i, "b&", 2);
	EXPECT_EQ(form_parse(text, 2 * FORM_MAX_PAIRS + 1, form, NULL), -1);
	form_release(form);
	free(form);
	free(text);
}
