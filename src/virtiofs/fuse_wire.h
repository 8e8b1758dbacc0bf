/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse_wire: the bytes of FUSE messages. A cursor walks a request's arguments and never past their
 * end; names are checked here, once, for all operations; errors are mapped to what a guest may see.
 */
#ifndef FL_FUSE_WIRE_H
#define FL_FUSE_WIRE_H

#include <linux/fuse.h>

#include "fl_base.h"

/* FUSE 7.39, which Debian's 7.38 header does not have; Linux sends it whatever minor was agreed on. */
#define FL_FUSE_STATX	   52
#define FL_FUSE_OPCODE_MAX 52

struct fl_fuse_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct fl_fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct fl_fuse_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fl_fuse_sx_time atime;
	struct fl_fuse_sx_time btime;
	struct fl_fuse_sx_time ctime;
	struct fl_fuse_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};

struct fl_fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fl_fuse_statx stat;
};

/* FUSE 7.38, of which Debian's header lacks the end. */
#define FL_FUSE_CREATE_SUPP_GROUP (UINT64_C(1) << 34)
#define FL_FUSE_EXT_GROUPS	  32
struct fl_fuse_supp_groups {
	uint32_t nr_groups; /* as many uint32_t follow */
};

#define FL_FUSE_IN_HEADER_LEN	40u
#define FL_FUSE_OUT_HEADER_LEN	16u
#define FL_FUSE_SETXATTR_IN_LEN 8u /* without FUSE_SETXATTR_EXT */
#define FL_FUSE_NAME_MAX	255u

/* What is left of a request's arguments. */
struct fl_fuse_cursor {
	const uint8_t *pos;
	size_t left;
};

/* Copies the next len bytes (FUSE structures need not be aligned). False, and nothing taken, if fewer are left. */
FL_CHECKED_RESULT bool fl_fuse_take(struct fl_fuse_cursor *cursor, void *out, size_t len);

/* The next NUL-terminated string, inside the request's bytes; NULL if no NUL comes. */
const char *fl_fuse_take_string(struct fl_fuse_cursor *cursor, size_t *len);

/*
 * The next string, as the name of one directory entry: 1 to 255 bytes, no '/', neither "." nor "..".
 * -EINVAL, -ENAMETOOLONG.
 */
FL_CHECKED_RESULT int fl_fuse_take_name(struct fl_fuse_cursor *cursor, const char **name);

/*
 * error: 0 or a host's negative errno. Returns what goes into fuse_out_header.error: in (-511..0],
 * and none of those that make Linux stop asking for good (-ENOSYS) or retry for ever.
 */
int fl_fuse_error(int error);

#endif
