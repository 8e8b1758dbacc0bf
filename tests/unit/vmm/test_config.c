/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the public header: what is refused, and with which sentence; sized structs; the serial port. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "vmm/config.h"
#include "vmm/serial.h"

static void expect_vm(struct fl_vm_opts opts, int error, const char *word)
{
	struct fl_vm_config config;
	struct fl_diag diag = {0};
	int ret = fl_vm_config_init(&config, &opts, &diag);

	assert_int_equal(ret, error);
	if (error) {
		assert_int_equal(diag.error, error);
		assert_non_null(strstr(diag.text, word));
	} else {
		fl_vm_config_fini(&config);
	}
}

static struct fl_vm_opts good_vm(void)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;

	opts.kernel = "bzImage";
	return opts;
}

static void test_vm_options(void **state)
{
	struct fl_vm_opts opts = good_vm();

	(void)state;
	expect_vm(opts, 0, NULL);
	opts.ram_len = (64 << 20) + 4096;
	expect_vm(opts, -EINVAL, "2 MiB");
	opts = good_vm();
	opts.ram_len = 62 << 20;
	expect_vm(opts, -EINVAL, "64 MiB");
	opts = good_vm();
	opts.ram_len = UINT64_C(4) << 40;
	expect_vm(opts, -EINVAL, "2 TiB");
	opts = good_vm();
	opts.vcpus = 0;
	expect_vm(opts, -EINVAL, "vCPUs");
	opts.vcpus = 65;
	expect_vm(opts, -EINVAL, "1 to 64");
	opts = good_vm();
	opts.kernel = NULL;
	expect_vm(opts, -EINVAL, "kernel");
	opts = good_vm();
	opts.flags = 0x80;
	expect_vm(opts, -EINVAL, "flags");
	opts = good_vm();
	opts.kick_signal = 9;
	expect_vm(opts, -EINVAL, "real-time");
	opts = good_vm();
	opts.flags = FL_VM_IDLES_POLITELY;
	opts.fault_mode = FL_FAULT_MODE_WATCH;
	expect_vm(opts, 0, NULL);
	opts.fault_mode = (enum fl_fault_mode)3;
	expect_vm(opts, -EINVAL, "fault mode");
	opts = good_vm();
	opts.ram_policy.action[0] = FL_ACTION_SUBSTITUTE;
	expect_vm(opts, 0, NULL);
	opts.ram_policy.action[1] = FL_ACTION_RETRY;
	expect_vm(opts, -EINVAL, "memory");
}

/* What a caller of the header's first version passes: its struct ended before the fault mode. */
static void test_older_callers_get_auto_and_stop(void **state)
{
	struct fl_vm_opts opts = good_vm();
	struct fl_vm_config config;

	(void)state;
	opts.size = offsetof(struct fl_vm_opts, fault_mode);
	opts.fault_mode = (enum fl_fault_mode)77; /* not theirs, whatever is behind */
	assert_int_equal(fl_vm_config_init(&config, &opts, NULL), 0);
	assert_int_equal(config.opts.fault_mode, FL_FAULT_MODE_AUTO);
	assert_null(config.opts.decide);
	assert_int_equal(config.opts.ram_policy.action[0], FL_ACTION_STOP);
	fl_vm_config_fini(&config);
}

static void test_sized_structs_grow_at_the_end(void **state)
{
	struct {
		uint32_t size, known;
	} mine;
	struct {
		uint32_t size, known, unknown;
	} newer = {sizeof(newer), 7, 0};
	struct {
		uint32_t size;
	} older = {sizeof(older)};

	(void)state;
	assert_int_equal(fl_copy_sized(&mine, sizeof(mine), &newer), 0);
	assert_int_equal(mine.known, 7);
	newer.unknown = 1;
	assert_int_equal(fl_copy_sized(&mine, sizeof(mine), &newer), -E2BIG);
	assert_int_equal(fl_copy_sized(&mine, sizeof(mine), &older), 0);
	assert_int_equal(mine.known, 0);
	older.size = 0;
	assert_int_equal(fl_copy_sized(&mine, sizeof(mine), &older), -EINVAL);
}

static void expect_share(struct fl_share_opts opts, int error, const char *word)
{
	struct fl_share_config config;
	struct fl_diag diag = {0};
	int ret = fl_share_config_init(&config, &opts, &diag);

	assert_int_equal(ret, error);
	if (error)
		assert_non_null(strstr(diag.text, word));
	else
		fl_share_config_fini(&config);
}

static struct fl_share_opts good_share(void)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;

	opts.tag = "data";
	opts.dir = "/tmp";
	opts.mount = "/data";
	return opts;
}

/* For messages: a person knows a share by its places, not by its tag. */
static void test_titles(void **state)
{
	struct fl_share_opts opts = good_share();
	struct fl_share_config config;
	char dir[201] = "/", title[256];

	(void)state;
	assert_int_equal(fl_share_config_init(&config, &opts, NULL), 0);
	assert_string_equal(config.title, "data (/tmp at /data)");
	fl_share_config_fini(&config);
	memset(dir + 1, 'a', 199);
	strcpy(dir + 196, "/end");
	opts.dir = opts.mount = dir;
	assert_int_equal(fl_share_config_init(&config, &opts, NULL), 0);
	snprintf(title, sizeof(title), "data (...%s at ...%s)", dir + 120, dir + 120);
	assert_string_equal(config.title, title);
	fl_share_config_fini(&config);
}

static void test_overlays(void **state)
{
	struct fl_share_opts opts = good_share();
	struct fl_share_config config, changes;

	(void)state;
	opts.flags = FL_SHARE_OVERLAY;
	expect_share(opts, 0, NULL);
	opts.flags = FL_SHARE_OVERLAY | FL_SHARE_WRITABLE;
	expect_share(opts, -EINVAL, "overlay");
	opts.flags = 0;
	opts.overlay_dir = "/tmp/changes";
	expect_share(opts, -EINVAL, "no overlay");
	opts.size = offsetof(struct fl_share_opts, overlay_dir); /* not theirs */
	expect_share(opts, 0, NULL);
	opts.size = sizeof(opts);
	opts.flags = FL_SHARE_OVERLAY;
	opts.tag = "1234567890123456789012345678";
	expect_share(opts, -EINVAL, "27 bytes");
	opts.tag = "123456789012345678901234567";
	assert_int_equal(fl_share_config_init(&config, &opts, NULL), 0);
	assert_int_equal(fl_share_config_init_changes(&changes, &config, NULL), 0);
	assert_string_equal(changes.tag, "123456789012345678901234567.changes");
	assert_string_equal(changes.dir, "/tmp/changes");
	assert_string_equal(changes.title, "123456789012345678901234567.changes (/tmp/changes)");
	assert_null(changes.mount);
	assert_int_equal(changes.opts.flags & (FL_SHARE_WRITABLE | FL_SHARE_OVERLAY), FL_SHARE_WRITABLE);
	assert_int_equal(changes.opts.window_len, 0);
	fl_share_config_fini(&changes);
	fl_share_config_fini(&config);
}

static void test_share_options(void **state)
{
	struct fl_share_opts opts = good_share();

	(void)state;
	expect_share(opts, 0, NULL);
	opts.tag = "";
	expect_share(opts, -EINVAL, "tag");
	opts.tag = "123456789012345678901234567890123456";
	expect_share(opts, -EINVAL, "35");
	opts.tag = "a\nb";
	expect_share(opts, -EINVAL, "newline");
	opts = good_share();
	opts.mount = "data";
	expect_share(opts, -EINVAL, "start with /");
	opts = good_share();
	opts.window_len = (64 << 20) + 4096;
	expect_share(opts, -EINVAL, "2 MiB");
	opts.window_len = 2 << 20;
	expect_share(opts, -EINVAL, "64 MiB");
	opts.window_len = UINT64_C(65) << 30;
	expect_share(opts, -EINVAL, "64 GiB");
	opts.window_len = 0;
	expect_share(opts, 0, NULL);
	for (uint64_t len = UINT64_C(64) << 20; len <= UINT64_C(64) << 30; len *= 2) {
		opts.window_len = len;
		expect_share(opts, 0, NULL);
		opts.window_len = len + FL_PAGE_LEN;
		expect_share(opts, -EINVAL, "2 MiB");
	}
	opts = good_share();
	opts.flags = FL_SHARE_WRITABLE | FL_SHARE_PREFAULT;
	expect_share(opts, 0, NULL);
	opts.flags = 1u << 31;
	expect_share(opts, -EINVAL, "flags");
	opts = good_share();
	opts.policy.action[1] = (enum fl_action)9;
	expect_share(opts, -EINVAL, "policy");
	opts = good_share();
	opts.dax = FL_DAX_ALWAYS;
	expect_share(opts, 0, NULL);
	opts.dax = (enum fl_dax)(FL_DAX_ALWAYS + 1);
	expect_share(opts, -EINVAL, "inode and always");
	opts = good_share();
	opts.flags = FL_SHARE_ONE_MOUNT;
	expect_share(opts, 0, NULL);
	opts.flags = FL_SHARE_OVERLAY << 1;
	expect_share(opts, -EINVAL, "flags 0x10");
	opts = good_share();
	opts.users = FL_USERS_HOST;
	expect_share(opts, 0, NULL);
	opts.users = (enum fl_users)(FL_USERS_HOST + 1);
	expect_share(opts, -EINVAL, "self and host");
	opts = good_share();
	opts.tag = "ram";
	expect_share(opts, -EINVAL, "ram");
}

/* What may stand in a list, and what only a callback may answer. */
static void test_policies(void **state)
{
	struct fl_share_opts opts = good_share();

	(void)state;
	for (int action = -1; action <= 8; action++) {
		bool good = action == FL_ACTION_STOP || action == FL_ACTION_REFLECT || action == FL_ACTION_SUBSTITUTE ||
			    action == FL_ACTION_ASK;

		opts.policy = (struct fl_policy){{FL_ACTION_ASK, FL_ACTION_SUBSTITUTE, FL_ACTION_REFLECT}};
		opts.policy.action[FL_POLICY_MAX - 1] = (enum fl_action)action;
		expect_share(opts, good ? 0 : -EINVAL, "policy");
	}
}

static void expect_window(struct fl_window_opts opts, int error, const char *word)
{
	struct fl_window_config config;
	struct fl_diag diag = {0};
	int ret = fl_window_config_init(&config, &opts, &diag);

	assert_int_equal(ret, error);
	if (error)
		assert_non_null(strstr(diag.text, word));
	else
		fl_window_config_fini(&config);
}

static struct fl_window_opts good_window(void)
{
	struct fl_window_opts opts = FL_WINDOW_OPTS_INIT;

	opts.name = "1234567890123456789012345678901";
	opts.fd = 0;
	opts.gpa = UINT64_C(1) << 33;
	opts.len = 2 << 20;
	return opts;
}

static void test_window_options(void **state)
{
	static const char *const names[] = {NULL, "", "12345678901234567890123456789012", "a\nb", "ram"};
	static const uint64_t lens[] = {0, 4096, (2 << 20) + 4096, (UINT64_C(64) << 30) + (2 << 20), UINT64_MAX};
	struct fl_window_opts opts = good_window();

	(void)state;
	expect_window(opts, 0, NULL);
	for (size_t i = 0; i < FL_ARRAY_SIZE(names); i++) {
		opts.name = names[i];
		expect_window(opts, -EINVAL, "31");
	}
	for (size_t i = 0; i < FL_ARRAY_SIZE(lens); i++) {
		opts = good_window();
		opts.len = lens[i];
		expect_window(opts, -EINVAL, "64 GiB");
	}
	opts = good_window();
	opts.fd = -1;
	expect_window(opts, -EINVAL, "no file");
	opts = good_window();
	opts.flags = 2;
	expect_window(opts, -EINVAL, "flags");
	opts = good_window();
	opts.gpa += 4096;
	expect_window(opts, -EINVAL, "2 MiB");
	opts = good_window();
	opts.file_offset = 4096;
	expect_window(opts, -EINVAL, "2 MiB");
	opts.file_offset = INT64_MAX - (2 << 20) + 1; /* ends one byte too late */
	expect_window(opts, -EINVAL, "64 bits");
	opts.file_offset -= 2 << 20;
	expect_window(opts, 0, NULL);
	opts = good_window();
	opts.gpa = UINT64_MAX - (2 << 20) + 1;
	expect_window(opts, -EINVAL, "64 bits");
	opts = good_window();
	opts.policy.action[0] = FL_ACTION_NEXT;
	expect_window(opts, -EINVAL, "policy");
}

static struct fl_net_opts good_net(void)
{
	struct fl_net_opts opts = FL_NET_OPTS_INIT;

	opts.fd = 3;
	opts.mtu = 65520;
	opts.address = "10.0.2.15/24";
	opts.gateway = "10.0.2.2";
	opts.address6 = "fd00::15/64";
	opts.gateway6 = "fd00::2";
	opts.resolv_conf = "nameserver 10.0.2.3\n";
	return opts;
}

static void expect_net(struct fl_net_opts opts, int expected, const char *word)
{
	struct fl_net_config config;
	struct fl_diag diag = {0};

	assert_int_equal(fl_net_config_init(&config, &opts, &diag), expected);
	if (word)
		assert_non_null(strstr(diag.text, word));
	if (!expected)
		fl_net_config_fini(&config);
}

static void test_port_options(void **state)
{
	static const char *const bad[] = {"", "a b", "a/b", "\n", "\xc3\xa4", "0123456789abcdef0123456789abcdef"};
	struct fl_port_opts opts = FL_PORT_OPTS_INIT;
	struct fl_port_config config;
	struct fl_diag diag;

	(void)state;
	assert_int_equal(fl_port_config_init(&config, &opts, &diag), -EINVAL); /* without a name */
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
		opts.name = bad[i];
		assert_int_equal(fl_port_config_init(&config, &opts, &diag), -EINVAL);
		assert_non_null(strstr(diag.text, "31"));
	}
	opts.name = "0123456789.aZ_-0123456789.aZ_-x";
	assert_int_equal(fl_port_config_init(&config, &opts, &diag), 0);
	assert_string_equal(config.name, opts.name);
	assert_ptr_not_equal(config.name, opts.name);
	fl_port_config_fini(&config);
	opts.flags = 1;
	assert_int_equal(fl_port_config_init(&config, &opts, &diag), -EINVAL);
	opts.flags = opts.size = 0;
	assert_int_equal(fl_port_config_init(&config, &opts, &diag), -EINVAL);
}

static void test_net_options(void **state)
{
	static const char *const bad[] = {"",	       "10.0.2.15",	"10.0.2.15/33",	  "10.0.2.15/",
					  "10.0.2/24", "10.0.2.15/-1",	"10.0.2.15/024x", "::1/24",
					  "/24",       "10.0.2.15/0000"};
	static const char *const bad6[] = {"fd00::15", "fd00::15/129", "10.0.2.15/24", "fd00::15::1/64"};
	struct fl_net_opts opts = good_net();

	(void)state;
	expect_net(opts, 0, NULL);
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
		opts.address = bad[i];
		expect_net(opts, -EINVAL, "10.0.2.15/24");
	}
	opts = good_net();
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad6); i++) {
		opts.address6 = bad6[i];
		expect_net(opts, -EINVAL, "fd00::15/64");
	}
	opts = good_net();
	opts.gateway = "10.0.2.2/24";
	expect_net(opts, -EINVAL, "10.0.2.2");
	opts = good_net();
	opts.address = NULL;
	expect_net(opts, -EINVAL, "no address");
	opts.gateway = NULL;
	expect_net(opts, 0, NULL);
	opts = good_net();
	opts.fd = -1;
	expect_net(opts, -EINVAL, "socket");
	opts = good_net();
	opts.mtu = 1279;
	expect_net(opts, -EINVAL, "MTU");
	opts.mtu = 0;
	expect_net(opts, 0, NULL);
	opts.mac[0] = 0x53;
	expect_net(opts, -EINVAL, "MAC");
	opts = good_net();
	opts.flags = 1;
	expect_net(opts, -EINVAL, "flags");
}

static void test_a_mac_address_is_made_up_where_none_is_given(void **state)
{
	struct fl_net_opts opts = good_net();
	struct fl_net_config one, two;

	(void)state;
	assert_int_equal(fl_net_config_init(&one, &opts, NULL), 0);
	assert_int_equal(fl_net_config_init(&two, &opts, NULL), 0);
	assert_int_equal(one.opts.mac[0] & 3, 2); /* local use, not a group's */
	assert_memory_not_equal(one.opts.mac, two.opts.mac, 6);
	fl_net_config_fini(&one);
	fl_net_config_fini(&two);
	opts.mac[0] = 0x52;
	opts.mac[5] = 7;
	assert_int_equal(fl_net_config_init(&one, &opts, NULL), 0);
	assert_memory_equal(one.opts.mac, "\x52\0\0\0\0\x07", 6);
	fl_net_config_fini(&one);
}

static void test_command_is_copied(void **state)
{
	char word[] = "echo";
	const char *argv[] = {word, "x", NULL};
	struct fl_command command = FL_COMMAND_INIT;
	struct fl_command_config config;
	struct fl_diag diag;

	(void)state;
	assert_int_equal(fl_command_config_init(&config, &command, &diag), -EINVAL);
	command.argv = argv;
	assert_int_equal(fl_command_config_init(&config, &command, &diag), 0);
	word[0] = 'X';
	assert_string_equal(config.opts.argv[0], "echo");
	assert_null(config.opts.argv[2]);
	fl_command_config_fini(&config);
	command.cwd = "relative";
	assert_int_equal(fl_command_config_init(&config, &command, &diag), -EINVAL);
	command.cwd = NULL;
	command.user = "";
	assert_int_equal(fl_command_config_init(&config, &command, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "NAME:GROUP"));
	command.user = NULL;
	command.flags = FL_COMMAND_TTY << 1;
	assert_int_equal(fl_command_config_init(&config, &command, &diag), -EINVAL);
}

/* A caller of the header's first version: its struct ended before the user. */
static void test_older_commands_are_roots(void **state)
{
	struct fl_command command = FL_COMMAND_INIT;
	const char *const argv[] = {"true", NULL};
	struct fl_command_config config;

	(void)state;
	command.argv = argv;
	command.size = offsetof(struct fl_command, user);
	command.user = (const char *)UINTPTR_MAX; /* not theirs */
	assert_int_equal(fl_command_config_init(&config, &command, NULL), 0);
	assert_null(config.opts.user);
	fl_command_config_fini(&config);
}

static void expect_hostname(const char *name, const char *hostname, const char *expected)
{
	struct fl_vm_opts opts = good_vm();
	struct fl_vm_config config;

	opts.name = name;
	opts.hostname = hostname;
	assert_int_equal(fl_vm_config_init(&config, &opts, NULL), 0);
	assert_string_equal(config.hostname, expected);
	fl_vm_config_fini(&config);
}

static void test_host_names(void **state)
{
	static const char *const bad[] = {"",	  ".",	  "-a",	 "a-",	"a.",  ".a",
					  "a..b", "a.-b", "a_b", "a b", "a\n", "\xc3\xa4"};
	struct fl_vm_opts opts = good_vm();
	char text[70] = "";

	(void)state;
	expect_hostname(NULL, NULL, "vm");
	expect_hostname("build-7", NULL, "build-7");
	expect_hostname("my vm", NULL, "faultline");
	expect_hostname("my vm", "a.b-c.9", "a.b-c.9");
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
		opts.hostname = bad[i];
		expect_vm(opts, -EINVAL, "host name");
	}
	memset(text, 'x', 64);
	opts.hostname = text;
	expect_vm(opts, -EINVAL, "host name"); /* a label has at most 63 */
	text[32] = '.';
	expect_vm(opts, 0, NULL);
	text[64] = 'x';
	expect_vm(opts, -EINVAL, "host name");
	opts.size = offsetof(struct fl_vm_opts, hostname);
	expect_vm(opts, 0, NULL);
}

static size_t heard;
static void hear(void *arg, const void *bytes, size_t len)
{
	memcpy((char *)arg + heard, bytes, len);
	heard += len;
}

static uint8_t serial_read(struct fl_serial *serial, uint16_t offset)
{
	uint8_t value = 0xee;

	fl_serial_access(serial, offset, false, &value);
	return value;
}

static void serial_write(struct fl_serial *serial, uint16_t offset, uint8_t value)
{
	fl_serial_access(serial, offset, true, &value);
}

static void test_serial_sends_and_interrupts_like_a_16450(void **state)
{
	struct fl_serial serial;
	char text[64] = {0}, tail[16];

	(void)state;
	heard = 0;
	fl_serial_init(&serial, -1, hear, text);
	serial_write(&serial, 3, 0x80); /* divisor latch: not sent */
	serial_write(&serial, 0, 'X');
	assert_int_equal(serial_read(&serial, 0), 'X');
	serial_write(&serial, 3, 0x03);
	assert_int_equal(serial_read(&serial, 2), 0x01);
	serial_write(&serial, 1, 0x02); /* THRE enabled with an empty register: pending at once */
	assert_int_equal(serial_read(&serial, 2), 0x02);
	assert_int_equal(serial_read(&serial, 2), 0x01); /* taken back by the read */
	serial_write(&serial, 0, 'h');
	assert_int_equal(serial_read(&serial, 2), 0x02);
	serial_write(&serial, 0, 'i');
	serial_write(&serial, 0, '\n');
	assert_string_equal(text, "hi\n");
	assert_int_equal(serial_read(&serial, 5) & 0x60, 0x60);
	assert_int_equal(fl_serial_tail(&serial, tail, sizeof(tail)), 3);
	assert_string_equal(tail, "hi\n");
	fl_serial_fini(&serial);
}

static void test_serial_keeps_the_last_part(void **state)
{
	struct fl_serial serial;
	char tail[8];

	(void)state;
	fl_serial_init(&serial, -1, NULL, NULL);
	for (unsigned int i = 0; i < 3 * FL_SERIAL_TAIL_LEN; i++)
		serial_write(&serial, 0, (uint8_t)('a' + i % 26));
	assert_int_equal(fl_serial_tail(&serial, tail, sizeof(tail)), 7);
	for (unsigned int i = 0; i < 7; i++)
		assert_int_equal(tail[i], 'a' + (3 * FL_SERIAL_TAIL_LEN - 7 + i) % 26);
	fl_serial_fini(&serial);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vm_options),
	cmocka_unit_test(test_sized_structs_grow_at_the_end),
	cmocka_unit_test(test_share_options),
	cmocka_unit_test(test_titles),
	cmocka_unit_test(test_overlays),
	cmocka_unit_test(test_older_callers_get_auto_and_stop),
	cmocka_unit_test(test_policies),
	cmocka_unit_test(test_window_options),
	cmocka_unit_test(test_port_options),
	cmocka_unit_test(test_net_options),
	cmocka_unit_test(test_a_mac_address_is_made_up_where_none_is_given),
	cmocka_unit_test(test_command_is_copied),
	cmocka_unit_test(test_older_commands_are_roots),
	cmocka_unit_test(test_host_names),
	cmocka_unit_test(test_serial_sends_and_interrupts_like_a_16450),
	cmocka_unit_test(test_serial_keeps_the_last_part),
};
FL_TEST_MAIN(20, tests)
