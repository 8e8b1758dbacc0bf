/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of scenarios' machines. */
#ifndef FL_SCN_KERNEL_H
#define FL_SCN_KERNEL_H

#include "cli/kernel.h"
#include "cli/scenario/language/scenario.h"

/*
 * patched: asked (of --kernel), or the one that "faultline run" would find; -ENOTSUP if that has none of Faultline's
 * patches. stock: $FAULTLINE_KERNEL_STOCK, or bzImage-stock beside the guest kernel of this program or of the system.
 * file: that. small: the launcher's own. 0, or -errno with a sentence.
 */
FL_CHECKED int fl_scn_find_kernel(const char *asked, const struct fl_scn_machine *machine, char path[PATH_MAX],
				  bool *idles_politely, struct fl_diag *diag);

#endif
