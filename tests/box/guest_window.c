/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: guest_window DIR ten-windows
 *
 * Runs in the guest: uses ten times as much of files in DIR as the share's window holds, from several threads, by loads
 * and stores, and by reads whose buffer is in another mapped file, so that one operation needs two ranges at once.
 * Prints "stores N", or what was wrong.
 */
#include "tests/box/guest_window.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HOT_PLACES 3u /* that half of all accesses are to, so that some are read while they become writable */

struct files {
	int fds[WINDOW_FILES];
	uint8_t *maps[WINDOW_FILES];
};

struct worker {
	const struct files *files;
	unsigned int index;
	uint64_t random, stores;
	bool failed;
};

static uint64_t any(struct worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random % below;
}

static unsigned int any_place(struct worker *worker)
{
	return (unsigned int)any(worker, any(worker, 2) ? HOT_PLACES : WINDOW_PLACES);
}

static uint64_t *words_at(const struct files *files, unsigned int place)
{
	return (void *)(files->maps[place / WINDOW_FILE_PLACES] + place % WINDOW_FILE_PLACES * WINDOW_PLACE_LEN);
}

static void expect(struct worker *worker, const char *what, unsigned int place, uint64_t got)
{
	if (got == place + 1)
		return;
	printf("%s of place %u: %#llx\n", what, place, (unsigned long long)got);
	worker->failed = true;
}

/* From one file into the scratch word of another. */
static void read_into_map(struct worker *worker, unsigned int from, unsigned int to)
{
	volatile uint64_t *scratch = words_at(worker->files, to) + 2 + worker->index;
	off_t offset = (off_t)(from % WINDOW_FILE_PLACES * WINDOW_PLACE_LEN);

	if (pread(worker->files->fds[from / WINDOW_FILE_PLACES], (void *)(uintptr_t)scratch, sizeof(*scratch),
		  offset) != sizeof(*scratch)) {
		printf("reading place %u into place %u: %s\n", from, to, strerror(errno));
		worker->failed = true;
		return;
	}
	expect(worker, "a read", from, *scratch);
}

static void take_turn(struct worker *worker)
{
	unsigned int place = any_place(worker);
	uint64_t *words = words_at(worker->files, place);

	expect(worker, "a load", place, __atomic_load_n(&words[0], __ATOMIC_RELAXED));
	switch (any(worker, 4)) {
	case 0:
		__atomic_add_fetch(&words[1], 1, __ATOMIC_RELAXED);
		worker->stores++;
		break;
	case 1:
		read_into_map(worker, any_place(worker), place);
		break;
	default:
		break;
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (unsigned int i = 0; i < WINDOW_TURNS && !worker->failed; i++)
		take_turn(worker);
	return NULL;
}

static bool open_files(struct files *files, const char *dir)
{
	for (unsigned int i = 0; i < WINDOW_FILES; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/file%u", dir, i);
		files->fds[i] = open(path, O_RDWR | O_CLOEXEC);
		files->maps[i] = mmap(NULL, WINDOW_FILE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, files->fds[i], 0);
		if (files->maps[i] == MAP_FAILED) {
			printf("%s: %s\n", path, strerror(errno));
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct worker workers[WINDOW_THREADS] = {0};
	pthread_t threads[WINDOW_THREADS];
	struct files files;
	uint64_t stores = 0;
	bool failed = false;

	if (argc != 3 || strcmp(argv[2], "ten-windows") != 0 || !open_files(&files, argv[1]))
		return 2;
	for (unsigned int i = 0; i < WINDOW_THREADS; i++) {
		workers[i] = (struct worker){.files = &files, .index = i, .random = 88172645463325252 + i};
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			return 2;
	}
	for (unsigned int i = 0; i < WINDOW_THREADS; i++) {
		pthread_join(threads[i], NULL);
		stores += workers[i].stores;
		failed |= workers[i].failed;
	}
	printf("stores %llu\n", (unsigned long long)stores);
	return failed;
}
