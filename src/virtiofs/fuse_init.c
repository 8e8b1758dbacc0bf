/* SPDX-License-Identifier: Apache-2.0 */
/* INIT and DESTROY: what is agreed on with the guest's kernel (fs/fuse/inode.c process_init_reply). */
#include "virtiofs/fuse_ops.h"

#include <string.h>

/* The first minor that virtio-fs was spoken with; shorter structures of older ones are not known here. */
#define FL_FUSE_MINOR_MIN      31u
#define FL_FUSE_MAX_BACKGROUND 64u
#define FL_FUSE_CONGESTION     48u
/* The window maps ranges of 2 MiB. Linux refuses more than FUSE_DAX_SHIFT, fs/fuse/dax.c fuse_dax_check_alignment. */
#define FL_FUSE_MAP_SHIFT 21u

/*
 * Taken if offered. Left out on purpose:
 * WRITEBACK_CACHE: the guest would believe its own file size for ever, and never see the host's truncation.
 * HANDLE_KILLPRIV, _V2: stores through DAX would keep set-user-id bits, which the guest then leaves to us.
 * POSIX_LOCKS, FLOCK_LOCKS: a waiting lock could never be cancelled (virtio_fs sends no INTERRUPT).
 * EXPLICIT_INVAL_DATA: needs notifications, which virtio_fs does not read.
 * EXPORT_SUPPORT: would make "." and ".." legal names. NO_OPEN(DIR)_SUPPORT: handles carry access modes.
 * SECURITY_CTX: belongs to labels, which are not passed.
 */
#define FL_FUSE_WANTED                                                                                          \
	((uint64_t)FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |             \
	 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | \
	 FUSE_CACHE_SYMLINKS | FUSE_SUBMOUNTS | FUSE_INIT_EXT)
#define FL_FUSE_WANTED_USERS (FL_FUSE_CREATE_SUPP_GROUP)
/* Only where users are the host's do ACLs say of the guest's users what they say. Each needs the others. */
#define FL_FUSE_WANTED_ACL ((uint64_t)FUSE_POSIX_ACL | FUSE_DONT_MASK | FUSE_SETXATTR_EXT)
#define FL_FUSE_WANTED_DAX ((uint64_t)FUSE_MAP_ALIGNMENT | FUSE_HAS_INODE_DAX)

static uint64_t offered_flags(const struct fuse_init_in *in)
{
	uint64_t flags = in->flags;

	if (flags & FUSE_INIT_EXT)
		flags |= (uint64_t)in->flags2 << 32;
	return flags;
}

static uint64_t agreed_flags(const struct fl_fs *fs, uint64_t offered)
{
	uint64_t wanted = FL_FUSE_WANTED;

	if (fs->window)
		wanted |= FL_FUSE_WANTED_DAX;
	if (fs->as_users)
		wanted |= FL_FUSE_WANTED_USERS;
	/* whether a umask counts is up to a directory's default ACL: it must be this thread's own, to be set each time
	 */
	if (fs->as_users && (offered & FL_FUSE_WANTED_ACL) == FL_FUSE_WANTED_ACL && !fl_fs_prepare_thread())
		wanted |= FL_FUSE_WANTED_ACL;
	if (fs->below_overlay)
		wanted &= ~(uint64_t)FUSE_SUBMOUNTS;
	return offered & wanted;
}

static int reply_init(struct fl_fs_call *call, const struct fuse_init_in *in)
{
	uint64_t flags = call->fs->flags;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FL_MIN(in->minor, (uint32_t)FUSE_KERNEL_MINOR_VERSION),
		.max_readahead = in->max_readahead,
		.flags = (uint32_t)flags,
		.flags2 = (uint32_t)(flags >> 32),
		.max_background = FL_FUSE_MAX_BACKGROUND,
		.congestion_threshold = FL_FUSE_CONGESTION,
		.max_write = flags & FUSE_MAX_PAGES ? FL_FUSE_DATA_MAX : 32 * (uint32_t)FL_PAGE_LEN,
		.time_gran = 1,
		.max_pages = flags & FUSE_MAX_PAGES ? FL_FUSE_DATA_MAX / FL_PAGE_LEN : 0,
		.map_alignment = flags & FUSE_MAP_ALIGNMENT ? FL_FUSE_MAP_SHIFT : 0,
	};

	return fl_fs_reply(call, &out, sizeof(out));
}

/* A guest without DAX works, with copies of its own that no truncation on the host reaches: that must not be a secret.
 */
static void check_dax(struct fl_fs *fs)
{
	if (fs->window && !(fs->flags & FUSE_MAP_ALIGNMENT))
		fl_log_limited(
			fs->log, &fs->log_limit, FL_LOG_WARN,
			"share %s: the guest does not map this share's files but keeps copies of them: its kernel "
			"has no CONFIG_FUSE_DAX, or mounted with dax=never",
			fs->title);
}

int fl_op_init(struct fl_fs_call *call)
{
	struct fl_fs *fs = call->fs;
	struct fuse_init_in in = {0};

	/* 16 bytes without FUSE_INIT_EXT, 64 with it */
	if (!fl_fuse_take(&call->args, &in, FL_MIN(call->args.left, sizeof(in))))
		return -EINVAL;
	if (in.flags & FUSE_INIT_EXT && call->args_len < sizeof(in))
		return -EINVAL;
	/* The guest starts afresh (kexec, or a crashed one): what the last one had is gone. */
	fl_fs_reset(fs);
	if (in.major > FUSE_KERNEL_VERSION)
		return reply_init(call, &in); /* it asks again with our major */
	if (in.major < FUSE_KERNEL_VERSION || in.minor < FL_FUSE_MINOR_MIN)
		return -EPROTO;
	fs->flags = agreed_flags(fs, offered_flags(&in));
	fs->initialized = true;
	check_dax(fs);
	return reply_init(call, &in);
}

int fl_op_destroy(struct fl_fs_call *call)
{
	/* After it come neither FORGETs nor REMOVEMAPPINGs (fs/fuse/inode.c fuse_evict_inode with !SB_ACTIVE). */
	fl_fs_reset(call->fs);
	return 0;
}
