// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door; see admit.h. Called by call.c for each request, after its path is understood and before
 * anything is looked up.
 */
#include "registry/admit.h"

bool admit(struct call *call)
{
	(void)call;
	return true;
}

bool admit_special(struct call *call)
{
	(void)call;
	return false;
}

bool admit_may_sleep(struct reg *reg, struct httpd_request *http)
{
	(void)reg, (void)http;
	return false;
}

bool admit_is_open(struct reg *reg)
{
	(void)reg;
	return true;
}
