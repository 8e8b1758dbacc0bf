/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a guest as others see it: "faultline ps, status, faults, inspect, pause, resume, stop", signals, and the
 * terminal. Each case is a script of the host's shell, whose $1 is the launcher and $2 a directory that it shares.
 *
 * usage: box_control LAUNCHER GUEST_MAPPER [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/box/guest_run.h"

/* The time that an emulated guest may take to get to its command. */
#define REACH \
	"reach() { n=0; until eval \"$1\"; do n=$((n+1)); [ $n -lt 600 ] || { echo \"never: $1\"; exit 9; }; sleep 0.1; done; }\n"

static void run_script(const struct bench *bench, const char *script, struct transcript *transcript)
{
	char *text = NULL;

	assert_true(asprintf(&text, REACH "%s", script) > 0);
	const char *const argv[] = {"/bin/sh", "-c", text, "sh", bench->launcher, bench->data, NULL};

	run_command(bench, argv, transcript);
	free(text);
}

static void assert_line(const struct transcript *transcript, const char *part)
{
	if (lines_with(transcript->out, part) == 0) {
		show("script", transcript);
		fail_msg("no line with \"%s\"", part);
	}
}

static void a_guest_is_seen_held_and_stopped(void **state)
{
	struct transcript seen;

	run_script(
		*state,
		"f=$1 d=$2\n"
		"$f run --name tick --rwdir /tmp/d=$d -- sh -c 'while :; do date +%s%N > /tmp/d/now; sleep 0.1; done' & pid=$!\n"
		"reach '[ -s $d/now ]'\n"
		"$f ps; $f status; $f inspect; $f ps --json | python3 -c '\n"
		"import json, sys; a = json.load(sys.stdin); print(\"json\", len(a), a[0][\"name\"], a[0][\"state\"])'\n"
		"$f inspect --json tick | python3 -c '\n"
		"import json, sys; a = json.load(sys.stdin)\n"
		"print(\"regions\", \" \".join(r[\"name\"] for r in a[\"regions\"]))\n"
		"print(\"maps sh\", any(m[\"path\"].endswith(\"sh\") for m in a[\"regions\"][1][\"mappings\"]))'\n"
		"$f run --name tick -- true 2>&1; echo \"the second: $?\"\n"
		"$f pause; sum=$(md5sum < $d/now); sleep 1; [ \"$sum\" = \"$(md5sum < $d/now)\" ] && echo 'stands still'\n"
		"$f status | grep ^state\n"
		"$f resume; reach '[ \"$sum\" != \"$(md5sum < $d/now)\" ]' && echo 'goes on'\n"
		"$f stop tick; echo \"stop: $?\"; wait $pid; echo \"run: $?\"\n"
		"$f status tick 2>&1; echo \"status: $?\"\n",
		&seen);
	assert_line(&seen, "NAME");
	assert_line(&seen, "tick  ");
	assert_line(&seen, "/tmp/d is ");
	assert_line(&seen, "json 1 tick running");
	assert_line(&seen, "regions ram / /tmp/d");
	assert_line(&seen, "maps sh True");
	assert_line(&seen, "A guest with the name tick runs already");
	assert_line(&seen, "the second: 125");
	assert_line(&seen, "stands still");
	assert_line(&seen, "state     paused");
	assert_line(&seen, "goes on");
	assert_line(&seen, "stop: 0");
	assert_line(&seen, "run: 143"); /* by the agent's SIGTERM */
	assert_line(&seen, "No guest with the name tick runs");
	assert_line(&seen, "status: 1");
	assert_int_equal(seen.status, 0);
	transcript_free(&seen);
}

static void faults_are_listed_and_followed(void **state)
{
	struct transcript seen;

	run_script(*state,
		   "f=$1 d=$2\n"
		   "head -c 16384 /dev/zero > $d/file\n"
		   "$f run --name lossy --rwdir /tmp/d=$d -- sh -c 'until [ -e /tmp/d/go ]; do sleep 0.1; done; "
		   "until [ -e /tmp/d/end ]; do python3 -c \"\n"
		   "import mmap; f = open(\\\"/tmp/d/file\\\", \\\"r+b\\\"); m = mmap.mmap(f.fileno(), 16384)\n"
		   "open(\\\"/tmp/d/mapped\\\", \\\"w\\\").close()\n"
		   "while True: m[8192]\n"
		   "\"; touch /tmp/d/lost; sleep 1; done' 2> $d/err & pid=$!\n"
		   "reach '$f status lossy > /dev/null 2>&1'\n"
		   "$f faults -f --json lossy > $d/followed & follower=$!\n"
		   "touch $d/go; reach '[ -e $d/mapped ]'; truncate -s 4096 $d/file\n"
		   "reach '[ -e $d/lost ]'\n"
		   "$f faults lossy; $f status | grep ^faults; $f console > /dev/null && echo 'has a console'\n"
		   "touch $d/end\n"
		   "wait $pid; echo \"run: $?\"; wait $follower; echo \"follower: $?\"\n"
		   "python3 -c '\nimport json, sys\n"
		   "for line in open(sys.argv[1]):\n"
		   "  a = json.loads(line); print(a[\"event\"], a[\"cause\"], a[\"file_offset\"])' $d/followed\n",
		   &seen);
	assert_line(&seen, "truncated: data at ");
	assert_line(&seen, "faults    1: 1 ");
	assert_line(&seen, "has a console");
	assert_line(&seen, "run: 0");
	assert_line(&seen, "follower: 0");
	assert_line(&seen, "fault truncated 8192");
	transcript_free(&seen);
}

static void signals_ask_the_guest_to_end(void **state)
{
	struct transcript seen;

	run_script(
		*state,
		"f=$1 d=$2\n"
		"$f run --rwdir /tmp/d=$d -- sh -c 'trap \"echo asked > /tmp/d/said; exit 3\" TERM; echo up > /tmp/d/up; "
		"while :; do sleep 0.1; done' & pid=$!\n"
		"reach '[ -s $d/up ]'; kill -TERM $pid; wait $pid; echo \"own status: $?\"; cat $d/said; rm $d/up\n"
		"$f run --rwdir /tmp/d=$d -- sh -c 'echo up > /tmp/d/up; exec sleep 1000' & pid=$!\n"
		"reach '[ -s $d/up ]'; kill -INT $pid; wait $pid; echo \"interrupted: $?\"; rm $d/up\n"
		"$f run --name hard --rwdir /tmp/d=$d -- sh -c 'trap \"\" TERM; echo up > /tmp/d/up; while :; do sleep 1; done' & pid=$!\n"
		"reach '[ -s $d/up ]'; $f stop --force hard; echo \"stop: $?\"; wait $pid; echo \"forced: $?\"\n",
		&seen);
	assert_line(&seen, "own status: 3");
	assert_line(&seen, "asked");
	/* a background job of a shell without job control ignores SIGINT, and so would the launcher's default */
	assert_line(&seen, "interrupted: 130");
	assert_line(&seen, "stop: 0");
	assert_line(&seen, "forced: 255");
	transcript_free(&seen);
}

/* script(1) gives the launcher a terminal; what it leaves must be as before. */
static void a_terminal_is_raw_and_put_back(void **state)
{
	struct transcript seen;

	run_script(
		*state,
		"export f=$1\n"
		"cat > $2/inside <<'EOS'\n"
		"stty rows 33 cols 99; before=$(stty -g)\n"
		"TERM=vt220 $f run -- sh -c 'stty size; echo \"$TERM\"; test -t 0 && test -t 1 && test -t 2 && echo \"three times\"; exit 5'\n"
		"echo \"status: $?\"; [ \"$before\" = \"$(stty -g)\" ] && echo 'as before'\n"
		"$f run -- sleep 1000 & sleep 1; kill -KILL $!; wait $!; sleep 1; [ \"$before\" = \"$(stty -g)\" ] && echo 'again as before'\n"
		"$f run --tty never -- test -t 0; echo \"never: $?\"\n"
		"EOS\n"
		"script -qec \"sh $2/inside\" /dev/null < /dev/null; $f run -- test -t 0; echo \"pipe: $?\"\n"
		"$f run --tty always -- test -t 1 < /dev/null; echo \"always: $?\"\n",
		&seen);
	assert_line(&seen, "33 99");
	assert_line(&seen, "vt220");
	assert_line(&seen, "three times");
	assert_line(&seen, "status: 5");
	assert_line(&seen, "as before");
	assert_line(&seen, "again as before");
	assert_line(&seen, "never: 1");
	assert_line(&seen, "pipe: 1");
	assert_line(&seen, "always: 0");
	transcript_free(&seen);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_guest_is_seen_held_and_stopped),
	cmocka_unit_test(faults_are_listed_and_followed),
	cmocka_unit_test(signals_ask_the_guest_to_end),
	cmocka_unit_test(a_terminal_is_raw_and_put_back),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
