/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/fs/fs_server.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/fs/vhost_user.h"
#include "tests/unit/virtio/driver_model.h"
#include "virtio/virtio_mmio_impl.h"

#define FEATURES (FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX)

static bool init_server(struct fs_server *server, struct fs_memory *memory, const char *name)
{
	*server = (struct fs_server){.name = name, .socket_fd = -1};
	for (unsigned int i = 0; i < FS_QUEUES; i++)
		server->kick_fds[i] = server->call_fds[i] = -1;
	return fs_mount_init(&server->mount, memory);
}

/* ---- ours ---- */

static bool add_window(struct fs_server *server, struct fs_memory *memory, struct fl_diag *diag)
{
	struct fl_region region = {.kind = FL_REGION_WINDOW, .gpa = FS_WINDOW_GPA, .name = "share"};

	if (fl_window_new(FS_WINDOW_LEN, &server->window, diag))
		return false;
	region.len = fl_window_len(server->window);
	region.hva = fl_window_hva(server->window);
	region.window = server->window;
	return fl_gpa_map_add(&memory->map, &region, diag) == 0;
}

static bool make_device(struct fs_server *server, struct fs_memory *memory, int root_fd, struct fl_diag *diag)
{
	struct fl_fs_device_opts opts = {
		.transport = {.name = "fs0",
			      .vm_fd = -1,
			      .gpa = 0x10000000,
			      .map = &memory->map,
			      .shm_gpa = FS_WINDOW_GPA,
			      .shm_len = FS_WINDOW_LEN},
		.tag = "share",
		.root_fd = root_fd,
		.writable = true,
		.attr_timeout_ms = 1000,
		.entry_timeout_ms = 1000,
	};

	if (!add_window(server, memory, diag) || fl_loop_new("fl-fs0", 0, &server->loop, diag))
		return false;
	opts.transport.loop = server->loop;
	opts.window = server->window;
	return fl_fs_device_new(&opts, &server->dev, diag) == 0;
}

/* As KVM's ioeventfd and irqfd would: without a VM the device makes no interrupt line of its own. */
static bool connect_lines(struct fs_server *server)
{
	struct fl_virtio_mmio *mmio = fl_fs_device_transport(server->dev);
	int line = eventfd(0, EFD_CLOEXEC);

	server->call_fds[FS_REQUESTS] = line;
	mmio->irq_fd = fcntl(line, F_DUPFD_CLOEXEC, 0);
	for (unsigned int i = 0; i < FS_QUEUES; i++) {
		server->kick_fds[i] = fcntl(mmio->queues[i].kick_fd, F_DUPFD_CLOEXEC, 0);
		server->mount.rings[i].kick_fd = server->kick_fds[i];
		server->mount.rings[i].call_fd = line;
		if (server->kick_fds[i] < 0)
			return false;
	}
	return line >= 0 && mmio->irq_fd >= 0;
}

static bool start_driver(struct fs_server *server)
{
	struct fl_virtio_mmio *mmio = fl_fs_device_transport(server->dev);

	if (!mmio_negotiate(mmio, FEATURES))
		return false;
	for (unsigned int i = 0; i < FS_QUEUES; i++) {
		const struct ring *ring = &server->mount.rings[i];
		struct driver_queue queue = {.size = FS_QUEUE_SIZE,
					     .desc = ring->desc_gpa,
					     .avail = ring->avail_gpa,
					     .used = ring->used_gpa};

		mmio_setup_queue(mmio, i, &queue);
	}
	mmio_driver_ok(mmio);
	return fs_mount_begin(&server->mount);
}

bool fs_server_start_ours(struct fs_server *server, struct fs_memory *memory, const char *dir)
{
	FL_CLOSE int root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fl_diag diag = {0};

	if (!init_server(server, memory, "Faultline"))
		return false;
	if (root_fd < 0 || !make_device(server, memory, root_fd, &diag) || !connect_lines(server) ||
	    fl_loop_start(server->loop, &diag)) {
		fprintf(stderr, "our server does not start: %s\n", diag.text);
		return false;
	}
	return start_driver(server);
}

/* ---- virtiofsd ---- */

/* It has to have a listening socket; the kernel finds an abstract name for it. */
static int listen_anywhere(struct sockaddr_un *address, socklen_t *address_len)
{
	FL_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*address_len = sizeof(*address);
	if (fd < 0 || bind(fd, (const void *)address, sizeof(address->sun_family)) || listen(fd, 1) ||
	    getsockname(fd, (void *)address, address_len))
		return -1;
	return fl_steal_fd(&fd);
}

static void run_virtiofsd(int listen_fd, const char *dir, const char *program, unsigned int threads)
{
	char fd_option[32], pool_option[48], source[4096], arenas[48];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(listen_fd, F_SETFD, 0);
	snprintf(fd_option, sizeof(fd_option), "--fd=%d", listen_fd);
	snprintf(pool_option, sizeof(pool_option), "--thread-pool-size=%u", threads);
	snprintf(source, sizeof(source), "source=%s", dir);
	/*
	 * As many arenas as glibc would take. To find out how many that are it counts CPUs, once there are threads
	 * enough, and for that the daemon's seccomp filter kills it.
	 */
	snprintf(arenas, sizeof(arenas), "glibc.malloc.arena_max=%ld", 8 * sysconf(_SC_NPROCESSORS_ONLN));
	setenv("GLIBC_TUNABLES", arenas, 1);
	/* of its two ways to lock itself in the one that needs no second process */
	execl(program, program, fd_option, pool_option, "-f", "-o", source, "-o", "sandbox=chroot", "-o", "cache=auto",
	      "-o", "log_level=err", (char *)NULL);
	_exit(127);
}

static bool spawn_virtiofsd(struct fs_server *server, const char *dir, const char *program, unsigned int threads)
{
	struct sockaddr_un address;
	socklen_t address_len;
	FL_CLOSE int listen_fd = listen_anywhere(&address, &address_len);

	if (listen_fd < 0)
		return false;
	server->pid = fork();
	if (server->pid == 0)
		run_virtiofsd(listen_fd, dir, program, threads);
	server->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return server->pid > 0 && connect(server->socket_fd, (const void *)&address, address_len) == 0;
}

bool fs_server_start_virtiofsd(struct fs_server *server, struct fs_memory *memory, const char *dir, const char *program,
			       unsigned int threads)
{
	const struct vhost_memory guest = {
		.fd = memory->ram.fd, .hva = memory->ram.hva, .gpa = FS_RAM_GPA, .len = memory->ram.len};

	if (!init_server(server, memory, threads ? "virtiofsd, pool" : "virtiofsd"))
		return false;
	for (unsigned int i = 0; i < FS_QUEUES; i++) {
		server->kick_fds[i] = server->mount.rings[i].kick_fd = eventfd(0, EFD_CLOEXEC);
		server->call_fds[i] = server->mount.rings[i].call_fd = eventfd(0, EFD_CLOEXEC);
		if (server->kick_fds[i] < 0 || server->call_fds[i] < 0)
			return false;
	}
	if (!spawn_virtiofsd(server, dir, program, threads) ||
	    !vhost_user_start(server->socket_fd, FEATURES, &guest, server->mount.rings, FS_QUEUES)) {
		fprintf(stderr, "%s does not start; it wants to be root\n", program);
		return false;
	}
	return fs_mount_begin(&server->mount);
}

/* ---- both ---- */

void fs_server_stop(struct fs_server *server)
{
	if (!server->name)
		return;
	if (server->loop)
		fl_loop_stop(server->loop);
	fl_fs_device_free(server->dev);
	fl_loop_free(server->loop);
	fl_window_free(server->window);
	fl_close(&server->socket_fd); /* virtiofsd ends with its client */
	if (server->pid > 0)
		while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
			;
	for (unsigned int i = 0; i < FS_QUEUES; i++) {
		fl_close(&server->kick_fds[i]);
		fl_close(&server->call_fds[i]);
	}
}

static bool move_threads(pid_t pid, const cpu_set_t *cpus)
{
	struct dirent *entry;
	bool good = true;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (good && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		/* a thread that has ended meanwhile wants no CPU; one of the kernel's may refuse */
		good = !tid || !sched_setaffinity(tid, sizeof(*cpus), cpus) || errno == ESRCH ||
		       (errno == EINVAL && tid != pid);
	}
	closedir(dir);
	return good;
}

bool fs_server_move(const struct fs_server *server, const cpu_set_t *cpus)
{
	return move_threads(getpid(), cpus) && (!server->pid || move_threads(server->pid, cpus));
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t fs_server_cpu_ns(const struct fs_server *server)
{
	clockid_t clock;

	if (!server->pid)
		return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return clock_getcpuclockid(server->pid, &clock) ? 0 : clock_ns(clock);
}
