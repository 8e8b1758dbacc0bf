/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of this host that tests go up to. */
#ifndef HOST_LIMITS_H
#define HOST_LIMITS_H

#include <stddef.h>
#include <stdio.h>

/* vm.max_map_count; 0 if it cannot be read */
static inline size_t test_map_count_max(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	size_t count = 0;

	if (file && fscanf(file, "%zu", &count) != 1)
		count = 0;
	if (file)
		fclose(file);
	return count;
}

#endif
