/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with scenarios: where, and what to do. Guests and hosts, their steps, expectations. Expected: the
 * places by counting, the rules of faultline-scenario(5).
 */
#include "tests/unit/cli/scenario_errors.h"

static const struct wrong actors_table[] = {
	{A_FILE "guest\n\tsleep 1ms\n", "4:6: Here the name of the guest is missing.\n"},
	{A_FILE "guest a\n", "4:1: The block has no steps: put some below this line, with white space before each.\n"},
	{A_FILE "guest a\n\tsleep 1ms\nguest a\n\tsleep 1ms\n",
	 "6:1: There is a guest a already, in line 4: give this one another name.\n"},
	{A_FILE "host\n\tsleep 1ms\nhost\n\tsleep 1ms\n",
	 "6:1: There is a host host already, in line 4: give this one another name.\n"},
	{A_FILE "host a b\n\tsleep 1ms\n", "4:8: Here the line has to end: take \"b\" away.\n"},
	{A_FILE "guest a in b\n\tsleep 1ms\n",
	 "4:12: There is no machine \"b\": a block \"machine NAME\" makes one.\n"},
	{A_FILE "guest a on 1\n\tsleep 1ms\n", "4:12: Here the word \"cpu\" has to stand, not \"1\".\n"},
	{A_FILE "guest a on cpu 1\n\tsleep 1ms\n",
	 "4:1: The machine vm has 1 CPUs, counted from 0: take a lower one than 1, or give it more.\n"},
	{A_FILE "guest a on cpu 64\n\tsleep 1ms\n",
	 "4:16: Here the number of a CPU is wanted, from 0 to 63, and not 64.\n"},
	{A_FILE "guest a thread of b\n\tsleep 1ms\n",
	 "4:19: There is no guest \"b\": a block \"guest NAME\" makes one.\n"},
	{A_FILE "guest a fatl\n\tsleep 1ms\n",
	 "4:9: Here \"in\", \"on cpu\", \"thread of\", \"child of\", \"fatal\" or \"blocked\" is wanted, which \"fatl\" is not: did you mean fatal?\n"},
	{A_FILE "guest a fatal fatal\n\tsleep 1ms\n", "4:15: This was said before: take \"fatal\" away.\n"},
	{A_FILE "guest a\n\tthread b\nguest b thread of a fatal\n\tsleep 1ms\n",
	 "6:1: Whether signals are caught is the process's affair: say \"fatal\" of its guest.\n"},
	{A_FILE "guest a\n\tthread b\nguest b thread of a in vm\n\tsleep 1ms\n",
	 "6:1: It is in its parent's machine: take \"in vm\" away.\n"},
	{A_FILE "machine a\nmachine b\nguest c\n\tsleep 1ms\n",
	 "6:1: There are several machines: say which is meant by \"in MACHINE\".\n"},
	{A_FILE "guest a\n\tsleep 1ms\nguest b thread of a\n\tsleep 1ms\n",
	 "6:1: Nobody starts b: put a step \"thread b\" into a.\n"},
	{A_FILE "guest a\n\tfork b\nguest b thread of a\n\tsleep 1ms\n",
	 "5:2: b is no child of a: say so in line 6, \"guest b child of a\".\n"
	 "6:1: Nobody starts b: put a step \"thread b\" into a.\n"},
	{A_FILE "guest a\n\tthread b\n\tthread b\nguest b thread of a\n\tsleep 1ms\n",
	 "6:2: b is started for the second time: take one of the steps away.\n"},
	{A_FILE "guest a\n\tloop 2\n\t\tthread b\n\tend\nguest b thread of a\n\tsleep 1ms\n",
	 "6:3: b can be started only once: put the step before or behind the loop.\n"},
	{A_FILE "guest a\n\tjoin b\nguest b\n\tsleep 1ms\n",
	 "5:2: b is no thread or child of a: only these can be joined, so wait for a mark.\n"},
	{A_FILE "guest a\n\tthread h\nhost h\n\tsleep 1ms\n",
	 "5:9: There is no guest \"h\": a block \"guest NAME\" makes one.\n"},
};
static void guests_and_hosts(void **state)
{
	(void)state;
	assert_wrong(actors_table, FL_ARRAY_SIZE(actors_table));
}

#define A_POLICY A_FILE "machine\n\tshare data at /data policy ask,reflect,stop\nguest a\n\tsleep 1ms\nhost\n"

static const struct wrong inside_table[] = {
	{A_FILE "host\n\tinside fault 1\n\tanswer retry\n",
	 "5:2: No share of the machine vm asks what is to be done with a fault: give one a policy like ask,reflect,stop.\n"},
	{A_POLICY "\tsleep 1ms\n",
	 "5:2: Nobody answers what this policy asks: put steps \"inside fault 1\" and \"answer retry\" into a host, or take ask away.\n"},
	{A_POLICY "\tinside fault 1\n\ttruncate data/log 4K\n",
	 "9:2: The CPU is never let go on: put a step like \"answer retry\" behind those that are inside the fault.\n"},
	{A_POLICY "\tinside fault 1\n\tinside fault 2\n\tanswer next\n",
	 "10:2: A CPU is still held, inside the fault of line 9: put an \"answer\" before this step.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer next\n\tanswer next\n",
	 "11:2: No CPU is held here: put a step like \"inside fault 1\" before this one.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer next\n\tinside fault 1\n\tanswer next\n",
	 "11:2: The steps behind line 9 are inside this fault already: take another one.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer next\nhost b\n\tinside fault 1\n\tanswer next\n",
	 "12:2: The steps behind line 9 are inside this fault already: take another one.\n"},
	{A_POLICY "\tinside fault 0\n\tanswer next\n", "9:2: Faults are counted from 1: this one never comes.\n"},
	{A_POLICY "\tloop 2\n\t\tinside fault 1\n\t\tanswer next\n\tend\n",
	 "10:3: A fault comes once: put this step before or behind the loop.\n"
	 "11:3: A fault comes once: put this step before or behind the loop.\n"},
	{A_POLICY "\tinside fault 1\n\tpause vm\n\tanswer next\n",
	 "10:2: A machine with a CPU that is held inside a fault, in line 9, cannot be paused: put this before it, or behind its answer.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer ask\n", "10:9: \"ask\" says nothing to \"answer\".\n"},
	{A_POLICY "\tinside fault 1\n\tanswer retry stop\n",
	 "10:15: \"retry\" and \"stop\" exclude each other: take one away.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer\n", "10:8: Here a word that says how is missing.\n"},
	{A_POLICY "\tinside 1\n", "9:2: \"inside\" is no step of the host.\n"},
	{A_MAPPING "\tinside fault 1\n", "7:2: \"inside\" is no step of a guest.\n"},
	{A_POLICY "\tinside fault 1\n\tanswer next\nexpect\n\tfault outcome substituted\n",
	 "12:2: There can be no such fault: no share of the machine has a policy with \"substitute\".\n"},
};
static void steps_inside_faults(void **state)
{
	(void)state;
	assert_wrong(inside_table, FL_ARRAY_SIZE(inside_table));
}

static const struct wrong steps_table[] = {
	{A_MAPPING "\tread\n", "7:6: Here a place MAPPING+OFFSET is missing.\n"},
	{A_MAPPING "\traed m\n", "7:2: \"raed\" is no step of a guest: did you mean read?\n"},
	{A_MAPPING "\tpunch data/log 0 4K\n",
	 "7:2: \"punch\" is a step of the host, not of a guest: put it into a block of its.\n"},
	{A_FILE "host\n\topen f data/log ro\n",
	 "5:2: \"open\" is a step of a guest, not of the host: put it into a block of its.\n"},
	{A_MAPPING "\tread n\n",
	 "7:7: There is no mapping \"n\": a step \"map NAME FILE OFFSET LENGTH rw\" makes one.\n"},
	{A_MAPPING "\tread m+x\n",
	 "7:7: Here a place is wanted like m+4K, and what stands behind the + of \"m+x\" is no number: a number is missing in it.\n"},
	{A_MAPPING "\tread m+64K\n",
	 "7:7: m+64K lies beyond the 65536 bytes that were mapped: map more, or take a lower offset.\n"},
	{A_MAPPING "\tread m+64K-4\n",
	 "7:2: This goes beyond the 65536 bytes that were mapped as m: map more, or take fewer bytes.\n"},
	{A_MAPPING "\tvector m+64K-8\n",
	 "7:2: This goes beyond the 65536 bytes that were mapped as m: map more, or take fewer bytes.\n"},
	{A_MAPPING "\tcopy m m+60K 8K\n",
	 "7:2: This goes beyond the 65536 bytes that were mapped as m: map more, or take fewer bytes.\n"},
	{A_MAPPING "\treadto f 0 m+60K 8K\n",
	 "7:2: This goes beyond the 65536 bytes that were mapped as m: map more, or take fewer bytes.\n"},
	{A_MAPPING "\tread m 3\n",
	 "7:9: One instruction takes 1, 2, 4 or 8 bytes, and not 3: take \"touch\" or \"copy\" for more.\n"},
	{A_MAPPING "\tread m 4 5\n", "7:11: Here the line has to end: take \"5\" away.\n"},
	{A_MAPPING "\tread m => lost at m+64K\n",
	 "7:20: m+64K lies beyond the 65536 bytes that were mapped: map more, or take a lower offset.\n"},
	{A_MAPPING "\tread m => lost at m+8K..m+4K\n",
	 "7:20: A range of places lies in one mapping, and its end is not before its beginning.\n"},
	{A_MAPPING "\tread m => lost m\n", "7:17: Here the word \"at\" has to stand, not \"m\".\n"},
	{A_MAPPING "\tread m =>\n", "7:11: Here what is to come of the step is missing.\n"},
	{A_MAPPING "\tread m => ok or\n", "7:17: Here what is to come of the step is missing.\n"},
	{A_MAPPING "\tread m => SIGBSU\n",
	 "7:12: \"SIGBSU\" can come of no step: write ok, a value, an errno like EIO, a signal, lost, killed or any: did you mean SIGBUS?\n"},
	{A_MAPPING "\tread m => EIO\n",
	 "7:12: This never comes of \"read\": it is no system call: write a signal, like \"lost at MAPPING+OFFSET\".\n"},
	{A_MAPPING "\tread m => SIGBUS SEGV_MAPERR\n",
	 "7:19: SIGBUS never comes with SEGV_MAPERR: take one of its own codes.\n"},
	{A_MAPPING "\tread m => killed SIGBUS\n",
	 "7:12: This never comes of \"read\": the guest catches signals: say \"fatal\" or \"blocked\" of it, or leave \"killed\" away.\n"},
	{A_MAPPING "\tread m => killed SIGFOO\n", "7:19: There is no signal SIGFOO: did you mean SIGFPE?\n"},
	{A_MAPPING "\tpread f 0 8 => lost at m\n",
	 "7:17: This never comes of \"pread\": in a system call memory that is lost is an errno: write EFAULT.\n"},
	{A_MAPPING "\twrite m => 4\n", "7:13: This never comes of \"write\": it returns no value: write ok.\n"},
	{A_MAPPING "\tmark x => EIO\n", "7:12: This never comes of \"mark\": it does not fail.\n"},
	{A_FILE "guest a blocked\n\topen f data/log ro\n\tmap m f 0 64K ro\n\tread m => SIGBUS\n",
	 "7:12: This never comes of \"read\": the guest has signals blocked, so they end it: write \"killed\" and the signal.\n"},
	{A_FILE "guest a fatal\n\topen f data/log ro\n\tmap m f 0 64K ro\n\tread m => SIGBUS\n",
	 "7:12: This never comes of \"read\": the guest is fatal, so signals end it: write \"killed\" and the signal.\n"},
	{A_FILE "guest a fatal\n\topen f data/log ro\n\tmap m f 0 64K ro\n\tread m => killed SIGBUS\n\tread m\n",
	 "8:2: This is never reached, since the step in line 7 ends the guest: take it away.\n"},
	{A_MAPPING "\tread m within 0s\n", "7:9: No step takes no time: give it some, like 1ms.\n"},
	{A_MAPPING "\tread m within\n", "7:15: Here the time that it may take is missing.\n"},
	{A_MAPPING "\topen f data/log ro\n", "7:7: Line 5 makes f already: take another name.\n"},
	{A_MAPPING "\topen g data/log\n", "7:17: Here a word that says how is missing.\n"},
	{A_MAPPING "\topen g data/log ro rw\n", "7:21: \"ro\" and \"rw\" exclude each other: take one away.\n"},
	{A_MAPPING "\topen g data/log create\n", "7:18: \"open\" is to be told by \"ro\" or the like, too.\n"},
	{A_MAPPING "\topen g data/log ro creat\n", "7:21: \"creat\" says nothing to \"open\": did you mean create?\n"},
	{A_MAPPING "\tmap n f 0 64K rw shared private\n",
	 "7:26: \"shared\" and \"private\" exclude each other: take one away.\n"},
	{A_MAPPING "\tmap n f 0 64K populate\n", "7:16: \"map\" is to be told by \"ro\" or the like, too.\n"},
	{A_MAPPING "\tfallocate f 0 4K punhc\n",
	 "7:19: \"punhc\" says nothing to \"fallocate\": did you mean punch?\n"},
	{A_MAPPING "\tcheck m 4K zeroes\n", "7:13: \"zeroes\" says nothing to \"check\": did you mean zeros?\n"},
	{A_MAPPING "\tcheck m 4K zeros 0 0\n", "7:21: Here the line has to end: take \"0\" away.\n"},
	{A_MAPPING "\tpread g 0 4\n\topen g data/log ro\n",
	 "7:2: g is made in line 8 only: put this step behind it.\n"},
	{A_FILE "guest a\n\tread m\n\topen f data/log ro\n\tmap m f 0 4K ro\n",
	 "5:2: m is made in line 7 only: put this step behind it.\n"},
	{A_FILE "guest a\n\tfork b\n\topen f data/log ro\nguest b child of a\n\tpread f 0 4\n",
	 "8:2: f is not there: a makes it in line 6, in another process or after the fork, so make one here.\n"},
	{A_FILE "guest a\n\tfork b\n\tpread f 0 4\nguest b child of a\n\topen f data/log ro\n",
	 "6:2: f is not there: b makes it in line 8, in another process or after the fork, so make one here.\n"},
	{A_FILE "machine\nguest a\n\topen f data/log ro\n",
	 "6:9: The machine vm has no share of data: give it a line \"share data at /data\".\n"},
	{A_MAPPING "\tloop 0\n\t\tread m\n\tend\n",
	 "7:7: Here a count, or \"until\" and a mark, is wanted, from 1 to 4294967295, and not 0.\n"},
	{A_MAPPING "\tloop 2\n\t\tread m\n", "7:2: This loop has no end: put a line \"end\" behind its last step.\n"},
	{A_MAPPING "\tend\n", "7:2: There is no loop that this could end: take it away.\n"},
	{A_MAPPING "\tloop 2\n\tend\n", "8:2: There are no steps in this loop: put some in.\n"},
	{A_MAPPING "\tloop 1\n\tloop 1\n\tloop 1\n\tloop 1\n\tloop 1\n\tread m\n\tend\n\tend\n\tend\n\tend\n\tend\n",
	 "11:2: Loops can be 4 deep: this one is too deep.\n"},
	{A_MAPPING "\tmaybe loop 2\n\t\tread m\n\tend\n",
	 "7:2: Say \"maybe\" of the steps in the loop, not of the loop.\n"},
	{A_MAPPING "\tloop 2 => ok\n\t\tread m\n\tend\n", "7:9: Here the line has to end: take \"=>\" away.\n"},
	{A_MAPPING "\trun\n", "7:5: Here a program is missing.\n"},
	{A_MAPPING "\trun => 0\n", "7:6: Here a program is missing.\n"},
	{A_FILE "host\n\tchmod data/log 9\n",
	 "5:17: Here a mode in octal digits is wanted, and \"9\" is no mode: a mode has digits from 0 to 7 only.\n"},
	{A_FILE "host\n\tfill data\n",
	 "5:2: This would fill the host's disk: write \"dir data tmpfs 16M\" or the like in line 2.\n"},
	{A_FILE "host\n\tpoison data/log 4K\n",
	 "5:2: Another file system would read the page anew: write \"dir data tmpfs 16M\" or the like in line 2.\n"},
	{A_FILE "host\n\tremount data ro\n",
	 "5:2: This takes a dir that is a mount: write \"dir data tmpfs 16M\" or \"dir data failing\" in line 2.\n"},
	{A_FILE "host\n\tfreeze data\n",
	 "5:2: This takes a dir that can fail: write \"dir data failing\" in line 2.\n"},
	{A_FILE "host\n\tfail-reads data/log\n",
	 "5:2: This takes a dir that can fail: write \"dir data failing\" in line 2.\n"},
	{A_FILE "host\n\twait turns b 3\n", "5:13: There is no guest \"b\": a block \"guest NAME\" makes one.\n"},
	{A_MAPPING "host\n\twait turns a 3\n", "8:2: a has no loop whose turns could be waited for.\n"},
	{A_FILE "machine a\nmachine b\nhost\n\twait faults 1\n",
	 "7:2: There are several machines: say which is meant by \"in MACHINE\".\n"},
	{A_FILE "host\n\tpause v\n", "5:8: There is no machine \"v\": a block \"machine NAME\" makes one.\n"},
	{A_FILE "host\n\treplace data/log 4K cod\n", "5:22: \"cod\" says nothing to \"replace\": did you mean code?\n"},
};
static void steps(void **state)
{
	(void)state;
	assert_wrong(steps_table, FL_ARRAY_SIZE(steps_table));
}

static const struct wrong order_table[] = {
	{A_FILE "host\n\twait x\n", "5:2: Nobody sets the mark x: put a step \"mark x\" where host is to go on.\n"},
	{A_FILE "host\n\twait x\n\tmark x\n",
	 "5:2: This waits for ever: host itself sets the mark x, behind it, in line 6.\n"},
	{A_FILE "host\n\tmark x\n\tmark x\n",
	 "6:7: The mark x is set already, by host: a mark is set at one place, so take another name.\n"},
	{A_FILE "host\n\tmark x\nhost b\n\tmark x\n",
	 "7:7: The mark x is set already, by host: a mark is set at one place, so take another name.\n"},
	{A_FILE "host\n\tmark faults\n",
	 "5:7: Here the name of a mark is wanted, and \"faults\" is no name: it is a word of the language.\n"},
	{A_FILE "host\n\tbarrier x\n",
	 "5:2: Nobody else comes to the barrier x: put a step \"barrier x\" into another block.\n"},
	{A_FILE "host\n\tbarrier x\n\tbarrier x\nhost b\n\tbarrier x\n",
	 "6:10: host comes to the barrier x twice: take another name for the second.\n"},
	{A_FILE "host\n\tbarrier x\nhost b\n\tmark x\n",
	 "7:7: x is a barrier, in line 5: give the mark another name.\n"},
	{A_FILE "host\n\tmark x\nhost b\n\tbarrier x\n",
	 "7:10: x is a mark that host sets: give the barrier another name.\n"},
	{A_MAPPING "\tloop until x\n\t\tread m\n\tend\n\tmark x\n",
	 "7:2: This waits for ever: a itself sets the mark x, behind it, in line 10.\n"},
	{A_MAPPING "\tloop until x\n\t\tread m\n\tend\n",
	 "7:2: Nobody sets the mark x: put a step \"mark x\" where a is to go on.\n"},
	{A_MAPPING "\twait b\n\tmark c\nhost\n\twait c\n\tmark b\n",
	 "7:2: This waits for ever: host does not come as far as line 11 to set the mark b, since it waits for something behind this step.\n"},
	{A_MAPPING
	 "\tloop until d\n\t\tread m\n\tend\nguest q\n\twait b\n\tmark c\nhost\n\twait c\n\tmark b\n\tmark d\n",
	 "14:2: This waits for ever: q does not come as far as line 12 to set the mark c, since it waits for something behind this step.\n"},
	{A_FILE "guest a\n\twait b\n\tthread c\nguest c thread of a\n\tmark b\n",
	 "5:2: This waits for ever: c does not come as far as line 8 to set the mark b, since it waits for something behind this step.\n"},
	{A_FILE "guest a\n\tthread c\n\tjoin c\n\tmark b\nguest c thread of a\n\twait b\n",
	 "6:2: This waits for ever: c does not come so far, since it waits for something behind this step.\n"},
	{A_FILE "host\n\tbarrier x\n\tmark y\nhost b\n\twait y\n\tbarrier x\n",
	 "5:2: This waits for ever: not all come to the barrier x, since one waits for something behind this step.\n"},
	{A_FILE "guest a\n\twait x\n\tloop 3\n\t\tsleep 1ms\n\tend\nhost\n\twait turns a 1\n\tmark x\n",
	 "5:2: This waits for ever: host does not come as far as line 11 to set the mark x, since it waits for something behind this step.\n"},
};
static void waiting_for_what_never_comes(void **state)
{
	(void)state;
	assert_wrong(order_table, FL_ARRAY_SIZE(order_table));
}

static const struct wrong expect_table[] = {
	{A_MAPPING "expect\n",
	 "7:1: The block expects nothing: put lines below this one, with white space before each.\n"},
	{A_MAPPING "expect x\n\tfault\n", "7:8: Here the line has to end: take \"x\" away.\n"},
	{A_MAPPING "expect\n\tfalt\n",
	 "8:2: Here an expectation is wanted, which \"falt\" is not: did you mean fault?\n"},
	{A_MAPPING "expect\n\tfault cause trunkated\n",
	 "8:14: Here a cause of faults is wanted, which \"trunkated\" is not: did you mean truncated?\n"},
	{A_MAPPING "expect\n\tfault cause\n", "8:13: Here a cause of faults is missing.\n"},
	{A_MAPPING "expect\n\tfault cpl 1\n", "8:12: Here 0 or 3 is wanted, which \"1\" is not.\n"},
	{A_MAPPING "expect\n\tfault vcpu 1\n",
	 "8:2: There can be no such fault: the machine has fewer CPUs, which count from 0.\n"},
	{A_MAPPING "expect\n\tfault access fetch\n",
	 "8:2: There can be no such fault: no guest fetches code from a file: take a step \"exec\" or \"run\".\n"},
	{A_MAPPING "expect\n\tfault outcome substituted\n",
	 "8:2: There can be no such fault: no share of the machine has a policy with \"substitute\".\n"},
	{A_MAPPING "expect\n\tfault count 3..1\n",
	 "8:14: Here a count is wanted, and \"3..1\" is no number or range: its end lies before its beginning.\n"},
	{A_MAPPING "expect\n\tfault cause truncated cause none\n",
	 "8:24: This was said before: take \"cause\" away.\n"},
	{A_FILE
	 "machine\n\tkernel stock\n\tshare data at /data\nguest a\n\topen f data/log ro\nexpect\n\tfault outcome record\n",
	 "10:2: There can be no such fault: a stock kernel takes no records: write \"plain\".\n"},
	{A_FILE
	 "machine\n\tshare data at /data dax never\nguest a\n\topen f data/log ro\nexpect\n\tfault file data/log\n",
	 "9:2: There can be no such fault: the machine maps no files of that dir.\n"},
	{A_FILE
	 "machine\n\tshare data at /data policy stop\nguest a\n\topen f data/log ro\nexpect\n\tfault outcome plain\n",
	 "9:2: There can be no such fault: no share of the machine has a policy with \"reflect\".\n"},
	{A_FILE
	 "machine a\nmachine b\nhost\n\tsleep 1ms\nexpect\n\tfault\n\tends panic\n\tconsole has \"x\"\n\tfile data/log in a size 1\n",
	 "9:2: There are several machines: say which is meant by \"in MACHINE\".\n"
	 "10:2: There are several machines: say here which is meant.\n"
	 "11:2: There are several machines: say here which is meant.\n"},
	{A_MAPPING "expect\n\tends sometime\n", "8:7: Here an end of machines is wanted, which \"sometime\" is not.\n"},
	{A_MAPPING "expect\n\tends panic\n\tends fault\n",
	 "9:2: Line 8 says already how vm ends: take one of them away.\n"},
	{A_MAPPING "expect\n\tends panic mv\n", "8:13: There is no machine mv: did you mean vm?\n"},
	{A_MAPPING "expect\n\tfile data/log\n",
	 "8:15: Here \"absent\", \"size\", \"content\" or \"text\" is missing.\n"},
	{A_MAPPING "expect\n\tfile data/log absent size 1\n",
	 "8:2: A file that is absent has neither size nor content: take one away.\n"},
	{A_MAPPING "expect\n\tfile data/log size 2 text \"abc\"\n",
	 "8:2: The text has 3 bytes, which is not the size: take \"size\" away.\n"},
	{A_MAPPING "expect\n\tfile data/log content zeros text \"abc\"\n",
	 "8:2: The text is the content: take one of the two away.\n"},
	{A_MAPPING "expect\n\tconsole hat \"x\"\n",
	 "8:10: There is no machine \"hat\": a block \"machine NAME\" makes one.\n"},
	{A_MAPPING "expect\n\tconsole has\n", "8:13: Here a text is missing.\n"},
	{A_MAPPING "expect\n\tconsole has \"\"\n", "8:2: Each console has an empty text: give it letters.\n"},
	{A_MAPPING "\tmark x\nexpect\n\ttime x to y 0..1s\n",
	 "9:2: Nobody sets the mark y: put a step \"mark y\" into a block.\n"},
	{A_MAPPING "\tmark x\nexpect\n\ttime x to x 0..1s\n",
	 "9:2: From a mark to itself is no time: name two marks.\n"},
	{A_MAPPING "\tmark x\n\tmark y\nexpect\n\ttime x to y 1s\n",
	 "10:14: No time is exactly so long: write a range like 0..1s, or \"at most 1s\".\n"},
	{A_MAPPING "\tmark x\n\tmark y\nexpect\n\ttime x to y at 1s\n",
	 "10:17: Here the word \"most\" has to stand, not \"1s\".\n"},
	{A_MAPPING "expect\n\tturns a 3..\n", "8:2: a has no loop that could turn.\n"},
	{A_MAPPING "host\n\tsleep 1ms\nexpect\n\tturns host 3..\n",
	 "10:8: There is no guest \"host\": a block \"guest NAME\" makes one.\n"},
};
static void expectations_that_nothing_can_fulfil(void **state)
{
	(void)state;
	assert_wrong(expect_table, FL_ARRAY_SIZE(expect_table));
}

/* lines 4 to 9 */
#define SMALL                     \
	A_FILE                    \
	"machine\n"               \
	"\tkernel small\n"        \
	"\tshare data at /data\n" \
	"guest a\n"               \
	"\topen f data/log rw\n"  \
	"\tmap m f 0 64K rw shared\n"
#define A_SMALL A_FILE "machine\n\tkernel small\n"
#define A_GUEST "guest a\n\tsleep 1ms\n"

static const struct wrong small_table[] = {
	{SMALL "\tfork b\nguest b child of a\n\tsleep 1ms\n",
	 "10:2: A machine with the kernel small has no processes that could fork: let the other guest be a thread.\n"},
	{SMALL "\trun true\n",
	 "10:2: A machine with the kernel small has no processes, and so no programs: take another kernel.\n"},
	{SMALL "\treadto f 0 m 8\n\twritefrom f 0 m 8\n\tsendfile f f 0 8\n\tcopyrange f 0 f 8K 8\n",
	 "10:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "11:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "12:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "13:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"},
	{SMALL "\tmsync m 4K\n\tmlock m 4K\n\tmadvise m 4K dontneed\n\tfutex m => EAGAIN\n",
	 "10:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "11:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "12:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"
	 "13:2: A machine with the kernel small has no system calls like this one: take another kernel.\n"},
	{SMALL "\topen g data/log rw append\n",
	 "10:2: A machine with the kernel small has no files that are appended to: say at which offset.\n"},
	{SMALL "\tmap n f 0 64K rw private\n",
	 "10:2: A machine with the kernel small has no private copies of pages: write \"shared\", or take another kernel.\n"},
	{SMALL "\tmap n f 0 64K rw populate\n",
	 "10:2: A machine with the kernel small has no \"populate\": touch the pages, or let the share be "
	 "\"prefault\".\n"},
	{A_MAPPING "\tread m => ok or lost at m record truncated read\n",
	 "7:18: Linux does not tell its guests what a record says: take \"record\" away, or let the machine have the kernel "
	 "small.\n"},
	{SMALL "\tread m => lost at m record cut read\n",
	 "10:29: Here a cause of faults is wanted, which \"cut\" is not.\n"},
	{SMALL "\tread m => lost at m record truncated\n",
	 "10:38: Here an access (read, write, fetch or unknown) is missing.\n"},
	{A_FILE "machine\n\tcpus 2\n\tkernel small\n" A_GUEST,
	 "5:2: The kernel small has one CPU: take \"cpus 2\" away.\n"},
	{A_SMALL "\tparam quiet\n" A_GUEST, "6:2: The kernel small takes no parameters: take \"param\" away.\n"},
	{A_SMALL "\tshare data at /data dax never\n" A_GUEST,
	 "6:2: With the kernel small all files are mapped: take \"dax never\" away.\n"},
	{A_SMALL "\tshare data at /data attr-timeout 0ms\n" A_GUEST,
	 "6:2: The kernel small believes nothing for any time, but asks: take attr-timeout and entry-timeout away.\n"},
	{A_SMALL "\tmemory 4G\n\tshare data at /data window 235G\n" A_GUEST,
	 "4:1: The kernel small has room for 238G of memory and windows: make them smaller.\n"},
	{SMALL "\tread m => lost at m\nexpect\n\tfault outcome plain\n",
	 "12:2: There can be no such fault: the small kernel takes records: write \"record\".\n"},
	{SMALL "\tread m => lost at m\nexpect\n\tfault cpl 0\n",
	 "12:2: There can be no such fault: all guests of the small kernel are at CPL 3.\n"},
};
static void what_the_small_kernel_lacks(void **state)
{
	(void)state;
	assert_wrong(small_table, FL_ARRAY_SIZE(small_table));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(guests_and_hosts),
	cmocka_unit_test(steps_inside_faults),
	cmocka_unit_test(steps),
	cmocka_unit_test(waiting_for_what_never_comes),
	cmocka_unit_test(expectations_that_nothing_can_fulfil),
	cmocka_unit_test(what_the_small_kernel_lacks),
};
FL_TEST_MAIN(10, tests)
