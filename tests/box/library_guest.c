/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/box/library_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 60000

static void log_line(void *arg, enum fl_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	printf("# %s\n", text);
}

static void find_kernel(struct library_guest *guest, const struct bench *bench)
{
	const char *kernel = getenv("FAULTLINE_KERNEL");

	if (kernel)
		snprintf(guest->kernel, sizeof(guest->kernel), "%s", kernel);
	else
		snprintf(guest->kernel, sizeof(guest->kernel), "%.*s/guest-kernel/bzImage",
			 (int)(strrchr(bench->launcher, '/') - bench->launcher), bench->launcher);
}

void library_guest_init_with(struct library_guest *guest, const struct bench *bench, const struct fl_vm_opts *opts)
{
	struct fl_vm_opts all = opts ? *opts : (struct fl_vm_opts)FL_VM_OPTS_INIT;
	struct fl_diag diag = {0};

	*guest = (struct library_guest){.root = FL_SHARE_OPTS_INIT, .command = FL_COMMAND_INIT};
	find_kernel(guest, bench);
	all.kernel = guest->kernel;
	all.ram_len = UINT64_C(512) << 20;
	all.log = log_line;
	all.params = *guest_parameters() ? guest_parameters() : NULL;
	if (fl_vm_new(&all, &guest->vm, &diag))
		fail_msg("%s", diag.text);
	guest->root.tag = "root";
	guest->root.dir = "/";
	guest->root.mount = "/";
	assert_int_equal(pipe2(guest->to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(guest->from, O_CLOEXEC), 0);
}

void library_guest_init(struct library_guest *guest, const struct bench *bench)
{
	library_guest_init_with(guest, bench, NULL);
}

void library_guest_start(struct library_guest *guest, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct fl_diag diag = {0};
	int ret = fl_vm_add_share(guest->vm, &guest->root, &diag);

	guest->command.argv = argv;
	guest->command.stdin_fd = guest->to[0];
	guest->command.stdout_fd = guest->command.stderr_fd = guest->from[1];
	if (!ret)
		ret = fl_vm_set_command(guest->vm, &guest->command, &diag);
	if (!ret)
		ret = fl_vm_start(guest->vm, &diag);
	if (ret)
		fail_msg("%s", diag.text);
}

void library_guest_say(const struct library_guest *guest, const char *text)
{
	assert_int_equal(write(guest->to[1], text, strlen(text)), strlen(text));
}

static bool read_more(struct library_guest *guest)
{
	struct pollfd pollfd = {.fd = guest->from[0], .events = POLLIN};
	size_t room = sizeof(guest->text) - 1 - guest->text_len;

	if (!room || poll(&pollfd, 1, PATIENCE_MS) <= 0)
		return false;
	ssize_t n = read(guest->from[0], guest->text + guest->text_len, room);

	if (n > 0)
		guest->text_len += (size_t)n;
	guest->text[guest->text_len] = '\0';
	return n > 0;
}

void library_guest_expect(struct library_guest *guest, const char *text)
{
	const char *found;

	while (!(found = strstr(guest->text, text)))
		if (!read_more(guest)) {
			(void)library_guest_wait(guest); /* says why, perhaps */
			fail_msg("the guest said \"%s\" instead of \"%s\"", guest->text, text);
		}
	size_t taken = (size_t)(found - guest->text) + strlen(text);

	guest->text_len -= taken;
	memmove(guest->text, guest->text + taken, guest->text_len + 1);
}

enum fl_end library_guest_wait(struct library_guest *guest)
{
	guest->result = (struct fl_result){.size = sizeof(guest->result)};
	if (fl_vm_wait(guest->vm, PATIENCE_MS, &guest->result))
		return FL_END_NONE;
	if (guest->result.text[0])
		printf("# %s\n", guest->result.text);
	return guest->result.end;
}

void library_guest_fini(struct library_guest *guest)
{
	fl_vm_free(guest->vm);
	for (int i = 0; i < 2; i++) {
		close(guest->to[i]);
		close(guest->from[i]);
	}
}
