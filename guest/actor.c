/* SPDX-License-Identifier: Apache-2.0 */
/* The manager: talks to the host, keeps the case. */
#include "guest/actor_case.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "guest/actor_talk.h"
#include "guest/ports.h"

#define PORT_TIMEOUT_MS 30000

struct manager {
	struct fl_actor_world world;
	struct fl_actor_system system;
	struct fl_actor_case of;
	struct fl_actor_port port;
	int sigchld_fd;
	struct fl_actor_talk talk;
};

/* ---- what the host says ------------------------------------------------------------------- */

static int map_page(void *arg, struct fl_diag *diag)
{
	struct manager *manager = arg;
	const char *path = getenv(FL_SCN_PAGE_ENV) ? getenv(FL_SCN_PAGE_ENV) : FL_SCN_PAGE_PATH;
	FL_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t magic = 0;
	void *page;

	if (fd < 0)
		return fl_diag(diag, -errno, "cannot open %s: %s", path, strerror(errno));
	if (pread(fd, &magic, sizeof(magic), 0) != sizeof(magic) || magic != FL_SCN_PAGE_MAGIC)
		return fl_diag(diag, -EPROTO, "%s is no page of marks", path);
	page = mmap(NULL, FL_SCN_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return fl_diag(diag, -errno, "cannot map %s: %s", path, strerror(errno));
	manager->world.page = page;
	return 0;
}

static int start(void *arg, struct fl_diag *diag)
{
	struct manager *manager = arg;

	return fl_actor_case_start(&manager->of, diag);
}

static int stop(void *arg, struct fl_diag *diag)
{
	struct manager *manager = arg;
	int ret = fl_actor_case_stop(&manager->of, diag);

	return ret ? ret : fl_actor_case_new(&manager->of, &manager->world, diag);
}

static const struct fl_actor_talk_ops talk_ops = {.map_page = map_page, .start = start, .stop = stop};

/* ---- the loop ----------------------------------------------------------------------------- */

static void drain(int fd)
{
	struct signalfd_siginfo infos[8];

	while (read(fd, infos, sizeof(infos)) > 0)
		;
}

/* Waits, reads. -ENOTCONN: the host has gone. */
static int wait_for_news(struct manager *manager, bool more)
{
	bool reads = fl_actor_port_has_room(&manager->port);
	struct pollfd fds[] = {
		{.fd = manager->port.fd,
		 .events = (short)((reads ? POLLIN : 0) | (manager->port.out_len ? POLLOUT : 0))},
		{.fd = manager->sigchld_fd, .events = POLLIN},
		{.fd = manager->system.note_fd, .events = POLLIN},
	};
	uint64_t notes;

	if (poll(fds, FL_ARRAY_SIZE(fds), more ? 1 : -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[2].revents && read(manager->system.note_fd, &notes, sizeof(notes)) < 0 && errno != EAGAIN)
		return -errno;
	if (fds[1].revents)
		drain(manager->sigchld_fd);
	if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
		return fl_actor_port_read(&manager->port);
	return 0;
}

static int serve(struct manager *manager, struct fl_diag *diag)
{
	bool more = false;
	int ret = 0;

	while (!ret) {
		ret = wait_for_news(manager, more);
		if (ret)
			return ret;
		ret = fl_actor_talk_take(&manager->talk, diag);
		fl_actor_case_reap(&manager->of);
		more = fl_actor_case_tell(&manager->of, &manager->port);
		if (!ret && fl_actor_port_flush(&manager->port))
			return -ENOTCONN;
		more |= fl_actor_talk_has_message(&manager->talk) && fl_actor_port_has_room(&manager->port);
	}
	return ret;
}

/* ---- the program -------------------------------------------------------------------------- */

static int open_port(struct manager *manager, int argc, char **argv, struct fl_diag *diag)
{
	char *end = NULL;
	long fd = argc > 2 ? strtol(argv[2], &end, 10) : -1;
	int flags;

	if (argc > 3 || (end && (*end || end == argv[2] || fd <= STDERR_FILENO || fd > INT32_MAX)))
		return fl_diag(diag, -EINVAL, "usage: " FL_ACTOR_ARGUMENT " [DESCRIPTOR]");
	if (argc > 2)
		manager->port.fd = (int)fd;
	else if (fl_port_open(FL_SCN_PORT, &manager->port.fd, PORT_TIMEOUT_MS, diag))
		return diag->error;
	flags = fcntl(manager->port.fd, F_GETFL);
	if (flags < 0 || fcntl(manager->port.fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(manager->port.fd, F_SETFD, FD_CLOEXEC) < 0)
		return fl_diag(diag, -errno, "descriptor %d cannot be used: %s", manager->port.fd, strerror(errno));
	return 0;
}

/* The answer to a PING is only worth something if it comes at once; with less rights it comes when it can. */
static void be_quick(void)
{
	const struct sched_param param = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) < 0)
		return;
}

static int set_up(struct manager *manager, int argc, char **argv, struct fl_diag *diag)
{
	struct fl_actor_world *world = &manager->world;
	struct fl_actor_system *system = &manager->system;
	sigset_t mask;
	int ret = open_port(manager, argc, argv, diag);

	if (ret)
		return ret;
	world->system = system;
	manager->talk =
		(struct fl_actor_talk){.world = world, .port = &manager->port, .ops = &talk_ops, .arg = manager};
	system->manager = getpid();
	system->port_fd = manager->port.fd;
	system->note_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &system->mask);
	manager->sigchld_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (system->note_fd < 0 || manager->sigchld_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
	    sched_getaffinity(0, sizeof(system->affinity), &system->affinity) < 0)
		return fl_diag(diag, -errno, "the scenario's actors cannot be set up: %s", strerror(errno));
	be_quick();
	return fl_actor_case_new(&manager->of, world, diag);
}

int fl_actor_main(int argc, char **argv)
{
	struct fl_diag diag = {0}, ignored;
	struct manager *manager = calloc(1, sizeof(*manager));
	int ret = manager ? set_up(manager, argc, argv, &diag) : fl_diag(&diag, -ENOMEM, "out of memory");

	if (!ret) {
		fl_actor_talk_hello(&manager->talk, (uint32_t)FL_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1),
				    (uint32_t)sysconf(_SC_PAGESIZE));
		ret = fl_actor_port_flush(&manager->port) ? -ENOTCONN : serve(manager, &diag);
		if (fl_actor_case_stop(&manager->of, &ignored))
			ret = fl_diag(&diag, -EBUSY, "%s", ignored.text);
	}
	free(manager);
	if (ret == -ENOTCONN)
		return FL_ACTOR_EXIT_GOOD;
	fprintf(stderr, "faultline scenario: %s\n", diag.text[0] ? diag.text : strerror(-ret));
	return FL_ACTOR_EXIT_BAD;
}
