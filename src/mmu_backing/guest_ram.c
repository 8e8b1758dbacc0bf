/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/guest_ram.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define PLACE_TRIES 16

/* ftruncate(2) beyond it would not only fail, but send SIGXFSZ, which ends a process that does not expect it. */
static int check_file_limit(uint64_t len, struct fl_diag *diag)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || len <= limit.rlim_cur)
		return 0;
	return fl_diag(diag, -EFBIG,
		       "guest memory of %" PRIu64 " MiB is a file beyond this process's limit, %" PRIu64
		       " MiB; raise the limit of file sizes (ulimit -f unlimited)",
		       len >> 20, (uint64_t)limit.rlim_cur >> 20);
}

static int make_memfd(uint64_t len, struct fl_diag *diag)
{
	FL_CLOSE int fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return fl_diag(diag, -errno, "cannot create memory for the guest: memfd_create: %s", strerror(errno));
	if (ftruncate(fd, (off_t)len) < 0)
		return fl_diag(diag, -errno, "cannot size guest memory to %" PRIu64 " bytes: %s", len, strerror(errno));
	/* SHRINK is what lets the VMM use plain loads and stores; SEAL keeps it true whoever gets the fd. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fl_diag(diag, -errno, "cannot seal guest memory: %s", strerror(errno));
	return fl_steal_fd(&fd);
}

/* A free 2 MiB aligned address where len bytes fit, for the moment. */
static uint8_t *find_place(uint64_t len)
{
	uint8_t *start = mmap(NULL, len + FL_RANGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return NULL;
	munmap(start, len + FL_RANGE_LEN);
	return start + (fl_align_up((uintptr_t)start, FL_RANGE_LEN) - (uintptr_t)start);
}

/*
 * KVM maps 2 MiB at once only if host and guest address agree modulo 2 MiB. Another thread may take
 * the place between the two steps: NOREPLACE notices, and the search starts again.
 */
static int map_aligned(int fd, uint64_t len, uint8_t **hva)
{
	for (int i = 0; i < PLACE_TRIES; i++) {
		uint8_t *place = find_place(len);
		uint8_t *got;

		if (!place)
			return -errno;
		got = mmap(place, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
		if (got != MAP_FAILED) {
			*hva = got;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -ENOMEM;
}

int fl_guest_ram_init(struct fl_guest_ram *ram, uint64_t len, struct fl_diag *diag)
{
	FL_CLOSE int fd = -1;
	uint64_t end;
	int error;

	if (!len || !fl_is_aligned(len, FL_RANGE_LEN) || len > INT64_MAX || fl_add_overflows(len, FL_RANGE_LEN, &end))
		return fl_diag(diag, -EINVAL, "guest memory of %" PRIu64 " bytes is not a multiple of 2 MiB", len);
	error = check_file_limit(len, diag);
	if (error)
		return error;
	fd = make_memfd(len, diag);
	if (fd < 0)
		return fl_steal_fd(&fd);
	error = map_aligned(fd, len, &ram->hva);
	if (error)
		return fl_diag(diag, error,
			       "cannot map %" PRIu64
			       " MiB of guest memory (%s); give less --memory, or raise the limit of "
			       "address space (ulimit -v unlimited)",
			       len >> 20, strerror(-error));
	/* Hints: a fork or a core dump must not cost the guest's size, huge pages where the host grants them. */
	madvise(ram->hva, len, MADV_DONTFORK);
	madvise(ram->hva, len, MADV_DONTDUMP);
	madvise(ram->hva, len, MADV_HUGEPAGE);
	ram->fd = fl_steal_fd(&fd);
	ram->len = len;
	return 0;
}

int fl_guest_ram_substitute(struct fl_guest_ram *ram, uint64_t offset)
{
	uint64_t page = fl_align_down(offset, FL_PAGE_LEN);

	if (offset >= ram->len)
		return -EINVAL;
	if (fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)page, (off_t)FL_PAGE_LEN) < 0)
		return -errno;
	/* Punching passes over page table entries that say "poisoned" (mm/memory.c zap_pte_range, should_zap_cows). */
	return madvise(ram->hva + page, FL_PAGE_LEN, MADV_DONTNEED) < 0 ? -errno : 0;
}

void fl_guest_ram_fini(struct fl_guest_ram *ram)
{
	if (!ram->hva)
		return;
	munmap(ram->hva, ram->len);
	close(ram->fd);
	*ram = (struct fl_guest_ram){0};
}
