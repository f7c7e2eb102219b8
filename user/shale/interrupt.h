/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SIGINT and SIGTERM as a wish to stop cleanly, for verbs that take long.
 */
#ifndef SHALE_CLI_INTERRUPT_H
#define SHALE_CLI_INTERRUPT_H

/* From here on a first signal is only noted; a second one kills. */
void interrupt_catch(void);
/* What a progress callback returns. */
int interrupt_came(void);

#endif
