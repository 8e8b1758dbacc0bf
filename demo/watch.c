/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: an ordinary program that maps a file, for the demonstration. Static, so that any guest runs it.
 *
 *	watch FILE		says what it sees, waits for a line on standard input, looks again; where the
 *				file is gone, it says what the signal said and what read() says there
 *	watch --steady FILE	looks at the whole file all the time until its standard input ends
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

/* What the handler leaves for the program that it interrupted. */
static struct {
	sigjmp_buf back;
	int code;
	const uint8_t *addr;
} lost;

struct view {
	const char *name;
	int fd;
	const volatile uint8_t *map;
	size_t len;
};

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)context;
	lost.code = info->si_code;
	lost.addr = info->si_addr;
	siglongjmp(lost.back, 1);
}

static int open_view(const char *path, struct view *view)
{
	struct stat st;

	*view = (struct view){.name = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
	if (view->fd < 0 || fstat(view->fd, &st) < 0 || st.st_size == 0) {
		fprintf(stderr, "watch: %s cannot be watched: %s\n", path, errno ? strerror(errno) : "it is empty");
		return -1;
	}
	view->len = (size_t)st.st_size;
	void *map = mmap(NULL, view->len, PROT_READ, MAP_SHARED, view->fd, 0);

	if (map == MAP_FAILED) {
		fprintf(stderr, "watch: %s cannot be mapped: %s\n", path, strerror(errno));
		return -1;
	}
	view->map = map;
	return 0;
}

static uint64_t sum_of(const struct view *view)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < view->len; at += PAGE)
		sum += view->map[at];
	return sum;
}

static void say_what_is_lost(const struct view *view)
{
	char bytes[100];
	long offset = (long)(lost.addr - (const uint8_t *)(uintptr_t)view->map);

	printf("watch: SIGBUS, si_code %s, si_addr = map + %ld\n", lost.code == BUS_ADRERR ? "BUS_ADRERR" : "unknown",
	       offset);
	ssize_t n = pread(view->fd, bytes, sizeof(bytes), offset);

	if (n < 0)
		printf("watch: read() at %ld: %s\n", offset, strerror(errno));
	else
		printf("watch: read() at %ld: %zd bytes\n", offset, n);
}

static int watch_once(const struct view *view)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
	char line[16];

	sigaction(SIGBUS, &action, NULL);
	printf("watch: mapped %zu bytes of %s, sum %llu\n", view->len, view->name, (unsigned long long)sum_of(view));
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (sigsetjmp(lost.back, 1) == 0)
		printf("watch: nothing is lost, sum %llu\n", (unsigned long long)sum_of(view));
	else
		say_what_is_lost(view);
	return 0;
}

static int watch_steadily(const struct view *view)
{
	struct pollfd pollfd = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t sum = sum_of(view);
	unsigned long looks = 1;

	while (poll(&pollfd, 1, 1) == 0) {
		if (sum_of(view) != sum) {
			printf("steady: %s changed\n", view->name);
			return 1;
		}
		looks++;
	}
	printf("steady: looked %lu times at %s, always the same\n", looks, view->name);
	return 0;
}

int main(int argc, char **argv)
{
	int steady = argc == 3 && strcmp(argv[1], "--steady") == 0;
	struct view view;

	if (argc != 2 && !steady) {
		fprintf(stderr, "usage: watch [--steady] FILE\n");
		return 2;
	}
	if (open_view(argv[argc - 1], &view) < 0)
		return 1;
	return steady ? watch_steadily(&view) : watch_once(&view);
}
