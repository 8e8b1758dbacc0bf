/* SPDX-License-Identifier: Apache-2.0 */
/* What each step of an actor does, on this host's own kernel: what a signal says is what native Linux says. */
#include "actor_play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LEN 65536u
#define CUT 12288u /* where the file is cut */
#define RW  (FL_SCN_O_READ | FL_SCN_O_WRITE)
#define RWX (FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_EXEC)
enum { MAPPED, CUT_DONE };

/* The first six steps of an actor: the file is handle 0 and mapping 0, memory of its own is mapping 1. */
/* clang-format off */
#define OPEN_AND_MAP(path)                                                                                  \
	{.op = FL_SCN_OP_OPEN, .n = {0, RW}, .words = {path}},                                              \
	{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, LEN, RWX}},                                                    \
	{.op = FL_SCN_OP_MAP, .n = {1, 0, 0, LEN, FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_PRIVATE}}, \
	{.op = FL_SCN_OP_FILL, .n = {1, 0, CUT, 0x5a}},                                                     \
	{.op = FL_SCN_OP_MARK, .n = {MAPPED}},                                                              \
	{.op = FL_SCN_OP_WAIT, .n = {CUT_DONE}}
/* clang-format on */
#define FIRST	 6u
#define MAP_STEP 1u

static void run_with_cut(struct play *play, const struct play_actor *actor)
{
	play_make_file(play, LEN);
	play_load(play, actor);
	play_start(play);
	play_wait_mark(play, MAPPED);
	assert_int_equal(truncate(play->path, CUT), 0);
	play_set_mark(play, CUT_DONE);
	play_until_done(play);
}

static void a_lost_page_is_an_exact_address(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {.steps = {
						 OPEN_AND_MAP(play->path),
						 {.op = FL_SCN_OP_READ, .n = {0, CUT, 1}},
						 {.op = FL_SCN_OP_READ, .n = {0, CUT + 2, 2}},
						 {.op = FL_SCN_OP_READ, .n = {0, CUT + 4, 4}},
						 {.op = FL_SCN_OP_READ, .n = {0, CUT + 4096 + 8, 8}},
						 {.op = FL_SCN_OP_WRITE, .n = {0, CUT + 1, 1, 1}},
						 {.op = FL_SCN_OP_WRITE, .n = {0, CUT + 2, 2, 1}},
						 {.op = FL_SCN_OP_WRITE, .n = {0, CUT + 4, 4, 1}},
						 {.op = FL_SCN_OP_WRITE, .n = {0, LEN - 8, 8, 1}},
						 {.op = FL_SCN_OP_VECTOR, .n = {0, CUT + 16}},
						 {.op = FL_SCN_OP_ATOMIC, .n = {0, CUT + 1, 1}},
						 {.op = FL_SCN_OP_ATOMIC, .n = {0, CUT + 2, 2}},
						 {.op = FL_SCN_OP_ATOMIC, .n = {0, CUT + 4, 4}},
						 {.op = FL_SCN_OP_ATOMIC, .n = {0, CUT + 8, 8}},
						 {.op = FL_SCN_OP_EXEC, .n = {0, CUT + 32}},
						 {.op = FL_SCN_OP_TOUCH, .n = {0, 4096, LEN - 4096}},
						 {.op = FL_SCN_OP_TOUCH, .n = {0, 100, LEN - 100, 8192}},
						 {.op = FL_SCN_OP_CHECK, .n = {0, 0, LEN, FL_SCN_CONTENT_PATTERN, 0}},
						 {.op = FL_SCN_OP_FILL, .n = {0, CUT - 64, 128, 0}},
						 {.op = FL_SCN_OP_COPY, .n = {1, 0, 0, CUT, 64}},
						 {.op = FL_SCN_OP_STRING, .n = {1, 0, 0, CUT - 5, 64}},
						 {.op = FL_SCN_OP_STRING, .n = {0, CUT - 7, 1, 0, 64}},
						 /* what is whole is read as before */
						 {.op = FL_SCN_OP_READ, .n = {0, CUT - 8, 8}},
					 }};
	static const uint32_t at[] = {CUT,     CUT + 2,	 CUT + 4, CUT + 4104, CUT + 1, CUT + 2, CUT + 4,
				      LEN - 8, CUT + 16, CUT + 1, CUT + 2,    CUT + 4, CUT + 8, CUT + 32,
				      CUT,     16484,	 CUT,	  CUT,	      CUT,     CUT,	CUT};
	const uint32_t count = sizeof(at) / sizeof(at[0]);

	run_with_cut(play, &actor);
	for (uint32_t i = 0; i < count; i++)
		play_assert_lost(play, 0, FIRST + i, MAP_STEP, at[i]);
	/* the fill's zeros up to the end; the first string took five of them, the second put those and what follows
	 * there */
	play_assert_did(play, 0, FIRST + count, UINT64_C(0x5a5a000000000000));
	assert_int_equal(play->heard[0].end.signal, 0);
	assert_int_equal(play->heard[0].end.next_step, FIRST + count + 1);
}

static void system_calls_say_errors(void **state)
{
	struct play *play = *state;
	char nothing[80];

	snprintf(nothing, sizeof(nothing), "%s/nothing", play->dir);
	const struct play_actor actor = {.steps = {
						 OPEN_AND_MAP(play->path),
						 {.op = FL_SCN_OP_READ_TO, .n = {0, 0, 0, CUT, 512}},
						 {.op = FL_SCN_OP_WRITE_FROM, .n = {0, 0, 0, CUT, 512}},
						 {.op = FL_SCN_OP_FUTEX, .n = {0, CUT}},
						 {.op = FL_SCN_OP_MLOCK, .n = {0, CUT, 4096}},
						 {.op = FL_SCN_OP_MADVISE, .n = {0, CUT, 4096, MADV_POPULATE_READ}},
						 {.op = FL_SCN_OP_MSYNC, .n = {0, 1, 4096}},
						 {.op = FL_SCN_OP_OPEN, .n = {1, FL_SCN_O_READ}, .words = {nothing}},
						 {.op = FL_SCN_OP_STAT, .n = {0}, .words = {nothing}},
						 {.op = FL_SCN_OP_UNLINK, .n = {0}, .words = {nothing}},
						 {.op = FL_SCN_OP_RENAME, .n = {0}, .words = {nothing, nothing}},
						 {.op = FL_SCN_OP_TRUNCATE, .n = {1}, .words = {nothing}},
						 {.op = FL_SCN_OP_RUN, .n = {0}, .words = {nothing}},
						 {.op = FL_SCN_OP_PREAD, .n = {5, 0, 1}},
						 {.op = FL_SCN_OP_CLOSE, .n = {5}},
						 {.op = FL_SCN_OP_FALLOCATE, .n = {0, 0, 0, 0}},
						 {.op = FL_SCN_OP_FUTEX, .n = {0, 0}}, /* a page that is there */
					 }};
	/* futex(2), mlock(2), madvise(2), msync(2), and the rest of the manual */
	static const int errors[] = {EFAULT, EFAULT, EFAULT, ENOMEM, EFAULT, EINVAL, ENOENT, ENOENT,
				     ENOENT, ENOENT, ENOENT, ENOENT, EBADF,  EBADF,  EINVAL, EAGAIN};

	run_with_cut(play, &actor);
	for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		play_assert_error(play, 0, FIRST + i, errors[i]);
}

/* splice(2), vmsplice(2) and io_uring(7): up to the lost page, and EFAULT where nothing is before it */
static void pipes_and_rings_say_how_far_they_came(void **state)
{
	struct play *play = *state;
	char other[80], nobody[80];

	snprintf(other, sizeof(other), "%s/other", play->dir);
	snprintf(nobody, sizeof(nobody), "%s/nobody", play->dir);
	const struct play_actor actor = {
		.steps = {
			OPEN_AND_MAP(play->path),
			{.op = FL_SCN_OP_OPEN, .n = {1, RW | FL_SCN_O_CREATE}, .words = {other}},
			{.op = FL_SCN_OP_SPLICE, .n = {1, 0, 0, 4096, LEN}},
			{.op = FL_SCN_OP_SPLICE, .n = {1, 0, 0, LEN, 4096}}, /* behind the end */
			{.op = FL_SCN_OP_VMSPLICE, .n = {1, 8192, 0, 8000, LEN - 8000}},
			{.op = FL_SCN_OP_URING_WRITE_FROM, .n = {1, 20000, 0, CUT - 100, 4096}},
			{.op = FL_SCN_OP_URING_READ_TO, .n = {1, 0, 0, CUT - 100, 4096}},
			{.op = FL_SCN_OP_MAP, .n = {2, 1, 0, LEN, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_CHECK, .n = {2, 0, 8192, FL_SCN_CONTENT_PATTERN, 4096}},
			{.op = FL_SCN_OP_CHECK, .n = {2, 8192, CUT - 8000, FL_SCN_CONTENT_PATTERN, 8000}},
			{.op = FL_SCN_OP_CHECK, .n = {2, 20000, 100, FL_SCN_CONTENT_PATTERN, CUT - 100}},
			{.op = FL_SCN_OP_CHECK, .n = {0, CUT - 100, 100, FL_SCN_CONTENT_PATTERN, 4096}},
			{.op = FL_SCN_OP_VMSPLICE, .n = {1, 0, 0, CUT, 4096}},
			{.op = FL_SCN_OP_URING_WRITE_FROM, .n = {1, 0, 0, CUT, 4096}},
			{.op = FL_SCN_OP_URING_READ_TO, .n = {1, 0, 0, CUT, 4096}},
			{.op = FL_SCN_OP_SPLICE, .n = {9, 0, 0, 0, 4096}},
			{.op = FL_SCN_OP_SPLICE, .n = {1, 0, 9, 0, 4096}},
			{.op = FL_SCN_OP_VMSPLICE, .n = {9, 0, 0, 0, 4096}},
			{.op = FL_SCN_OP_URING_READ_TO, .n = {9, 0, 0, 0, 4096}},
		}};
	static const uint64_t values[] = {0, 8192, 0, CUT - 8000, 100, 100, 0, 8192, CUT - 8000, 100, 100};
	static const int errors[] = {EFAULT, EFAULT, EFAULT, EBADF, EBADF, EBADF, EBADF};
	const uint32_t done = sizeof(values) / sizeof(values[0]);

	run_with_cut(play, &actor);
	for (uint32_t i = 0; i < done; i++)
		if (actor.steps[FIRST + i].op != FL_SCN_OP_MAP)
			play_assert_did(play, 0, FIRST + i, values[i]);
	for (uint32_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		play_assert_error(play, 0, FIRST + done + i, errors[i]);
}

static void assert_signal_at(struct play *play, uint32_t step, int signal, int code, uint64_t offset)
{
	const struct fl_scn_wire_outcome *outcome = play_only(play, 0, step);

	assert_int_equal(outcome->kind, FL_SCN_SIGNAL);
	assert_int_equal(outcome->value, signal);
	assert_int_equal(outcome->code, code);
	assert_int_equal(outcome->map, 0);
	assert_int_equal(outcome->offset, offset);
}

/* mprotect(2), munmap(2), mremap(2) */
static void mappings_are_changed(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {
			OPEN_AND_MAP(play->path),
			{.op = FL_SCN_OP_MPROTECT, .n = {0, 0, 4096, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_WRITE, .n = {0, 8, 8, 1}},
			{.op = FL_SCN_OP_MPROTECT, .n = {0, 0, 4096, 0}},
			{.op = FL_SCN_OP_READ, .n = {0, 16, 8}},
			{.op = FL_SCN_OP_MPROTECT, .n = {0, 0, 4096, FL_SCN_MAP_READ | FL_SCN_MAP_WRITE}},
			{.op = FL_SCN_OP_WRITE, .n = {0, 8, 8, 4711}},
			{.op = FL_SCN_OP_REMAP, .n = {0}},
			{.op = FL_SCN_OP_READ, .n = {0, 8, 8}},
			{.op = FL_SCN_OP_READ, .n = {0, CUT + 8, 8}},
			{.op = FL_SCN_OP_UNMAP_PART, .n = {0, 4096, 4096}},
			{.op = FL_SCN_OP_READ, .n = {0, 4096 + 24, 8}},
			{.op = FL_SCN_OP_READ, .n = {0, 8, 8}},
			{.op = FL_SCN_OP_READ, .n = {0, 8192, 8}},
			{.op = FL_SCN_OP_MPROTECT, .n = {0, 1, 4096, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_UNMAP_PART, .n = {0, 1, 4096}},
			{.op = FL_SCN_OP_REMAP, .n = {7}},
			{.op = FL_SCN_OP_UNMAP_PART, .n = {0, 0, LEN + 4096}},
		}};

	run_with_cut(play, &actor);
	assert_signal_at(play, FIRST + 1, SIGSEGV, SEGV_ACCERR, 8);
	assert_signal_at(play, FIRST + 3, SIGSEGV, SEGV_ACCERR, 16);
	play_assert_did(play, 0, FIRST + 7, 4711);
	assert_signal_at(play, FIRST + 8, SIGBUS, BUS_ADRERR, CUT + 8);
	/* it is somewhere else now */
	assert_int_not_equal(play_only(play, 0, FIRST + 8)->addr, play_only(play, 0, MAP_STEP)->value + CUT + 8);
	assert_signal_at(play, FIRST + 10, SIGSEGV, SEGV_MAPERR, 4096 + 24);
	play_assert_did(play, 0, FIRST + 11, 4711);
	play_assert_did(play, 0, FIRST + 12, fl_scn_pattern(8192));
	play_assert_error(play, 0, FIRST + 13, EINVAL);
	play_assert_error(play, 0, FIRST + 14, EINVAL);
	assert_int_equal(play_only(play, 0, FIRST + 15)->kind, FL_SCN_CANNOT);
	assert_int_equal(play_only(play, 0, FIRST + 16)->kind, FL_SCN_CANNOT);
}

static void files_are_read_and_written(void **state)
{
	struct play *play = *state;
	char other[80], third[80];
	struct stat st;

	snprintf(other, sizeof(other), "%s/other", play->dir);
	snprintf(third, sizeof(third), "%s/third", play->dir);
	const struct play_actor actor = {
		.steps = {
			{.op = FL_SCN_OP_OPEN, .n = {0, RW | FL_SCN_O_CREATE}, .words = {play->path}},
			{.op = FL_SCN_OP_PWRITE, .n = {0, 0, 5}},
			{.op = FL_SCN_OP_PWRITE, .n = {0, 5, 8187}}, /* of no aligned offset */
			{.op = FL_SCN_OP_STAT, .n = {0}, .words = {play->path}},
			{.op = FL_SCN_OP_PREAD, .n = {0, 8000, 4096}},
			{.op = FL_SCN_OP_MAP,
			 .n = {3, 0, 0, 8192, FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_POPULATE}},
			{.op = FL_SCN_OP_CHECK, .n = {3, 0, 8192, FL_SCN_CONTENT_PATTERN, 0}},
			{.op = FL_SCN_OP_OPEN, .n = {1, RW | FL_SCN_O_CREATE}, .words = {other}},
			{.op = FL_SCN_OP_SENDFILE, .n = {1, 0, 4096, 4096}},
			{.op = FL_SCN_OP_COPY_RANGE, .n = {1, 4096, 0, 0, 4096}},
			{.op = FL_SCN_OP_FTRUNCATE, .n = {1, 12288}},
			{.op = FL_SCN_OP_FALLOCATE, .n = {1, 0, 4096, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE}},
			{.op = FL_SCN_OP_MAP, .n = {4, 1, 4096, 8192, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_CHECK, .n = {4, 0, 4096, FL_SCN_CONTENT_PATTERN, 0}},
			{.op = FL_SCN_OP_CHECK, .n = {4, 4096, 4096, FL_SCN_CONTENT_ZEROS, 0}},
			{.op = FL_SCN_OP_CHECK, .n = {4, 0, 8192, FL_SCN_CONTENT_PATTERN, 0}}, /* up to the hole */
			{.op = FL_SCN_OP_MSYNC, .n = {3, 0, 8192}},
			{.op = FL_SCN_OP_FSYNC, .n = {1}},
			{.op = FL_SCN_OP_UNMAP, .n = {4}},
			{.op = FL_SCN_OP_CLOSE, .n = {1}},
			{.op = FL_SCN_OP_RENAME, .n = {0}, .words = {other, third}},
			{.op = FL_SCN_OP_TRUNCATE, .n = {5}, .words = {third}},
			{.op = FL_SCN_OP_STAT, .n = {0}, .words = {third}},
			{.op = FL_SCN_OP_UNLINK, .n = {0}, .words = {third}},
			{.op = FL_SCN_OP_READ, .n = {3, 8, 8}},
			{.op = FL_SCN_OP_READ, .n = {3, 9, 2}},
			{.op = FL_SCN_OP_WRITE, .n = {3, 8, 4, 0x1122334455667788}},
			{.op = FL_SCN_OP_ATOMIC, .n = {3, 8, 4}},
			{.op = FL_SCN_OP_READ, .n = {3, 8, 4}},
			{.op = FL_SCN_OP_VECTOR, .n = {3, 1}},
			{.op = FL_SCN_OP_TOUCH, .n = {3, 1, 8191}},
			{.op = FL_SCN_OP_MADVISE, .n = {3, 0, 4096, MADV_WILLNEED}},
		}};
	uint64_t second = fl_scn_pattern(8);
	const uint64_t values[] = {
		0,    5,	  8187,	      8192, 192, 0, 8192, 0, 4096, 4096, 0, 0,	    0,
		4096, 4096,	  4096,	      0,    0,	 0, 0,	  0, 0,	   5,	 0, second, (second >> 8) & 0xffff,
		0,    0x55667788, 0x55667789, 0,    0,	 0};

	play_load(play, &actor);
	play_start(play);
	play_until_done(play);
	for (uint32_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (actor.steps[i].op == FL_SCN_OP_MAP)
			assert_int_equal(play_only(play, 0, i)->kind, FL_SCN_DID);
		else
			play_assert_did(play, 0, i, values[i]);
	}
	assert_int_equal(stat(third, &st), -1);
}

/* mov $n, %eax; ret */
static void make_code(const struct play *play)
{
	int fd = open(play->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	for (uint8_t n = 0; n < 16; n++) {
		const uint8_t function[16] = {0xb8, n, 0x12, 0, 0, 0xc3};

		assert_int_equal(write(fd, function, sizeof(function)), sizeof(function));
	}
	close(fd);
}

static void code_is_called(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {
			{.op = FL_SCN_OP_OPEN, .n = {0, FL_SCN_O_READ}, .words = {play->path}},
			{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, 4096, FL_SCN_MAP_READ | FL_SCN_MAP_EXEC}},
			{.op = FL_SCN_OP_EXEC, .n = {0, 0x70}},
			{.op = FL_SCN_OP_MAP, .n = {1, 0, 0, 4096, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_EXEC, .n = {1, 0x70}},
			{.op = FL_SCN_OP_WRITE, .n = {0, 8, 8, 1}},
		}};
	const struct fl_scn_wire_outcome *outcome;

	make_code(play);
	play_load(play, &actor);
	play_start(play);
	play_until_done(play);
	play_assert_did(play, 0, 2, 0x1207);
	/* not executable, and not writable: SEGV_ACCERR at the address */
	for (uint32_t step = 4; step <= 5; step++) {
		outcome = play_only(play, 0, step);
		assert_int_equal(outcome->kind, FL_SCN_SIGNAL);
		assert_int_equal(outcome->value, SIGSEGV);
		assert_int_equal(outcome->code, SEGV_ACCERR);
	}
	assert_int_equal(play_only(play, 0, 4)->addr, play_only(play, 0, 3)->value + 0x70);
	assert_int_equal(play_only(play, 0, 5)->addr, play_only(play, 0, 1)->value + 8);
	assert_int_equal(play_only(play, 0, 4)->map, 1);
}

static void programs_are_run(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {
			{.op = FL_SCN_OP_RUN, .n = {0}, .words = {"sh", "-c", "exit 3"}},
			{.op = FL_SCN_OP_RUN, .n = {0}, .words = {"/bin/sh", "-c", "kill -9 $$"}},
			{.op = FL_SCN_OP_SAY, .n = {0}, .words = {"after"}},
		}};

	play_load(play, &actor);
	play_start(play);
	play_until_done(play);
	play_assert_did(play, 0, 0, 3);
	assert_int_equal(play_only(play, 0, 1)->kind, FL_SCN_KILLED);
	assert_int_equal(play_only(play, 0, 1)->value, SIGKILL);
	assert_string_equal(play->said, "0:after\n");
}

/* A step that the checks of a scenario's text should have refused: the actor's own memory is never touched. */
static void what_is_not_there_cannot_be_used(void **state)
{
	struct play *play = *state;
	const struct play_actor actor = {
		.steps = {
			{.op = FL_SCN_OP_OPEN, .n = {0, RW | FL_SCN_O_CREATE}, .words = {play->path}},
			{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, 5000, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_READ, .n = {0, 8185, 8}},
			{.op = FL_SCN_OP_READ, .n = {7, 0, 8}},
			{.op = FL_SCN_OP_OPEN, .n = {0, RW}, .words = {play->path}},
			{.op = FL_SCN_OP_MAP, .n = {0, 0, 0, 4096, FL_SCN_MAP_READ}},
			{.op = FL_SCN_OP_COPY, .n = {0, 0, 7, 0, 1}},
			{.op = FL_SCN_OP_PREAD, .n = {0, 0, UINT64_C(1) << 40}},
			{.op = FL_SCN_OP_UNMAP, .n = {3}},
		}};
	static const int errors[] = {0, 0, EINVAL, EBADF, EEXIST, EEXIST, EBADF, ENOMEM, EBADF};

	play_load(play, &actor);
	play_start(play);
	play_until_done(play);
	for (uint32_t i = 2; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(play_only(play, 0, i)->kind, FL_SCN_CANNOT);
		assert_int_equal(play_only(play, 0, i)->value, errors[i]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_lost_page_is_an_exact_address, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(system_calls_say_errors, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(pipes_and_rings_say_how_far_they_came, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(mappings_are_changed, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(files_are_read_and_written, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(code_is_called, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(programs_are_run, play_setup, play_teardown),
	cmocka_unit_test_setup_teardown(what_is_not_there_cannot_be_used, play_setup, play_teardown),
};
FL_TEST_MAIN(60, tests)
