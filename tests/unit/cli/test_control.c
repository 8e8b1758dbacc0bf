/* SPDX-License-Identifier: Apache-2.0 */
/* Control sockets: the server with a guest that is none, the client, and the directory they meet in. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/box_terminal.h"
#include "cli/control_client.h"
#include "cli/control_request.h"
#include "cli/diag.h"
#include "cli/ps.h"
#include "cli/runtime_dir.h"

#define PATIENCE_MS 5000

struct fixture {
	char dir[64];
	int dir_fd;
	struct fl_cli_ring console, faults_text, faults_json;
	struct fl_cli_control *control;
	atomic_int pauses, resumes;
	atomic_int stop_timeout_s; /* -1: not asked */
	atomic_uint size;	   /* rows << 16 | columns */
	bool refuses;
};

static int describe(void *arg, enum fl_cli_control_what what, bool json, FILE *out, struct fl_diag *diag)
{
	const struct fixture *fixture = arg;

	if (fixture->refuses)
		return fl_cli_diag(diag, -EIO, "Not today.");
	fprintf(out, "%s %d\n", json ? "json" : "text", (int)what);
	return 0;
}

static int pause_it(void *arg, struct fl_diag *diag)
{
	struct fixture *fixture = arg;

	if (fixture->refuses)
		return fl_cli_diag(diag, -EIO, "Not today.");
	atomic_fetch_add(&fixture->pauses, 1);
	return 0;
}

static int resume_it(void *arg, struct fl_diag *diag)
{
	struct fixture *fixture = arg;

	(void)diag;
	atomic_fetch_add(&fixture->resumes, 1);
	return 0;
}

static void stop_it(void *arg, uint32_t timeout_s)
{
	struct fixture *fixture = arg;

	atomic_store(&fixture->stop_timeout_s, (int)timeout_s);
}

static int resize_it(void *arg, uint16_t rows, uint16_t columns, struct fl_diag *diag)
{
	struct fixture *fixture = arg;

	if (fixture->refuses)
		return fl_cli_diag(diag, -ENOTTY, "Not today.");
	atomic_store(&fixture->size, (unsigned int)rows << 16 | columns);
	return 0;
}

static int open_server(struct fixture *fixture, const char *name, struct fl_diag *diag)
{
	struct fl_cli_control_ops ops = {
		.describe = describe,
		.pause = pause_it,
		.resume = resume_it,
		.stop = stop_it,
		.resize = resize_it,
		.arg = fixture,
		.console = &fixture->console,
		.faults_text = &fixture->faults_text,
		.faults_json = &fixture->faults_json,
	};

	return fl_cli_control_open(name, &ops, &fixture->control, diag);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct fl_diag diag;

	assert_non_null(fixture);
	strcpy(fixture->dir, "/tmp/faultline-control.XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	setenv("XDG_RUNTIME_DIR", fixture->dir, 1);
	atomic_init(&fixture->stop_timeout_s, -1);
	fl_cli_ring_init(&fixture->console, 1024, false);
	fl_cli_ring_init(&fixture->faults_text, 1024, true);
	fl_cli_ring_init(&fixture->faults_json, 1024, true);
	assert_int_equal(open_server(fixture, "one", &diag), 0);
	fixture->dir_fd = fl_cli_open_runtime_dir(false, &diag);
	assert_true(fixture->dir_fd >= 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char path[96];

	fl_cli_control_close(fixture->control, 100);
	fl_cli_ring_fini(&fixture->console);
	fl_cli_ring_fini(&fixture->faults_text);
	fl_cli_ring_fini(&fixture->faults_json);
	assert_int_equal(unlinkat(fixture->dir_fd, ".lock", 0), 0);
	close(fixture->dir_fd);
	snprintf(path, sizeof(path), "%s/faultline", fixture->dir);
	/* nothing else is left there */
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(fixture->dir), 0);
	free(fixture);
	return 0;
}

/* What follows "ok", or the sentence of an error. */
static void ask(struct fixture *fixture, const char *request, int expected, const char *text)
{
	struct fl_diag diag = {0};
	char got[4096] = "";
	FILE *reply;
	int ret = fl_cli_ask(fixture->dir_fd, "one", request, PATIENCE_MS, &reply, &diag);

	if (ret != expected)
		fail_msg("%s: %d, \"%s\"", request, ret, diag.text);
	if (ret == 0) {
		got[fread(got, 1, sizeof(got) - 1, reply)] = '\0';
		fclose(reply);
	} else {
		strcpy(got, diag.text);
	}
	if (!strstr(got, text) || (ret == 0 && strcmp(got, text) != 0))
		fail_msg("%s: \"%s\"", request, got);
}

static void requests_are_answered(void **state)
{
	struct fixture *fixture = *state;

	ask(fixture, "ps text", 0, "text 0\n");
	ask(fixture, "status json", 0, "json 1\n");
	ask(fixture, "inspect text", 0, "text 2\n");
	ask(fixture, "pause", 0, "");
	ask(fixture, "resume", 0, "");
	assert_int_equal(atomic_load(&fixture->pauses), 1);
	assert_int_equal(atomic_load(&fixture->resumes), 1);
	ask(fixture, "terminal 65535 80", 0, "");
	assert_int_equal(atomic_load(&fixture->size), 65535u << 16 | 80);
	ask(fixture, "terminal 0 0", 0, "");
	assert_int_equal(atomic_load(&fixture->size), 0);
	fixture->refuses = true;
	ask(fixture, "status text", -EREMOTEIO, "Not today.");
	ask(fixture, "pause", -EREMOTEIO, "Not today.");
	ask(fixture, "terminal 1 1", -EREMOTEIO, "Not today.");
}

static void unknown_requests_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "nonsense",
					  "ps",
					  "ps xml",
					  "ps text more",
					  "pause now",
					  "terminal",
					  "terminal 50",
					  "terminal 50 132 1",
					  "terminal 65536 1",
					  "terminal 1 65536",
					  "terminal -1 1",
					  "stop",
					  "stop -1",
					  "stop 86401",
					  "stop 1 2",
					  "ps  text",
					  " ps text",
					  "console json",
					  "faults",
					  "faults text f",
					  "status text follow",
					  "a b c d e"};
	char long_one[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ask(*state, bad[i], -EREMOTEIO, "request");
	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	ask(*state, long_one, -EREMOTEIO, "too long");
}

static void what_came_is_shown(void **state)
{
	struct fixture *fixture = *state;

	fl_cli_ring_put(&fixture->console, "boot\n", 5);
	fl_cli_ring_put(&fixture->faults_text, "fault 1\n", 8);
	fl_cli_ring_put(&fixture->faults_json, "{}\n", 3);
	ask(fixture, "console", 0, "boot\n");
	ask(fixture, "faults text", 0, "fault 1\n");
	ask(fixture, "faults json", 0, "{}\n");
}

/* Bytes that come while a client follows reach it, and the guest's end is the end. */
static void followers_get_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct fl_diag diag;
	char got[64] = "";
	FILE *reply;

	fl_cli_ring_put(&fixture->console, "one ", 4);
	assert_int_equal(fl_cli_ask(fixture->dir_fd, "one", "console follow", PATIENCE_MS, &reply, &diag), 0);
	assert_int_equal(fread(got, 1, 4, reply), 4);
	assert_string_equal(got, "one ");
	fl_cli_ring_put(&fixture->console, "two ", 4);
	assert_int_equal(fread(got, 1, 4, reply), 4);
	assert_string_equal(got, "two ");
	fl_cli_ring_put(&fixture->console, "three", 5);
	fl_cli_control_close(fixture->control, PATIENCE_MS);
	fixture->control = NULL;
	got[fread(got, 1, sizeof(got) - 1, reply)] = '\0';
	assert_string_equal(got, "three");
	fclose(reply);
}

/* Much more than a socket holds, to a client that reads late: the rest of it, and the server is not held up. */
static void a_slow_follower_holds_up_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct fl_diag diag;
	char block[1024];
	FILE *reply;

	memset(block, 'x', sizeof(block));
	assert_int_equal(fl_cli_ask(fixture->dir_fd, "one", "console follow", PATIENCE_MS, &reply, &diag), 0);
	for (unsigned int i = 0; i < 4096; i++)
		fl_cli_ring_put(&fixture->console, block, sizeof(block));
	ask(fixture, "status text", 0, "text 1\n");
	fclose(reply);
}

/* As socat does at the end of its input: it has said all, and listens on. The server's thread then waits, and does not
 * spin. */
static void who_shuts_its_side_is_answered(void **state)
{
	static const char request[] = "console follow\n";
	struct fixture *fixture = *state;
	clockid_t clock;
	struct timespec before, after;
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	char got[8] = "";
	int fd = fl_cli_connect(fixture->dir_fd, "one");

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	assert_int_equal(recv(fd, got, 3, MSG_WAITALL), 3);
	assert_string_equal(got, "ok\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(clock_getcpuclockid(getpid(), &clock), 0);
	assert_int_equal(clock_gettime(clock, &before), 0);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	assert_int_equal(clock_gettime(clock, &after), 0);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec < 100000000);
	fl_cli_ring_put(&fixture->console, "later", 5);
	assert_int_equal(recv(fd, got, 5, MSG_WAITALL), 5);
	assert_string_equal(got, "later");
	close(fd);
}

static void *close_soon(void *arg)
{
	struct fixture *fixture = arg;

	while (atomic_load(&fixture->stop_timeout_s) < 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	fl_cli_control_close(fixture->control, PATIENCE_MS);
	fixture->control = NULL;
	return NULL;
}

static void stop_is_answered_at_the_end(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, close_soon, fixture), 0);
	ask(fixture, "stop 7", 0, "");
	assert_int_equal(atomic_load(&fixture->stop_timeout_s), 7);
	pthread_join(thread, NULL);
	ask(fixture, "status text", -ENOENT, "No guest with the name one");
}

static void clients_that_say_nothing_have_few_places(void **state)
{
	struct fixture *fixture = *state;
	int fds[FL_CLI_CONTROL_CLIENTS_MAX];
	struct fl_diag diag;
	FILE *reply;

	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
		fds[i] = fl_cli_connect(fixture->dir_fd, "one");
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(fl_cli_ask(fixture->dir_fd, "one", "status text", PATIENCE_MS, &reply, &diag), -EREMOTEIO);
	assert_non_null(strstr(diag.text, "no room"));
	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	/* the server hears of that in its own time */
	for (int tries = 0; tries < 1000; tries++) {
		if (fl_cli_ask(fixture->dir_fd, "one", "status text", PATIENCE_MS, &reply, &diag) == 0) {
			fclose(reply);
			return;
		}
	}
	fail_msg("%s", diag.text);
}

static void names_are_taken_once(void **state)
{
	struct fixture *fixture = *state;
	struct fl_cli_control *first = fixture->control;
	struct fl_diag diag = {0};

	assert_int_equal(open_server(fixture, "one", &diag), -EADDRINUSE);
	assert_non_null(strstr(diag.text, "--name"));
	fixture->control = first;
	ask(fixture, "status text", 0, "text 1\n");
}

static void the_socket_is_the_users_alone(void **state)
{
	struct fixture *fixture = *state;
	struct stat st;

	assert_int_equal(fstat(fixture->dir_fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(fixture->dir_fd, "one.sock", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* A socket that nobody listens to, as a launcher leaves it that was killed. */
static void leave_socket(const struct fixture *fixture, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s.sock", fixture->dir_fd, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void what_is_left_over_is_removed(void **state)
{
	struct fixture *fixture = *state;
	struct fl_cli_control *first = fixture->control;
	struct fl_diag diag;
	struct stat st;

	leave_socket(fixture, "old");
	assert_int_equal(fl_cli_connect(fixture->dir_fd, "old"), -ENOENT);
	assert_int_equal(fstatat(fixture->dir_fd, "old.sock", &st, 0), -1);
	/* and its name can be taken */
	leave_socket(fixture, "old");
	assert_int_equal(open_server(fixture, "old", &diag), 0);
	fl_cli_control_close(fixture->control, 0);
	fixture->control = first;
}

static void foreign_directories_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct fl_diag diag;

	assert_int_equal(fchmod(fixture->dir_fd, 0770), 0);
	assert_int_equal(fl_cli_open_runtime_dir(true, &diag), -EPERM);
	assert_non_null(strstr(diag.text, "XDG_RUNTIME_DIR"));
	assert_int_equal(fchmod(fixture->dir_fd, 0700), 0);
}

static char *list(struct fixture *fixture, bool json)
{
	struct fl_diag diag;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(fl_cli_ps(fixture->dir_fd, json, out, &diag), 0);
	fclose(out);
	return text;
}

static void all_are_listed(void **state)
{
	struct fixture *fixture = *state;
	struct fl_cli_control *first = fixture->control, *second;
	struct fl_diag diag;

	assert_int_equal(open_server(fixture, "two", &diag), 0);
	second = fixture->control;
	leave_socket(fixture, "old");
	char *json = list(fixture, true);

	assert_string_equal(json, "[json 0,\n json 0]\n");
	free(json);
	fl_cli_control_close(second, 0);
	fixture->control = first;
	char *text = list(fixture, false);

	assert_non_null(strstr(text, "NAME"));
	assert_non_null(strstr(text, "text 0\n"));
	free(text);
}

static void columns_are_aligned(void **state)
{
	char *rows[] = {(char[]){"NAME\tPID\tCOMMAND"}, (char[]){"a\t12345\tls -l"}, (char[]){"longer\t?"}};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fl_cli_print_columns(rows, 3, out);
	fclose(out);
	assert_string_equal(text, "NAME    PID    COMMAND\n"
				  "a       12345  ls -l\n"
				  "longer  ?\n");
	free(text);
}

/* Until it is there: the limit is the test's. */
static void wait_for_size(struct fixture *fixture, unsigned int rows, unsigned int columns)
{
	while (atomic_load(&fixture->size) != (rows << 16 | columns))
		usleep(1000);
}

static void be_launcher_of_a_box(void)
{
	char shell[] = "/bin/sh", option[] = "-c", script[] = "echo \"$FAULTLINE_TERMINAL\"; read line";
	char *const command[] = {shell, option, script, NULL};
	struct fl_diag diag;
	int status = 99;

	_exit(fl_cli_run_box_at_terminal(command, "one", &status, &diag) == 0 ? status : 98);
}

/* What the terminal shows, up to a newline. */
static void read_line_of(int terminal, char line[32])
{
	size_t used = 0;

	while (used < 31 && read(terminal, line + used, 1) == 1 && line[used] != '\n')
		used++;
	line[used] = '\0';
}

static void a_box_hears_of_each_size_of_its_terminal(void **state)
{
	struct fixture *fixture = *state;
	struct winsize size = {.ws_row = 25, .ws_col = 80};
	int terminal, wait_status;
	char line[32];
	pid_t launcher = forkpty(&terminal, NULL, NULL, &size);

	assert_true(launcher >= 0);
	if (launcher == 0)
		be_launcher_of_a_box();
	read_line_of(terminal, line);
	assert_string_equal(line, "25x80");
	for (unsigned short rows = 50; rows <= 52; rows++) {
		size = (struct winsize){.ws_row = rows, .ws_col = 132};
		assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
		wait_for_size(fixture, rows, 132);
	}
	assert_int_equal(write(terminal, "\n", 1), 1);
	assert_int_equal(waitpid(launcher, &wait_status, 0), launcher);
	assert_int_equal(wait_status, 0);
	close(terminal);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(requests_are_answered, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_box_hears_of_each_size_of_its_terminal, set_up, tear_down),
	cmocka_unit_test_setup_teardown(unknown_requests_are_refused, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_came_is_shown, set_up, tear_down),
	cmocka_unit_test_setup_teardown(followers_get_the_rest, set_up, tear_down),
	cmocka_unit_test_setup_teardown(a_slow_follower_holds_up_nobody, set_up, tear_down),
	cmocka_unit_test_setup_teardown(who_shuts_its_side_is_answered, set_up, tear_down),
	cmocka_unit_test_setup_teardown(stop_is_answered_at_the_end, set_up, tear_down),
	cmocka_unit_test_setup_teardown(clients_that_say_nothing_have_few_places, set_up, tear_down),
	cmocka_unit_test_setup_teardown(names_are_taken_once, set_up, tear_down),
	cmocka_unit_test_setup_teardown(the_socket_is_the_users_alone, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_is_left_over_is_removed, set_up, tear_down),
	cmocka_unit_test_setup_teardown(foreign_directories_are_refused, set_up, tear_down),
	cmocka_unit_test_setup_teardown(all_are_listed, set_up, tear_down),
	cmocka_unit_test(columns_are_aligned),
};
FL_TEST_MAIN(20, tests)
