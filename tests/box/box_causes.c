/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything but truncation that can be wrong with a page of a host file, under a Linux guest: no space, I/O errors,
 * failed memory. As in box_dax.c the same program runs on this host first, on the same file system in the same
 * trouble, and the guest must see the same. The file systems are mounted where nobody else sees them.
 *
 * usage: box_causes LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/box/guest_dax.h"
#include "tests/box/host_trouble.h"

#define EARLY_KILL "/proc/sys/vm/memory_failure_early_kill"

/* ---- no space: a tmpfs of its own --------------------------------------------------------- */

static long long serve_space(void *arg, const char *request, int fd, uint64_t number)
{
	const struct trouble *trouble = arg;

	(void)fd;
	(void)number;
	if (strcmp(request, "fill") == 0)
		bad_host_fill(trouble->dir);
	else if (strcmp(request, "free") == 0)
		bad_host_free_space(trouble->dir);
	else
		return -1;
	return 0;
}

static void make_sparse(const struct trouble *trouble)
{
	(void)unlinkat(trouble->dir, "sparse", 0);
	close(bad_host_file(trouble->dir, "sparse", BAD_OFFSET, BAD_PAGES * PAGE));
}

/* What "as on bare metal" means here: mmap(2) and write(2). */
static void assert_no_space(const struct transcript *seen)
{
	assert_line(seen, "case full load: SIGBUS BUS_ADRERR at +123\n");
	assert_line(seen, "case full store: SIGBUS BUS_ADRERR at +4103\n");
	assert_line(seen, "case full atomic_add: SIGBUS BUS_ADRERR at +8256\n");
	assert_line(seen, "case full string_from: SIGBUS BUS_ADRERR at +0\n");
	assert_line(seen, "case full pread: 100, 0 not zero\n");
	assert_line(seen, "case full pread across: 200\n");
	assert_line(seen, "case full pwrite: -28\n");
	assert_line(seen, "case full from memory: -14\n");
	assert_line(seen, "case still full load: SIGBUS BUS_ADRERR at +123\n");
	assert_line(seen, "case free load: no signal\n");
	assert_line(seen, "case free store: no signal\n");
	assert_line(seen, "case free pwrite: 100\n");
	assert_line(seen, "case free from memory: 100\n");
	assert_line(seen, "case sum: 1\n");
}

static void no_space(void **state, const char *mode)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--fault-mode", mode, "--events", trouble->events, NULL};
	struct transcript native, guest;

	mount_small_tmpfs(trouble);
	trouble->bench.serve = serve_space;
	make_sparse(trouble);
	run_on_host(&trouble->bench, "no_space", &native);
	assert_no_space(&native);
	make_sparse(trouble);
	run_in_guest(&trouble->bench, options, "no_space", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_same_lines(native.out, guest.out);
	assert_reported(trouble, "no-space", 4, "sparse", BAD_OFFSET + PAGE + 7);
	transcript_free(&native);
	transcript_free(&guest);
	unmount_tmpfs(trouble);
	free(trouble);
}

static void a_hole_on_a_full_disk(void **state)
{
	no_space(state, "strict");
}

static void a_hole_on_a_full_disk_in_watch_mode(void **state)
{
	no_space(state, "watch");
}

/*
 * arch/x86/kernel/traps.c, exc_segment_not_present(): SIGBUS without an address, or the exception table's fix-up. After
 * that the guest's file system asks the host as ever; it does not need the record.
 */
static void a_hole_without_records(void **state)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--unpatched", "--events", trouble->events, NULL};
	struct transcript guest;

	mount_small_tmpfs(trouble);
	trouble->bench.serve = serve_space;
	make_sparse(trouble);
	run_in_guest(&trouble->bench, options, "no_space", &guest);
	assert_line(&guest, "case full load: SIGBUS SI_KERNEL, address 0\n");
	assert_line(&guest, "case full store: SIGBUS SI_KERNEL, address 0\n");
	assert_line(&guest, "case full pread: 100, 0 not zero\n");
	assert_line(&guest, "case full pwrite: -28\n");
	assert_line(&guest, "case full from memory: -14\n");
	assert_line(&guest, "case free load: no signal\n");
	assert_line(&guest, "case sum: 1\n");
	assert_int_equal(guest.status, 0);
	assert_reported(trouble, "no-space", 4, "sparse", BAD_OFFSET + PAGE + 7);
	transcript_free(&guest);
	unmount_tmpfs(trouble);
	free(trouble);
}

/* ---- I/O errors: a FUSE file system of ours ----------------------------------------------- */

static long long serve_errors(void *arg, const char *request, int fd, uint64_t number)
{
	const struct trouble *trouble = arg;
	unsigned int failures = (unsigned int)(number % PAGE);

	(void)fd;
	if (strcmp(request, "break") == 0)
		bad_fuse_break_for(trouble->fuse, number - failures, BAD_PAGES * PAGE, EIO, failures);
	else if (strcmp(request, "grow_at") == 0)
		bad_fuse_grow_at(trouble->fuse, (unsigned int)number);
	else if (strcmp(request, "heal") == 0)
		bad_fuse_break(trouble->fuse, 0, 0, 0);
	else
		return -1;
	return 0;
}

/* With a counter of 0 at byte 64 of each page; nothing of it is in the page cache. */
static void mount_fuse(struct trouble *trouble)
{
	struct bad_fuse *fuse = bad_fuse_new();

	pthread_mutex_lock(&fuse->lock);
	for (size_t page = 0; page < BAD_FILE_LEN; page += PAGE)
		memset(fuse->bytes + page + COUNTER_OFFSET, 0, 4);
	pthread_mutex_unlock(&fuse->lock);
	snprintf(trouble->bench.data, sizeof(trouble->bench.data), "%s", fuse->mount);
	trouble->fuse = fuse;
	trouble->bench.serve = serve_errors;
}

static void assert_io_error(const struct transcript *seen)
{
	assert_line(seen, "case broken load: SIGBUS BUS_ADRERR at +123\n");
	assert_line(seen, "case broken store: SIGBUS BUS_ADRERR at +4103\n");
	assert_line(seen, "case broken atomic_add: SIGBUS BUS_ADRERR at +8256\n");
	assert_line(seen, "case broken string_from: SIGBUS BUS_ADRERR at +0\n");
	assert_line(seen, "case broken pread: -5, 0 not zero\n");
	assert_line(seen, "case broken pread across: 100\n");
	assert_line(seen, "case broken from memory: -14\n");
	assert_line(seen, "case still broken load: SIGBUS BUS_ADRERR at +123\n");
	assert_line(seen, "case healed load: no signal\n");
	assert_line(seen, "case healed pread across: 200\n");
	assert_line(seen, "case healed from memory: 100\n");
	assert_line(seen, "case sum: 1\n");
}

static void io_error(void **state, const char *mode)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--fault-mode", mode, "--events", trouble->events, NULL};
	struct transcript native, guest;

	mount_fuse(trouble);
	run_on_host(&trouble->bench, "io_error", &native);
	assert_io_error(&native);
	/* the same again: another file system, whose pages were never read */
	bad_fuse_free(trouble->fuse);
	mount_fuse(trouble);
	run_in_guest(&trouble->bench, options, "io_error", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_same_lines(native.out, guest.out);
	assert_reported(trouble, "io-error", 4, "file", BAD_OFFSET + PAGE + 7);
	transcript_free(&native);
	transcript_free(&guest);
	bad_fuse_free(trouble->fuse);
	free(trouble);
}

static void a_page_that_cannot_be_read(void **state)
{
	io_error(state, "strict");
}

static void a_page_that_cannot_be_read_in_watch_mode(void **state)
{
	io_error(state, "watch");
}

static void assert_repaired(const struct transcript *guest)
{
	unsigned int pages = REPAIRED_LOOKS_MAX;
	char line[64];

	assert_line(guest, "case failures 1: no signal\n");
	assert_line(guest, "case looks 1: no signal\n");
	for (unsigned int failures = 1; failures <= REPAIRED_FAILURES_MAX; failures *= 2, pages++) {
		snprintf(line, sizeof(line), "case counter %u: 1\n", failures);
		assert_line(guest, line);
	}
	for (unsigned int looks = 1; looks <= REPAIRED_LOOKS_MAX; looks++) {
		snprintf(line, sizeof(line), "case looked counter %u: 1, size %u\n", looks, (unsigned int)BAD_FILE_LEN);
		assert_line(guest, line);
	}
	assert_int_equal(
		lines_with(guest->out, ": no signal\n") + lines_with(guest->out, ": SIGBUS BUS_ADRERR at +0\n"), pages);
}

/*
 * A host file that is repaired before the host asks what is wrong, between its questions, when the guest asks, or
 * later: it can be read again, or is long again. The host asks at least once before it tells the guest, so what is
 * right by then is never seen there. In any case the instruction is executed once or not at all.
 */
static void repaired(void **state, const char *mode)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--fault-mode", mode, "--events", trouble->events, NULL};
	struct transcript guest;

	mount_fuse(trouble);
	run_in_guest(&trouble->bench, options, "repaired", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_repaired(&guest);
	char *events = read_file(trouble->events);

	/* both were there: right again when it was looked at, and not yet */
	assert_true(lines_with(events, "\"cause\":\"none\",\"outcome\":\"retried\"") >= 1);
	assert_true(lines_with(events, "\"cause\":\"truncated\",\"outcome\":\"record\"") >= 1);
	/* in watch mode KVM tries again so often by itself that it does not get to this */
	if (strcmp(mode, "strict") == 0)
		assert_true(lines_with(events, "\"cause\":\"io-error\",\"outcome\":\"record\"") >= 1);
	free(events);
	transcript_free(&guest);
	bad_fuse_free(trouble->fuse);
	free(trouble);
}

static void a_file_repaired_in_the_middle(void **state)
{
	repaired(state, "strict");
}

static void a_file_repaired_in_the_middle_in_watch_mode(void **state)
{
	repaired(state, "watch");
}

/* ---- memory that fails ---------------------------------------------------------------------- */

static bool set_early_kill(bool on)
{
	int fd = open(EARLY_KILL, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Whoever poisons is signalled by force (memory_failure(), kill_procs()), so a process of its own does it. */
static long long serve_poison(void *arg, const char *request, int fd, uint64_t number)
{
	int status;

	(void)arg;
	if (strcmp(request, "poison") != 0)
		return -1;
	pid_t child = fork();

	if (child == 0) {
		const struct rlimit no_core = {0};
		void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)number);

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGBUS, SIG_DFL);
		if (page == MAP_FAILED || madvise(page, PAGE, MADV_POPULATE_WRITE) < 0)
			_exit(3);
		_exit(madvise(page, PAGE, MADV_HWPOISON) < 0 ? 2 : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) || (WIFEXITED(status) && !WEXITSTATUS(status)) ? 0
														  : -1;
}

static void assert_memory_failure(const struct transcript *seen)
{
	assert_line(seen, "case load: SIGBUS BUS_MCEERR_AR at +4219\n");
	assert_line(seen, "case load again: SIGBUS BUS_MCEERR_AR at +4219\n");
	assert_line(seen, "case store: SIGBUS BUS_MCEERR_AR at +8199\n");
	assert_line(seen, "case string_from: SIGBUS BUS_MCEERR_AR at +4096\n");
	assert_line(seen, "case others: 0 words are wrong\n");
	assert_line(seen, "case mended load: no signal\n");
	assert_line(seen, "case mended store: no signal\n");
	assert_line(seen, "case mended bytes: 0 1\n");
}

/* The host kernel is told to kill early, which must not end the launcher. */
static void memory_failure(void **state, const char *mode)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--fault-mode", mode, "--events", trouble->events, NULL};
	struct transcript native, guest;

	if (!getenv("FAULTLINE_IN_BOX"))
		SKIP_FOR("poisons memory of the host for good, so it runs in the box only");
	trouble->bench.serve = serve_poison;
	run_on_host(&trouble->bench, "memory_failure", &native);
	assert_memory_failure(&native);
	assert_true(set_early_kill(true));
	run_in_guest(&trouble->bench, options, "memory_failure", &guest);
	assert_true(set_early_kill(false));
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_same_lines(native.out, guest.out);
	assert_reported(trouble, "memory-failure", 3, "failing", PAGE + 123);
	transcript_free(&native);
	transcript_free(&guest);
	free(trouble);
}

static void memory_that_failed(void **state)
{
	memory_failure(state, "strict");
}

static void memory_that_failed_in_watch_mode(void **state)
{
	memory_failure(state, "watch");
}

/* ---- not permitted -------------------------------------------------------------------------- */

static void make_pattern_file(const struct trouble *trouble)
{
	int fd = openat(trouble->dir, "read-only", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	for (size_t offset = 0; offset < FILE_PAGES * PAGE; offset += 8) {
		uint64_t word = pattern_word(offset);

		assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)offset), sizeof(word));
	}
	close(fd);
}

/* The guest's own kernel refuses a read-only share, as this one does a read-only mount: the host sees no fault. */
static void a_read_only_share(void **state)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--events", trouble->events, NULL};
	struct transcript native, guest;

	mount_small_tmpfs(trouble);
	make_pattern_file(trouble);
	assert_int_equal(mount(NULL, trouble->bench.data, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	run_on_host(&trouble->bench, "not_permitted", &native);
	assert_line(&native, "case open for writing: -30\n");
	assert_line(&native, "case map for writing: -13\n");
	assert_line(&native, "case mprotect: -13\n");
	assert_line(&native, "case load: no signal\n");
	assert_line(&native, "case store: SIGSEGV SEGV_ACCERR at +4103\n");
	/* the share alone must do it */
	assert_int_equal(mount(NULL, trouble->bench.data, NULL, MS_REMOUNT | MS_BIND, NULL), 0);
	trouble->bench.read_only = true;
	run_in_guest(&trouble->bench, options, "not_permitted", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_same_lines(native.out, guest.out);
	char *events = read_file(trouble->events);

	assert_int_equal(lines_with(events, "{\"event\":\"end\""), 1);
	assert_int_equal(lines_with(events, "{\"event\":\"fault\""), 0);
	free(events);
	transcript_free(&native);
	transcript_free(&guest);
	unmount_tmpfs(trouble);
	free(trouble);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_hole_on_a_full_disk),
	cmocka_unit_test(a_hole_on_a_full_disk_in_watch_mode),
	cmocka_unit_test(a_hole_without_records),
	cmocka_unit_test(a_page_that_cannot_be_read),
	cmocka_unit_test(a_page_that_cannot_be_read_in_watch_mode),
	cmocka_unit_test(a_file_repaired_in_the_middle),
	cmocka_unit_test(a_file_repaired_in_the_middle_in_watch_mode),
	cmocka_unit_test(memory_that_failed),
	cmocka_unit_test(memory_that_failed_in_watch_mode),
	cmocka_unit_test(a_read_only_share),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
