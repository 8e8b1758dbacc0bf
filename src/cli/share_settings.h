/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of shares one by one or of all: "[GUESTPATH=]WORD". What is said for all comes first, wherever it stands
 * on the line; of what was said for one share, the last wins.
 */
#ifndef FL_CLI_SHARE_SETTINGS_H
#define FL_CLI_SHARE_SETTINGS_H

#include "cli/options.h"

/* option: FL_CLI_OPTION_DAX, _MAP, _MOUNTS. 0; -EINVAL or -ENOMEM with a sentence. */
FL_CHECKED int fl_cli_add_setting(struct fl_cli_options *options, int option, const char *text, struct fl_diag *diag);
/* When all shares are known. -EINVAL: a setting for one that is not there. */
FL_CHECKED int fl_cli_settle_settings(struct fl_cli_options *options, struct fl_diag *diag);
void fl_cli_settings_fini(struct fl_cli_options *options);

#endif
