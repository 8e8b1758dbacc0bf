/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_INITRD_H
#define FL_CLI_INITRD_H

#include "faultline/faultline.h"

/*
 * Is that file what the kernel unpacks: a cpio archive, as it is or packed (usr/gen_init_cpio.c, lib/decompress.c)?
 * 0, also for what can be read once only and is left alone; -EINVAL or of open(2) with a sentence.
 */
FL_CHECKED int fl_cli_check_initrd(const char *path, struct fl_diag *diag);

#endif
