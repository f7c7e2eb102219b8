/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can this machine load the module, and if not, why not and what to do. First facts, read from
 * /proc, /sys, /lib/modules and /var/lib/dkms below any root directory, then findings, which are a
 * function of the facts alone.
 */
#ifndef SHALE_KAPI_MACHINE_H
#define SHALE_KAPI_MACHINE_H

#include <stdbool.h>

#include "base/err.h"
#include "kapi/check.h"

enum machine_lockdown { LOCKDOWN_NONE, LOCKDOWN_INTEGRITY, LOCKDOWN_CONFIDENTIALITY };

/* How the installed module ends: with a signature, without, or compressed so that we don't know. */
enum machine_signature { SIGNATURE_UNKNOWN, SIGNATURE_ABSENT, SIGNATURE_PRESENT };

struct machine {
	char release[65];	/* as uname -r says */
	bool is_loaded;		/* the kernel lists the filesystem type */
	bool has_modules;	/* CONFIG_MODULES */
	bool is_closed;		/* kernel.modules_disabled=1 */
	bool is_installed;	/* depmod knows a shale.ko for this kernel */
	bool is_added;		/* dkms knows shale */
	bool is_built;		/* and has built it for this kernel */
	bool has_headers;	/* the kernel's build directory is there */
	bool needs_signature;	/* CONFIG_MODULE_SIG_FORCE or module.sig_enforce */
	bool has_secure_boot;
	enum machine_lockdown lockdown;
	enum machine_signature signature;
	bool has_key;		/* dkms has made a key to sign with */
	bool is_key_enrolled;	/* and the firmware's MOK list has it */
};

/* rootfd: the directory that stands for "/". */
int machine_read(int rootfd, struct machine *ret_machine, struct shale_err *err);
void machine_judge(const struct machine *machine, struct check_list *list);

#endif
