/* SPDX-License-Identifier: Apache-2.0 */
/* What goes from the table of verbs into a manual page. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/completion.h"
#include "cli/manual.h"
#include "cli/mdoc.h"

struct page {
	char *text;
	size_t len;
	int ret;
	struct fl_diag diag;
};

static void make(struct page *page, const char *template)
{
	FILE *out;

	memset(page, 0, sizeof(*page));
	out = open_memstream(&page->text, &page->len);
	assert_non_null(out);
	page->ret = fl_cli_write_manual(template, out, &page->diag);
	fclose(out);
}

static void assert_refused(const char *template, const char *part)
{
	struct page page;

	make(&page, template);
	if (page.ret != -EINVAL || !strstr(page.diag.text, part))
		fail_msg("%d, \"%s\" instead of \"%s\"", page.ret, page.diag.text, part);
	free(page.text);
}

static char *option_text(const struct fl_cli_option *option)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	fl_cli_mdoc_option(out, option);
	fclose(out);
	return text;
}

static void lines_that_are_no_orders_are_copied(void **state)
{
	struct page page;

	(void)state;
	make(&page, ".Os Faultline @VERSION@\ntext @ text\n\nend");
	assert_int_equal(page.ret, 0);
	assert_string_equal(page.text, ".Os Faultline " FL_VERSION "\ntext @ text\n\nend\n");
	free(page.text);
}

static void options_can_be_in_groups(void **state)
{
	struct page page;

	(void)state;
	make(&page, "@options run kernel\n.Ss More\n@options run\n");
	assert_int_equal(page.ret, 0);
	char *kernel = strstr(page.text, "Fl -kernel"), *more = strstr(page.text, ".Ss More");
	char *cpus = strstr(page.text, "Fl -cpus");

	assert_true(kernel && more && cpus && kernel < more && more < cpus);
	assert_null(strstr(kernel + 1, "Fl -kernel"));
	free(page.text);
}

static void templates_are_held_against_the_table(void **state)
{
	(void)state;
	assert_refused("@options run kernel\n@options run kernel\n", "Line 2 has --kernel for the second time");
	assert_refused("\n\n@options run wings\n", "Line 3: faultline run has no option --wings");
	assert_refused("@options run kernel\n", "leaves out --initrd");
	assert_refused("@options fly\n", "\"fly\" is none");
	assert_refused("@options run\n@options doctor\n", "options of faultline run already");
	assert_refused("@exits fly\n", "\"fly\" is none");
	assert_refused("@sing\n", "no order @sing");
	assert_refused("@steps\n", "\"\" is neither");
	assert_refused("@steps both\n@steps host\n", "leaves out the step spin of guest");
	assert_refused("@steps both\n@steps guest\n", "of host");
	assert_refused("@steps host\n@steps host truncate\n", "Line 2 has the step truncate for the second time");
	assert_refused("@steps guest punch\n", "Line 1: there is no step punch of guest");
}

static void an_option_has_all_that_is_known_of_it(void **state)
{
	static const struct fl_cli_choice choices[] = {
		{"slow", 0, "With care."}, {"fast", 1, "Without."}, {NULL, 0, NULL}};
	static const struct fl_cli_option option = {'s',
						    FL_CLI_REPEATED,
						    "speed",
						    "[DIR=]HOW",
						    "how it goes in DIR (slow)",
						    "Not as --haste. C:\\DIR.",
						    choices,
						    NULL};
	char *text = option_text(&option);

	(void)state;
	assert_string_equal(text, ".It Fl s , Fl -speed No \\&[ Ns Ar DIR Ns No \\&=] Ns Ar HOW\n"
				  "How it goes in \\fIDIR\\fR.\n"
				  "Not as \\fB\\-\\-haste\\fR.\n"
				  "C:\\eDIR.\n"
				  "May be repeated.\n"
				  "Default: slow.\n"
				  ".Bl -tag -width substitute\n"
				  ".It Cm slow\nWith care.\n"
				  ".It Cm fast\nWithout.\n"
				  ".El\n");
	free(text);
}

static void a_step_has_all_that_is_known_of_it(void **state)
{
	struct page page;

	(void)state;
	make(&page, "@steps guest read run\n@steps both\n@steps guest\n@steps host\n");
	assert_int_equal(page.ret, 0);
	assert_non_null(strstr(page.text, ".It Cm read Ar PLACE No \\&[ Ns Ar SIZE Ns No \\&]\n"
					  "Loads 1, 2, 4 or 8 bytes by one instruction; the value is what it loaded.\n"
					  "It can come to a value, a signal.\n"
					  ".Dl read m+12K 4 => lost at m+12K\n"
					  ".It Cm run "));
	assert_non_null(strstr(page.text, ".Dl run sh -c \\(dqexit 3\\(dq => 3\n.El\n"));
	assert_non_null(strstr(page.text, "Words:\n.Cm ro ,\n.Cm rw .\n"));
	free(page.text);
}

static void text_is_no_macro(void **state)
{
	static const struct fl_cli_option option = {256, 0, "x", NULL, "'tis", ".so it is.", NULL, NULL};
	char *text = option_text(&option);

	(void)state;
	assert_string_equal(text, ".It Fl -x\n\\&'tis.\n\\&.so it is.\n");
	free(text);
}

static void completions_have_a_place_for_the_tables(void **state)
{
	struct fl_diag diag = {0};
	FILE *out = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(out);
	assert_int_equal(fl_cli_write_completion(FL_CLI_BASH, "#\n@tables\n", out, &diag), 0);
	assert_int_equal(fl_cli_write_completion(FL_CLI_ZSH, "#\n", out, &diag), -EINVAL);
	assert_int_equal(fl_cli_write_completion(FL_CLI_ZSH, "#\n@tables\n@tables\n", out, &diag), -EINVAL);
	fclose(out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_that_are_no_orders_are_copied),
	cmocka_unit_test(options_can_be_in_groups),
	cmocka_unit_test(templates_are_held_against_the_table),
	cmocka_unit_test(an_option_has_all_that_is_known_of_it),
	cmocka_unit_test(a_step_has_all_that_is_known_of_it),
	cmocka_unit_test(text_is_no_macro),
	cmocka_unit_test(completions_have_a_place_for_the_tables),
};
FL_TEST_MAIN(10, tests)
