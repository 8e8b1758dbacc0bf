/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's first process: sets the guest up as /faultline.conf says (agent_conf.h), runs one command
 * with its standard streams on virtio-console ports, tells how it ended, powers off.
 *
 * As a command in the guest, with the argument `scenario`, the same program is the actors of a scenario (actor.h).
 *
 * It never ends silently: what keeps it from its work is said on the status port and in the kernel log.
 */
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest/actor.h"
#include "guest/agent_conf.h"
#include "guest/command.h"
#include "guest/mounts.h"
#include "guest/network.h"
#include "guest/ports.h"
#include "guest/relay.h"

/* Software emulation is slow; on hardware none of these is ever reached. */
#define PORTS_TIMEOUT_MS  30000
#define STATUS_TIMEOUT_MS 30000
#define SYNC_TIMEOUT_MS	  10000
#define CONNECT_MS	  2000
#define GRACE_MS	  200

struct agent {
	int ports[FL_PORT_COUNT];
	int kmsg;
	int sigchld_fd;
	sigset_t old_mask;
	struct fl_conf conf;
	struct fl_orders orders;
};

static void tell_kernel_log(const struct agent *agent, const char *text)
{
	char line[600];
	int len = snprintf(line, sizeof(line), "<3>faultline agent: %s\n", text);

	/* without /dev/kmsg there is the console that the kernel opened for its first process */
	if (len > 0 &&
	    write(agent->kmsg >= 0 ? agent->kmsg : STDERR_FILENO, line, FL_MIN((size_t)len, sizeof(line) - 1)) < 0)
		return;
}

static void FL_PRINTF(2, 3) report(const struct agent *agent, const char *format, ...)
{
	char line[600];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	size_t used = FL_MIN((size_t)len, sizeof(line) - 2);

	/* one line is one message: names in it must not end it early */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = '?';
	line[used++] = '\n';
	int ret = agent->ports[FL_PORT_STATUS] < 0
			  ? -ENODEV
			  : fl_port_write(agent->ports[FL_PORT_STATUS], line, used, STATUS_TIMEOUT_MS);

	if (ret < 0) {
		line[used - 1] = '\0';
		tell_kernel_log(agent, "the host does not take the next line from the status port:");
		tell_kernel_log(agent, line);
	}
}

/* sync() and umount() wait for the host: a child does them, so that a hang there cannot keep the machine on. */
static void let_go_of_files(const struct agent *agent)
{
	pid_t pid = fork();

	if (pid == 0) {
		sync();
		fl_mounts_leave(&agent->conf);
		_exit(0);
	}
	int64_t deadline = fl_now_ms() + SYNC_TIMEOUT_MS;

	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (fl_now_ms() >= deadline) {
			tell_kernel_log(agent, "the file systems could not be synced in time");
			return;
		}
		struct pollfd pollfd = {.fd = agent->sigchld_fd, .events = POLLIN};
		struct signalfd_siginfo info;

		if (poll(&pollfd, 1, 100) > 0 && read(agent->sigchld_fd, &info, sizeof(info)) < 0)
			continue;
	}
}

static void __attribute__((noreturn)) power_off(const struct agent *agent)
{
	/* a child that the command left behind must not go on writing while its files go away */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	let_go_of_files(agent);
	reboot(RB_POWER_OFF);
	tell_kernel_log(agent, "the machine cannot be powered off");
	_exit(FL_EXIT_SETUP); /* the kernel panics, which ends the machine too */
}

static void __attribute__((noreturn)) fail(const struct agent *agent, int code, const struct fl_diag *diag)
{
	tell_kernel_log(agent, diag->text);
	report(agent, "failed %d %s", code, diag->text);
	power_off(agent);
}

static int watch_children(struct agent *agent, struct fl_diag *diag)
{
	sigset_t mask;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &agent->old_mask);
	agent->sigchld_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return agent->sigchld_fd < 0 ? fl_diag(diag, -errno, "signalfd: %s", strerror(errno)) : 0;
}

/* Failing here leaves a guest that works: it is only noted. */
static void set_identity(const struct agent *agent)
{
	const struct fl_conf *conf = &agent->conf;

	if (conf->has_wall_clock && clock_settime(CLOCK_REALTIME, &conf->wall_clock) < 0)
		tell_kernel_log(agent, "the wall clock cannot be set");
	if (conf->hostname && sethostname(conf->hostname, strlen(conf->hostname)) < 0)
		tell_kernel_log(agent, "the host name cannot be set");
}

static void bring_loopback_up(const struct agent *agent)
{
	FL_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	/* a kernel without networks is fine as well */
	if (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		tell_kernel_log(agent, "the loopback interface cannot be brought up");
}

/* A guest where numbers work and names do not is worth something: that is only noted. */
static void set_resolver(const struct agent *agent)
{
	struct fl_diag diag;

	if (fl_network_resolv_conf(&agent->conf, &diag) < 0)
		tell_kernel_log(agent, diag.text);
}

/* The kernel opens its first process's descriptors only where the initramfs has a /dev/console. */
static void open_basic_descriptors(struct agent *agent)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	agent->kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

static int set_up(struct agent *agent, struct fl_diag *diag)
{
	int ret = fl_mounts_early(diag);

	open_basic_descriptors(agent);
	if (ret == 0)
		ret = watch_children(agent, diag);
	if (ret == 0)
		ret = fl_ports_open(agent->ports, PORTS_TIMEOUT_MS, diag);
	if (ret == 0)
		ret = fl_conf_read(FL_AGENT_CONF_PATH, &agent->conf, diag);
	if (ret < 0)
		return ret;
	set_identity(agent);
	bring_loopback_up(agent);
	ret = fl_network_up(&agent->conf, diag);
	if (ret == 0)
		ret = fl_mounts_enter_root(&agent->conf.mounts[0], diag);
	if (ret == 0)
		ret = fl_mounts_fill_root(&agent->conf, diag);
	if (ret == 0)
		set_resolver(agent);
	return ret;
}

/* The host wants the machine off: what the command leaves behind gets the rest of the time to end in. */
static void wait_for_the_rest(struct agent *agent)
{
	struct pollfd pollfd = {.fd = agent->sigchld_fd, .events = POLLIN};
	struct signalfd_siginfo info;
	int left_ms;

	while ((left_ms = fl_orders_timeout_ms(&agent->orders)) > 0 && waitpid(-1, NULL, WNOHANG) >= 0)
		if (poll(&pollfd, 1, left_ms) > 0 && read(agent->sigchld_fd, &info, sizeof(info)) < 0)
			continue;
}

static int run_command(struct agent *agent, int *wait_status, struct fl_diag *diag)
{
	struct fl_child child;
	int exit_code;
	int ret = fl_command_start(&agent->conf, &agent->old_mask, &child, &exit_code, diag);

	if (ret < 0)
		fail(agent, exit_code, diag);
	agent->orders = (struct fl_orders){
		.port = agent->ports[FL_PORT_CONTROL],
		.command = child.pid,
		.everyone = -1,
		.terminal = child.master,
		.patience_ms = FL_AGENT_PATIENCE_MS,
	};
	struct fl_relay_opts opts = {
		.command = child.pid,
		.sigchld_fd = agent->sigchld_fd,
		.stdin_port = agent->ports[FL_PORT_STDIN],
		.stdout_port = agent->ports[FL_PORT_STDOUT],
		.stderr_port = agent->ports[FL_PORT_STDERR],
		.stdin_pipe = child.pipes[0],
		.stdout_pipe = child.pipes[1],
		.stderr_pipe = child.pipes[2],
		.master = child.master,
		.slave = child.slave,
		.grace_ms = GRACE_MS,
		.connect_ms = CONNECT_MS,
		.orders = &agent->orders,
	};

	ret = fl_relay_run(&opts, wait_status, diag);
	wait_for_the_rest(agent);
	return ret;
}

int main(int argc, char **argv)
{
	struct agent agent = {.ports = {-1, -1, -1, -1, -1}, .kmsg = -1, .sigchld_fd = -1};
	struct fl_diag diag = {0};
	int wait_status = 0;

	if (getpid() != 1 && argc > 1 && strcmp(argv[1], FL_ACTOR_ARGUMENT) == 0)
		return fl_actor_main(argc, argv);
	if (getpid() != 1) {
		fputs("faultline-agent is the first process of a Faultline guest; it does nothing elsewhere\n", stderr);
		return FL_EXIT_SETUP;
	}
	int ret = set_up(&agent, &diag);

	if (ret == 0) {
		report(&agent, "start");
		ret = run_command(&agent, &wait_status, &diag);
	}
	if (ret < 0)
		fail(&agent, FL_EXIT_SETUP, &diag);
	if (WIFSIGNALED(wait_status))
		report(&agent, "signal %d", WTERMSIG(wait_status));
	else
		report(&agent, "exit %d", WEXITSTATUS(wait_status));
	power_off(&agent);
}
