/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the numbers of the public header, and a fault as one line for a person. */
#include <inttypes.h>
#include <stdio.h>

#include "faultline/faultline.h"
#include "fl_report_impl.h"

const char *fl_cause_name(enum fl_cause cause)
{
	static const char *const names[] = {
		[FL_CAUSE_NONE] = "none",
		[FL_CAUSE_TRUNCATED] = "truncated",
		[FL_CAUSE_NO_SPACE] = "no-space",
		[FL_CAUSE_IO_ERROR] = "io-error",
		[FL_CAUSE_MEMORY_FAILURE] = "memory-failure",
		[FL_CAUSE_UNMAPPED] = "unmapped",
		[FL_CAUSE_NOT_PERMITTED] = "not-permitted",
		[FL_CAUSE_UNKNOWN] = "unknown",
	};

	return (size_t)cause < FL_ARRAY_SIZE(names) ? names[cause] : "unknown";
}

const char *fl_access_name(enum fl_access access)
{
	switch (access) {
	case FL_ACCESS_READ:
		return "read";
	case FL_ACCESS_WRITE:
		return "write";
	case FL_ACCESS_FETCH:
		return "fetch";
	case FL_ACCESS_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *fl_outcome_name(enum fl_outcome outcome)
{
	static const char *const names[] = {
		[FL_OUTCOME_RETRIED] = "retried",
		[FL_OUTCOME_RECORD] = "record",
		[FL_OUTCOME_PLAIN] = "plain",
		[FL_OUTCOME_STOPPED] = "stopped",
		[FL_OUTCOME_SUBSTITUTED] = "substituted",
	};

	return (size_t)outcome < FL_ARRAY_SIZE(names) ? names[outcome] : "unknown";
}

const char *fl_action_name(enum fl_action action)
{
	static const char *const names[] = {
		[FL_ACTION_STOP] = "stop", [FL_ACTION_REFLECT] = "reflect", [FL_ACTION_SUBSTITUTE] = "substitute",
		[FL_ACTION_ASK] = "ask",   [FL_ACTION_RETRY] = "retry",	    [FL_ACTION_NEXT] = "next",
	};

	return (size_t)action < FL_ARRAY_SIZE(names) ? names[action] : "unknown";
}

const char *fl_fault_mode_name(enum fl_fault_mode mode)
{
	static const char *const names[] = {
		[FL_FAULT_MODE_AUTO] = "auto",
		[FL_FAULT_MODE_STRICT] = "strict",
		[FL_FAULT_MODE_WATCH] = "watch",
	};

	return (size_t)mode < FL_ARRAY_SIZE(names) ? names[mode] : "unknown";
}

const char *fl_vm_state_name(enum fl_vm_state state)
{
	static const char *const names[] = {
		[FL_VM_NOT_STARTED] = "not started",
		[FL_VM_RUNNING] = "running",
		[FL_VM_PAUSED] = "paused",
		[FL_VM_ENDED] = "ended",
	};

	return (size_t)state < FL_ARRAY_SIZE(names) ? names[state] : "unknown";
}

const char *fl_vcpu_state_name(enum fl_vcpu_state state)
{
	static const char *const names[] = {
		[FL_VCPU_NOT_RUNNING] = "not running",
		[FL_VCPU_RUNNING] = "running",
		[FL_VCPU_HALTED] = "halted",
		[FL_VCPU_SERVED] = "served",
		[FL_VCPU_IN_FAULT] = "in a fault",
		[FL_VCPU_PAUSED] = "paused",
	};

	return (size_t)state < FL_ARRAY_SIZE(names) ? names[state] : "unknown";
}

const char *fl_region_type_name(enum fl_region_type type)
{
	static const char *const names[] = {
		[FL_REGION_TYPE_RAM] = "ram",
		[FL_REGION_TYPE_SHARE] = "share",
		[FL_REGION_TYPE_WINDOW] = "window",
	};

	return (size_t)type < FL_ARRAY_SIZE(names) ? names[type] : "unknown";
}

void fl_line_add(struct fl_line *line, const char *format, ...)
{
	size_t room = line->used < line->cap ? line->cap - line->used : 0;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(room ? line->buf + line->used : NULL, room, format, args);
	va_end(args);
	if (length > 0)
		line->used += (size_t)length;
}

/* Length of the UTF-8 sequence (RFC 3629) at text, 0 if it is none or a C1 control. */
static size_t utf8_len(const unsigned char *text)
{
	size_t len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;

	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f) ||
	    (text[0] == 0xc2 && text[1] < 0xa0))
		return 0;
	return len;
}

size_t fl_text_plain_len(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (*at >= 0x80)
		return utf8_len(at);
	return *at >= 0x20 && *at != 0x7f;
}

/* A guest that may write to the share chooses file names: they must not forge lines or drive the terminal. */
static void add_quoted(struct fl_line *line, const char *text)
{
	size_t len;

	fl_line_add(line, "\"");
	for (; *text; text += len) {
		len = fl_text_plain_len(text);
		if (len == 0) {
			fl_line_add(line, "\\%03o", (unsigned char)*text);
			len = 1;
		} else if (*text == '"' || *text == '\\') {
			fl_line_add(line, "\\%c", *text);
		} else {
			fl_line_add(line, "%.*s", (int)len, text);
		}
	}
	fl_line_add(line, "\"");
}

static void add_access(struct fl_line *line, const struct fl_fault *fault)
{
	const char *access = fault->access == FL_ACCESS_UNKNOWN ? "access" : fl_access_name(fault->access);

	fl_line_add(line, "fault %" PRIu64 ": vcpu %u %s at rip 0x%" PRIx64, fault->id, fault->vcpu, access,
		    fault->rip);
	if (fault->flags & FL_FAULT_GVA_VALID)
		fl_line_add(line, " of 0x%" PRIx64, fault->gva);
	if (fault->flags & FL_FAULT_GPA_VALID)
		fl_line_add(line, fault->flags & FL_FAULT_GVA_VALID ? " (gpa 0x%" PRIx64 ")" : " of gpa 0x%" PRIx64,
			    fault->gpa);
	if (!(fault->flags & (FL_FAULT_GVA_VALID | FL_FAULT_GPA_VALID)))
		fl_line_add(line, " of an address that could not be found");
}

/* What the cause means, for the words before the file's name. */
static const char *cause_sentence(const struct fl_fault *fault)
{
	switch (fault->cause) {
	case FL_CAUSE_NONE:
		return "nothing is wrong with the page any more";
	case FL_CAUSE_TRUNCATED:
		return "data is past the end of its file";
	case FL_CAUSE_NO_SPACE:
		return "the host has no space for the page";
	case FL_CAUSE_IO_ERROR:
		return "the host's storage failed to give the page";
	case FL_CAUSE_MEMORY_FAILURE:
		return "the host's memory is bad there";
	case FL_CAUSE_UNMAPPED:
		return "nothing is mapped there";
	case FL_CAUSE_NOT_PERMITTED:
		return "the mapping is read-only";
	case FL_CAUSE_UNKNOWN:
		break;
	}
	return "the page cannot be had and the host does not say why";
}

static void add_file(struct fl_line *line, const struct fl_fault *fault)
{
	if (fault->cause == FL_CAUSE_TRUNCATED)
		fl_line_add(line, "data at ");
	else
		fl_line_add(line, "%s: ", cause_sentence(fault));
	add_quoted(line, fault->path ? fault->path : "?");
	fl_line_add(line, " offset %" PRIu64 ", file is %" PRIu64 " bytes%s", fault->file_offset, fault->file_len,
		    fault->cause == FL_CAUSE_TRUNCATED ? " now" : "");
	if (fault->mapped_file_len != fault->file_len)
		fl_line_add(line, ", was %" PRIu64 " when mapped", fault->mapped_file_len);
}

static const char *outcome_sentence(enum fl_outcome outcome)
{
	switch (outcome) {
	case FL_OUTCOME_RETRIED:
		return "page is healthy again, access repeated";
	case FL_OUTCOME_RECORD: /* add_outcome() */
		break;
	case FL_OUTCOME_PLAIN:
		return "#NP without a record delivered";
	case FL_OUTCOME_STOPPED:
		return "VM stopped";
	case FL_OUTCOME_SUBSTITUTED:
		return "a private zero page put there, access repeated";
	}
	return "outcome unknown";
}

/* With the number of the record, which the guest's messages have too (docs/events.md). */
static void add_outcome(struct fl_line *line, const struct fl_fault *fault)
{
	if (fault->outcome == FL_OUTCOME_RECORD)
		fl_line_add(line, "#NP with record %" PRIu32 " delivered", fault->guest_seq);
	else
		fl_line_add(line, "%s", outcome_sentence(fault->outcome));
}

int fl_fault_format(const struct fl_fault *fault, char *buf, size_t buf_len)
{
	struct fl_line line = {.buf = buf, .cap = buf_len};

	if (buf_len)
		buf[0] = '\0';
	add_access(&line, fault);
	fl_line_add(&line, ": %s: ", fl_cause_name(fault->cause));
	if (fault->flags & FL_FAULT_FILE_VALID)
		add_file(&line, fault);
	else
		fl_line_add(&line, "%s", cause_sentence(fault));
	if (!(fault->flags & FL_FAULT_FILE_VALID) && fault->share && fault->share[0]) {
		fl_line_add(&line, " in region ");
		add_quoted(&line, fault->share);
	}
	fl_line_add(&line, "; ");
	add_outcome(&line, fault);
	return (int)line.used;
}

static void add_nearly_full(struct fl_line *line, const struct fl_window_event *event)
{
	fl_line_add(line, "the DAX window of share ");
	add_quoted(line, event->region);
	fl_line_add(line,
		    " is nearly used up: %" PRIu64 " of its %" PRIu64
		    " ranges are mapped; a guest that works on more of "
		    "its files than that waits for mappings, so give it a larger --dax-window",
		    event->ranges_mapped, event->ranges);
}

static void add_no_mappings(struct fl_line *line, const struct fl_window_event *event)
{
	fl_line_add(line, "a file of share ");
	add_quoted(line, event->region);
	fl_line_add(line, " could not be mapped, since this process has no mappings or no memory left; ");
	if (event->mappings_max)
		fl_line_add(line, "raise sysctl vm.max_map_count, which is %" PRIu64 ", or ", event->mappings_max);
	fl_line_add(line, "give smaller windows (--dax-window)");
}

int fl_window_event_format(const struct fl_window_event *event, char *buf, size_t buf_len)
{
	struct fl_line line = {.buf = buf, .cap = buf_len};

	if (buf_len)
		buf[0] = '\0';
	if (event->trouble == FL_WINDOW_NEARLY_FULL)
		add_nearly_full(&line, event);
	else
		add_no_mappings(&line, event);
	return (int)line.used;
}
