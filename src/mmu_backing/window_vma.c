/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/window_vma.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/*
 * A fork must not duplicate a window, nor a core dump read it. Both flags live in the mapping and go with it, so every
 * new one is told that needs it. Failing costs no safety, hence no error.
 *
 * A mapping of a file that has a name needs neither, and is spared two system calls: a fork copies none of its page
 * tables (mm/memory.c vma_needs_copy), and the child has the file open anyway; core dumps pass it over unless somebody
 * asks for such mappings (fs/coredump.c vma_dump_size, bit 3 of core(5)'s filter).
 */
static void advise(uint8_t *hva, uint64_t len)
{
	madvise(hva, len, MADV_DONTFORK);
	madvise(hva, len, MADV_DONTDUMP);
}

static int replace(uint8_t *hva, uint64_t len, int prot, int flags, int fd, uint64_t file_offset)
{
	return mmap(hva, len, prot, flags, fd, (off_t)file_offset) == MAP_FAILED ? -errno : 0;
}

static int put(uint8_t *hva, uint64_t len, int prot, int flags, int fd, uint64_t file_offset)
{
	int error = replace(hva, len, prot, flags, fd, file_offset);

	if (!error)
		advise(hva, len);
	return error;
}

int fl_vma_reserve(uint64_t len, uint64_t alignment, struct fl_vma_none *none, uint8_t **hva)
{
	FL_CLOSE int fd = memfd_create("unmapped-window", MFD_CLOEXEC);
	uint64_t before, after;
	struct stat st;
	uint8_t *start;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	start = mmap(NULL, len + alignment, PROT_NONE, MAP_SHARED, fd, 0);
	if (start == MAP_FAILED)
		return -errno;
	before = fl_align_up((uintptr_t)start, alignment) - (uintptr_t)start;
	after = alignment - before;
	if (before)
		munmap(start, before);
	if (after)
		munmap(start + before + len, after);
	*hva = start + before;
	advise(*hva, len);
	*none = (struct fl_vma_none){.fd = fl_steal_fd(&fd), .ino = st.st_ino, .origin = start};
	return 0;
}

int fl_vma_make_zero(struct fl_vma_zero *zero)
{
	FL_CLOSE int fd = memfd_create("substituted-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;

	if (fd < 0 || ftruncate(fd, FL_PAGE_LEN) < 0 || fstat(fd, &st) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*zero = (struct fl_vma_zero){.fd = fl_steal_fd(&fd), .ino = st.st_ino};
	return 0;
}

int fl_vma_try_file(uint64_t len, int prot, const struct fl_backing *backing, uint64_t file_offset)
{
	void *got = mmap(NULL, len, prot, MAP_SHARED, backing->fd, (off_t)file_offset);

	if (got == MAP_FAILED)
		return -errno;
	munmap(got, len);
	return 0;
}

int fl_vma_put_file(uint8_t *hva, uint64_t len, int prot, const struct fl_backing *backing, uint64_t file_offset)
{
	int error = replace(hva, len, prot, MAP_SHARED | MAP_FIXED, backing->fd, file_offset);

	if (!error && !backing->named)
		advise(hva, len);
	return error;
}

void fl_vma_populate(uint8_t *hva, uint64_t len)
{
	/* what tmpfs with huge=advise waits for; others say EINVAL or do not mind */
	madvise(hva, len, MADV_HUGEPAGE);
	madvise(hva, len, MADV_POPULATE_READ);
}

int fl_vma_put_zero(uint8_t *hva, const struct fl_vma_zero *zero)
{
	return put(hva, FL_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, zero->fd, 0);
}

static int put_none(uint8_t *hva, uint64_t len, int how, const struct fl_vma_none *none)
{
	return put(hva, len, PROT_NONE, MAP_SHARED | how, none->fd, (uint64_t)(hva - none->origin));
}

int fl_vma_put_none(uint8_t *hva, uint64_t len, const struct fl_vma_none *none)
{
	return put_none(hva, len, MAP_FIXED, none);
}

int fl_vma_fill_none(uint8_t *hva, uint64_t len, const struct fl_vma_none *none)
{
	return put_none(hva, len, MAP_FIXED_NOREPLACE, none);
}

struct walk {
	uint64_t start, end;
	fl_vma_fn fn;
	void *arg;
	char line[128]; /* the head of a line, as far as it matters: the path is cut off */
	size_t used;
};

/* False when the walk is over. */
static bool end_line(struct walk *walk)
{
	struct fl_vma vma;
	int fields;

	walk->line[walk->used] = '\0';
	walk->used = 0;
	fields = sscanf(walk->line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64, &vma.start, &vma.end,
			vma.perms, &vma.file_offset, &vma.ino);
	if (fields != 5 || vma.end <= walk->start)
		return true;
	return vma.start < walk->end && walk->fn(walk->arg, &vma);
}

static bool take(struct walk *walk, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			if (!end_line(walk))
				return false;
		} else if (walk->used < sizeof(walk->line) - 1) {
			walk->line[walk->used++] = text[i];
		}
	}
	return true;
}

int fl_vma_walk(int maps_fd, uint64_t start, uint64_t end, fl_vma_fn fn, void *arg)
{
	struct walk walk = {.start = start, .end = end, .fn = fn, .arg = arg};
	char text[4096];
	ssize_t len;

	if (lseek(maps_fd, 0, SEEK_SET) < 0)
		return -errno;
	do {
		len = read(maps_fd, text, sizeof(text));
		if (len < 0)
			return -errno;
	} while (len > 0 && take(&walk, text, (size_t)len));
	return 0;
}
