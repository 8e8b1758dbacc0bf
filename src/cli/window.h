/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_WINDOW_H
#define FL_CLI_WINDOW_H

#include "cli/options.h"

/* Opens the file or makes the memory; *len: the window's length. A descriptor, or -errno with a sentence. */
FL_CHECKED int fl_cli_open_window(const struct fl_cli_window *window, uint64_t *len, struct fl_diag *diag);

#endif
