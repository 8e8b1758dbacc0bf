/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/box/host_trouble.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#define TMPFS_OPTIONS "size=1m"

struct trouble *trouble_new(void **state)
{
	struct trouble *trouble = calloc(1, sizeof(*trouble));

	assert_non_null(trouble);
	trouble->bench = *(const struct bench *)*state;
	trouble->bench.serve_arg = trouble;
	trouble->dir = -1;
	snprintf(trouble->events, sizeof(trouble->events), "%.4000s/events", trouble->bench.scratch);
	return trouble;
}

void assert_line(const struct transcript *guest, const char *line)
{
	if (lines_with(guest->out, line) != 1) {
		printf("# not once: %s\n", line);
		show("guest", guest);
	}
	assert_int_equal(lines_with(guest->out, line), 1);
}

char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 1 << 20;
	char *text = calloc(1, len + 1);

	assert_true(fd >= 0);
	assert_non_null(text);
	assert_true(read(fd, text, len) >= 0);
	close(fd);
	return text;
}

void assert_reported(const struct trouble *trouble, const char *cause, unsigned int least, const char *name,
		     uint64_t offset)
{
	char *events = read_file(trouble->events);
	char with_cause[64], place[PATH_MAX + 80];
	unsigned int faults = lines_with(events, "{\"event\":\"fault\"");

	snprintf(with_cause, sizeof(with_cause), "\"cause\":\"%s\"", cause);
	snprintf(place, sizeof(place), "/%.100s\",\"file_offset\":%" PRIu64 ",", name, offset);
	unsigned int caused = lines_with(events, with_cause);

	printf("# %u faults, %u of them %s\n", faults, caused, cause);
	if (caused < least || lines_with(events, place) < 1 ||
	    caused + lines_with(events, "\"cause\":\"none\"") != faults)
		printf("# wanted: %s %s\n# events: %.4000s\n", with_cause, place, events);
	assert_true(caused >= least);
	assert_int_equal(caused + lines_with(events, "\"cause\":\"none\""), faults);
	assert_true(lines_with(events, place) >= 1);
	free(events);
}

void assert_same_lines(const char *expected, const char *seen)
{
	unsigned int differences = 0;

	while (*expected || *seen) {
		size_t expected_len = strcspn(expected, "\n"), seen_len = strcspn(seen, "\n");

		if (expected_len != seen_len || memcmp(expected, seen, seen_len) != 0) {
			differences++;
			printf("# expected: %.*s\n# guest:    %.*s\n", (int)expected_len, expected, (int)seen_len,
			       seen);
		}
		expected += expected_len + (expected[expected_len] == '\n');
		seen += seen_len + (seen[seen_len] == '\n');
	}
	fflush(stdout);
	assert_int_equal(differences, 0);
}

void mount_small_tmpfs(struct trouble *trouble)
{
	bad_host_private_mounts();
	assert_int_equal(mount("tmpfs", trouble->bench.data, "tmpfs", 0, TMPFS_OPTIONS), 0);
	trouble->dir = open(trouble->bench.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(trouble->dir >= 0);
}

void unmount_tmpfs(struct trouble *trouble)
{
	close(trouble->dir);
	assert_int_equal(umount2(trouble->bench.data, MNT_DETACH), 0);
}
