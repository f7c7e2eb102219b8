// SPDX-License-Identifier: GPL-2.0-only
/*
 * htpasswd files; see htpasswd.h. Here are the file and the decision; what was decided lately is
 * kept in htpasswd_cache.c. Called by access.c for Basic credentials, and by issuer.c.
 */
#include "registry/htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/htpasswd_cache.h"
#include "registry/keyfile.h"

/* "$2y$05$" and 53 letters of salt and hash. */
#define BCRYPT_LEN 60

struct entry {
	const char *user;
	const char *hash;
};

/* One reading of the file; users that are being checked keep theirs. */
struct table {
	int refs;
	char *text;
	struct entry *list; /* sorted by user */
	size_t count;
	size_t unusable;
	const char *first_unusable;
	const char *decoy; /* what a password of nobody is compared with */
};

struct htpasswd {
	char *path;
	pthread_mutex_t lock; /* all below */
	struct table *table;
	struct stat seen;
	struct shale_err reload;
	pthread_cond_t turn;
	int running;
	int waiting;
	struct htpasswd_cache *cache;
};

static void table_put(struct table *table)
{
	if (!table || __atomic_sub_fetch(&table->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(table->text);
	free(table->list);
	free(table);
}

static void table_putp(struct table **table)
{
	table_put(*table);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->user, ((const struct entry *)b)->user);
}

static int bcrypt_cost(const char *hash)
{
	if (strlen(hash) != BCRYPT_LEN || hash[0] != '$' || hash[1] != '2' ||
	    !strchr("aby", hash[2]) || hash[3] != '$' || hash[6] != '$')
		return -1;
	if (hash[4] < '0' || hash[4] > '9' || hash[5] < '0' || hash[5] > '9')
		return -1;
	return 10 * (hash[4] - '0') + hash[5] - '0';
}

static bool is_usable(const char *hash)
{
	int cost = bcrypt_cost(hash);

	return cost >= 4 && cost <= HTPASSWD_MAX_COST;
}

/* Blanks around a line mean nothing, nor do empty lines and those that begin with '#'. */
static char *trim(char *line)
{
	size_t len;

	line += strspn(line, " \t\r");
	len = strlen(line);
	while (len && strchr(" \t\r", line[len - 1]))
		line[--len] = '\0';
	return line;
}

static bool is_user(const char *user)
{
	size_t len = strlen(user);

	if (!len || len > HTPASSWD_MAX_USER)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)user[i] < ' ' || user[i] == 0x7f)
			return false;
	return true;
}

static int add_line(struct table *table, char *line, size_t number, const char *path,
		    struct shale_err *err)
{
	struct entry *entry = &table->list[table->count];
	char *colon;

	line = trim(line);
	if (!line[0] || line[0] == '#')
		return 0;
	colon = strchr(line, ':');
	if (!colon)
		return shale_err_set(err, EINVAL, "%s:%zu: no colon after the user's name", path,
				     number);
	*colon = '\0';
	if (!is_user(line))
		return shale_err_set(err, EINVAL, "%s:%zu: not a user's name", path, number);
	*entry = (struct entry){line, colon + 1};
	if (is_usable(entry->hash)) {
		table->decoy = entry->hash;
	} else {
		table->unusable++;
		if (!table->first_unusable)
			table->first_unusable = line;
	}
	table->count++;
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t lines = 1;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static int check_twins(const struct table *table, const char *path, struct shale_err *err)
{
	for (size_t i = 1; i < table->count; i++)
		if (!strcmp(table->list[i].user, table->list[i - 1].user))
			return shale_err_set(err, EINVAL, "%s: user '%s' is there twice", path,
					     table->list[i].user);
	return 0;
}

static int table_parse(struct buf *text, const char *path, struct table **ret_table,
		       struct shale_err *err)
{
	__cleanup(table_putp) struct table *table = calloc(1, sizeof(*table));
	size_t number = 0;
	char *line, *next;

	if (!table)
		return shale_err_set(err, ENOMEM, "%s", path);
	table->refs = 1;
	if (memchr(buf_str(text), '\0', text->len))
		return shale_err_set(err, EINVAL, "%s: not a text file", path);
	table->list = calloc(count_lines(buf_str(text)), sizeof(*table->list));
	table->text = buf_steal(text);
	if (!table->list || !table->text)
		return shale_err_set(err, ENOMEM, "%s", path);
	for (next = table->text; (line = strsep(&next, "\n"));)
		if (add_line(table, line, ++number, path, err) < 0)
			return -1;
	qsort(table->list, table->count, sizeof(*table->list), compare_entries);
	if (check_twins(table, path, err) < 0)
		return -1;
	*ret_table = steal_ptr(table);
	return 0;
}

static int table_read(const char *path, struct table **ret_table, struct stat *ret_seen,
		      struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (keyfile_read(AT_FDCWD, path, HTPASSWD_MAX_FILE, &text, ret_seen, err) < 0)
		return -1;
	return table_parse(&text, path, ret_table, err);
}

int htpasswd_open(const char *path, struct htpasswd **ret_file, struct shale_err *err)
{
	__cleanup(htpasswd_closep) struct htpasswd *file = calloc(1, sizeof(*file));

	if (!file)
		return shale_err_set(err, ENOMEM, "%s", path);
	pthread_mutex_init(&file->lock, NULL);
	pthread_cond_init(&file->turn, NULL);
	file->path = strdup(path);
	file->cache = htpasswd_cache_new();
	if (!file->path || !file->cache)
		return shale_err_set(err, ENOMEM, "%s", path);
	if (table_read(path, &file->table, &file->seen, err) < 0)
		return -1;
	*ret_file = steal_ptr(file);
	return 0;
}

void htpasswd_close(struct htpasswd *file)
{
	if (!file)
		return;
	table_put(file->table);
	htpasswd_cache_free(file->cache);
	pthread_cond_destroy(&file->turn);
	pthread_mutex_destroy(&file->lock);
	free(file->path);
	free(file);
}

void htpasswd_closep(struct htpasswd **file)
{
	htpasswd_close(*file);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A file that cannot be read now leaves those in who were in; the complaint says so. */
static void refresh_locked(struct htpasswd *file)
{
	struct table *table;
	struct stat now;

	if (stat(file->path, &now) < 0) {
		shale_err_errno(&file->reload, "%s", file->path);
		memset(&file->seen, 0, sizeof(file->seen));
		return;
	}
	if (is_same_file(&now, &file->seen))
		return;
	file->reload = (struct shale_err){0};
	if (table_read(file->path, &table, &now, &file->reload) == 0) {
		table_put(file->table);
		file->table = table;
	}
	file->seen = now;
}

static struct table *get_table(struct htpasswd *file)
{
	struct table *table;

	pthread_mutex_lock(&file->lock);
	refresh_locked(file);
	table = file->table;
	__atomic_add_fetch(&table->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&file->lock);
	return table;
}

/* NULL when there is no such user, or one whose hash cannot be used. */
static const char *find_hash(const struct table *table, const char *user)
{
	const struct entry key = {user, NULL};
	const struct entry *entry =
		bsearch(&key, table->list, table->count, sizeof(key), compare_entries);

	return entry && is_usable(entry->hash) ? entry->hash : NULL;
}

/* Who does not exist takes as long as who does. */
static const char *const nobody = "$2y$05$C6UzMDM.H6dfI/f/IKcEe.Zp5rVxT5mE9ZB0rzfSUuQ1dCMMbYAqm";

static bool is_password(const struct table *table, const char *hash, const char *password)
{
	const char *decoy = table->decoy ? table->decoy : nobody;
	struct crypt_data *data = calloc(1, sizeof(*data));
	char *made = data ? crypt_r(password, hash ? hash : decoy, data) : NULL;
	bool right = made && hash && strlen(made) == BCRYPT_LEN &&
		     !CRYPTO_memcmp(made, hash, BCRYPT_LEN);

	if (data)
		OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return right;
}

static bool take_turn(struct htpasswd *file)
{
	bool taken = false;

	pthread_mutex_lock(&file->lock);
	if (file->waiting < HTPASSWD_WAITING) {
		file->waiting++;
		while (file->running >= HTPASSWD_AT_ONCE)
			pthread_cond_wait(&file->turn, &file->lock);
		file->waiting--;
		file->running++;
		taken = true;
	}
	pthread_mutex_unlock(&file->lock);
	return taken;
}

static void end_turn(struct htpasswd *file)
{
	pthread_mutex_lock(&file->lock);
	file->running--;
	pthread_cond_signal(&file->turn);
	pthread_mutex_unlock(&file->lock);
}

/* One question, with what is needed to answer it from memory. */
struct question {
	struct table *table;
	const char *hash; /* NULL: nobody */
	struct htpasswd_key key;
};

static void question_release(struct question *question)
{
	table_put(question->table);
}

/* False for what can be nobody's. */
static bool question_init(struct question *question, struct htpasswd *file, const char *user,
			  const char *password)
{
	if (strlen(user) > HTPASSWD_MAX_USER || strlen(password) > HTPASSWD_MAX_PASSWORD)
		return false;
	question->table = get_table(file);
	question->hash = find_hash(question->table, user);
	htpasswd_cache_key(file->cache, user, password, question->hash ? question->hash : "",
			   &question->key);
	return true;
}

enum htpasswd_result htpasswd_check(struct htpasswd *file, const char *user, const char *password)
{
	__cleanup(question_release) struct question question = {0};
	enum htpasswd_result result;

	if (!question_init(&question, file, user, password))
		return HTPASSWD_WRONG;
	if (htpasswd_cache_find(file->cache, &question.key, time(NULL), &result))
		return result;
	if (!take_turn(file))
		return HTPASSWD_BUSY;
	/* Somebody else may have asked the same while this one waited. */
	if (!htpasswd_cache_find(file->cache, &question.key, time(NULL), &result)) {
		result = is_password(question.table, question.hash, password) ? HTPASSWD_RIGHT
									      : HTPASSWD_WRONG;
		htpasswd_cache_add(file->cache, &question.key, time(NULL), result);
	}
	end_turn(file);
	return result;
}

bool htpasswd_is_known(struct htpasswd *file, const char *user, const char *password)
{
	__cleanup(question_release) struct question question = {0};
	enum htpasswd_result result;

	return !question_init(&question, file, user, password) ||
	       htpasswd_cache_find(file->cache, &question.key, time(NULL), &result);
}

bool htpasswd_print(struct htpasswd *file, const char *user, char ret_print[HTPASSWD_PRINT + 1])
{
	__cleanup(table_putp) struct table *table = get_table(file);
	const char *hash = find_hash(table, user);
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (!hash || !HMAC(EVP_sha256(), hash, BCRYPT_LEN, (const unsigned char *)user,
			   strlen(user), sum, NULL))
		return false;
	for (size_t i = 0; i < HTPASSWD_PRINT / 2; i++)
		snprintf(ret_print + 2 * i, 3, "%02x", sum[i]);
	return true;
}

bool htpasswd_complaint(struct htpasswd *file, struct shale_err *ret_why)
{
	bool any = true;

	pthread_mutex_lock(&file->lock);
	if (file->reload.code)
		*ret_why = file->reload;
	else if (file->table->unusable)
		shale_err_set(
			ret_why, EINVAL,
			"%s: %zu entries are not bcrypt of cost 4 to %d, user '%s' among them",
			file->path, file->table->unusable, HTPASSWD_MAX_COST,
			file->table->first_unusable);
	else
		any = false;
	pthread_mutex_unlock(&file->lock);
	return any;
}
