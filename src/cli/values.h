/* SPDX-License-Identifier: Apache-2.0 */
/* What option values look like. Pure, but for fl_cli_parse_share(), which looks for the directory. */
#ifndef FL_CLI_VALUES_H
#define FL_CLI_VALUES_H

#include "cli/options.h"

/* All: `option` is named in the sentence. 0, -EINVAL or -ENOMEM. */

/* "512M": a whole number with an optional suffix K, M, G or T (powers of 1024), also "KiB" and "KB". */
FL_CHECKED int fl_cli_parse_size(const char *option, const char *text, uint64_t *bytes, struct fl_diag *diag);

FL_CHECKED int fl_cli_parse_number(const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *number,
				   struct fl_diag *diag);

/* "0x180000000", "6G": as a size, or hexadecimal */
FL_CHECKED int fl_cli_parse_address(const char *option, const char *text, uint64_t *address, struct fl_diag *diag);

/* "reflect,substitute,stop" */
FL_CHECKED int fl_cli_parse_policy(const char *option, const char *text, struct fl_policy *policy,
				   struct fl_diag *diag);

/* "DIR", "DIR:ro", "DIR:rw", "DIR:overlay" or "DIR:overlay=CHANGES"; mounted at "/" */
FL_CHECKED int fl_cli_parse_root(const char *option, const char *text, struct fl_cli_share *share,
				 struct fl_diag *diag);

/* "GUESTPATH=DIR", and unless it is writable, which is the caller's to say, ":overlay" or ":overlay=CHANGES" */
FL_CHECKED int fl_cli_parse_share(const char *option, const char *text, struct fl_cli_share *share,
				  struct fl_diag *diag);

/* The first len bytes of text, an absolute path in the guest, as struct fl_cli_share has it; the caller frees *mount.
 */
FL_CHECKED int fl_cli_parse_mount(const char *option, const char *text, size_t len, char **mount, struct fl_diag *diag);

/* "WHERE=reflect,stop" with a GUESTPATH or "ram"; where stays NULL if the text has no "WHERE=" */
FL_CHECKED int fl_cli_parse_override(const char *option, const char *text, struct fl_cli_override *override,
				     struct fl_diag *diag);

/* "FILE@ADDRESS" or "memfd:SIZE@ADDRESS", then ",ro", ",size=SIZE" and last ",on-fault=LIST" */
FL_CHECKED int fl_cli_parse_window(const char *option, const char *text, struct fl_cli_window *window,
				   struct fl_diag *diag);

void fl_cli_override_fini(struct fl_cli_override *override);
void fl_cli_window_fini(struct fl_cli_window *window);
void fl_cli_share_fini(struct fl_cli_share *share);

#endif
