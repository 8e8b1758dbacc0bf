/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/units.h"

#include <inttypes.h>
#include <stdio.h>

const char *fl_cli_bytes_text(uint64_t len, char text[FL_CLI_UNITS_LEN])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	unsigned int unit = 0;

	if (len < 1024) {
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " bytes", len);
		return text;
	}
	while (unit < 3 && len >> (10 * (unit + 2)))
		unit++;
	unsigned int shift = 10 * (unit + 1);
	/* tenths, rounded down: 1023.9 must not become 1024 */
	uint64_t tenths = (len >> shift) * 10 + (((len & ((UINT64_C(1) << shift) - 1)) >> (shift - 10)) * 10 >> 10);

	if (tenths % 10 == 0 || tenths >= 1000)
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " %s", tenths / 10, units[unit]);
	else
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
	return text;
}

const char *fl_cli_time_text(uint64_t ns, char text[FL_CLI_UNITS_LEN])
{
	uint64_t s = ns / 1000000000, min = s / 60, h = min / 60;

	if (s < 10)
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 ".%" PRIu64 " s", s, ns / 100000000 % 10);
	else if (min == 0)
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " s", s);
	else if (h == 0)
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " min", min);
	else if (h < 24)
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " h %" PRIu64 " min", h, min % 60);
	else
		snprintf(text, FL_CLI_UNITS_LEN, "%" PRIu64 " d %" PRIu64 " h", h / 24, h % 24);
	return text;
}
