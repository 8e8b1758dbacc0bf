/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_life: a guest kernel that loses its pages while its CPUs, and the kernel itself, come and go. The same
 * directory of the host is mounted at A and at B: what is cut through B is cut by the host for who maps it through A.
 *
 * usage: guest_life A B cpus             CPU 1 goes offline and comes back
 *        guest_life A B kexec BZIMAGE    starts BZIMAGE, in which this program is the first process; see second_life()
 *        guest_life A B die CONTEXT      the kernel itself loses a page there, and has no way out:
 * /sys/kernel/debug/pvpf_test
 *
 * Says "case NAME: SIGBUS BUS_ADRERR at +OFFSET" for each access to a lost page, on standard output or, in the second
 * kernel, among its messages. OFFSET is LOST_OFFSET if the kernel had the host's record.
 */
#include "tests/box/guest_life.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	  4096
#define FILE_LEN  (4 * PAGE)
#define CPU1	  "/sys/devices/system/cpu/cpu1/online"
#define CPU_TURNS 3

static sigjmp_buf after_signal;
static siginfo_t caught;

void life_say(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* the second kernel has nobody who would read its standard output */
	int fd = getenv("SECOND_LIFE") ? open("/dev/kmsg", O_WRONLY | O_CLOEXEC) : dup(STDOUT_FILENO);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		exit(3);
	close(fd);
}

void life_end(const char *what)
{
	life_say("cannot %s: %s\n", what, strerror(errno));
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	exit(2);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	caught = *info;
	siglongjmp(after_signal, 1);
}

static volatile uint8_t *mapped_file(const char *path)
{
	static const uint8_t content[FILE_LEN] = {1};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, content, FILE_LEN) != FILE_LEN)
		life_end(path);
	volatile uint8_t *map = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		life_end("map the file");
	for (size_t offset = 0; offset < FILE_LEN; offset += PAGE)
		map[offset] = 2;
	close(fd);
	return map;
}

static void lose_a_page(const struct life *life, unsigned int cpu, const char *name)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	char path[256];
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
		life_end("run on that CPU");
	snprintf(path, sizeof(path), "%.100s/%.100s", life->a, name);
	volatile uint8_t *map = mapped_file(path);

	snprintf(path, sizeof(path), "%.100s/%.100s", life->b, name);
	if (truncate(path, PAGE) < 0)
		life_end("cut the file");
	sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(after_signal, 1) == 0) {
		(void)map[LOST_OFFSET];
		life_say("case %s: no signal\n", name);
		_exit(1);
	}
	life_say("case %s: SIGBUS %s at %+ld\n", name, caught.si_code == BUS_ADRERR ? "BUS_ADRERR" : "of another kind",
		 (long)((uintptr_t)caught.si_addr - (uintptr_t)map));
	_exit(0);
}

void life_lose_a_page(const struct life *life, unsigned int cpu, const char *name)
{
	pid_t pid = fork();

	if (pid < 0)
		life_end("fork");
	if (pid == 0)
		lose_a_page(life, cpu, name);
	waitpid(pid, NULL, 0);
}

static void switch_cpu1(const char *online)
{
	int fd = open(CPU1, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, online, 1) != 1)
		life_end("switch CPU 1");
	close(fd);
}

static void cpus_come_and_go(const struct life *life)
{
	for (unsigned int i = 0; i < CPU_TURNS; i++) {
		switch_cpu1("0");
		life_lose_a_page(life, 0, "beside");
		switch_cpu1("1");
		life_lose_a_page(life, 1, "back");
	}
}

/* In a process of its own, which the kernel ends if it can go on at all. */
static void kernel_loses_a_page(const struct life *life, const char *context)
{
	char path[256], request[128];

	snprintf(path, sizeof(path), "%.100s/dies", life->a);
	volatile uint8_t *map = mapped_file(path);

	snprintf(path, sizeof(path), "%.100s/dies", life->b);
	if (truncate(path, PAGE) < 0)
		life_end("cut the file");
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	int fd = open("/sys/kernel/debug/pvpf_test", O_WRONLY | O_CLOEXEC);
	int len = snprintf(request, sizeof(request), "%.20s plain %lx", context,
			   (unsigned long)(uintptr_t)(map + LOST_OFFSET));

	if (fd < 0)
		life_end("open /sys/kernel/debug/pvpf_test (CONFIG_PARAVIRT_FAULT_TEST)");
	if (write(fd, request, (size_t)len) != len)
		life_end("have the kernel touch the page");
	life_say("the kernel went on\n");
	_exit(0);
}

static void die(const struct life *life, const char *context)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		life_end("fork");
	if (pid == 0)
		kernel_loses_a_page(life, context);
	waitpid(pid, &status, 0);
	life_say("the process %s %d\n", WIFSIGNALED(status) ? "was ended by signal" : "ended with",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	/* whatever it held it holds for ever: nobody else is hit by that */
	life_lose_a_page(life, 1, "afterwards");
}

/* The first process of the second kernel, with nothing but itself in its file system. */
static int second_life(void)
{
	static const struct life life = {.a = "/tmp/a", .b = "/tmp/b"};
	static const char *const dirs[] = {"/proc", "/dev", "/sys", "/tmp", "/tmp/a", "/tmp/b"};

	setenv("SECOND_LIFE", "1", 1);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdir(dirs[i], 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY)
		reboot(RB_POWER_OFF);
	if (mount("share1", life.a, "virtiofs", 0, "dax=always") < 0 ||
	    mount("share2", life.b, "virtiofs", 0, "dax=always") < 0)
		life_end("mount the shares");
	life_lose_a_page(&life, 0, "second0");
	life_lose_a_page(&life, 1, "second1");
	life_say("the second kernel is done\n");
	reboot(RB_POWER_OFF);
	return 1;
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		return second_life();
	if (argc < 4)
		return 2;
	const struct life life = {.a = argv[1], .b = argv[2]};

	if (strcmp(argv[3], "cpus") == 0) {
		cpus_come_and_go(&life);
		return 0;
	}
	if (strcmp(argv[3], "kexec") == 0 && argc > 4) {
		life_lose_a_page(&life, 0, "first0");
		life_lose_a_page(&life, 1, "first1");
		life_load_kernel(argv[4]);
		sync();
		reboot(RB_KEXEC);
		life_end("start the second kernel");
	}
	if (strcmp(argv[3], "die") == 0 && argc > 4) {
		die(&life, argv[4]);
		return 0;
	}
	return 2;
}
