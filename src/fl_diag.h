/* SPDX-License-Identifier: Apache-2.0 */
/* Errors for a person: one sentence beside the errno. Any thread; diag belongs to the caller. */
#ifndef FL_DIAG_H
#define FL_DIAG_H

#include "faultline/faultline.h"
#include "fl_base.h"

/*
 * Stores the sentence (truncated to fit) and error in diag if that is not NULL; returns error, a
 * negative errno, so that callers can write `return fl_diag(d, -EINVAL, "...", ...)`.
 */
int fl_diag(struct fl_diag *diag, int error, const char *format, ...) FL_PRINTF(3, 4);

#endif
