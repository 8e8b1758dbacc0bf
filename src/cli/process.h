/* SPDX-License-Identifier: Apache-2.0 */
/* What this process needs before it has guests; before there are other threads. */
#ifndef FL_CLI_PROCESS_H
#define FL_CLI_PROCESS_H

/*
 * As many descriptors as it may have: the FUSE server keeps one for each file that a guest knows. And SIGBUS for failed
 * memory only where it is touched.
 */
void fl_cli_prepare_process(void);

#endif
