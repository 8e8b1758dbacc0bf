/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people. PURE. */
#ifndef FL_CLI_UNITS_H
#define FL_CLI_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define FL_CLI_UNITS_LEN 32

/* "512 MiB", "1.5 GiB", "17 bytes" */
const char *fl_cli_bytes_text(uint64_t len, char text[FL_CLI_UNITS_LEN]);
/* "0.4 s", "12 s", "3 min", "2 h 10 min", "4 d 3 h" */
const char *fl_cli_time_text(uint64_t ns, char text[FL_CLI_UNITS_LEN]);

#endif
