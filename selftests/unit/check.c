// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine's check of a store in which a blob is damaged, without somewhere to fetch it from. The kinds of damage are
 * in selftests/image/store.sh, what registries do about them in selftests/client/repair.sh.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/digest.h"

/* Two blocks of nothing: the end of a tar, and so one without files. */
#define TAR_BYTES 1024

static char root[64], layout[64], store_path[64];
static char tar[TAR_BYTES];
static struct digest_text tar_digest;

static struct digest_text blob_write(const char *data, size_t len)
{
	struct digest_text text;
	struct digest digest;
	char path[192];

	ASSERT_EQ(digest_of(data, len, &digest, NULL), 0);
	text = digest_text(&digest);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", layout, digest_hex(&text));
	ASSERT_EQ(fs_write_synced(AT_FDCWD, path, data, len), 0);
	return text;
}

static void file_write(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", layout, name);
	ASSERT_EQ(fs_write_synced(AT_FDCWD, path, text, strlen(text)), 0);
}

static void layout_make(void)
{
	struct digest_text config_digest, manifest_digest;
	char config[512], manifest[1024], index[512], path[128];

	ASSERT_OK(mkdir(layout, 0755));
	snprintf(path, sizeof(path), "%s/blobs", layout);
	ASSERT_OK(mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/blobs/sha256", layout);
	ASSERT_OK(mkdir(path, 0755));
	tar_digest = blob_write(tar, sizeof(tar));
	snprintf(config, sizeof(config),
		 "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"]}}", tar_digest.text);
	config_digest = blob_write(config, strlen(config));
	snprintf(manifest, sizeof(manifest),
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":"
		 "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
		 "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		 "\"digest\":\"%s\",\"size\":%d}]}",
		 config_digest.text, strlen(config), tar_digest.text, TAR_BYTES);
	manifest_digest = blob_write(manifest, strlen(manifest));
	snprintf(index, sizeof(index),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		 "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu}]}",
		 manifest_digest.text, strlen(manifest));
	file_write("index.json", index);
	file_write("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

/* A store with the image, whose layer's blob has lost its end. */
static void store_make(void)
{
	struct shale_opts opts = { .root = store_path };
	struct shale_import_opts import = { .source = layout, .name = "quay.io/some/where:1" };
	struct shale_err err = { 0 };
	char path[192];

	strcpy(root, "/dev/shm/shale-check-XXXXXX");
	ASSERT(mkdtemp(root));
	snprintf(layout, sizeof(layout), "%s/layout", root);
	snprintf(store_path, sizeof(store_path), "%s/store", root);
	layout_make();
	if (shale_import(&opts, &import, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", store_path, digest_hex(&tar_digest));
	ASSERT_OK(truncate(path, TAR_BYTES / 2));
}

static void root_remove(void)
{
	int dirfd = ASSERT_OK(open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC));

	EXPECT_EQ(fs_remove_tree(dirfd, root + strlen("/dev/shm/")), 0);
	close(dirfd);
}

static size_t image_count(void)
{
	struct shale_opts opts = { .root = store_path };
	struct shale_image_list list = { 0 };
	size_t count;

	ASSERT_EQ(shale_images(&opts, NULL, &list, NULL), 0);
	count = list.count;
	shale_image_list_free(&list);
	return count;
}

static int states[SHALE_FINDING_LEFT + 1];

static void count_finding(void *arg, const struct shale_finding *finding)
{
	(void)arg;
	states[finding->state]++;
}

static int check(const struct shale_check_opts *how)
{
	struct shale_check_opts check = *how;
	struct shale_opts opts = { .root = store_path };
	struct shale_err err = { 0 };

	memset(states, 0, sizeof(states));
	check.finding = count_finding;
	if (shale_check(&opts, &check, &err) == 0)
		return 0;
	if (err.code != EUCLEAN)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
	return -1;
}

TEST(looks, "without repair nothing changes")
{
	store_make();
	EXPECT_EQ(check(&(struct shale_check_opts){ .is_repairing = false }), -1);
	EXPECT_EQ(states[SHALE_FINDING_FOUND], 1);
	EXPECT_EQ(image_count(), 1);
	root_remove();
}

TEST(drops, "a damaged blob that cannot be fetched costs the image")
{
	struct shale_check_opts repair = { .is_repairing = true };

	store_make();
	EXPECT_EQ(check(&repair), 0);
	EXPECT_EQ(states[SHALE_FINDING_DROPPED], 2);
	EXPECT_EQ(image_count(), 0);
	EXPECT_EQ(check(&(struct shale_check_opts){ .is_repairing = false }), 0);
	root_remove();
}
