/* SPDX-License-Identifier: Apache-2.0 */
/* What is too much of a scenario: the limits of faultline-scenario(5), and one more. */
#include "tests/unit/cli/scenario_errors.h"

#define HOST "host\n\tmark x\n"

/* A text that grows. */
struct text {
	char *text;
	size_t len;
	FILE *out;
};

static void begin(struct text *text, const char *first)
{
	*text = (struct text){0};
	text->out = open_memstream(&text->text, &text->len);
	assert_non_null(text->out);
	fputs(first, text->out);
}

/* Each %u of the format is a number that counts. */
static void repeat(struct text *text, uint32_t times, const char *before, const char *behind)
{
	for (uint32_t i = 0; i < times; i++)
		fprintf(text->out, "%s%u%s", before, i, behind);
}

static void end_with(struct text *text, const char *errors)
{
	fclose(text->out);
	assert_errors(text->text, text->len, errors);
	free(text->text);
}

static void a_text_has_a_mebibyte_at_most(void **state)
{
	for (int more = 0; more < 2; more++) {
		struct text text;

		begin(&text, A_TEST HOST "#");
		for (size_t i = sizeof(A_TEST HOST); i < (1 << 20); i++)
			fputc('x', text.out);
		if (more)
			fputc('x', text.out);
		end_with(&text,
			 more ? "1:1: A scenario has at most 1 MiB of text, and this has 1048577 bytes: make several "
				"files of it.\n"
			      : "");
	}
	(void)state;
}

static void lines_and_words_have_their_limits(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST HOST);
	for (int i = 0; i < 65532; i++)
		fputc('\n', text.out);
	end_with(&text, "");
	begin(&text, A_TEST HOST);
	for (int i = 0; i < 65533; i++)
		fputc('\n', text.out);
	end_with(&text, "65536:1: A scenario has 65535 lines at most: make two files of this one.\n");
	begin(&text, A_TEST "host\n\trun");
	repeat(&text, 256, " x", "");
	end_with(&text, "3:1171: A line has 256 words at most: make two steps of this one.\n");
	begin(&text, A_TEST "host\n\trun");
	repeat(&text, 60, " x", "");
	end_with(&text, "");
	begin(&text, A_TEST "host\n\trun");
	repeat(&text, 61, " x", "");
	end_with(&text, "3:236: A program is run with 60 words at most: put a script into a file.\n");
}

static void a_word_has_4096_bytes(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST "host\n\trun ");
	for (int i = 0; i < 4096; i++)
		fputc('x', text.out);
	end_with(&text, "");
	/* doubled twelve times it is as long, and once more is too much */
	begin(&text, A_TEST "let v0 = x\n");
	for (int i = 1; i <= 12; i++)
		fprintf(text.out, "let v%d = $v%d$v%d\n", i, i - 1, i - 1);
	fputs("host\n\trun $v12\n", text.out);
	end_with(&text, "");
	begin(&text, A_TEST "let v0 = x\n");
	for (int i = 1; i <= 60; i++)
		fprintf(text.out, "let v%d = $v%d$v%d\n", i, i - 1, i - 1);
	end_with(&text, "15:11: A word has 4096 bytes at most: make this one shorter.\n");
	begin(&text, A_TEST "let v0 = {x x}\n");
	for (int i = 1; i <= 60; i++)
		fprintf(text.out, "let v%d = {$v%d $v%d}\n", i, i - 1, i - 1);
	end_with(&text, "10:15: With its variables the line has more than 256 words.\n");
}

static void there_are_4096_cases(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST "matrix a = ");
	repeat(&text, 63, "", ",");
	fputs("x\nmatrix b = ", text.out);
	repeat(&text, 63, "", ",");
	fputs("x\n" HOST "\trun $a $b\n", text.out);
	end_with(&text, "");
	begin(&text, A_TEST "matrix a = ");
	repeat(&text, 64, "", ",");
	fputs("x\nmatrix b = ", text.out);
	repeat(&text, 63, "", ",");
	fputs("x\n" HOST "\trun $a $b\n", text.out);
	end_with(&text,
		 "3:1: This makes more than 4096 cases: choose from fewer words, or make several files of it.\n");
	begin(&text, A_TEST "matrix a = ");
	repeat(&text, 4095, "", ",");
	fputs("x\nhost\n\trun $a\n", text.out);
	repeat(&text, 254, "\tsleep 1ms # ", "\n");
	end_with(&text, "1:1: 257 lines for 4096 cases are too many: the product of the two is at most 1048576.\n");
}

/* A small text that would become large. */
static void all_cases_together_have_a_budget(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST "matrix a = ");
	repeat(&text, 4095, "", ",");
	fputs("x\nhost\n\trun $a\n", text.out);
	repeat(&text, 250, "\tsleep 1ms # ", "\n");
	end_with(&text, "1:1: All its cases together are too large: make several files of it, or fewer cases.\n");
}

static void a_case_has_so_many_of_each(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST HOST);
	repeat(&text, 64, "\tmark m", "\n");
	end_with(&text, "67:7: A case has 64 marks and barriers at most.\n");
	begin(&text, A_TEST "machine\n" HOST);
	repeat(&text, 17, "dir d", "\n");
	end_with(&text, "21:1: A case has 16 dirs at most.\n");
	begin(&text, A_FILE HOST);
	repeat(&text, 256, "file data/f", " size 1\n");
	end_with(&text, "261:1: A case has 256 files at most: have a step \"run\" make them.\n");
	begin(&text, A_TEST HOST);
	repeat(&text, 9, "machine m", "\n");
	end_with(&text, "12:1: A case has 8 machines at most.\n");
	begin(&text, A_TEST);
	repeat(&text, 33, "guest g", "\n\tsleep 1ms\n");
	end_with(&text, "66:1: A machine has 32 guests at most.\n");
	begin(&text, A_TEST);
	repeat(&text, 65, "host h", "\n\tsleep 1ms\n");
	end_with(&text, "130:1: A case has 64 guests and hosts at most.\n");
	begin(&text, A_TEST "host\n");
	repeat(&text, 257, "\tsleep 1ms # ", "\n");
	end_with(&text, "2:1: It has 257 steps, and 256 at most are possible.\n");
	begin(&text, A_MAPPING);
	repeat(&text, 16, "\topen h", " data/log ro\n");
	end_with(&text, "22:7: A guest and those that it starts have 16 open files and as many mappings at most.\n");
	begin(&text, A_TEST HOST "expect\n");
	repeat(&text, 257, "\tfault count ", "\n");
	end_with(&text, "261:2: A case has 256 expectations at most.\n");
	begin(&text, A_MAPPING "\tread m => 1");
	repeat(&text, 16, " or ", "");
	end_with(&text, "7:2: A step has 16 wishes at most.\n");
}

static void what_an_actor_says_fits_into_a_message(void **state)
{
	struct text text;

	(void)state;
	begin(&text, A_TEST "guest a\n");
	for (int i = 0; i < 16; i++) {
		fputs("\tsay \"", text.out);
		for (int j = 0; j < 4096; j++)
			fputc('x', text.out);
		fputs("\"\n", text.out);
	}
	end_with(&text, "2:1: Its paths and texts are too long all together: make two guests of it.\n");
}

static void twenty_errors_are_told(void **state)
{
	struct fl_scn_reading *reading = NULL;
	struct text text;
	uint32_t count;

	(void)state;
	begin(&text, A_TEST "host\n");
	repeat(&text, 30, "\tnothing", "\n");
	fclose(text.out);
	assert_int_equal(fl_scn_read("f.scn", text.text, text.len, &reading), 0);
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	assert_int_equal(count, 20);
	assert_int_equal(errors[19].pos.line, 22);
	assert_null(fl_scn_text(reading));
	fl_scn_forget(reading);
	fl_scn_forget(NULL);
	free(text.text);
}

/* What is in its way is shown in part, what to do whole. */
static void a_sentence_is_no_longer_than_a_screen(void **state)
{
	static const char end[] = " is no step of the host.\n";
	struct text text;

	(void)state;
	begin(&text, A_TEST "host\n\t");
	for (int i = 0; i < 4096; i++)
		fputc('x', text.out);
	fclose(text.out);
	char *told = errors_of(text.text, text.len);
	size_t len = strlen(told);

	assert_true(len < 1100);
	assert_memory_equal(told, "3:2: \"xxxx", 10);
	assert_non_null(strstr(told, "xxx ... xxx"));
	assert_string_equal(told + len - strlen(end), end);
	free(told);
	free(text.text);
}

/* An error that all cases have is one. */
static void an_error_of_many_cases_is_told_once(void **state)
{
	static const struct wrong table[] = {
		{A_TEST "matrix a = x, y, z\nhost\n\trun $a\n\traed\n",
		 "5:2: f[a=x]: \"raed\" is no step of the host.\n"},
		{A_TEST "matrix a = x, y, z\nhost\n\t$a\n",
		 "4:2: f[a=x]: \"x\" is no step of the host.\n4:2: f[a=y]: \"y\" is no step of the host.\n"
		 "4:2: f[a=z]: \"z\" is no step of the host.\n"},
	};

	(void)state;
	assert_wrong(table, FL_ARRAY_SIZE(table));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_text_has_a_mebibyte_at_most),
	cmocka_unit_test(lines_and_words_have_their_limits),
	cmocka_unit_test(a_word_has_4096_bytes),
	cmocka_unit_test(there_are_4096_cases),
	cmocka_unit_test(all_cases_together_have_a_budget),
	cmocka_unit_test(a_case_has_so_many_of_each),
	cmocka_unit_test(what_an_actor_says_fits_into_a_message),
	cmocka_unit_test(twenty_errors_are_told),
	cmocka_unit_test(a_sentence_is_no_longer_than_a_screen),
	cmocka_unit_test(an_error_of_many_cases_is_told_once),
};
FL_TEST_MAIN(30, tests)
