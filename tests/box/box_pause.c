/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux guest that copies files and computes is paused and resumed all the time, by the public header: what it
 * copies is right, all that it says arrives, and its kernel takes no pause for a lockup.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "faultline/faultline.h"
#include "tests/box/guest_run.h"

#define FILE_WORDS     (1u << 18)
#define NUMBERS	       1000u /* lines after each copy */
#define SHORT_PAUSES   200u
#define LONG_PAUSES    2u
#define LONG_S	       6u /* longer than the detector's patience, 2 * watchdog_thresh */
#define RESULT_WAIT_MS 60000
#define CONSOLE_LEN    65536u

/* Until there is a file "end". The detector of lockups is made impatient before that. */
static const char script[] = "echo 1 > /proc/sys/kernel/watchdog_thresh\n"
			     "(while :; do :; done) & busy=$!\n"
			     "n=0\n"
			     "while [ ! -e /tmp/data/end ]; do\n"
			     "	cp /tmp/data/in /tmp/data/out\n"
			     "	echo sum $(sha256sum < /tmp/data/out)\n"
			     "	seq $((n * 1000)) $((n * 1000 + 999))\n"
			     "	n=$((n + 1))\n"
			     "done\n"
			     "kill $busy\n"
			     "dmesg | grep -E 'soft lockup|stall'\n"
			     "echo copies $n\n";

struct rig {
	const struct bench *bench;
	struct fl_vm *vm;
	int out;
	char sum[80];
	char console[CONSOLE_LEN]; /* vCPU threads, one at a time; ours when the VM has ended */
	size_t console_len;
};

static void take_console(void *arg, const void *bytes, size_t len)
{
	struct rig *rig = arg;
	size_t room = CONSOLE_LEN - 1 - rig->console_len;

	len = len < room ? len : room;
	memcpy(rig->console + rig->console_len, bytes, len);
	rig->console_len += len;
}

static void make_data(struct rig *rig)
{
	char path[PATH_MAX + 16], command[PATH_MAX + 64];
	FILE *file, *sum;

	snprintf(path, sizeof(path), "%s/in", rig->bench->data);
	file = fopen(path, "we");
	assert_non_null(file);
	for (uint32_t i = 0; i < FILE_WORDS; i++) {
		uint32_t word = i * 2654435761u;

		assert_int_equal(fwrite(&word, sizeof(word), 1, file), 1);
	}
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command), "sha256sum < %s", path);
	sum = popen(command, "re");
	assert_non_null(sum);
	assert_int_equal(fscanf(sum, "%79s", rig->sum), 1);
	assert_int_equal(pclose(sum), 0);
}

static void add_share(struct rig *rig, const char *tag, const char *dir, const char *mount, uint32_t flags)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.tag = tag;
	opts.dir = dir;
	opts.mount = mount;
	opts.flags = flags;
	opts.window_len = UINT64_C(64) << 20;
	if (fl_vm_add_share(rig->vm, &opts, &diag))
		fail_msg("%s", diag.text);
}

static void start_guest(struct rig *rig, char kernel[PATH_MAX + 32])
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_command command = FL_COMMAND_INIT;
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct fl_diag diag = {0};

	opts.flags = FL_VM_IDLES_POLITELY;
	opts.ram_len = UINT64_C(256) << 20;
	opts.vcpus = 2;
	opts.kernel = kernel;
	opts.params = guest_parameters();
	opts.console = take_console;
	opts.arg = rig;
	if (fl_vm_new(&opts, &rig->vm, &diag))
		fail_msg("%s", diag.text);
	add_share(rig, "root", "/", "/", 0);
	add_share(rig, "data", rig->bench->data, "/tmp/data", FL_SHARE_WRITABLE);
	command.argv = argv;
	command.stdout_fd = command.stderr_fd = rig->out;
	if (fl_vm_set_command(rig->vm, &command, &diag) || fl_vm_start(rig->vm, &diag))
		fail_msg("%s", diag.text);
}

static void sleep_ms(unsigned int ms)
{
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
}

static off_t output_len(const struct rig *rig)
{
	struct stat st;

	assert_int_equal(fstat(rig->out, &st), 0);
	return st.st_size;
}

/* The test's own time limit ends it if nothing comes. */
static void wait_for_output(const struct rig *rig)
{
	off_t len = output_len(rig);

	while (output_len(rig) == len)
		sleep_ms(20);
}

/* What was on its way when it was paused may still come out of the console. */
static void pause_for(struct rig *rig, unsigned int ms)
{
	struct fl_vcpu_info before[2] = {{.size = sizeof(before[0])}, {.size = sizeof(before[0])}}, after;

	assert_int_equal(fl_vm_pause(rig->vm), 0);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(fl_vm_get_vcpu(rig->vm, i, &before[i]), 0);
	sleep_ms(ms);
	for (uint32_t i = 0; i < 2; i++) {
		after = (struct fl_vcpu_info){.size = sizeof(after)};
		assert_int_equal(fl_vm_get_vcpu(rig->vm, i, &after), 0);
		assert_int_equal(after.state, FL_VCPU_PAUSED);
		assert_int_equal(after.exits, before[i].exits);
	}
	assert_int_equal(fl_vm_resume(rig->vm), 0);
}

static void end_guest(struct rig *rig)
{
	struct fl_result result = {.size = sizeof(result)};
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/end", rig->bench->data);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fl_vm_wait(rig->vm, RESULT_WAIT_MS, &result), 0);
	if (result.end != FL_END_EXITED)
		printf("# %s\n# %s\n", result.text, rig->console);
	assert_int_equal(result.end, FL_END_EXITED);
	assert_int_equal(result.code, 0);
}

/* Every line there has to be, in order; returns how many copies were made. */
static unsigned int check_output(const struct rig *rig)
{
	char line[256], wanted[128];
	FILE *out = fdopen(dup(rig->out), "r");
	unsigned int copies = 0;

	assert_non_null(out);
	rewind(out);
	while (fgets(line, sizeof(line), out) && strncmp(line, "copies ", 7) != 0) {
		snprintf(wanted, sizeof(wanted), "sum %s -\n", rig->sum);
		assert_string_equal(line, wanted);
		for (unsigned int i = 0; i < NUMBERS; i++) {
			assert_non_null(fgets(line, sizeof(line), out));
			snprintf(wanted, sizeof(wanted), "%u\n", copies * NUMBERS + i);
			assert_string_equal(line, wanted);
		}
		copies++;
	}
	snprintf(wanted, sizeof(wanted), "copies %u\n", copies);
	assert_string_equal(line, wanted);
	assert_null(fgets(line, sizeof(line), out));
	fclose(out);
	return copies;
}

static void a_busy_guest_survives_pauses(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char kernel[PATH_MAX + 32];

	assert_non_null(rig);
	rig->bench = *state;
	rig->out = memfd_create("output", MFD_CLOEXEC);
	assert_true(rig->out >= 0);
	snprintf(kernel, sizeof(kernel), "%.*s/guest-kernel/bzImage",
		 (int)(strrchr(rig->bench->launcher, '/') - rig->bench->launcher), rig->bench->launcher);
	make_data(rig);
	start_guest(rig, kernel);
	wait_for_output(rig);
	for (unsigned int i = 0; i < SHORT_PAUSES; i++) {
		pause_for(rig, i % 5);
		sleep_ms(5 + i % 40);
	}
	for (unsigned int i = 0; i < LONG_PAUSES; i++) {
		pause_for(rig, LONG_S * 1000);
		wait_for_output(rig);
		sleep_ms(LONG_S * 500); /* as long as the detector needs to speak */
	}
	end_guest(rig);
	printf("# %u copies\n", check_output(rig));
	if (strstr(rig->console, "lockup") || strstr(rig->console, "stall"))
		fail_msg("the guest's kernel says:\n%s", rig->console);
	fl_vm_free(rig->vm);
	close(rig->out);
	free(rig);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(a_busy_guest_survives_pauses)};

	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
