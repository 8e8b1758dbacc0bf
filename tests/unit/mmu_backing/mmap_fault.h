/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs linked with --wrap=mmap64: an mmap that replaces something in the window can be made to fail as the
 * kernel's own failures look, and those of files that replace nothing are counted.
 */
#ifndef MMAP_FAULT_H
#define MMAP_FAULT_H

#include "mmu_test.h"

#include <sys/socket.h>

enum failure {
	FAIL_NOT = 0,
	FAIL_EARLY,   /* the limits are checked before anything is touched */
	FAIL_SOCKET,  /* a real failure of ->mmap: sockets cannot be mapped (sock_no_mmap) */
	FAIL_HOLE,    /* as FAIL_SOCKET leaves it on kernels that cannot take back */
	FAIL_FOREIGN, /* FAIL_HOLE, and somebody else's mapping lands in it before we get to run again */
};

/* The wrapped function has no argument to hang this on. */
static struct {
	enum failure failure;
	unsigned int skip;	       /* let so many replacing mmaps pass first */
	unsigned int times;	       /* then fail so many */
	unsigned int skip_after_first; /* but let so many pass after the first failure */
	unsigned int replacing, failed, tries;
	bool left_hole;
	/* what lands, and where from the start of the hole */
	struct {
		uint64_t at, len;
		int prot, flags, fd;
		off_t offset;
	} lands;
	uint8_t *foreign;
} fault;

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

static void fail_by_socket(uint8_t *hva, size_t len, int prot)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_ptr_equal(__real_mmap64(hva, len, prot, MAP_SHARED | MAP_FIXED, sock, 0), MAP_FAILED);
	close(sock);
}

static void land_foreign(uint8_t *hva)
{
	hva += fault.lands.at;
	fault.foreign = __real_mmap64(hva, fault.lands.len, fault.lands.prot, fault.lands.flags | MAP_FIXED_NOREPLACE,
				      fault.lands.fd, fault.lands.offset);
	assert_ptr_equal(fault.foreign, hva);
}

static int fail_now(uint8_t *hva, size_t len, int prot)
{
	unsigned char resident;

	if (fault.failure == FAIL_SOCKET)
		fail_by_socket(hva, len, prot);
	if (fault.failure == FAIL_HOLE || fault.failure == FAIL_FOREIGN)
		munmap(hva, len);
	fault.left_hole = mincore(hva, PAGE, &resident) < 0 && errno == ENOMEM;
	if (fault.failure == FAIL_FOREIGN)
		land_foreign(hva);
	fault.failed++;
	return fault.failure == FAIL_EARLY ? ENOMEM : ENODEV;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (flags & MAP_FIXED) {
		fault.replacing++;
		if (fault.skip) {
			fault.skip--;
		} else if (fault.failure && fault.times) {
			fault.times--;
			fault.skip = fault.skip_after_first;
			fault.skip_after_first = 0;
			errno = fail_now(addr, len, prot);
			return MAP_FAILED;
		}
	} else if (!addr && fd >= 0) {
		fault.tries++;
	}
	return __real_mmap64(addr, len, prot, flags, fd, offset);
}

static void arm(enum failure failure, unsigned int skip, unsigned int times)
{
	memset(&fault, 0, sizeof(fault));
	fault.failure = failure;
	fault.skip = skip;
	fault.times = times;
}

static inline void arm_foreign(uint64_t at, uint64_t len, int prot, int flags, int fd, off_t offset)
{
	arm(FAIL_FOREIGN, 0, 1);
	fault.lands.at = at;
	fault.lands.len = len;
	fault.lands.prot = prot;
	fault.lands.flags = flags;
	fault.lands.fd = fd;
	fault.lands.offset = offset;
}

#endif
