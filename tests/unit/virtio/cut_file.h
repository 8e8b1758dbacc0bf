/* SPDX-License-Identifier: Apache-2.0 */
/* Guest memory that is gone: a window over a file that was cut after it was mapped. */
#ifndef CUT_FILE_H
#define CUT_FILE_H

#include <sys/mman.h>

#include "mmu_backing/window.h"
#include "tests/unit/virtio/driver_model.h"

#define WINDOW_GPA UINT64_C(0x40000000)
#define GOOD_LEN   UINT64_C(0x2000) /* of the file, after it was cut */
#define RANGE_LEN  (UINT64_C(2) << 20)

struct cut_file {
	struct fl_window *window;
	int fd;
};

/* A window over a file of which only the first GOOD_LEN bytes are left; byte n of it holds n * 5 + 1. */
static inline void add_window(struct guest *guest, struct cut_file *file)
{
	struct fl_region region = {.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .len = RANGE_LEN, .name = "share"};
	struct fl_backing *backing;
	uint8_t bytes[GOOD_LEN];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 5 + 1);
	file->fd = memfd_create("cut", MFD_CLOEXEC);
	assert_true(file->fd >= 0);
	assert_int_equal(ftruncate(file->fd, RANGE_LEN), 0);
	assert_int_equal(pwrite(file->fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(fl_backing_new(file->fd, true, &backing), 0);
	assert_int_equal(fl_window_new(RANGE_LEN, &file->window, NULL), 0);
	assert_int_equal(fl_window_map(file->window, 0, RANGE_LEN, backing, 0, true), 0);
	/* the page that will go is in our page tables when it does */
	assert_int_equal(*(volatile uint8_t *)(fl_window_hva(file->window) + GOOD_LEN), 0);
	assert_int_equal(ftruncate(file->fd, GOOD_LEN), 0);
	region.hva = fl_window_hva(file->window);
	region.window = file->window;
	assert_int_equal(fl_gpa_map_add(&guest->map, &region, NULL), 0);
	fl_backing_unref(backing);
}

#endif
