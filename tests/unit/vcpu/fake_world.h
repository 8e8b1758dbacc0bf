/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's memory for tests of locating: a few linear pages, each with a guest-physical page of its
 * own number, some code bytes, and pages that fail for some accesses.
 */
#ifndef FL_TEST_FAKE_WORLD_H
#define FL_TEST_FAKE_WORLD_H

#include "vcpu/locate.h"

#define FAKE_PAGES  8
#define FAKE_WINDOW UINT64_C(0x40000000) /* gpas from here on are in a window */

struct fake_page {
	uint64_t linear, gpa;
	bool bad_for_load, bad_for_store;
	uint8_t bytes[4096];
};

struct fake_world {
	struct fake_page page[FAKE_PAGES];
	unsigned int count, probes;
	struct fl_vectors vectors;
};

static inline struct fake_page *fake_add(struct fake_world *world, uint64_t linear, uint64_t gpa)
{
	struct fake_page *page = &world->page[world->count++];

	page->linear = linear;
	page->gpa = gpa;
	return page;
}

static inline struct fake_page *fake_find(struct fake_world *world, uint64_t gpa)
{
	for (unsigned int i = 0; i < world->count; i++)
		if (world->page[i].gpa == (gpa & ~0xfffull))
			return &world->page[i];
	return NULL;
}

static inline bool fake_translate(void *arg, uint64_t linear, uint64_t *gpa)
{
	struct fake_world *world = arg;

	for (unsigned int i = 0; i < world->count; i++) {
		if (world->page[i].linear == (linear & ~0xfffull)) {
			*gpa = world->page[i].gpa + (linear & 0xfff);
			return true;
		}
	}
	return false;
}

static inline int fake_read(void *arg, uint64_t gpa, void *buf, size_t len)
{
	struct fake_page *page = fake_find(arg, gpa);

	if (!page || page->bad_for_load || (gpa & 0xfff) + len > 4096)
		return -EFAULT;
	memcpy(buf, page->bytes + (gpa & 0xfff), len);
	return 0;
}

static inline bool fake_is_bad(void *arg, uint64_t gpa, enum fl_access access)
{
	struct fake_world *world = arg;
	struct fake_page *page = fake_find(world, gpa);

	world->probes++;
	return page && (page->bad_for_load || (access == FL_ACCESS_WRITE && page->bad_for_store));
}

static inline bool fake_is_window(void *arg, uint64_t gpa)
{
	(void)arg;
	return gpa >= FAKE_WINDOW;
}

static inline bool fake_vectors(void *arg, struct fl_vectors *vectors)
{
	*vectors = ((struct fake_world *)arg)->vectors;
	return true;
}

static inline struct fl_locate_ops fake_ops(struct fake_world *world)
{
	return (struct fl_locate_ops){
		.translate = fake_translate,
		.read = fake_read,
		.is_bad = fake_is_bad,
		.is_window = fake_is_window,
		.vectors = fake_vectors,
		.arg = world,
	};
}

#endif
