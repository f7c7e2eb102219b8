// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statuses; see api_fault.h. What is not in the table is the server's fault: 500.
 */
#include "shaled/api_fault.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	int code;
	unsigned int status;
} statuses[] = {
	{ EINVAL, 400 },     { ENAMETOOLONG, 400 }, { ENOTUNIQ, 400 },	 { EACCES, 401 },
	{ ENOENT, 404 },     { EBUSY, 409 },	    { EEXIST, 409 },	 { ENOTEMPTY, 409 },
	{ EOPNOTSUPP, 501 }, { ENOSYS, 501 },	    { ECANCELED, 503 },
};

unsigned int api_fault_status(int code)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	return 500;
}
