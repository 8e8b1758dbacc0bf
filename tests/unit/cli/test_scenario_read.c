/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios that are right: what becomes of them. Expected: faultline-scenario(5). */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "cli/scenario/language/scenario.h"

static struct fl_scn_reading *read_text(const char *text)
{
	struct fl_scn_reading *reading = NULL;
	const struct fl_scn_error *errors;
	uint32_t count;

	assert_int_equal(fl_scn_read("some/where/reader.scn", text, strlen(text), &reading), 0);
	errors = fl_scn_errors(reading, &count);
	for (uint32_t i = 0; i < count; i++)
		print_message("# %u:%u: %s\n", errors[i].pos.line, errors[i].pos.column, errors[i].text);
	assert_int_equal(count, 0);
	assert_non_null(fl_scn_text(reading));
	return reading;
}

static const char readers[] =
	"# A file is cut under three readers: each gets SIGBUS with the exact address, and nobody else is hit.\n" /* 1
														   */
	"matrix access = read, write, atomic, vector\n"
	"let cut = 12K\n"
	"dir data\n"
	"file data/log size 64K\n" /* 5 */
	"machine\n"
	"\tcpus 2\n"
	"\tshare data at /data window 64M\n"
	"guest reader on cpu 0\n"
	"\topen f data/log rw\n" /* 10 */
	"\tmap m f 0 64K rw shared\n"
	"\t$access m+$cut              # mapped, and there\n"
	"\tmark mapped\n"
	"\twait cut\n"
	"\t$access m+$cut => lost at m+$cut\n" /* 15 */
	"\tread m+$cut-8               # the page before it is whole\n"
	"guest bystander on cpu 1\n"
	"\topen f data/log ro\n"
	"\tloop until done\n"
	"\t\tpread f 0 4K => 4096\n" /* 20 */
	"\tend\n"
	"host\n"
	"\twait mapped\n"
	"\ttruncate data/log $cut\n"
	"\tmark cut\n" /* 25 */
	"\twait faults 1\n"
	"\tmark done\n"
	"expect\n"
	"\tfault cause truncated file data/log offset $cut count 1\n"
	"\tfile data/log size $cut content pattern\n"; /* 30 */

static void assert_op(const struct fl_scn_step *step, uint32_t op, uint32_t line, uint32_t column)
{
	assert_int_equal(step->row->op, op);
	assert_int_equal(step->pos.line, line);
	assert_int_equal(step->pos.column, column);
}

static void assert_reader(const struct fl_scn_case *c, uint32_t access)
{
	const struct fl_scn_actor *reader = &c->actors[0];

	assert_string_equal(reader->name, "reader");
	assert_int_equal(reader->cpu, 0);
	assert_false(reader->by_host);
	assert_int_equal(reader->relation, FL_SCN_PROCESS);
	assert_int_equal(reader->steps_count, 7);
	assert_int_equal(reader->handles_count, 1);
	assert_string_equal(reader->handles[0], "f");
	assert_string_equal(reader->maps[0], "m");
	assert_op(&reader->steps[0], FL_SCN_OP_OPEN, 10, 2);
	assert_int_equal(reader->steps[0].operands[0].n, 0);
	assert_int_equal(reader->steps[0].operands[1].dir, 0);
	assert_string_equal(reader->steps[0].operands[1].text, "log");
	assert_int_equal(reader->steps[0].operands[2].n, FL_SCN_O_READ | FL_SCN_O_WRITE);
	assert_op(&reader->steps[1], FL_SCN_OP_MAP, 11, 2);
	assert_int_equal(reader->steps[1].operands[3].n, 65536);
	assert_int_equal(reader->steps[1].operands[4].n, FL_SCN_MAP_READ | FL_SCN_MAP_WRITE);
	assert_op(&reader->steps[2], access, 12, 2);
	assert_int_equal(reader->steps[2].operands[0].n, 0);
	assert_int_equal(reader->steps[2].operands[0].offset, 12288);
	assert_int_equal(reader->steps[2].wishes_count, 0);
	assert_int_equal(reader->steps[5].wishes_count, 1);
	assert_int_equal(reader->steps[5].wishes[0].kind, FL_SCN_WISH_LOST);
	assert_int_equal(reader->steps[5].wishes[0].offset, 12288);
	assert_int_equal(reader->steps[5].wishes[0].offset_end, 12288);
	assert_int_equal(reader->steps[6].operands[0].offset, 12280);
	assert_int_equal(reader->steps[6].operands[1].n, 8);
}

static void assert_others(const struct fl_scn_case *c)
{
	const struct fl_scn_actor *bystander = &c->actors[1], *host = &c->actors[2];

	assert_int_equal(bystander->cpu, 1);
	assert_op(&bystander->steps[1], FL_SCN_OP_LOOP, 19, 2);
	assert_int_equal(bystander->steps[1].operands[0].n, 0);
	assert_string_equal(c->marks[bystander->steps[1].operands[1].n], "done");
	assert_int_equal(bystander->steps[1].jump, 4);
	assert_int_equal(bystander->steps[3].jump, 1);
	assert_op(&bystander->steps[2], FL_SCN_OP_PREAD, 20, 3);
	assert_true(bystander->steps[2].wishes[0].has_value);
	assert_int_equal(bystander->steps[2].wishes[0].value, 4096);
	assert_true(host->by_host);
	assert_string_equal(host->name, "host");
	assert_op(&host->steps[1], FL_SCN_HOST_TRUNCATE, 24, 2);
	assert_int_equal(host->steps[1].operands[1].n, 12288);
	assert_op(&host->steps[3], FL_SCN_HOST_WAIT_FAULTS, 26, 2);
	assert_int_equal(host->steps[3].operands[0].n, 1);
	assert_int_equal(host->steps[3].operands[1].n, 0);
}

static void assert_expects(const struct fl_scn_case *c)
{
	assert_int_equal(c->expects_count, 2);
	assert_int_equal(c->expects[0].kind, FL_SCN_EXPECT_FAULT);
	assert_int_equal(c->expects[0].fields, FL_SCN_FIELD_CAUSE | FL_SCN_FIELD_PATH | FL_SCN_FIELD_OFFSET);
	assert_int_equal(c->expects[0].cause, FL_CAUSE_TRUNCATED);
	assert_string_equal(c->expects[0].path, "log");
	assert_int_equal(c->expects[0].offset, 12288);
	assert_int_equal(c->expects[0].least, 1);
	assert_int_equal(c->expects[0].most, 1);
	assert_int_equal(c->expects[1].kind, FL_SCN_EXPECT_FILE);
	assert_false(c->expects[1].in_guest);
	assert_true(c->expects[1].has_len && c->expects[1].has_content);
	assert_int_equal(c->expects[1].len, 12288);
	assert_int_equal(c->expects[1].content, FL_SCN_FILE_PATTERN);
}

static void a_scenario_becomes_its_cases(void **state)
{
	static const uint32_t accesses[] = {FL_SCN_OP_READ, FL_SCN_OP_WRITE, FL_SCN_OP_ATOMIC, FL_SCN_OP_VECTOR};
	static const char *const names[] = {"reader[access=read]", "reader[access=write]", "reader[access=atomic]",
					    "reader[access=vector]"};
	struct fl_scn_reading *reading = read_text(readers);
	const struct fl_scn_text *text = fl_scn_text(reading);

	(void)state;
	assert_string_equal(text->path, "some/where/reader.scn");
	assert_string_equal(
		text->about,
		"A file is cut under three readers: each gets SIGBUS with the exact address, and nobody else is hit.");
	assert_int_equal(text->cases_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct fl_scn_case *c = &text->cases[i];

		assert_string_equal(c->name, names[i]);
		assert_int_equal(c->limit_ns, UINT64_C(20000000000));
		assert_int_equal(c->repeat, 1);
		assert_false(c->needs_root || c->has_span);
		assert_int_equal(c->machines_count, 1);
		assert_string_equal(c->machines[0].name, "vm");
		assert_int_equal(c->machines[0].vcpus, 2);
		assert_int_equal(c->machines[0].shares_count, 1);
		assert_int_equal(c->files_count, 1);
		assert_int_equal(c->files[0].len, 65536);
		assert_int_equal(c->files[0].content, FL_SCN_FILE_PATTERN);
		assert_int_equal(c->actors_count, 3);
		assert_int_equal(c->marks_count, 3);
		assert_reader(c, accesses[i]);
		assert_others(c);
		assert_expects(c);
	}
	fl_scn_forget(reading);
}

static const char race[] = "# A file is cut somewhere in a copy.\n" /* 1 */
			   "let cut = 12K\n"
			   "dir data\n"
			   "file data/log size 64K\n"
			   "file data/buffer size 64K content zeros\n" /* 5 */
			   "guest copier\n"
			   "  open f data/log ro\n"
			   "  open g data/buffer rw\n"
			   "  map m f 0 64K ro shared\n"
			   "  map b g 0 64K rw private\n" /* 10 */
			   "  mark mapped\n"
			   "  loop until done\n"
			   "    copy b+0 m+0 64K => ok or lost at m+$cut..m+63K\n"
			   "  end\n"
			   "host\n" /* 15 */
			   "  wait mapped after span 0..3ms\n"
			   "  truncate data/log $cut\n"
			   "  sleep 1.5ms\n"
			   "  mark done\n";

static void a_race_has_a_free_moment(void **state)
{
	struct fl_scn_reading *reading = read_text(race);
	const struct fl_scn_case *c = &fl_scn_text(reading)->cases[0];
	const struct fl_scn_step *wait = &c->actors[1].steps[0], *copy = &c->actors[0].steps[6];

	(void)state;
	assert_int_equal(fl_scn_text(reading)->cases_count, 1);
	assert_string_equal(c->name, "reader");
	assert_true(c->has_span);
	assert_int_equal(wait->operands[1].time_kind, FL_SCN_TIME_SPAN);
	assert_int_equal(wait->operands[1].n, 0);
	assert_int_equal(wait->operands[1].offset, 3000000);
	assert_int_equal(c->actors[1].steps[2].operands[0].n, 1500000);
	assert_op(copy, FL_SCN_OP_COPY, 13, 5);
	assert_int_equal(copy->operands[0].n, 1);
	assert_int_equal(copy->operands[1].n, 0);
	assert_int_equal(copy->operands[2].n, 65536);
	assert_int_equal(copy->wishes_count, 2);
	assert_int_equal(copy->wishes[0].kind, FL_SCN_WISH_OK);
	assert_false(copy->wishes[0].has_value);
	assert_int_equal(copy->wishes[1].kind, FL_SCN_WISH_LOST);
	assert_int_equal(copy->wishes[1].offset, 12288);
	assert_int_equal(copy->wishes[1].offset_end, 64512);
	/* without a block of its own: the machine of the defaults */
	assert_int_equal(c->machines_count, 1);
	assert_int_equal(c->machines[0].vcpus, 1);
	assert_int_equal(c->machines[0].ram_len, 536870912);
	assert_int_equal(c->machines[0].kernel, FL_SCN_KERNEL_PATCHED);
	assert_int_equal(c->machines[0].fault_mode, FL_FAULT_MODE_AUTO);
	assert_int_equal(c->machines[0].shares_count, 1);
	assert_string_equal(c->machines[0].shares[0].mount, "/data");
	assert_true(c->machines[0].shares[0].writable && c->machines[0].shares[0].mapped);
	assert_int_equal(c->machines[0].shares[0].dax, FL_DAX_ALWAYS);
	assert_int_equal(c->machines[0].shares[0].window_len, 67108864);
	assert_int_equal(c->machines[0].shares[0].policy.action[0], FL_ACTION_REFLECT);
	assert_int_equal(c->machines[0].shares[0].policy.action[1], FL_ACTION_STOP);
	fl_scn_forget(reading);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_scenario_becomes_its_cases),
	cmocka_unit_test(a_race_has_a_free_moment),
};
FL_TEST_MAIN(10, tests)
