/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kept_guest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/box/guest_run.h"

static pid_t spawn(const char *const *argv, int in, int out)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static bool take_line(struct kept_guest *guest)
{
	ssize_t len = getline(&guest->line, &guest->line_size, guest->out);

	if (len <= 0)
		return false;
	if (guest->line[len - 1] == '\n')
		guest->line[len - 1] = '\0';
	return true;
}

static bool start(struct kept_guest *guest, const char *const *argv)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) < 0)
		return false;
	if (pipe2(from, O_CLOEXEC) < 0) {
		close(to[0]);
		close(to[1]);
		return false;
	}
	guest->pid = spawn(argv, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	guest->in = fdopen(to[1], "we");
	guest->out = fdopen(from[0], "re");
	return guest->pid > 0 && guest->in && guest->out;
}

bool kept_start(struct kept_guest *guest, const struct bench *bench, unsigned int number, const char *const *options)
{
	char dir[PATH_MAX + 16], data[PATH_MAX + 32], bin[PATH_MAX + 20];
	const char *argv[GUEST_ARGS_MAX] = {bench->launcher, "run"};
	size_t argc = 2;

	*guest = (struct kept_guest){0};
	snprintf(dir, sizeof(dir), "%s/%u", bench->data, number);
	snprintf(data, sizeof(data), "/tmp/data=%s", dir);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", bench->program_dir);
	while (*options && argc < GUEST_ARGS_MAX - 10)
		argv[argc++] = *options++;
	const char *const tail[] = {"--rwdir", data, "--rodir", bin, "--", "/tmp/bin/guest_ops", "/tmp/data", NULL};

	memcpy(argv + argc, tail, sizeof(tail));
	signal(SIGPIPE, SIG_IGN);
	if (mkdir(dir, 0755) == 0 && start(guest, argv) && take_line(guest)) {
		kill(guest->pid, SIGSTOP);
		return true;
	}
	kept_end(guest);
	return false;
}

bool kept_ask(struct kept_guest *guest, const char *question)
{
	bool answered;

	kill(guest->pid, SIGCONT);
	answered = fprintf(guest->in, "%s\n", question) > 0 && fflush(guest->in) == 0 && take_line(guest);
	kill(guest->pid, SIGSTOP);
	return answered;
}

int kept_end(struct kept_guest *guest)
{
	int status = 0;

	if (guest->in)
		fclose(guest->in);
	if (guest->pid > 0) {
		kill(guest->pid, SIGCONT);
		waitpid(guest->pid, &status, 0);
	}
	if (guest->out)
		fclose(guest->out);
	free(guest->line);
	*guest = (struct kept_guest){0};
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
