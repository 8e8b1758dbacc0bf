/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts about what a case saw. The case is made here, word by word; nothing is run. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scenario/verdict/judge.h"
#include "cli/scenario/verdict/seen.h"
#include "cli/scenario/verdict/words.h"

static const struct fl_scn_op_row read_row = {
	.op = FL_SCN_OP_READ, .by = FL_SCN_BY_GUEST, .name = "read", .signature = "m?i"};
static const char *const maps[] = {"m", "other"};

/* One guest with one step, and one machine; what a test wants otherwise it changes. */
struct world {
	struct fl_scn_wish wishes[2];
	struct fl_scn_step steps[2];
	struct fl_scn_actor actor;
	struct fl_scn_machine machine;
	struct fl_scn_dir dir;
	struct fl_scn_expect expects[2];
	struct fl_scn_case scenario_case;
	struct fl_scn_actor_seen *seen;
	struct fl_scn_machine_end end;
	struct fl_scn_fault faults[2];
	uint64_t marks[2];
	struct fl_scn_look look;
	int look_error;
	struct fl_scn_evidence evidence;
	struct fl_scn_result result;
};

static int host_path(void *arg, uint32_t dir, const char *rest, char path[PATH_MAX])
{
	(void)arg;
	assert_int_equal(dir, 0);
	snprintf(path, PATH_MAX, "/host/%s", rest);
	return 0;
}

static int look(void *arg, const struct fl_scn_expect *expect, struct fl_scn_look *look)
{
	const struct world *world = arg;

	(void)expect;
	*look = world->look;
	return world->look_error;
}

static int setup(void **state)
{
	static const char *const marks[] = {"begin", "end"};
	struct world *world = calloc(1, sizeof(*world));

	world->dir.name = "data";
	world->machine.name = "vm";
	world->machine.vcpus = 1;
	world->steps[0] = (struct fl_scn_step){.pos = {7, 2}, .row = &read_row};
	world->steps[0].operands[0].offset = 8192;
	world->steps[0].operands[1].n = 8;
	world->steps[0].wishes = world->wishes;
	world->actor = (struct fl_scn_actor){
		.name = "reader", .steps = world->steps, .steps_count = 1, .maps = maps, .maps_count = 2};
	world->scenario_case = (struct fl_scn_case){
		.name = "case",
		.machines = &world->machine,
		.machines_count = 1,
		.dirs = &world->dir,
		.dirs_count = 1,
		.actors = &world->actor,
		.actors_count = 1,
		.expects = world->expects,
		.marks = marks,
		.marks_count = 2,
	};
	world->end = (struct fl_scn_machine_end){.lives = true, .console = "", .why = ""};
	world->evidence = (struct fl_scn_evidence){
		.scenario_case = &world->scenario_case,
		.faults = world->faults,
		.ends = &world->end,
		.mark_times = world->marks,
		.host_path = host_path,
		.look = look,
		.arg = world,
	};
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	fl_scn_seen_free(world->seen, &world->scenario_case);
	for (size_t i = 0; i < world->result.failures_count; i++)
		free(world->result.failures[i].text);
	free(world->result.failures);
	free(world);
	return 0;
}

static void see(struct world *world, uint32_t step, struct fl_scn_seen seen)
{
	if (!world->seen)
		world->seen = fl_scn_seen_new(&world->scenario_case);
	if (!seen.count)
		seen.count = 1;
	assert_int_equal(fl_scn_seen_count(&world->seen[0].steps[step], &seen), 0);
}

static void judge(struct world *world)
{
	if (!world->seen)
		world->seen = fl_scn_seen_new(&world->scenario_case);
	world->evidence.seen = world->seen;
	assert_int_equal(fl_scn_judge(&world->evidence, &world->result), 0);
}

/* The only failure, at that line, has all of this in its sentence. */
static void assert_fails(struct world *world, uint32_t line, const char *part)
{
	judge(world);
	assert_int_equal(world->result.verdict, FL_SCN_FAILED);
	assert_int_equal(world->result.failures_count, 1);
	assert_int_equal(world->result.failures[0].pos.line, line);
	if (!strstr(world->result.failures[0].text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, world->result.failures[0].text);
}

static void assert_passes(struct world *world)
{
	judge(world);
	if (world->result.failures_count)
		fail_msg("%s", world->result.failures[0].text);
	assert_int_equal(world->result.verdict, FL_SCN_PASSED);
}

static const struct fl_scn_seen did = {.kind = FL_SCN_DID, .value = 5, .map = FL_SCN_NO_MAP};
/* si_addr in the second byte of the page */
static const struct fl_scn_seen lost = {
	.kind = FL_SCN_SIGNAL, .value = SIGBUS, .code = BUS_ADRERR, .addr = 0x7001, .map = 0, .offset = 8193};

static struct fl_scn_wish wish_lost(uint64_t from, uint64_t to)
{
	return (struct fl_scn_wish){
		.kind = FL_SCN_WISH_LOST, .has_address = true, .map = 0, .offset = from, .offset_end = to};
}

static void a_step_without_wishes_must_succeed(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	assert_passes(world);
	assert_true(world->result.checks > 0);
}

static void a_step_that_ends_with_the_cases_time_fails(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen late = did;

	late.last_ns = 5001;
	see(world, 0, late);
	world->evidence.over_ns = 5000;
	assert_fails(world, 7, "reader: read m+8192 8 ended only because the case's time was over");
}

static void a_step_may_end_late_that_may_be_left_out(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen late = did;

	late.last_ns = 5001;
	see(world, 0, late);
	world->evidence.over_ns = 5000;
	world->steps[0].may_be_left_out = true;
	assert_passes(world);
}

static void a_step_that_fails_is_told_with_what_came(void **state)
{
	struct world *world = *state;

	see(world, 0, lost);
	assert_fails(world, 7, "reader: read m+8192 8: expected ok, got SIGBUS BUS_ADRERR at m+8193");
}

/* A record's cause and access are wished for beside the address: each is a reason to fail, and a record that is
 * missing. */
static void a_record_must_say_what_is_wished(void **state)
{
	static const struct {
		enum fl_cause cause;
		enum fl_access access;
		const char *said;
	} wrong[] = {
		{FL_CAUSE_IO_ERROR, FL_ACCESS_READ, "SIGBUS BUS_ADRERR at m+8193 record io-error read"},
		{FL_CAUSE_TRUNCATED, FL_ACCESS_WRITE, "SIGBUS BUS_ADRERR at m+8193 record truncated write"},
		{FL_CAUSE_NONE, FL_ACCESS_UNKNOWN, "SIGBUS BUS_ADRERR at m+8193"},
	};
	struct world *world = *state;
	struct fl_scn_seen seen = lost;
	char text[FL_SCN_WORDS_LEN];

	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8193, 8193);
	world->wishes[0].has_record = true;
	world->wishes[0].cause = FL_CAUSE_TRUNCATED;
	world->wishes[0].access = FL_ACCESS_READ;
	seen.has_records = true;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		seen.cause = wrong[i].cause;
		seen.access = wrong[i].access;
		assert_false(fl_scn_step_fits(&world->steps[0], &seen));
		fl_scn_say_seen(&world->scenario_case, 0, &seen, text);
		assert_string_equal(text, wrong[i].said);
	}
	fl_scn_say_wish(&world->scenario_case, 0, &world->wishes[0], text);
	assert_string_equal(text, "lost at m+8193 record truncated read");
	seen.cause = FL_CAUSE_TRUNCATED;
	seen.access = FL_ACCESS_READ;
	see(world, 0, seen);
	assert_passes(world);
}

/* Where nobody is told what records say, a wish for one is a wish for the address. */
static void a_record_is_not_missed_where_there_are_none(void **state)
{
	struct world *world = *state;

	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8193, 8193);
	world->wishes[0].has_record = true;
	world->wishes[0].cause = FL_CAUSE_IO_ERROR;
	world->wishes[0].access = FL_ACCESS_WRITE;
	see(world, 0, lost);
	assert_passes(world);
}

static void a_lost_page_must_be_named_exactly(void **state)
{
	struct world *world = *state;

	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8192, 8193);
	see(world, 0, lost);
	assert_passes(world);
}

static void a_wrong_address_is_none(void **state)
{
	struct world *world = *state;

	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8192, 8192);
	see(world, 0, lost);
	assert_fails(world, 7, "expected lost at m+8192, got SIGBUS");
}

static void an_address_in_another_mapping_is_none(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen elsewhere = lost;

	elsewhere.map = 1;
	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8192, 8193);
	see(world, 0, elsewhere);
	assert_fails(world, 7, "at other+8193");
}

static void another_code_is_no_lost_page(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen kernel = lost;

	kernel.code = SI_KERNEL;
	world->steps[0].wishes_count = 1;
	world->wishes[0] = wish_lost(8192, 8193);
	see(world, 0, kernel);
	assert_fails(world, 7, "SI_KERNEL");
}

static void each_way_must_be_one_of_the_wishes(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen third = {.kind = FL_SCN_ERROR, .value = EIO, .map = FL_SCN_NO_MAP};

	world->steps[0].wishes_count = 2;
	world->wishes[0] = (struct fl_scn_wish){.kind = FL_SCN_WISH_OK, .has_value = true, .value = 5};
	world->wishes[1] = wish_lost(8192, 8193);
	see(world, 0, did);
	see(world, 0, lost);
	see(world, 0, third);
	assert_fails(world, 7, "got EIO");
}

static void a_step_that_never_ran_fails(void **state)
{
	struct world *world = *state;

	world->steps[1] = world->steps[0];
	world->steps[1].pos.line = 8;
	world->actor.steps_count = 2;
	see(world, 0, did);
	assert_fails(world, 8, "never ran");
}

static void a_step_that_may_be_left_out_need_not_run(void **state)
{
	struct world *world = *state;

	world->steps[1] = world->steps[0];
	world->steps[1].may_be_left_out = true;
	world->actor.steps_count = 2;
	see(world, 0, did);
	assert_passes(world);
}

static void nothing_follows_an_expected_death(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen killed = {.kind = FL_SCN_KILLED, .value = SIGBUS, .map = FL_SCN_NO_MAP};

	world->steps[0].wishes_count = 1;
	world->wishes[0] = (struct fl_scn_wish){.kind = FL_SCN_WISH_KILLED, .value = SIGBUS};
	world->steps[1] = world->steps[0];
	world->actor.steps_count = 2;
	see(world, 0, killed);
	assert_passes(world);
}

static void a_step_must_be_in_time(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen slow = did;

	slow.longest_ns = 2000000;
	world->steps[0].within_ns = 1999999;
	see(world, 0, slow);
	assert_fails(world, 7, "took 2.000 ms");
}

static void a_slow_host_allows_more_time(void **state)
{
	struct world *world = *state;
	struct fl_scn_seen slow = did;

	slow.longest_ns = 2000000;
	world->steps[0].within_ns = 40000;
	world->evidence.slowness = 50;
	see(world, 0, slow);
	assert_passes(world);
	world->steps[0].within_ns = 39999;
	assert_fails(world, 7, "took 2.000 ms, more than 2.000 ms (0.040 ms, 50 times as long on this host)");
}

/* What takes no time there takes none here: only the greatest time is another. */
static void a_slow_host_allows_no_shorter_time(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->evidence.slowness = 50;
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){
		.pos = {23, 2}, .kind = FL_SCN_EXPECT_TIME, .mark = 0, .mark_end = 1, .least = 1000, .most = 2000};
	world->marks[0] = 5;
	world->marks[1] = 100005;
	assert_passes(world);
	world->marks[1] = 1004;
	assert_fails(world, 23, "it took 0.001 ms, less than 0.001 ms");
}

static void put_fault(struct world *world, size_t index, enum fl_cause cause, uint64_t offset)
{
	world->faults[index].fault = (struct fl_fault){
		.flags = FL_FAULT_FILE_VALID,
		.cause = cause,
		.access = FL_ACCESS_READ,
		.file_offset = offset,
		.path = "/host/log",
		.shape = "efault",
	};
	world->evidence.faults_count = index + 1;
}

static void expect_fault(struct world *world, uint64_t least, uint64_t most)
{
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){
		.pos = {20, 2},
		.kind = FL_SCN_EXPECT_FAULT,
		.least = least,
		.most = most,
		.fields = FL_SCN_FIELD_CAUSE | FL_SCN_FIELD_PATH | FL_SCN_FIELD_OFFSET,
		.cause = FL_CAUSE_TRUNCATED,
		.path = "log",
		.offset = 8192,
		.offset_end = 8199,
	};
	see(world, 0, did);
}

static void a_fault_is_found_by_its_fields(void **state)
{
	struct world *world = *state;

	expect_fault(world, 1, 1);
	put_fault(world, 0, FL_CAUSE_TRUNCATED, 8199);
	assert_passes(world);
}

static void a_file_that_lost_its_name_is_the_same(void **state)
{
	struct world *world = *state;

	expect_fault(world, 1, 1);
	put_fault(world, 0, FL_CAUSE_TRUNCATED, 8192);
	world->faults[0].fault.path = "/host/log (deleted)";
	assert_passes(world);
}

static void a_fault_too_few_fails(void **state)
{
	struct world *world = *state;

	expect_fault(world, 2, UINT64_MAX);
	put_fault(world, 0, FL_CAUSE_TRUNCATED, 8192);
	assert_fails(world, 20, "Of 1 fault records 1 are like this one, expected were 2 or more");
}

static void a_fault_that_nobody_expected_fails(void **state)
{
	struct world *world = *state;

	expect_fault(world, 1, 1);
	put_fault(world, 0, FL_CAUSE_TRUNCATED, 8192);
	put_fault(world, 1, FL_CAUSE_IO_ERROR, 8192);
	assert_fails(world, 0, "1 fault record that no expectation is like");
}

static void a_page_that_was_there_again_is_no_loss(void **state)
{
	struct world *world = *state;

	put_fault(world, 0, FL_CAUSE_NONE, 8192);
	see(world, 0, did);
	assert_passes(world);
}

static void a_native_run_has_no_records(void **state)
{
	struct world *world = *state;

	expect_fault(world, 1, 1);
	world->evidence.native = true;
	assert_passes(world);
}

static void a_machine_that_ends_fails(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->end = (struct fl_scn_machine_end){.end = FL_END_CRASHED, .console = "", .why = "triple fault"};
	assert_fails(world, 0, "vm did not live to the end of the case: it crashed: triple fault");
}

static void an_end_that_is_expected_must_come(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){.pos = {21, 2}, .kind = FL_SCN_EXPECT_ENDS, .end = FL_END_FAULT};
	assert_fails(world, 21, "vm runs");
}

static void an_oops_fails(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->end.console = "[    1.0] fine\n[    2.0] BUG: unable to handle page fault\n[    3.0] more\n";
	assert_fails(world, 0, "The kernel of vm complained: [    2.0] BUG: unable to handle page fault");
}

static void a_file_is_compared(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){.pos = {22, 2},
						   .kind = FL_SCN_EXPECT_FILE,
						   .path = "log",
						   .has_len = true,
						   .len = 8192,
						   .has_content = true};
	world->look = (struct fl_scn_look){.len = 8192, .same = 4097};
	assert_fails(world, 22, "data/log differs for the host from byte 4097 on");
}

static void a_file_that_is_not_there_is_told(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] =
		(struct fl_scn_expect){.pos = {22, 2}, .kind = FL_SCN_EXPECT_FILE, .path = "log", .has_len = true};
	world->look.absent = true;
	assert_fails(world, 22, "data/log is not there for the host");
}

static void a_time_that_cannot_be_looked_at_fails(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){
		.pos = {23, 2}, .kind = FL_SCN_EXPECT_TIME, .mark = 0, .mark_end = 1, .most = 1000};
	world->marks[0] = 5;
	assert_fails(world, 23, "The mark end was never set");
}

static void a_time_is_measured_between_marks(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] = (struct fl_scn_expect){
		.pos = {23, 2}, .kind = FL_SCN_EXPECT_TIME, .mark = 0, .mark_end = 1, .most = 1000000};
	world->marks[0] = 5;
	world->marks[1] = 1500005;
	assert_fails(world, 23, "From begin to end it took 1.500 ms");
}

static void turns_are_counted(void **state)
{
	struct world *world = *state;

	see(world, 0, did);
	world->scenario_case.expects_count = 1;
	world->expects[0] =
		(struct fl_scn_expect){.pos = {24, 2}, .kind = FL_SCN_EXPECT_TURNS, .least = 10, .most = UINT64_MAX};
	world->seen[0].turns = 9;
	assert_fails(world, 24, "turned 9 times, expected were 10 or more");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(a_step_without_wishes_must_succeed),
	TEST(a_step_that_ends_with_the_cases_time_fails),
	TEST(a_step_may_end_late_that_may_be_left_out),
	TEST(a_step_that_fails_is_told_with_what_came),
	TEST(a_record_must_say_what_is_wished),
	TEST(a_record_is_not_missed_where_there_are_none),
	TEST(a_lost_page_must_be_named_exactly),
	TEST(a_wrong_address_is_none),
	TEST(an_address_in_another_mapping_is_none),
	TEST(another_code_is_no_lost_page),
	TEST(each_way_must_be_one_of_the_wishes),
	TEST(a_step_that_never_ran_fails),
	TEST(a_step_that_may_be_left_out_need_not_run),
	TEST(nothing_follows_an_expected_death),
	TEST(a_step_must_be_in_time),
	TEST(a_slow_host_allows_more_time),
	TEST(a_slow_host_allows_no_shorter_time),
	TEST(a_fault_is_found_by_its_fields),
	TEST(a_file_that_lost_its_name_is_the_same),
	TEST(a_fault_too_few_fails),
	TEST(a_fault_that_nobody_expected_fails),
	TEST(a_page_that_was_there_again_is_no_loss),
	TEST(a_native_run_has_no_records),
	TEST(a_machine_that_ends_fails),
	TEST(an_end_that_is_expected_must_come),
	TEST(an_oops_fails),
	TEST(a_file_is_compared),
	TEST(a_file_that_is_not_there_is_told),
	TEST(a_time_that_cannot_be_looked_at_fails),
	TEST(a_time_is_measured_between_marks),
	TEST(turns_are_counted),
};

FL_TEST_MAIN(20, tests)
