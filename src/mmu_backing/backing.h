/* SPDX-License-Identifier: Apache-2.0 */
/* backing: one host file behind mappings. Reference-counted (atomic); immutable but for the count while there is one.
 */
#ifndef FL_BACKING_H
#define FL_BACKING_H

#include <stdatomic.h>
#include <sys/types.h>

#include "fl_diag.h"

struct fl_backing {
	atomic_uint refs;
	int fd;	       /* opened for reading, or reading and writing if writable */
	bool writable; /* fd can be mapped PROT_WRITE */
	dev_t dev;
	ino_t ino;
	bool named; /* it had a name when this was made: no memfd, not unlinked */
	/*
	 * Once mapped, its file system's ->mmap says the same to every further mapping with these rights, wherever in
	 * the file, unless the host shuts it down.
	 */
	bool steady;
	bool remote; /* its file system asks a server, which may not answer */
	struct fl_backing *next_unused;
};

/*
 * Takes over fd (a regular file, else -EINVAL; kept open by the caller on failure).
 * The caller owns the one reference. May wait for whoever serves the file, so not under a lock.
 */
FL_CHECKED_RESULT int fl_backing_new(int fd, bool writable, struct fl_backing **backing);
struct fl_backing *fl_backing_ref(struct fl_backing *backing);
void fl_backing_unref(struct fl_backing *backing); /* NULL allowed; may wait, if it closes a remote file */
/* The same where nobody must wait: what is to be closed is put on a list. */
void fl_backing_unref_later(struct fl_backing *backing, struct fl_backing **unused);
void fl_backing_close_all(struct fl_backing *unused);

/*
 * The file's length as this machine's kernel has it, which is what decides whether an access by a mapping is SIGBUS
 * (mm/filemap.c filemap_fault: i_size_read()). On a network file system or FUSE the server may know another one: it is
 * not asked, so that nobody waits for one that does not answer, and locks can be held.
 */
FL_CHECKED_RESULT int fl_backing_get_len(const struct fl_backing *backing, uint64_t *len);

/* For tables of files: the upper bits are the good ones. Fibonacci hashing: inode numbers are often consecutive. */
static inline uint64_t fl_file_hash(dev_t dev, ino_t ino)
{
	return ((uint64_t)ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Current host path as the kernel tells it (" (deleted)" and all), or "?". Always NUL-terminated. */
void fl_backing_path(const struct fl_backing *backing, char *buf, size_t buf_len);

#endif
