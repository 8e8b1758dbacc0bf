/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "tests/kvm/storm.h"

#define FILES	2u
#define LOOK_NS 20000000

struct file {
	int fd;
	struct fl_backing *backing;
	uint64_t *words;     /* ours, of STORM_LEN: only touched where the file is known to be long enough */
	uint64_t generation; /* of its last whole filling */
};

struct storm {
	struct mini_vm *vm;
	struct storm_result *result;
	struct file files[FILES];
	unsigned int mapped; /* which file the window shows */
	uint64_t newest;
	uint64_t random;
	_Atomic bool stop;
	_Atomic int error; /* of the first system call that failed: the storm's thread cannot fail the test */
};

static uint64_t next_random(struct storm *storm)
{
	/* xorshift64 */
	storm->random ^= storm->random << 13;
	storm->random ^= storm->random >> 7;
	storm->random ^= storm->random << 17;
	return storm->random;
}

static void note(struct storm *storm, bool failed, int error)
{
	int none = 0;

	if (failed)
		atomic_compare_exchange_strong(&storm->error, &none, error ? error : EIO);
}

static void set_len(struct storm *storm, const struct file *file, uint64_t len)
{
	note(storm, ftruncate(file->fd, (off_t)len) < 0, errno);
}

static void publish(struct storm *storm, uint64_t gpa, uint64_t generation)
{
	__atomic_store_n((uint64_t *)(void *)(storm->vm->ram.hva + gpa), generation, __ATOMIC_SEQ_CST);
}

/* A generation is announced before its first word can be read, and the oldest only passed when it is gone everywhere.
 */
static void fill(struct storm *storm, struct file *file)
{
	uint64_t oldest = UINT64_MAX;

	set_len(storm, file, STORM_LEN);
	publish(storm, LOAD_NEWEST, ++storm->newest);
	for (uint64_t at = 0; at < STORM_LEN; at += sizeof(uint64_t))
		__atomic_store_n(&file->words[at / sizeof(uint64_t)], storm->newest << 32 | at, __ATOMIC_RELAXED);
	file->generation = storm->newest;
	for (unsigned int i = 0; i < FILES; i++)
		oldest = FL_MIN(oldest, storm->files[i].generation);
	publish(storm, LOAD_OLDEST, oldest);
}

static void cut(struct storm *storm, struct file *file)
{
	/* to a multiple of a word: half a word of zeros would say nothing */
	set_len(storm, file, next_random(storm) % STORM_LEN & ~UINT64_C(7));
	storm->result->cuts++;
}

static void grow(struct storm *storm, struct file *file)
{
	storm->result->growths++;
	if (next_random(storm) % 2)
		set_len(storm, file, STORM_LEN);
	else
		fill(storm, file);
}

static void punch(struct storm *storm, struct file *file)
{
	uint64_t start = next_random(storm) % (STORM_LEN / FL_PAGE_LEN);
	uint64_t count = 1 + next_random(storm) % 8;

	int result = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(start * FL_PAGE_LEN),
			       (off_t)(count * FL_PAGE_LEN));

	note(storm, result < 0, errno);
	storm->result->punches++;
}

static void map(struct storm *storm, bool writable)
{
	int result =
		fl_window_map(storm->vm->window, 0, FL_RANGE_LEN, storm->files[storm->mapped].backing, 0, writable);

	note(storm, result < 0, -result);
}

/* At once; with nothing mapped in between; or only for loads at first, as the guest's kernel asks for it. */
static void swap(struct storm *storm)
{
	int result;

	storm->mapped = (storm->mapped + 1) % FILES;
	switch (next_random(storm) % 3) {
	case 0:
		result = fl_window_unmap(storm->vm->window, 0, FL_RANGE_LEN);
		note(storm, result < 0, -result);
		storm->result->unmaps++;
		break;
	case 1:
		map(storm, false);
		storm->result->upgrades++;
		break;
	}
	map(storm, true);
	storm->result->swaps++;
}

/* What is mapped is hit more often than what will be. */
static void *rage(void *arg)
{
	struct storm *storm = arg;

	while (!atomic_load(&storm->stop)) {
		uint64_t dice = next_random(storm) >> 32;
		struct file *file = &storm->files[dice % 4 ? storm->mapped : (storm->mapped + 1) % FILES];

		switch (dice / 4 % 8) {
		case 0:
			swap(storm);
			break;
		case 1:
		case 2:
			punch(storm, file);
			break;
		case 3:
		case 4:
			cut(storm, file);
			break;
		default:
			grow(storm, file);
			break;
		}
	}
	return NULL;
}

static void open_files(struct storm *storm)
{
	for (unsigned int i = 0; i < FILES; i++) {
		struct file *file = &storm->files[i];
		int fd;

		file->fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		assert_true(file->fd >= 0);
		fd = dup(file->fd);
		assert_true(fd >= 0);
		assert_int_equal(fl_backing_new(fd, true, &file->backing), 0);
		file->words = mmap(NULL, STORM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
		assert_true(file->words != MAP_FAILED);
		fill(storm, file);
	}
	swap(storm);
}

static void close_files(struct storm *storm)
{
	for (unsigned int i = 0; i < FILES; i++) {
		munmap(storm->files[i].words, STORM_LEN);
		fl_backing_unref(storm->files[i].backing);
		close(storm->files[i].fd);
	}
}

static uint64_t counter(struct mini_vm *vm, unsigned int index, uint64_t offset)
{
	return __atomic_load_n((uint64_t *)(void *)(mini_block(vm, index) + offset), __ATOMIC_RELAXED);
}

/* Watches the vCPUs' counters until the time is over. */
static void look_on(struct storm *storm, double seconds, double pause_max_s)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	uint64_t began = load_now_ns(), now = began, turns[MINI_VCPUS_MAX] = {0}, moved[MINI_VCPUS_MAX];

	for (unsigned int i = 0; i < storm->vm->count; i++)
		moved[i] = began;
	while ((double)(now - began) < seconds * 1e9) {
		nanosleep(&pause, NULL);
		now = load_now_ns();
		for (unsigned int i = 0; i < storm->vm->count; i++) {
			uint64_t count = counter(storm->vm, i, LOAD_TURNS);

			if (count != turns[i])
				moved[i] = now;
			turns[i] = count;
			storm->result->longest_pause_ns = FL_MAX(storm->result->longest_pause_ns, now - moved[i]);
		}
		if ((double)storm->result->longest_pause_ns > pause_max_s * 1e9)
			fail_msg("a vCPU stood still for %.1f s", pause_max_s);
	}
}

static void say_wrong(struct mini_vm *vm, unsigned int index)
{
	printf("# vCPU %u read 0x%llx at 0x%llx, when generations 0x%llx to 0x%llx could be there\n", index,
	       (unsigned long long)counter(vm, index, LOAD_BAD), (unsigned long long)counter(vm, index, LOAD_BAD + 8),
	       (unsigned long long)counter(vm, index, LOAD_BAD + 16),
	       (unsigned long long)counter(vm, index, LOAD_BAD + 24));
}

static void collect(struct storm *storm, struct load *load)
{
	struct storm_result *result = storm->result;

	for (unsigned int i = 0; i < storm->vm->count; i++) {
		const struct load_seen *seen = &load->seen[i];

		result->turns[i] = counter(storm->vm, i, LOAD_TURNS);
		result->faults[i] = counter(storm->vm, i, LOAD_FAULTS);
		result->zeros[i] = counter(storm->vm, i, LOAD_ZEROS);
		result->wrong += counter(storm->vm, i, LOAD_WRONG);
		result->reported[i] = seen->outcome[FL_OUTCOME_RECORD] + seen->outcome[FL_OUTCOME_PLAIN];
		result->retried += seen->outcome[FL_OUTCOME_RETRIED];
		if (counter(storm->vm, i, LOAD_WRONG))
			say_wrong(storm->vm, i);
	}
}

void storm_run(struct mini_vm *vm, double seconds, double pause_max_s, struct storm_result *result)
{
	struct storm storm = {.vm = vm, .result = result, .random = UINT64_C(0x9e3779b97f4a7c15)};
	struct load load;
	pthread_t thread;

	*result = (struct storm_result){0};
	load_init(&load, vm, load_skip_and_tell);
	open_files(&storm);
	for (unsigned int i = 0; i < vm->count; i++) {
		struct mini_start start = {
			.program = load_storm, .cpl = 3, .rbx = mini_gva(0), .rsi = STORM_LEN, .r8 = 12345 + 777 * i};

		load_start(&load, i, start);
	}
	assert_int_equal(pthread_create(&thread, NULL, rage, &storm), 0);
	look_on(&storm, seconds, pause_max_s);
	for (unsigned int i = 0; i < vm->count; i++)
		mini_write64(vm, i, MINI_STOP, 1);
	for (unsigned int i = 0; i < vm->count; i++)
		load_stop(&load, i);
	atomic_store(&storm.stop, true);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < vm->count; i++)
		fl_vcpu_stop(vm->vcpus[i]);
	assert_int_equal(storm.error, 0);
	collect(&storm, &load);
	close_files(&storm);
}
