/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faultline-pages: makes manual pages and completions when Faultline is built; it is not installed.
 *
 *	faultline-pages manual|bash|zsh TEMPLATE >RESULT
 *	faultline-pages verbs|vm-verbs		all verbs; those that share one page
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/completion.h"
#include "cli/diag.h"
#include "cli/manual.h"

#define TEMPLATE_MAX_LEN (256u << 10)

/* *text: to be freed */
static int read_template(const char *path, char **text, struct fl_diag *diag)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return fl_cli_diag(diag, -errno, "It cannot be read: %s.", strerror(errno));
	*text = calloc(1, TEMPLATE_MAX_LEN + 1);
	size_t len = *text ? fread(*text, 1, TEMPLATE_MAX_LEN + 1, file) : 0;
	bool failed = ferror(file);

	fclose(file);
	if (*text && !failed && len <= TEMPLATE_MAX_LEN)
		return 0;
	free(*text);
	*text = NULL;
	return fl_cli_diag(diag, -EIO, "It cannot be read, or is longer than %u bytes.", TEMPLATE_MAX_LEN);
}

static int make(const char *what, const char *path, struct fl_diag *diag)
{
	char *text = NULL;
	int ret = read_template(path, &text, diag);

	if (ret < 0)
		return ret;
	if (strcmp(what, "manual") == 0)
		ret = fl_cli_write_manual(text, stdout, diag);
	else
		ret = fl_cli_write_completion(strcmp(what, "zsh") == 0 ? FL_CLI_ZSH : FL_CLI_BASH, text, stdout, diag);
	free(text);
	return ret;
}

static int list_verbs(bool all)
{
	for (const struct fl_cli_verb *verb = fl_cli_verbs; verb->name; verb++)
		if (all || fl_cli_shares_page(verb))
			puts(verb->name);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct fl_diag diag = {0};

	if (argc == 2 && (strcmp(what, "verbs") == 0 || strcmp(what, "vm-verbs") == 0))
		return list_verbs(strcmp(what, "verbs") == 0);
	if (argc != 3 || (strcmp(what, "manual") != 0 && strcmp(what, "bash") != 0 && strcmp(what, "zsh") != 0)) {
		fputs("usage: faultline-pages manual|bash|zsh TEMPLATE\n       faultline-pages verbs|vm-verbs\n",
		      stderr);
		return 2;
	}
	if (make(what, argv[2], &diag) < 0) {
		fprintf(stderr, "faultline-pages: %s: %s\n", argv[2], diag.text);
		return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
