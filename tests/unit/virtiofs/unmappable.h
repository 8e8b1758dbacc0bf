/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unmappable: a file system whose files can be read but not mapped: a FUSE server in a process of its own, which
 * answers every OPEN with FOPEN_DIRECT_IO. It holds one file.
 */
#ifndef FL_UNMAPPABLE_H
#define FL_UNMAPPABLE_H

#include <stdbool.h>
#include <sys/types.h>

#define UNMAPPABLE_NAME "file"
#define UNMAPPABLE_TEXT "not to be mapped"

/* False: this process may not mount, or there is no FUSE here. */
bool unmappable_mount(const char *dir, pid_t *server);
void unmappable_unmount(const char *dir, pid_t server);

#endif
