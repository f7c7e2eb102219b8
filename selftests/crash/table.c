// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - the workloads; see workload.h for the words, world.c for the files they find: a b big odd holes
 * h1=h2 d/x d/y are lower files, c d/z low/p of the layer below, u v up/p of the upper.
 */
#include "workload.h"

const struct workload workloads[] = {
	{"overwrite", "write a 8k 16k; fsync a; write a 12k 4k; writeback a; write a 40k 4k; fsync a"},
	{"partial", "write a 4k+100 200; fsync a; write a 8k+4000 200; fsync a; write b 100 8; fdatasync b"},
	{"append", "append a 5000; fsync a; append a 20k; writeback a; append u 12k; fsync u; append odd 100"},
	{"replace", "create new; write new 0 32k; fsync new; rename new a; syncdir .; write a 4k 4k"},
	{"names", "rename b e; link c f; unlink d/x; mkdir n; rename d/y n/y; syncfs; chmod u 600; unlink f"},
	{"store", "store a 4k 8k; msync a 4k 8k; store a 16k+8 80; writeback a; store u 0 4k; msync u 0 4k"},
};

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);
