/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/box/guest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define STRESS_CYCLES	1000
#define STRESS_PAUSE_NS 3000000 /* so that the guest sees each state at times */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

bool bench_open(struct bench *bench, const char *launcher, const char *program)
{
	const char *dirs[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};

	memset(bench, 0, sizeof(*bench));
	if (!realpath(launcher, bench->launcher) || !realpath(program, bench->program))
		return false;
	snprintf(bench->program_dir, sizeof(bench->program_dir), "%s", bench->program);
	*strrchr(bench->program_dir, '/') = '\0';
	const char *stock = getenv("FAULTLINE_KERNEL_STOCK");
	int dir_len = (int)(strrchr(bench->launcher, '/') - bench->launcher);

	if (stock)
		snprintf(bench->stock_kernel, sizeof(bench->stock_kernel), "%s", stock);
	else
		snprintf(bench->stock_kernel, sizeof(bench->stock_kernel), "%.*s/guest-kernel/bzImage-stock", dir_len,
			 bench->launcher);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (!dirs[i])
			continue;
		snprintf(bench->scratch, sizeof(bench->scratch), "%.3000s/faultline-test.XXXXXX", dirs[i]);
		if (mkdtemp(bench->scratch)) {
			snprintf(bench->data, sizeof(bench->data), "%.4000s/data", bench->scratch);
			return mkdir(bench->data, 0755) == 0;
		}
	}
	return false;
}

void bench_close(struct bench *bench)
{
	nftw(bench->scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

bool bench_runs_linux(const struct bench *bench, char *reason, size_t reason_len)
{
	static const char key[] = "\"linux-guests\",\"state\":\"";
	const char *const argv[] = {bench->launcher, "doctor", "--json", NULL};
	struct transcript transcript;

	run_command(bench, argv, &transcript);
	const char *why = strstr(transcript.out, key);

	snprintf(reason, reason_len, "%.*s", (int)strcspn(why ? why : "", "}"), why ? why : "");
	bool runs = strstr(transcript.out, "\"guests\":\"linux\"");

	transcript_free(&transcript);
	return runs;
}

static void fill_file(int fd, uint64_t pages)
{
	uint64_t words[PAGE / 8];

	for (uint64_t page = 0; page < pages; page++) {
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = pattern_word(page * PAGE + 8 * i);
		if (pwrite(fd, words, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
			return;
	}
}

static void stress_file(int fd, uint64_t pages)
{
	struct timespec pause = {.tv_nsec = STRESS_PAUSE_NS};

	for (unsigned int cycle = 0; cycle < STRESS_CYCLES; cycle++) {
		if (ftruncate(fd, (off_t)(pages / 4 * PAGE)) < 0)
			return;
		nanosleep(&pause, NULL);
		if (ftruncate(fd, (off_t)(pages * PAGE)) < 0)
			return;
		/* every other time the zeros stay for a while */
		if (cycle % 2)
			nanosleep(&pause, NULL);
		fill_file(fd, pages);
	}
}

/* The answer to "do REQUEST FILE NUMBER"; -1 if it could not be done. */
static long long serve_request(const struct bench *bench, const char *line)
{
	char request[32], name[64], path[PATH_MAX + 80];
	unsigned long long number;
	struct stat st;
	uint8_t byte = 0x5a;
	long long answer = -1;

	if (sscanf(line, "do %31s %63s %llu", request, name, &number) != 3 || strchr(name, '/'))
		return -1;
	snprintf(path, sizeof(path), "%s/%s", bench->data, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (strcmp(request, "truncate") == 0)
		answer = ftruncate(fd, (off_t)number);
	else if (strcmp(request, "size") == 0)
		answer = st.st_size;
	else if (strcmp(request, "poke") == 0)
		answer = pwrite(fd, &byte, 1, (off_t)number) == 1 ? 0 : -1;
	else if (strcmp(request, "stress") == 0)
		stress_file(fd, number), answer = 0;
	else if (bench->serve)
		answer = bench->serve(bench->serve_arg, request, fd, number);
	close(fd);
	return answer;
}

static void take_line(const struct bench *bench, const char *line, FILE *out, int answers)
{
	if (strncmp(line, "do ", 3) != 0) {
		fputs(line, out);
		return;
	}
	long long answer = serve_request(bench, line);

	dprintf(answers, answer < 0 ? "failed %lld\n" : "ok %lld\n", answer);
}

static char *read_all(int fd, size_t *len)
{
	struct stat st;
	size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
	char *text = calloc(1, size + 1);
	ssize_t n = text ? pread(fd, text, size, 0) : -1;

	*len = n > 0 ? (size_t)n : 0;
	return text;
}

const char *guest_parameters(void)
{
	const char *parameters = getenv(GUEST_PARAMETERS_VARIABLE);

	return parameters ? parameters : "";
}

/* argv, or a copy of it in room with the parameters right behind "run" */
static const char *const *with_parameters(const struct bench *bench, const char *const *argv,
					  const char *room[GUEST_ARGS_MAX + 2])
{
	size_t argc = 0;

	while (argv[argc])
		argc++;
	if (!*guest_parameters() || argc < 2 || argc >= GUEST_ARGS_MAX || strcmp(argv[0], bench->launcher) != 0 ||
	    strcmp(argv[1], "run") != 0)
		return argv;
	room[0] = argv[0];
	room[1] = argv[1];
	room[2] = "-p";
	room[3] = guest_parameters();
	memcpy(room + 4, argv + 2, (argc - 1) * sizeof(*argv));
	return room;
}

static pid_t spawn(const char *const *argv, int in, int out, int err)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	/* the test program's time limit kills it without a chance to clean up */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

void run_command(const struct bench *bench, const char *const *argv, struct transcript *transcript)
{
	const char *room[GUEST_ARGS_MAX + 2];
	int to[2], from[2];
	int err = memfd_create("stderr", MFD_CLOEXEC);
	char *line = NULL;
	size_t line_size = 0;
	int wait_status = 0;

	*transcript = (struct transcript){.status = -1};
	signal(SIGPIPE, SIG_IGN);
	if (err < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return;
	pid_t pid = spawn(with_parameters(bench, argv, room), to[0], from[1], err);

	close(to[0]);
	close(from[1]);
	FILE *in = fdopen(from[0], "re");
	FILE *out = open_memstream(&transcript->out, &transcript->out_len);

	while (getline(&line, &line_size, in) > 0)
		take_line(bench, line, out, to[1]);
	fclose(out);
	fclose(in);
	free(line);
	close(to[1]);
	waitpid(pid, &wait_status, 0);
	transcript->status = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
	transcript->err = read_all(err, &transcript->err_len);
	close(err);
}

const char *guest_time_limit_s(void)
{
	const char *limit = getenv(GUEST_TIME_LIMIT_VARIABLE);

	return limit ? limit : GUEST_TIME_LIMIT_S;
}

static bool has_option(const char *const *options, const char *wanted)
{
	for (; *options; options++)
		if (strcmp(*options, wanted) == 0)
			return true;
	return false;
}

/* Everything its kernel says, the end of the guest at an oops, and room for what KASAN remembers. */
static size_t add_debug_options(const char **argv, size_t argc, const char *const *options)
{
	if (!has_option(options, "-v"))
		argv[argc++] = "-v";
	if (!has_option(options, "-m")) {
		argv[argc++] = "-m";
		argv[argc++] = "2G";
	}
	argv[argc++] = "-p";
	argv[argc++] = "ignore_loglevel oops=panic";
	return argc;
}

size_t add_kernel_options(const char **argv, size_t argc)
{
	static const char *const none[] = {NULL};

	if (*guest_parameters()) {
		argv[argc++] = "-p";
		argv[argc++] = guest_parameters();
	}
	return getenv(GUEST_CONSOLES_VARIABLE) ? add_debug_options(argv, argc, none) : argc;
}

static void keep_console(const char *dir, const char *mode, const struct transcript *transcript)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%.3000s/%.100s-%d.log", dir, mode, (int)getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, transcript->err, transcript->err_len) != (ssize_t)transcript->err_len)
		printf("# the guest's console could not be written to %s\n", path);
	if (fd >= 0)
		close(fd);
}

/* Entries of `from` while there is room; the list ends with NULL */
static size_t append(const char **argv, size_t argc, const char *const *from)
{
	while (*from && argc < GUEST_ARGS_MAX - 1)
		argv[argc++] = *from++;
	return argc;
}

void run_guest(const struct bench *bench, const char *const *options, const char *const *command, const char *name,
	       struct transcript *transcript)
{
	static const char *const end_of_options[] = {"--", NULL};
	const char *consoles = getenv(GUEST_CONSOLES_VARIABLE);
	const char *argv[GUEST_ARGS_MAX] = {bench->launcher, "run", "--timeout", guest_time_limit_s()};
	size_t argc = 4;

	if (consoles)
		argc = add_debug_options(argv, argc, options);
	argc = append(argv, argc, options);
	argc = append(argv, argc, end_of_options);
	append(argv, argc, command);
	run_command(bench, argv, transcript);
	if (consoles)
		keep_console(consoles, name, transcript);
}

void run_in_guest(const struct bench *bench, const char *const *options, const char *mode,
		  struct transcript *transcript)
{
	char data[PATH_MAX + 20], bin[PATH_MAX + 20], program[PATH_MAX];
	const char *all[GUEST_ARGS_MAX] = {bench->read_only ? "--rodir" : "--rwdir", data, "--rodir", bin};
	const char *const command[] = {program, "/tmp/data", mode, NULL};

	snprintf(data, sizeof(data), "/tmp/data=%s", bench->data);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", bench->program_dir);
	snprintf(program, sizeof(program), "/tmp/bin/%.1000s", strrchr(bench->program, '/') + 1);
	append(all, 4, options);
	run_guest(bench, all, command, mode, transcript);
}

void run_on_host(const struct bench *bench, const char *mode, struct transcript *transcript)
{
	const char *const argv[] = {bench->program, bench->data, mode, NULL};

	run_command(bench, argv, transcript);
}

void transcript_free(struct transcript *transcript)
{
	free(transcript->out);
	free(transcript->err);
	*transcript = (struct transcript){0};
}

unsigned int lines_with(const char *text, const char *part)
{
	unsigned int count = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at, part)) {
		count++;
		at += strcspn(at, "\n");
		at += *at == '\n'; /* or a part that begins with one would be found here for ever */
	}
	return count;
}

static void show_lines(const char *title, const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		printf("# %s: %.*s\n", title, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

bool same_lines(const char *expected, const char *seen)
{
	bool same = true;

	while (*expected || *seen) {
		size_t expected_len = strcspn(expected, "\n"), seen_len = strcspn(seen, "\n");

		if (expected_len != seen_len || memcmp(expected, seen, seen_len) != 0) {
			printf("# expected: %.*s\n# guest:    %.*s\n", (int)expected_len, expected, (int)seen_len,
			       seen);
			same = false;
		}
		expected += expected_len + (expected[expected_len] == '\n');
		seen += seen_len + (seen[seen_len] == '\n');
	}
	fflush(stdout);
	return same;
}

void show(const char *title, const struct transcript *transcript)
{
	printf("# %s: status %d\n", title, transcript->status);
	show_lines(title, transcript->out);
	show_lines(title, transcript->err);
	fflush(stdout);
}
