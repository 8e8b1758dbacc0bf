/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel of machines without Linux (guest/small/), which this program has in it. */
#ifndef FL_SCN_SMALL_H
#define FL_SCN_SMALL_H

#include <limits.h>

#include "faultline/faultline.h"

/* Where it can be opened, as long as this process is there. 0, or -errno with a sentence. Any thread. */
FL_CHECKED int fl_scn_small_kernel(char path[PATH_MAX], struct fl_diag *diag);

#endif
