/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_memory [--dir DIR]
 *
 * What a share costs the monitor's process besides the guest's memory and the host's page cache: for each file that the
 * guest knows, and for what a window maps. One thread plays the guest's part on the virtqueue; no guest is run. As
 * /proc says it: anonymous memory (Pss_Anon of smaps_rollup), page tables (VmPTE), mappings and descriptors.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bench/figures.h"
#include "tests/fs/fs_server.h"

#define FILES	 100000u
#define NAME_LEN 16
#define FILE_LEN (UINT64_C(256) << 20) /* of the one that is mapped, so often that a window of 1 GiB is full */

struct usage {
	uint64_t anon_kib, tables_kib, mappings, descriptors;
};

struct run {
	char path[512];
	int dir_fd;
	struct fs_memory memory;
	struct fs_server server;
	uint64_t nodes_seen;
};

/* The number behind "Name:" in a file of /proc, or 0. */
static uint64_t number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	uint64_t number = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			sscanf(line + strlen(name) + 1, "%" SCNu64, &number);
	if (file)
		fclose(file);
	return number;
}

static uint64_t lines_in(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t lines = 0;
	int c;

	while (file && (c = getc(file)) != EOF)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

static uint64_t entries_of(const char *path)
{
	DIR *dir = opendir(path);
	uint64_t entries = 0;

	while (dir && readdir(dir))
		entries++;
	if (dir)
		closedir(dir);
	return entries;
}

static struct usage usage_now(void)
{
	return (struct usage){
		.anon_kib = number_in("/proc/self/smaps_rollup", "Pss_Anon"),
		.tables_kib = number_in("/proc/self/status", "VmPTE"),
		.mappings = lines_in("/proc/self/maps"),
		.descriptors = entries_of("/proc/self/fd"),
	};
}

static void usage_row(const char *what, const struct usage *before)
{
	struct usage now = usage_now();

	row(what, cell("%" PRId64, (int64_t)(now.anon_kib - before->anon_kib)),
	    cell("%" PRId64, (int64_t)(now.tables_kib - before->tables_kib)),
	    cell("%" PRId64, (int64_t)(now.mappings - before->mappings)),
	    cell("%" PRId64, (int64_t)(now.descriptors - before->descriptors)), NULL);
}

/* ---- files ------------------------------------------------------------------------------ */

static void name_of(char name[NAME_LEN], uint64_t number)
{
	snprintf(name, NAME_LEN, "file-%06u", (unsigned int)(number % FILES));
}

static bool make_files(struct run *run)
{
	char name[NAME_LEN];

	for (uint64_t i = 0; i < FILES; i++) {
		FL_CLOSE int fd = -1;

		name_of(name, i);
		fd = openat(run->dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return false;
	}
	return true;
}

static void fill_lookup(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	(void)arg;
	(void)slot;
	call->opcode = FUSE_LOOKUP;
	call->nodeid = FUSE_ROOT_ID;
	call->reply_len = sizeof(struct fuse_entry_out);
	name_of(call->args, number);
	call->args_len = (uint32_t)strlen(call->args) + 1;
}

static bool done_lookup(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_entry_out *out = reply->body;
	struct run *run = arg;

	(void)slot;
	(void)number;
	run->nodes_seen++;
	return reply->len == sizeof(*out) && S_ISREG(out->attr.mode);
}

static bool measure_files(struct run *run)
{
	const struct fs_job lookup = {.fill = fill_lookup, .done = done_lookup, .arg = run};
	struct usage before = usage_now();

	if (!fs_mount_run(&run->server.mount, &lookup, FS_SLOTS, FILES) || run->nodes_seen != FILES)
		return false;
	usage_row(cell("%u files are known", FILES), &before);
	return true;
}

/* ---- a window --------------------------------------------------------------------------- */

static bool map_all(struct fl_window *window, struct fl_backing *backing)
{
	const uint64_t file_ranges = FILE_LEN / FL_RANGE_LEN;

	/* no two of which are next to each other in the file, or they would be one mapping */
	for (uint64_t i = 0; i < FL_GIB / FL_RANGE_LEN; i++)
		if (fl_window_map(window, i * FL_RANGE_LEN, FL_RANGE_LEN, backing, i * 5 % file_ranges * FL_RANGE_LEN,
				  false))
			return false;
	return true;
}

static bool measure_mapped(struct fl_window *window, struct fl_backing *backing)
{
	struct usage before = usage_now();

	if (!map_all(window, backing))
		return false;
	usage_row("1 GiB of a window is mapped", &before);
	if (madvise(fl_window_hva(window), FL_GIB, MADV_POPULATE_READ))
		return false;
	usage_row("and every page was touched", &before);
	return true;
}

static bool measure_window(const struct run *run)
{
	struct fl_window *window = NULL;
	struct fl_backing *backing = NULL;
	FL_CLOSE int fd = openat(run->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct usage before = usage_now();
	bool good;

	if (fd < 0 || ftruncate(fd, (off_t)FILE_LEN) || fl_window_new(FL_GIB, &window, NULL))
		return false;
	usage_row("a window of 1 GiB is there", &before);
	good = fl_backing_new(fd, true, &backing) == 0;
	if (good)
		(void)fl_steal_fd(&fd);
	good = good && measure_mapped(window, backing);
	fl_window_free(window);
	fl_backing_unref(backing);
	return good;
}

/* ---- beginning and end ------------------------------------------------------------------ */

static bool start(struct run *run, const char *parent)
{
	struct rlimit limit;

	/* as the launcher does */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	snprintf(run->path, sizeof(run->path), "%s/faultline-memory-XXXXXX", parent);
	if (!mkdtemp(run->path)) {
		run->path[0] = 0;
		fprintf(stderr, "no directory can be made in %s\n", parent);
		return false;
	}
	run->dir_fd = open(run->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run->dir_fd >= 0 && make_files(run) && fs_memory_init(&run->memory) &&
	       fs_server_start_ours(&run->server, &run->memory, run->path);
}

static void stop(struct run *run)
{
	char name[NAME_LEN];

	fs_server_stop(&run->server);
	fs_memory_fini(&run->memory);
	for (uint64_t i = 0; run->dir_fd >= 0 && i < FILES; i++) {
		name_of(name, i);
		unlinkat(run->dir_fd, name, 0);
	}
	fl_close(&run->dir_fd);
	if (run->path[0])
		rmdir(run->path);
}

int main(int argc, char **argv)
{
	struct run run = {.dir_fd = -1, .memory.ram.fd = -1};
	bool good;

	if (argc != 1 && (argc != 3 || strcmp(argv[1], "--dir") != 0)) {
		fprintf(stderr, "usage: %s [--dir DIR]\n", argv[0]);
		return 2;
	}
	good = start(&run, argc == 3 ? argv[2] : "/tmp");
	if (good) {
		heading("when", "anonymous memory, KiB", "page tables, KiB", "mappings", "descriptors", NULL);
		good = measure_files(&run) && measure_window(&run);
	}
	stop(&run);
	return good ? 0 : 1;
}
