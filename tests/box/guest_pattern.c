/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/box/guest_dax.h"

uint64_t pattern_word(size_t offset)
{
	return UINT64_C(0x464c000000000001) + ((uint64_t)(offset / 8) << 8);
}
