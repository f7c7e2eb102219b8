/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users and their passwords from a file of Apache's htpasswd, bcrypt only, as distribution reads
 * it. The file is read again when it changes. bcrypt is slow on purpose, so what was right is
 * remembered for some minutes under a keyed hash: a client that sends its password with each
 * request costs one bcrypt, not a thousand.
 */
#ifndef SHALE_REGISTRY_HTPASSWD_H
#define SHALE_REGISTRY_HTPASSWD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* About 200,000 users. */
#define HTPASSWD_MAX_FILE (16u << 20)
#define HTPASSWD_MAX_USER 255
/* libcrypt takes no more; bcrypt itself looks at the first 72 bytes. */
#define HTPASSWD_MAX_PASSWORD 511
/* Rounds are 2^cost: 14 takes about a second of a CPU, which is as much as a login may cost. */
#define HTPASSWD_MAX_COST 14
/* Seconds that a right password is believed again, and a wrong one refused again, without bcrypt.
 */
#define HTPASSWD_REMEMBER 300
#define HTPASSWD_REFUSE	  10
/* bcrypts that may run at once, and requests that may wait for one. More is HTPASSWD_BUSY. */
#define HTPASSWD_AT_ONCE 2
#define HTPASSWD_WAITING 32

enum htpasswd_result {
	HTPASSWD_RIGHT,
	HTPASSWD_WRONG,
	HTPASSWD_BUSY, /* too many logins at this moment: 503 */
};

struct htpasswd;

/* @err names the line that cannot be read. Entries in other formats than bcrypt let nobody in. */
int htpasswd_open(const char *path, struct htpasswd **ret_file, struct shale_err *err);
void htpasswd_close(struct htpasswd *file);
void htpasswd_closep(struct htpasswd **file);

/* Safe from any thread; may sleep for as long as some bcrypts take. */
enum htpasswd_result htpasswd_check(struct htpasswd *file, const char *user, const char *password);
/* Whether htpasswd_check() would answer from memory, at once. */
bool htpasswd_is_known(struct htpasswd *file, const char *user, const char *password);

/*
 * A fingerprint, in hex, of a user's entry: it changes with the password. False when there is no
 * such user. What a refresh token is bound to.
 */
#define HTPASSWD_PRINT 32
bool htpasswd_print(struct htpasswd *file, const char *user, char ret_print[HTPASSWD_PRINT + 1]);

/*
 * For the log: what is wrong with the file now. Users whose entry is not bcrypt, or why a changed
 * file could not be read (the old one is used then). False when all is well.
 */
bool htpasswd_complaint(struct htpasswd *file, struct shale_err *ret_why);

#endif
