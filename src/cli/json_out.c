/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_out.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* RFC 8259, 6: integers up to here are the same number for every reader. */
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)
#define NS_IN_S	   UINT64_C(1000000000)

static void fail(struct fl_json *json, int error)
{
	if (!json->error)
		json->error = error;
}

static void put_bytes(struct fl_json *json, const void *bytes, size_t len)
{
	if (json->error || len == 0)
		return;
	errno = 0;
	if (fwrite(bytes, 1, len, json->out) != len)
		fail(json, errno ? -errno : -EIO);
}

static void put(struct fl_json *json, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct fl_json *json, const char *format, ...)
{
	char text[64]; /* for more than any caller has */
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);

	va_end(args);
	put_bytes(json, text, len > 0 && (size_t)len < sizeof(text) ? (size_t)len : 0);
}

/* Of the UTF-8 sequence (RFC 3629) that is there; 0: none, or a control character of C1. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	/* what the second byte can be least and most: no overlong forms, no surrogates, nothing above U+10FFFF */
	unsigned char least = at[0] == 0xc2 ? 0xa0 : at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;

	if (at[0] < 0xc2 || at[0] > 0xf4 || left < len || at[1] < least || at[1] > most)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* How many bytes from there on stand for themselves. */
static size_t plain_len(const unsigned char *at, size_t left)
{
	size_t plain = 0;

	while (plain < left) {
		const unsigned char c = at[plain];
		size_t len =
			c >= 0x80 ? utf8_len(at + plain, left - plain) : c >= ' ' && c != 0x7f && c != '"' && c != '\\';

		if (len == 0)
			break;
		plain += len;
	}
	return plain;
}

/* Twice escaped: what a reader has decoded is the text of docs/events.md, with its own backslashes. */
static void put_escape(struct fl_json *json, unsigned char c)
{
	if (c == '"')
		put(json, "\\\"");
	else if (c == '\\')
		put(json, "\\\\\\\\");
	else
		put(json, "\\\\%03o", c);
}

static void put_quoted(struct fl_json *json, const void *bytes, size_t len)
{
	const unsigned char *at = bytes, *end = at + len;

	put(json, "\"");
	while (at < end && !json->error) {
		size_t plain = plain_len(at, (size_t)(end - at));

		put_bytes(json, at, plain);
		at += plain;
		if (at < end)
			put_escape(json, *at++);
	}
	put(json, "\"");
}

/* What stands before a value. false: none can come here, or something has gone wrong already. */
static bool begin_value(struct fl_json *json, const char *key)
{
	bool in_object = json->depth && !json->levels[json->depth].array;
	bool filled = json->levels[json->depth].filled;

	if (in_object != (key != NULL) || (json->depth == 0 && filled))
		fail(json, -EINVAL);
	put(json, filled ? "," : "");
	json->levels[json->depth].filled = true;
	if (key) {
		put_quoted(json, key, strlen(key));
		put(json, ":");
	}
	return !json->error;
}

static void open_level(struct fl_json *json, const char *key, bool array)
{
	if (json->depth == FL_JSON_DEPTH_MAX)
		fail(json, -EOVERFLOW);
	if (!begin_value(json, key))
		return;
	put(json, array ? "[" : "{");
	json->depth++;
	json->levels[json->depth].array = array;
	json->levels[json->depth].filled = false;
}

void fl_json_begin(struct fl_json *json, FILE *out)
{
	*json = (struct fl_json){.out = out};
}

void fl_json_object(struct fl_json *json, const char *key)
{
	open_level(json, key, false);
}

void fl_json_array(struct fl_json *json, const char *key)
{
	open_level(json, key, true);
}

void fl_json_close(struct fl_json *json)
{
	if (json->depth == 0)
		fail(json, -EINVAL);
	if (json->error)
		return;
	put(json, json->levels[json->depth].array ? "]" : "}");
	json->depth--;
}

void fl_json_bytes(struct fl_json *json, const char *key, const void *bytes, size_t len)
{
	if (begin_value(json, key))
		put_quoted(json, bytes, len);
}

void fl_json_string(struct fl_json *json, const char *key, const char *value)
{
	if (value)
		fl_json_bytes(json, key, value, strlen(value));
	else
		fl_json_null(json, key);
}

void fl_json_u64(struct fl_json *json, const char *key, uint64_t number)
{
	if (begin_value(json, key))
		put(json, number <= (uint64_t)NUMBER_MAX ? "%" PRIu64 : "\"%" PRIu64 "\"", number);
}

void fl_json_i64(struct fl_json *json, const char *key, int64_t number)
{
	if (begin_value(json, key))
		put(json, number >= -NUMBER_MAX && number <= NUMBER_MAX ? "%" PRId64 : "\"%" PRId64 "\"", number);
}

void fl_json_address(struct fl_json *json, const char *key, uint64_t address)
{
	if (begin_value(json, key))
		put(json, "\"0x%" PRIx64 "\"", address);
}

void fl_json_time(struct fl_json *json, const char *key, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_IN_S);
	struct tm utc = {0};

	gmtime_r(&seconds, &utc);
	if (begin_value(json, key))
		put(json, "\"%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z\"", utc.tm_year + 1900, utc.tm_mon + 1,
		    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, time_ns % NS_IN_S);
}

void fl_json_bool(struct fl_json *json, const char *key, bool value)
{
	if (begin_value(json, key))
		put(json, value ? "true" : "false");
}

void fl_json_null(struct fl_json *json, const char *key)
{
	if (begin_value(json, key))
		put(json, "null");
}

void fl_json_members(struct fl_json *json, const char *object)
{
	size_t len = strlen(object);
	bool in_object = json->depth && !json->levels[json->depth].array;

	if (!in_object || len < 2 || object[0] != '{' || object[len - 1] != '}')
		fail(json, -EINVAL);
	if (json->error || len == 2)
		return;
	put(json, json->levels[json->depth].filled ? "," : "");
	json->levels[json->depth].filled = true;
	put_bytes(json, object + 1, len - 2);
}

int fl_json_end(struct fl_json *json)
{
	if (json->depth != 0 || !json->levels[0].filled)
		fail(json, -EINVAL);
	put(json, "\n");
	if (!json->error && fflush(json->out) != 0)
		fail(json, -errno);
	return json->error;
}
