/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher from outside: exit status, streams, errors, signals. Every case boots a guest.
 *
 * usage: box_launch LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/box/guest_run.h"

#define STREAM_LEN (1u << 20)

static void run_shell(const struct bench *bench, const char *script, struct transcript *guest)
{
	const char *const argv[] = {bench->launcher, "run", "--timeout", guest_time_limit_s(), "--", "sh", "-c",
				    script,	     NULL};

	run_command(bench, argv, guest);
}

static void assert_status(const struct transcript *guest, int status)
{
	if (guest->status != status)
		show("guest", guest);
	assert_int_equal(guest->status, status);
}

static void output_status_and_silence(void **state)
{
	struct transcript guest;

	run_shell(*state, "echo out; echo err >&2; exit 42", &guest);
	assert_status(&guest, 42);
	assert_string_equal(guest.out, "out\n");
	/* nothing of the boot is to be seen */
	assert_string_equal(guest.err, "err\n");
	transcript_free(&guest);
}

/* Three GiB below the devices, two above, of which the kernel takes its own first. */
static void memory_goes_on_above_the_devices(void **state)
{
	const struct bench *bench = *state;
	const char *const argv[] = {
		bench->launcher,
		"run",
		"--timeout",
		guest_time_limit_s(),
		"-m",
		"5G",
		"--",
		"sh",
		"-c",
		"awk '/MemTotal/ { print ($2 > 4.5 * 1024 * 1024) }' /proc/meminfo; grep 100000000- /proc/iomem; "
		"head -c 64M /dev/zero | tr '\\0' x > /tmp/file; tr -d x < /tmp/file | wc -c; wc -c < /tmp/file",
		NULL,
	};
	struct transcript guest;

	run_command(bench, argv, &guest);
	assert_status(&guest, 0);
	assert_string_equal(guest.out, "1\n100000000-17fffffff : System RAM\n0\n67108864\n");
	transcript_free(&guest);
}

static void a_signal_is_128_and_its_number(void **state)
{
	struct transcript guest;

	run_shell(*state, "kill -SEGV $$", &guest);
	assert_status(&guest, 128 + SIGSEGV);
	transcript_free(&guest);
}

static void what_a_command_finds(void **state)
{
	const struct bench *bench = *state;
	const char *const argv[] = {bench->launcher,
				    "run",
				    "--timeout",
				    guest_time_limit_s(),
				    "--env",
				    "A=b c",
				    "--cwd",
				    "/usr",
				    "--",
				    "sh",
				    "-c",
				    "echo $A; pwd; echo $PATH; touch /tmp/x /run/x /dev/shm/x && "
				    "echo writable; touch /usr/x; nproc; id -u",
				    NULL};
	struct transcript guest;

	run_command(bench, argv, &guest);
	assert_status(&guest, 0);
	assert_string_equal(guest.out, "b c\n/usr\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
				       "writable\n1\n0\n");
	assert_non_null(strstr(guest.err, "Read-only file system"));
	transcript_free(&guest);
}

/* What the guest knows of the root share's directories is looked up anew after a second. */
static void mounts_stay_where_they_are(void **state)
{
	struct transcript guest;

	run_shell(*state,
		  "for i in 1 2 3; do sleep 2; touch /tmp/$i /run/$i /dev/shm/$i; test -e /proc/self -a -d /sys/class; "
		  "done; ls /tmp /run/? /dev/shm | tr '\\n' ' '",
		  &guest);
	assert_status(&guest, 0);
	assert_string_equal(guest.out, "/run/1 /run/2 /run/3  /dev/shm: 1 2 3  /tmp: 1 2 3 ");
	transcript_free(&guest);
}

static void a_command_that_is_not_there_is_127(void **state)
{
	const struct bench *bench = *state;
	const char *const argv[] = {bench->launcher, "run", "--", "no-such-command", NULL};
	struct transcript guest;

	run_command(bench, argv, &guest);
	assert_status(&guest, 127);
	assert_non_null(strstr(guest.err, "no-such-command"));
	transcript_free(&guest);
}

static void a_missing_mount_point_is_125_and_named(void **state)
{
	const struct bench *bench = *state;
	const char *const argv[] = {bench->launcher, "run", "--rodir", "/no/such/place=/usr", "--", "true", NULL};
	struct transcript guest;

	run_command(bench, argv, &guest);
	assert_status(&guest, 125);
	assert_non_null(strstr(guest.err, "/no/such/place"));
	transcript_free(&guest);
}

static uint8_t stream_byte(size_t i)
{
	return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16));
}

static int stream_file(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	static uint8_t bytes[STREAM_LEN];

	for (size_t i = 0; i < STREAM_LEN; i++)
		bytes[i] = stream_byte(i);
	assert_int_equal(write(fd, bytes, STREAM_LEN), STREAM_LEN);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Starts the launcher with these descriptors; the caller closes them. */
static pid_t start(const struct bench *bench, int in, int out, const char *script)
{
	pid_t pid = fork();

	if (pid == 0) {
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		execl(bench->launcher, "faultline", "run", "-p", guest_parameters(), "--timeout", guest_time_limit_s(),
		      "--", "sh", "-c", script, NULL);
		_exit(127);
	}
	return pid;
}

static void binary_streams_go_through_whole(void **state)
{
	static uint8_t bytes[STREAM_LEN + 10];
	int in = stream_file();
	int out = memfd_create("out", MFD_CLOEXEC);
	int wait_status = -1;
	pid_t pid = start(*state, in, out, "cat; echo end");

	waitpid(pid, &wait_status, 0);
	assert_int_equal(wait_status, 0);
	assert_int_equal(pread(out, bytes, sizeof(bytes), 0), STREAM_LEN + 4);
	for (size_t i = 0; i < STREAM_LEN; i++)
		assert_int_equal(bytes[i], stream_byte(i));
	assert_memory_equal(bytes + STREAM_LEN, "end\n", 4);
	close(in);
	close(out);
}

/* Reads until the guest's command has said that it runs. */
static void wait_for_running(int out)
{
	char byte = 0;

	while (byte != '\n')
		assert_int_equal(read(out, &byte, 1), 1);
}

static void a_signal_stops_the_guest(void **state)
{
	int out[2];
	int wait_status = -1;
	char byte;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = start(*state, STDIN_FILENO, out[1], "echo running; sleep 1000");

	close(out[1]);
	wait_for_running(out[0]);
	kill(pid, SIGTERM);
	waitpid(pid, &wait_status, 0);
	assert_true(WIFEXITED(wait_status));
	assert_int_equal(WEXITSTATUS(wait_status), 128 + SIGTERM);
	/* and nothing is left that could hold the pipe open */
	assert_int_equal(read(out[0], &byte, 1), 0);
	close(out[0]);
}

static void a_reader_that_goes_away_ends_the_writer(void **state)
{
	int out[2];
	int wait_status = -1;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = start(*state, STDIN_FILENO, out[1], "echo running; exec yes");

	close(out[1]);
	wait_for_running(out[0]);
	close(out[0]);
	waitpid(pid, &wait_status, 0);
	assert_true(WIFEXITED(wait_status));
	assert_int_equal(WEXITSTATUS(wait_status), 128 + SIGPIPE);
}

static void the_time_limit_is_124(void **state)
{
	const struct bench *bench = *state;
	const char *const argv[] = {bench->launcher, "run", "--timeout", "1", "--", "sleep", "1000", NULL};
	struct transcript guest;

	run_command(bench, argv, &guest);
	assert_status(&guest, 124);
	assert_non_null(strstr(guest.err, "time limit"));
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(output_status_and_silence),
	cmocka_unit_test(memory_goes_on_above_the_devices),
	cmocka_unit_test(a_signal_is_128_and_its_number),
	cmocka_unit_test(what_a_command_finds),
	cmocka_unit_test(mounts_stay_where_they_are),
	cmocka_unit_test(a_command_that_is_not_there_is_127),
	cmocka_unit_test(a_missing_mount_point_is_125_and_named),
	cmocka_unit_test(binary_streams_go_through_whole),
	cmocka_unit_test(a_signal_stops_the_guest),
	cmocka_unit_test(a_reader_that_goes_away_ends_the_writer),
	cmocka_unit_test(the_time_limit_is_124),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
