/* SPDX-License-Identifier: Apache-2.0 */
/* What a case wants of the host besides its dirs. */
#ifndef FL_SCN_HOST_NEEDS_H
#define FL_SCN_HOST_NEEDS_H

#include "cli/scenario/language/scenario.h"

/* 0, or with a sentence that is a reason to skip it: -ENOENT where a program is missing, -EPERM, -ENOTSUP. */
FL_CHECKED int fl_scn_check_needs(const struct fl_scn_case *of, bool native, struct fl_diag *diag);

#endif
