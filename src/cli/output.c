/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/event_lines.h"
#include "cli/machine.h"

#define FAULT_LINE_LEN	   4608	 /* a path and the numbers around it */
#define FAULT_EVENT_LEN	   25600 /* a path of which each byte is escaped, and the numbers */
#define WINDOW_TEXT_LEN	   4608	 /* a path in the guest, or a tag, and some numbers */
#define CONSOLE_TAIL_LINES 12

void fl_cli_output_init(struct fl_cli_output *output, FILE *out, bool show_console)
{
	*output =
		(struct fl_cli_output){.out = out, .line_end = "\n", .console_out = out, .show_console = show_console};
	fl_cli_events_none(&output->events);
	fl_cli_ring_init(&output->console, FL_CLI_CONSOLE_LEN, false);
	fl_cli_ring_init(&output->faults_text, FL_CLI_FAULTS_LEN, true);
	fl_cli_ring_init(&output->faults_json, FL_CLI_FAULTS_LEN, true);
	pthread_mutex_init(&output->lock, NULL);
}

void fl_cli_output_fini(struct fl_cli_output *output)
{
	fl_cli_ring_fini(&output->console);
	fl_cli_ring_fini(&output->faults_text);
	fl_cli_ring_fini(&output->faults_json);
	pthread_mutex_destroy(&output->lock);
}

/* Lines come from several threads: each is one call, which stdio locks. */
void fl_cli_on_log(void *arg, enum fl_log_level level, const char *text)
{
	static const char *const names[] = {"error: ", "warning: ", "", ""};
	struct fl_cli_output *output = arg;
	size_t index = (size_t)level;

	fprintf(output->out, "faultline: %s%s%s", index < sizeof(names) / sizeof(names[0]) ? names[index] : "", text,
		output->line_end);
	fflush(output->out);
}

bool fl_cli_line_has_room(uint64_t *busy_ns, uint64_t now_ns, uint32_t burst, uint32_t rate)
{
	uint64_t line_ns = UINT64_C(1000000000) / rate;
	uint64_t from_ns = *busy_ns > now_ns ? *busy_ns : now_ns;

	if (from_ns - now_ns > (burst - 1) * line_ns)
		return false;
	*busy_ns = from_ns + line_ns;
	return true;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A guest can fault as often as it likes: the terminal gets some of it, the events all. */
static bool may_print(struct fl_cli_output *output, uint64_t *left_out)
{
	pthread_mutex_lock(&output->lock);
	bool room = fl_cli_line_has_room(&output->fault_lines_ns, monotonic_ns(), FL_CLI_FAULT_LINES_BURST,
					 FL_CLI_FAULT_LINES_RATE);

	*left_out = room ? output->fault_lines_left_out : 0;
	output->fault_lines_left_out = room ? 0 : output->fault_lines_left_out + 1;
	pthread_mutex_unlock(&output->lock);
	return room;
}

static void print_left_out(const struct fl_cli_output *output, uint64_t left_out)
{
	if (left_out)
		fprintf(output->out,
			"faultline: %" PRIu64 " more faults are not shown here (--events FILE has them all)%s",
			left_out, output->line_end);
}

void fl_cli_print_left_out(struct fl_cli_output *output)
{
	pthread_mutex_lock(&output->lock);
	uint64_t left_out = output->fault_lines_left_out;

	output->fault_lines_left_out = 0;
	pthread_mutex_unlock(&output->lock);
	print_left_out(output, left_out);
}

/* Half an object would spoil the reader's day more than none. */
static void put_json(struct fl_cli_output *output, const struct fl_fault *fault)
{
	char event[FAULT_EVENT_LEN];
	int len = fl_fault_format_json(fault, event, sizeof(event) - 1);

	if (len <= 0 || (size_t)len >= sizeof(event) - 1)
		return;
	if (output->events.fd >= 0)
		fl_cli_events_put(&output->events, event, (size_t)len, false);
	event[len] = '\n';
	fl_cli_ring_put(&output->faults_json, event, (size_t)len + 1);
}

void fl_cli_on_fault(void *arg, const struct fl_fault *fault)
{
	struct fl_cli_output *output = arg;
	struct fl_fault for_people = *fault;
	char line[FAULT_LINE_LEN];
	uint64_t left_out;

	put_json(output, fault);
	if (output->options && fault->share)
		for_people.share = fl_cli_mount_of(output->options, fault->share);
	fl_fault_format(&for_people, line, sizeof(line) - 1);
	size_t len = strlen(line);

	line[len] = '\n';
	fl_cli_ring_put(&output->faults_text, line, len + 1);
	/* the one that stops the guest is the one that everybody wants to see */
	if (!may_print(output, &left_out) && fault->outcome != FL_OUTCOME_STOPPED)
		return;
	print_left_out(output, left_out);
	fprintf(output->out, "faultline: %.*s%s", (int)len, line, output->line_end);
	fflush(output->out);
}

void fl_cli_on_window(void *arg, const struct fl_window_event *event)
{
	struct fl_cli_output *output = arg;
	struct fl_window_event for_people = *event;
	char text[WINDOW_TEXT_LEN];
	size_t len;
	char *line = fl_cli_window_line(event, &len);

	fl_cli_events_put(&output->events, line, len, false);
	free(line);
	if (output->options)
		for_people.region = fl_cli_mount_of(output->options, event->region);
	fl_window_event_format(&for_people, text, sizeof(text));
	fprintf(output->out, "faultline: warning: %s%s", text, output->line_end);
	fflush(output->out);
}

void fl_cli_on_console(void *arg, const void *bytes, size_t len)
{
	struct fl_cli_output *output = arg;

	fl_cli_ring_put(&output->console, bytes, len);
	if (!output->show_console)
		return;
	fwrite(bytes, 1, len, output->console_out);
	fflush(output->console_out);
}

static const char *last_lines(const char *start, const char *end, unsigned int lines)
{
	const char *at = end;

	while (at > start && (at[-1] != '\n' || at == end || --lines > 0))
		at--;
	return at;
}

void fl_cli_print_console_tail(struct fl_cli_output *output)
{
	char copy[FL_CLI_CONSOLE_TAIL_LEN];

	uint64_t at = fl_cli_ring_end(&output->console);
	size_t used;

	at = at > sizeof(copy) ? at - sizeof(copy) : 0;
	used = fl_cli_ring_read(&output->console, &at, copy, sizeof(copy));
	while (used > 0 && (copy[used - 1] == '\n' || copy[used - 1] == '\r'))
		used--;
	if (used == 0)
		return;
	const char *shown = last_lines(copy, copy + used, CONSOLE_TAIL_LINES);

	fputs("faultline: the end of the guest's console:\n    ", output->out);
	for (; shown < copy + used; shown++) {
		/* a guest's bytes must not drive the user's terminal */
		if (*shown == '\n')
			fputs("\n    ", output->out);
		else if ((unsigned char)*shown >= ' ' && (unsigned char)*shown < 0x7f)
			fputc(*shown, output->out);
	}
	fputc('\n', output->out);
}
