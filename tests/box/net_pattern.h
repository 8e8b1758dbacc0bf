/* SPDX-License-Identifier: Apache-2.0 */
/* What both ends of a transfer know: bytes that show every loss, doubling or exchange. */
#ifndef NET_PATTERN_H
#define NET_PATTERN_H

#include <stdint.h>

#define NET_LEN	       (10u << 20)
#define NET_FROM_GUEST 1u
#define NET_FROM_HOST  2u

static inline uint8_t net_pattern(unsigned int who, uint64_t i)
{
	return (uint8_t)(who * 101 + i * 31 + (i >> 8) * 7 + (i >> 16) * 13);
}

#endif
