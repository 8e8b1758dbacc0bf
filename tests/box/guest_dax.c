/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/box/guest_dax.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A handler cannot be given an argument: what it fills belongs to the thread that it interrupts. */
static __thread struct {
	sigjmp_buf back;
	volatile bool armed;
	struct caught caught;
} guard;

static void __attribute__((noreturn)) give_up(const char *what, const char *name)
{
	fprintf(stderr, "guest_dax: %s %s: %s\n", what, name, strerror(errno));
	exit(99);
}

void say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		exit(98);
}

uint64_t ask(const char *request, const char *name, uint64_t number)
{
	char line[128];
	size_t used = 0;
	unsigned long long answer;

	say("do %s %s %llu", request, name, (unsigned long long)number);
	while (used < sizeof(line) - 1 && read(STDIN_FILENO, line + used, 1) == 1 && line[used] != '\n')
		used++;
	line[used] = '\0';
	if (sscanf(line, "ok %llu", &answer) != 1) {
		fprintf(stderr, "guest_dax: \"%s\" is no answer to %s %s\n", line, request, name);
		exit(97);
	}
	return answer;
}

struct test_file open_file(const char *name, size_t pages)
{
	struct test_file file = {.name = name, .len = pages * PAGE};
	uint64_t words[PAGE / 8];

	file.fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (file.fd < 0)
		give_up("open", name);
	for (size_t page = 0; page < pages; page++) {
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = pattern_word(page * PAGE + 8 * i);
		if (pwrite(file.fd, words, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
			give_up("pwrite", name);
	}
	file.map = mmap(NULL, file.len, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	if (file.map == MAP_FAILED)
		give_up("mmap", name);
	for (size_t page = 0; page < pages; page++)
		if (*(volatile uint64_t *)(file.map + page * PAGE) != pattern_word(page * PAGE))
			give_up("wrong content right after writing", name);
	return file;
}

void close_file(struct test_file *file)
{
	munmap(file->map, file->len);
	close(file->fd);
	unlink(file->name);
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (!guard.armed) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
		return;
	}
	guard.caught =
		(struct caught){.signal = signal_number, .code = info->si_code, .addr = (uintptr_t)info->si_addr};
	guard.armed = false;
	siglongjmp(guard.back, 1);
}

void catch_signals(void)
{
	static const int signals[] = {SIGBUS, SIGSEGV, SIGILL};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

struct caught try_access(access_fn access, uint8_t *map)
{
	guard.caught = (struct caught){0};
	if (sigsetjmp(guard.back, 1) == 0) {
		guard.armed = true;
		access(map);
		guard.armed = false;
	}
	return guard.caught;
}

static const char *code_text(struct caught caught)
{
	if (caught.signal == SIGBUS && caught.code == BUS_ADRERR)
		return "BUS_ADRERR";
	if (caught.signal == SIGBUS && caught.code == BUS_MCEERR_AR)
		return "BUS_MCEERR_AR";
	if (caught.signal == SIGSEGV && caught.code == SEGV_ACCERR)
		return "SEGV_ACCERR";
	return "another code";
}

const char *caught_text(struct caught caught, const uint8_t *map, char text[96])
{
	const char *signal_name = caught.signal == SIGBUS    ? "SIGBUS"
				  : caught.signal == SIGSEGV ? "SIGSEGV"
							     : "another signal";

	if (!caught.signal)
		return "no signal";
	if (caught.code == SI_KERNEL)
		snprintf(text, 96, "%s SI_KERNEL, address %#lx", signal_name, (unsigned long)caught.addr);
	else
		snprintf(text, 96, "%s %s at +%ld", signal_name, code_text(caught),
			 (long)(caught.addr - (uintptr_t)map));
	return text;
}

off_t fresh_size(const struct test_file *file)
{
	struct statx st;

	if (statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &st) < 0)
		give_up("statx", file->name);
	return (off_t)st.stx_size;
}

static void show_mount(void)
{
	char line[512];
	char real[512] = "";
	FILE *mounts = fopen("/proc/mounts", "re");

	if (!getcwd(real, sizeof(real)) || !mounts)
		give_up("mounts of", real);
	while (fgets(line, sizeof(line), mounts)) {
		char tag[64];
		char at[256];
		char type[64];
		char options[256];

		if (sscanf(line, "%63s %255s %63s %255s", tag, at, type, options) == 4 && strcmp(at, real) == 0)
			say("mount %s %s", type, options);
	}
	fclose(mounts);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{"memory", run_memory_cases},
	{"syscalls", run_syscall_cases},
	{"processes", run_process_cases},
	{"stress", run_stress},
	{"figures", run_figures},
	{"substitute", run_substitute},
	{"window", run_window},
	{"no_space", run_no_space},
	{"io_error", run_io_error},
	{"repaired", run_repaired},
	{"memory_failure", run_memory_failure},
	{"not_permitted", run_not_permitted},
	{"join", run_join},
	{"fresh", run_fresh},
	{"page_cache", run_page_cache},
	{"times", run_times},
	{"mount", show_mount},
};

int main(int argc, char **argv)
{
	if (argc != 3 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: guest_dax DIR MODE\n");
		return 99;
	}
	catch_signals();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[2], modes[i].name) != 0)
			continue;
		modes[i].run();
		say("end %s", argv[2]);
		return 0;
	}
	fprintf(stderr, "guest_dax: there is no mode %s\n", argv[2]);
	return 99;
}
