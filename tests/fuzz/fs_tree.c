/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_tree.h"

#include <dirent.h>
#include <fcntl.h>

static const char *const canary_names[TREE_CANARIES] = {"", "outside", "outside/secret", "victim"};

/* In memory where that can be: SYNCFS and FSYNC cost nothing there. */
static const char *scratch_directory(void)
{
	const char *chosen = getenv("FL_FUZZ_DIR");

	if (chosen)
		return chosen;
	return access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
}

static void put_file(int dir_fd, const char *name, size_t text_len, off_t len)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	static const char text[6000] = "some text";

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, text, text_len) == (ssize_t)text_len);
	FUZZ_CHECK(!ftruncate(fd, len));
	close(fd);
}

static void put_links_out(const struct fs_tree *tree)
{
	char path[128];

	FUZZ_CHECK(!symlinkat("../outside/secret", tree->share_fd, "out"));
	FUZZ_CHECK(!symlinkat("..", tree->share_fd, "up"));
	snprintf(path, sizeof(path), "%s/outside", tree->base);
	FUZZ_CHECK(!symlinkat(path, tree->share_fd, "abs"));
}

static void put_share(struct fs_tree *tree)
{
	FUZZ_CHECK(!mkdirat(tree->base_fd, "share", 0755));
	tree->share_fd = openat(tree->base_fd, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(tree->share_fd >= 0);
	put_file(tree->share_fd, "file", 6000, 6000);
	put_file(tree->share_fd, "big", 5000, (2 << 20) + 4096);
	put_file(tree->share_fd, "empty", 0, 0);
	FUZZ_CHECK(!linkat(tree->share_fd, "file", tree->share_fd, "twin", 0));
	FUZZ_CHECK(!mkdirat(tree->share_fd, "dir", 0755));
	FUZZ_CHECK(!mkdirat(tree->share_fd, "dir/sub", 0755));
	put_file(tree->share_fd, "dir/inner", 10, 10);
	FUZZ_CHECK(!mkfifoat(tree->share_fd, "fifo", 0644));
	put_links_out(tree);
}

static struct statx look(const struct fs_tree *tree, const char *name)
{
	struct statx stx;

	FUZZ_CHECK(!statx(tree->base_fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx));
	return stx;
}

/* The kernel notes a first access after a change (relatime), if the last one was before it. */
static void make_old(const struct fs_tree *tree, const char *name)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_nsec = UTIME_OMIT}};

	FUZZ_CHECK(!utimensat(tree->base_fd, name, times, 0));
}

void fs_tree_init(struct fs_tree *tree)
{
	snprintf(tree->base, sizeof(tree->base), "%.40s/fl-fuzz-XXXXXX", scratch_directory());
	FUZZ_CHECK(mkdtemp(tree->base));
	tree->base_fd = open(tree->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(tree->base_fd >= 0);
	FUZZ_CHECK(!mkdirat(tree->base_fd, "outside", 0755));
	put_file(tree->base_fd, "outside/secret", 100, 100);
	put_file(tree->base_fd, "victim", 100, 100);
	put_share(tree);
	make_old(tree, "outside");
	make_old(tree, "outside/secret");
	make_old(tree, "victim");
	for (int i = 0; i < TREE_CANARIES; i++)
		tree->canaries[i] = look(tree, canary_names[i]);
}

void fs_tree_open_to_all(const struct fs_tree *tree)
{
	FUZZ_CHECK(!fchmodat(tree->share_fd, ".", 01777, 0) && !fchmodat(tree->share_fd, "dir", 02777, 0));
	FUZZ_CHECK(!fchmodat(tree->share_fd, "file", 0666, 0));
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

void fs_tree_check(const struct fs_tree *tree)
{
	for (int i = 0; i < TREE_CANARIES; i++) {
		struct statx now = look(tree, canary_names[i]);
		const struct statx *then = &tree->canaries[i];

		FUZZ_CHECK(now.stx_ino == then->stx_ino && now.stx_size == then->stx_size);
		FUZZ_CHECK(now.stx_nlink == then->stx_nlink && now.stx_mode == then->stx_mode);
		FUZZ_CHECK(now.stx_uid == then->stx_uid && now.stx_gid == then->stx_gid);
		/* an entry made or removed changes the times of its directory, a link or an attribute those of its
		 * inode */
		FUZZ_CHECK(same_time(&now.stx_ctime, &then->stx_ctime));
		FUZZ_CHECK(same_time(&now.stx_mtime, &then->stx_mtime));
		FUZZ_CHECK(i == 0 || same_time(&now.stx_atime, &then->stx_atime));
	}
}

void fs_tree_meddle(const struct fs_tree *tree, uint8_t how)
{
	static const off_t lens[] = {0, 1, 4096, 5000, 2 << 20, 3 << 20};
	int fd;

	if (how & 0x80) {
		(void)!unlinkat(tree->share_fd, "file", 0);
		(void)!renameat(tree->share_fd, "dir", tree->share_fd, "moved");
		return;
	}
	fd = openat(tree->share_fd, how & 1 ? "file" : "big", O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!ftruncate(fd, lens[how / 2 % FL_ARRAY_SIZE(lens)]);
	close(fd);
}

/* By descriptors: a guest can nest directories deeper than a path may be long. */
static void empty_directory(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	FUZZ_CHECK(dir && !fchmod(dir_fd, 0700));
	while ((entry = readdir(dir))) {
		int child_fd;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !unlinkat(dir_fd, entry->d_name, 0))
			continue;
		FUZZ_CHECK(!fchmodat(dir_fd, entry->d_name, 0700, 0));
		child_fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		FUZZ_CHECK(child_fd >= 0);
		empty_directory(child_fd);
		FUZZ_CHECK(!unlinkat(dir_fd, entry->d_name, AT_REMOVEDIR));
	}
	closedir(dir);
}

void fs_tree_fini(struct fs_tree *tree)
{
	int fd = open(tree->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	close(tree->share_fd);
	close(tree->base_fd);
	empty_directory(fd);
	FUZZ_CHECK(!rmdir(tree->base));
}

unsigned int fs_tree_count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	FUZZ_CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
