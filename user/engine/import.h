/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second half of an import, for who has a plan already: layers are brought in and everything is made visible in
 * one step, or nothing. Called by the verbs import, commit and pull.
 */
#ifndef SHALE_ENGINE_IMPORT_H
#define SHALE_ENGINE_IMPORT_H

#include "engine/plan.h"

struct import_input {
	struct task *task;
	struct session *session;
	const struct source *source;
	const struct plan *plan;
	uint64_t max_bytes; /* of a layer's plain tar */
};

int import_planned(const struct import_input *input, struct shale_err *err);

#endif
