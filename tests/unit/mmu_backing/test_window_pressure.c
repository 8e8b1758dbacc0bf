/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A working set ten times as large as the window, under four threads that play a guest: ranges are taken from files
 * that nobody uses at the moment, for others, by removing the old mapping or straight over it, and become writable
 * while others read them. Every file keeps its number and a count of stores, so that a wrong page and a lost store are
 * both seen.
 */
#include "mmu_test.h"

#include <time.h>

#define THREADS	    4u
#define RANGES	    32u /* of the window: 64 MiB */
#define FILES	    10u
#define FILE_RANGES 32u
#define PLACES	    (FILES * FILE_RANGES)
#define HOT	    3u /* places that half of all accesses are to */
#define TURNS	    6000u
#define SECONDS_MAX 30

/* What a range of the window is used for, as the guest's kernel keeps it. */
struct slot {
	unsigned int place; /* in the files, counted through; PLACES: none */
	unsigned int users;
	bool filling;  /* by one of them: nobody else may begin */
	bool changing; /* to writable: readers may go on and begin */
	bool writable;
};

struct guest {
	struct fl_window *window;
	uint8_t *hva;
	struct fl_backing *files[FILES];
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	struct slot slots[RANGES];
	unsigned int hand; /* where the next range to give up is looked for */
};

struct worker {
	struct guest *guest;
	uint64_t random;
	uint64_t stores, upgrades, reclaims, wrong, errors;
	bool late;
};

static uint64_t any(struct worker *worker, uint64_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random % below;
}

static void map_place(struct worker *worker, const struct slot *slot, bool writable)
{
	struct guest *guest = worker->guest;
	uint64_t offset = (uint64_t)(slot - guest->slots) * RANGE;

	if (fl_window_map(guest->window, offset, RANGE, guest->files[slot->place / FILE_RANGES],
			  slot->place % FILE_RANGES * RANGE, writable))
		worker->errors++;
}

static struct slot *slot_of(struct guest *guest, unsigned int place)
{
	for (unsigned int i = 0; i < RANGES; i++)
		if (guest->slots[i].place == place)
			return &guest->slots[i];
	return NULL;
}

/* There is always one: of 32 no more than four are in use. */
static struct slot *idle_slot(struct guest *guest)
{
	struct slot *slot;

	do {
		slot = &guest->slots[guest->hand++ % RANGES];
	} while (slot->users);
	return slot;
}

/* With the lock, which is let go while the window is asked. */
static struct slot *take_over(struct worker *worker, unsigned int place)
{
	struct guest *guest = worker->guest;
	struct slot *slot = idle_slot(guest);
	bool remove = any(worker, 2);

	worker->reclaims += slot->place != PLACES;
	*slot = (struct slot){.place = place, .users = 1, .filling = true};
	pthread_mutex_unlock(&guest->lock);
	if (remove && fl_window_unmap(guest->window, (uint64_t)(slot - guest->slots) * RANGE, RANGE))
		worker->errors++;
	map_place(worker, slot, false);
	pthread_mutex_lock(&guest->lock);
	slot->filling = false;
	pthread_cond_broadcast(&guest->changed);
	return slot;
}

static void make_writable(struct worker *worker, struct slot *slot)
{
	struct guest *guest = worker->guest;

	slot->changing = true;
	worker->upgrades++;
	pthread_mutex_unlock(&guest->lock);
	map_place(worker, slot, true);
	pthread_mutex_lock(&guest->lock);
	slot->writable = true;
	slot->changing = false;
	pthread_cond_broadcast(&guest->changed);
}

static struct slot *begin_use(struct worker *worker, unsigned int place, bool store)
{
	struct guest *guest = worker->guest;
	struct slot *slot;

	FL_LOCKED(&guest->lock);
	while ((slot = slot_of(guest, place)) && slot->filling)
		pthread_cond_wait(&guest->changed, &guest->lock);
	if (slot)
		slot->users++;
	else
		slot = take_over(worker, place);
	if (store && !slot->writable) {
		while (slot->changing)
			pthread_cond_wait(&guest->changed, &guest->lock);
		if (!slot->writable)
			make_writable(worker, slot);
	}
	return slot;
}

static void end_use(struct guest *guest, struct slot *slot)
{
	FL_LOCKED(&guest->lock);
	slot->users--;
}

/* What the guest does is not of this program: ThreadSanitizer takes an mmap for a store to all that it replaces. */
#define BY_THE_GUEST __attribute__((no_sanitize("thread"), noinline))

BY_THE_GUEST static uint64_t guest_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

BY_THE_GUEST static void guest_add(uint64_t *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_RELAXED);
}

static void use(struct worker *worker)
{
	struct guest *guest = worker->guest;
	unsigned int place = (unsigned int)any(worker, any(worker, 2) ? HOT : PLACES);
	bool store = any(worker, 4) == 0;
	struct slot *slot = begin_use(worker, place, store);
	uint64_t *words = (void *)(guest->hva + (uint64_t)(slot - guest->slots) * RANGE);

	for (unsigned int i = 0; i < 8; i++)
		worker->wrong += guest_load(&words[0]) != place + 1;
	if (store) {
		guest_add(&words[1]);
		worker->stores++;
	}
	end_use(guest, slot);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (unsigned int i = 0; i < TURNS && !worker->late; i++) {
		use(worker);
		clock_gettime(CLOCK_MONOTONIC, &now);
		worker->late = now.tv_sec - began.tv_sec > SECONDS_MAX;
	}
	return NULL;
}

static void make_guest(struct guest *guest)
{
	*guest = (struct guest){.window = test_window(RANGES * RANGE)};
	guest->hva = fl_window_hva(guest->window);
	pthread_mutex_init(&guest->lock, NULL);
	pthread_cond_init(&guest->changed, NULL);
	for (unsigned int i = 0; i < RANGES; i++)
		guest->slots[i].place = PLACES;
	for (unsigned int i = 0; i < FILES; i++)
		guest->files[i] = test_backing(test_memfd(FILE_RANGES * RANGE));
	for (unsigned int i = 0; i < PLACES; i++) {
		const uint64_t number = i + 1;

		assert_int_equal(pwrite(guest->files[i / FILE_RANGES]->fd, &number, sizeof(number),
					(off_t)(i % FILE_RANGES * RANGE)),
				 sizeof(number));
	}
}

static uint64_t stores_in_files(const struct guest *guest)
{
	uint64_t stores = 0;

	for (unsigned int i = 0; i < PLACES; i++) {
		uint64_t words[2];

		assert_int_equal(pread(guest->files[i / FILE_RANGES]->fd, words, sizeof(words),
				       (off_t)(i % FILE_RANGES * RANGE)),
				 sizeof(words));
		assert_int_equal(words[0], i + 1);
		stores += words[1];
	}
	return stores;
}

static void free_guest(struct guest *guest)
{
	fl_window_free(guest->window);
	for (unsigned int i = 0; i < FILES; i++)
		fl_backing_unref(guest->files[i]);
	pthread_cond_destroy(&guest->changed);
	pthread_mutex_destroy(&guest->lock);
}

static void test_ten_windows_of_files_in_one(void **state)
{
	struct worker workers[THREADS] = {0}, sum = {0};
	pthread_t threads[THREADS];
	struct fl_window_stats stats;
	struct guest guest;

	(void)state;
	make_guest(&guest);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.guest = &guest, .random = 88172645463325252 + i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(workers[i].late);
		sum.stores += workers[i].stores;
		sum.upgrades += workers[i].upgrades;
		sum.reclaims += workers[i].reclaims;
		sum.wrong += workers[i].wrong;
		sum.errors += workers[i].errors;
	}
	assert_int_equal(sum.errors, 0);
	assert_int_equal(sum.wrong, 0);
	assert_int_equal(stores_in_files(&guest), sum.stores);
	/* or nothing was tested */
	assert_true(sum.reclaims > 1000 && sum.upgrades > 1000);
	fl_window_get_stats(guest.window, &stats);
	assert_int_equal(stats.ranges_mapped, RANGES);
	assert_int_equal(stats.repairs, 0);
	assert_true(test_no_hole(guest.hva, RANGES * RANGE));
	free_guest(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_ten_windows_of_files_in_one),
};

FL_TEST_MAIN(50, tests)
