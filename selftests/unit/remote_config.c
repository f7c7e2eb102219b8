// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the drivers of object stores refuse in their configuration, before they speak to anybody: each message names
 * what is wrong.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/driver.h"
#include "registry/remote_store.h"

#define MAX_PARAMS 16

struct config_case {
	struct ktap_row row;
	const char *text; /* "DRIVER KEY=VALUE..." */
	const char *message;
};

#define S3    "s3 accesskey=a secretkey=b bucket=shale "
#define SWIFT "swift authurl=http://127.0.0.1:1/auth/v1.0 username=u password=p container=c retries=0 "
#define AZURE "azure accountname=account accountkey=AAAA container=shale serviceurl=http://127.0.0.1:1 retries=0 "

static const struct config_case configs[] = {
	{ { "unknown", "an unknown parameter" }, S3 "region=r pagesise=5", "storage: s3 has no parameter 'pagesise'" },
	{ { "chunk_small", "a piece below S3's least part" }, S3 "region=r chunksize=1000",
	  "storage: chunksize: '1000' is not a number from 5242880 to 5368709120" },
	{ { "chunk_text", "a piece that is no number" }, S3 "region=r chunksize=10m", "storage: chunksize: '10m' is not a number" },
	{ { "retries", "too many repeats" }, S3 "region=r retries=21", "storage: retries: '21' is not a number from 0 to 20" },
	{ { "bool", "neither true nor false" }, S3 "region=r skipverify=yes", "storage: skipverify: 'yes' is neither true nor false" },
	{ { "tmpdir", "a directory that is not there" }, S3 "region=r tmpdir=/nonesuch", "storage: tmpdir: /nonesuch: No such file" },
	{ { "cacert", "a file that is not there" }, S3 "region=r cacert=/nonesuch", "storage: cacert: /nonesuch: No such file" },
	{ { "root", "a root that leads up" }, S3 "region=r rootdirectory=a/../b", "storage: rootdirectory: 'a/../b' is no path" },
	{ { "conditional", "an unknown way to swap" }, S3 "regionendpoint=http://127.0.0.1:1 conditional=maybe",
	  "storage: conditional: 'maybe' is not auto, lock or none" },
	{ { "s3_bucket", "no bucket" }, "s3 accesskey=a secretkey=b region=r", "storage: s3: bucket '' is no bucket's name" },
	{ { "s3_bucket_slash", "a bucket with a slash" }, "s3 accesskey=a secretkey=b region=r bucket=a/b", "storage: s3: bucket 'a/b' is no bucket's name" },
	{ { "s3_keys", "no keys" }, "s3 bucket=shale region=r", "storage: s3 needs accesskey and secretkey, or AWS_ACCESS_KEY_ID" },
	{ { "s3_half", "one of two keys" }, "s3 bucket=shale region=r accesskey=a", "storage: s3 needs accesskey and secretkey" },
	{ { "s3_region", "no region" }, S3, "storage: s3 needs a region" },
	{ { "s3_v2", "old signatures" }, S3 "region=r v4auth=false", "storage: s3: only version 4 signatures" },
	{ { "s3_keyid", "a key without encryption" }, S3 "region=r keyid=k", "storage: s3: keyid without encrypt" },
	{ { "s3_endpoint", "an endpoint of another kind" }, S3 "regionendpoint=ftp://x", "storage: s3: regionendpoint: 'ftp://x' is neither http nor https" },
	{ { "s3_fast", "Amazon's addresses and another endpoint" }, S3 "regionendpoint=http://x accelerate=true", "storage: s3: accelerate and usedualstack are Amazon's" },
	{ { "s3_host", "a bucket that is no host's name" }, "s3 accesskey=a secretkey=b bucket=my_bucket region=r", "storage: s3: bucket 'my_bucket' cannot be part of a host" },
	{ { "s3_copy", "copies of parts that are too small" }, S3 "region=r multipartcopychunksize=1", "storage: multipartcopychunksize: '1' is not a number" },
	{ { "swift_url", "no address" }, "swift username=u password=p container=c", "storage: swift needs an authurl" },
	{ { "swift_user", "no user" }, "swift authurl=http://x container=c", "storage: swift needs username and password" },
	{ { "swift_container", "a container with a slash" }, "swift authurl=http://x username=u password=p container=a/b", "storage: swift: container 'a/b' is no container's name" },
	{ { "swift_v2", "Keystone's old version" }, SWIFT "authversion=2", "storage: swift: authversion 2 is Keystone's old one" },
	{ { "swift_interface", "an unknown interface" }, SWIFT "endpointtype=private", "storage: swift: endpointtype 'private' is not" },
	{ { "swift_none", "nobody there" }, SWIFT, "logging in to Swift: http://127.0.0.1:1/auth/v1.0: Failed to connect" },
	{ { "azure_account", "an account's name" }, "azure accountname=A_B accountkey=AAAA container=shale", "storage: azure: accountname 'A_B' is no account's name" },
	{ { "azure_container", "a container's name" }, "azure accountname=account accountkey=AAAA container=a--b", "storage: azure: container 'a--b' is no container's name" },
	{ { "azure_no_key", "no key" }, "azure accountname=account container=shale", "storage: azure needs an accountkey" },
	{ { "azure_key", "a key that is not base64" }, "azure accountname=account accountkey=AA*A container=shale", "storage: azure: accountkey is not base64" },
	{ { "azure_key_len", "a key that is cut" }, "azure accountname=account accountkey=AAAAA container=shale", "storage: azure: accountkey is not base64" },
	{ { "azure_type", "other credentials" }, AZURE "credentials.type=client_secret", "storage: azure: credentials.type 'client_secret': only shared_key" },
	{ { "azure_delay", "a delay" }, AZURE "copy_status_poll_delay=1h", "storage: azure: copy_status_poll_delay '1h' is not 1ms to 60s" },
	{ { "azure_none", "nobody there" }, AZURE, "shale: Failed to connect" },
};

TEST_TABLE(config, struct config_case, configs, c)
{
	struct bucket_param list[MAX_PARAMS];
	struct bucket *bucket = NULL;
	struct shale_err err = { 0 };
	struct bucket_params params = { list, 0 };
	char text[1024];
	char *save = NULL;
	char *driver;

	setenv("no_proxy", "*", 1);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	snprintf(text, sizeof(text), "%s", c->text);
	driver = strtok_r(text, " ", &save);
	for (char *word; (word = strtok_r(NULL, " ", &save));) {
		char *equal = strchr(word, '=');

		ASSERT(equal);
		*equal = '\0';
		list[params.count++] = (struct bucket_param){ word, equal + 1 };
	}
	EXPECT_EQ(bucket_open(driver, &params, &bucket, &err), -1);
	if (strncmp(err.msg, c->message, strlen(c->message)))
		EXPECT_STREQ(err.msg, c->message);
}

struct hidden_case {
	struct ktap_row row;
	const char *key;
	bool is_hidden;
};

static const struct hidden_case keys[] = {
	{ { "plain", "a path" }, "a/b", false },
	{ { "last", "ours at the end" }, "a/.shale", true },
	{ { "middle", "ours in the middle" }, "a/.shale/b", true },
	{ { "first", "ours first" }, ".shale/lock/x", true },
	{ { "longer", "a longer name" }, "a/.shalek/b", false },
	{ { "within", "within a name" }, "a/b.shale/c", false },
};

TEST_TABLE(hidden, struct hidden_case, keys, c)
{
	EXPECT_EQ(remote_key_is_hidden(c->key), c->is_hidden);
}
