/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/outfile.h"

/* What the library calls its memory; the kernel adds the rest. */
#define MEMORY_LINK "/memfd:guest-ram"

bool fl_cli_write_report(struct fl_vm *vm, const char *file)
{
	int fd = file ? fl_cli_open_outfile(file, 0) : STDERR_FILENO;
	int ret = fd < 0 ? fd : fl_vm_write_report(vm, fd);

	if (file && fd >= 0 && close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret < 0)
		fprintf(stderr, "faultline: the report cannot be written%s%s: %s.\n", file ? " to " : "",
			file ? file : "", fl_cli_outfile_error(ret));
	return ret == 0;
}

int fl_cli_find_memory(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -ENOENT;

	if (!dir)
		return -errno;
	while (found < 0 && (entry = readdir(dir))) {
		char target[sizeof(MEMORY_LINK) + 32] = "";

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		    strncmp(target, MEMORY_LINK, strlen(MEMORY_LINK)) == 0)
			found = atoi(entry->d_name);
	}
	closedir(dir);
	return found;
}

void fl_cli_invite_inspection(const char *report)
{
	int fd = fl_cli_find_memory();

	fprintf(stderr, "faultline: the guest is kept to be looked at by process %d", (int)getpid());
	if (fd >= 0)
		fprintf(stderr,
			": its memory is the file /proc/%d/fd/%d (byte N is at guest-physical address N, from 3 GiB on "
			"at N + 1 GiB)",
			(int)getpid(), fd);
	fprintf(stderr, ", its report is %s; end it with SIGINT or SIGTERM.\n", report ? report : "above");
}
