/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/results/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define NS_IN_S	    UINT64_C(1000000000)
#define REPLACEMENT 0xfffdu

/* RFC 3629: without overlong forms, surrogates, and what is above U+10FFFF. 0: that is none. */
static uint32_t decode(const unsigned char *at, size_t left, size_t *len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t wanted = at[0] >= 0xf5 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc2 ? 2 : 0;
	uint32_t code = wanted ? at[0] & (0x7fu >> wanted) : 0;

	*len = 1;
	if (wanted == 0 || left < wanted)
		return 0;
	for (size_t i = 1; i < wanted; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[wanted] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return 0;
	*len = wanted;
	return code;
}

/* XML 1.0 has no such characters (2.2), terminals obey the first of them, and the others turn a line around. */
static bool is_unfit(uint32_t code)
{
	bool is_control = code < 0xa0;
	bool is_direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
	bool is_line_end = code == 0x2028 || code == 0x2029;

	return is_control || is_direction || is_line_end || (code & 0xfffe) == 0xfffe;
}

uint32_t fl_scn_next_char(const char *at, size_t left, size_t *len)
{
	const unsigned char *bytes = (const unsigned char *)at;

	*len = 1;
	if (bytes[0] == '\n' || bytes[0] == '\t')
		return bytes[0];
	if (bytes[0] < ' ')
		return 0x2400u + bytes[0];
	if (bytes[0] == 0x7f)
		return 0x2421;
	if (bytes[0] < 0x7f)
		return bytes[0];
	uint32_t code = decode(bytes, left, len);

	return is_unfit(code) ? REPLACEMENT : code;
}

void fl_scn_put_char(FILE *out, uint32_t code)
{
	if (code < 0x80) {
		putc((int)code, out);
		return;
	}
	unsigned int shift = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;

	putc((int)((code < 0x800 ? 0xc0 : code < 0x10000 ? 0xe0 : 0xf0) | code >> shift), out);
	while (shift > 0) {
		shift -= 6;
		putc((int)(0x80 | (code >> shift & 0x3f)), out);
	}
}

static void put_markup(FILE *out, uint32_t code)
{
	static const char special[] = "&<>\"'";

	if (code < 0x80 && strchr(special, (int)code))
		fprintf(out, "&#%" PRIu32 ";", code);
	else
		fl_scn_put_char(out, code);
}

void fl_scn_put_content(FILE *out, const char *bytes, size_t len)
{
	size_t used;

	for (size_t at = 0; bytes && at < len; at += used) {
		uint32_t code = fl_scn_next_char(bytes + at, len - at, &used);

		/* consoles end their lines in this way */
		if (bytes[at] == '\r' && at + 1 < len && bytes[at + 1] == '\n')
			continue;
		put_markup(out, code);
	}
}

void fl_scn_put_text(FILE *out, const char *text)
{
	fl_scn_put_content(out, text, text ? strlen(text) : 0);
}

void fl_scn_put_attribute(FILE *out, const char *text)
{
	size_t left = text ? strlen(text) : 0, used;

	for (; left > 0; text += used, left -= used) {
		uint32_t code = fl_scn_next_char(text, left, &used);

		/* XML 1.0, 3.3.3: written as it is, this would be a space */
		if (code < ' ')
			fprintf(out, "&#%" PRIu32 ";", code);
		else
			put_markup(out, code);
	}
}

const char *fl_scn_duration(uint64_t ns, char buf[FL_SCN_DURATION_LEN])
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"s", NS_IN_S}, {"ms", 1000000}, {"\xc2\xb5s", 1000}, {"ns", 1}};
	size_t unit = 0;

	if (ns >= 60 * NS_IN_S) {
		snprintf(buf, FL_SCN_DURATION_LEN, "%" PRIu64 " min %" PRIu64 " s", ns / NS_IN_S / 60,
			 ns / NS_IN_S % 60);
		return buf;
	}
	while (unit < 3 && ns < units[unit].ns)
		unit++;
	uint64_t whole = ns / units[unit].ns,
		 milli = units[unit].ns == 1 ? 0 : ns % units[unit].ns * 1000 / units[unit].ns;
	/* three digits that say something */
	int digits = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
	uint64_t fraction = digits == 0 ? 0 : digits == 1 ? milli / 100 : milli / 10;

	if (digits == 2 && fraction % 10 == 0) {
		fraction /= 10;
		digits = 1;
	}
	if (fraction == 0)
		snprintf(buf, FL_SCN_DURATION_LEN, "%" PRIu64 " %s", whole, units[unit].name);
	else
		snprintf(buf, FL_SCN_DURATION_LEN, "%" PRIu64 ".%0*" PRIu64 " %s", whole, digits, fraction,
			 units[unit].name);
	return buf;
}

const char *fl_scn_time(uint64_t time_ns, char buf[FL_SCN_TIME_LEN])
{
	time_t seconds = (time_t)(time_ns / NS_IN_S);
	struct tm utc = {0};

	gmtime_r(&seconds, &utc);
	if (strftime(buf, FL_SCN_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		buf[0] = '\0';
	return buf;
}

const char *fl_scn_verdict_name(enum fl_scn_verdict verdict)
{
	return verdict == FL_SCN_PASSED ? "passed" : verdict == FL_SCN_SKIPPED ? "skipped" : "failed";
}

const char *fl_scn_event_name(enum fl_scn_event_kind kind)
{
	static const char *const names[] = {"step", "wait", "mark", "fault", "delivery"};

	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "step";
}

bool fl_scn_event_is_bar(const struct fl_scn_event *event)
{
	return event->kind != FL_SCN_EVENT_MARK && event->kind != FL_SCN_EVENT_DELIVERY;
}

uint64_t fl_scn_event_end_ns(const struct fl_scn_event *event)
{
	return fl_scn_event_is_bar(event) && event->end_ns > event->begin_ns ? event->end_ns : event->begin_ns;
}

uint64_t fl_scn_event_last_ns(const struct fl_scn_event *event)
{
	uint64_t end_ns = fl_scn_event_end_ns(event);

	return event->count > 1 && event->last_ns > end_ns ? event->last_ns : end_ns;
}

size_t fl_scn_count(const struct fl_scn_results *results, enum fl_scn_verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < results->count; i++)
		count += results->all[i]->verdict == verdict;
	return count;
}

const char *fl_scn_result_name(const struct fl_scn_result *result)
{
	return result->scenario_case && result->scenario_case->name ? result->scenario_case->name : "?";
}

bool fl_scn_is_repeated(const struct fl_scn_result *result)
{
	return result->run > 1 || (result->scenario_case && result->scenario_case->repeat > 1);
}

const char *fl_scn_result_brief(const struct fl_scn_result *result)
{
	if (result->failures_count > 0 && result->failures[0].text)
		return result->failures[0].text;
	return result->reason ? result->reason : "";
}

const char *fl_scn_machine_name(const struct fl_scn_result *result, uint32_t machine)
{
	const struct fl_scn_case *made = result->scenario_case;

	return made && machine < made->machines_count && made->machines[machine].name ? made->machines[machine].name
										      : "?";
}

int fl_scn_finish(FILE *out)
{
	int ret;

	errno = 0;
	ret = fflush(out);
	/* a stream remembers that something failed, but not why: what has failed once does so again */
	if (ret == 0 && ferror(out) && putc('\n', out) != EOF)
		ret = fflush(out);
	if (ret == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}
