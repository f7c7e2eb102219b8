/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inject.h - the fault injection of a kernel that was built with it (failslab, fail_page_alloc, fail_make_request): in this
 * thread the NTH call that can fail, so that the same number is the same call of the same operation; or one in EVERY of
 * those of some processes, or of a disk's requests.
 */
#ifndef SELFTESTS_FAULTS_INJECT_H
#define SELFTESTS_FAULTS_INJECT_H

#include <stdbool.h>

/* Has this kernel got it? Prepares it. */
bool inject_can(void);

void inject_nth(unsigned int nth);
/* Nothing fails any more. How many there had to be until one would have: 0, one did. */
unsigned int inject_nth_end(void);

/* This process and its children are among those of which allocations fail. */
void inject_me(void);
/* Where what fails was asked for, in the kernel's log. */
void inject_tell(void);
void inject_memory(unsigned int every);
/* DEVICE: the path of a disk. */
void inject_requests(const char *device, unsigned int every);
void inject_end(void);

#endif /* SELFTESTS_FAULTS_INJECT_H */
