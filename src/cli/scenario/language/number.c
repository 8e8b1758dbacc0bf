/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/language/number.h"

#include <ctype.h>
#include <string.h>

#include "cli/scenario/language/reading.h"

#define DEPTH_MAX 16u
#define PAGE_LEN  4096u

struct scan {
	const char *at;
	unsigned int depth;
	const char *wrong;
};

static const char does_not_fit[] = "it does not fit into 64 bits";

static uint64_t fail(struct scan *scan, const char *wrong)
{
	if (!scan->wrong)
		scan->wrong = wrong;
	return 0;
}

static int digit_of(char c, unsigned int base)
{
	int value = isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : 99;

	return value < (int)base ? value : -1;
}

static uint64_t take_digits(struct scan *scan, unsigned int base)
{
	uint64_t number = 0;

	if (digit_of(*scan->at, base) < 0)
		return fail(scan, *scan->at ? "a number is missing in it" : "there is a number missing at its end");
	for (int digit; (digit = digit_of(*scan->at, base)) >= 0; scan->at++)
		if (__builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)digit, &number))
			return fail(scan, does_not_fit);
	return number;
}

static uint64_t take_suffix(struct scan *scan)
{
	switch (*scan->at) {
	case 'K':
		return UINT64_C(1) << 10;
	case 'M':
		return UINT64_C(1) << 20;
	case 'G':
		return UINT64_C(1) << 30;
	case 'p':
		return PAGE_LEN;
	default:
		return 0;
	}
}

static uint64_t take_literal(struct scan *scan)
{
	bool hex = scan->at[0] == '0' && scan->at[1] == 'x';
	uint64_t number, suffix;

	if (!hex && scan->at[0] == '0' && isdigit((unsigned char)scan->at[1]))
		return fail(scan, "a decimal number does not begin with 0");
	scan->at += hex ? 2 : 0;
	number = take_digits(scan, hex ? 16 : 10);
	suffix = take_suffix(scan);
	if (suffix == 0)
		return number;
	scan->at++;
	if (__builtin_mul_overflow(number, suffix, &number))
		return fail(scan, does_not_fit);
	return number;
}

static uint64_t take_sum(struct scan *scan);

static uint64_t take_factor(struct scan *scan)
{
	uint64_t number;

	if (*scan->at != '(')
		return take_literal(scan);
	if (scan->depth == DEPTH_MAX)
		return fail(scan, "its parentheses are too deep, use let for the inner ones");
	scan->at++;
	scan->depth++;
	number = take_sum(scan);
	scan->depth--;
	if (*scan->at != ')')
		return fail(scan, "a parenthesis is not closed");
	scan->at++;
	return number;
}

static uint64_t take_product(struct scan *scan)
{
	uint64_t number = take_factor(scan);

	while (!scan->wrong && (*scan->at == '*' || *scan->at == '/')) {
		char sign = *scan->at++;
		uint64_t other = take_factor(scan);

		if (scan->wrong)
			return 0;
		if (sign == '/' && other == 0)
			return fail(scan, "it divides by zero");
		if (sign == '/')
			number /= other;
		else if (__builtin_mul_overflow(number, other, &number))
			return fail(scan, does_not_fit);
	}
	return number;
}

static uint64_t take_sum(struct scan *scan)
{
	uint64_t number = take_product(scan);

	while (!scan->wrong && (*scan->at == '+' || *scan->at == '-')) {
		char sign = *scan->at++;
		uint64_t other = take_product(scan);

		if (scan->wrong)
			return 0;
		if (sign == '-' && other > number)
			return fail(scan, "it is less than 0");
		if (sign == '-')
			number -= other;
		else if (__builtin_add_overflow(number, other, &number))
			return fail(scan, does_not_fit);
	}
	return number;
}

/* The number at *text, up to something that does not belong to one. */
static const char *parse_part(const char **text, uint64_t *number)
{
	struct scan scan = {.at = *text};
	uint64_t found = take_sum(&scan);

	if (scan.wrong)
		return scan.wrong;
	*text = scan.at;
	*number = found;
	return NULL;
}

static const char *what_follows(const char *rest)
{
	if (*rest == ')')
		return "a parenthesis is closed that was not opened";
	if (isalpha((unsigned char)*rest))
		return "only K, M, G and p can stand behind its digits";
	return "there is something in it that belongs to no number";
}

const char *fl_scn_parse_number(const char *text, uint64_t *number)
{
	uint64_t found;
	const char *wrong = parse_part(&text, &found);

	if (wrong)
		return wrong;
	if (*text)
		return what_follows(text);
	*number = found;
	return NULL;
}

const char *fl_scn_parse_range(const char *text, bool open, uint64_t *from, uint64_t *to)
{
	uint64_t first, last;
	const char *wrong = parse_part(&text, &first);

	if (wrong)
		return wrong;
	last = first;
	if (strncmp(text, "..", 2) == 0) {
		text += 2;
		if (*text || !open)
			wrong = parse_part(&text, &last);
		else
			last = UINT64_MAX;
	}
	if (wrong)
		return wrong;
	if (*text)
		return what_follows(text);
	if (last < first)
		return "its end lies before its beginning";
	*from = first;
	*to = last;
	return NULL;
}

const char *fl_scn_parse_octal(const char *text, uint64_t *mode)
{
	uint64_t found = 0;

	if (!*text)
		return "it has no digits";
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return "a mode has digits from 0 to 7 only";
		found = found * 8 + (uint64_t)(*text - '0');
		if (found > 07777)
			return "the highest mode is 7777";
	}
	*mode = found;
	return NULL;
}

static uint64_t unit_ns(const char *unit)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].unit, unit) == 0)
			return units[i].ns;
	return 0;
}

/* What stands behind the point: each digit is worth a tenth of the one before. */
static const char *add_fraction(const char *digits, size_t len, uint64_t unit, uint64_t *ns)
{
	if (len == 0)
		return "there is no digit behind its point";
	for (size_t i = 0; i < len; i++) {
		if (unit % 10)
			return "it is finer than a nanosecond";
		unit /= 10;
		*ns += (uint64_t)(digits[i] - '0') * unit;
	}
	return NULL;
}

const char *fl_scn_parse_time(const char *text, uint64_t *ns)
{
	static const char digits[] = "0123456789";
	struct scan scan = {.at = text};
	uint64_t found = take_digits(&scan, 10), unit;
	const char *fraction = scan.at + 1;
	size_t fraction_len = *scan.at == '.' ? strspn(fraction, digits) : 0;
	const char *unit_name = *scan.at == '.' ? fraction + fraction_len : scan.at;

	if (scan.wrong)
		return scan.wrong;
	unit = unit_ns(unit_name);
	if (unit == 0 && !(found == 0 && !*scan.at))
		return *unit_name ? "its unit is ns, us, ms or s" : "it has no unit: write ns, us, ms or s behind it";
	if (__builtin_mul_overflow(found, unit, &found) || found > FL_SCN_TIME_MAX)
		return "an hour is the most";
	if (*scan.at == '.') {
		const char *wrong = add_fraction(fraction, fraction_len, unit, &found);

		if (wrong)
			return wrong;
	}
	*ns = found;
	return NULL;
}

/* The beginning of a range, to which the unit of its end belongs if it has none of its own. */
static const char *parse_beginning(const char *text, size_t len, const char *end, uint64_t *ns)
{
	static const char digits[] = "0123456789.";
	const char *unit = end + strspn(end, digits);
	char first[2 * FL_SCN_NAME_MAX];

	if (len + strlen(unit) >= sizeof(first))
		return "it is too long";
	memcpy(first, text, len);
	first[len] = '\0';
	if (strspn(first, digits) == len)
		strcpy(first + len, unit);
	return fl_scn_parse_time(first, ns);
}

const char *fl_scn_parse_times(const char *text, uint64_t *from, uint64_t *to)
{
	const char *dots = strstr(text, "..");
	uint64_t start, end;
	const char *wrong = fl_scn_parse_time(dots ? dots + 2 : text, &end);

	start = end;
	if (!wrong && dots)
		wrong = parse_beginning(text, (size_t)(dots - text), dots + 2, &start);
	if (wrong)
		return wrong;
	if (end < start)
		return "its end lies before its beginning";
	*from = start;
	*to = end;
	return NULL;
}

const char *fl_scn_check_name(const char *text)
{
	static const char *const taken[] = {"in",    "on",    "at",	"of",	 "or",	   "to",   "has",
					    "after", "until", "faults", "turns", "within", "maybe"};
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = strlen(text);

	if (len == 0 || !strchr(letters, text[0]))
		return "it has to begin with a letter";
	for (size_t i = 0; i < len; i++)
		if (!strchr(letters, text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-')
			return "it can have letters, digits, \"_\" and \"-\"";
	if (len > FL_SCN_NAME_MAX)
		return "it can have 32 letters at most";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(taken[i], text) == 0)
			return "it is a word of the language";
	return NULL;
}
