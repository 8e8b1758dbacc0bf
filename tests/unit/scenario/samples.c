/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES 6u
#define US	UINT64_C(1000)
#define MS	UINT64_C(1000000)

const char fl_scn_hostile[] =
	"hostile</script></details><!--<script>alert(1)</script>]]>&amp;\"'`{{data}}\\ # SKIP [[ATTACHMENT|/etc/"
	"passwd]]\n\r\tnot ok 9\x1b[31m\x01\x7f\xff\xc3\xe2\x80\xae\xc2\x9b\xef\xbf\xbf\xed\xa0\x80\xf4\x90\x80\x80 \xc3\xa4";

static const struct fl_scn_machine machines[] = {{.name = "vm", .vcpus = 2, .ram_len = UINT64_C(512) << 20}};
static const struct fl_scn_machine hostile_machines[] = {{.name = fl_scn_hostile}};

static const struct fl_scn_case cases[] = {
	{.name = "reader[access=read]", .machines = machines, .machines_count = 1},
	{.name = "reader[access=vector]", .machines = machines, .machines_count = 1, .repeat = 2},
	{.name = "disk-full", .machines = machines, .machines_count = 1},
	{.name = fl_scn_hostile, .machines = hostile_machines, .machines_count = 1},
	{.name = "storm", .machines = machines, .machines_count = 1},
	{.name = "unbootable", .machines = machines, .machines_count = 1},
};

static const struct fl_scn_text texts[] = {
	{.path = "scenarios/reader.scn",
	 .about =
		 "A file is cut under three readers: each gets SIGBUS with the exact address, and nobody else is hit."},
	{.path = "./scenarios/disk-full.scn",
	 .about = "A store finds no space: SIGBUS, and the file keeps its length."},
	{.path = fl_scn_hostile, .about = fl_scn_hostile},
	{.path = "scenarios/storm.scn", .about = "More faults than anybody reads."},
};

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

static struct fl_scn_result *new_result(size_t number, const struct fl_scn_text *text, enum fl_scn_verdict verdict)
{
	struct fl_scn_result *result = calloc(1, sizeof(*result));

	if (!result)
		abort();
	result->text = text;
	result->scenario_case = &cases[number];
	result->verdict = verdict;
	result->seed = 0x9e3779b97f4a7c15;
	result->run = 1;
	result->start_time_ns = UINT64_C(1772366400250000000) + number * MS;
	return result;
}

static void copy_lanes(struct fl_scn_result *result, const struct fl_scn_lane *lanes, size_t count)
{
	result->lanes = calloc(count, sizeof(*lanes));
	for (size_t i = 0; i < count; i++) {
		result->lanes[i] = lanes[i];
		result->lanes[i].name = copy_of(lanes[i].name);
		result->lanes[i].machine = copy_of(lanes[i].machine);
	}
	result->lanes_count = count;
}

static void copy_events(struct fl_scn_result *result, const struct fl_scn_event *events, size_t count)
{
	result->events = calloc(count, sizeof(*events));
	for (size_t i = 0; i < count; i++) {
		result->events[i] = events[i];
		result->events[i].label = copy_of(events[i].label);
		result->events[i].detail = copy_of(events[i].detail);
		result->events[i].wish = copy_of(events[i].wish);
	}
	result->events_count = count;
}

static void copy_faults(struct fl_scn_result *result, const struct fl_scn_fault *faults, size_t count)
{
	result->faults = calloc(count, sizeof(*faults));
	for (size_t i = 0; i < count; i++) {
		result->faults[i] = faults[i];
		result->faults[i].fault.share = copy_of(faults[i].fault.share);
		result->faults[i].fault.path = copy_of(faults[i].fault.path);
		result->faults[i].fault.shape = copy_of(faults[i].fault.shape);
	}
	result->faults_count = count;
}

static void copy_console(struct fl_scn_result *result, const char *machine, const char *text, size_t len)
{
	result->consoles = realloc(result->consoles, (result->consoles_count + 1) * sizeof(*result->consoles));
	struct fl_scn_console *console = &result->consoles[result->consoles_count++];

	console->machine = copy_of(machine);
	console->text = malloc(len + 1);
	memcpy(console->text, text, len);
	console->len = len;
}

static void add_failure(struct fl_scn_result *result, uint32_t line, uint32_t column, const char *text)
{
	result->failures = realloc(result->failures, (result->failures_count + 1) * sizeof(*result->failures));
	result->failures[result->failures_count++] =
		(struct fl_scn_failure){.pos = {line, column}, .text = copy_of(text)};
}

/* ---- a file is cut under readers ------------------------------------------------------------ */

static char HOST[] = "host", READER[] = "reader", BYSTANDER[] = "bystander", VCPU0[] = "vcpu 0", VCPU1[] = "vcpu 1",
	    VM[] = "vm";

static const struct fl_scn_lane reader_lanes[] = {
	{FL_SCN_LANE_HOST, HOST, NULL, 0},	  {FL_SCN_LANE_ACTOR, READER, VM, 1800},
	{FL_SCN_LANE_ACTOR, BYSTANDER, VM, 1800}, {FL_SCN_LANE_VCPU, VCPU0, VM, 0},
	{FL_SCN_LANE_VCPU, VCPU1, VM, 0},
};

#define TEXT(text) ((char *)(uintptr_t)(text))
#define STEP(lane, begin, end, line, label, detail)                                                             \
	{                                                                                                       \
		lane, FL_SCN_EVENT_STEP, begin, end, 1, {line, 2}, false, TEXT(label), TEXT(detail), 0, NULL, 0 \
	}

static const struct fl_scn_event reader_events[] = {
	{0, FL_SCN_EVENT_WAIT, 1900 * US, 2675 * US, 1, {26, 2}, false, TEXT("wait mapped"), TEXT("ok"), 0, NULL, 0},
	STEP(1, 2140 * US, 2391 * US, 13, "open f data/log rw", "0"),
	STEP(2, 2160 * US, 2420 * US, 21, "open f data/log ro", "0"),
	STEP(1, 2394 * US, 2532 * US, 14, "map m f 0 64K rw shared", "0"),
	{2,
	 FL_SCN_EVENT_STEP,
	 2425 * US,
	 7902 * US,
	 1,
	 {22, 2},
	 false,
	 TEXT("loop until done"),
	 TEXT("10000 turns"),
	 0,
	 NULL,
	 0},
	{2,
	 FL_SCN_EVENT_STEP,
	 2426 * US,
	 2440 * US,
	 10000,
	 {23, 3},
	 false,
	 TEXT("pread f 0 4K"),
	 TEXT("4096"),
	 0,
	 NULL,
	 7899 * US},
	STEP(1, 2535 * US, 2668 * US, 15, "read m+12K", "0x6e789e6aa1b965f4"),
	{1, FL_SCN_EVENT_MARK, 2669 * US, 2669 * US, 1, {16, 2}, false, TEXT("mapped"), TEXT(""), 0, NULL, 0},
	{1, FL_SCN_EVENT_WAIT, 2670 * US, 5210 * US, 1, {17, 2}, false, TEXT("wait cut"), TEXT("ok"), 0, NULL, 0},
	STEP(0, 4990 * US, 5195 * US, 27, "truncate data/log 12K", "0"),
	{0, FL_SCN_EVENT_MARK, 5196 * US, 5196 * US, 1, {28, 2}, false, TEXT("cut"), TEXT(""), 0, NULL, 0},
	{0, FL_SCN_EVENT_WAIT, 5197 * US, 5700 * US, 1, {29, 2}, false, TEXT("wait faults 1"), TEXT("ok"), 0, NULL, 0},
	{1,
	 FL_SCN_EVENT_STEP,
	 5212 * US,
	 5655 * US,
	 1,
	 {18, 2},
	 false,
	 TEXT("read m+12K"),
	 TEXT("SIGBUS BUS_ADRERR at m+12K"),
	 1,
	 TEXT("lost at m+12K"),
	 0},
	{3,
	 FL_SCN_EVENT_FAULT,
	 5230 * US,
	 5301 * US,
	 1,
	 {0, 0},
	 false,
	 TEXT("fault 1"),
	 TEXT("truncated, read at data/log:12288"),
	 1,
	 NULL,
	 0},
	{1,
	 FL_SCN_EVENT_DELIVERY,
	 5330 * US,
	 5330 * US,
	 1,
	 {18, 2},
	 false,
	 TEXT("SIGBUS"),
	 TEXT("BUS_ADRERR at m+12K"),
	 1,
	 NULL,
	 0},
	STEP(1, 5656 * US, 5656 * US + 240, 19, "read m+12K-8", "0x8cf0eb4bc1b2d6a1"),
	{0, FL_SCN_EVENT_MARK, 5702 * US, 5702 * US, 1, {30, 2}, false, TEXT("done"), TEXT(""), 0, NULL, 0},
};

static const struct fl_scn_fault reader_fault = {
	.fault = {.size = sizeof(struct fl_fault),
		  .flags = FL_FAULT_GPA_VALID | FL_FAULT_GVA_VALID | FL_FAULT_FILE_VALID,
		  .id = 1,
		  .time_ns = UINT64_C(1772366400255230000),
		  .vcpu = 0,
		  .cpl = 3,
		  .rip = 0x40213c,
		  .gva = 0x7f4f2a403000,
		  .gpa = 0x140003000,
		  .access = FL_ACCESS_READ,
		  .cause = FL_CAUSE_TRUNCATED,
		  .outcome = FL_OUTCOME_RECORD,
		  .guest_seq = 1,
		  .file_offset = 12288,
		  .file_len = 12288,
		  .mapped_file_len = 65536,
		  .share = "data",
		  .path = "/tmp/faultline-scenario/dirs/data/c0001/log",
		  .shape = "efault",
		  .times = {21000, 9000, 11000, 300, 4000, 0}},
	.machine = 0,
	.at_ns = 5230 * US,
};

static const char reader_console[] =
	"[    0.000000] Linux version 6.12.43 (faultline) x86_64\r\n[    0.312411] fuse: init (API version 7.41)\r\n"
	"[    2.905113] pvpf: actor[71]: host memory is lost: apicid=0 seq=1 mode=user access=read cause=truncated "
	"outcome=sigbus gpa=0x140003000 offset=12288 file=\"/c0001/log\"\r\n";

static struct fl_scn_result *reader(size_t number, enum fl_scn_verdict verdict)
{
	struct fl_scn_result *result = new_result(number, &texts[0], verdict);

	result->repeat = copy_of(
		"faultline scenario --seed 11400714819323198485 --filter 'reader[access=read]' scenarios/reader.scn");
	result->machine = copy_of("2 CPUs, 512 MiB, kernel patched, strict");
	result->took_ns = 8401 * US;
	result->checks = 14;
	copy_lanes(result, reader_lanes, sizeof(reader_lanes) / sizeof(reader_lanes[0]));
	copy_events(result, reader_events, sizeof(reader_events) / sizeof(reader_events[0]));
	copy_faults(result, &reader_fault, 1);
	copy_console(result, "vm", reader_console, sizeof(reader_console) - 1);
	return result;
}

static struct fl_scn_result *reader_that_failed(void)
{
	struct fl_scn_result *result = reader(1, FL_SCN_FAILED);

	result->run = 2;
	for (size_t i = 0; i < result->events_count; i++)
		if (result->events[i].fault == 1 && result->events[i].kind == FL_SCN_EVENT_STEP) {
			result->events[i].unexpected = true;
			free(result->events[i].wish);
			result->events[i].wish = NULL;
		}
	add_failure(
		result, 18, 2,
		"The step \"vector m+12K\" should have lost m+12K (SIGBUS BUS_ADRERR there), but it was SIGBUS BUS_ADRERR at m+16K.");
	add_failure(result, 33, 2,
		    "A fault with cause truncated, file data/log, offset 16384 was expected once, and came 0 times.");
	return result;
}

/* ---- the others ----------------------------------------------------------------------------- */

static struct fl_scn_result *skipped(void)
{
	struct fl_scn_result *result = new_result(2, &texts[1], FL_SCN_SKIPPED);

	result->reason = copy_of("it needs root: dir small is a tmpfs");
	return result;
}

static struct fl_scn_result *hostile(void)
{
	struct fl_scn_result *result = new_result(3, &texts[2], FL_SCN_FAILED);
	char *text = TEXT(fl_scn_hostile);
	const struct fl_scn_lane lane = {FL_SCN_LANE_ACTOR, text, text, UINT64_MAX};
	const struct fl_scn_event events[] = {
		{0, FL_SCN_EVENT_STEP, 0, UINT64_MAX, UINT64_MAX, {1, 1}, true, text, text, 1, text, UINT64_MAX},
		{0, FL_SCN_EVENT_MARK, 5, 5, 1, {1, 1}, false, text, text, 0, NULL, 0},
		{77, FL_SCN_EVENT_FAULT, 9, 3, 1, {0, 0}, false, NULL, NULL, UINT64_MAX, NULL, 5},
	};
	struct fl_scn_fault fault = {
		.fault = {.share = text, .path = text, .shape = text, .flags = FL_FAULT_FILE_VALID},
		.machine = 99,
		.at_ns = UINT64_MAX};

	result->reason = copy_of(text);
	result->repeat = copy_of(text);
	result->machine = copy_of(text);
	result->took_ns = UINT64_MAX;
	add_failure(result, 0, 0, text);
	copy_lanes(result, &lane, 1);
	copy_events(result, events, sizeof(events) / sizeof(events[0]));
	copy_faults(result, &fault, 1);
	copy_console(result, text, fl_scn_hostile, strlen(fl_scn_hostile) + 1);
	return result;
}

static struct fl_scn_result *storm(size_t count)
{
	struct fl_scn_result *result = new_result(4, &texts[3], FL_SCN_PASSED);
	struct fl_scn_event *events = calloc(count, sizeof(*events));
	struct fl_scn_fault *faults = calloc(count, sizeof(*faults));

	for (size_t i = 0; i < count; i++) {
		uint64_t at_ns = i * 7 * US;

		events[i] = (struct fl_scn_event){i % 2 ? 1 : 3,
						  i % 2 ? FL_SCN_EVENT_STEP : FL_SCN_EVENT_FAULT,
						  at_ns,
						  at_ns + 5 * US,
						  1,
						  {7, 2},
						  false,
						  TEXT("touch m 4K"),
						  TEXT("0"),
						  i + 1,
						  NULL,
						  0};
		faults[i] = reader_fault;
		faults[i].fault.id = i + 1;
		faults[i].at_ns = at_ns;
	}
	result->took_ns = count * 7 * US;
	copy_lanes(result, reader_lanes, sizeof(reader_lanes) / sizeof(reader_lanes[0]));
	copy_events(result, events, count);
	copy_faults(result, faults, count);
	free(events);
	free(faults);
	return result;
}

static struct fl_scn_result *unbootable(void)
{
	struct fl_scn_result *result = new_result(5, &texts[1], FL_SCN_FAILED);

	result->reason = copy_of("The machine vm ended before the case began: its kernel panicked.");
	return result;
}

void fl_scn_samples(struct fl_scn_results *results, size_t events)
{
	*results = (struct fl_scn_results){.all = calloc(SAMPLES, sizeof(*results->all)),
					   .count = SAMPLES,
					   .seed = 42,
					   .start_time_ns = UINT64_C(1772366400000000000),
					   .took_ns = 61 * 1000 * MS,
					   .host = "in the box (Linux 6.12, SVM under emulation)"};
	results->all[0] = reader(0, FL_SCN_PASSED);
	results->all[1] = reader_that_failed();
	results->all[2] = skipped();
	results->all[3] = hostile();
	results->all[4] = storm(events);
	results->all[5] = unbootable();
}

void fl_scn_samples_free(struct fl_scn_results *results)
{
	for (size_t i = 0; i < results->count; i++)
		fl_scn_result_free(results->all[i]);
	free(results->all);
}
