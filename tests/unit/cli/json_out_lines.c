/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For check_json_out.py: reads calls of cli/json_out.h, one a line, "NAME KEY VALUE", and makes them. KEY and the value
 * of "string" are hexadecimal bytes with a "=" before them, or "-" for none. "end" ends one text and begins another.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json_out.h"

#define TEXT_ROOM 4096

/* Returns how many bytes; SIZE_MAX: none. They end with a NUL. */
static size_t unhex(const char *hex, char *out)
{
	size_t len = 0;
	unsigned int byte;

	if (*hex != '=')
		return SIZE_MAX;
	for (hex++; len + 1 < TEXT_ROOM && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[len++] = (char)byte;
	out[len] = '\0';
	return len;
}

static bool call(struct fl_json *json, const char *name, const char *key, const char *value)
{
	char text[TEXT_ROOM];

	if (strcmp(name, "object") == 0)
		fl_json_object(json, key);
	else if (strcmp(name, "array") == 0)
		fl_json_array(json, key);
	else if (strcmp(name, "close") == 0)
		fl_json_close(json);
	else if (strcmp(name, "string") == 0)
		fl_json_bytes(json, key, text, unhex(value, text));
	else if (strcmp(name, "u64") == 0)
		fl_json_u64(json, key, strtoull(value, NULL, 10));
	else if (strcmp(name, "i64") == 0)
		fl_json_i64(json, key, strtoll(value, NULL, 10));
	else if (strcmp(name, "bool") == 0)
		fl_json_bool(json, key, strcmp(value, "1") == 0);
	else if (strcmp(name, "null") == 0)
		fl_json_null(json, key);
	else
		return false;
	return true;
}

int main(void)
{
	char line[32768], name[16], key_hex[8192], key[TEXT_ROOM], value[8192];
	struct fl_json json;

	alarm(30);
	fl_json_begin(&json, stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %8191s %8191s", name, key_hex, value) != 3)
			return 1;
		bool named = unhex(key_hex, key) != SIZE_MAX;

		if (strcmp(name, "end") != 0) {
			if (!call(&json, name, named ? key : NULL, value))
				return 2;
			continue;
		}
		if (fl_json_end(&json) < 0)
			return 3;
		fl_json_begin(&json, stdout);
	}
	return 0;
}
