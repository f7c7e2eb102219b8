/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal we are at: its size, and the mode in which every key goes to a container.
 */
#ifndef SHALE_CLI_TERMINAL_H
#define SHALE_CLI_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
	struct termios before;
	int fd;
	bool is_raw;
};

/* Without effect on what is no terminal. */
void terminal_make_raw(struct terminal *terminal, int fd);
void terminal_restore(struct terminal *terminal);
/* Of standard output; false: it is no terminal, or does not know. */
bool terminal_size(unsigned int *ret_rows, unsigned int *ret_columns);

#endif
