/* SPDX-License-Identifier: Apache-2.0 */
/* What is found out of the host's network, and what passt is told then. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/passt.h"

static FILE *file_of(const char *text)
{
	FILE *file = fmemopen((char *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(file);
	return file;
}

static bool found(const char *text, bool (*look)(FILE *file))
{
	FILE *file = file_of(text);
	bool yes = look(file);

	fclose(file);
	return yes;
}

#define HEAD4 "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define NET4  "eth0\t00FEFFA9\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
#define NET6                                                                       \
	"fd000000000000000000000000000000 40 00000000000000000000000000000000 00 " \
	"00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
#define ROUTE6(flags)                                                              \
	"00000000000000000000000000000000 00 00000000000000000000000000000000 00 " \
	"fd000000000000000000000000000001 00000400 00000003 00000000 " flags "     eth0\n"

/* Lines as Linux writes them (proc(5); net/ipv6/route.c). */
static void default_routes_are_found(void **state)
{
	(void)state;
	assert_false(found(HEAD4 NET4, fl_cli_has_default_route4));
	assert_true(found(HEAD4 NET4 "eth0\t00000000\t01FEFFA9\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
			  fl_cli_has_default_route4));
	assert_false(
		found(HEAD4 "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", fl_cli_has_default_route4));
	/* half of all addresses is not all */
	assert_false(
		found(HEAD4 "eth0\t00000000\t01FEFFA9\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", fl_cli_has_default_route4));
	assert_false(found(NET6, fl_cli_has_default_route6));
	assert_true(found(NET6 ROUTE6("00000003"), fl_cli_has_default_route6));
	assert_false(found(NET6 ROUTE6("00200200"), fl_cli_has_default_route6)); /* "unreachable", on lo */
	assert_false(fl_cli_has_default_route4(NULL));
	assert_false(fl_cli_has_default_route6(NULL));
}

static void resolv_conf_is_read(void **state)
{
	struct fl_cli_host_network host = {0};
	FILE *file = file_of(
		"# none\n\n  nameserver fe80::1%eth0\nsearch a.example  b.example \noptions edns0\nnameserver\n");

	(void)state;
	fl_cli_read_resolv_conf(file, &host);
	fclose(file);
	assert_true(host.dns6);
	assert_false(host.dns4);
	assert_string_equal(host.search, "a.example  b.example ");
	file = file_of("nameserver 127.0.0.53");
	fl_cli_read_resolv_conf(file, &host);
	fclose(file);
	assert_true(host.dns4);
	file = file_of("search\n");
	fl_cli_read_resolv_conf(file, &host);
	fclose(file);
	assert_string_equal(host.search, "");
}

/* The words, each with a blank behind it. */
static char *told(const struct fl_cli_host_network *host, struct fl_cli_passt *passt)
{
	const char *args[FL_CLI_PASST_ARGS_MAX];
	char *text = calloc(1, 2048);

	memset(passt, 0, sizeof(*passt));
	fl_cli_passt_plan(passt, host);
	fl_cli_passt_args(passt, host, args);
	for (const char **arg = args; *arg; arg++) {
		strcat(text, *arg);
		strcat(text, " ");
	}
	return text;
}

static void the_guest_gets_what_the_host_has(void **state)
{
	struct fl_cli_host_network host = {.routes4 = true, .dns4 = true, .dns6 = true, .search = "a.example"};
	struct fl_cli_passt passt;
	char *text = told(&host, &passt);

	(void)state;
	assert_true(passt.v4);
	assert_false(passt.v6);
	assert_non_null(strstr(text, "--ipv4-only "));
	assert_null(strstr(text, "fd46"));
	assert_null(strstr(text, "--interface"));
	assert_string_equal(passt.resolv_conf, "nameserver 10.0.2.3\nsearch a.example\n");
	free(text);
	host.routes6 = true;
	text = told(&host, &passt);
	assert_true(passt.v4 && passt.v6);
	assert_null(strstr(text, "only"));
	assert_non_null(strstr(text, "--address 10.0.2.15 --netmask 24 --gateway 10.0.2.2 "));
	assert_non_null(strstr(text, "--address fd46:4c00::15 --gateway fd46:4c00::2 "));
	assert_string_equal(passt.resolv_conf, "nameserver 10.0.2.3\nnameserver fd46:4c00::3\nsearch a.example\n");
	free(text);
	host.routes4 = false;
	text = told(&host, &passt);
	assert_true(passt.v6 && !passt.v4);
	assert_non_null(strstr(text, "--ipv6-only "));
	assert_null(strstr(text, "10.0.2"));
	free(text);
}

static void a_host_without_a_way_out_has_itself(void **state)
{
	struct fl_cli_host_network host = {0};
	struct fl_cli_passt passt;
	char *text = told(&host, &passt);

	(void)state;
	assert_true(passt.v4 && !passt.v6);
	assert_non_null(strstr(text, "--interface lo "));
	assert_string_equal(passt.resolv_conf, "");
	free(text);
}

static void run_without_passt(const char *path, int error, const char *words)
{
	struct fl_cli_passt passt;
	struct fl_diag diag = {0};
	char *old = strdup(getenv("PATH"));

	setenv("PATH", path, 1);
	assert_int_equal(fl_cli_passt_start(&passt, &diag), error);
	fl_cli_passt_stop(&passt);
	setenv("PATH", old, 1);
	free(old);
	if (!strstr(diag.text, words))
		fail_msg("%s", diag.text);
}

static void put_program(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

static void what_keeps_it_from_running_is_said(void **state)
{
	char dir[] = "/tmp/fl-passt-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/passt", dir);
	run_without_passt(dir, -ENOENT, "apt-get install passt");
	put_program(path, "#!/bin/sh\necho first; echo 'No way out' >&2; exit 1\n");
	run_without_passt(dir, -EIO, "No way out");
	unlink(path);
	rmdir(dir);
}

static void it_answers_and_goes_with_its_socket(void **state)
{
	struct fl_cli_passt passt;
	struct fl_diag diag = {0};
	pid_t pid;

	(void)state;
	if (access("/usr/bin/passt", X_OK) < 0)
		SKIP_FOR("passt is not installed (apt-get install passt)");
	if (fl_cli_passt_start(&passt, &diag) < 0)
		fail_msg("%s", diag.text);
	pid = passt.pid;
	assert_int_equal(kill(pid, 0), 0);
	fl_cli_passt_stop(&passt);
	assert_int_equal(kill(pid, 0), -1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(default_routes_are_found),
	cmocka_unit_test(resolv_conf_is_read),
	cmocka_unit_test(the_guest_gets_what_the_host_has),
	cmocka_unit_test(a_host_without_a_way_out_has_itself),
	cmocka_unit_test(it_answers_and_goes_with_its_socket),
	cmocka_unit_test(what_keeps_it_from_running_is_said),
};
FL_TEST_MAIN(60, tests)
