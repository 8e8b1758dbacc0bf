/* SPDX-License-Identifier: Apache-2.0 */
/* Small things everything uses: sizes, overflow-checked arithmetic, scoped cleanup. Floor: libc only. */
#ifndef FL_BASE_H
#define FL_BASE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FL_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FL_MAX(a, b) ((a) > (b) ? (a) : (b))

#define FL_PAGE_LEN UINT64_C(4096)
#define FL_RANGE_LEN (UINT64_C(2) << 20) /* the DAX mapping unit of Linux, FUSE_DAX_SZ */
#define FL_GIB (UINT64_C(1) << 30)

#define FL_CHECKED_RESULT __attribute__((warn_unused_result))
#define FL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* True on overflow, as __builtin_*_overflow; all operands uint64_t so that no conversion hides one. */
static inline bool fl_add_overflows(uint64_t a, uint64_t b, uint64_t *sum)
{
	return __builtin_add_overflow(a, b, sum);
}

/* 0 for a clock that there is not. */
static inline uint64_t fl_now_ns(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Is [start, start+len) inside [0, limit)? Never wraps. */
static inline bool fl_range_fits(uint64_t start, uint64_t len, uint64_t limit)
{
	return len <= limit && start <= limit - len;
}

static inline bool fl_is_aligned(uint64_t value, uint64_t alignment)
{
	return (value & (alignment - 1)) == 0;
}

static inline uint64_t fl_align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t fl_align_down(uint64_t value, uint64_t alignment)
{
	return value & ~(alignment - 1);
}

/* Scoped cleanup: FL_CLOSE int fd = -1;  FL_FREE char *s = NULL;  FL_LOCKED(&lock); */
static inline void fl_cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}
static inline void fl_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}
static inline void fl_cleanup_unlock(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}
#define FL_CLOSE __attribute__((cleanup(fl_cleanup_close)))
#define FL_FREE __attribute__((cleanup(fl_cleanup_free)))
#define FL_CONCAT2(a, b) a##b
#define FL_CONCAT(a, b) FL_CONCAT2(a, b)
#define FL_LOCKED(lock) \
	__attribute__((cleanup(fl_cleanup_unlock), unused)) pthread_mutex_t *FL_CONCAT(fl_locked_, __LINE__) = \
		(pthread_mutex_lock(lock), (lock))

/* Hands an FL_CLOSE descriptor over to somebody else. */
static inline int fl_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

static inline void fl_close(int *fd)
{
	fl_cleanup_close(fd);
	*fd = -1;
}

#endif
