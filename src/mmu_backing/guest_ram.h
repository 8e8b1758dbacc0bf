/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_ram: the guest's ordinary memory, a memfd sealed against shrinking: no host file can
 * disappear under it, so the VMM may touch it with plain loads and stores.
 */
#ifndef FL_GUEST_RAM_H
#define FL_GUEST_RAM_H

#include "fl_diag.h"

struct fl_guest_ram {
	int fd;
	uint8_t *hva; /* 2 MiB aligned */
	uint64_t len;
};

/* len: bytes, a multiple of 2 MiB. -ENOMEM or the errno of memfd_create/ftruncate/mmap. */
FL_CHECKED_RESULT int fl_guest_ram_init(struct fl_guest_ram *ram, uint64_t len, struct fl_diag *diag);

/*
 * Throws the page that holds byte `offset` away and puts a fresh zero page there: for memory that the host's hardware
 * has lost. -EINVAL outside; the errno of fallocate.
 */
FL_CHECKED_RESULT int fl_guest_ram_substitute(struct fl_guest_ram *ram, uint64_t offset);
void fl_guest_ram_fini(struct fl_guest_ram *ram); /* of a zeroed or initialised one */

#endif
