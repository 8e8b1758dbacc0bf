/* SPDX-License-Identifier: Apache-2.0 */
/* The first process inside the box: makes the outer file system visible, loads KVM, runs one command.
   Static, and the only program in the initramfs. Started by scripts/box, spoken to by box-run. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/box-calls.h"

#define NEW_ROOT "/new"
#define RAW "/raw"
#define OUT_DIR "/run/box-out"
#define HEARTBEAT_MS 5000
#define CALLS_LIMIT_S 2 /* for what was said in calls when the command ends */
#define APIC_BASE_ENABLE (1u << 11) /* MSR_IA32_APICBASE */

struct command {
	char *cwd;
	char **argv;
	size_t argc;
	char **envp;
	size_t envc;
	int outputs[WIRE_OUTPUTS_MAX]; /* the numbers that its descriptors have besides 0, 1 and 2 */
	size_t output_count;
	bool want_out;
};

static int port = -1;
static char frame[WIRE_MAX + 1];

/* There is nobody to return an error to: say it on both ways out, and stop the machine. */
static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "box-init: %s\n", text);
	if (port >= 0)
		wire_send(port, WIRE_FAILED, text, (size_t)n);
	/* what was written to the port is not gone out before the device has taken it */
	sleep(2);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void mount_at(const char *type, const char *what, const char *where, unsigned long flags, const char *data)
{
	if (mount(what, where, type, flags, data) < 0)
		fail("cannot mount %s on %s: %s", what, where, strerror(errno));
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open %s: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		fail("cannot load the kernel module %s: %s", path, strerror(errno));
	close(fd);
}

/* /modules holds the files in the order in which they depend on each other: 00-irqbypass.ko, 01-kvm.ko ... */
static void load_modules(void)
{
	struct dirent **names;
	int n = scandir("/modules", &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char path[512];
		snprintf(path, sizeof(path), "/modules/%s", names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			load_module(path);
	}
}

static int find_port(void)
{
	DIR *dev = opendir("/dev");
	struct dirent *entry;
	int fd = -1;
	while (dev && fd < 0 && (entry = readdir(dev)))
		if (strncmp(entry->d_name, "vport", 5) == 0)
			fd = openat(dirfd(dev), entry->d_name, O_RDWR | O_CLOEXEC);
	if (dev)
		closedir(dev);
	return fd;
}

static void open_port(void)
{
	/* the device is probed while init already runs */
	for (int i = 0; i < 1000 && (port = find_port()) < 0; i++)
		usleep(10 * 1000);
	if (port < 0)
		fail("found no virtio-serial port");
}

static void make_root(void)
{
	mount_at("virtiofs", "outer", RAW, MS_RDONLY, "");
	mount_at(NULL, RAW, NEW_ROOT, MS_BIND, NULL);
	mount_at("tmpfs", "tmp", NEW_ROOT "/tmp", 0, "mode=1777");
	mount_at("tmpfs", "run", NEW_ROOT "/run", 0, "mode=755");
	mount_at("devtmpfs", "dev", NEW_ROOT "/dev", 0, "");
	mkdir(NEW_ROOT "/dev/shm", 01777);
	mkdir(NEW_ROOT "/dev/pts", 0755);
	mount_at("tmpfs", "shm", NEW_ROOT "/dev/shm", 0, "mode=1777");
	mount_at("devpts", "pts", NEW_ROOT "/dev/pts", 0, "");
	mount_at("proc", "proc", NEW_ROOT "/proc", 0, "");
	mount_at("sysfs", "sys", NEW_ROOT "/sys", 0, "");
	/* what udev would do */
	symlink("/proc/self/fd", NEW_ROOT "/dev/fd");
	symlink("/proc/self/fd/0", NEW_ROOT "/dev/stdin");
	symlink("/proc/self/fd/1", NEW_ROOT "/dev/stdout");
	symlink("/proc/self/fd/2", NEW_ROOT "/dev/stderr");
	mkdir(NEW_ROOT "/run/lock", 01777);
	mkdir(NEW_ROOT OUT_DIR, 0755);
}

/* A vCPU of a VM of its own, never run and never closed: init lives as long as the box. */
static int keep_vcpu(int kvm, bool local_apic)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		fail("cannot create a VM: %s", strerror(errno));
	if (local_apic && ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0)
		fail("cannot create an interrupt controller: %s", strerror(errno));
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		fail("cannot create a vCPU: %s", strerror(errno));
	return vcpu;
}

/* QEMU before 8.1 reads an instruction and only later watches its page for writes (mended by its commit deba78709ae8,
   "accel/tcg: Always lock pages before translation"), so a CPU may keep the translation of an instruction
   that another one has replaced in between. Where Linux rewrites its own code, for a static key, that is a
   breakpoint that nobody claims any more: a panic. Hence nothing is rewritten once a second CPU runs: the box
   starts with one, and the keys that KVM would turn for each first VM and after each last (preempt_notifier_key,
   kvm_has_noapic_vcpu, apic_sw_disabled, apic_hw_disabled) are turned here, for good. */
static void settle_kvm(void)
{
	struct kvm_sregs sregs;
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail("cannot open /dev/kvm: %s", strerror(errno));
	keep_vcpu(kvm, false);
	int vcpu = keep_vcpu(kvm, true);
	/* an APIC starts with its software switch off; its hardware switch is turned off here */
	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		fail("cannot read a vCPU: %s", strerror(errno));
	sregs.apic_base &= ~APIC_BASE_ENABLE;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0)
		fail("cannot write a vCPU: %s", strerror(errno));
}

/* QEMU loses the guest's RIP (its place is taken by the address of this kernel's VMRUN) when the delivery of
   an injected interrupt meets a nested page fault: cpu_vmexit() restores the state of the instruction being
   executed, which is VMRUN. With guest memory in huge pages such a fault is rare, and each costs much here anyway. */
static void use_huge_guest_memory(void)
{
	int fd = open(NEW_ROOT "/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* a host kernel without them */
	if (write(fd, "advise", 6) != 6)
		fail("cannot allow huge pages for shared memory: %s", strerror(errno));
	close(fd);
}

static void start_other_cpus(void)
{
	char path[64];
	for (int cpu = 1;; cpu++) {
		snprintf(path, sizeof(path), NEW_ROOT "/sys/devices/system/cpu/cpu%d/online", cpu);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (write(fd, "1", 1) != 1)
			fail("cannot start CPU %d: %s", cpu, strerror(errno));
		close(fd);
	}
}

static void make_dirs(const char *path)
{
	char copy[PATH_MAX];
	stpcpy(copy, path);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(copy, 0755);
		*p = '/';
	}
	mkdir(copy, 0755);
}

/* What a mount of "from" needs: in a tmpfs there is nothing yet, elsewhere it is there. */
static void make_target(const char *from, char *to)
{
	struct stat st;
	if (stat(from, &st) < 0)
		fail("cannot see %s: %s", from + strlen(RAW), strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		make_dirs(to);
		return;
	}
	char *slash = strrchr(to, '/');
	*slash = 0;
	make_dirs(to);
	*slash = '/';
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

static void bind_outer(const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];
	if (strlen(path) + sizeof(NEW_ROOT) > PATH_MAX)
		fail("too long a path: %s", path);
	stpcpy(stpcpy(from, RAW), path);
	stpcpy(stpcpy(to, NEW_ROOT), path);
	make_target(from, to);
	mount_at(NULL, from, to, MS_BIND, NULL);
}

/* Whatever was bound before is read-only for itself: only this becomes writable. */
static void bind_writable(const char *path)
{
	mount_at(NULL, RAW, RAW, MS_REMOUNT, "");
	if (strcmp(path, "/") == 0)
		mount_at(NULL, NEW_ROOT, NEW_ROOT, MS_BIND | MS_REMOUNT, NULL);
	else
		bind_outer(path);
}

static void add_output(struct command *cmd, const char *text)
{
	int number = atoi(text);
	if (number < WIRE_OUTPUT_MIN || number >= WIRE_OUTPUT_LIMIT || cmd->output_count == WIRE_OUTPUTS_MAX)
		fail("descriptor %s cannot be had for output", text);
	cmd->outputs[cmd->output_count++] = number;
}

static void append(char ***list, size_t *count, char *text)
{
	*list = realloc(*list, (*count + 2) * sizeof(**list));
	if (!*list || !text)
		fail("out of memory");
	(*list)[(*count)++] = text;
	(*list)[*count] = NULL;
}

static void receive_command(struct command *cmd)
{
	struct wire_head head;
	for (;;) {
		if (wire_recv(port, &head, frame) < 0)
			fail("the port broke while the command was read");
		switch (head.type) {
		case WIRE_CWD: cmd->cwd = strdup(frame); break;
		case WIRE_ARG: append(&cmd->argv, &cmd->argc, strdup(frame)); break;
		case WIRE_ENV: append(&cmd->envp, &cmd->envc, strdup(frame)); break;
		case WIRE_BIND: bind_outer(frame); break;
		case WIRE_BIND_WRITABLE: bind_writable(frame); break;
		case WIRE_OUTPUT: add_output(cmd, frame); break;
		case WIRE_DOOR: calls_begin(-1, frame); break;
		case WIRE_WANT_OUT: cmd->want_out = true; break;
		case WIRE_GO: return;
		default: fail("unexpected frame %u", head.type);
		}
	}
}

/* The new root becomes "/" in the mount table too: programs that read /proc/self/mountinfo see what they expect. */
static void enter_root(void)
{
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail("cannot make the outer file system the root: %s", strerror(errno));
}

/* fds: for 0, 1, 2 and the further outputs; none has a number below WIRE_OUTPUT_LIMIT. */
static void __attribute__((noreturn)) exec_command(const struct command *cmd, const int *fds)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	for (size_t i = 0; i < cmd->output_count; i++)
		dup2(fds[3 + i], cmd->outputs[i]);
	if (chdir(cmd->cwd) < 0) {
		fprintf(stderr, "box: cannot enter %s: %s\n", cmd->cwd, strerror(errno));
		_exit(126);
	}
	environ = cmd->envp;
	execvp(cmd->argv[0], cmd->argv);
	int err = errno;
	fprintf(stderr, "box: cannot run %s: %s\n", cmd->argv[0], strerror(err));
	_exit(err == ENOENT ? 127 : 126);
}

struct child {
	pid_t pid;
	int in, out, err; /* our ends of its pipes, -1 once closed */
	int more[WIRE_OUTPUTS_MAX];
	int status; /* as a shell gives it, or -1 while it runs */
};

/* A pipe, of which the command gets *theirs, out of the way of the numbers that its descriptors have in the end. */
static int pipe_for_child(bool input, int *theirs)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("cannot make pipes: %s", strerror(errno));
	int end = ends[input ? 0 : 1];
	*theirs = fcntl(end, F_DUPFD_CLOEXEC, WIRE_OUTPUT_LIMIT);
	if (*theirs < 0)
		fail("cannot make pipes: %s", strerror(errno));
	close(end);
	return ends[input ? 1 : 0];
}

static void start_child(struct child *child, const struct command *cmd)
{
	int theirs[3 + WIRE_OUTPUTS_MAX];
	*child = (struct child){ .more = { -1, -1, -1, -1 }, .status = -1 };
	child->in = pipe_for_child(true, &theirs[0]);
	child->out = pipe_for_child(false, &theirs[1]);
	child->err = pipe_for_child(false, &theirs[2]);
	for (size_t i = 0; i < cmd->output_count; i++)
		child->more[i] = pipe_for_child(false, &theirs[3 + i]);
	child->pid = fork();
	if (child->pid < 0)
		fail("cannot fork: %s", strerror(errno));
	if (child->pid == 0)
		exec_command(cmd, theirs);
	for (size_t i = 0; i < 3 + cmd->output_count; i++)
		close(theirs[i]);
	fcntl(child->in, F_SETFL, O_NONBLOCK);
}

/* What came in for the command and was not taken yet. */
static struct {
	char data[WIRE_WINDOW];
	size_t used;
	bool end;
} input;

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void credit(size_t n)
{
	uint32_t bytes = (uint32_t)n;
	if (n > 0)
		wire_send(port, WIRE_CREDIT, &bytes, sizeof(bytes));
}

static void feed_child(struct child *child)
{
	size_t done = 0;
	while (child->in >= 0 && done < input.used) {
		ssize_t n = write(child->in, input.data + done, input.used - done);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR)
			close_fd(&child->in);
		if (n > 0)
			done += (size_t)n;
	}
	if (child->in < 0)
		done = input.used; /* nobody reads it any more; the sender must not wait for that */
	memmove(input.data, input.data + done, input.used - done);
	input.used -= done;
	credit(done);
	if (input.end && input.used == 0)
		close_fd(&child->in);
}

/* As a terminal's Ctrl-C: to all that the command has started and not taken out of its group. */
static void pass_signal(const struct child *child, const struct wire_head *head)
{
	uint32_t number;
	if (head->len != sizeof(number))
		return;
	memcpy(&number, frame, sizeof(number));
	if (child->status < 0)
		kill(-child->pid, (int)number);
}

static void port_readable(const struct child *child, bool *killed)
{
	struct wire_head head;
	if (wire_recv(port, &head, frame) < 0)
		fail("the port broke");
	if (calls_frame(port, head.type, frame, head.len))
		return;
	if (head.type == WIRE_KILL)
		*killed = true;
	if (head.type == WIRE_SIGNAL)
		pass_signal(child, &head);
	if (head.type != WIRE_STDIN)
		return;
	if (head.len == 0)
		input.end = true;
	if (input.used + head.len > sizeof(input.data))
		fail("more input than was agreed on");
	memcpy(input.data + input.used, frame, head.len);
	input.used += head.len;
}

static void forward(int *fd, uint32_t type)
{
	ssize_t n = read(*fd, frame, WIRE_MAX);
	if (n > 0)
		wire_send(port, type, frame, (size_t)n);
	else if (n == 0 || errno != EINTR)
		close_fd(fd);
}

static void forward_more(int *fd, int number)
{
	uint32_t name = (uint32_t)number;
	memcpy(frame, &name, sizeof(name));
	ssize_t n = read(*fd, frame + sizeof(name), WIRE_MAX - sizeof(name));
	if (n > 0)
		wire_send(port, WIRE_MORE, frame, sizeof(name) + (size_t)n);
	else if (n == 0 || errno != EINTR)
		close_fd(fd);
}

static bool has_ended(const struct child *child)
{
	bool open = child->out >= 0 || child->err >= 0;
	for (size_t i = 0; i < WIRE_OUTPUTS_MAX; i++)
		open = open || child->more[i] >= 0;
	return child->status >= 0 && !open;
}

static void reap(struct child *child)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child->pid)
			child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void drain_signals(int fd)
{
	struct signalfd_siginfo info;
	while (read(fd, &info, sizeof(info)) > 0)
		;
}

/* Whatever else goes to and fro: a command that is silent for long, and asked for nothing, is no sign of a hang. */
static void heartbeat(void)
{
	static time_t last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - last < HEARTBEAT_MS / 1000)
		return;
	last = now.tv_sec;
	wire_send(port, WIRE_READY, "", 0);
}

/* Runs until the command has ended and everything it wrote is forwarded. What it left running is killed
   then: a daemon that holds the pipes must not keep the box up. */
static void attend(struct child *child, const struct command *cmd, int signals, bool *killed)
{
	bool swept = false;
	while (!has_ended(child)) {
		struct pollfd p[5 + WIRE_OUTPUTS_MAX + CALLS_POLLED] = {
			{ .fd = port, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
			{ .fd = child->out, .events = POLLIN },
			{ .fd = child->err, .events = POLLIN },
			{ .fd = child->in, .events = input.used ? POLLOUT : 0 },
		};
		for (size_t i = 0; i < WIRE_OUTPUTS_MAX; i++)
			p[5 + i] = (struct pollfd){ .fd = child->more[i], .events = POLLIN };
		calls_poll(p + 5 + WIRE_OUTPUTS_MAX);
		poll(p, sizeof(p) / sizeof(p[0]), HEARTBEAT_MS);
		heartbeat();
		if (p[0].revents)
			port_readable(child, killed);
		if (p[1].revents)
			drain_signals(signals);
		if (p[2].revents)
			forward(&child->out, WIRE_STDOUT);
		if (p[3].revents)
			forward(&child->err, WIRE_STDERR);
		for (size_t i = 0; i < cmd->output_count; i++)
			if (p[5 + i].revents)
				forward_more(&child->more[i], cmd->outputs[i]);
		calls_attend(port, p + 5 + WIRE_OUTPUTS_MAX);
		if (p[4].revents & (POLLERR | POLLHUP))
			close_fd(&child->in);
		feed_child(child);
		reap(child);
		if (!swept && (*killed || child->status >= 0)) {
			kill(-1, SIGKILL);
			swept = true;
		}
	}
}

/* What the command has answered before it ended is still to be read: "it has ended" among that. */
static void finish_calls(const struct child *child)
{
	struct timespec now;
	bool killed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	time_t deadline = now.tv_sec + CALLS_LIMIT_S;
	while (calls_pending() && now.tv_sec < deadline) {
		struct pollfd p[1 + CALLS_POLLED] = { { .fd = port, .events = POLLIN } };
		calls_poll(p + 1);
		poll(p, 1 + CALLS_POLLED, 100);
		if (p[0].revents)
			port_readable(child, &killed);
		calls_attend(port, p + 1);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
}

/* The outer file system has a tar: it is part of every Debian. */
static void send_results(void)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC) < 0)
		fail("cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		execl("/bin/tar", "tar", "-cf", "-", "-C", OUT_DIR, ".", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while (out[0] >= 0)
		forward(&out[0], WIRE_TAR);
	int status = 0;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("tar could not pack the results");
}

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		fprintf(stderr, "box-init: no loopback interface: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int block_sigchld(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(void)
{
	struct command cmd = { 0 };
	struct child child;
	bool killed = false;

	mount("dev", "/dev", "devtmpfs", 0, "");
	load_modules();
	open_port();
	make_root();
	settle_kvm();
	use_huge_guest_memory();
	start_other_cpus();
	wire_send(port, WIRE_READY, "", 0);
	receive_command(&cmd);
	enter_root();
	if (!cmd.cwd || cmd.argc == 0)
		fail("no command came");
	loopback_up();
	int signals = block_sigchld();
	start_child(&child, &cmd);
	attend(&child, &cmd, signals, &killed);
	finish_calls(&child);
	sync();
	if (cmd.want_out)
		send_results();
	uint32_t status = (uint32_t)child.status;
	wire_send(port, WIRE_EXIT, &status, sizeof(status));
	/* box-run ends the machine when it has read that */
	for (;;)
		pause();
}
