// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale search: looks for images at docker's index, if the daemon can ask it; shaled does not, and says so.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "shale/fetch.h"
#include "shale/format.h"
#include "shale/show.h"
#include "store/json.h"

/* docker's width of descriptions. */
#define SHORT_TEXT 45

static const struct format_field fields[] = {
	{ "Name", "NAME" },	      { "Description", "DESCRIPTION" }, { "StarCount", "STARS" },
	{ "IsOfficial", "OFFICIAL" }, { NULL, NULL },
};

struct search {
	struct filters filters;
	const char *wanted;
	const char *limit;
	bool no_trunc;
};

static json_t *make_row(const struct search *search, const json_t *found)
{
	const char *text = json_text(found, "description");

	return json_pack("{s:o, s:s, s:s, s:o}", "Description",
			 search->no_trunc ? json_string(text) : show_cut(text, SHORT_TEXT), "IsOfficial",
			 json_is_true(json_object_get(found, "is_official")) ? "[OK]" : "", "Name",
			 json_text(found, "name"), "StarCount",
			 json_sprintf("%lld", (long long)json_integer_value(
						      json_object_get(found, "star_count"))));
}

static int fetch(const struct cli *cli, const struct search *search, const char *term,
		 json_t **ret_list, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	if (dockapi_path(&call, err, "/images/search") || dockapi_query(&call, "term", term, err) ||
	    dockapi_query(&call, "limit", search->limit, err) ||
	    filters_query(&search->filters, &call, err))
		return -1;
	return fetch_call(cli, &call, ret_list, err);
}

static int run_search(const struct cli *cli, const struct search *search, const char *term)
{
	struct format format = { .wanted = search->wanted,
				 .table = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
				 .fields = fields };
	__cleanup_json json_t *list = NULL;
	__cleanup_json json_t *rows = json_array();
	struct shale_err err = { 0 };

	if (format_check(cli, search->wanted) != EXIT_SUCCESS)
		return EXIT_USAGE;
	if (fetch(cli, search, term, &list, &err))
		return cli_fail(&err);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_array_append_new(rows, make_row(search, json_array_get(list, i)))) {
			shale_err_set(&err, ENOMEM, "out of memory");
			return cli_fail(&err);
		}
	return format_print(cli, &format, rows);
}

enum { OPT_LIMIT = 1, OPT_NO_TRUNC, OPT_FORMAT };

int cmd_search(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "filter", required_argument, NULL, 'f' },
		{ "limit", required_argument, NULL, OPT_LIMIT },
		{ "no-trunc", no_argument, NULL, OPT_NO_TRUNC },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ 0 },
	};
	struct search search = { .wanted = NULL };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":f:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == OPT_LIMIT)
			search.limit = optarg;
		else if (opt == OPT_NO_TRUNC)
			search.no_trunc = true;
		else if (opt == OPT_FORMAT)
			search.wanted = optarg;
		else if ((status = filters_option(cli, optarg, &search.filters)))
			return status;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "what is to be looked for?");
	status = run_search(cli, &search, argv[optind]);
	filters_release(&search.filters);
	return status;
}
