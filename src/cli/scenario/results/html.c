/* SPDX-License-Identifier: Apache-2.0 */
/* The page as a whole: one file that needs nothing else, and may load nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/results/html.h"

/* A page that opens a thousand failed cases is slow, and no help: the first ones are open. */
#define OPEN_MAX 10u

static void put_title(FILE *out, const struct fl_scn_results *results)
{
	size_t failed = fl_scn_count(results, FL_SCN_FAILED);

	if (failed > 0)
		fprintf(out, "%zu of %zu failed", failed, results->count);
	else
		fprintf(out, "%zu passed", fl_scn_count(results, FL_SCN_PASSED));
	fputs(" \xe2\x80\x93 Faultline scenarios", out);
}

static void put_tally(FILE *out, const struct fl_scn_results *results, enum fl_scn_verdict verdict, const char *sign)
{
	size_t count = fl_scn_count(results, verdict);

	fprintf(out, "<li class=\"%s%s\"><b>%zu</b> <span aria-hidden=\"true\">%s</span> %s</li>\n",
		fl_scn_verdict_name(verdict), count ? "" : " none", count, sign, fl_scn_verdict_name(verdict));
}

static void put_fact(FILE *out, const char *name, const char *text)
{
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	fl_scn_put_text(out, text);
	fputs("</dd></div>\n", out);
}

static void put_header(FILE *out, const struct fl_scn_results *results)
{
	char seed[24], time[FL_SCN_TIME_LEN], took[FL_SCN_DURATION_LEN];

	fputs("<header>\n<h1>Scenario results</h1>\n<ul class=\"tally\">\n", out);
	put_tally(out, results, FL_SCN_FAILED, "\xe2\x9c\x97");
	put_tally(out, results, FL_SCN_PASSED, "\xe2\x9c\x93");
	put_tally(out, results, FL_SCN_SKIPPED, "\xe2\x80\x93");
	fputs("</ul>\n<dl class=\"facts\">\n", out);
	put_fact(out, "Host", results->host);
	snprintf(seed, sizeof(seed), "%" PRIu64, results->seed);
	put_fact(out, "Seed", seed);
	put_fact(out, "Began", fl_scn_time(results->start_time_ns, time));
	put_fact(out, "Took", fl_scn_duration(results->took_ns, took));
	put_fact(out, "Faultline", fl_version());
	fputs("</dl>\n</header>\n", out);
}

/* Without its script the page shows all cases, and these would do nothing. */
static void put_controls(FILE *out)
{
	fputs("<form class=\"controls\" hidden role=\"search\">\n"
	      "<label class=\"find\">Find <input type=\"search\" name=\"text\" autocomplete=\"off\" spellcheck=\"false\"></label>\n"
	      "<fieldset><legend>Show</legend>\n"
	      "<label><input type=\"checkbox\" name=\"failed\" checked> failed</label>\n"
	      "<label><input type=\"checkbox\" name=\"passed\" checked> passed</label>\n"
	      "<label><input type=\"checkbox\" name=\"skipped\" checked> skipped</label>\n"
	      "</fieldset>\n"
	      "<button type=\"button\" name=\"open\">Open all</button>\n"
	      "<button type=\"button\" name=\"close\">Close all</button>\n"
	      "<output class=\"shown\" aria-live=\"polite\"></output>\n"
	      "</form>\n",
	      out);
}

static void put_sample(FILE *out, const char *markup, const char *text)
{
	fprintf(out, "<li><svg width=\"34\" height=\"20\" aria-hidden=\"true\">%s</svg> %s</li>\n", markup, text);
}

static void put_legend(FILE *out)
{
	fputs("<ul class=\"legend\" aria-label=\"What the timelines show\">\n", out);
	put_sample(out, "<g class=\"ev step\"><rect x=\"2\" y=\"3\" width=\"30\" height=\"14\" rx=\"1.5\"/></g>",
		   "a step");
	put_sample(
		out,
		"<g class=\"ev step\"><rect x=\"2\" y=\"3\" width=\"10\" height=\"14\" rx=\"1.5\"/><line x1=\"12\" x2=\"32\" y1=\"16\" y2=\"16\"/></g>",
		"the first of many, and until when");
	put_sample(out, "<g class=\"ev wait\"><rect x=\"2\" y=\"3\" width=\"30\" height=\"14\" rx=\"1.5\"/></g>",
		   "waiting");
	put_sample(out, "<g class=\"ev fault\"><rect x=\"2\" y=\"3\" width=\"30\" height=\"14\" rx=\"1.5\"/></g>",
		   "a fault, from KVM_RUN\xe2\x80\x99s return to its delivery");
	put_sample(out, "<g class=\"ev delivery\"><path d=\"M17 4 23 10 17 16 11 10Z\"/></g>",
		   "what came to the program");
	put_sample(out, "<g class=\"ev mark\"><line x1=\"17\" x2=\"17\" y1=\"1\" y2=\"19\"/></g>",
		   "a mark, with its name");
	put_sample(out,
		   "<g class=\"ev step unexpected\"><rect x=\"2\" y=\"3\" width=\"30\" height=\"14\" rx=\"1.5\"/></g>",
		   "\xe2\x9c\x97 not expected");
	put_sample(
		out,
		"<g class=\"ev step short\"><rect x=\"16\" y=\"6\" width=\"3\" height=\"13\" rx=\"1.5\"/><circle cx=\"16\" cy=\"3\" r=\"2\"/></g>",
		"with a dot: shorter than drawn");
	fputs("</ul>\n", out);
}

static int put_body(FILE *out, const struct fl_scn_results *results)
{
	size_t open = 0;
	int ret = 0;

	put_header(out, results);
	put_controls(out);
	put_legend(out);
	fputs("<main>\n", out);
	for (size_t i = 0; i < results->count && ret == 0; i++) {
		bool is_open = results->count == 1 || (results->all[i]->verdict == FL_SCN_FAILED && open < OPEN_MAX);

		open += is_open;
		ret = fl_scn_html_case(out, results->all[i], i + 1, is_open);
	}
	fputs("</main>\n", out);
	return ret;
}

/*
 * JSON inside a page: "<" would be the only way out of the element that it stands in (HTML, 4.12.1.3), and is
 * found in strings only, where it can be written in another way.
 */
static int put_data(FILE *out, const struct fl_scn_results *results)
{
	char *text = NULL;
	size_t len;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return -errno;
	int ret = fl_scn_write_json(memory, results);

	if (fclose(memory) != 0 && ret == 0)
		ret = -errno;
	for (size_t i = 0; ret == 0 && i < len; i++) {
		if (text[i] == '<')
			fputs("\\u003c", out);
		else
			putc(text[i], out);
	}
	free(text);
	return ret;
}

int fl_scn_write_html(FILE *out, const struct fl_scn_results *results)
{
	int ret;

	fputs(fl_scn_page_parts[0], out);
	put_title(out, results);
	fputs(fl_scn_page_parts[1], out);
	ret = put_body(out, results);
	fputs(fl_scn_page_parts[2], out);
	if (ret == 0)
		ret = put_data(out, results);
	fputs(fl_scn_page_parts[3], out);
	return ret < 0 ? ret : fl_scn_finish(out);
}
