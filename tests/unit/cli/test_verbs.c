/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, --help, and what the launcher does with its first word. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/dispatch.h"
#include "cli/help.h"
#include "cli/options.h"

#define SCREEN_COLUMNS 80
#define SCREEN_LINES   24

static char *help_of(const struct fl_cli_verb *verb, bool all)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (verb)
		fl_cli_print_verb_help(out, verb, all);
	else
		fl_cli_print_help(out);
	fclose(out);
	return text;
}

static void assert_fits(char *text, unsigned int lines_max)
{
	unsigned int lines = 0;

	for (char *rest = text, *line; (line = strsep(&rest, "\n")); lines++)
		if (strlen(line) > SCREEN_COLUMNS)
			fail_msg("%zu columns: %s", strlen(line), line);
	/* strsep() finds an empty piece after the last newline */
	if (lines - 1 > lines_max)
		fail_msg("%u lines", lines - 1);
	free(text);
}

static void help_fits_a_screen(void **state)
{
	(void)state;
	assert_fits(help_of(NULL, false), SCREEN_LINES);
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		assert_fits(help_of(verb, false), SCREEN_LINES);
		assert_fits(help_of(verb, true), 3 * SCREEN_LINES);
	}
}

static void all_help_has_the_words(void **state)
{
	char *text = help_of(fl_cli_find_verb("run"), true);

	(void)state;
	assert_non_null(strstr(text, "\n                                    auto, kvm or box\n"));
	assert_non_null(strstr(text, "\n                                    error, warn, info or debug\n"));
	free(text);
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		for (const struct fl_cli_option *option = verb->options; option->name; option++) {
			assert_non_null(option->brief);
			assert_ptr_equal(fl_cli_find_option(verb, option->value), option); /* no value twice */
			if (option->text && option->text[strlen(option->text) - 1] != '.')
				fail_msg("--%s: its text is no sentence", option->name);
		}
		assert_ptr_equal(fl_cli_find_verb(verb->name), verb);
	}
	assert_null(fl_cli_find_verb("walk"));
}

/* The parser knows each option of the table: what is wrong with it then is another matter. */
static void run_takes_every_option_of_its_table(void **state)
{
	(void)state;
	for (const struct fl_cli_option *option = fl_cli_run_options; option->name; option++) {
		char word[64];
		char *argv[] = {(char[]){"run"}, word, NULL};
		struct fl_cli_options options;
		struct fl_diag diag = {0};

		snprintf(word, sizeof(word), "--%s%s", option->name, option->argument ? "=1" : "");
		(void)!fl_cli_options_parse(2, argv, NULL, &options, &diag);
		if (strstr(diag.text, "There is no option") || strstr(diag.text, "is not taken"))
			fail_msg("%s: %s", word, diag.text);
		fl_cli_options_fini(&options);
	}
}

/* Runs "faultline WORD WORD" in a child; returns its exit status, and what it wrote to fd in text. */
static int run_launcher(const char *first, const char *second, int fd, char *text, size_t text_len)
{
	int pipe_fds[2], status;
	size_t used = 0;
	ssize_t len;

	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = {strdup("faultline"), first ? strdup(first) : NULL, second ? strdup(second) : NULL,
				NULL};

		dup2(pipe_fds[1], fd);
		dup2(open("/dev/null", O_WRONLY), fd == 1 ? 2 : 1);
		close(pipe_fds[0]);
		status = fl_cli_main(first ? second ? 3 : 2 : 1, argv);
		fflush(NULL);
		_exit(status);
	}
	close(pipe_fds[1]);
	while (used < text_len - 1 && (len = read(pipe_fds[0], text + used, text_len - 1 - used)) > 0)
		used += (size_t)len;
	text[used] = '\0';
	close(pipe_fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_says(const char *first, const char *second, int fd, int status, const char *part)
{
	char text[16384];
	int found = run_launcher(first, second, fd, text, sizeof(text));

	if (found != status || !strstr(text, part))
		fail_msg("faultline %s %s: status %d, \"%s\"", first ? first : "", second ? second : "", found, text);
}

static void the_first_word_says_what_to_do(void **state)
{
	(void)state;
	assert_says("--help", NULL, 1, 0, "usage: faultline VERB");
	assert_says("-h", NULL, 1, 0, "usage: faultline VERB");
	assert_says("help", NULL, 1, 0, "usage: faultline VERB");
	assert_says("help", "run", 1, 0, "--memory");
	assert_says("run", "--help", 1, 0, "--memory");
	assert_says("run", "--help=all", 1, 0, "--attr-timeout");
	assert_says("doctor", "-h", 1, 0, "usage: faultline doctor");
	assert_says("version", NULL, 1, 0, FL_VERSION);
	assert_says("--version", NULL, 1, 0, FL_VERSION);
}

static void help_of_a_verb_is_its_help(void **state)
{
	char asked[16384], own[16384];

	(void)state;
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++) {
		if (strcmp(verb->name, "help") == 0 || strcmp(verb->name, "version") == 0)
			continue;
		assert_int_equal(run_launcher("help", verb->name, 1, asked, sizeof(asked)), 0);
		assert_int_equal(run_launcher(verb->name, "--help", 1, own, sizeof(own)), 0);
		assert_string_equal(asked, own);
	}
}

static void other_words_are_named(void **state)
{
	(void)state;
	assert_says(NULL, NULL, 2, 2, "faultline run");
	assert_says("walk", NULL, 2, 2, "\"walk\"");
	assert_says("help", "walk", 2, 2, "\"walk\"");
	assert_says("doctor", "now", 2, 2, "no arguments");
	assert_says("doctor", "--now", 2, 2, "--now");
	assert_says("run", "--now", 2, 2, "--now");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(help_fits_a_screen),
	cmocka_unit_test(all_help_has_the_words),
	cmocka_unit_test(rows_are_whole),
	cmocka_unit_test(run_takes_every_option_of_its_table),
	cmocka_unit_test(the_first_word_says_what_to_do),
	cmocka_unit_test(help_of_a_verb_is_its_help),
	cmocka_unit_test(other_words_are_named),
};
FL_TEST_MAIN(10, tests)
