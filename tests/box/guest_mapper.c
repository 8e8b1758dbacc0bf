/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a guest: maps FILE, says "mapped", waits for a line, and reads the first byte of the last page: says it, or
 * "SIGBUS at +OFFSET".
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096

static sigjmp_buf again;
static volatile const char *lost;

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)context;
	lost = info->si_addr;
	siglongjmp(again, 1);
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
	char line[16];
	struct stat st;
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < PAGE) {
		perror("file");
		return 1;
	}
	const char *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || sigaction(SIGBUS, &action, NULL) < 0) {
		perror("mmap");
		return 1;
	}
	puts("mapped");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (sigsetjmp(again, 1) == 0)
		printf("byte %d\n", *(volatile const char *)(map + st.st_size - PAGE));
	else
		printf("SIGBUS at +%td\n", lost - map);
	return 0;
}
