/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests in flight: what hangs holds up nobody else, and what has to wait for it does. On io_uring, and on the loop's
 * own threads where that is forbidden.
 */
#include "device_box.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include "stuck_fuse.h"
#include "virtio/virtio_mmio_impl.h"

#define SLOT_ROOM   8192u
#define OUT_HEADER  sizeof(struct fuse_out_header)
#define MANY_STUCK  (FL_LOOP_WORKERS + 8u)
#define FILL	    0x5a
#define SLOT_TABLES 3u

/* A share with a file system below it that can hang; a descriptor each for requests in flight. */
struct bay {
	struct box *box;
	struct stuck_fuse *fuse;
	struct fl_log log;
	char mount_dir[32], shared_dir[80];
	uint64_t slow_node, slow_fh;
	uint64_t slots[QUEUE_LEN]; /* guest memory: tables, request, reply; 0: not used yet */
	bool answered[QUEUE_LEN];
	uint32_t used_len[QUEUE_LEN];
	char said[512]; /* of the log, the last line */
	atomic_uint lines;
};

static uint64_t slot_in(const struct bay *bay, uint16_t head)
{
	return bay->slots[head] + 64;
}

static uint64_t slot_out(const struct bay *bay, uint16_t head)
{
	return bay->slots[head] + 1024;
}

/* Makes a request available and does not wait; data_len bytes of it lie behind the arguments. */
static void fire(struct bay *bay, uint16_t head, uint32_t opcode, uint64_t nodeid, const void *args, size_t len,
		 size_t data_len, uint64_t reply_data_gpa)
{
	struct box *box = bay->box;
	struct fuse_in_header header = {.len = (uint32_t)(sizeof(header) + len + data_len),
					.opcode = opcode,
					.nodeid = nodeid,
					.unique = 1000u + head};
	uint8_t *in;

	if (!bay->slots[head])
		bay->slots[head] = guest_alloc(&box->guest, SLOT_ROOM);
	in = at(&box->guest, slot_in(bay, head));
	memcpy(in, &header, sizeof(header));
	if (len)
		memcpy(in + sizeof(header), args, len);
	memset(at(&box->guest, slot_out(bay, head)), FILL, SLOT_ROOM - 1024);
	put_desc(&box->guest, bay->slots[head], 0, slot_in(bay, head), header.len, DESC_F_NEXT, 1);
	put_desc(&box->guest, bay->slots[head], 1, slot_out(bay, head), OUT_HEADER, DESC_F_NEXT | DESC_F_WRITE, 2);
	put_desc(&box->guest, bay->slots[head], 2, reply_data_gpa ? reply_data_gpa : slot_out(bay, head) + OUT_HEADER,
		 4096, DESC_F_WRITE, 0);
	put_desc(&box->guest, box->queues[REQUESTS].desc, head, bay->slots[head], 16 * SLOT_TABLES, DESC_F_INDIRECT, 0);
	bay->answered[head] = false;
	offer(&box->queues[REQUESTS], head);
	mmio_put(box->mmio, MMIO_QUEUE_NOTIFY, REQUESTS);
}

static void fire_read(struct bay *bay, uint16_t head, uint64_t offset)
{
	struct fuse_read_in in = {.fh = bay->slow_fh, .offset = offset, .size = 4096};

	fire(bay, head, FUSE_READ, bay->slow_node, &in, sizeof(in), 0, 0);
}

static void collect(struct bay *bay)
{
	uint32_t id, len;

	while (take_used(&bay->box->queues[REQUESTS], &id, &len)) {
		assert_in_range(id, 0, QUEUE_LEN - 1);
		bay->answered[id] = true;
		bay->used_len[id] = len;
	}
}

static void nap(void)
{
	const struct timespec pause = {.tv_nsec = 200000};

	nanosleep(&pause, NULL);
}

/* Returns the answer's error. */
static int await(struct bay *bay, uint16_t head)
{
	struct fuse_out_header header;

	for (; !bay->answered[head]; nap())
		collect(bay);
	memcpy(&header, at(&bay->box->guest, slot_out(bay, head)), sizeof(header));
	assert_int_equal(header.unique, 1000u + head);
	assert_int_equal(header.len, bay->used_len[head]);
	return header.error;
}

static int call(struct bay *bay, uint32_t opcode, uint64_t nodeid, const void *args, size_t len)
{
	fire(bay, 0, opcode, nodeid, args, len, 0, 0);
	return await(bay, 0);
}

static const uint8_t *reply_body(const struct bay *bay, uint16_t head)
{
	return (const uint8_t *)at(&bay->box->guest, slot_out(bay, head)) + OUT_HEADER;
}

static void assert_read_is_right(const struct bay *bay, uint16_t head, uint64_t offset)
{
	assert_int_equal(bay->used_len[head], OUT_HEADER + 4096);
	for (uint32_t i = 0; i < 4096; i += 511)
		assert_int_equal(reply_body(bay, head)[i], stuck_byte(offset + i));
}

static uint64_t look_up(struct bay *bay, uint64_t dir, const char *name)
{
	uint64_t nodeid;

	assert_int_equal(call(bay, FUSE_LOOKUP, dir, name, strlen(name) + 1), 0);
	memcpy(&nodeid, reply_body(bay, 0), sizeof(nodeid));
	return nodeid;
}

static uint64_t open_node(struct bay *bay, uint64_t nodeid)
{
	struct fuse_open_in in = {.flags = O_RDWR};
	uint64_t fh;

	assert_int_equal(call(bay, FUSE_OPEN, nodeid, &in, sizeof(in)), 0);
	memcpy(&fh, reply_body(bay, 0), sizeof(fh));
	return fh;
}

static void begin(struct bay *bay)
{
	struct fuse_init_in in = {.major = 7, .minor = 41, .flags = UINT32_MAX & ~(1u << 31), .flags2 = UINT32_MAX};

	start_driver(bay->box);
	assert_int_equal(call(bay, FUSE_INIT, 0, &in, sizeof(in)), 0);
	bay->slow_node = look_up(bay, look_up(bay, FUSE_ROOT_ID, "stuck"), STUCK_NAME);
	bay->slow_fh = open_node(bay, bay->slow_node);
}

static void on_line(void *arg, enum fl_log_level level, const char *line)
{
	struct bay *bay = arg;

	(void)level;
	snprintf(bay->said, sizeof(bay->said), "%s", line);
	atomic_fetch_add(&bay->lines, 1);
}

/* NULL: no such file system can be mounted here. */
static struct bay *bay_new(bool with_window, uint32_t loop_flags)
{
	struct bay *bay = calloc(1, sizeof(*bay));

	assert_non_null(bay);
	bay->log = (struct fl_log){.sink = on_line, .arg = bay, .level = FL_LOG_WARN};
	strcpy(bay->mount_dir, "/tmp/fl-stuck-XXXXXX");
	assert_non_null(mkdtemp(bay->mount_dir));
	/* before the device's thread is there */
	bay->fuse = stuck_fuse_mount(bay->mount_dir);
	if (!bay->fuse) {
		rmdir(bay->mount_dir);
		free(bay);
		return NULL;
	}
	bay->box = box_new_on(with_window, loop_flags, &bay->log);
	assert_int_equal(mkdirat(bay->box->dir_fd, "stuck", 0755), 0);
	snprintf(bay->shared_dir, sizeof(bay->shared_dir), "%s/stuck", bay->box->dir);
	assert_int_equal(mount(bay->mount_dir, bay->shared_dir, NULL, MS_BIND, NULL), 0);
	begin(bay);
	return bay;
}

static void bay_free(struct bay *bay)
{
	stuck_fuse_let_go(bay->fuse);
	fl_loop_stop(bay->box->loop);
	umount2(bay->shared_dir, MNT_DETACH);
	rmdir(bay->shared_dir);
	stuck_fuse_unmount(bay->fuse, bay->mount_dir);
	rmdir(bay->mount_dir);
	box_free(bay->box);
	free(bay);
}

static uint32_t flags_of(void **state)
{
	return (uint32_t)(uintptr_t)*state;
}

#define BAY_OR_SKIP(window)                                 \
	struct bay *bay = bay_new(window, flags_of(state)); \
	if (!bay)                                           \
	SKIP_FOR("no FUSE file system can be mounted here")

/* What a share has to go on doing: names, attributes, and data of other files. */
static void assert_share_is_alive(struct bay *bay)
{
	struct fuse_getattr_in getattr = {0};
	struct fuse_read_in read_in = {.size = 4096};
	uint64_t nodeid;

	assert_int_equal(call(bay, FUSE_GETATTR, bay->slow_node, &getattr, sizeof(getattr)), 0);
	nodeid = look_up(bay, FUSE_ROOT_ID, "file");
	read_in.fh = open_node(bay, nodeid);
	assert_int_equal(call(bay, FUSE_READ, nodeid, &read_in, sizeof(read_in)), 0);
	assert_int_equal(bay->used_len[0], OUT_HEADER + strlen(DATA));
	assert_memory_equal(reply_body(bay, 0), DATA, strlen(DATA));
}

static void a_getattr_passes_a_read_that_hangs(void **state)
{
	BAY_OR_SKIP(false);
	stuck_fuse_hold(bay->fuse);
	fire_read(bay, 1, 8192);
	stuck_fuse_wait_held(bay->fuse, 1);
	assert_share_is_alive(bay);
	assert_false(bay->answered[1]);
	stuck_fuse_let_go(bay->fuse);
	assert_int_equal(await(bay, 1), 0);
	assert_read_is_right(bay, 1, 8192);
	bay_free(bay);
}

/* A driver that sleeps until an interrupt comes, some of whose requests are answered at once and some later. */
static void no_answer_from_flight_is_forgotten_by_interrupts(void **state)
{
	struct driver_queue *queue;
	struct box *box;
	unsigned int left = 0;
	uint64_t count;

	BAY_OR_SKIP(false);
	box = bay->box;
	queue = &box->queues[REQUESTS];
	/* what KVM's irqfd would be */
	box->mmio->irq_fd = eventfd(0, EFD_CLOEXEC);
	for (uint16_t round = 0; round < 40; round++) {
		for (uint16_t i = 1; i <= 1 + round % 5; i++, left++)
			fire_read(bay, i, 4096u * (i + 8u * round));
		while (left) {
			ring_put16(&box->guest, used_event(queue), queue->used_seen);
			__sync_synchronize();
			if (ring_get16(&box->guest, queue->used + 2) == queue->used_seen)
				assert_int_equal(read(box->mmio->irq_fd, &count, sizeof(count)), sizeof(count));
			collect(bay);
			left = 0;
			for (uint16_t i = 1; i <= 1 + round % 5; i++)
				left += !bay->answered[i];
		}
	}
	bay_free(bay);
}

/* More than there are threads: even then only data waits. */
static void many_reads_that_hang_hold_up_no_names(void **state)
{
	struct fuse_getattr_in getattr = {0};

	BAY_OR_SKIP(false);
	stuck_fuse_hold(bay->fuse);
	for (uint16_t i = 1; i <= MANY_STUCK; i++)
		fire_read(bay, i, 4096u * i);
	stuck_fuse_wait_held(bay->fuse, 4);
	assert_int_equal(call(bay, FUSE_GETATTR, bay->slow_node, &getattr, sizeof(getattr)), 0);
	look_up(bay, FUSE_ROOT_ID, "file");
	stuck_fuse_let_go(bay->fuse);
	for (uint16_t i = 1; i <= MANY_STUCK; i++) {
		assert_int_equal(await(bay, i), 0);
		assert_read_is_right(bay, i, 4096u * i);
	}
	bay_free(bay);
}

/* Everything that is not a read and may hang. */
static void what_changes_a_file_hangs_alone(void **state)
{
	struct fuse_write_in write_in = {.offset = 4096, .size = 100};
	struct fuse_fsync_in fsync_in = {0};
	struct fuse_fallocate_in fallocate_in = {.length = 8192, .mode = FALLOC_FL_KEEP_SIZE};
	struct fuse_copy_file_range_in copy_in = {.off_out = 65536, .len = 5000};
	struct fuse_write_out out;

	BAY_OR_SKIP(false);
	write_in.fh = fsync_in.fh = fallocate_in.fh = copy_in.fh_in = copy_in.fh_out = bay->slow_fh;
	copy_in.nodeid_out = bay->slow_node;
	for (uint16_t i = 1; i <= 4; i++) {
		stuck_fuse_hold(bay->fuse);
		if (i == 1)
			fire(bay, i, FUSE_WRITE, bay->slow_node, &write_in, sizeof(write_in), 100, 0);
		else if (i == 2)
			fire(bay, i, FUSE_FSYNC, bay->slow_node, &fsync_in, sizeof(fsync_in), 0, 0);
		else if (i == 3)
			fire(bay, i, FUSE_FALLOCATE, bay->slow_node, &fallocate_in, sizeof(fallocate_in), 0, 0);
		else
			fire(bay, i, FUSE_COPY_FILE_RANGE, bay->slow_node, &copy_in, sizeof(copy_in), 0, 0);
		stuck_fuse_wait_held(bay->fuse, 1);
		assert_share_is_alive(bay);
		assert_false(bay->answered[i]);
		stuck_fuse_let_go(bay->fuse);
		assert_int_equal(await(bay, i), 0);
		memcpy(&out, reply_body(bay, i), sizeof(out));
		if (i == 1)
			assert_int_equal(out.size, 100);
		else if (i == 4)
			assert_int_equal(out.size, 5000);
		else
			assert_int_equal(bay->used_len[i], OUT_HEADER);
	}
	bay_free(bay);
}

static unsigned int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void what_is_in_flight_keeps_its_file_open(void **state)
{
	struct fuse_getattr_in getattr = {.getattr_flags = FUSE_GETATTR_FH};
	struct fuse_release_in release_in = {0};
	unsigned int before;
	uint64_t fh;

	BAY_OR_SKIP(false);
	/* what comes with the first request in flight is there: threads, files of theirs */
	fire_read(bay, 1, 0);
	assert_int_equal(await(bay, 1), 0);
	before = open_descriptors();
	fh = bay->slow_fh;
	bay->slow_fh = release_in.fh = getattr.fh = open_node(bay, bay->slow_node);
	stuck_fuse_hold(bay->fuse);
	fire_read(bay, 1, 12288);
	/* it has not even begun, perhaps: its descriptor must not be another file's by then */
	assert_int_equal(call(bay, FUSE_RELEASE, bay->slow_node, &release_in, sizeof(release_in)), 0);
	assert_int_equal(call(bay, FUSE_GETATTR, bay->slow_node, &getattr, sizeof(getattr)), -EBADF);
	stuck_fuse_wait_held(bay->fuse, 1);
	assert_int_equal(open_descriptors(), before + 1);
	stuck_fuse_let_go(bay->fuse);
	assert_int_equal(await(bay, 1), 0);
	assert_read_is_right(bay, 1, 12288);
	bay->slow_fh = fh;
	fire_read(bay, 1, 0); /* one more round of the loop */
	assert_int_equal(await(bay, 1), 0);
	assert_int_equal(open_descriptors(), before);
	bay_free(bay);
}

/* ---- what waits ---- */

struct release {
	struct bay *bay;
	uint32_t held;
	atomic_bool done;
	pthread_t thread;
};

static void *release_soon(void *arg)
{
	struct release *release = arg;

	stuck_fuse_wait_held(release->bay->fuse, release->held);
	usleep(50000);
	atomic_store(&release->done, true);
	stuck_fuse_let_go(release->bay->fuse);
	return NULL;
}

/* Some of them hang; all others would be done in a moment. */
static void fire_a_mixture(struct bay *bay, struct release *release)
{
	struct fuse_getattr_in getattr = {0};

	stuck_fuse_hold(bay->fuse);
	for (uint16_t i = 1; i < QUEUE_LEN; i++) {
		if (i % 16 == 0)
			fire_read(bay, i, 4096u * i);
		else
			fire(bay, i, FUSE_GETATTR, FUSE_ROOT_ID, &getattr, sizeof(getattr), 0, 0);
	}
	*release = (struct release){.bay = bay, .held = 4};
	pthread_create(&release->thread, NULL, release_soon, release);
}

static void a_reset_waits_for_what_is_in_flight(void **state)
{
	struct fl_fs_stats stats;
	struct release release;

	BAY_OR_SKIP(false);
	fire_a_mixture(bay, &release);
	stuck_fuse_wait_held(bay->fuse, 4);
	mmio_put(bay->box->mmio, MMIO_STATUS, 0);
	assert_true(atomic_load(&release.done));
	assert_int_equal(mmio_get(bay->box->mmio, MMIO_STATUS), 0);
	fl_fs_device_get_stats(bay->box->dev, &stats);
	assert_int_equal(stats.handles, 0);
	assert_int_equal(stats.inodes, 0);
	/* the memory is the guest's own again */
	for (uint16_t i = 1; i < QUEUE_LEN; i++)
		memset(at(&bay->box->guest, slot_out(bay, i)), FILL, SLOT_ROOM - 1024);
	pthread_join(release.thread, NULL);
	usleep(20000);
	for (uint16_t i = 1; i < QUEUE_LEN; i++)
		for (uint32_t k = 0; k < SLOT_ROOM - 1024; k++)
			assert_int_equal(((uint8_t *)at(&bay->box->guest, slot_out(bay, i)))[k], FILL);
	begin(bay);
	assert_share_is_alive(bay);
	bay_free(bay);
}

static void disabling_a_queue_waits_for_what_is_in_flight(void **state)
{
	struct box *box;
	struct release release;

	BAY_OR_SKIP(false);
	box = bay->box;
	fire_a_mixture(bay, &release);
	stuck_fuse_wait_held(bay->fuse, 4);
	mmio_put(box->mmio, MMIO_QUEUE_SEL, REQUESTS);
	mmio_put(box->mmio, MMIO_QUEUE_READY, 0);
	assert_true(atomic_load(&release.done));
	assert_int_equal(mmio_get(box->mmio, MMIO_QUEUE_READY), 0);
	/* whatever had been taken out has been answered, and what comes later is not */
	collect(bay);
	for (uint16_t i = 16; i < QUEUE_LEN; i += 16)
		assert_true(bay->answered[i] || i > 64);
	pthread_join(release.thread, NULL);
	bay_free(bay);
}

static void destroy_and_init_wait_for_what_is_in_flight(void **state)
{
	struct fuse_init_in init = {.major = 7, .minor = 41};
	struct release release;

	BAY_OR_SKIP(false);
	for (int round = 0; round < 2; round++) {
		if (round)
			bay->slow_fh = open_node(bay, bay->slow_node);
		stuck_fuse_hold(bay->fuse);
		for (uint16_t i = 1; i <= 4; i++)
			fire_read(bay, i, 4096u * (i + 8u * (unsigned int)round));
		release = (struct release){.bay = bay, .held = 4};
		pthread_create(&release.thread, NULL, release_soon, &release);
		if (round)
			assert_int_equal(call(bay, FUSE_DESTROY, 0, NULL, 0), 0);
		else
			assert_int_equal(call(bay, FUSE_INIT, 0, &init, sizeof(init)), 0);
		/* answered before */
		for (uint16_t i = 1; i <= 4; i++) {
			assert_true(bay->answered[i]);
			assert_int_equal(await(bay, i), 0);
		}
		pthread_join(release.thread, NULL);
		if (!round)
			bay->slow_node = look_up(bay, look_up(bay, FUSE_ROOT_ID, "stuck"), STUCK_NAME);
	}
	bay_free(bay);
}

static void *stop_loop(void *arg)
{
	fl_loop_stop(arg);
	return NULL;
}

static void the_end_waits_and_says_so(void **state)
{
	pthread_t stopper;

	BAY_OR_SKIP(false);
	stuck_fuse_hold(bay->fuse);
	fire_read(bay, 1, 4096);
	stuck_fuse_wait_held(bay->fuse, 1);
	pthread_create(&stopper, NULL, stop_loop, bay->box->loop);
	while (!atomic_load(&bay->lines))
		nap();
	stuck_fuse_let_go(bay->fuse);
	pthread_join(stopper, NULL);
	assert_non_null(strstr(bay->said, "share share: "));
	assert_non_null(strstr(bay->said, "does not answer"));
	assert_int_equal(await(bay, 1), 0);
	bay_free(bay);
}

/* ---- data ---- */

/* The file behind the buffer is cut while the data is on its way. */
static void a_buffer_that_vanishes_in_flight_is_an_efault(void **state)
{
	struct fuse_setupmapping_in map_in = {.fh = UINT64_MAX, .len = RANGE, .flags = 3};
	struct fuse_read_in in = {.offset = 20480, .size = 4096};
	uint64_t nodeid;
	int fd;

	BAY_OR_SKIP(true);
	fd = openat(bay->box->dir_fd, "new", O_CREAT | O_RDWR, 0644);
	assert_int_equal(ftruncate(fd, 4096), 0);
	nodeid = look_up(bay, FUSE_ROOT_ID, "new");
	assert_int_equal(call(bay, FUSE_SETUPMAPPING, nodeid, &map_in, sizeof(map_in)), 0);
	in.fh = bay->slow_fh;
	stuck_fuse_hold(bay->fuse);
	fire(bay, 1, FUSE_READ, bay->slow_node, &in, sizeof(in), 0, WINDOW_GPA);
	stuck_fuse_wait_held(bay->fuse, 1);
	assert_int_equal(ftruncate(fd, 0), 0);
	stuck_fuse_let_go(bay->fuse);
	assert_int_equal(await(bay, 1), -EFAULT);
	/* and with the page there it works */
	assert_int_equal(ftruncate(fd, 4096), 0);
	fire(bay, 1, FUSE_READ, bay->slow_node, &in, sizeof(in), 0, WINDOW_GPA);
	assert_int_equal(await(bay, 1), 0);
	assert_int_equal(bay->used_len[1], OUT_HEADER + 4096);
	close(fd);
	bay_free(bay);
}

#define HALF_LEN (64u << 10)

/* Whatever part of it is in the page cache, and moved at once (on ext4 and others that know RWF_NOWAIT). */
static void a_read_that_is_partly_in_the_cache_is_whole(void **state)
{
	struct box *box = box_new_on(false, flags_of(state), NULL);
	uint8_t *pattern = malloc(2 * HALF_LEN);
	uint64_t out = guest_alloc(&box->guest, 2 * HALF_LEN + 16);
	struct fuse_read_in in = {.size = 2 * HALF_LEN};
	int fd = openat(box->dir_fd, "new", O_CREAT | O_RDWR, 0644);
	uint64_t nodeid;

	for (uint32_t i = 0; i < 2 * HALF_LEN; i++)
		pattern[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(write(fd, pattern, 2 * HALF_LEN - 100), 2 * HALF_LEN - 100);
	assert_int_equal(fsync(fd), 0);
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	assert_int_equal(request(box, FUSE_LOOKUP, FUSE_ROOT_ID, "new", 4, NULL), 0);
	memcpy(&nodeid, body(box), sizeof(nodeid));
	in.fh = open_file(box, nodeid, O_RDONLY);
	for (unsigned int round = 0; round < 8; round++) {
		memset(at(&box->guest, out), FILL, 2 * HALF_LEN + 16);
		/* nothing, the second half, the first one, a piece in the middle */
		assert_int_equal(posix_fadvise(fd,
					       round % 4 == 2	? HALF_LEN
					       : round % 4 == 3 ? 8192
								: 0,
					       round % 4 == 0	? 0
					       : round % 4 == 3 ? 16384
								: HALF_LEN,
					       POSIX_FADV_DONTNEED),
				 0);
		put_request(box, FUSE_READ, nodeid, &in, sizeof(in));
		put_desc(&box->guest, box->table, 0, box->in, 80, DESC_F_NEXT, 1);
		put_desc(&box->guest, box->table, 1, out, 5000, DESC_F_WRITE | DESC_F_NEXT, 2);
		put_desc(&box->guest, box->table, 2, out + 5000, 2 * HALF_LEN + 16 - 5000, DESC_F_WRITE, 0);
		assert_int_equal(run_chain(box, REQUESTS, 3), 16 + 2 * HALF_LEN - 100);
		assert_memory_equal((uint8_t *)at(&box->guest, out) + 16, pattern, 2 * HALF_LEN - 100);
	}
	close(fd);
	free(pattern);
	box_free(box);
}

/* What was answered is there for all that comes later; what is appended goes to the end that the host knows. */
static void writes_are_done_when_they_are_answered(void **state)
{
	struct box *box = box_new_on(false, flags_of(state), NULL);
	struct {
		struct fuse_write_in in;
		char data[8];
	} args = {.in = {.size = 8}};
	struct fuse_getattr_in getattr = {0};
	uint64_t nodeid;
	char got[8];
	int fd;

	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	args.in.fh = open_file(box, nodeid, O_RDWR);
	fd = openat(box->dir_fd, "file", O_RDWR);
	for (uint32_t i = 0; i < 50; i++) {
		bool appends = i % 5 == 4;
		struct fuse_attr_out attr;
		struct stat st;

		assert_int_equal(fstat(fd, &st), 0);
		snprintf(args.data, sizeof(args.data), "%07u", i);
		args.in.offset = appends ? 3 : (uint64_t)st.st_size + i;
		args.in.flags = appends ? O_APPEND : 0;
		assert_int_equal(request(box, FUSE_WRITE, nodeid, &args, sizeof(args), NULL), 0);
		assert_int_equal(pread(fd, got, 8, appends ? st.st_size : (off_t)args.in.offset), 8);
		assert_memory_equal(got, args.data, 8);
		assert_int_equal(request(box, FUSE_GETATTR, nodeid, &getattr, sizeof(getattr), NULL), 0);
		memcpy(&attr, body(box), sizeof(attr));
		assert_int_equal(attr.attr.size, st.st_size + 8 + (appends ? 0 : i));
	}
	close(fd);
	box_free(box);
}

#define ON_BOTH(f) cmocka_unit_test_prestate(f, NULL), cmocka_unit_test_prestate(f, (void *)(uintptr_t)FL_LOOP_NO_URING)

static const struct CMUnitTest tests[] = {
	ON_BOTH(a_getattr_passes_a_read_that_hangs),
	ON_BOTH(no_answer_from_flight_is_forgotten_by_interrupts),
	ON_BOTH(many_reads_that_hang_hold_up_no_names),
	ON_BOTH(what_changes_a_file_hangs_alone),
	ON_BOTH(what_is_in_flight_keeps_its_file_open),
	ON_BOTH(a_reset_waits_for_what_is_in_flight),
	ON_BOTH(disabling_a_queue_waits_for_what_is_in_flight),
	ON_BOTH(destroy_and_init_wait_for_what_is_in_flight),
	ON_BOTH(the_end_waits_and_says_so),
	ON_BOTH(a_buffer_that_vanishes_in_flight_is_an_efault),
	ON_BOTH(a_read_that_is_partly_in_the_cache_is_whole),
	ON_BOTH(writes_are_done_when_they_are_answered),
};
FL_TEST_MAIN(40, tests)
