/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * model.h - one worker of the soak: a directory of the mount that only it changes, and in memory what
 * that directory has to hold. model.c does one random operation after another on both and compares;
 * stress.c starts the workers and everything that disturbs them.
 */
#ifndef SELFTESTS_SOAK_MODEL_H
#define SELFTESTS_SOAK_MODEL_H

#include <stdbool.h>

struct model;

/*
 * Builds the directory NAME with random contents, spread over the layer directories LAYERS, and the model
 * of their merged view below MOUNT.
 */
struct model *model_create(const char *const *layers, int layer_count, const char *mount, const char *name,
			   unsigned int seed);

/* One random operation. False when the mount did not do what the model says; that has been printed. */
bool model_step(struct model *model);

/* Compares everything. */
bool model_verify(struct model *model);

/* How many operations took effect. */
unsigned long model_done(const struct model *model);

#endif /* SELFTESTS_SOAK_MODEL_H */
