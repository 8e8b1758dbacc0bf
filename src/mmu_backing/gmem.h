/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem: the VMM's own access to guest memory, bounds-checked and free of SIGBUS.
 *
 * RAM is copied directly. Window pages can vanish at any time: they are only ever handed to system
 * calls, which answer EFAULT or a short count (fl_gmem_read/write use process_vm_readv/writev on
 * ourselves; iovecs go to preadv2/pwritev2). Any thread.
 */
#ifndef FL_GMEM_H
#define FL_GMEM_H

#include <sys/uio.h>

#include "mmu_backing/gpa_map.h"

/* Copy len bytes; may cross regions. -EFAULT: a byte has nothing behind it (then part may be copied). */
FL_CHECKED_RESULT int fl_gmem_read(const struct fl_gpa_map *map, uint64_t gpa, void *buf, size_t len);
FL_CHECKED_RESULT int fl_gmem_write(const struct fl_gpa_map *map, uint64_t gpa, const void *buf, size_t len);

/* Pointer to [gpa, gpa+len) if it lies in one RAM region, else NULL. For rings and records. */
void *fl_gmem_ram(const struct fl_gpa_map *map, uint64_t gpa, uint64_t len);

/*
 * Host addresses of [gpa, gpa+len), RAM or window, appended to iov from *count on (cap entries in
 * all). For system calls only: never dereference them. -EFAULT: not all of it is mapped in the
 * map; -E2BIG: more than cap pieces.
 */
FL_CHECKED_RESULT int fl_gmem_iov(const struct fl_gpa_map *map, uint64_t gpa, uint64_t len, struct iovec *iov,
				  unsigned int cap, unsigned int *count);

#endif
