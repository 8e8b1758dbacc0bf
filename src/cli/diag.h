/* SPDX-License-Identifier: Apache-2.0 */
/* The launcher's own sentences in the library's struct fl_diag. */
#ifndef FL_CLI_DIAG_H
#define FL_CLI_DIAG_H

#include "faultline/faultline.h"

/* Stores the sentence; returns error, a negative errno. */
int fl_cli_diag(struct fl_diag *diag, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
