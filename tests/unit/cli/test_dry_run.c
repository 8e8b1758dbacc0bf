/* SPDX-License-Identifier: Apache-2.0 */
/* What --dry-run shows is a file of defaults that does the same. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/dry_run.h"

#define IMAGE_LEN 4096

/* As much of a bzImage as anybody looks at (Documentation/arch/x86/boot.rst). */
static void put_image(char path[64])
{
	uint8_t image[IMAGE_LEN] = {0};

	strcpy(path, "/tmp/faultline-image.XXXXXX");
	int fd = mkstemp(path);

	image[0x1f1] = 3; /* setup_sects */
	memcpy(image + 0x202, "HdrS\x0f\x02", 6);
	image[0x236] = 1;    /* 64-bit entry */
	image[0x25b] = 0x01; /* pref_address: 16 MiB */
	image[0x262] = 0x20; /* init_size: 2 MiB */
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	close(fd);
}

/* What a dry run says with these options and this file of defaults (NULL: none). */
static char *dry_run(const char *config, int count, const char *const *words)
{
	char *argv[32] = {strdup("run")};
	struct fl_cli_config_places places = {.user = config};
	struct fl_cli_options options;
	struct fl_cli_kernel kernel;
	struct fl_diag diag = {0};
	char *text = NULL;
	size_t len = 0;
	int argc = 1;

	for (int i = 0; i < count; i++)
		argv[argc++] = strdup(words[i]);
	argv[argc++] = strdup("--");
	argv[argc++] = strdup("echo");
	argv[argc++] = strdup("it's");
	if (fl_cli_options_parse(argc, argv, &places, &options, &diag) < 0)
		fail_msg("%s", diag.text);
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(fl_cli_default_kernel(options.kernel, &kernel, &diag), 0);
	fl_cli_dry_run(&options, &kernel, out);
	fclose(out);
	fl_cli_options_fini(&options);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return text;
}

static void it_says_the_same_when_it_is_read_again(void **state)
{
	char image[64];
	const char *const words[] = {
		"-k",
		image,
		"-m",
		"3G",
		"-c2",
		"--rodir",
		"/tmp/a=/usr",
		"--rodir=/tmp/b=/usr:overlay",
		"--rodir=/tmp/c=/usr:overlay=/tmp",
		"--root=/usr:overlay=/tmp",
		"--dax",
		"/tmp/a=never",
		"--on-fault",
		"substitute,stop",
		"--on-fault=ram=stop",
		"--window",
		"memfd:4M@6G,ro",
		"--env=A=1",
		"--prefault",
		"--host=box",
		"--cwd=/tmp",
		"-v",
		"--timeout=9",
		"--on-stop=wait",
	};
	char path[] = "/tmp/faultline-dry.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	put_image(image);
	char *first = dry_run(NULL, sizeof(words) / sizeof(words[0]), words);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, first, strlen(first)), strlen(first));
	close(fd);
	char *second = dry_run(path, 0, NULL);

	unlink(path);
	unlink(image);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "memory = 3G\n"));
	assert_non_null(strstr(first, "dax = /tmp/a=never\n"));
	assert_non_null(strstr(first, "rodir = /tmp/b=/usr:overlay\n"));
	assert_non_null(strstr(first, "rodir = /tmp/c=/usr:overlay=/tmp\n"));
	/* what is done about faults stands together */
	assert_non_null(strstr(first, "\n\non-fault = /=substitute,stop\non-fault = /tmp/a=substitute,stop\n"
				      "on-fault = /tmp/b=substitute,stop\non-fault = /tmp/c=substitute,stop\n"
				      "on-fault = ram=stop\non-stop = wait\n"));
	assert_non_null(strstr(first, "window = memfd:4M@0x180000000,ro,on-fault=substitute,stop\n"));
	assert_non_null(strstr(first, "# faultline run -- 'echo' 'it'\\''s'\n"));
	free(first);
	free(second);
}

static void assert_word_comes_back(const char *image, const struct fl_cli_option *option, const char *word)
{
	const char *before = option->argument[0] == '[' ? "/=" : ""; /* "[GUESTPATH=]" */
	const char *after = option->value == FL_CLI_OPTION_ON_FAULT && strcmp(word, "stop") != 0 ? ",stop" : "";
	char argument[64], line[64];
	const char *const words[] = {"-k", image, argument};

	snprintf(argument, sizeof(argument), "--%s=%s", option->name, word);
	snprintf(line, sizeof(line), "\n%s = %s%s%s\n", option->name, before, word, after);
	char *text = dry_run(NULL, 3, words);

	if (!strstr(text, line))
		fail_msg("%s: no \"%s\" in\n%s", argument, line + 1, text);
	free(text);
}

static void each_word_of_the_table_comes_back(void **state)
{
	unsigned int seen = 0;
	char image[64];

	(void)state;
	put_image(image);
	for (const struct fl_cli_option *option = fl_cli_run_options; option->name; option++)
		for (const struct fl_cli_choice *choice = option->choices; choice && choice->word; choice++, seen++)
			assert_word_comes_back(image, option, choice->word);
	unlink(image);
	assert_true(seen > 20);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_says_the_same_when_it_is_read_again),
	cmocka_unit_test(each_word_of_the_table_comes_back),
};
FL_TEST_MAIN(10, tests)
