// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry's door: headers, passwords, what a policy and a token allow, and the exact words of
 * each challenge. Paths that do not exist and names that are not names are the server's to refuse;
 * here they must only never be allowed.
 */
#include "ktap.h"

#include <crypt.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "registry/access.h"
#include "registry/authorization.h"
#include "registry/gate.h"
#include "registry/issuer.h"
#include "registry/jwt.h"
#include "tokens.h"

#define NOW 1700000000L

/* bob:secret of cost 4, so that tests are fast. */
static char bob_line[128];
static char dir[64];

static void put_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_EXCL, mode));
	ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void bcrypt_line(const char *user, const char *password, char *line, size_t size)
{
	struct crypt_data *data = calloc(1, sizeof(*data));

	snprintf(line, size, "%s:%s", user,
		 crypt_r(password, "$2y$04$abcdefghijklmnopqrstuu", data));
	free(data);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reg_access.XXXXXX");
	ASSERT(mkdtemp(dir));
	bcrypt_line("bob", "secret", bob_line, sizeof(bob_line));
	put_file("htpasswd", bob_line, 0600);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ASSERT_EQ(system(command), 0);
}

static struct gate *open_gate(const char *auth, const char *policy)
{
	struct shale_err err = { 0 };
	struct gate *gate = NULL;
	char *text;
	json_t *a, *p = policy ? json_loads(policy, 0, NULL) : NULL;

	ASSERT(asprintf(&text, auth, dir, dir, dir) > 0);
	a = json_loads(text, 0, NULL);
	ASSERT(a && (!policy || p));
	if (gate_open(a, p, &gate, &err) < 0)
		EXPECT_STREQ(err.msg, "");
	json_decref(a);
	json_decref(p);
	free(text);
	ASSERT(gate);
	return gate;
}

#define HTPASSWD "{\"htpasswd\":{\"realm\":\"basic-realm\",\"path\":\"%s/htpasswd\"}}"
#define BUILTIN                                                                            \
	"{\"token\":{\"service\":\"reg\",\"builtin\":{\"htpasswd\":\"%s/htpasswd\",\"keys\":\"%s/keys\"}}}"
#define POLICY                                                                                     \
	"{\"groups\":{\"dev\":[\"bob\",\"eve\"]},\"rules\":["                                      \
	"{\"repositories\":[\"public/**\"],\"anonymous\":true,\"actions\":[\"pull\"]},"            \
	"{\"repositories\":[\"team/*\"],\"groups\":[\"dev\"],\"actions\":[\"pull\",\"push\"]},"    \
	"{\"repositories\":[\"home/{user}/**\"],\"users\":[\"*\"],\"actions\":[\"*\"]},"           \
	"{\"catalog\":true,\"users\":[\"bob\"]}]}"

static enum access_verdict decide(const struct gate *gate, const char *authorization, const char *method,
				  const char *repository, struct access_answer *answer)
{
	struct grant wanted[2];
	struct access_request request = {
		.authorization = authorization,
		.scheme = "https",
		.host = "reg.example:5000",
		.wanted = wanted,
		.now = NOW,
	};

	if (strcmp(method, "PING"))
		request.count = access_want(method, repository, NULL, wanted);
	access_decide(&gate->access, &request, answer);
	return answer->verdict;
}

static char *basic(const char *pair)
{
	char *b64 = token_base64(pair, strlen(pair), 0);
	char *header;

	ASSERT(asprintf(&header, "Basic %s", b64) > 0);
	free(b64);
	return header;
}

struct header_case {
	struct ktap_row row;
	const char *header;
	enum authorization_kind kind;
	const char *user;
	const char *password;
};

static const struct header_case headers[] = {
	{ { "none", "no header" }, NULL, AUTHORIZATION_NONE, "", "" },
	{ { "basic", "Basic" }, "Basic Ym9iOnNlY3JldA==", AUTHORIZATION_BASIC, "bob", "secret" },
	{ { "case", "a scheme in capitals" }, "BASIC Ym9iOnNlY3JldA==", AUTHORIZATION_BASIC, "bob", "secret" },
	{ { "blanks", "more than one blank" }, "Basic   Ym9iOnNlY3JldA==  ", AUTHORIZATION_BASIC, "bob", "secret" },
	{ { "colon", "a password with a colon" }, "Basic Ym9iOmE6Yg==", AUTHORIZATION_BASIC, "bob", "a:b" },
	{ { "no_password", "an empty password is one" }, "Basic Ym9iOg==", AUTHORIZATION_BASIC, "bob", "" },
	{ { "nobody", "nothing on both sides is nobody" }, "Basic Og==", AUTHORIZATION_NONE, "", "" },
	{ { "bearer", "Bearer" }, "bearer a.b.c", AUTHORIZATION_BEARER, "", "" },
	{ { "empty", "an empty header" }, "", AUTHORIZATION_BAD, "", "" },
	{ { "scheme_only", "a scheme alone" }, "Basic", AUTHORIZATION_BAD, "", "" },
	{ { "bearer_only", "Bearer alone" }, "Bearer ", AUTHORIZATION_BAD, "", "" },
	{ { "digest", "another scheme" }, "Digest username=\"bob\"", AUTHORIZATION_BAD, "", "" },
	{ { "prefix", "a scheme that begins like ours" }, "Basically Ym9iOnNlY3JldA==", AUTHORIZATION_BAD, "", "" },
	{ { "tab", "a tab for the blank" }, "Basic\tYm9iOnNlY3JldA==", AUTHORIZATION_BAD, "", "" },
	{ { "unpadded", "base64 without padding" }, "Basic Ym9iOnNlY3JldA", AUTHORIZATION_BAD, "", "" },
	{ { "inner", "a blank within" }, "Basic Ym9i OnNlY3JldA==", AUTHORIZATION_BAD, "", "" },
	{ { "spare_bits", "bits left over" }, "Basic Ym9iOnNlY3JldB==", AUTHORIZATION_BAD, "", "" },
	{ { "url", "letters of base64url" }, "Basic Ym9iOl9-", AUTHORIZATION_BASIC, "", "" },
	{ { "no_colon", "no colon" }, "Basic Ym9i", AUTHORIZATION_BAD, "", "" },
	{ { "no_user", "no user" }, "Basic OnNlY3JldA==", AUTHORIZATION_BAD, "", "" },
	{ { "nul_user", "a NUL in the user" }, "Basic Ym9iAHg6c2VjcmV0", AUTHORIZATION_BAD, "", "" },
	{ { "nul_password", "a NUL in the password" }, "Basic Ym9iOnNlY3JldABY", AUTHORIZATION_BAD, "", "" },
	{ { "newline", "a newline in the user" }, "Basic Ym9iCng6c2VjcmV0", AUTHORIZATION_BAD, "", "" },
	{ { "two_tokens", "two tokens" }, "Bearer a.b.c, Bearer d.e.f", AUTHORIZATION_BAD, "", "" },
};

TEST_TABLE(header, struct header_case, headers, c)
{
	struct authorization *who = calloc(1, sizeof(*who));

	authorization_parse(c->header, who);
	if (!strcmp(c->row.name, "url")) {
		EXPECT_EQ(who->kind, AUTHORIZATION_BAD);
	} else {
		EXPECT_EQ(who->kind, c->kind);
		EXPECT_STREQ(who->user, c->user);
		EXPECT_STREQ(who->password, c->password);
	}
	free(who);
}

TEST(header_huge, "a header longer than any token is bad, and so are long users and passwords")
{
	char *text = malloc(AUTHORIZATION_MAX + 2);
	struct authorization *who = calloc(1, sizeof(*who));
	char *header;

	memset(text, 'a', AUTHORIZATION_MAX + 1);
	memcpy(text, "Bearer ", 7);
	text[AUTHORIZATION_MAX + 1] = '\0';
	authorization_parse(text, who);
	EXPECT_EQ(who->kind, AUTHORIZATION_BAD);
	text[AUTHORIZATION_MAX] = '\0';
	authorization_parse(text, who);
	EXPECT_EQ(who->kind, AUTHORIZATION_BEARER);
	text[HTPASSWD_MAX_USER + 1] = ':';
	text[HTPASSWD_MAX_USER + 2] = '\0';
	header = basic(text);
	authorization_parse(header, who);
	EXPECT_EQ(who->kind, AUTHORIZATION_BAD);
	free(header);
	header = basic(text + 1);
	authorization_parse(header, who);
	EXPECT_EQ(who->kind, AUTHORIZATION_BASIC);
	free(header);
	free(text);
	free(who);
}

struct door_case {
	struct ktap_row row;
	const char *auth;
	const char *policy;
	const char *pair; /* user:password, or NULL */
	const char *method;
	const char *repository;
	enum access_verdict verdict;
	const char *challenge;
};

static const struct door_case doors[] = {
	{ { "open", "without auth everything is allowed" }, "{}", NULL, NULL, "PUT", "a", ACCESS_ALLOWED },
	{ { "open_policy", "without auth a policy's anonymous rules count" }, "{}", POLICY, NULL, "GET", "public/a/b", ACCESS_ALLOWED },
	{ { "open_denied", "and what they do not grant is denied" }, "{}", POLICY, NULL, "PUT", "public/a", ACCESS_DENIED },
	{ { "open_ping", "the base is open then" }, "{}", POLICY, NULL, "PING", NULL, ACCESS_ALLOWED },
	{ { "ping", "the base asks for a password" }, HTPASSWD, NULL, NULL, "PING", NULL, ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "ping_public", "also where some may pull without" }, HTPASSWD, POLICY, NULL, "PING", NULL, ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "ping_in", "and lets in who has one" }, HTPASSWD, NULL, "bob:secret", "PING", NULL, ACCESS_ALLOWED },
	{ { "stranger", "nobody does nothing" }, HTPASSWD, NULL, NULL, "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "nobody", "nor does an empty user" }, HTPASSWD, NULL, ":", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "wrong", "a wrong password is asked for again" }, HTPASSWD, NULL, "bob:Secret", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "unknown", "an unknown user too" }, HTPASSWD, NULL, "eve:secret", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "user_case", "users have their case" }, HTPASSWD, NULL, "Bob:secret", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "empty_password", "an empty password is wrong" }, HTPASSWD, NULL, "bob:", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "hash", "the hash is no password" }, HTPASSWD, NULL, "bob:$2y$04$abcdefghijklmnopqrstuu", "GET", "a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "all", "without a policy a user may everything" }, HTPASSWD, NULL, "bob:secret", "DELETE", "a", ACCESS_ALLOWED },
	{ { "all_catalog", "and list" }, HTPASSWD, NULL, "bob:secret", "GET", NULL, ACCESS_ALLOWED },
	{ { "public", "the policy lets everybody pull" }, HTPASSWD, POLICY, NULL, "HEAD", "public/a", ACCESS_ALLOWED },
	{ { "public_push", "but not push" }, HTPASSWD, POLICY, NULL, "POST", "public/a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "public_bad", "a wrong password is wrong there too" }, HTPASSWD, POLICY, "bob:x", "GET", "public/a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "group", "a group's member may push" }, HTPASSWD, POLICY, "bob:secret", "PATCH", "team/a", ACCESS_ALLOWED },
	{ { "group_delete", "and not delete" }, HTPASSWD, POLICY, "bob:secret", "DELETE", "team/a", ACCESS_DENIED },
	{ { "one_deep", "a star is one component" }, HTPASSWD, POLICY, "bob:secret", "GET", "team/a/b", ACCESS_DENIED },
	{ { "home", "a home is its user's" }, HTPASSWD, POLICY, "bob:secret", "DELETE", "home/bob/x", ACCESS_ALLOWED },
	{ { "home_other", "and nobody else's" }, HTPASSWD, POLICY, "bob:secret", "GET", "home/eve/x", ACCESS_DENIED },
	{ { "catalog", "the catalog has its own rule" }, HTPASSWD, POLICY, "bob:secret", "GET", NULL, ACCESS_ALLOWED },
	{ { "catalog_not", "which not everybody has" }, HTPASSWD, POLICY, NULL, "GET", NULL, ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "dots", "a path with dots is no public one" }, HTPASSWD, POLICY, NULL, "PUT", "public/../team/a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "encoded", "an encoded slash is no slash" }, HTPASSWD, POLICY, "bob:secret", "GET", "team%2fa", ACCESS_DENIED },
	{ { "name_case", "names have their case" }, HTPASSWD, POLICY, "bob:secret", "GET", "TEAM/a", ACCESS_DENIED },
	{ { "method", "an unknown method wants everything" }, HTPASSWD, POLICY, "bob:secret", "BREW", "team/a", ACCESS_DENIED },
	{ { "method_case", "methods have their case" }, HTPASSWD, POLICY, NULL, "get", "public/a", ACCESS_UNKNOWN, "Basic realm=\"basic-realm\"" },
	{ { "bearer_ping", "a token is asked for at the base" }, BUILTIN, NULL, NULL, "PING", NULL, ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\"" },
	{ { "bearer_pull", "and for a pull" }, BUILTIN, NULL, NULL, "GET", "a/b", ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\",scope=\"repository:a/b:pull\"" },
	{ { "bearer_push", "and a push" }, BUILTIN, NULL, NULL, "PUT", "a/b", ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\",scope=\"repository:a/b:pull,push\"" },
	{ { "bearer_delete", "and a delete" }, BUILTIN, NULL, NULL, "DELETE", "a/b", ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\",scope=\"repository:a/b:delete\"" },
	{ { "bearer_catalog", "and the catalog" }, BUILTIN, NULL, NULL, "GET", NULL, ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\",scope=\"registry:catalog:*\"" },
	{ { "bearer_basic", "a password is no token" }, BUILTIN, NULL, "bob:secret", "PING", NULL, ACCESS_UNKNOWN, "Bearer realm=\"https://reg.example:5000/auth/token\",service=\"reg\"" },
};

TEST_TABLE(door, struct door_case, doors, c)
{
	struct access_answer answer;
	struct gate *gate;
	char *header = NULL;

	setup();
	gate = open_gate(c->auth, c->policy);
	if (c->pair)
		header = basic(c->pair);
	EXPECT_EQ(decide(gate, header, c->method, c->repository, &answer), c->verdict);
	if (c->challenge)
		EXPECT_STREQ(answer.challenge, c->challenge);
	else
		EXPECT(!answer.challenge);
	access_answer_release(&answer);
	free(header);
	gate_close(gate);
	teardown();
}

TEST(mount_wants, "a mount wants to pull from its source, and says so")
{
	struct access_answer answer;
	struct gate *gate;
	struct grant wanted[2];

	setup();
	gate = open_gate(BUILTIN, NULL);
	struct access_request request = { NULL, "http", "h", wanted, access_want("POST", "a", "b", wanted), NOW };
	access_decide(&gate->access, &request, &answer);
	EXPECT_STREQ(answer.challenge, "Bearer realm=\"http://h/auth/token\",service=\"reg\",scope=\"repository:a:pull,push repository:b:pull\"");
	access_answer_release(&answer);
	request.host = "evil\",service=\"x";
	access_decide(&gate->access, &request, &answer);
	EXPECT(!strncmp(answer.challenge, "Bearer realm=\"http://localhost/auth/token\",", 42));
	access_answer_release(&answer);
	gate_close(gate);
	teardown();
}

static int trust(struct gate **ret, EVP_PKEY *key)
{
	struct jwk jwk;
	json_t *json, *set;
	char *text;

	if (jwk_from_pkey(key, "k", &jwk, NULL) < 0)
		return -1;
	json = jwk_to_json(&jwk);
	json_object_set_new(json, "kid", json_string("k"));
	set = json_pack("{s:[o]}", "keys", json);
	text = json_dumps(set, 0);
	put_file("jwks", text, 0600);
	free(text);
	json_decref(set);
	jwk_release(&jwk);
	*ret = open_gate("{\"token\":{\"realm\":\"https://auth/\",\"service\":\"reg\",\"issuer\":\"me\",\"jwks\":\"%s/jwks\"}}", NULL);
	return 0;
}

struct scope_case {
	struct ktap_row row;
	const char *access;
	const char *method;
	const char *repository;
	enum access_verdict verdict;
};

#define A(NAME, ACTIONS) "{\"type\":\"repository\",\"name\":\"" NAME "\",\"actions\":[" ACTIONS "]}"

static const struct scope_case scopes[] = {
	{ { "pull", "a granted pull" }, "[" A("a/b", "\"pull\"") "]", "GET", "a/b", ACCESS_ALLOWED },
	{ { "push", "a granted push" }, "[" A("a/b", "\"pull\",\"push\"") "]", "PUT", "a/b", ACCESS_ALLOWED },
	{ { "split", "grants in two pieces" }, "[" A("a/b", "\"pull\"") "," A("a/b", "\"push\"") "]", "PUT", "a/b", ACCESS_ALLOWED },
	{ { "star", "every action" }, "[" A("a/b", "\"*\"") "]", "DELETE", "a/b", ACCESS_ALLOWED },
	{ { "port", "a name with a port" }, "[" A("localhost:5000/a", "\"pull\"") "]", "GET", "localhost:5000/a", ACCESS_ALLOWED },
	{ { "ping", "the base needs no grant" }, "[]", "PING", NULL, ACCESS_ALLOWED },
	{ { "catalog", "the catalog" }, "[{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}]", "GET", NULL, ACCESS_ALLOWED },
	{ { "only_pull", "a push with a pull's token" }, "[" A("a/b", "\"pull\"") "]", "PUT", "a/b", ACCESS_UNKNOWN },
	{ { "only_push", "a push without the pull" }, "[" A("a/b", "\"push\"") "]", "PUT", "a/b", ACCESS_UNKNOWN },
	{ { "delete", "a delete with a push's token" }, "[" A("a/b", "\"pull\",\"push\"") "]", "DELETE", "a/b", ACCESS_UNKNOWN },
	{ { "other", "another repository" }, "[" A("a/b", "\"pull\"") "]", "GET", "a/c", ACCESS_UNKNOWN },
	{ { "prefix", "one that begins like it" }, "[" A("a/b", "\"pull\"") "]", "GET", "a/bc", ACCESS_UNKNOWN },
	{ { "parent", "what is below it" }, "[" A("a", "\"pull\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "star_name", "a star is no name" }, "[" A("*", "\"*\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "case", "a name in capitals" }, "[" A("A/B", "\"pull\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "dots", "a name with dots" }, "[" A("a/x/../b", "\"pull\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "slash", "an encoded slash" }, "[" A("a%2fb", "\"pull\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "trailing", "a slash at the end" }, "[" A("a/b/", "\"pull\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "action_case", "an action in capitals" }, "[" A("a/b", "\"PULL\"") "]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "action_text", "actions in one text" }, "[{\"type\":\"repository\",\"name\":\"a/b\",\"actions\":\"pull\"}]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "type", "another type" }, "[{\"type\":\"registry\",\"name\":\"a/b\",\"actions\":[\"*\"]}]", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "catalog_repo", "a repository called catalog" }, "[" A("catalog", "\"*\"") "]", "GET", NULL, ACCESS_UNKNOWN },
	{ { "object", "access that is an object" }, A("a/b", "\"pull\""), "GET", "a/b", ACCESS_UNKNOWN },
	{ { "null", "no access" }, "null", "GET", "a/b", ACCESS_UNKNOWN },
	{ { "numbers", "access of numbers" }, "[1,[],{}]", "GET", "a/b", ACCESS_UNKNOWN },
};

TEST_TABLE(scope, struct scope_case, scopes, c)
{
	EVP_PKEY *key = token_key("ED25519");
	struct access_answer answer;
	char *claims, *token, *header;
	struct gate *gate;

	setup();
	ASSERT_EQ(trust(&gate, key), 0);
	ASSERT(asprintf(&claims, "{\"iss\":\"me\",\"aud\":\"reg\",\"sub\":\"ann\",\"exp\":1700000300,\"access\":%s}", c->access) > 0);
	token = token_make("{\"alg\":\"EdDSA\",\"kid\":\"k\"}", claims, SIGN_ED, key, NULL, 0);
	ASSERT(asprintf(&header, "Bearer %s", token) > 0);
	EXPECT_EQ(decide(gate, header, c->method, c->repository, &answer), c->verdict);
	if (c->verdict == ACCESS_ALLOWED)
		EXPECT_STREQ(answer.actor, "ann");
	else
		EXPECT(strstr(answer.challenge, ",error=\"insufficient_scope\""));
	access_answer_release(&answer);
	header[strlen(header) - 3] = header[strlen(header) - 3] == 'A' ? 'B' : 'A';
	EXPECT_EQ(decide(gate, header, c->method, c->repository, &answer), ACCESS_UNKNOWN);
	EXPECT(strstr(answer.challenge, ",error=\"invalid_token\""));
	EXPECT_STREQ(answer.actor, "");
	access_answer_release(&answer);
	free(header);
	free(token);
	free(claims);
	gate_close(gate);
	teardown();
	EVP_PKEY_free(key);
}

/* --- htpasswd files */

static struct htpasswd *open_file(const char *text, struct shale_err *err)
{
	struct htpasswd *file = NULL;
	char path[128];

	put_file("file", text, 0600);
	snprintf(path, sizeof(path), "%s/file", dir);
	htpasswd_open(path, &file, err);
	return file;
}

TEST(file_forms, "comments, blanks and other hashes are passed over; a line without a colon is an error")
{
	struct shale_err err = { 0 };
	struct htpasswd *file;
	char text[512];

	setup();
	snprintf(text, sizeof(text), "# users\r\n\r\n  %s \r\nann:$apr1$x$y\nold:{SHA}abc\nslow:$2y$20$%053d\n", bob_line, 0);
	file = open_file(text, &err);
	ASSERT(file);
	EXPECT_EQ(htpasswd_check(file, "bob", "secret"), HTPASSWD_RIGHT);
	EXPECT_EQ(htpasswd_check(file, "ann", "$apr1$x$y"), HTPASSWD_WRONG);
	EXPECT_EQ(htpasswd_check(file, "slow", "x"), HTPASSWD_WRONG);
	EXPECT_EQ(htpasswd_check(file, "#", "x"), HTPASSWD_WRONG);
	EXPECT(htpasswd_complaint(file, &err));
	EXPECT(strstr(err.msg, "3 entries are not bcrypt"));
	htpasswd_close(file);
	EXPECT(!open_file("bob\n", &err));
	EXPECT(strstr(err.msg, "file:1: no colon"));
	EXPECT(!open_file("a:b\n:x\n", &err));
	EXPECT(strstr(err.msg, "file:2: not a user's name"));
	EXPECT(!open_file("a:b\na:c\n", &err));
	EXPECT(strstr(err.msg, "'a' is there twice"));
	file = open_file("", &err);
	EXPECT(file && htpasswd_check(file, "bob", "secret") == HTPASSWD_WRONG);
	htpasswd_close(file);
	teardown();
}

TEST(file_change, "a changed file counts at once, a broken or lost one leaves the old in force and is told")
{
	struct shale_err err = { 0 };
	struct htpasswd *file;
	char line[128], path[128];
	char before[HTPASSWD_PRINT + 1], after[HTPASSWD_PRINT + 1];

	setup();
	snprintf(path, sizeof(path), "%s/file", dir);
	file = open_file(bob_line, &err);
	ASSERT(file);
	EXPECT_EQ(htpasswd_check(file, "bob", "secret"), HTPASSWD_RIGHT);
	EXPECT(htpasswd_print(file, "bob", before));
	EXPECT(!htpasswd_complaint(file, &err));
	bcrypt_line("bob", "changed", line, sizeof(line));
	put_file("file", line, 0600);
	EXPECT_EQ(htpasswd_check(file, "bob", "secret"), HTPASSWD_WRONG);
	EXPECT_EQ(htpasswd_check(file, "bob", "changed"), HTPASSWD_RIGHT);
	EXPECT(htpasswd_print(file, "bob", after) && strcmp(before, after));
	put_file("file", "broken", 0600);
	EXPECT_EQ(htpasswd_check(file, "bob", "changed"), HTPASSWD_RIGHT);
	EXPECT(htpasswd_complaint(file, &err));
	unlink(path);
	EXPECT_EQ(htpasswd_check(file, "bob", "changed"), HTPASSWD_RIGHT);
	EXPECT(htpasswd_complaint(file, &err));
	EXPECT(strstr(err.msg, "No such file"));
	put_file("file", "", 0600);
	EXPECT_EQ(htpasswd_check(file, "bob", "changed"), HTPASSWD_WRONG);
	EXPECT(!htpasswd_complaint(file, &err));
	EXPECT(!htpasswd_print(file, "bob", after));
	htpasswd_close(file);
	teardown();
}

TEST(file_memory, "what was right needs no bcrypt again, what was wrong neither for a while")
{
	struct shale_err err = { 0 };
	struct htpasswd *file;

	setup();
	file = open_file(bob_line, &err);
	ASSERT(file);
	EXPECT(!htpasswd_is_known(file, "bob", "secret"));
	EXPECT_EQ(htpasswd_check(file, "bob", "secret"), HTPASSWD_RIGHT);
	EXPECT(htpasswd_is_known(file, "bob", "secret"));
	EXPECT(!htpasswd_is_known(file, "bob", "other"));
	EXPECT_EQ(htpasswd_check(file, "bob", "other"), HTPASSWD_WRONG);
	EXPECT(htpasswd_is_known(file, "bob", "other"));
	/* Guesses do not push out who is in. */
	for (int i = 0; i < 3000; i++) {
		char guess[16];

		snprintf(guess, sizeof(guess), "g%d", i);
		if (i < 60)
			EXPECT_EQ(htpasswd_check(file, "bob", guess), HTPASSWD_WRONG);
	}
	EXPECT(htpasswd_is_known(file, "bob", "secret"));
	htpasswd_close(file);
	teardown();
}

static void *guess(void *arg)
{
	static int number;
	char password[16];

	snprintf(password, sizeof(password), "p%d", __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED));
	return (void *)(long)htpasswd_check(arg, "bob", password);
}

TEST(file_flood, "a flood of logins is refused beyond a few, and ends nobody's")
{
	pthread_t threads[HTPASSWD_WAITING * 3];
	const size_t count = sizeof(threads) / sizeof(*threads);
	struct shale_err err = { 0 };
	struct crypt_data *data = calloc(1, sizeof(*data));
	struct htpasswd *file;
	char line[128];
	size_t busy = 0;

	setup();
	snprintf(line, sizeof(line), "bob:%s", crypt_r("secret", "$2y$08$abcdefghijklmnopqrstuu", data));
	free(data);
	file = open_file(line, &err);
	ASSERT(file);
	for (size_t i = 0; i < count; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, guess, file), 0);
	for (size_t i = 0; i < count; i++) {
		void *result;

		pthread_join(threads[i], &result);
		EXPECT((long)result == HTPASSWD_WRONG || (long)result == HTPASSWD_BUSY);
		busy += (long)result == HTPASSWD_BUSY;
	}
	EXPECT(busy <= count - HTPASSWD_WAITING);
	EXPECT_EQ(htpasswd_check(file, "bob", "secret"), HTPASSWD_RIGHT);
	htpasswd_close(file);
	teardown();
}

/* --- the configuration */

struct config_case {
	struct ktap_row row;
	const char *auth;
	const char *policy;
	const char *why;
};

static const struct config_case configs[] = {
	{ { "two", "two ways at once" }, "{\"htpasswd\":{},\"token\":{}}", NULL, "more than one" },
	{ { "unknown", "an unknown way" }, "{\"ldap\":{}}", NULL, "there is no 'ldap'" },
	{ { "silly", "silly" }, "{\"silly\":{\"realm\":\"r\"}}", NULL, "lets everybody in" },
	{ { "list", "a list" }, "[]", NULL, "not a mapping" },
	{ { "no_path", "htpasswd without a file" }, "{\"htpasswd\":{\"realm\":\"r\"}}", NULL, "no field 'path'" },
	{ { "no_file", "a file that is not there" }, "{\"htpasswd\":{\"realm\":\"r\",\"path\":\"/nowhere\"}}", NULL, "auth.htpasswd: /nowhere: No such file" },
	{ { "key", "an unknown key" }, "{\"htpasswd\":{\"realm\":\"r\",\"file\":\"x\"}}", NULL, "unknown key 'file'" },
	{ { "realm", "a realm with a newline" }, "{\"htpasswd\":{\"realm\":\"a\\nb\",\"path\":\"x\"}}", NULL, "not plain ASCII" },
	{ { "no_keys", "tokens without keys" }, "{\"token\":{\"realm\":\"r\",\"service\":\"s\",\"issuer\":\"i\"}}", NULL, "neither rootcertbundle nor jwks" },
	{ { "no_issuer", "tokens of nobody" }, "{\"token\":{\"realm\":\"r\",\"service\":\"s\"}}", NULL, "no field 'issuer'" },
	{ { "algorithm", "an algorithm that is none" }, "{\"token\":{\"realm\":\"r\",\"service\":\"s\",\"issuer\":\"i\",\"signingalgorithms\":[\"none\"]}}", NULL, "'none' is not an algorithm" },
	{ { "both", "the built-in service with other keys" }, "{\"token\":{\"service\":\"s\",\"jwks\":\"x\",\"builtin\":{}}}", NULL, "has its own keys" },
	{ { "expires", "tokens that end too soon" }, "{\"token\":{\"service\":\"s\",\"builtin\":{\"htpasswd\":\"x\",\"keys\":\"y\",\"expiration\":59}}}", NULL, "not 60 to 86400" },
	{ { "path", "a token service below /v2/" }, "{\"token\":{\"service\":\"s\",\"builtin\":{\"htpasswd\":\"x\",\"keys\":\"y\",\"path\":\"/v2/token\"}}}", NULL, "not a path outside" },
	{ { "policy_list", "a policy that is a list" }, "{}", "[]", "policy: not a mapping" },
	{ { "policy_key", "a policy with an unknown key" }, "{}", "{\"rules\":[],\"deny\":[]}", "unknown key 'deny'" },
	{ { "no_rules", "a policy without rules" }, "{}", "{}", "no field 'rules'" },
	{ { "rule_key", "a rule with an unknown key" }, "{}", "{\"rules\":[{\"repo\":[\"a\"]}]}", "policy.rules[0]: unknown key 'repo'" },
	{ { "rule_who", "a rule for nobody" }, "{}", "{\"rules\":[{\"repositories\":[\"a\"],\"actions\":[\"pull\"]}]}", "neither users" },
	{ { "rule_what", "a rule about nothing" }, "{}", "{\"rules\":[{\"users\":[\"a\"]}]}", "neither repositories" },
	{ { "rule_nothing", "a rule that grants nothing" }, "{}", "{\"rules\":[{\"users\":[\"a\"],\"repositories\":[\"a\"]}]}", "no actions" },
	{ { "rule_action", "an action that is none" }, "{}", "{\"rules\":[{\"users\":[\"a\"],\"repositories\":[\"a\"],\"actions\":[\"write\"]}]}", "policy.rules[0]: actions[0]: 'write' is not" },
	{ { "rule_group", "a group that is not there" }, "{}", "{\"rules\":[{\"groups\":[\"g\"],\"repositories\":[\"a\"],\"actions\":[\"pull\"]}]}", "no group 'g'" },
	{ { "rule_pattern", "a pattern in capitals" }, "{}", "{\"rules\":[{\"users\":[\"a\"],\"repositories\":[\"A\"],\"actions\":[\"pull\"]}]}", "'A' is not a pattern" },
	{ { "rule_stars", "three stars" }, "{}", "{\"rules\":[{\"users\":[\"a\"],\"repositories\":[\"***\"],\"actions\":[\"pull\"]}]}", "not a pattern" },
	{ { "rule_flag", "a flag that is a text" }, "{}", "{\"rules\":[{\"anonymous\":\"no\",\"repositories\":[\"a\"],\"actions\":[\"pull\"]}]}", "anonymous: neither true nor false" },
	{ { "group_text", "a group that is a text" }, "{}", "{\"groups\":{\"g\":\"bob\"},\"rules\":[]}", "policy.groups.g: not a list" },
};

TEST_TABLE(config, struct config_case, configs, c)
{
	json_t *auth = json_loads(c->auth, 0, NULL);
	json_t *policy = c->policy ? json_loads(c->policy, 0, NULL) : NULL;
	struct shale_err err = { 0 };
	struct gate *gate = NULL;

	EXPECT_EQ(gate_open(auth, policy, &gate, &err), -1);
	if (!strstr(err.msg, c->why))
		EXPECT_STREQ(err.msg, c->why);
	json_decref(auth);
	json_decref(policy);
}

struct pattern_case {
	struct ktap_row row;
	const char *pattern;
	const char *user;
	const char *name;
	bool matches;
};

static const struct pattern_case patterns[] = {
	{ { "same", "letters" }, "a/b", NULL, "a/b", true },
	{ { "longer", "not what is longer" }, "a/b", NULL, "a/bc", false },
	{ { "shorter", "nor shorter" }, "a/bc", NULL, "a/b", false },
	{ { "star", "a star within a component" }, "a/*", NULL, "a/bcd", true },
	{ { "star_slash", "and not over a slash" }, "a/*", NULL, "a/b/c", false },
	{ { "star_mid", "a star in the middle" }, "a/*-x", NULL, "a/b-c-x", true },
	{ { "star_none", "which may be nothing" }, "a*b", NULL, "ab", true },
	{ { "stars", "two stars over slashes" }, "a/**", NULL, "a/b/c", true },
	{ { "stars_itself", "but below it only" }, "a/**", NULL, "a", false },
	{ { "stars_mid", "two stars in the middle" }, "a/**/z", NULL, "a/b/c/z", true },
	{ { "stars_not", "which have to end" }, "a/**/z", NULL, "a/b/c/y", false },
	{ { "all", "everything" }, "**", NULL, "a/b/c", true },
	{ { "one", "every single component" }, "*", NULL, "a/b", false },
	{ { "mix", "one of each" }, "*/x/**", NULL, "a/x/b/c", true },
	{ { "mix_not", "one of each, not" }, "*/x/**", NULL, "a/b/x/c", false },
	{ { "user", "a user's home" }, "home/{user}/*", "bob", "home/bob/a", true },
	{ { "user_other", "not another's" }, "home/{user}/*", "bob", "home/bobby/a", false },
	{ { "user_none", "nobody has none" }, "home/{user}/*", NULL, "home//a", false },
	{ { "user_star", "a user called star is no pattern" }, "home/{user}/a", "*", "home/bob/a", false },
	{ { "many", "many stars do not take long" }, "*a*a*a*a*a*a*a*a*a*a*a*a*b", NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	{ { "retry", "a star tries again" }, "*ab/c", NULL, "aabab/c", true },
	{ { "overlap", "what overlaps itself" }, "*aba", NULL, "abababa", true },
};

TEST_TABLE(pattern, struct pattern_case, patterns, c)
{
	EXPECT_EQ(policy_matches(c->pattern, c->user, c->name), c->matches);
}

TEST(scopes, "scopes with classes, ports and blanks are read, others are left out")
{
	static const char text[] =
		" repository:a/b:pull,push  repository(plugin):c:pull registry:catalog:* repository:host:5000/x/y:delete,fly repository:../etc:pull "
		"repository:a//b:pull repository:a/b/:pull other:z:pull repository:a:5000:pull repository:A/b:pull";
	struct grants *grants = calloc(1, sizeof(*grants));
	struct buf back = BUF_INIT;
	struct shale_err err = { 0 };

	ASSERT_EQ(grant_parse_scopes(text, strlen(text), grants, &err), 0);
	for (size_t i = 0; i < grants->count; i++) {
		grant_add_scope(&grants->list[i], &back);
		buf_addc(&back, ' ');
	}
	EXPECT_STREQ(buf_str(&back), "repository:a/b:pull,push repository:c:pull registry:catalog:* repository:host:5000/x/y:delete repository:A/b:pull ");
	buf_release(&back);
	memset(grants, 0, sizeof(*grants));
	EXPECT_EQ(grant_parse_scopes("repository:a", 12, grants, &err), -1);
	for (int i = 0; i <= GRANT_MAX; i++)
		EXPECT_EQ(grant_parse_scopes("repository:a:pull", 17, grants, &err), i < GRANT_MAX ? 0 : -1);
	free(grants);
}
