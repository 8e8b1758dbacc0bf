/* SPDX-License-Identifier: Apache-2.0 */
/* What the embedder is told of a window in trouble, or the log if there is nobody to tell. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <time.h>

#include "vmm/vm.h"

struct heard {
	unsigned int events, lines;
	struct fl_window_event event;
	char region[64], line[512];
	enum fl_log_level level;
};

static void on_window(void *arg, const struct fl_window_event *event)
{
	struct heard *heard = arg;

	heard->events++;
	heard->event = *event;
	snprintf(heard->region, sizeof(heard->region), "%s", event->region);
}

static void on_log(void *arg, enum fl_log_level level, const char *text)
{
	struct heard *heard = arg;

	heard->lines++;
	heard->level = level;
	snprintf(heard->line, sizeof(heard->line), "%s", text);
}

static const struct fl_window_stats stats = {
	.ranges_total = 256, .ranges_mapped = 240, .nearly_full = 7, .no_mappings = 9};

static void tell(struct heard *heard, fl_window_fn window, enum fl_window_trouble trouble)
{
	struct fl_vm *vm = calloc(1, sizeof(*vm));
	char tag[] = "data";
	struct fl_vm_share share = {.vm = vm, .config.tag = tag};

	assert_non_null(vm);
	*heard = (struct heard){0};
	vm->config.opts.window = window;
	vm->config.opts.arg = heard;
	vm->log = (struct fl_log){.sink = on_log, .arg = heard, .level = FL_LOG_WARN};
	vm->mappings_max = 65530;
	fl_vm_window_trouble(&share, trouble, &stats);
	free(vm);
}

static void the_embedder_is_told(void **state)
{
	struct heard heard;
	uint64_t now_s = (uint64_t)time(NULL);

	(void)state;
	tell(&heard, on_window, FL_WINDOW_NEARLY_FULL);
	assert_int_equal(heard.events, 1);
	assert_int_equal(heard.lines, 0);
	assert_int_equal(heard.event.size, sizeof(heard.event));
	assert_int_equal(heard.event.trouble, FL_WINDOW_NEARLY_FULL);
	assert_string_equal(heard.region, "data");
	assert_int_equal(heard.event.ranges, 256);
	assert_int_equal(heard.event.ranges_mapped, 240);
	assert_int_equal(heard.event.times, 7);
	assert_int_equal(heard.event.mappings_max, 65530);
	assert_in_range(heard.event.time_ns / 1000000000, now_s, now_s + 20);
	tell(&heard, on_window, FL_WINDOW_NO_MAPPINGS);
	assert_int_equal(heard.event.trouble, FL_WINDOW_NO_MAPPINGS);
	assert_int_equal(heard.event.times, 9);
}

static void without_one_the_log_says_it(void **state)
{
	struct heard heard;

	(void)state;
	tell(&heard, NULL, FL_WINDOW_NO_MAPPINGS);
	assert_int_equal(heard.lines, 1);
	assert_int_equal(heard.level, FL_LOG_WARN);
	assert_non_null(strstr(heard.line, "vm.max_map_count, which is 65530"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_embedder_is_told),
	cmocka_unit_test(without_one_the_log_says_it),
};

FL_TEST_MAIN(30, tests)
