/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one JSON text (RFC 8259) into a stream, in one line, with numbers, addresses, times and texts as
 * docs/events.md has them. Commas and colons come by themselves:
 *
 *	struct fl_json json;
 *
 *	fl_json_begin(&json, out);
 *	fl_json_object(&json, NULL);
 *	fl_json_u64(&json, "vcpus", 2);
 *	fl_json_array(&json, "command");
 *	fl_json_string(&json, NULL, "true");
 *	fl_json_close(&json);
 *	fl_json_close(&json);
 *	ret = fl_json_end(&json);
 *
 * key: the member's name, in an object; NULL in an array, and for the whole. What goes wrong is remembered until
 * fl_json_end(), so that nobody need look at each call; nothing more is written then.
 */
#ifndef FL_CLI_JSON_OUT_H
#define FL_CLI_JSON_OUT_H

#include <stdio.h>

#include "faultline/faultline.h"

#define FL_JSON_DEPTH_MAX 32 /* objects and arrays inside each other */

struct fl_json {
	FILE *out;
	int error;
	unsigned int depth;
	struct {
		bool array;
		bool filled;		 /* what comes next needs a comma before it */
	} levels[FL_JSON_DEPTH_MAX + 1]; /* [0]: around the whole, which is one value */
};

void fl_json_begin(struct fl_json *json, FILE *out);

void fl_json_object(struct fl_json *json, const char *key);
void fl_json_array(struct fl_json *json, const char *key);
/* The innermost of the objects and arrays. */
void fl_json_close(struct fl_json *json);

/* Any bytes, up to the NUL; they are a "text" of docs/events.md. value NULL: null. */
void fl_json_string(struct fl_json *json, const char *key, const char *value);
/* The same with a length, for what may have NULs inside. */
void fl_json_bytes(struct fl_json *json, const char *key, const void *bytes, size_t len);
/* Beyond 2^53 - 1 a string of digits. */
void fl_json_u64(struct fl_json *json, const char *key, uint64_t number);
void fl_json_i64(struct fl_json *json, const char *key, int64_t number);
/* "0x..." */
void fl_json_address(struct fl_json *json, const char *key, uint64_t address);
/* RFC 3339, of nanoseconds since 1970. */
void fl_json_time(struct fl_json *json, const char *key, uint64_t time_ns);
void fl_json_bool(struct fl_json *json, const char *key, bool value);
void fl_json_null(struct fl_json *json, const char *key);
/* The members of an object that is text already, as the library writes a fault: "{...}". */
void fl_json_members(struct fl_json *json, const char *object);

/*
 * Ends the line and flushes the stream. 0; the first error of writing; -EINVAL: the calls did not make one whole value;
 * -EOVERFLOW: FL_JSON_DEPTH_MAX.
 */
FL_CHECKED int fl_json_end(struct fl_json *json);

#endif
