/* SPDX-License-Identifier: Apache-2.0 */
/* A fault as one JSON object (RFC 8259); docs/events.md says what each member means and is the authority. */
#include <inttypes.h>
#include <time.h>

#include "faultline/faultline.h"
#include "fl_report_impl.h"

/* RFC 8259, 6: integers up to here are the same number for every reader. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)
#define NS_IN_S	   UINT64_C(1000000000)

static void add_number(struct fl_line *line, const char *name, uint64_t value)
{
	fl_line_add(line, value <= NUMBER_MAX ? ",\"%s\":%" PRIu64 : ",\"%s\":\"%" PRIu64 "\"", name, value);
}

static void add_number_or_null(struct fl_line *line, const char *name, bool valid, uint64_t value)
{
	if (valid)
		add_number(line, name, value);
	else
		fl_line_add(line, ",\"%s\":null", name);
}

static void add_address(struct fl_line *line, const char *name, bool valid, uint64_t address)
{
	fl_line_add(line, valid ? ",\"%s\":\"0x%" PRIx64 "\"" : ",\"%s\":null", name, address);
}

static void add_name(struct fl_line *line, const char *name, const char *value)
{
	fl_line_add(line, ",\"%s\":\"%s\"", name, value);
}

/*
 * Any byte string becomes a JSON string, and back: what the string holds, once a reader has decoded it, is the
 * text with each backslash doubled and each byte that is a control or no UTF-8 as \ooo. (JSON itself cannot
 * carry such bytes: a lone surrogate, the other usual trick, is refused by many readers.)
 */
static void add_text(struct fl_line *line, const char *name, const char *text)
{
	size_t len;

	fl_line_add(line, ",\"%s\":\"", name);
	for (; *text; text += len) {
		len = fl_text_plain_len(text);
		if (len == 0) {
			fl_line_add(line, "\\\\%03o", (unsigned char)*text);
			len = 1;
		} else if (*text == '\\') {
			fl_line_add(line, "\\\\\\\\");
		} else if (*text == '"') {
			fl_line_add(line, "\\\"");
		} else {
			fl_line_add(line, "%.*s", (int)len, text);
		}
	}
	fl_line_add(line, "\"");
}

static void add_text_or_null(struct fl_line *line, const char *name, bool valid, const char *text)
{
	if (valid && text)
		add_text(line, name, text);
	else
		fl_line_add(line, ",\"%s\":null", name);
}

/* RFC 3339, in UTC, with nanoseconds: 2^64 of them end in the year 2554. */
static void add_time(struct fl_line *line, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_IN_S);
	struct tm utc = {0};

	gmtime_r(&seconds, &utc);
	fl_line_add(line, ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z\"", utc.tm_year + 1900,
		    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, time_ns % NS_IN_S);
}

static void add_times(struct fl_line *line, const struct fl_fault_times *times)
{
	fl_line_add(line,
		    ",\"times_ns\":{\"intake\":%" PRIu32 ",\"locate\":%" PRIu32 ",\"classify\":%" PRIu32
		    ",\"decide\":%" PRIu32 ",\"deliver\":%" PRIu32 "}",
		    times->intake_ns, times->locate_ns, times->classify_ns, times->decide_ns, times->deliver_ns);
}

int fl_fault_format_json(const struct fl_fault *fault, char *buf, size_t buf_len)
{
	struct fl_line line = {.buf = buf, .cap = buf_len};
	bool has_file = fault->flags & FL_FAULT_FILE_VALID;

	if (buf_len)
		buf[0] = '\0';
	fl_line_add(&line, "{\"event\":\"fault\"");
	add_number(&line, "id", fault->id);
	add_time(&line, fault->time_ns);
	add_number(&line, "vcpu", fault->vcpu);
	add_number(&line, "cpl", fault->cpl);
	add_address(&line, "rip", true, fault->rip);
	add_address(&line, "gva", fault->flags & FL_FAULT_GVA_VALID, fault->gva);
	add_address(&line, "gpa", fault->flags & FL_FAULT_GPA_VALID, fault->gpa);
	add_name(&line, "access", fl_access_name(fault->access));
	add_name(&line, "cause", fl_cause_name(fault->cause));
	add_name(&line, "outcome", fl_outcome_name(fault->outcome));
	add_number(&line, "guest_seq", fault->guest_seq);
	add_text_or_null(&line, "region", fault->share && fault->share[0], fault->share);
	add_text_or_null(&line, "path", has_file, fault->path);
	add_number_or_null(&line, "file_offset", has_file, fault->file_offset);
	add_number_or_null(&line, "file_len", has_file, fault->file_len);
	add_number_or_null(&line, "mapped_file_len", has_file, fault->mapped_file_len);
	add_text_or_null(&line, "shape", true, fault->shape);
	add_times(&line, &fault->times);
	fl_line_add(&line, "}");
	return (int)line.used;
}
