/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/box/guest_posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

long long posix_say(const char *call, long long result)
{
	if (result < 0)
		printf("%s: %s\n", call, strerrorname_np(errno));
	else
		printf("%s = %lld\n", call, result);
	return result;
}

int posix_make(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);

	if (fd < 0 || pwrite(fd, data, len, 0) != (ssize_t)len) {
		printf("%s cannot be made: %m\n", name);
		exit(1);
	}
	return fd;
}

int posix_text(const char *name, const char *text)
{
	return posix_make(name, text, strlen(text));
}

static void in_a_directory(const char *name, void (*fn)(void))
{
	printf("== %s\n", name);
	if (mkdir(name, 0755) || chdir(name)) {
		printf("%s cannot be made: %m\n", name);
		exit(1);
	}
	fn();
	if (chdir("..")) {
		printf("cannot leave %s: %m\n", name);
		exit(1);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1])) {
		printf("usage: %s DIR\n", argv[0]);
		return 2;
	}
	umask(022);
	in_a_directory("names", posix_names);
	in_a_directory("links", posix_links);
	in_a_directory("opening", posix_opening);
	in_a_directory("rename", posix_rename);
	in_a_directory("attributes", posix_attributes);
	in_a_directory("directories", posix_directories);
	in_a_directory("holes", posix_holes);
	in_a_directory("writing", posix_writing);
	in_a_directory("copying", posix_copying);
	in_a_directory("mappings", posix_mappings);
	in_a_directory("locks", posix_locks);
	in_a_directory("times", posix_times);
	printf("done\n");
	return 0;
}
