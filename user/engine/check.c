// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb check: the database first, since everything else is compared with it, then what index.json
 * shows, what killed commands left, and each blob, layer and writable layer. Looking takes no lock
 * for longer than a list of names needs: what is missing is looked up once more before it is reported,
 * as it may have been removed meanwhile.
 */
#include "engine/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/du.h"
#include "base/fs.h"
#include "store/catalog.h"
#include "store/container.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/lease.h"
#include "store/made.h"
#include "store/mounts.h"

#define CHECK_CHUNK (256 << 10)

void check_report(struct checking *checking, const char *kind, const char *id, const char *problem,
		  enum shale_finding_state state)
{
	struct shale_finding finding = { kind, id, problem, state };

	checking->left += state == SHALE_FINDING_FOUND || state == SHALE_FINDING_LEFT;
	if (checking->opts->finding)
		checking->opts->finding(checking->opts->finding_arg, &finding);
}

int check_list_add(struct check_list *list, const struct digest *digest, const char *problem,
		   struct shale_err *err)
{
	struct check_damage *items = reallocarray(list->items, list->count + 1, sizeof(*items));

	if (!items)
		return shale_err_errno(err, "checking");
	list->items = items;
	items[list->count].digest = *digest;
	snprintf(items[list->count].problem, sizeof(items->problem), "%s", problem);
	list->count++;
	return 0;
}

bool check_is_final(const struct shale_err *why)
{
	return why->code == ECANCELED || why->code == ENOSPC || why->code == EDQUOT ||
	       why->code == ENOMEM;
}

void check_add_reason(char problem[CHECK_PROBLEM], const struct shale_err *why)
{
	size_t len = strlen(problem);

	snprintf(problem + len, CHECK_PROBLEM - len, ", and cannot be fetched again: %s", why->msg);
}

bool check_list_has(const struct check_list *list, const struct digest *digest)
{
	for (size_t i = 0; i < list->count; i++)
		if (digest_is_equal(&list->items[i].digest, digest))
			return true;
	return false;
}

static enum shale_finding_state state_of(const struct checking *checking)
{
	return checking->opts->is_repairing ? SHALE_FINDING_REPAIRED : SHALE_FINDING_FOUND;
}

/* --- the database */

static int refuse_alive(void *arg, int dirfd, const char *name)
{
	(void)dirfd;
	if (!session_is_alive(arg, name))
		return 0;
	errno = EBUSY;
	return -1;
}

/* Whoever has the old file open would go on with it. */
static int replace_db(struct checking *checking, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&checking->store, LOCK_EX, err);

	if (lock < 0)
		return -1;
	if (fs_each_name(checking->store.tmp_fd, ".", refuse_alive, &checking->store) < 0)
		return errno == EBUSY ?
			       shale_err_set(err, EBUSY, "commands are at work in %s: the database cannot be made anew",
					     checking->store.path) :
			       shale_err_errno(err, "%s/tmp", checking->store.path);
	return store_replace_db_locked(&checking->store, err);
}

/* What opening the store fails with when its files, not the system, are at fault. */
static bool is_damage(int code)
{
	return code == EUCLEAN || code == EINVAL || code == EFBIG;
}

static int open_store(struct checking *checking, struct shale_err *err)
{
	const char *root = checking->task.opts->root;
	struct shale_err why = { 0 };

	if (store_open(root, false, &checking->store, &why) == 0)
		return 0;
	if (!is_damage(why.code))
		return shale_err_set(err, why.code, "%s", why.msg);
	if (store_open_files(root, &checking->store, err) < 0)
		return -1;
	if (checking->opts->is_repairing && replace_db(checking, err) < 0)
		return -1;
	check_report(checking, "database", STORE_DB, why.msg, state_of(checking));
	return 0;
}

static int note_fault(void *arg, const char *text)
{
	return buf_addf(arg, "%s%s", ((struct buf *)arg)->len ? "; " : "", text);
}

static int check_db(struct checking *checking, struct shale_err *err)
{
	__cleanup_buf struct buf faults = BUF_INIT;
	struct shale_err why = { 0 };

	if (db_verify(checking->store.db, note_fault, &faults, &why) < 0) {
		if (!is_damage(why.code))
			return shale_err_set(err, why.code, "%s", why.msg);
		note_fault(&faults, why.msg);
	}
	if (!faults.len)
		return 0;
	if (checking->opts->is_repairing && replace_db(checking, err) < 0)
		return -1;
	check_report(checking, "database", STORE_DB, buf_str(&faults), state_of(checking));
	return 0;
}

/* --- images of which it is not known what they need */

static int is_readable(const struct checking *checking, const struct digest *digest,
		       const char *media_type, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;

	if (image_kind(media_type) != IMAGE_INDEX)
		return image_load(&checking->store, digest, &image, err);
	if (store_read_blob(&checking->store, digest, &text, err) < 0)
		return -1;
	return index_parse(text.data, text.len, "image index", &index, err);
}

static int list_unread(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	const char *media_type = db_row_text(row, 1);
	struct checking *checking = arg;
	struct shale_err why = { 0 };
	struct digest digest;

	if (db_row_digest(row, 0, &digest, err) < 0)
		return -1;
	if (is_readable(checking, &digest, media_type ? media_type : "", &why) == 0)
		return 0;
	return check_list_add(&checking->images, &digest, why.msg, err);
}

static int list_all_unread(struct checking *checking, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0)
		return -1;
	return db_each(txn.db, err, list_unread, checking,
		       "SELECT digest, media_type FROM image WHERE NOT is_known");
}

/* Those that can be read then are told, the others keep what was wrong with them. */
static int report_fetched(struct checking *checking, struct check_list *before, struct shale_err *err)
{
	struct check_list after = { 0 };
	struct digest_text text;

	checking->images = (struct check_list){ 0 };
	if (list_all_unread(checking, err) < 0)
		return -1;
	for (size_t i = 0; i < before->count; i++) {
		text = digest_text(&before->items[i].digest);
		if (!check_list_has(&checking->images, &before->items[i].digest))
			check_report(checking, "image", text.text, before->items[i].problem,
				     SHALE_FINDING_REPAIRED);
		else if (check_list_add(&after, &before->items[i].digest,
					before->items[i].problem, err) < 0) {
			free(after.items);
			return -1;
		}
	}
	free(checking->images.items);
	checking->images = after;
	return 0;
}

static int fetch_unread(struct checking *checking, struct shale_err *err)
{
	struct check_list before = checking->images;
	int ret;

	if (!checking->opts->registry || !before.count)
		return 0;
	for (size_t i = 0; i < before.count; i++) {
		struct check_damage *image = &before.items[i];
		struct shale_err why = { 0 };

		if (check_fetch_image(checking, &image->digest, &why) == 0)
			continue;
		if (check_is_final(&why))
			return shale_err_set(err, why.code, "%s", why.msg);
		check_add_reason(image->problem, &why);
	}
	ret = report_fetched(checking, &before, err);
	free(before.items);
	return ret;
}

static int learn_images(struct checking *checking, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_WRITE, err) < 0 ||
	    catalog_complete(&checking->store, txn.db, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* Those that are left can be read, and what follows asks the database what they need. */
static int mend_images(struct checking *checking, struct shale_err *err)
{
	if (fetch_unread(checking, err) < 0 || check_drop_unread(checking, err) < 0)
		return -1;
	return learn_images(checking, err);
}

/* Before there is a session: beginning one may have to collect, which these forbid. */
static int check_images(struct checking *checking, struct shale_err *err)
{
	struct digest_text text;

	if (list_all_unread(checking, err) < 0)
		return -1;
	if (checking->opts->is_repairing)
		return mend_images(checking, err);
	for (size_t i = 0; i < checking->images.count; i++) {
		text = digest_text(&checking->images.items[i].digest);
		check_report(checking, "image", text.text, checking->images.items[i].problem,
			     SHALE_FINDING_FOUND);
	}
	return 0;
}

/* --- what beginning a session mends */

static const char *const index_problems[] = {
	[INDEX_FILE_STALE] = "it is older than the database",
	[INDEX_FILE_BROKEN] = "it is not an image index",
	[INDEX_FILE_MISSING] = "it is missing",
};

static int list_dead(void *arg, int dirfd, const char *name)
{
	struct checking *checking = arg;

	(void)dirfd;
	if (!session_is_alive(&checking->store, name))
		check_report(checking, "session", name, "a command was killed and left it",
			     state_of(checking));
	return 0;
}

static int check_leftovers(struct checking *checking, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&checking->store, LOCK_SH, err);
	enum index_file state = INDEX_FILE_CURRENT;

	if (lock < 0 || index_file_state(&checking->store, &state, err) < 0)
		return -1;
	/* What another tool has added is as it should be. */
	if (state != INDEX_FILE_CURRENT && state != INDEX_FILE_FOREIGN)
		check_report(checking, "index", "index.json", index_problems[state],
			     state_of(checking));
	if (fs_each_name(checking->store.tmp_fd, ".", list_dead, checking) < 0)
		return shale_err_errno(err, "%s/tmp", checking->store.path);
	return 0;
}

/* --- lists of what should be there */

struct check_names {
	struct check_list blobs;
	struct check_list layers;  /* with their rows */
	struct check_list unrowed; /* which images need, have none, and should */
	uint64_t *contents;	   /* of layers */
	struct buf containers;
};

static void names_release(struct check_names *names)
{
	free(names->blobs.items);
	free(names->layers.items);
	free(names->unrowed.items);
	free(names->contents);
	buf_release(&names->containers);
}

static int list_blob(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct digest digest;

	return db_row_digest(row, 0, &digest, err) < 0 ? -1 : check_list_add(arg, &digest, "", err);
}

static int list_layer(void *arg, const struct layer_row *row, struct shale_err *err)
{
	struct check_names *names = arg;
	uint64_t *contents;

	if (strcmp(row->driver, LAYER_DRIVER))
		return 0;
	contents = reallocarray(names->contents, names->layers.count + 1, sizeof(*contents));
	if (!contents)
		return shale_err_errno(err, "checking");
	names->contents = contents;
	contents[names->layers.count] = row->content;
	return check_list_add(&names->layers, &row->diff_id, "", err);
}

static int list_container(void *arg, const struct container_row *row, struct shale_err *err)
{
	return buf_add(arg, row->id, strlen(row->id) + 1) < 0 ? shale_err_errno(err, "checking") : 0;
}

/* An image of another tool has no layers unpacked at all, and is in order. */
static const char unrowed_sql[] =
	"SELECT DISTINCT diff_id FROM image_layer WHERE diff_id NOT IN (SELECT diff_id FROM layer)"
	" AND image IN (SELECT image FROM image_layer WHERE diff_id IN (SELECT diff_id FROM layer))";
static const char blobs_sql[] =
	"SELECT digest FROM image UNION SELECT blob FROM image_layer"
	" UNION SELECT config FROM image WHERE config IS NOT NULL";

static int list_names(const struct checking *checking, struct check_names *names,
		      struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0 ||
	    db_each(txn.db, err, list_blob, &names->blobs, blobs_sql) < 0 ||
	    db_each(txn.db, err, list_blob, &names->unrowed, unrowed_sql) < 0 ||
	    layer_each(txn.db, list_layer, names, err) < 0)
		return -1;
	return container_each(txn.db, list_container, &names->containers, err);
}

static int is_needed(const struct checking *checking, const struct digest *digest,
		     bool *ret_needed, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	int64_t count = 0;

	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0 ||
	    db_number(txn.db, err, &count,
		      "SELECT (SELECT count(*) FROM image WHERE digest = ?1)"
		      " + (SELECT count(*) FROM image_layer WHERE blob = ?1 OR diff_id = ?1)"
		      " + (SELECT count(*) FROM image_blob WHERE digest = ?1)"
		      " + (SELECT count(*) FROM layer WHERE diff_id = ?1)",
		      DB_DIGEST(digest)) < 0)
		return -1;
	*ret_needed = count > 0;
	return 0;
}

/* --- blobs */

static int hash_file(struct checking *checking, int fd, const char *id, struct digest *ret_digest,
		     struct shale_err *err)
{
	__attribute__((cleanup(hasher_release))) struct hasher hasher = { NULL };
	struct shale_event event = { .kind = SHALE_EVENT_READ, .id = id };
	__cleanup_free char *chunk = malloc(CHECK_CHUNK);
	ssize_t got;

	if (!chunk)
		return shale_err_errno(err, "checking");
	if (hasher_init(&hasher, err) < 0)
		return -1;
	while ((got = read(fd, chunk, CHECK_CHUNK)) > 0) {
		hasher_update(&hasher, chunk, got);
		event.done += got;
		if (task_report(&checking->task, &event, err) < 0)
			return -1;
	}
	if (got < 0)
		return shale_err_errno(err, "it cannot be read");
	hasher_final(&hasher, ret_digest);
	return 0;
}

/* "" in problem: it is in order. */
static int look_at_blob(struct checking *checking, const struct digest *digest, char *problem,
			size_t len, struct shale_err *err)
{
	struct digest_text text = digest_text(digest);
	struct shale_err why = { 0 };
	struct digest found;
	__cleanup_fd int fd = openat(checking->store.blobs_fd, digest_hex(&text),
				     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*problem = '\0';
	if (fd < 0) {
		snprintf(problem, len, "%s", errno == ENOENT ? "it is missing" : strerror(errno));
		return 0;
	}
	if (hash_file(checking, fd, text.text, &found, &why) < 0) {
		if (why.code == ECANCELED || why.code == ENOMEM)
			return shale_err_set(err, why.code, "%s", why.msg);
		snprintf(problem, len, "%.100s", why.msg);
	} else if (!digest_is_equal(&found, digest)) {
		snprintf(problem, len, "it does not have its digest");
	}
	return 0;
}

static int check_blobs(struct checking *checking, const struct check_names *names,
		       struct shale_err *err)
{
	char problem[160];
	bool needed;

	for (size_t i = 0; i < names->blobs.count; i++) {
		const struct digest *digest = &names->blobs.items[i].digest;

		if (look_at_blob(checking, digest, problem, sizeof(problem), err) < 0)
			return -1;
		if (!*problem || check_list_has(&checking->images, digest))
			continue;
		if (is_needed(checking, digest, &needed, err) < 0 ||
		    (needed && check_list_add(&checking->blobs, digest, problem, err) < 0))
			return -1;
	}
	return 0;
}

/* --- layers */

static void look_at_layer(const struct checking *checking, const struct digest *digest,
			  uint64_t content, char *problem, size_t len)
{
	struct digest_text text = digest_text(digest);
	char path[DIGEST_HEX + sizeof("/diff")];
	struct shale_err why = { 0 };
	uint64_t size = 0, found = 0;

	*problem = '\0';
	snprintf(path, sizeof(path), "%s/diff", digest_hex(&text));
	if (faccessat(checking->store.layers_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		snprintf(problem, len, "its directory is missing");
	else if (store_read_layer_size(&checking->store, digest, &size, &why) < 0 || size != content)
		snprintf(problem, len, "its size file does not say %" PRIu64, content);
	else if (du_tree(checking->store.layers_fd, path, &found) < 0)
		/* Without privilege not everything can be looked at. */
		snprintf(problem, len, "%s", errno == EACCES ? "" : strerror(errno));
	else if (found != content)
		snprintf(problem, len, "its files have %" PRIu64 " bytes instead of %" PRIu64, found,
			 content);
}

static int check_layers(struct checking *checking, const struct check_names *names,
			struct shale_err *err)
{
	char problem[160];
	bool needed;

	for (size_t i = 0; i < names->layers.count; i++) {
		const struct digest *digest = &names->layers.items[i].digest;

		look_at_layer(checking, digest, names->contents[i], problem, sizeof(problem));
		if (!*problem)
			continue;
		if (is_needed(checking, digest, &needed, err) < 0 ||
		    (needed && check_list_add(&checking->layers, digest, problem, err) < 0))
			return -1;
	}
	for (size_t i = 0; i < names->unrowed.count; i++)
		if (check_list_add(&checking->layers, &names->unrowed.items[i].digest,
				   "it is not unpacked, and others of its image are", err) < 0)
			return -1;
	return 0;
}

/* --- writable layers */

/* The note beside it comes and goes under the lock; who has removed both is told from damage by that. */
static bool has_note(const struct checking *checking, const char *id)
{
	char path[sizeof(CONTAINER_ROOM "/") + CONTAINER_ID_TEXT];
	__cleanup_made struct made made = { .count = 0 };

	snprintf(path, sizeof(path), CONTAINER_ROOM "/%.12s", id);
	return made_load(&checking->store, path, &made, NULL) == 0 ||
	       faccessat(checking->store.dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* What was written to it is somebody's: without its note it stays until it is pruned. */
static int check_note(struct checking *checking, const char *id, struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	if (has_note(checking, id))
		return 0;
	lock = store_lock(&checking->store, LOCK_EX, err);
	if (lock < 0)
		return -1;
	if (!has_note(checking, id))
		check_report(checking, "container", id,
			     "nobody knows what it was made of: " MADE_FILE " is missing or damaged",
			     checking->opts->is_repairing ? SHALE_FINDING_LEFT :
							    SHALE_FINDING_FOUND);
	return 0;
}

static int check_containers(struct checking *checking, const struct check_names *names,
			    struct shale_err *err)
{
	const char *end = buf_str(&names->containers) + names->containers.len;
	char path[sizeof(CONTAINER_ROOM "//upper") + CONTAINER_ID_TEXT];
	const char *id = names->containers.data;

	for (; id && id < end; id += strlen(id) + 1) {
		snprintf(path, sizeof(path), CONTAINER_ROOM "/%.12s/upper", id);
		if (faccessat(checking->store.dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
			if (check_note(checking, id, err) < 0)
				return -1;
			continue;
		}
		if (checking->opts->is_repairing &&
		    container_remove(&checking->store, id, err) < 0)
			return -1;
		check_report(checking, "container", id, "its directory is missing",
			     checking->opts->is_repairing ? SHALE_FINDING_DROPPED :
							    SHALE_FINDING_FOUND);
	}
	return 0;
}

/* --- what nothing needs: the collector's rule, to be told before it is applied */

static int add_stray(void *arg, const char *kind, const char *name)
{
	struct checking *checking = arg;

	return buf_add(&checking->strays, kind, strlen(kind) + 1) < 0 ||
			       buf_add(&checking->strays, name, strlen(name) + 1) < 0 ?
		       -1 : 0;
}

static int check_strays(struct checking *checking, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&checking->store, LOCK_EX, err);

	if (lock < 0)
		return -1;
	return gc_list_locked(&checking->store, add_stray, checking, err);
}

static void report_strays(struct checking *checking)
{
	const char *at = checking->strays.data;
	const char *end = at + checking->strays.len;

	while (at && at < end) {
		const char *name = at + strlen(at) + 1;

		check_report(checking, at, name, "nothing needs it", state_of(checking));
		at = name + strlen(name) + 1;
	}
}

static void report_damage(struct checking *checking)
{
	struct digest_text text;

	for (size_t i = 0; i < checking->blobs.count; i++) {
		text = digest_text(&checking->blobs.items[i].digest);
		check_report(checking, "blob", text.text, checking->blobs.items[i].problem,
			     SHALE_FINDING_FOUND);
	}
	for (size_t i = 0; i < checking->layers.count; i++) {
		text = digest_text(&checking->layers.items[i].digest);
		check_report(checking, "layer", text.text, checking->layers.items[i].problem,
			     SHALE_FINDING_FOUND);
	}
}

static int look(struct checking *checking, struct shale_err *err)
{
	__cleanup(names_release) struct check_names names = { .contents = NULL };

	if (list_names(checking, &names, err) < 0 || check_blobs(checking, &names, err) < 0 ||
	    check_layers(checking, &names, err) < 0)
		return -1;
	if (check_containers(checking, &names, err) < 0)
		return -1;
	return check_volumes(checking, err);
}

static int check_run(struct checking *checking, struct shale_err *err)
{
	if (open_store(checking, err) < 0)
		return -1;
	/* Found damaged, and nobody wants it mended: there is nothing to compare with. */
	if (!checking->store.db)
		return 0;
	if (check_db(checking, err) < 0)
		return -1;
	if (checking->left)
		return 0;
	if (check_images(checking, err) < 0 || check_leftovers(checking, err) < 0)
		return -1;
	if (checking->opts->is_repairing &&
	    session_begin(&checking->store, &checking->session, err) < 0)
		return -1;
	if (look(checking, err) < 0 || check_strays(checking, err) < 0)
		return -1;
	if (checking->opts->is_repairing)
		return check_repair(checking, err) < 0 ? -1 : (report_strays(checking), 0);
	report_damage(checking);
	report_strays(checking);
	return 0;
}

static void checking_release(struct checking *checking)
{
	free(checking->images.items);
	free(checking->blobs.items);
	free(checking->layers.items);
	buf_release(&checking->strays);
	check_fetch_close(checking);
	session_end(&checking->session);
	store_close(&checking->store);
}

int shale_check(const struct shale_opts *opts, const struct shale_check_opts *check,
		struct shale_err *err)
{
	__attribute__((cleanup(checking_release))) struct checking checking = {
		.task = TASK_INIT(opts),
		.opts = check,
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
	};

	if (check_run(&checking, err) < 0)
		return -1;
	if (!checking.left)
		return 0;
	return shale_err_set(err, EUCLEAN, "%zu problem%s in %s", checking.left,
			     checking.left == 1 ? "" : "s", opts->root);
}
