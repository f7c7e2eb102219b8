// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps findings. Called by machine.c and probe.c, read by whoever reports.
 */
#include "kapi/check.h"

#include <stdarg.h>
#include <stdio.h>

struct check *check_add(struct check_list *list, const char *name, enum check_state state,
			const char *fmt, ...)
{
	/* A full list keeps its last place for the newest, so that none is lost without a trace. */
	struct check *check = &list->check[list->nr < CHECK_MAX ? list->nr++ : CHECK_MAX - 1];
	va_list ap;

	check->name = name;
	check->state = state;
	check->advice[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(check->detail, sizeof(check->detail), fmt, ap);
	va_end(ap);
	return check;
}

void check_advise(struct check *check, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(check->advice, sizeof(check->advice), fmt, ap);
	va_end(ap);
}

const char *check_state_name(enum check_state state)
{
	static const char *const names[] = { "ok", "note", "problem" };

	return names[state];
}

const struct check *check_first_problem(const struct check_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		if (list->check[i].state == CHECK_PROBLEM)
			return &list->check[i];
	return NULL;
}
