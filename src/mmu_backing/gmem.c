/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_backing/gmem.h"

#include <string.h>

/* The part of [gpa, gpa+len) that lies in the region of its first byte. */
struct piece {
	const struct fl_region *region;
	uint8_t *hva;
	uint64_t len;
};

static bool first_piece(const struct fl_gpa_map *map, uint64_t gpa, uint64_t len, struct piece *piece)
{
	const struct fl_region *region = fl_gpa_map_find(map, gpa);
	uint64_t offset;

	if (!region)
		return false;
	offset = gpa - region->gpa;
	*piece =
		(struct piece){.region = region, .hva = region->hva + offset, .len = FL_MIN(len, region->len - offset)};
	return true;
}

/*
 * process_vm_readv/writev on ourselves fault the remote side in with get_user_pages: a page that
 * cannot be had is EFAULT or a short count, and never a signal.
 */
static int copy_window(uint8_t *hva, uint8_t *buf, size_t len, bool to_guest)
{
	while (len) {
		struct iovec local = {.iov_base = buf, .iov_len = len};
		struct iovec remote = {.iov_base = hva, .iov_len = len};
		ssize_t done = to_guest ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
					: process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

		if (done < 0)
			return -errno;
		if (done == 0)
			return -EFAULT;
		buf += done;
		hva += done;
		len -= (size_t)done;
	}
	return 0;
}

static int copy(const struct fl_gpa_map *map, uint64_t gpa, uint8_t *buf, size_t len, bool to_guest)
{
	uint64_t end;

	if (fl_add_overflows(gpa, len, &end))
		return -EFAULT;
	while (len) {
		struct piece piece;
		int error = 0;

		if (!first_piece(map, gpa, len, &piece))
			return -EFAULT;
		if (piece.region->kind == FL_REGION_WINDOW)
			error = copy_window(piece.hva, buf, piece.len, to_guest);
		else if (to_guest)
			memcpy(piece.hva, buf, piece.len);
		else
			memcpy(buf, piece.hva, piece.len);
		if (error)
			return error;
		gpa += piece.len;
		buf += piece.len;
		len -= piece.len;
	}
	return 0;
}

int fl_gmem_read(const struct fl_gpa_map *map, uint64_t gpa, void *buf, size_t len)
{
	return copy(map, gpa, buf, len, false);
}

int fl_gmem_write(const struct fl_gpa_map *map, uint64_t gpa, const void *buf, size_t len)
{
	/* one loop for both directions; with to_guest set buf is only read */
	return copy(map, gpa, (uint8_t *)(uintptr_t)buf, len, true);
}

void *fl_gmem_ram(const struct fl_gpa_map *map, uint64_t gpa, uint64_t len)
{
	struct piece piece;

	if (!first_piece(map, gpa, len, &piece) || piece.region->kind != FL_REGION_RAM || piece.len != len)
		return NULL;
	return piece.hva;
}

int fl_gmem_iov(const struct fl_gpa_map *map, uint64_t gpa, uint64_t len, struct iovec *iov, unsigned int cap,
		unsigned int *count)
{
	unsigned int used = *count;
	uint64_t end;

	if (fl_add_overflows(gpa, len, &end))
		return -EFAULT;
	while (len) {
		struct piece piece;

		if (!first_piece(map, gpa, len, &piece))
			return -EFAULT;
		if (used >= cap)
			return -E2BIG;
		iov[used++] = (struct iovec){.iov_base = piece.hva, .iov_len = piece.len};
		gpa += piece.len;
		len -= piece.len;
	}
	*count = used;
	return 0;
}
