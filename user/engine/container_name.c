// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names for containers whose makers give none: a word of how it is, and a stone. Called by container_create.c.
 */
#include <sys/random.h>

#include "engine/containers.h"

static const char *const first[] = {
	"amber",  "ancient", "banded", "bold",	 "bright", "brisk",  "calm",   "clear",	 "coarse", "crisp",
	"deep",	  "dense",   "eager",  "early",	 "faint",  "fine",   "firm",   "folded", "fresh",  "gentle",
	"glad",	  "grand",   "great",  "hidden", "keen",   "kind",   "layered", "light", "lively", "mellow",
	"mild",	  "modest",  "noble",  "patient", "plain", "polished", "proud", "quick", "quiet",  "ready",
	"rough",  "round",   "sharp",  "shiny",	 "silent", "slow",   "smooth", "soft",	 "solid",  "steady",
	"still",  "strong",  "subtle", "sunny",	 "swift",  "tall",   "tender", "veined", "warm",   "young",
};
static const char *const second[] = {
	"agate",   "alabaster", "andesite", "anthracite", "basalt", "beryl",   "breccia", "calcite", "chalk",
	"chert",   "clay",	"coral",    "corundum",	  "dacite", "diorite", "dolomite", "feldspar", "flint",
	"fluorite", "gabbro",	"galena",   "garnet",	  "gneiss", "granite", "graphite", "gravel",  "gypsum",
	"halite",  "hornblende", "jade",    "jasper",	  "lava",   "limestone", "loess",  "magnetite", "malachite",
	"marble",  "marl",	"mica",	    "mudstone",	  "obsidian", "olivine", "onyx",   "opal",    "pebble",
	"peridotite", "pumice",	"pyrite",   "quartz",	  "rhyolite", "sandstone", "schist", "serpentine", "siltstone",
	"slate",   "talc",	"topaz",    "travertine", "tuff",   "zircon",
};

void container_name_make(char ret_name[INSTANCE_MAX_NAME + 1])
{
	unsigned short random[3] = { 0 };

	/* Should there be none, the first names are as good as any. */
	if (getrandom(random, sizeof(random), 0) < 0)
		random[0] = 0;
	snprintf(ret_name, INSTANCE_MAX_NAME + 1, "%s_%s%u", first[random[0] % (sizeof(first) / sizeof(*first))],
		 second[random[1] % (sizeof(second) / sizeof(*second))], random[2] % 1000);
}
