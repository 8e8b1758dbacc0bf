/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rng: entropy device (virtio 1.2, 5.4): the guest's buffers are filled with the host's random numbers. A guest has its
 * first ones from the seed at boot (vmm/boot.h); this is what it renews them from in a long life.
 */
#ifndef FL_RNG_H
#define FL_RNG_H

#include "virtio/virtio_mmio.h"

/* Given at most for one buffer, whatever its length: 5.4.6.2 lets the device give less than there is room for. */
#define FL_RNG_PIECE_LEN 256u

struct fl_rng;

/* transport: gpa, gsi, vm_fd, map, loop and log are set by the caller, the rest is ours */
FL_CHECKED_RESULT int fl_rng_new(const struct fl_virtio_mmio_opts *transport, struct fl_rng **rng,
				 struct fl_diag *diag);
struct fl_virtio_mmio *fl_rng_transport(struct fl_rng *rng);
void fl_rng_free(struct fl_rng *rng); /* loop stopped; NULL allowed */

#endif
