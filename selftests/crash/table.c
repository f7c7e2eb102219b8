// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - the workloads; see workload.h for the words and world.c for the files they find: a b big odd
 * holes h1=h2 d/x d/y are lower files, c d/z low/p of the layer below, u v up/p of the upper; "gone" was
 * deleted.
 */
#include "workload.h"

const struct workload workloads[] = {
	/* Bytes */
	{"overwrite", "write a 8k 16k; fsync a; write a 12k 4k; writeback a; write a 40k 4k; fsync a"},
	{"partial",
	 "write a 4k+100 200; fsync a; write a 8k+4000 200; fsync a; write b 100 8; fdatasync b"},
	{"odd",
	 "write odd 9k 785; fsync odd; append odd 3000; fsync odd; truncate odd 5001; "
	 "write odd 5001 1; fsync odd"},
	{"tail",
	 "append odd 100; write odd 9990 50; writeback odd; append odd 5000; write odd 9000 2000; fsync odd; "
	 "truncate odd 9999; append odd 10; write odd 9000 1005; writeback odd; swrite odd 9500 600; "
	 "store odd 9000 1100; append odd 9; syncfs"},
	{"append",
	 "append a 5000; fsync a; append a 20k; writeback a; append u 12k; fsync u; append odd 100; "
	 "fsync odd"},
	{"gap",
	 "write a 100k 4k; fsync a; write odd 40k+8 100; fdatasync odd; write v 60k 4k; writeback v; "
	 "syncfs"},
	{"shrink",
	 "truncate a 20k; fsync a; truncate b 9k+11; truncate b 64k; fsync b; truncate u 0; fsync u"},
	{"regrow",
	 "truncate a 10k+5; write a 30k 4k; fsync a; truncate a 64k; writeback a; syncfs; "
	 "truncate c 4k; append c 8k; fsync c; truncate c 64k; fsync c"},
	{"empty",
	 "truncate a 0; fsync a; write a 0 12k; fsync a; truncate b 0; write b 0 100; writeback b; "
	 "sync"},
	{"grow", "truncate a 96k; fsync a; write a 80k 4k; fdatasync a; truncate odd 20k; syncfs"},
	{"punch",
	 "punch a 8k 16k; fsync a; punch a 30k 5000; writeback a; punch u 4k 4k; fsync u; "
	 "write a 12k 4k; fsync a"},
	{"zero",
	 "zero a 4k+100 20k; fsync a; zero u 0 10k; write u 4k 100; fdatasync u; zero c 32k 32k; "
	 "syncfs"},
	{"allocate",
	 "allocate a 48k 48k; fsync a; write a 72k 8k; fdatasync a; allocate holes 16k 16k; "
	 "fsync holes; write holes 20k 4k; fsync holes"},
	{"sparse",
	 "write holes 20k 4k; fsync holes; write holes 1k 100; writeback holes; punch holes 0 8k; "
	 "fsync holes"},
	{"store",
	 "store a 4k 8k; msync a 4k 8k; store a 16k+8 80; writeback a; store u 0 4k; msync u 0 4k"},
	{"store_hole",
	 "store holes 16k 8k; msync holes 16k 8k; store holes 36k 100; store big 200k 16k; syncfs"},
	{"store_write",
	 "write a 4k 4k; store a 6k 4k; fsync a; store a 6k 100; write a 7k 100; msync a 4k 8k; "
	 "store b 0 64; fdatasync b"},
	{"direct",
	 "dwrite a 8k 8k; fsync a; dwrite a 32k 4k; dwrite u 0 8k; fdatasync u; dwrite b 60k 12k; "
	 "fsync b"},
	{"o_sync", "swrite a 4k 4k; swrite a 20k+1 333; swrite v 100 50; swrite odd 9000 3000"},
	{"o_dsync",
	 "dswrite a 4k 4k; dswrite b 60k 8k; dswrite u 0 4k; write b 0 4k; dswrite b 8k 1; "
	 "dswrite odd 10001 5000"},
	/* The blocks are on disk before the map says so, so that a sync of data alone finds no data to sync. */
	{"committed",
	 "write a 0 4k; fsync a; write a 8k 4k; commit; fdatasync a; write a 16k 4k; commit; dswrite a 16k 100; "
	 "store a 24k 4k; commit; fdatasync a; write b 0 4k; fsync b; write b 8k 4k; commit; dswrite b 8k 4k"},
	{"readonly",
	 "write a 8k 4k; readonly; store b 4k 4k; append c 5000; chmod u 640; readonly; write big 64k 4k; readonly"},
	/* What is written behind a shift that is not synced can be found where it was before: on any filesystem. */
	{"shift",
	 "write a 4k 4k; collapse a 8k 8k; fsync a; write a 20k 4k; insert a 4k 12k; writeback a; fsync a; "
	 "insert holes 8k 4k; fsync holes; write b 8k 100; collapse b 0 16k; writeback b; sync; "
	 "collapse u 4k 4k; write u 0 4k; fsync u", "btrfs"},
	{"shift_big",
	 "write big 64k 4k; fsync big; insert big 32k 16k; writeback big; fsync big; collapse big 8k 4k; "
	 "write big 4k 4k; syncfs", "btrfs"},
	{"copy",
	 "copy b 0 a 16k 32k; fsync a; copy a 0 u 0 16k; fsync u; copy c 4k+10 big 100k+3 20k; "
	 "fdatasync big"},
	{"database",
	 "write big 0 4k; write big 128k 8k; fdatasync big; write big 4k 4k; write big 136k 8k; "
	 "fdatasync big; write big 0 4k; fdatasync big; writeback big; write big 128k 4k; fsync big"},
	{"big",
	 "write big 0 256k; writeback big; write big 16k 200k; fsync big; append big 40k; "
	 "fdatasync big"},
	{"sidecar",
	 "scatter huge 0 4096k; fsync huge; write huge 4k 4k; writeback huge; write huge 100k 4k; fdatasync huge; "
	 "scatter huge 4k 2000k; writeback huge; sync; truncate huge 3000k; fsync huge; write huge 1000k 100; fill huge"},
	{"sidecar_gone",
	 "scatter huge 0 4096k; syncfs; link huge h; unlink huge; syncdir .; scatter h 4k 400k; unlink h; sync; "
	 "create huge; write huge 0 4k; syncfs"},
	{"fill",
	 "write a 8k 100; fill a; write a 12k 4k; fdatasync a; chmod b 640; fill b; dswrite b 0 8; "
	 "fill c; write c 4k 100; fsync c; write odd 9k 100; fill odd; append odd 10; fdatasync odd"},
	{"fill_late",
	 "write big 0 4k; writeback big; fill big; dswrite big 8k 4k; store a 40k 8; writeback a; fill a; "
	 "write a 44k 8; writeback a; fdatasync a; write holes 20k 4k; fsync holes; write holes 1k 100; "
	 "writeback holes; fill holes; write holes 2k 100; fdatasync holes"},
	{"fill_unsynced",
	 "write a 8k 100; writeback a; truncate a 40k; fill a; append a 9000; writeback a; rename a e; "
	 "truncate c 4k; truncate c 32k; fill c; unlink c; syncfs"},
	{"many",
	 "write a 0 4k; write b 4k 4k; write c 8k 4k; write d/x 0 4k; write u 0 4k; write odd 0 100; "
	 "syncfs; write a 4k 4k; write c 0 4k; write low/p 0 10; sync"},
	{"unsynced",
	 "write a 0 4k; append b 4k; writeback a; truncate c 10k; store u 8k 4k; writeback b; "
	 "write big 64k 64k; writeback big; chmod a 640; write d/y 1 1"},
	{"below",
	 "write c 4k 100; fsync c; write d/z 0 8; fdatasync d/z; write low/p 4k 4k; fsync low/p; "
	 "append c 100; fsync c"},
	{"above",
	 "write u 4k 100; fsync u; append v 5000; fsync v; write up/p 0 16k; writeback up/p; "
	 "punch up/p 4k 4k; sync"},
	/* Names */
	{"create",
	 "create n; write n 0 20k; fsync n; create d/n; append d/n 100; syncdir d; fsync d/n; "
	 "create up/n; write up/n 8k 4k; syncfs"},
	{"replace",
	 "create new; write new 0 32k; fsync new; rename new a; syncdir .; write a 4k 4k; fsync a"},
	{"replace_lazy",
	 "create new; write new 0 32k; rename new a; syncfs; create new; write new 0 8k; "
	 "rename new u; sync"},
	{"rename",
	 "rename b e; syncdir .; rename c d/c; write d/c 4k 4k; fsync d/c; rename u up/u; "
	 "rename d/x x; syncfs; rename x d/x; write e 0 8; fdatasync e"},
	{"rename_over",
	 "rename a b; syncfs; write b 0 4k; fsync b; rename u c; syncdir .; rename d/x d/y; sync"},
	{"rename_dir",
	 "rename d e; syncfs; rename e/x y; write e/z 0 4k; fsync e/z; rename low e/low; syncfs; "
	 "rename e d; write d/low/p 0 8; syncfs"},
	{"mkdir",
	 "mkdir n; create n/f; write n/f 0 8k; fsync n/f; mkdir n/m; rename b n/m/b; syncfs; "
	 "write n/m/b 0 4k; fsync n/m/b; mkdir d/n; syncdir d"},
	{"unlink",
	 "unlink a; syncdir .; unlink u; unlink d/x; syncfs; write b 0 4k; unlink b; unlink v; sync"},
	{"recreate",
	 "unlink a; create a; write a 0 8k; fsync a; unlink u; create u; write u 0 4k; fsync u; syncfs"},
	{"rmdir",
	 "unlink d/x; unlink d/y; unlink d/z; rmdir d; syncfs; mkdir d; create d/x; write d/x 0 4k; "
	 "fsync d/x; unlink up/p; rmdir up; sync"},
	{"whiteout",
	 "create gone; write gone 0 4k; fsync gone; unlink gone; syncdir .; mkdir gone; syncfs; "
	 "rmdir gone; rename a gone; write gone 0 4k; fsync gone; sync"},
	{"hard_link",
	 "write h1 4k 4k; fsync h1; write h2 8k 4k; fsync h2; link h1 h3; syncfs; unlink h1; "
	 "fsync h2; append h3 100; fsync h3; syncfs"},
	{"link",
	 "link a a2; fsync a; write a2 0 4k; fsync a; link u u2; unlink u; syncfs; unlink a; "
	 "write a2 4k 4k; syncfs"},
	{"exchange",
	 "exchange a u; syncfs; write a 0 4k; fsync a; exchange b d; syncfs; write b/x 0 8; "
	 "exchange c d; sync"},
	/* What syncs one file must not take half of what happened to the names of others along. */
	{"names_dsync",
	 "dswrite a 0 4k; dswrite a 0 4k; rename a e; dswrite u 0 4k; syncfs; rename u n; chmod b 640; dswrite n 0 4k; "
	 "dswrite n 4k 4k; syncfs; dswrite c 0 4k; syncdir .; unlink c; dswrite v 0 4k; dswrite v 4k 4k"},
	{"names_msync",
	 "store a 0 4k; msync a 0 4k; store a 0 4k; msync a 0 4k; rename a e; store u 0 4k; msync u 0 4k; syncfs; "
	 "rename u n; chmod b 640; store n 0 4k; msync n 0 4k; store n 4k 4k; msync n 4k 4k"},
	{"names_elsewhere",
	 "dswrite a 0 4k; dswrite a 0 4k; rename a e; elsewhere; syncdir .; dswrite c 0 4k; syncdir .; unlink c; elsewhere; "
	 "create c; elsewhere; syncdir d; rename d m; elsewhere; rename b n; elsewhere"},
	{"names_fsync",
	 "dswrite a 0 4k; fsync a; rename a e; fsync u; write u 0 4k; fsync u; syncfs; rename u n; chmod b 640; fsync n"},
	/* The same while another process does so. */
	{"dsync_beside",
	 "dswrite a 0 4k; dswrite_on a 8k 4k; rename a e; fsync e; rename e a; fsync a; rename a e; fsync e; "
	 "link e g; fsync g; rename b n; fsync n; rename c m; fsync m; rename d/x x; fsync x"},
	{"msync_beside",
	 "dswrite a 0 4k; store_on a 8k 4k; rename a e; fsync e; rename e a; fsync a; rename a e; fsync e; "
	 "link e g; fsync g; rename b n; fsync n; rename c m; fsync m; rename d/x x; fsync x"},
	/* Handles, and what was renamed before there was one */
	{"handles",
	 "rename a e; rename d/x x; rename low d/low; syncfs; rename c d/c; handle e; handle x; handle d/c; "
	 "handle d/low/p; write e 0 8; fsync e; syncfs; rename d n; handle n/y; sync; rename e n/e; "
	 "rename n/c c; rename x y; fsync n/e; sync"},
	{"handles_later",
	 "handle big; handle d/y; rename b e; rename d n; syncfs; remount; rename n/y y; handle e; syncfs; "
	 "exchange e n; fsync e/x; rename y e/y; handle e/x; sync; remount; rename e d; syncdir .; sync"},
	/* Attributes, and mounts that come and go */
	{"attributes",
	 "chmod a 600; fsync a; chmod b 640; utimes c 1100000000; syncfs; write c 0 4k; fdatasync c; "
	 "chmod c 600; utimes u 1200000000; fsync u; sync"},
	{"remount",
	 "write a 4k 4k; remount; write a 8k 4k; rename b e; remount; unlink c; chmod e 600; remount"},
	{"remount_write",
	 "write big 40k 4k; writeback big; remount; write big 44k 100; fsync big; remount; "
	 "truncate big 41k; remount; append big 4k; store big 0 100; remount"},
};

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);

/* For the control: whoever does not sync has lost something at nearly every point. */
const struct workload control_workload = {
	"control",
	"write a 0 64k; fsync a; write b 0 64k; fsync b; writeback b; writeback a; append u 64k; "
	"fsync u; writeback u"};
