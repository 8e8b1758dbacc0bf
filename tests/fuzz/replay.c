/* SPDX-License-Identifier: Apache-2.0 */
/* usage: TARGET DIRECTORY|FILE...: runs a fuzz target over files, each twice: both must give the same. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define INPUT_MAX  (1u << 20)
#define ONE_FILE_S 20

struct tally {
	unsigned int run, failed;
};

static bool run_file(int dir_fd, const char *name)
{
	FL_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	FL_FREE uint8_t *bytes = malloc(INPUT_MAX);
	ssize_t len = fd >= 0 && bytes ? read(fd, bytes, INPUT_MAX) : -1;
	uint64_t digest;

	if (len < 0)
		return false;
	fl_close(&fd); /* the target counts descriptors */
	alarm(ONE_FILE_S);
	digest = fuzz_one(bytes, (size_t)len);
	return fuzz_one(bytes, (size_t)len) == digest;
}

static void tell(struct tally *tally, const char *name, bool ok)
{
	tally->run++;
	tally->failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", tally->run, name);
	fflush(stdout);
}

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_directory(struct tally *tally, const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_file, alphasort);

	for (int i = 0; i < count; i++) {
		int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		tell(tally, entries[i]->d_name, run_file(dir_fd, entries[i]->d_name));
		close(dir_fd);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	struct tally tally = {0};

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			run_directory(&tally, argv[i]);
		else
			tell(&tally, argv[i], run_file(AT_FDCWD, argv[i]));
	}
	printf("1..%u\n", tally.run);
	return tally.run && !tally.failed ? 0 : 1;
}
