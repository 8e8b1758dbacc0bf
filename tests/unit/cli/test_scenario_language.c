/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of a scenario come to: variables and cases, machines, wishes, expectations. Expected:
 * faultline-scenario(5). */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>

#include "cli/scenario/language/scenario.h"
#include "fl_base.h"

/* To be forgotten. */
static struct fl_scn_reading *read_text(const char *text)
{
	struct fl_scn_reading *reading = NULL;
	uint32_t count;

	assert_int_equal(fl_scn_read("t.scn", text, strlen(text), &reading), 0);
	const struct fl_scn_error *errors = fl_scn_errors(reading, &count);

	if (count)
		fail_msg("%u:%u: %s", errors[0].pos.line, errors[0].pos.column, errors[0].text);
	return reading;
}

static const struct fl_scn_case *case_of(const struct fl_scn_reading *reading, uint32_t index)
{
	assert_true(index < fl_scn_text(reading)->cases_count);
	return &fl_scn_text(reading)->cases[index];
}

/* ---- lines and variables -------------------------------------------------------------------- */

static void assert_word(const struct fl_scn_step *step, uint32_t index, const char *expected)
{
	const char *found = step->operands[0].words[index];

	if (!expected)
		assert_null(found);
	else
		assert_string_equal(found, expected);
}

static void quotes_hold_text(void **state)
{
	struct fl_scn_reading *reading =
		read_text("#\t The  first line. \t\r\n"
			  "let x = \"a b\"\n"
			  "\n"
			  "   # a comment\n"
			  "host # another\n"
			  "\trun \"a # b\" \"\\\"\\\\\\n\\t\\x41\\xff\\$x\" \"$x ${x}y $ $(ls)\" $x "
			  "c${x}d \"\" \"=>\"#end\n"
			  " run a \"within\" within 2s => 3\n");
	const struct fl_scn_step *step = &case_of(reading, 0)->actors[0].steps[0];

	(void)state;
	assert_string_equal(fl_scn_text(reading)->about, "The  first line.");
	assert_word(step, 0, "a # b");
	assert_word(step, 1, "\"\\\n\tA\xff$x");
	assert_word(step, 2, "a b a by $ $(ls)");
	assert_word(step, 3, "a b");
	assert_word(step, 4, "ca bd");
	assert_word(step, 5, "");
	assert_word(step, 6, "=>");
	assert_word(step, 7, NULL);
	assert_int_equal(step->pos.line, 6);
	assert_int_equal(step[1].pos.line, 7);
	assert_int_equal(step[1].pos.column, 2);
	assert_word(&step[1], 1, "within");
	assert_word(&step[1], 2, NULL);
	assert_int_equal(step[1].within_ns, UINT64_C(2000000000));
	assert_int_equal(step[1].wishes[0].value, 3);
	fl_scn_forget(reading);
}

static void the_matrix_is_a_product_whose_last_line_changes_fastest(void **state)
{
	static const char *const names[] = {"t[a=x,b=1K]", "t[a=y z,b=1K]", "t[a=y z,b=2048]", "t[a=,b=1K]",
					    "t[a=,b=2048]"};
	static const char *const words[][4] = {{"x", "1024", "last"},
					       {"y", "z", "1024", "last"},
					       {"y", "z", "2048", "last"},
					       {"1024", "last"},
					       {"2048", "last"}};
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "matrix a = x, {y z}, {}\n"
						   "let k = 1\n"
						   "matrix b = ${k}K , 2048\n"
						   "when b=1K: let n = 1024\n"
						   "when b!=1K: let n = $b\n"
						   "except a=x b!=1K\n"
						   "host\n"
						   "\trun p $a $n last\n"
						   "\twhen a={y z}|x b=1K: mark m\n");

	(void)state;
	assert_int_equal(fl_scn_text(reading)->cases_count, FL_ARRAY_SIZE(names));
	for (uint32_t i = 0; i < FL_ARRAY_SIZE(names); i++) {
		const struct fl_scn_case *c = case_of(reading, i);
		const char *const *found = c->actors[0].steps[0].operands[0].words;

		assert_string_equal(c->name, names[i]);
		assert_string_equal(found[0], "p");
		for (uint32_t j = 0; j < 4 && words[i][j]; j++)
			assert_string_equal(found[j + 1], words[i][j]);
		assert_int_equal(c->actors[0].steps_count, i < 2 ? 2 : 1);
	}
	fl_scn_forget(reading);
}

static void a_block_can_be_part_of_some_cases(void **state)
{
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "matrix kernel = stock, patched\n"
						   "when kernel=stock: machine\n"
						   "\tkernel $kernel\n"
						   "when kernel=stock: host one\n"
						   "\tmark a\n"
						   "host two\n"
						   "\tmark b\n");

	(void)state;
	assert_int_equal(case_of(reading, 0)->actors_count, 2);
	assert_int_equal(case_of(reading, 0)->machines[0].kernel, FL_SCN_KERNEL_STOCK);
	assert_int_equal(case_of(reading, 1)->actors_count, 1);
	assert_string_equal(case_of(reading, 1)->actors[0].name, "two");
	assert_int_equal(case_of(reading, 1)->machines[0].kernel, FL_SCN_KERNEL_PATCHED);
	fl_scn_forget(reading);
}

/* ---- what there is -------------------------------------------------------------------------- */

static void files_and_dirs_are_as_said(void **state)
{
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "limit 1.5s\n"
						   "repeat 7\n"
						   "file a/x/f size 3p content zeros mode 0600\n"
						   "file a/t text \"ab\\n\"\n"
						   "link a/l \"../t\"\n"
						   "subdir a/x\n"
						   "dir a tmpfs 1M\n"
						   "dir b failing\n"
						   "host\n"
						   "\tremount a ro\n");
	const struct fl_scn_case *c = case_of(reading, 0);

	(void)state;
	assert_int_equal(c->limit_ns, UINT64_C(1500000000));
	assert_int_equal(c->repeat, 7);
	assert_true(c->needs_root);
	assert_int_equal(c->dirs_count, 2);
	assert_int_equal(c->dirs[0].kind, FL_SCN_DIR_TMPFS);
	assert_int_equal(c->dirs[0].len, 1048576);
	assert_int_equal(c->dirs[1].kind, FL_SCN_DIR_FAILING);
	assert_int_equal(c->files_count, 4);
	assert_string_equal(c->files[0].path, "x/f");
	assert_int_equal(c->files[0].len, 12288);
	assert_int_equal(c->files[0].content, FL_SCN_FILE_ZEROS);
	assert_int_equal(c->files[0].mode, 0600);
	assert_int_equal(c->files[1].content, FL_SCN_FILE_TEXT);
	assert_string_equal(c->files[1].text, "ab\n");
	assert_int_equal(c->files[1].len, 3);
	assert_int_equal(c->files[1].mode, 0644);
	assert_int_equal(c->files[2].content, FL_SCN_FILE_LINK);
	assert_string_equal(c->files[2].text, "../t");
	assert_int_equal(c->files[3].content, FL_SCN_FILE_DIR);
	assert_int_equal(c->machines[0].shares_count, 2);
	assert_string_equal(c->machines[0].shares[1].mount, "/b");
	fl_scn_forget(reading);
}

static void machines_are_as_said(void **state)
{
	struct fl_scn_reading *reading =
		read_text("# T.\n"
			  "dir a\n"
			  "dir b\n"
			  "machine one\n"
			  "\tcpus 4\n"
			  "\tmemory 1G\n"
			  "\tkernel file \"/boot/vmlinuz x\"\n"
			  "\tfault-mode watch\n"
			  "\tparam quiet\n"
			  "\tparam \"a=b c\"\n"
			  "\tshare a at /mnt/a ro dax inode window 128M policy substitute,reflect prefault "
			  "attr-timeout 0 entry-timeout 2s\n"
			  "\tshare b at /b dax never\n"
			  "machine two\n"
			  "guest g in two\n"
			  "\tsleep 1ms\n"
			  "guest h in one on cpu 3 fatal\n"
			  "\tsleep 1ms\n"
			  "guest i in two blocked\n"
			  "\tfork j\n"
			  "guest j child of i\n"
			  "\tsleep 1ms\n");
	const struct fl_scn_case *c = case_of(reading, 0);
	const struct fl_scn_machine *one = &c->machines[0];

	(void)state;
	assert_int_equal(c->machines_count, 2);
	assert_string_equal(one->name, "one");
	assert_int_equal(one->vcpus, 4);
	assert_int_equal(one->ram_len, 1073741824);
	assert_int_equal(one->kernel, FL_SCN_KERNEL_FILE);
	assert_string_equal(one->kernel_path, "/boot/vmlinuz x");
	assert_int_equal(one->fault_mode, FL_FAULT_MODE_WATCH);
	assert_string_equal(one->params, "quiet a=b c");
	assert_int_equal(one->shares_count, 2);
	assert_string_equal(one->shares[0].mount, "/mnt/a");
	assert_false(one->shares[0].writable);
	assert_true(one->shares[0].prefault && one->shares[0].mapped);
	assert_int_equal(one->shares[0].dax, FL_DAX_INODE);
	assert_int_equal(one->shares[0].window_len, 134217728);
	assert_int_equal(one->shares[0].policy.action[0], FL_ACTION_SUBSTITUTE);
	assert_int_equal(one->shares[0].policy.action[1], FL_ACTION_REFLECT);
	assert_int_equal(one->shares[0].policy.action[2], FL_ACTION_STOP);
	assert_int_equal(one->shares[0].attr_timeout_ms, 0);
	assert_int_equal(one->shares[0].entry_timeout_ms, 2000);
	assert_false(one->shares[1].mapped);
	assert_int_equal(one->shares[1].window_len, 0);
	assert_int_equal(one->shares[1].attr_timeout_ms, 1000);
	assert_int_equal(c->machines[1].vcpus, 1);
	assert_string_equal(c->machines[1].params, "");
	assert_int_equal(c->actors[0].machine, 1);
	assert_int_equal(c->actors[1].machine, 0);
	assert_int_equal(c->actors[1].cpu, 3);
	assert_true(c->actors[1].fatal && !c->actors[0].fatal);
	assert_true(c->actors[2].blocked && c->actors[3].blocked && !c->actors[2].fatal && !c->actors[1].blocked);
	fl_scn_forget(reading);
}

static void threads_and_children_know_what_their_process_has(void **state)
{
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "dir d\n"
						   "file d/f size 64K\n"
						   "guest p fatal\n"
						   "\topen f d/f ro\n"
						   "\tmap m f 4K 8K ro private populate\n"
						   "\tthread t\n"
						   "\tfork c\n"
						   "\tbarrier b\n"
						   "\tjoin t\n"
						   "guest t thread of p\n"
						   "\topen g d/f ro\n"
						   "\tbarrier b\n"
						   "\tcheck m+4K 16\n"
						   "guest c child of p\n"
						   "\tbarrier b\n"
						   "\tread m+8K-8 => killed SIGBUS\n");
	const struct fl_scn_case *c = case_of(reading, 0);

	(void)state;
	assert_int_equal(c->actors[1].relation, FL_SCN_THREAD);
	assert_int_equal(c->actors[1].parent, 0);
	assert_true(c->actors[1].fatal);
	assert_int_equal(c->actors[2].relation, FL_SCN_CHILD);
	assert_true(c->actors[2].fatal);
	assert_int_equal(c->actors[2].handles_count, 2);
	assert_string_equal(c->actors[2].handles[1], "g");
	assert_int_equal(c->actors[0].steps[1].operands[4].n,
			 FL_SCN_MAP_READ | FL_SCN_MAP_PRIVATE | FL_SCN_MAP_POPULATE);
	assert_int_equal(c->actors[0].steps[2].operands[0].n, 1);
	assert_int_equal(c->actors[0].steps[4].operands[1].n, 3);
	/* all right is 16 bytes, from the mapping's offset on */
	assert_int_equal(c->actors[1].steps[2].operands[3].n, 8192);
	assert_int_equal(c->actors[1].steps[2].wishes_count, 1);
	assert_true(c->actors[1].steps[2].wishes[0].has_value);
	assert_int_equal(c->actors[1].steps[2].wishes[0].value, 16);
	fl_scn_forget(reading);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void wishes_are_as_said(void **state)
{
	struct fl_scn_reading *reading =
		read_text("# T.\n"
			  "dir d\n"
			  "file d/f size 64K\n"
			  "guest p\n"
			  "\topen f d/f rw\n"
			  "\tmap m f 0 64K rw\n"
			  "\tmaybe read m 4 => ok or 0x10*2 or SIGSEGV SEGV_ACCERR at m+4K or SIGBUS or "
			  "lost at m+4K..m+12K-1 or killed SIGKILL or any\n"
			  "\tpread f 0 1 => EIO or ESTALE\n"
			  "\trun true\n"
			  "\trun true => 1 or killed SIGSEGV\n"
			  "\twrite m 1 7 => ok\n");
	const struct fl_scn_step *steps = case_of(reading, 0)->actors[0].steps;
	const struct fl_scn_wish *wishes = steps[2].wishes;

	(void)state;
	assert_true(steps[2].may_be_left_out && !steps[3].may_be_left_out);
	assert_int_equal(steps[2].pos.column, 8);
	assert_int_equal(steps[2].operands[1].n, 4);
	assert_int_equal(steps[2].wishes_count, 7);
	assert_true(wishes[0].kind == FL_SCN_WISH_OK && !wishes[0].has_value);
	assert_true(wishes[1].kind == FL_SCN_WISH_OK && wishes[1].has_value && wishes[1].value == 32);
	assert_int_equal(wishes[1].pos.column, 26);
	assert_true(wishes[2].kind == FL_SCN_WISH_SIGNAL && wishes[2].value == SIGSEGV && wishes[2].has_code);
	assert_true(wishes[2].code == SEGV_ACCERR && wishes[2].has_address && wishes[2].offset == 4096);
	assert_true(wishes[3].kind == FL_SCN_WISH_SIGNAL && wishes[3].value == SIGBUS && !wishes[3].has_code);
	assert_false(wishes[3].has_address);
	assert_true(wishes[4].kind == FL_SCN_WISH_LOST && wishes[4].offset == 4096 && wishes[4].offset_end == 12287);
	assert_true(wishes[5].kind == FL_SCN_WISH_KILLED && wishes[5].value == SIGKILL);
	assert_int_equal(wishes[6].kind, FL_SCN_WISH_ANY);
	assert_true(steps[3].wishes[0].kind == FL_SCN_WISH_ERROR && steps[3].wishes[0].value == EIO);
	assert_int_equal(steps[3].wishes[1].value, ESTALE);
	/* a program succeeds if it says so */
	assert_true(steps[4].wishes_count == 1 && steps[4].wishes[0].has_value && steps[4].wishes[0].value == 0);
	assert_true(steps[5].wishes[0].value == 1 && steps[5].wishes[1].value == SIGSEGV);
	assert_int_equal(steps[6].wishes_count, 0);
	assert_true(steps[6].operands[1].n == 1 && steps[6].operands[2].n == 7);
	fl_scn_forget(reading);
}

/* Only what ends it for certain has nothing behind it. */
static void a_guest_that_may_be_killed_may_go_on(void **state)
{
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "dir d\n"
						   "file d/f size 64K\n"
						   "guest p fatal\n"
						   "\topen f d/f rw\n"
						   "\tmap m f 0 64K rw\n"
						   "\tread m => ok or killed SIGBUS\n"
						   "\tmaybe read m => killed SIGBUS\n"
						   "\tread m => killed SIGBUS\n"
						   "\tmaybe read m\n");

	(void)state;
	assert_int_equal(case_of(reading, 0)->actors[0].steps_count, 6);
	fl_scn_forget(reading);
}

static void times_of_steps_are_as_said(void **state)
{
	struct fl_scn_reading *reading = read_text("# T.\n"
						   "host a\n"
						   "\tmark m\n"
						   "\tsleep 3us\n"
						   "\tsleep 1..3us\n"
						   "host b\n"
						   "\twait m\n"
						   "\twait m after 1ms\n"
						   "\twait m after 0..1ms\n"
						   "\twait m after random 0..1ms\n"
						   "\twait m after span 2ms..3ms\n");
	const struct fl_scn_step *a = case_of(reading, 0)->actors[0].steps, *b = case_of(reading, 0)->actors[1].steps;

	(void)state;
	assert_true(a[1].operands[0].n == 3000 && a[1].operands[0].offset == 3000);
	assert_int_equal(a[1].operands[0].time_kind, FL_SCN_TIME_FIXED);
	assert_true(a[2].operands[0].n == 1000 && a[2].operands[0].offset == 3000);
	assert_int_equal(a[2].operands[0].time_kind, FL_SCN_TIME_RANDOM);
	assert_true(b[0].operands[1].n == 0 && b[0].operands[1].offset == 0);
	assert_true(b[1].operands[1].n == 1000000 && b[1].operands[1].time_kind == FL_SCN_TIME_FIXED);
	assert_true(b[2].operands[1].offset == 1000000 && b[2].operands[1].time_kind == FL_SCN_TIME_RANDOM);
	assert_int_equal(b[3].operands[1].time_kind, FL_SCN_TIME_RANDOM);
	assert_true(b[4].operands[1].n == 2000000 && b[4].operands[1].time_kind == FL_SCN_TIME_SPAN);
	assert_true(case_of(reading, 0)->has_span);
	fl_scn_forget(reading);
}

/* ---- expectations --------------------------------------------------------------------------- */

static const char expectations[] =
	"# T.\n"
	"dir d\n"
	"machine v\n"
	"\tcpus 2\n"
	"\tshare d at /d policy substitute\n"
	"machine w\n"
	"guest g in v\n"
	"\tmark x\n"
	"\tloop 2\n"
	"\t\tsleep 1ms\n"
	"\tend\n"
	"\tmark y\n"
	"expect\n"
	"\tfault in v cause memory-failure access write outcome substituted shape annotated cpl 0 vcpu 1 "
	"file d/f offset 1K..2K len 5 mapped 6 count 2..\n"
	"\tfault in w count 0\n"
	"\tends panic w\n"
	"\tfile d/f absent\n"
	"\tfile d/g in v text \"abc\"\n"
	"\tconsole v has not \"Oops\"\n"
	"\ttime x to y 1ms..2s\n"
	"\ttime x to y at most 5s\n"
	"\tturns g 2..3\n";

static void faults_are_expected_by_their_fields(const struct fl_scn_expect *e)
{
	assert_int_equal(e[0].fields, 1023);
	assert_true(e[0].machine == 0 && e[0].cause == FL_CAUSE_MEMORY_FAILURE && e[0].access == FL_ACCESS_WRITE);
	assert_true(e[0].outcome == FL_OUTCOME_SUBSTITUTED && e[0].cpl == 0 && e[0].vcpu == 1);
	assert_string_equal(e[0].shape, "annotated");
	assert_string_equal(e[0].path, "f");
	assert_true(e[0].offset == 1024 && e[0].offset_end == 2048 && e[0].len == 5 && e[0].mapped_len == 6);
	assert_true(e[0].least == 2 && e[0].most == UINT64_MAX);
	assert_true(e[1].machine == 1 && e[1].fields == 0 && e[1].least == 0 && e[1].most == 0);
}

static void expectations_are_as_said(void **state)
{
	struct fl_scn_reading *reading = read_text(expectations);
	const struct fl_scn_case *c = case_of(reading, 0);
	const struct fl_scn_expect *e = c->expects;

	(void)state;
	assert_int_equal(c->expects_count, 9);
	faults_are_expected_by_their_fields(e);
	assert_true(e[2].kind == FL_SCN_EXPECT_ENDS && e[2].end == FL_END_RESET && e[2].panic && e[2].machine == 1);
	assert_true(e[3].kind == FL_SCN_EXPECT_FILE && e[3].absent && !e[3].in_guest);
	assert_true(e[4].in_guest && e[4].machine == 0 && e[4].has_content && e[4].content == FL_SCN_FILE_TEXT);
	assert_string_equal(e[4].text, "abc");
	assert_true(e[5].kind == FL_SCN_EXPECT_CONSOLE && e[5].not &&e[5].machine == 0);
	assert_string_equal(e[5].text, "Oops");
	assert_true(e[6].kind == FL_SCN_EXPECT_TIME && e[6].least == 1000000 && e[6].most == UINT64_C(2000000000));
	assert_string_equal(c->marks[e[6].mark], "x");
	assert_string_equal(c->marks[e[6].mark_end], "y");
	assert_true(e[7].least == 0 && e[7].most == UINT64_C(5000000000));
	assert_true(e[8].kind == FL_SCN_EXPECT_TURNS && e[8].actor == 0 && e[8].least == 2 && e[8].most == 3);
	assert_int_equal(e[8].pos.line, 22);
	fl_scn_forget(reading);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(quotes_hold_text),
	cmocka_unit_test(the_matrix_is_a_product_whose_last_line_changes_fastest),
	cmocka_unit_test(a_block_can_be_part_of_some_cases),
	cmocka_unit_test(files_and_dirs_are_as_said),
	cmocka_unit_test(machines_are_as_said),
	cmocka_unit_test(threads_and_children_know_what_their_process_has),
	cmocka_unit_test(wishes_are_as_said),
	cmocka_unit_test(a_guest_that_may_be_killed_may_go_on),
	cmocka_unit_test(times_of_steps_are_as_said),
	cmocka_unit_test(expectations_are_as_said),
};
FL_TEST_MAIN(10, tests)
