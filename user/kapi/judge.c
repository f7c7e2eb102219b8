// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the facts about a machine mean for somebody who wants to use shale on it. Reads nothing and
 * calls nothing; machine.c brings the facts.
 */
#include "kapi/machine.h"

#include <stdio.h>
#include <string.h>

#define ENROL                                                                                      \
	"run 'mokutil --import /var/lib/dkms/mok.pub', reboot and confirm the key in the "         \
	"firmware's dialogue"

struct kernel {
	unsigned int major;
	unsigned int minor;
};

/* What the tests run on. Older than the first: not supported. */
static const struct kernel tested[] = { { 6, 1 }, { 6, 12 }, { 7, 3 } };

static bool is_tested(const struct kernel *kernel)
{
	for (size_t i = 0; i < sizeof(tested) / sizeof(tested[0]); i++)
		if (kernel->major == tested[i].major && kernel->minor == tested[i].minor)
			return true;
	return false;
}

static bool is_older(const struct kernel *a, const struct kernel *b)
{
	return a->major < b->major || (a->major == b->major && a->minor < b->minor);
}

static void judge_kernel(const struct machine *machine, struct check_list *list)
{
	struct kernel kernel;
	struct check *check;

	if (sscanf(machine->release, "%u.%u", &kernel.major, &kernel.minor) != 2 ||
	    is_older(&kernel, &tested[0])) {
		check = check_add(list, "kernel", CHECK_PROBLEM, "%s is not supported",
				  machine->release);
		check_advise(check, "use Linux 6.1, 6.12 or 7.3");
	} else if (!is_tested(&kernel)) {
		check = check_add(list, "kernel", CHECK_NOTE, "%s is not a tested kernel",
				  machine->release);
		check_advise(check, "6.1, 6.12 and 7.3 are");
	} else {
		check_add(list, "kernel", CHECK_OK, "%s", machine->release);
	}
}

static void judge_modules(const struct machine *machine, struct check_list *list)
{
	struct check *check;

	if (machine->is_loaded) {
		check_add(list, "modules", CHECK_OK, "loaded already");
	} else if (!machine->has_modules) {
		check = check_add(list, "modules", CHECK_PROBLEM,
				  "this kernel cannot load modules (CONFIG_MODULES is not set)");
		check_advise(check, "boot a kernel of your distribution");
	} else if (machine->is_closed) {
		check = check_add(list, "modules", CHECK_PROBLEM,
				  "loading modules was switched off (kernel.modules_disabled=1)");
		check_advise(check, "reboot without that sysctl; it cannot be undone before");
	} else {
		check_add(list, "modules", CHECK_OK, "this kernel can load modules");
	}
}

static void judge_headers(const struct machine *machine, struct check_list *list)
{
	bool is_needed = !machine->is_loaded && !machine->is_installed;
	struct check *check;

	if (machine->has_headers) {
		check_add(list, "headers", CHECK_OK, "/lib/modules/%s/build", machine->release);
		return;
	}
	check = check_add(list, "headers", is_needed ? CHECK_PROBLEM : CHECK_NOTE,
			  "the headers of kernel %s are not installed", machine->release);
	check_advise(check, "apt install linux-headers-%s", machine->release);
}

static void advise_install(const struct machine *machine, struct check *check)
{
	if (machine->is_built)
		check_advise(check, "run 'dkms install shale -k %s'", machine->release);
	else if (machine->is_added && !machine->has_headers)
		check_advise(check, "apt install linux-headers-%s; DKMS then builds it",
			     machine->release);
	else if (machine->is_added)
		check_advise(check, "run 'dkms autoinstall -k %s'; 'dkms status' shows what is built",
			     machine->release);
	else if (!machine->has_headers)
		check_advise(check,
			     "apt install linux-headers-%s, then run 'make dkms-install' in shale's source",
			     machine->release);
	else
		check_advise(check, "run 'make dkms-install' in shale's source");
}

static void judge_module(const struct machine *machine, struct check_list *list)
{
	if (machine->is_loaded)
		check_add(list, "module", CHECK_OK, "loaded");
	else if (machine->is_installed)
		check_add(list, "module", CHECK_OK, "installed; the first mount loads it");
	else
		advise_install(machine,
			       check_add(list, "module", CHECK_PROBLEM,
					 "the module is not installed for kernel %s",
					 machine->release));
}

/* Who insists on signatures; NULL: nobody. */
static const char *signature_reason(const struct machine *machine)
{
	if (machine->lockdown == LOCKDOWN_INTEGRITY)
		return "lockdown=integrity";
	if (machine->lockdown == LOCKDOWN_CONFIDENTIALITY)
		return "lockdown=confidentiality";
	return machine->needs_signature ? "module.sig_enforce" : NULL;
}

static void judge_key(const struct machine *machine, const char *reason, struct check_list *list)
{
	struct check *check;

	if (!machine->has_key) {
		check = check_add(list, "signature", CHECK_PROBLEM,
				  "%s allows only signed modules, and there is no key to sign with",
				  reason);
		check_advise(check, "'make dkms-install' makes one; then " ENROL);
	} else if (!machine->is_key_enrolled) {
		check = check_add(list, "signature", CHECK_PROBLEM,
				  "%s allows only signed modules, and the key of DKMS is not enrolled",
				  reason);
		check_advise(check, ENROL);
	} else if (machine->is_installed && machine->signature == SIGNATURE_ABSENT) {
		check = check_add(list, "signature", CHECK_PROBLEM,
				  "%s allows only signed modules, and the module is not signed", reason);
		check_advise(check, "run 'dkms build --force' and 'dkms install --force' for shale");
	} else {
		check_add(list, "signature", CHECK_OK, "%s, and the key of DKMS is enrolled", reason);
	}
}

static void judge_signature(const struct machine *machine, struct check_list *list)
{
	const char *reason = signature_reason(machine);
	const char *boot = machine->has_secure_boot ? "Secure Boot is on, " : "";

	if (!reason)
		check_add(list, "signature", CHECK_OK, "%smodules need no signature", boot);
	else if (machine->is_loaded)
		check_add(list, "signature", CHECK_OK, "%s, and the module is loaded", reason);
	else
		judge_key(machine, reason, list);
}

void machine_judge(const struct machine *machine, struct check_list *list)
{
	judge_kernel(machine, list);
	judge_modules(machine, list);
	judge_module(machine, list);
	judge_headers(machine, list);
	judge_signature(machine, list);
}
