/* SPDX-License-Identifier: Apache-2.0 */
/* The outer half of scripts/box: starts QEMU, carries input, output and the exit status of the command
   that box-init runs inside, keeps the time limit, and says in one sentence what went wrong if it did.

   usage: box-run [-t SECONDS] [-p PATIENCE] [-w WAKE-MS] [-x RUN-DIR] [-v VIRTIOFSD-PID] [-o OUT-DIR] [-f DESCRIPTOR]...
                  [-D DESCRIPTOR:PATH] [-b BIND]... [-B WRITABLE-BIND]... [-e NAME=VALUE]... -d DIRECTORY -a ARG [-a ARG]...
                  -- QEMU... (its virtio-serial port is file descriptor 3)
          box-run -T: prints how fast the TSC of this machine goes, in kHz

   scripts/box becomes this program: what it made, the process VIRTIOFSD-PID and RUN-DIR with its files, is ended and
   removed here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/box-calls.h"

#define STATUS_TIMEOUT 124
#define STATUS_BOX 125
#define BOOT_LIMIT_MS (120 * 1000)
/* The inside says something every 5 s; software emulation on a busy machine may stretch that a lot. */
#define SILENCE_LIMIT_MS (90 * 1000)
/* What the inside gets to hand back results after the time limit. */
#define GRACE_MS (15 * 1000)
/* What callers get to take the last answers. */
#define CALLS_LIMIT_MS 500
/* What the command gets to end after a signal. */
#define SIGNAL_LIMIT_MS (30 * 1000)
#define TAIL_BYTES 16384 /* a panic with its registers and both call traces */

static struct {
	int64_t limit_ms; /* 0: none */
	int64_t patience; /* how many times longer than usual the box may take to boot, and be silent */
	int outputs[WIRE_OUTPUTS_MAX]; /* descriptors of ours that the command can write to as well */
	size_t output_count;
	int64_t wake_ms; /* 0: the inside is not sent an interrupt every now and then */
	const char *run_dir, *out_dir;
	char console_log[4096], qemu_log[4096]; /* in run_dir */
	pid_t virtiofsd;
	char **qemu;
	struct { uint32_t type; const char *text; } setup[4096];
	size_t setups;
} opt = { .patience = 1 };

static struct {
	int64_t start, last_heard, last_woken, kill_sent, signal_sent;
	int signal; /* the one that was passed on */
	bool booted, input_done, stdout_gone;
	int port, tar_pipe, signals;
	pid_t qemu, tar;
	size_t credit;
	int status; /* -1 while the command runs */
} box = { .port = -1, .tar_pipe = -1, .credit = WIRE_WINDOW, .status = -1 };

static char frame[WIRE_MAX + 1];

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_qemu(void)
{
	if (box.qemu > 0) {
		kill(box.qemu, SIGKILL);
		waitpid(box.qemu, NULL, 0);
	}
	box.qemu = 0;
}

static void clean_up(void)
{
	static const char *const files[] = { "console.log", "qemu.log", "virtiofsd.log", "virtiofsd.sock" };
	end_qemu();
	if (opt.virtiofsd > 0) {
		kill(opt.virtiofsd, SIGTERM);
		waitpid(opt.virtiofsd, NULL, 0);
	}
	int dir = opt.run_dir ? open(opt.run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir, files[i], 0);
	rmdir(opt.run_dir);
}

static void tail_of(const char *path)
{
	static char text[TAIL_BYTES + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	off_t size = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
	close(fd);
	if (n <= 0)
		return;
	text[n] = 0;
	for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"))
		fprintf(stderr, "    %s\n", line);
}

static bool log_contains(const char *path, const char *what)
{
	FILE *f = fopen(path, "re");
	char line[1024];
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, what) != NULL;
	if (f)
		fclose(f);
	return found;
}

static void __attribute__((noreturn, format(printf, 1, 2))) box_failed(const char *fmt, ...)
{
	end_qemu();
	tail_of(opt.qemu_log);
	tail_of(opt.console_log);
	fprintf(stderr, "box: ");
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (above: the end of its console)\n");
	exit(STATUS_BOX);
}

static void __attribute__((noreturn)) qemu_went_away(void)
{
	/* scripts/test starts such a box again */
	if (log_contains(opt.console_log, "Kernel panic") && log_contains(opt.console_log, "int3: 0000"))
		box_failed("the kernel inside panicked at a breakpoint of its own, which is a flaw of the emulation "
			   "(see settle_kvm in scripts/box-init.c)");
	if (log_contains(opt.console_log, "Kernel panic"))
		box_failed("the kernel inside panicked");
	if (!box.booted)
		box_failed("QEMU ended before the kernel inside was up");
	box_failed("the machine inside went down before the command had ended");
}

static void __attribute__((noreturn)) timed_out(void)
{
	end_qemu();
	fprintf(stderr, "box: out of time after %lld s, the command was ended\n", (long long)opt.limit_ms / 1000);
	exit(STATUS_TIMEOUT);
}

static void check_clock(void)
{
	int64_t now = now_ms();
	if (box.signal_sent && now - box.signal_sent > SIGNAL_LIMIT_MS)
		exit(128 + box.signal);
	if (!box.booted && now - box.start > opt.patience * BOOT_LIMIT_MS)
		box_failed("the kernel inside was not up after %d s", (int)(opt.patience * BOOT_LIMIT_MS / 1000));
	if (box.booted && now - box.last_heard > opt.patience * SILENCE_LIMIT_MS)
		box_failed("the box hangs: nothing was heard from it for %d s", (int)(opt.patience * SILENCE_LIMIT_MS / 1000));
	if (box.kill_sent && now - box.kill_sent > GRACE_MS)
		timed_out();
	if (box.kill_sent || opt.limit_ms == 0 || now - box.start < opt.limit_ms)
		return;
	if (!box.booted)
		box_failed("the kernel inside was not up within the time limit of %lld s", (long long)opt.limit_ms / 1000);
	if (now - box.last_heard > GRACE_MS)
		box_failed("the box hangs: nothing was heard from it in the last %lld s of its time limit",
			   (long long)(now - box.last_heard) / 1000);
	box.kill_sent = now;
	wire_send(box.port, WIRE_KILL, "", 0);
}

/* QEMU changes the word in which a CPU is told of interrupts without a lock at every VMRUN and VMEXIT of emulated SVM
   (interrupt_request, in helper_vmrun() and do_vmexit(); seen in 7.2), and so can lose what another thread has just
   put there. If that was the one-shot timer, a guest that waits for nothing else runs for ever, and nobody is left
   who would program the timer again. Any other interrupt has the local APIC look at all that are due. */
static void wake_inside(void)
{
	int64_t now = now_ms();
	if (!box.booted || opt.wake_ms == 0 || now - box.last_woken < opt.wake_ms)
		return;
	box.last_woken = now;
	wire_send(box.port, WIRE_WAKE, "", 0);
}

static int wait_ms(void)
{
	return opt.wake_ms > 0 && opt.wake_ms < 1000 ? (int)opt.wake_ms : 1000;
}

/* The first one is the command's, which may have something to put in order. Whoever sends another has no time. */
static void on_signal(void)
{
	struct signalfd_siginfo info;
	if (read(box.signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (!box.booted || box.signal_sent)
		exit(128 + (int)info.ssi_signo);
	box.signal = (int)info.ssi_signo;
	box.signal_sent = now_ms();
	wire_send(box.port, WIRE_SIGNAL, &info.ssi_signo, sizeof(info.ssi_signo));
}

/* At most PIPE_BUF bytes, and only after poll: so a reader that stands still cannot keep us from the clock,
   without O_NONBLOCK, which would change the file for everyone who shares it. */
static void put_out(int fd, const char *data, size_t len)
{
	while (len > 0) {
		struct pollfd p[] = { { .fd = fd, .events = POLLOUT }, { .fd = box.signals, .events = POLLIN } };
		poll(p, 2, 1000);
		if (p[1].revents)
			on_signal();
		if (!p[0].revents) {
			box.last_heard = now_ms(); /* it is not the box that is silent */
			check_clock();
			continue;
		}
		ssize_t n = write(fd, data, len < 4096 ? len : 4096);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			if (fd == 1)
				box.stdout_gone = true;
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static void start_tar(void)
{
	int in[2];
	if (pipe2(in, O_CLOEXEC) < 0)
		box_failed("cannot make a pipe: %s", strerror(errno));
	box.tar = fork();
	if (box.tar == 0) {
		dup2(in[0], 0);
		execlp("tar", "tar", "-xf", "-", "--no-same-owner", "-C", opt.out_dir, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	box.tar_pipe = in[1];
}

static void keep_results(const char *data, size_t len)
{
	if (box.tar == 0)
		start_tar();
	if (write_all(box.tar_pipe, data, len) < 0)
		box_failed("the results could not be written to %s", opt.out_dir);
}

static void finish_tar(void)
{
	int status = 0;
	if (box.tar == 0)
		return;
	close(box.tar_pipe);
	if (waitpid(box.tar, &status, 0) != box.tar || status != 0)
		box_failed("the results could not be unpacked in %s", opt.out_dir);
}

static void send_setup(void)
{
	for (size_t i = 0; i < opt.setups; i++)
		wire_send(box.port, opt.setup[i].type, opt.setup[i].text, strlen(opt.setup[i].text));
	if (opt.out_dir)
		wire_send(box.port, WIRE_WANT_OUT, "", 0);
	wire_send(box.port, WIRE_GO, "", 0);
}

/* The descriptor is one of those that were agreed on, or the inside is not to be trusted with it. */
static void put_more(size_t len)
{
	uint32_t number;
	if (len < sizeof(number))
		return;
	memcpy(&number, frame, sizeof(number));
	for (size_t i = 0; i < opt.output_count; i++)
		if (opt.outputs[i] == (int)number)
			put_out((int)number, frame + sizeof(number), len - sizeof(number));
}

static uint32_t number_of(const struct wire_head *head)
{
	uint32_t n = 0;
	if (head->len == sizeof(n))
		memcpy(&n, frame, sizeof(n));
	return n;
}

static void on_frame(void)
{
	struct wire_head head;
	if (wire_recv(box.port, &head, frame) < 0)
		qemu_went_away();
	box.last_heard = now_ms();
	if (calls_frame(box.port, head.type, frame, head.len))
		return;
	switch (head.type) {
	case WIRE_READY:
		if (!box.booted)
			send_setup();
		box.booted = true;
		break;
	case WIRE_CREDIT: box.credit += number_of(&head); break;
	case WIRE_STDOUT: put_out(1, frame, head.len); break;
	case WIRE_STDERR: put_out(2, frame, head.len); break;
	case WIRE_MORE: put_more(head.len); break;
	case WIRE_TAR: keep_results(frame, head.len); break;
	case WIRE_EXIT: box.status = (int)number_of(&head); break;
	case WIRE_FAILED: box_failed("%s", frame);
	default: box_failed("the inside speaks another language (frame %u)", head.type);
	}
}

static void on_input(void)
{
	size_t want = box.credit < WIRE_MAX ? box.credit : WIRE_MAX;
	ssize_t n = read(0, frame, want);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		n = 0;
	box.input_done = n == 0;
	box.credit -= (size_t)n;
	wire_send(box.port, WIRE_STDIN, frame, (size_t)n);
}

static void start_qemu(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		box_failed("cannot make a socket: %s", strerror(errno));
	pid_t self = getpid();
	box.qemu = fork();
	if (box.qemu < 0)
		box_failed("cannot fork: %s", strerror(errno));
	if (box.qemu == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* nothing may be left behind, even if this process is shot */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(127);
		/* not this terminal's Ctrl-C: the end is made here, in order */
		setpgid(0, 0);
		int log = open(opt.qemu_log, O_WRONLY | O_CREAT | O_APPEND, 0644);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(log >= 0 ? log : null, 1);
		dup2(log >= 0 ? log : null, 2);
		/* dup2 onto itself would leave it close-on-exec */
		if (pair[1] == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(pair[1], 3);
		execvp(opt.qemu[0], opt.qemu);
		dprintf(2, "cannot run %s: %s\n", opt.qemu[0], strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	box.port = pair[0];
}

static void block_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	box.signals = signalfd(-1, &set, SFD_CLOEXEC);
}

static void add_setup(uint32_t type, const char *text)
{
	if (opt.setups == sizeof(opt.setup) / sizeof(opt.setup[0]) || strlen(text) > WIRE_MAX) {
		fprintf(stderr, "box: the command is too long\n");
		exit(STATUS_BOX);
	}
	opt.setup[opt.setups].type = type;
	opt.setup[opt.setups++].text = text;
}

static void add_output(const char *text)
{
	int fd = atoi(text);
	if (opt.output_count == WIRE_OUTPUTS_MAX || fd < WIRE_OUTPUT_MIN || fd >= WIRE_OUTPUT_LIMIT ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "box: --output wants an open descriptor from %d to %d, and at most %u of them, not %s\n",
			WIRE_OUTPUT_MIN, WIRE_OUTPUT_LIMIT - 1, WIRE_OUTPUTS_MAX, text);
		exit(STATUS_BOX);
	}
	opt.outputs[opt.output_count++] = fd;
	add_setup(WIRE_OUTPUT, text);
}

/* DESCRIPTOR:PATH */
static void add_door(const char *text)
{
	const char *colon = strchr(text, ':');
	int fd = atoi(text);
	if (!colon || colon[1] != '/' || fd < WIRE_OUTPUT_MIN || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "box: --door wants an open descriptor and a path inside, as in 20:/run/socket, not %s\n", text);
		exit(STATUS_BOX);
	}
	calls_begin(fd, colon + 1);
	add_setup(WIRE_DOOR, colon + 1);
}

/* A look at both clocks at once: the closest of some, since this process can be made to wait between the two. */
static void look_at_clocks(uint64_t *tsc, int64_t *ns)
{
	uint64_t closest = UINT64_MAX;
	for (int i = 0; i < 100; i++) {
		struct timespec t;
		uint64_t before = __builtin_ia32_rdtsc();
		clock_gettime(CLOCK_MONOTONIC, &t);
		uint64_t after = __builtin_ia32_rdtsc();
		if (after - before >= closest)
			continue;
		closest = after - before;
		*tsc = before + closest / 2;
		*ns = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
	}
}

static void print_tsc_khz(void)
{
	uint64_t tsc[2];
	int64_t ns[2];
	look_at_clocks(&tsc[0], &ns[0]);
	usleep(20 * 1000);
	look_at_clocks(&tsc[1], &ns[1]);
	printf("%.0f\n", (double)(tsc[1] - tsc[0]) * 1e6 / (double)(ns[1] - ns[0]));
	exit(0);
}

static void set_run_dir(const char *dir)
{
	opt.run_dir = dir;
	snprintf(opt.console_log, sizeof(opt.console_log), "%s/console.log", dir);
	snprintf(opt.qemu_log, sizeof(opt.qemu_log), "%s/qemu.log", dir);
}

static void parse(int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, "Tt:p:w:x:v:o:f:D:b:B:e:d:a:")) != -1) {
		switch (c) {
		case 'T': print_tsc_khz(); break;
		case 't': opt.limit_ms = atoll(optarg) * 1000; break;
		case 'p': opt.patience = atoll(optarg); break;
		case 'w': opt.wake_ms = atoll(optarg); break;
		case 'x': set_run_dir(optarg); break;
		case 'v': opt.virtiofsd = atoi(optarg); break;
		case 'o': opt.out_dir = optarg; break;
		case 'f': add_output(optarg); break;
		case 'D': add_door(optarg); break;
		case 'b': add_setup(WIRE_BIND, optarg); break;
		case 'B': add_setup(WIRE_BIND_WRITABLE, optarg); break;
		case 'e': add_setup(WIRE_ENV, optarg); break;
		case 'd': add_setup(WIRE_CWD, optarg); break;
		case 'a': add_setup(WIRE_ARG, optarg); break;
		default: exit(2);
		}
	}
	opt.qemu = argv + optind;
}

/* Callers get what the command has answered them before it ended, if they take it. */
static void finish_calls(void)
{
	int64_t deadline = now_ms() + CALLS_LIMIT_MS;
	while (calls_pending() && now_ms() < deadline) {
		struct pollfd p[CALLS_POLLED];
		calls_poll(p);
		p[0].fd = -1; /* nobody new */
		poll(p, CALLS_POLLED, 100);
		calls_attend(box.port, p);
	}
}

int main(int argc, char **argv)
{
	block_signals();
	atexit(clean_up);
	parse(argc, argv);
	box.start = box.last_heard = now_ms();
	start_qemu();
	while (box.status < 0 && !box.stdout_gone) {
		bool take_input = box.booted && !box.input_done && box.credit > 0;
		struct pollfd p[3 + CALLS_POLLED] = {
			{ .fd = box.port, .events = POLLIN },
			{ .fd = box.signals, .events = POLLIN },
			{ .fd = take_input ? 0 : -1, .events = POLLIN },
		};
		calls_poll(p + 3);
		/* who calls before the command was sent waits */
		if (!box.booted)
			p[3].fd = -1;
		poll(p, sizeof(p) / sizeof(p[0]), wait_ms());
		if (p[1].revents)
			on_signal();
		if (p[0].revents)
			on_frame();
		else if (p[2].revents)
			on_input();
		calls_attend(box.port, p + 3);
		wake_inside();
		check_clock();
	}
	finish_calls();
	end_qemu();
	finish_tar();
	if (box.stdout_gone)
		return 128 + SIGPIPE;
	if (box.kill_sent)
		timed_out();
	return box.status;
}
