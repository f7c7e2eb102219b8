// SPDX-License-Identifier: GPL-2.0-only
/*
 * map.c - mappings of the files: loads and stores that may raise SIGBUS, and what a mapping has to show.
 */
#include "coherent.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

/* Where private mappings are stored to, among bytes that many writers write. */
#define OWN_AT (BLOCK + 500)

static sigjmp_buf on_fault;
static volatile sig_atomic_t is_guarded;

static void catch_fault(int number)
{
	if (is_guarded)
		siglongjmp(on_fault, 1);
	signal(number, SIG_DFL);
	raise(number);
}

/* SA_NODEFER: the jump out of the handler does not restore the mask of signals. */
__attribute__((constructor)) static void catch_faults(void)
{
	struct sigaction action = {.sa_handler = catch_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

bool map_copy(unsigned char *to, const unsigned char *from, size_t length)
{
	if (sigsetjmp(on_fault, 0)) {
		is_guarded = 0;
		return false;
	}
	is_guarded = 1;
	memcpy(to, from, length);
	is_guarded = 0;
	return true;
}

unsigned char *map_make(int fd, int prot, int flags)
{
	void *at = mmap(NULL, SPACE, prot, flags, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

size_t map_touch(const unsigned char *from, size_t length)
{
	unsigned char byte;
	size_t at = 0;

	while (at < length && map_copy(&byte, from + at, 1))
		at += BLOCK;
	return at < length ? at : length;
}

/* All pages up to the first that raises SIGBUS: how many bytes. */
ssize_t read_map(struct pair *pair, unsigned char out[SPACE])
{
	ssize_t done = 0;

	while (done < SPACE && map_copy(out + done, pair->read_map + done, BLOCK))
		done += BLOCK;
	return done;
}

/* Before the write, where the mapping is private. */
void map_own(struct pair *pair)
{
	pair->read_map[OWN_AT] = '!';
}

/* POSIX does not say what it shows. */
void look_unspecified(struct pair *pair, const struct model *want)
{
	static unsigned char seen[SPACE];

	(void)want;
	read_map(pair, seen);
}

/* But what its owner has stored is still there. */
void look_own(struct pair *pair, const struct model *want)
{
	unsigned char own;

	look_unspecified(pair, want);
	if (pair->writer->traits & MOVES_PAGES)
		return;
	if (!map_copy(&own, pair->read_map + OWN_AT, 1) || own != '!')
		pair_fail(pair, "the store to the private mapping is lost");
}
