/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exercise/exercise_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX	 (EX_OPTIONS_MAX + 24)
#define ERRORS_MAX	 16384 /* of its last bytes */
#define GUEST_OVERHEAD_S 300   /* beyond the time for the turns */
#define GUEST_LIMIT_S	 86400
#define MTIME_STEPS	 3 /* of the clock that files get their times from */

struct process {
	pid_t pid;
	FILE *to;
	FILE *from;
	int errors;
};

struct process_set {
	struct process processes[EX_ACTORS_MAX];
	unsigned int count;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Until a file that is changed has another mtime than one that was changed before: they come from a clock with the
 * step of the timer interrupt.
 */
static void wait_for_another_mtime(void)
{
	struct timespec pause = {.tv_nsec = 1000000}, before, now;

	for (unsigned int i = 0; i < MTIME_STEPS; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &before);
		do {
			nanosleep(&pause, NULL);
			clock_gettime(CLOCK_REALTIME_COARSE, &now);
		} while (now.tv_nsec == before.tv_nsec);
	}
}

static bool make_files(struct ex_run *run)
{
	char path[PATH_MAX], name[EX_NAME_LEN];
	int fd = -1;

	for (unsigned int i = 0; i < run->config.files; i++) {
		ex_file_name(i, name);
		snprintf(path, sizeof(path), "%s/%s", run->dir, name);
		if (fd >= 0)
			close(fd);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return false;
	}
	run->config.has_zero_range = fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 1) == 0;
	bool good = ftruncate(fd, 0) == 0;

	close(fd);
	for (unsigned int i = 0; i < run->config.actors; i++)
		run->config.has_caches = run->config.has_caches || run->places[i].kernel == EX_CACHED;
	return good;
}

struct command {
	char config[EX_CONFIG_LEN];
	char self[8];
	char data[PATH_MAX + 16];
	char bin[PATH_MAX + 16];
	char program[PATH_MAX];
	char limit_s[16];
	const char *argv[ARGS_MAX];
};

static void add(struct command *command, size_t *argc, const char *argument)
{
	if (*argc < ARGS_MAX - 1)
		command->argv[(*argc)++] = argument;
}

static void make_guest_command(const struct ex_run *run, const struct ex_place *place, struct command *command,
			       size_t *argc)
{
	const char *slash = strrchr(run->actor, '/');

	snprintf(command->data, sizeof(command->data), "/tmp/data=%s", run->dir);
	snprintf(command->bin, sizeof(command->bin), "/tmp/bin=%.*s", (int)(slash - run->actor), run->actor);
	snprintf(command->program, sizeof(command->program), "/tmp/bin%s", slash);
	snprintf(command->limit_s, sizeof(command->limit_s), "%u",
		 run->seconds ? run->seconds + GUEST_OVERHEAD_S : GUEST_LIMIT_S);
	const char *const start[] = {run->launcher, "run",     "--timeout",   command->limit_s, "--attr-timeout",
				     "0",	    "--rwdir", command->data, "--rodir",	command->bin};

	for (size_t i = 0; i < sizeof(start) / sizeof(start[0]); i++)
		add(command, argc, start[i]);
	for (size_t i = 0; i < EX_OPTIONS_MAX && place->options[i]; i++)
		add(command, argc, place->options[i]);
	add(command, argc, "--");
	add(command, argc, command->program);
	add(command, argc, "/tmp/data");
}

static void make_command(const struct ex_run *run, unsigned int self, struct command *command)
{
	const struct ex_place *place = &run->places[self];
	size_t argc = 0;

	*command = (struct command){0};
	ex_config_print(&run->config, command->config);
	snprintf(command->self, sizeof(command->self), "%u", self);
	if (place->kernel != EX_HOST) {
		make_guest_command(run, place, command, &argc);
	} else {
		add(command, &argc, run->actor);
		add(command, &argc, run->dir);
	}
	add(command, &argc, command->config);
	add(command, &argc, command->self);
	add(command, &argc, ex_kernel_name(place->kernel));
}

static bool start(const struct ex_run *run, unsigned int self, struct process *process)
{
	struct command command;
	int to[2], from[2];

	make_command(run, self, &command);
	int errors = run->places[self].errors;

	process->errors = errors ? fcntl(errors, F_DUPFD_CLOEXEC, 0) : memfd_create("errors", MFD_CLOEXEC);
	if (process->errors < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return false;
	process->pid = fork();
	if (process->pid == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		dup2(process->errors, STDERR_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(command.argv[0], (char *const *)(uintptr_t)command.argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	process->to = fdopen(to[1], "w");
	process->from = fdopen(from[0], "r");
	return process->pid > 0 && process->to && process->from;
}

static void end_all(struct process_set *set, bool at_once)
{
	for (unsigned int i = 0; i < set->count; i++) {
		struct process *process = &set->processes[i];

		if (at_once && process->pid > 0)
			kill(process->pid, SIGKILL);
		if (process->to)
			fclose(process->to);
		if (process->from)
			fclose(process->from);
		if (process->pid > 0)
			waitpid(process->pid, NULL, 0);
		close(process->errors);
	}
}

static char *end_of(int fd)
{
	struct stat st;
	char *text = calloc(1, ERRORS_MAX + 1);
	off_t from = fstat(fd, &st) == 0 && st.st_size > ERRORS_MAX ? st.st_size - ERRORS_MAX : 0;

	if (text && pread(fd, text, ERRORS_MAX, from) < 0)
		text[0] = '\0';
	return text;
}

/* What it says instead of "done", up to its end, since it says no more. */
static void keep_words(struct ex_run *run, struct process *process, const char *first)
{
	char line[512];
	size_t len;
	FILE *said = open_memstream(&run->said, &len);

	if (!said)
		return;
	fputs(first, said);
	while (fgets(line, sizeof(line), process->from))
		fputs(line, said);
	fclose(said);
	run->errors = end_of(process->errors);
}

/* False if it did not say "done". */
static bool wait_for(struct ex_run *run, struct process *process)
{
	char line[512] = "it said nothing\n";

	if (fgets(line, sizeof(line), process->from) && sscanf(line, "done %" SCNu64, &run->ops) == 1)
		return true;
	keep_words(run, process, line);
	return false;
}

static bool give_turn(struct ex_run *run, struct process *process, const char *request)
{
	fprintf(process->to, "%s %" PRIu64 "\n", request, run->turns);
	fflush(process->to);
	return wait_for(run, process);
}

static bool run_turns(struct ex_run *run, struct process_set *set)
{
	uint64_t began = now_ms();

	while (run->ops < run->ops_max && (!run->seconds || now_ms() - began < (uint64_t)run->seconds * 1000)) {
		struct ex_turn turn = ex_turn(&run->config, run->turns);

		if (run->config.has_caches)
			wait_for_another_mtime();
		if (!give_turn(run, &set->processes[turn.actor], "turn"))
			return false;
		run->turns++;
		if (run->meddle)
			run->meddle(run->meddle_arg, run->turns);
	}
	run->took_ms = now_ms() - began;
	for (unsigned int i = 0; i < set->count; i++)
		if (!give_turn(run, &set->processes[i], "end"))
			return false;
	return true;
}

bool ex_run(struct ex_run *run)
{
	struct process_set set = {0};
	bool good = make_files(run);

	signal(SIGPIPE, SIG_IGN);
	/* first all, since guests take their time */
	for (; good && set.count < run->config.actors; set.count++)
		good = start(run, set.count, &set.processes[set.count]);
	if (!good)
		run->said = strdup(strerror(errno));
	for (unsigned int i = 0; good && i < set.count; i++)
		good = wait_for(run, &set.processes[i]);
	good = good && run_turns(run, &set);
	end_all(&set, !good);
	return good;
}

void ex_run_free(struct ex_run *run)
{
	free(run->said);
	free(run->errors);
	run->said = run->errors = NULL;
}
