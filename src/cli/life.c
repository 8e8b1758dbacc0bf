/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control_client.h"
#include "cli/control_request.h"
#include "cli/diag.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/parse.h"
#include "cli/ps.h"
#include "cli/runtime_dir.h"
#include "cli/values.h"

#define NO_SUCH_GUEST  "No guest with the name %s runs; \"faultline ps\" lists those that do."
#define EXIT_FAILED    1
#define PATIENCE_MS    10000 /* pausing may take 5 s */
#define STOP_TIMEOUT_S 20
#define STOP_GRACE_MS  15000 /* over the guest's own time: until all its output is written */

struct life {
	const struct fl_cli_verb *verb;
	bool help, json, follow, force;
	uint32_t timeout_s;
	const char *name; /* NULL: the only guest there is */
};

static int take(void *target, int value, const char *text, const char *next, bool *took_next, struct fl_diag *diag)
{
	struct life *life = target;

	(void)next, (void)took_next;
	switch (value) {
	case FL_CLI_OPTION_JSON:
		life->json = true;
		return 0;
	case FL_CLI_OPTION_FORCE:
		life->force = true;
		return 0;
	case FL_CLI_OPTION_TIMEOUT:
		return fl_cli_parse_number("--timeout", text, 1, FL_CLI_CONTROL_STOP_MAX_S, &life->timeout_s, diag);
	case 'f':
		life->follow = true;
		return 0;
	case 'h':
		life->help = true;
		return 0;
	default:
		return fl_cli_diag(diag, -EINVAL, "An option of the table is not taken: %d.", value);
	}
}

static int take_line(int argc, char **argv, struct life *life, struct fl_diag *diag)
{
	bool separated;
	int used;
	int ret = fl_cli_take_options(life->verb, argc, argv, take, life, &used, &separated, diag);

	if (ret < 0 || life->help)
		return ret;
	if (used < argc && life->verb->takes_vm)
		life->name = argv[used++];
	if (used < argc)
		return fl_cli_diag(diag, -EINVAL, "faultline %s: \"%s\" is too much; see faultline %s --help.",
				   life->verb->name, argv[used], life->verb->name);
	return 0;
}

static int choose_only_guest(const struct fl_cli_names *names, char name[FL_CLI_NAME_LEN_MAX + 1], struct fl_diag *diag)
{
	if (names->count == 1) {
		snprintf(name, FL_CLI_NAME_LEN_MAX + 1, "%s", names->names[0]);
		return 0;
	}
	if (names->count == 0)
		return fl_cli_diag(
			diag, -ENOENT,
			"No guest runs here; \"faultline run -- COMMAND\" starts one. Those in the box are not seen from outside.");
	return fl_cli_diag(diag, -EINVAL, "%zu guests run: say which one; \"faultline ps\" lists them.", names->count);
}

/* Leaves out what nobody listens to any more. */
static void keep_the_living(int dir_fd, struct fl_cli_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		int fd = fl_cli_connect(dir_fd, names->names[i]);

		if (fd >= 0)
			close(fd);
		if (fd >= 0 || fd == -EAGAIN)
			names->names[kept++] = names->names[i];
		else
			free(names->names[i]);
	}
	names->count = kept;
}

static int find_name(int dir_fd, const struct life *life, char name[FL_CLI_NAME_LEN_MAX + 1], struct fl_diag *diag)
{
	struct fl_cli_names names;
	int ret;

	if (life->name) {
		if (strlen(life->name) <= FL_CLI_NAME_LEN_MAX && !strchr(life->name, '/')) {
			strcpy(name, life->name);
			return 0;
		}
		return fl_cli_diag(diag, -ENOENT, NO_SUCH_GUEST, life->name);
	}
	ret = fl_cli_list_names(dir_fd, &names);
	if (ret < 0)
		return fl_cli_diag(diag, ret, "The guests cannot be listed: %s.", strerror(-ret));
	keep_the_living(dir_fd, &names);
	ret = choose_only_guest(&names, name, diag);
	fl_cli_names_fini(&names);
	return ret;
}

/* A guest's bytes must not drive the user's terminal; a file or a program gets them as they are. */
static void copy_plain(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c >= ' ' && c < 0x7f) || c == '\n' || c == '\t')
			putchar(c);
	}
}

static int copy_reply(FILE *reply, bool plain)
{
	char bytes[4096];
	ssize_t len;

	/* not by fread(): who follows wants what has come, not a full buffer */
	while ((len = read(fileno(reply), bytes, sizeof(bytes))) > 0 || (len < 0 && errno == EINTR)) {
		if (len < 0)
			continue;
		if (plain)
			copy_plain(bytes, (size_t)len);
		else
			fwrite(bytes, 1, (size_t)len, stdout);
		if (fflush(stdout) != 0)
			return EXIT_FAILED;
	}
	return 0;
}

static int ask(int dir_fd, const char *name, const char *request, int patience_ms, bool plain, struct fl_diag *diag)
{
	FILE *reply;

	if (fl_cli_ask(dir_fd, name, request, patience_ms, &reply, diag) < 0)
		return EXIT_FAILED;
	int status = copy_reply(reply, plain);

	fclose(reply);
	return status;
}

static int stop(int dir_fd, const char *name, const struct life *life, struct fl_diag *diag)
{
	uint32_t timeout_s = life->force ? 0 : life->timeout_s;
	char request[32];
	int status;

	snprintf(request, sizeof(request), "stop %u", timeout_s);
	status = ask(dir_fd, name, request, (int)timeout_s * 1000 + STOP_GRACE_MS, false, diag);
	/* it ended in another way, which is what was wanted */
	return status == EXIT_FAILED && diag->error == -ECONNRESET ? 0 : status;
}

static int do_verb(int dir_fd, const char *name, const struct life *life, struct fl_diag *diag)
{
	const char *verb = life->verb->name;
	char request[64];

	if (strcmp(verb, "stop") == 0)
		return stop(dir_fd, name, life, diag);
	if (strcmp(verb, "console") == 0)
		return ask(dir_fd, name, life->follow ? "console follow" : "console", PATIENCE_MS,
			   isatty(STDOUT_FILENO), diag);
	if (strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0)
		return ask(dir_fd, name, verb, PATIENCE_MS, false, diag);
	snprintf(request, sizeof(request), "%s %s%s", verb, life->json ? "json" : "text",
		 life->follow ? " follow" : "");
	return ask(dir_fd, name, request, PATIENCE_MS, false, diag);
}

static int do_life(const struct life *life, struct fl_diag *diag)
{
	char name[FL_CLI_NAME_LEN_MAX + 1];
	int dir_fd = fl_cli_open_runtime_dir(false, diag);
	int status = EXIT_FAILED;

	if (strcmp(life->verb->name, "ps") == 0 && (dir_fd >= 0 || dir_fd == -ENOENT))
		status = fl_cli_ps(dir_fd, life->json, stdout, diag);
	else if (dir_fd == -ENOENT && life->name)
		(void)fl_cli_diag(diag, -ENOENT, NO_SUCH_GUEST, life->name);
	else if (dir_fd == -ENOENT)
		(void)choose_only_guest(&(struct fl_cli_names){0}, name, diag);
	else if (dir_fd >= 0 && find_name(dir_fd, life, name, diag) == 0)
		status = do_verb(dir_fd, name, life, diag);
	if (dir_fd >= 0)
		close(dir_fd);
	return status;
}

int fl_cli_life_main(int argc, char **argv)
{
	struct life life = {.verb = fl_cli_find_verb(argv[0]), .timeout_s = STOP_TIMEOUT_S};
	struct fl_diag diag = {0};
	int status = FL_CLI_EXIT_USAGE;

	if (take_line(argc, argv, &life, &diag) == 0) {
		if (life.help) {
			fl_cli_print_verb_help(stdout, life.verb, false);
			return 0;
		}
		status = do_life(&life, &diag);
	}
	if (status && diag.text[0])
		fprintf(stderr, "faultline: %s\n", diag.text);
	return status;
}
