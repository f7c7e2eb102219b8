// SPDX-License-Identifier: GPL-2.0-only
/*
 * Digests and image names.
 */
#include "ktap.h"

#include <stdio.h>

#include "store/digest.h"
#include "store/ref.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct name_case {
	struct ktap_row row;
	const char *text;
	const char *full; /* NULL: refused */
	const char *familiar;
};

#define L63  "0123456789012345678901234567890123456789012345678901234567890ab"
#define L128 L63 "-" L63 "x"

static const struct name_case names[] = {
	{ { "short", "a short name is an official image" }, "debian", "docker.io/library/debian:latest", "debian" },
	{ { "tag", "with a tag" }, "debian:12-slim", "docker.io/library/debian:12-slim", "debian" },
	{ { "user", "somebody's image" }, "me/it", "docker.io/me/it:latest", "me/it" },
	{ { "library", "library in full" }, "library/debian", "docker.io/library/debian:latest", "debian" },
	{ { "hub", "the registry in full" }, "docker.io/debian", "docker.io/library/debian:latest", "debian" },
	{ { "legacy", "its old name" }, "index.docker.io/debian:1", "docker.io/library/debian:1", "debian" },
	{ { "deep", "a deep path on the hub" }, "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b" },
	{ { "like_registry", "a path on the hub that looks like a registry" }, "docker.io/x.io/y", "docker.io/x.io/y:latest", "docker.io/x.io/y" },
	{ { "like_local", "or like localhost" }, "docker.io/localhost/y", "docker.io/localhost/y:latest", "docker.io/localhost/y" },
	{ { "registry", "another registry" }, "quay.io/a/b:c", "quay.io/a/b:c", "quay.io/a/b" },
	{ { "port", "a port" }, "host:5000/x", "host:5000/x:latest", "host:5000/x" },
	{ { "port_tag", "a port and a tag" }, "host:5000/x:y", "host:5000/x:y", "host:5000/x" },
	{ { "localhost", "localhost is a registry" }, "localhost/x", "localhost/x:latest", "localhost/x" },
	{ { "upper", "upper case makes a registry" }, "Host/x", "Host/x:latest", "Host/x" },
	{ { "one_name", "one label is no registry" }, "host/x", "docker.io/host/x:latest", "host/x" },
	{ { "separators", "separators" }, "x/a.b_c__d---e", "docker.io/x/a.b_c__d---e:latest", "x/a.b_c__d---e" },
	{ { "tag_long", "a tag of 128" }, "a:" L128, "docker.io/library/a:" L128, "a" },
	{ { "tag_too_long", "a tag of 129" }, "a:x" L128, NULL, NULL },
	{ { "empty", "nothing" }, "", NULL, NULL },
	{ { "tag_empty", "an empty tag" }, "a:", NULL, NULL },
	{ { "tag_dash", "a tag that begins with a dash" }, "a:-b", NULL, NULL },
	{ { "tag_sign", "a tag with a sign" }, "a:b+c", NULL, NULL },
	{ { "case", "upper case in the path" }, "Debian", NULL, NULL },
	{ { "two_dots", "two dots" }, "a..b", NULL, NULL },
	{ { "three_underscores", "three underscores" }, "a___b", NULL, NULL },
	{ { "mixed", "mixed separators" }, "a.-b", NULL, NULL },
	{ { "dash_first", "a dash first" }, "-a", NULL, NULL },
	{ { "dash_last", "a dash last" }, "a-", NULL, NULL },
	{ { "slash_first", "a slash first" }, "/a", NULL, NULL },
	{ { "slash_last", "a slash last" }, "a/", NULL, NULL },
	{ { "slashes", "two slashes" }, "a//b", NULL, NULL },
	{ { "dots", "a way out" }, "../../etc/passwd", NULL, NULL },
	{ { "blank", "a blank" }, "a b", NULL, NULL },
	{ { "newline", "a newline" }, "a\nb", NULL, NULL },
	{ { "port_none", "an empty port" }, "host.x:/a", NULL, NULL },
	{ { "port_letters", "a port that is no number" }, "host.x:y/a", NULL, NULL },
	{ { "label_dash", "a label that ends in a dash" }, "host-.x/a", NULL, NULL },
	{ { "label_empty", "an empty label" }, "host..x/a", NULL, NULL },
	{ { "digest_short", "a short digest" }, "a@sha256:00", NULL, NULL },
	{ { "digest_other", "another algorithm" }, "a@md5:" HEX, NULL, NULL },
	{ { "too_long", "a name of 256" }, L128 "/" L63 "/" L63, NULL, NULL },
};

TEST_TABLE(name, struct name_case, names, c)
{
	struct shale_err err = { 0 };
	struct ref ref;

	if (!c->full) {
		EXPECT_EQ(ref_parse(c->text, &ref, &err), -1);
		EXPECT_EQ(err.code, EINVAL);
		EXPECT(strstr(err.msg, "is not a"));
		return;
	}
	ASSERT_EQ(ref_parse(c->text, &ref, &err), 0);
	EXPECT_STREQ(ref_text(&ref).text, c->full);
	EXPECT_STREQ(ref_familiar(&ref), c->familiar);
	EXPECT(!ref.has_digest);
}

TEST(with_digest, "a digest stands for a tag, or beside one")
{
	struct ref ref;

	ASSERT_EQ(ref_parse("a/b@sha256:" HEX, &ref, NULL), 0);
	EXPECT_STREQ(ref.tag, "");
	EXPECT(ref.has_digest);
	EXPECT_STREQ(digest_text(&ref.digest).text, "sha256:" HEX);
	ASSERT_EQ(ref_parse("a/b:c@sha256:" HEX, &ref, NULL), 0);
	EXPECT_STREQ(ref.tag, "c");
	EXPECT(ref.has_digest);
}

TEST(digest_known, "the digest of nothing is the known one")
{
	struct digest digest;

	ASSERT_EQ(digest_of("", 0, &digest, NULL), 0);
	EXPECT_STREQ(digest_text(&digest).text, "sha256:" HEX);
}

TEST(digest_stream, "pieces give the digest of the whole")
{
	struct digest whole, pieces;
	struct hasher hasher;

	ASSERT_EQ(digest_of("hello world", 11, &whole, NULL), 0);
	ASSERT_EQ(hasher_init(&hasher, NULL), 0);
	hasher_update(&hasher, "hello", 5);
	hasher_update(&hasher, " world", 6);
	hasher_final(&hasher, &pieces);
	hasher_release(&hasher);
	EXPECT(digest_is_equal(&whole, &pieces));
}

TEST(digest_text_back, "text and digest are each other's")
{
	struct digest digest;
	struct digest_text text;

	ASSERT_EQ(digest_parse("sha256:" HEX, "x", &digest, NULL), 0);
	text = digest_text(&digest);
	EXPECT_STREQ(text.text, "sha256:" HEX);
	EXPECT_STREQ(digest_hex(&text), HEX);
	EXPECT(digest_parse_hex(HEX, &digest));
}

TEST(digest_bad, "what is no digest is refused and named")
{
	static const char *const bad[] = { "", "sha256:", HEX, "sha256:" HEX "0", "SHA256:" HEX,
					   "sha512:" HEX, "sha256:E" HEX, "sha256:../../../etc/passwd" };
	struct shale_err err = { 0 };
	struct digest digest;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(digest_parse(bad[i], "layers[0]", &digest, &err), -1);
		EXPECT_EQ(err.code, EINVAL);
		EXPECT(!strncmp(err.msg, "layers[0]: '", 12));
	}
}
