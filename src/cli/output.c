/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <string.h>
#include <unistd.h>

#define FAULT_LINE_LEN	   4352 /* a path and the numbers around it */
#define CONSOLE_TAIL_LINES 12

void fl_cli_output_init(struct fl_cli_output *output, FILE *out, bool show_console)
{
	*output = (struct fl_cli_output){.out = out, .show_console = show_console};
	pthread_mutex_init(&output->lock, NULL);
}

void fl_cli_output_fini(struct fl_cli_output *output)
{
	pthread_mutex_destroy(&output->lock);
}

/* Lines come from several threads: each is one call, which stdio locks. */
void fl_cli_on_log(void *arg, enum fl_log_level level, const char *text)
{
	static const char *const names[] = {"error: ", "warning: ", "", ""};
	struct fl_cli_output *output = arg;
	size_t index = (size_t)level;

	fprintf(output->out, "faultline: %s%s\n", index < sizeof(names) / sizeof(names[0]) ? names[index] : "", text);
	fflush(output->out);
}

void fl_cli_on_fault(void *arg, const struct fl_fault *fault)
{
	struct fl_cli_output *output = arg;
	char line[FAULT_LINE_LEN];

	fl_fault_format(fault, line, sizeof(line));
	fprintf(output->out, "faultline: %s\n", line);
	fflush(output->out);
}

static void keep_tail(struct fl_cli_output *output, const char *bytes, size_t len)
{
	size_t size = sizeof(output->tail);

	if (len > size) {
		bytes += len - size;
		len = size;
	}
	if (output->tail_used + len > size) {
		size_t drop = output->tail_used + len - size;

		memmove(output->tail, output->tail + drop, output->tail_used - drop);
		output->tail_used -= drop;
	}
	memcpy(output->tail + output->tail_used, bytes, len);
	output->tail_used += len;
}

void fl_cli_on_console(void *arg, const void *bytes, size_t len)
{
	struct fl_cli_output *output = arg;

	if (output->show_console) {
		fwrite(bytes, 1, len, output->out);
		fflush(output->out);
		return;
	}
	pthread_mutex_lock(&output->lock);
	keep_tail(output, bytes, len);
	pthread_mutex_unlock(&output->lock);
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

	pthread_mutex_lock(&output->lock);
	size_t used = output->tail_used;

	memcpy(copy, output->tail, used);
	pthread_mutex_unlock(&output->lock);
	while (used > 0 && (copy[used - 1] == '\n' || copy[used - 1] == '\r'))
		used--;
	if (used == 0)
		return;
	const char *at = last_lines(copy, copy + used, CONSOLE_TAIL_LINES);

	fputs("faultline: the end of the guest's console:\n    ", output->out);
	for (; at < copy + used; at++) {
		/* a guest's bytes must not drive the user's terminal */
		if (*at == '\n')
			fputs("\n    ", output->out);
		else if ((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f)
			fputc(*at, output->out);
	}
	fputc('\n', output->out);
}
