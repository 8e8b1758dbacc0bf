/* SPDX-License-Identifier: Apache-2.0 */
/* Steps with files: one system call each, and what it says. */
#include "guest/actor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SCRATCH_MAX (UINT64_C(256) << 20)
#define ARGS_MAX    64

static int *handle(struct fl_actor_self *self, uint64_t number)
{
	return &self->process->fds[number];
}

uint8_t *fl_actor_scratch(struct fl_actor_self *self, uint64_t len)
{
	struct fl_actor_thread *thread = self->thread;

	if (len <= thread->scratch_len && thread->scratch)
		return thread->scratch;
	if (len > SCRATCH_MAX)
		return NULL;
	if (thread->scratch)
		munmap(thread->scratch, thread->scratch_len);
	thread->scratch_len = fl_align_up(FL_MAX(len, UINT64_C(1)), FL_PAGE_LEN);
	thread->scratch = mmap(NULL, thread->scratch_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (thread->scratch == MAP_FAILED)
		thread->scratch = NULL;
	return thread->scratch;
}

static int open_flags(uint64_t wanted)
{
	int flags = O_CLOEXEC;

	if (wanted & FL_SCN_O_WRITE)
		flags |= wanted & FL_SCN_O_READ ? O_RDWR : O_WRONLY;
	flags |= wanted & FL_SCN_O_CREATE ? O_CREAT : 0;
	flags |= wanted & FL_SCN_O_TRUNC ? O_TRUNC : 0;
	flags |= wanted & FL_SCN_O_APPEND ? O_APPEND : 0;
	flags |= wanted & FL_SCN_O_DIRECT ? O_DIRECT : 0;
	return flags;
}

struct fl_actor_result fl_actor_op_open(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	int *fd = handle(self, step->n[0]);

	if (*fd >= 0)
		return fl_actor_cannot(EEXIST);
	*fd = open(step->text, open_flags(step->n[1]), 0644);
	return fl_actor_called(*fd < 0 ? -1 : 0);
}

struct fl_actor_result fl_actor_op_close(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	int *fd = handle(self, step->n[0]);

	return fl_actor_called(close(fl_steal_fd(fd)));
}

struct fl_actor_result fl_actor_op_pread(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *scratch = fl_actor_scratch(self, step->n[2]);

	if (!scratch)
		return fl_actor_cannot(ENOMEM);
	return fl_actor_called(pread(fl_actor_fd(self, step->n[0]), scratch, step->n[2], (off_t)step->n[1]));
}

struct fl_actor_result fl_actor_op_pwrite(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *scratch = fl_actor_scratch(self, step->n[2]);

	if (!scratch)
		return fl_actor_cannot(ENOMEM);
	fl_actor_put_pattern(scratch, step->n[1], step->n[2]);
	return fl_actor_called(pwrite(fl_actor_fd(self, step->n[0]), scratch, step->n[2], (off_t)step->n[1]));
}

struct fl_actor_result fl_actor_op_read_to(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);

	return fl_actor_called(pread(fl_actor_fd(self, step->n[0]), at, step->n[4], (off_t)step->n[1]));
}

struct fl_actor_result fl_actor_op_write_from(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);

	return fl_actor_called(pwrite(fl_actor_fd(self, step->n[0]), at, step->n[4], (off_t)step->n[1]));
}

struct fl_actor_result fl_actor_op_sendfile(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	off_t offset = (off_t)step->n[2];

	return fl_actor_called(
		sendfile(fl_actor_fd(self, step->n[0]), fl_actor_fd(self, step->n[1]), &offset, step->n[3]));
}

struct fl_actor_result fl_actor_op_copy_range(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	off_t to = (off_t)step->n[1], from = (off_t)step->n[3];

	return fl_actor_called(copy_file_range(fl_actor_fd(self, step->n[2]), &from, fl_actor_fd(self, step->n[0]), &to,
					       step->n[4], 0));
}

struct fl_actor_result fl_actor_op_fsync(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return fl_actor_called(fsync(fl_actor_fd(self, step->n[0])));
}

struct fl_actor_result fl_actor_op_ftruncate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return fl_actor_called(ftruncate(fl_actor_fd(self, step->n[0]), (off_t)step->n[1]));
}

struct fl_actor_result fl_actor_op_fallocate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return fl_actor_called(
		fallocate(fl_actor_fd(self, step->n[0]), (int)step->n[3], (off_t)step->n[1], (off_t)step->n[2]));
}

struct fl_actor_result fl_actor_op_truncate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	(void)self;
	return fl_actor_called(truncate(step->text, (off_t)step->n[0]));
}

struct fl_actor_result fl_actor_op_stat(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct stat st;

	(void)self;
	return fl_actor_called(stat(step->text, &st) ? -1 : (int64_t)st.st_size);
}

struct fl_actor_result fl_actor_op_unlink(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	(void)self;
	return fl_actor_called(unlink(step->text));
}

struct fl_actor_result fl_actor_op_rename(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	(void)self;
	return fl_actor_called(rename(step->text, step->text + strlen(step->text) + 1));
}

/* ---- programs ----------------------------------------------------------------------------- */

/* The child has this process's memory until it is another program. 0, or errno of what it could not do. */
static int start_program(char *const *argv, pid_t *pid)
{
	volatile int error = 0;

	*pid = vfork();
	if (*pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		error = errno;
		_exit(127);
	}
	return *pid < 0 ? errno : error;
}

struct program {
	pid_t pid;
	int status;
};

static bool program_has_ended(void *arg)
{
	struct program *program = arg;

	return waitpid(program->pid, &program->status, WNOHANG) != 0;
}

struct fl_actor_result fl_actor_op_run(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	char *argv[ARGS_MAX + 1] = {NULL};
	struct program program = {0};
	const char *word = step->text;
	int error;

	for (uint32_t i = 0; i < step->texts && i < ARGS_MAX; i++, word += strlen(word) + 1)
		argv[i] = (char *)(uintptr_t)word;
	error = start_program(argv, &program.pid);
	if (error && program.pid > 0)
		waitpid(program.pid, NULL, 0);
	if (error)
		return (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)error};
	if (!fl_actor_wait(self, program_has_ended, &program)) {
		kill(program.pid, SIGKILL);
		return (struct fl_actor_result){.kind = FL_SCN_LATE};
	}
	if (WIFSIGNALED(program.status))
		return (struct fl_actor_result){.kind = FL_SCN_KILLED, .value = (uint64_t)WTERMSIG(program.status)};
	return fl_actor_did((uint64_t)WEXITSTATUS(program.status));
}
