/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "faultline/faultline.h"
#include "fl_base.h"

static const struct fl_fault truncated = {
	.size = sizeof(struct fl_fault),
	.flags = FL_FAULT_GPA_VALID | FL_FAULT_GVA_VALID | FL_FAULT_FILE_VALID,
	.id = 1,
	.rip = 0x401136,
	.gva = 0x7f0000002000,
	.gpa = 0x140002000,
	.access = FL_ACCESS_READ,
	.cause = FL_CAUSE_TRUNCATED,
	.outcome = FL_OUTCOME_RECORD,
	.guest_seq = 4294967295,
	.file_offset = 8192,
	.file_len = 4096,
	.mapped_file_len = 4096,
	.share = "data",
	.path = "/tmp/x/db.sqlite",
};

static void assert_line(const struct fl_fault *fault, const char *expected)
{
	char line[1024];

	assert_int_equal(fl_fault_format(fault, line, sizeof(line)), strlen(expected));
	assert_string_equal(line, expected);
}

static void test_truncated(void **state)
{
	(void)state;
	assert_line(&truncated, "fault 1: vcpu 0 read at rip 0x401136 of 0x7f0000002000 (gpa 0x140002000): truncated: "
				"data at \"/tmp/x/db.sqlite\" offset 8192, file is 4096 bytes now; "
				"#NP with record 4294967295 delivered");
}

static void test_length_when_mapped(void **state)
{
	struct fl_fault fault = truncated;
	(void)state;

	fault.mapped_file_len = 65536;
	assert_line(&fault, "fault 1: vcpu 0 read at rip 0x401136 of 0x7f0000002000 (gpa 0x140002000): truncated: "
			    "data at \"/tmp/x/db.sqlite\" offset 8192, file is 4096 bytes now, was 65536 when mapped; "
			    "#NP with record 4294967295 delivered");
}

static void test_other_causes(void **state)
{
	struct fl_fault fault = truncated;
	(void)state;

	fault.id = 18446744073709551615u;
	fault.vcpu = 63;
	fault.access = FL_ACCESS_WRITE;
	fault.cause = FL_CAUSE_NO_SPACE;
	fault.outcome = FL_OUTCOME_PLAIN;
	fault.flags = FL_FAULT_GVA_VALID | FL_FAULT_FILE_VALID;
	assert_line(&fault, "fault 18446744073709551615: vcpu 63 write at rip 0x401136 of 0x7f0000002000: no-space: "
			    "the host has no space for the page: \"/tmp/x/db.sqlite\" offset 8192, file is 4096 bytes; "
			    "#NP without a record delivered");
	fault.id = 2;
	fault.access = FL_ACCESS_FETCH;
	fault.cause = FL_CAUSE_UNMAPPED;
	fault.outcome = FL_OUTCOME_STOPPED;
	fault.flags = FL_FAULT_GPA_VALID;
	assert_line(&fault, "fault 2: vcpu 63 fetch at rip 0x401136 of gpa 0x140002000: unmapped: "
			    "nothing is mapped there in region \"data\"; VM stopped");
	fault.share = ""; /* the byte was not found, so neither was its share */
	assert_line(&fault, "fault 2: vcpu 63 fetch at rip 0x401136 of gpa 0x140002000: unmapped: "
			    "nothing is mapped there; VM stopped");
}

static void test_nothing_known(void **state)
{
	const struct fl_fault fault = {.id = 3, .cause = FL_CAUSE_UNKNOWN, .outcome = FL_OUTCOME_STOPPED};
	(void)state;

	assert_line(&fault, "fault 3: vcpu 0 access at rip 0x0 of an address that could not be found: unknown: "
			    "the page cannot be had and the host does not say why; VM stopped");
}

/* A guest with a writable share names files as it likes; one fault stays one harmless line. */
static void test_hostile_path(void **state)
{
	static const struct {
		const char *path, *shown;
	} paths[] = {
		{"/a b", "\"/a b\""},
		{"/a\nfault 9: x", "\"/a\\012fault 9: x\""},
		{"/\x1b[2J\x7f\t", "\"/\\033[2J\\177\\011\""},
		{"/\"; \\", "\"/\\\"; \\\\\""},
		{"/d\xc3\xbcnn/\xe2\x82\xac/\xf0\x9f\x90\xa7", "\"/d\xc3\xbcnn/\xe2\x82\xac/\xf0\x9f\x90\xa7\""},
		{"/\xc2\x9b"
		 "31m",
		 "\"/\\302\\23331m\""},					     /* C1 control CSI */
		{"/\xff\xc3", "\"/\\377\\303\""},			     /* not UTF-8; cut short */
		{"/\xc0\xaf\xe0\x80\xaf", "\"/\\300\\257\\340\\200\\257\""}, /* overlong */
		{"/\xed\xa0\x80", "\"/\\355\\240\\200\""},		     /* surrogate */
	};
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(paths); i++) {
		struct fl_fault fault = truncated;
		char line[1024];

		fault.path = paths[i].path;
		fl_fault_format(&fault, line, sizeof(line));
		assert_non_null(strstr(line, paths[i].shown));
	}
}

static void check_small_buffers(int (*format)(const struct fl_fault *, char *, size_t))
{
	char whole[1024], line[64];
	int len = format(&truncated, whole, sizeof(whole));

	assert_int_equal(len, strlen(whole));
	assert_int_equal(format(&truncated, NULL, 0), len);
	for (size_t cap = 1; cap <= sizeof(line); cap++) {
		memset(line, '#', sizeof(line));
		assert_int_equal(format(&truncated, line, cap), len);
		assert_int_equal(strlen(line), cap - 1);
		assert_memory_equal(line, whole, cap - 1);
		for (size_t i = cap; i < sizeof(line); i++)
			assert_int_equal(line[i], '#');
	}
}

static void test_small_buffers(void **state)
{
	(void)state;
	check_small_buffers(fl_fault_format);
	check_small_buffers(fl_fault_format_json);
}

static void test_names(void **state)
{
	static const char *const causes[] = {"none",	       "truncated", "no-space",	     "io-error",
					     "memory-failure", "unmapped",  "not-permitted", "unknown"};
	static const char *const outcomes[] = {"retried", "record", "plain", "stopped", "substituted"};
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(causes); i++)
		assert_string_equal(fl_cause_name((enum fl_cause)i), causes[i]);
	for (size_t i = 0; i < FL_ARRAY_SIZE(outcomes); i++)
		assert_string_equal(fl_outcome_name((enum fl_outcome)i), outcomes[i]);
	assert_string_equal(fl_access_name(FL_ACCESS_READ), "read");
	assert_string_equal(fl_access_name(FL_ACCESS_WRITE), "write");
	assert_string_equal(fl_access_name(FL_ACCESS_FETCH), "fetch");
	assert_string_equal(fl_access_name(FL_ACCESS_UNKNOWN), "unknown");
	assert_string_equal(fl_cause_name((enum fl_cause)99), "unknown");
	assert_string_equal(fl_access_name((enum fl_access)99), "unknown");
	assert_string_equal(fl_outcome_name((enum fl_outcome)99), "unknown");
}

static void test_window_trouble(void **state)
{
	struct fl_window_event event = {.trouble = FL_WINDOW_NEARLY_FULL,
					.region = "da\nta",
					.ranges = 256,
					.ranges_mapped = 241,
					.mappings_max = 65530};
	char line[512], tiny[8];
	int len = fl_window_event_format(&event, line, sizeof(line));

	(void)state;
	assert_int_equal(len, strlen(line));
	assert_string_equal(
		line, "the DAX window of share \"da\\012ta\" is nearly used up: 241 of its 256 ranges are mapped; a "
		      "guest that works on more of its files than that waits for mappings, so give it a larger "
		      "--dax-window");
	assert_int_equal(fl_window_event_format(&event, tiny, sizeof(tiny)), len);
	assert_string_equal(tiny, "the DAX");
	event.trouble = FL_WINDOW_NO_MAPPINGS;
	fl_window_event_format(&event, line, sizeof(line));
	assert_string_equal(
		line, "a file of share \"da\\012ta\" could not be mapped, since this process has no mappings or no "
		      "memory left; raise sysctl vm.max_map_count, which is 65530, or give smaller windows "
		      "(--dax-window)");
	event.mappings_max = 0;
	fl_window_event_format(&event, line, sizeof(line));
	assert_null(strstr(line, "max_map_count"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_truncated),    cmocka_unit_test(test_length_when_mapped),
	cmocka_unit_test(test_other_causes), cmocka_unit_test(test_nothing_known),
	cmocka_unit_test(test_hostile_path), cmocka_unit_test(test_small_buffers),
	cmocka_unit_test(test_names),	     cmocka_unit_test(test_window_trouble),
};

FL_TEST_MAIN(30, tests)
