/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_start LAUNCHER PROBER [--rounds N]
 *
 * How long it takes from exec to the first instruction of a guest: the guest's first ones write a byte to its serial
 * port, which arrives here through a pipe. In each round, one after the other: a program that makes a VM with one vCPU
 * and 2 MiB of memory and does nothing else, which is what KVM itself takes on this host; a client of the library
 * with a machine as the launcher's, 1 GiB of memory and a share with a window of 512 MiB; the launcher with the same
 * share, and one that has to try what its host can do; and the first one once more, which shows what noise there is.
 * start_launcher.c has those that are measured where Linux guests do not run.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench/figures.h"
#include "bench/paired.h"
#include "faultline/faultline.h"
#include "fl_base.h"
#include "tests/kvm/vm_kernel.h"
#include "vmm/layout.h"

#define ROUNDS_MAX  ((unsigned int)PAIRED_ROUNDS_MAX)
#define BARE_LEN    FL_RANGE_LEN
#define TIME_MAX_MS 30000

enum subject { BARE, LIBRARY, LAUNCHER, PROBER, BARE_AGAIN, SUBJECTS };

/* In real mode: mov dx, 0x3f8; mov al, '\n'; out dx, al; hlt */
static const uint8_t bare_guest[] = {0xba, 0xf8, 0x03, 0xb0, '\n', 0xee, 0xf4};

/* In long mode the same, and then mov dword [0xd0000000], 0x5555, which powers off; hlt */
static const uint8_t guest[] = {0x66, 0xba, 0xf8, 0x03, 0xb0, '\n', 0xee, 0xb8, 0x00, 0x00, 0x00,
				0xd0, 0xc7, 0x00, 0x55, 0x55, 0x00, 0x00, 0xf4, 0xeb, 0xfd};

_Static_assert(FL_SERIAL_PORT == 0x3f8 && FL_SYSCON_GPA == 0xd0000000 && FL_POWEROFF_VALUE == 0x5555,
	       "what the guests' code says");

/* ---- the programs that are started ---------------------------------------------------------- */

static int be_bare(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	uint8_t *ram = mmap(NULL, BARE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {.memory_size = BARE_LEN, .userspace_addr = (uintptr_t)ram};
	struct kvm_regs regs = {.rflags = 2, .rip = 0};
	struct kvm_sregs sregs;

	if (kvm < 0 || vm < 0 || ram == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return 1;
	memcpy(ram, bare_guest, sizeof(bare_guest));
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *run =
		mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (vcpu < 0 || run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return 1;
	sregs.cs.base = sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 ||
	    ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_IO)
		return 1;
	return write(STDOUT_FILENO, "\n", 1) == 1 ? 0 : 1;
}

static void on_console(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	if (write(STDOUT_FILENO, bytes, len) < 0)
		_exit(1);
}

static int be_client(const char *kernel)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_share_opts share = FL_SHARE_OPTS_INIT;
	struct fl_result result = {.size = sizeof(result)};
	struct fl_diag diag = {0};
	struct fl_vm *vm = NULL;

	opts.kernel = kernel;
	opts.initrd = "/dev/null";
	opts.flags = FL_VM_IDLES_POLITELY;
	opts.console = on_console;
	share.tag = "root";
	share.dir = share.mount = "/";
	if (fl_vm_new(&opts, &vm, &diag) || fl_vm_add_share(vm, &share, &diag) || fl_vm_start(vm, &diag) ||
	    fl_vm_wait(vm, TIME_MAX_MS, &result) || result.end != FL_END_POWEROFF) {
		fprintf(stderr, "the VM did not run: %s\n", diag.text);
		return 1;
	}
	fl_vm_free(vm);
	return 0;
}

/* ---- the measuring -------------------------------------------------------------------------- */

/* From exec to the guest's byte, in ns; 0 if none came. */
static uint64_t time_to_guest(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	uint64_t began, took = 0;
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	began = fl_now_ns(CLOCK_MONOTONIC);
	bool started = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0;

	close(ends[1]);
	if (started && read(ends[0], &byte, 1) == 1 && byte == '\n')
		took = fl_now_ns(CLOCK_MONOTONIC) - began;
	if (started)
		waitpid(pid, &status, 0);
	close(ends[0]);
	posix_spawn_file_actions_destroy(&actions);
	return status == 0 ? took : 0;
}

struct bench {
	const char *argv[SUBJECTS][12];
	double ns[SUBJECTS][PAIRED_ROUNDS_MAX];
};

/* False, with a line about it, if one of them does not run. */
static bool measure(struct bench *bench, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int subject = 0; subject < SUBJECTS; subject++) {
			bench->ns[subject][i] = (double)time_to_guest(bench->argv[subject]);
			if (bench->ns[subject][i] > 0)
				continue;
			fprintf(stderr, "%s %s did not start a guest\n", bench->argv[subject][0],
				bench->argv[subject][1]);
			return false;
		}
	}
	return true;
}

static void print_subject(const char *name, struct bench *bench, enum subject subject, unsigned int rounds)
{
	double ns[PAIRED_ROUNDS_MAX];

	struct interval ratio = ratio_of(bench->ns[subject], bench->ns[BARE], rounds);

	memcpy(ns, bench->ns[subject], rounds * sizeof(*ns));
	struct interval time = interval_of(ns, rounds); /* sorts them */

	row(name, cell("%.2f", ns[0] / 1e6),
	    cell("%.2f (%.2f to %.2f)", time.mid / 1e6, time.low / 1e6, time.high / 1e6),
	    subject == BARE ? "1" : cell("%.2f (%.2f to %.2f)", ratio.mid, ratio.low, ratio.high), NULL);
}

#define RUN(program)                                                           \
	{                                                                      \
		program, "run", "--no-config", "-k", kernel, "-i", "/dev/null" \
	}

static int bench(const char *self, const char *launcher, const char *prober, unsigned int rounds)
{
	char kernel[VM_KERNEL_PATH_LEN], program[PATH_MAX], run_program[PATH_MAX], prober_program[PATH_MAX];
	struct bench *all = calloc(1, sizeof(*all));

	if (!all || !realpath(self, program) || !realpath(launcher, run_program) || !realpath(prober, prober_program))
		return 1;
	vm_kernel_write(kernel, guest, guest + sizeof(guest));
	const struct bench argv = {
		.argv =
			{
				[BARE] = {program, "--be-bare"},
				[LIBRARY] = {program, "--be-client", kernel},
				[LAUNCHER] = RUN(run_program),
				[PROBER] = RUN(prober_program),
				[BARE_AGAIN] = {program, "--be-bare"},
			},
	};

	*all = argv;
	bool ok = measure(all, 1) && measure(all, rounds); /* the first one finds the page cache cold */

	unlink(kernel);
	if (ok) {
		heading("exec to the guest's first byte", "least, ms", "median, ms (95 %)", "of KVM alone (95 %)",
			NULL);
		print_subject("KVM alone", all, BARE, rounds);
		print_subject("the library", all, LIBRARY, rounds);
		print_subject("faultline run", all, LAUNCHER, rounds);
		print_subject("faultline run, with a probe guest", all, PROBER, rounds);
		print_subject("KVM alone, again", all, BARE_AGAIN, rounds);
	}
	free(all);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--be-bare") == 0)
		return be_bare();
	if (argc == 3 && strcmp(argv[1], "--be-client") == 0)
		return be_client(argv[2]);
	unsigned int rounds = (unsigned int)option(argc, argv, "rounds", 40);

	if (argc < 3 || rounds < PAIRED_ROUNDS_MIN || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s LAUNCHER PROBER [--rounds N], N from %d to %u\n", argv[0], PAIRED_ROUNDS_MIN,
			ROUNDS_MAX);
		return 2;
	}
	alarm(600);
	return bench(argv[0], argv[1], argv[2], rounds);
}
