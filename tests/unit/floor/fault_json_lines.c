/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For check_fault_json.py: reads faults from stdin, one a line, and writes each as JSON. A line is the members of
 * struct fl_fault as decimal numbers, then region, path and shape as hexadecimal bytes ("-": none).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "faultline/faultline.h"

#define TEXT_ROOM 4096

static const char *unhex(const char *hex, char *out)
{
	size_t len = 0;
	unsigned int byte;

	if (strcmp(hex, "-") == 0)
		return NULL;
	for (; len + 1 < TEXT_ROOM && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[len++] = (char)byte;
	out[len] = '\0';
	return out;
}

int main(void)
{
	char line[32768], json[32768], hex[3][8192], text[3][TEXT_ROOM];

	alarm(30);
	while (fgets(line, sizeof(line), stdin)) {
		struct fl_fault fault = {.size = sizeof(fault)};
		struct fl_fault_times *times = &fault.times;
		int len;

		if (sscanf(line,
			   "%" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %" SCNu64
			   " %" SCNu64 " %u %u %u %" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32
			   " %" SCNu32 " %" SCNu32 " %" SCNu32 " %8191s %8191s %8191s",
			   &fault.flags, &fault.id, &fault.time_ns, &fault.vcpu, &fault.cpl, &fault.rip, &fault.gva,
			   &fault.gpa, &fault.access, &fault.cause, &fault.outcome, &fault.guest_seq,
			   &fault.file_offset, &fault.file_len, &fault.mapped_file_len, &times->intake_ns,
			   &times->locate_ns, &times->classify_ns, &times->decide_ns, &times->deliver_ns, hex[0],
			   hex[1], hex[2]) != 23)
			return 1;
		fault.share = unhex(hex[0], text[0]);
		fault.path = unhex(hex[1], text[1]);
		fault.shape = unhex(hex[2], text[2]);
		len = fl_fault_format_json(&fault, json, sizeof(json));
		if (len < 0 || strlen(json) != (size_t)len)
			return 2;
		puts(json);
	}
	return 0;
}
