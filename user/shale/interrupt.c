// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts; see interrupt.h. Called by the verbs that show progress.
 */
#include "shale/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void note_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* A second signal kills: SA_RESETHAND. */
void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int interrupt_came(void)
{
	return interrupted;
}
