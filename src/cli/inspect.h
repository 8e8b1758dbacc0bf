/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a guest that has ended: its report, and where its memory can be read. */
#ifndef FL_CLI_INSPECT_H
#define FL_CLI_INSPECT_H

#include "faultline/faultline.h"

/* Writes the report to the file, or to standard error if it is NULL. False, with a line about it, if that failed. */
bool fl_cli_write_report(struct fl_vm *vm, const char *file);

/* This process's descriptor of the guest's memory; -ENOENT. */
int fl_cli_find_memory(void);

/* Says where the memory of the guest is, and what ends the waiting. */
void fl_cli_invite_inspection(const char *report);

#endif
