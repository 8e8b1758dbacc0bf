/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_guest.h"

#include "virtiofs/fuse_ops.h"

#define OP(opcode) (UINT64_C(1) << (opcode))
#define ONE_WAY	   (OP(FUSE_FORGET) | OP(FUSE_BATCH_FORGET) | OP(FUSE_INTERRUPT) | OP(FUSE_NOTIFY_REPLY))
#define GIVES_ENTRY                                                                                               \
	(OP(FUSE_LOOKUP) | OP(FUSE_SYMLINK) | OP(FUSE_MKNOD) | OP(FUSE_MKDIR) | OP(FUSE_LINK) | OP(FUSE_CREATE) | \
	 OP(FUSE_TMPFILE))
#define NEEDS_HANDLE                                                                                                 \
	(OP(FUSE_READ) | OP(FUSE_WRITE) | OP(FUSE_FLUSH) | OP(FUSE_FSYNC) | OP(FUSE_FSYNCDIR) | OP(FUSE_FALLOCATE) | \
	 OP(FUSE_LSEEK) | OP(FUSE_READDIR) | OP(FUSE_READDIRPLUS) | OP(FUSE_RELEASE) | OP(FUSE_RELEASEDIR) |         \
	 OP(FUSE_COPY_FILE_RANGE))
#define NEEDS_DIRECTORY_HANDLE (OP(FUSE_READDIR) | OP(FUSE_READDIRPLUS) | OP(FUSE_RELEASEDIR) | OP(FUSE_FSYNCDIR))
#define NEEDS_DIRECTORY \
	(GIVES_ENTRY | OP(FUSE_UNLINK) | OP(FUSE_RMDIR) | OP(FUSE_RENAME) | OP(FUSE_RENAME2) | OP(FUSE_OPENDIR))
#define NEEDS_NOTHING (OP(FUSE_INIT) | OP(FUSE_DESTROY) | OP(FUSE_REMOVEMAPPING))
/* May be answered after requests that came later (fuse_flight.h). */
#define FLIES                                                                                       \
	(OP(FUSE_READ) | OP(FUSE_WRITE) | OP(FUSE_FSYNC) | OP(FUSE_FSYNCDIR) | OP(FUSE_FALLOCATE) | \
	 OP(FUSE_COPY_FILE_RANGE) | OP(FUSE_SYNCFS))
/* What they make is new. */
#define MAKES (OP(FUSE_SYMLINK) | OP(FUSE_MKNOD) | OP(FUSE_MKDIR) | OP(FUSE_CREATE) | OP(FUSE_TMPFILE))
/* A reply of theirs that gets lost leaves the guest in the dark. */
#define CHANGES_TABLES                                                                                             \
	(GIVES_ENTRY | NEEDS_NOTHING | OP(FUSE_OPEN) | OP(FUSE_OPENDIR) | OP(FUSE_RELEASE) | OP(FUSE_RELEASEDIR) | \
	 OP(FUSE_READDIRPLUS) | OP(FUSE_SETUPMAPPING))

static bool is_of(uint32_t opcode, uint64_t set)
{
	return opcode < 64 && set & OP(opcode);
}

/* A request that is done, as it was sent, and its reply. */
struct done {
	struct fs_guest *guest;
	const struct slot *slot;
	struct fuse_in_header sent;
	const uint8_t *args;
	struct fuse_out_header header;
	const uint8_t *body;
	uint32_t body_len;
};

/* ---- what the guest knows ---- */

struct node *fs_guest_find_node(struct fs_guest *guest, uint64_t nodeid)
{
	for (unsigned int i = 0; i < guest->node_count; i++)
		if (guest->nodes[i].nodeid == nodeid)
			return &guest->nodes[i];
	return NULL;
}

static void learn(struct fs_guest *guest, const struct fuse_entry_out *entry)
{
	struct node *node = fs_guest_find_node(guest, entry->nodeid);
	uint32_t type = entry->attr.mode & S_IFMT;

	if (!entry->nodeid || entry->nodeid == FUSE_ROOT_ID)
		return;
	if (!node) {
		FUZZ_CHECK(guest->node_count < NODES_MAX);
		node = &guest->nodes[guest->node_count++];
		*node = (struct node){.nodeid = entry->nodeid, .type = type};
	}
	/* a number is given to one inode only, and stays its own */
	FUZZ_CHECK(node->type == type);
	node->nlookup++;
}

static void forget(struct fs_guest *guest, uint64_t nodeid, uint64_t nlookup)
{
	struct node *node = fs_guest_find_node(guest, nodeid);

	if (!node)
		return;
	node->nlookup -= FL_MIN(nlookup, node->nlookup);
	if (node->nlookup)
		return;
	*node = guest->nodes[--guest->node_count];
	guest->overtaken = true;
}

static struct open_file *find_handle(struct fs_guest *guest, uint64_t fh)
{
	for (unsigned int i = 0; i < guest->handle_count; i++)
		if (guest->handles[i].fh == fh)
			return &guest->handles[i];
	return NULL;
}

static void add_handle(struct fs_guest *guest, uint64_t fh, uint64_t nodeid, bool is_directory)
{
	FUZZ_CHECK(!find_handle(guest, fh) && guest->handle_count < HANDLES_MAX);
	guest->handles[guest->handle_count++] =
		(struct open_file){.fh = fh, .nodeid = nodeid, .is_directory = is_directory};
}

static void set_ranges(struct fs_guest *guest, uint64_t moffset, uint64_t len, bool mapped)
{
	for (uint64_t i = moffset / FL_RANGE_LEN; i < (moffset + len) / FL_RANGE_LEN; i++)
		guest->ranges[i] = mapped;
}

static bool is_range(uint64_t moffset, uint64_t len)
{
	return len && fl_is_aligned(moffset | len, FL_RANGE_LEN) &&
	       fl_range_fits(moffset, len, WINDOW_RANGES * FL_RANGE_LEN);
}

void fs_reply_forget_all(struct fs_guest *guest)
{
	guest->unsure = false;
	guest->node_count = 0;
	guest->handle_count = 0;
	memset(guest->ranges, 0, sizeof(guest->ranges));
}

void fs_reply_check_tables(struct fs_guest *guest)
{
	struct fl_window_stats window = {0};
	struct fl_fs_stats stats;
	uint64_t mapped = 0;

	if (guest->unsure)
		return;
	for (unsigned int i = 0; i < WINDOW_RANGES; i++)
		mapped += guest->ranges[i];
	fl_fs_device_get_stats(guest->dev, &stats);
	FUZZ_CHECK(stats.inodes == guest->node_count);
	FUZZ_CHECK(stats.handles == guest->handle_count);
	if (guest->window)
		fl_window_get_stats(guest->window, &window);
	FUZZ_CHECK(window.ranges_mapped == mapped);
}

/* ---- requests that change it without an answer, or whatever the answer ---- */

/* Bytes of arguments that the server may use; false: it takes the request for malformed, or read more than we know. */
static bool accepts(struct done *done, uint64_t least, uint64_t *args_len)
{
	const struct fuse_in_header *sent = &done->sent;
	uint64_t extensions = (uint64_t)sent->total_extlen * 8;

	if (sent->len > done->slot->in_len && sent->len <= done->slot->in_len + done->slot->data_len)
		done->guest->unsure = true;
	if (extensions && done->guest->as_users) /* which are looked at then, and refused if they make no sense */
		done->guest->unsure = true;
	if (sent->len < sizeof(*sent) || sent->len > done->slot->in_len || extensions > sent->len - sizeof(*sent))
		return false;
	*args_len = sent->len - sizeof(*sent) - extensions;
	return *args_len >= least;
}

static void apply_batch_forget(struct done *done)
{
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one;
	uint64_t args_len;

	if (!accepts(done, sizeof(in), &args_len))
		return;
	memcpy(&in, done->args, sizeof(in));
	for (uint64_t i = 0; i < in.count && (i + 1) * sizeof(one) <= args_len - sizeof(in); i++) {
		memcpy(&one, done->args + sizeof(in) + i * sizeof(one), sizeof(one));
		forget(done->guest, one.nodeid, one.nlookup);
	}
}

static void apply_forget(struct done *done)
{
	struct fuse_forget_in in;
	uint64_t args_len;

	if (!accepts(done, sizeof(in), &args_len))
		return;
	memcpy(&in, done->args, sizeof(in));
	forget(done->guest, done->sent.nodeid, in.nlookup);
}

/* All that are good, even if others among them are not. */
static void apply_removemapping(struct done *done)
{
	struct fuse_removemapping_one one;
	uint64_t args_len;
	uint32_t count;

	if (!accepts(done, sizeof(count), &args_len))
		return;
	memcpy(&count, done->args, sizeof(count));
	if (!count || args_len - sizeof(count) != (uint64_t)count * sizeof(one))
		return;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(&one, done->args + sizeof(count) + i * sizeof(one), sizeof(one));
		FUZZ_CHECK(done->header.error || is_range(one.moffset, one.len));
		if (is_range(one.moffset, one.len))
			set_ranges(done->guest, one.moffset, one.len, false);
	}
}

/* ---- replies without an error ---- */

static uint32_t type_of(struct done *done, uint64_t nodeid)
{
	const struct node *node = fs_guest_find_node(done->guest, nodeid);

	return nodeid == FUSE_ROOT_ID ? S_IFDIR : node ? node->type : 0;
}

/* May this request have succeeded? */
static void check_success(struct done *done)
{
	uint32_t opcode = done->sent.opcode;
	const struct open_file *file;
	uint64_t fh;

	FUZZ_CHECK(!done->slot->escapes);
	if (done->guest->unsure || is_of(opcode, NEEDS_NOTHING))
		return;
	if (done->guest->overtaken && is_of(opcode, FLIES))
		return;
	if (is_of(opcode, NEEDS_HANDLE)) {
		memcpy(&fh, done->args, sizeof(fh));
		file = find_handle(done->guest, fh);
		FUZZ_CHECK(file && file->nodeid == done->sent.nodeid);
		FUZZ_CHECK(file->is_directory == is_of(opcode, NEEDS_DIRECTORY_HANDLE));
		return;
	}
	FUZZ_CHECK(type_of(done, done->sent.nodeid));
	FUZZ_CHECK(!is_of(opcode, NEEDS_DIRECTORY) || type_of(done, done->sent.nodeid) == S_IFDIR);
	FUZZ_CHECK(opcode != FUSE_READLINK || type_of(done, done->sent.nodeid) == S_IFLNK);
	FUZZ_CHECK(opcode != FUSE_SETUPMAPPING || type_of(done, done->sent.nodeid) == S_IFREG);
	FUZZ_CHECK(opcode != FUSE_OPEN || type_of(done, done->sent.nodeid) == S_IFREG);
}

/* Made by a user, owned by that user. */
static void check_owner(const struct done *done, const struct fuse_entry_out *entry)
{
	if (done->guest->as_users && is_of(done->sent.opcode, MAKES) && !done->slot->spoiled)
		FUZZ_CHECK(entry->attr.uid == done->sent.uid);
}

static void take_entry(struct done *done)
{
	struct fuse_entry_out entry;
	struct fuse_open_out open;

	FUZZ_CHECK(done->body_len >= sizeof(entry));
	memcpy(&entry, done->body, sizeof(entry));
	FUZZ_CHECK(entry.nodeid || done->sent.opcode == FUSE_LOOKUP);
	learn(done->guest, &entry);
	check_owner(done, &entry);
	if (done->sent.opcode != FUSE_CREATE && done->sent.opcode != FUSE_TMPFILE) {
		FUZZ_CHECK(done->body_len == sizeof(entry));
		return;
	}
	FUZZ_CHECK(done->body_len == sizeof(entry) + sizeof(open) && S_ISREG(entry.attr.mode));
	memcpy(&open, done->body + sizeof(entry), sizeof(open));
	add_handle(done->guest, open.fh, entry.nodeid, false);
}

static void take_open(struct done *done)
{
	struct fuse_open_out open;

	FUZZ_CHECK(done->body_len == sizeof(open));
	memcpy(&open, done->body, sizeof(open));
	add_handle(done->guest, open.fh, done->sent.nodeid, done->sent.opcode == FUSE_OPENDIR);
}

static void take_release(struct done *done)
{
	struct open_file *file;
	uint64_t fh;

	memcpy(&fh, done->args, sizeof(fh));
	file = find_handle(done->guest, fh);
	if (!file)
		return;
	*file = done->guest->handles[--done->guest->handle_count];
	done->guest->overtaken = true;
}

static void take_entries(struct done *done, size_t fixed_len)
{
	for (uint32_t at_byte = 0; at_byte < done->body_len;) {
		const uint8_t *record = done->body + at_byte;
		struct fuse_entry_out entry;
		struct fuse_dirent dirent;

		FUZZ_CHECK(done->body_len - at_byte >= fixed_len);
		memcpy(&dirent, record + fixed_len - FUSE_NAME_OFFSET, FUSE_NAME_OFFSET);
		FUZZ_CHECK(dirent.namelen && dirent.namelen <= 255);
		FUZZ_CHECK(!memchr(record + fixed_len, '/', dirent.namelen));
		at_byte += (uint32_t)FUSE_REC_ALIGN(fixed_len + dirent.namelen);
		FUZZ_CHECK(at_byte <= done->body_len);
		if (fixed_len == FUSE_NAME_OFFSET)
			continue;
		memcpy(&entry, record, sizeof(entry));
		learn(done->guest, &entry);
	}
}

static void take_mapping(struct done *done)
{
	struct fuse_setupmapping_in in;

	memcpy(&in, done->args, sizeof(in));
	FUZZ_CHECK(done->guest->window && is_range(in.moffset, in.len));
	FUZZ_CHECK(fl_is_aligned(in.foffset, FL_RANGE_LEN) && fl_range_fits(in.foffset, in.len, INT64_MAX));
	set_ranges(done->guest, in.moffset, in.len, true);
}

static void take_success(struct done *done)
{
	uint32_t opcode = done->sent.opcode;

	if (done->slot->spoiled && done->sent.len > done->slot->in_len) {
		done->guest->unsure |= is_of(opcode, CHANGES_TABLES);
		return;
	}
	check_success(done);
	if (is_of(opcode, GIVES_ENTRY))
		take_entry(done);
	else if (opcode == FUSE_OPEN || opcode == FUSE_OPENDIR)
		take_open(done);
	else if (opcode == FUSE_RELEASE || opcode == FUSE_RELEASEDIR)
		take_release(done);
	else if (opcode == FUSE_READDIR)
		take_entries(done, FUSE_NAME_OFFSET);
	else if (opcode == FUSE_READDIRPLUS)
		take_entries(done, FUSE_NAME_OFFSET_DIRENTPLUS);
	else if (opcode == FUSE_SETUPMAPPING)
		take_mapping(done);
	else if (opcode == FUSE_INIT || opcode == FUSE_DESTROY)
		fs_reply_forget_all(done->guest);
}

/* ---- all of them ---- */

static void check_reply(struct done *done, uint32_t used_len)
{
	const struct slot *slot = done->slot;
	const uint8_t *out = at(&done->guest->guest, slot->out);

	FUZZ_CHECK(done->header.len == used_len && done->header.unique == done->sent.unique);
	FUZZ_CHECK(done->header.error <= 0 && done->header.error > -511);
	FUZZ_CHECK(!done->header.error || used_len == sizeof(done->header));
	/* the guest would never ask again; or ask for ever, see op_dax.c */
	FUZZ_CHECK(done->header.error != -ENOSYS || done->sent.opcode > FL_FUSE_OPCODE_MAX ||
		   !is_of(done->sent.opcode, CHANGES_TABLES | NEEDS_HANDLE | NEEDS_DIRECTORY));
	FUZZ_CHECK(done->sent.opcode != FUSE_SETUPMAPPING ||
		   (done->header.error != -EAGAIN && done->header.error != -ENOMEM));
	for (uint64_t i = slot->room; i < OUT_LEN; i++)
		FUZZ_CHECK(out[i] == 0x5a);
}

static void take_no_reply(struct done *done)
{
	const struct slot *slot = done->slot;
	uint32_t opcode = done->sent.opcode;

	FUZZ_CHECK(is_of(opcode, ONE_WAY) || slot->room < sizeof(done->header) || slot->out_in_window);
	if (opcode == FUSE_FORGET)
		apply_forget(done);
	else if (opcode == FUSE_BATCH_FORGET)
		apply_batch_forget(done);
	else if (slot->room >= sizeof(done->header) && is_of(opcode, CHANGES_TABLES))
		done->guest->unsure = true;
}

static void take_reply(struct done *done, uint32_t used_len)
{
	const struct slot *slot = done->slot;
	uint32_t opcode = done->sent.opcode;

	FUZZ_CHECK(!is_of(opcode, ONE_WAY));
	FUZZ_CHECK(used_len >= sizeof(done->header) && used_len <= slot->room);
	/* what lies there may have been overwritten, or unmapped, by now */
	if (slot->out_in_window) {
		done->guest->unsure |= is_of(opcode, CHANGES_TABLES);
		return;
	}
	memcpy(&done->header, at(&done->guest->guest, slot->out), sizeof(done->header));
	check_reply(done, used_len);
	done->body = (const uint8_t *)at(&done->guest->guest, slot->out) + sizeof(done->header);
	done->body_len = used_len - (uint32_t)sizeof(done->header);
	fuzz_digest(&done->guest->digest, (uint64_t)(int64_t)done->header.error);
	if (!done->header.error)
		take_success(done);
	if (opcode == FUSE_REMOVEMAPPING)
		apply_removemapping(done);
	/* a major or minor that is too old: refused, but all that was before is gone */
	if (opcode == FUSE_INIT && done->header.error == -EPROTO)
		fs_reply_forget_all(done->guest);
}

static void take_one(struct fs_guest *guest, unsigned int queue, uint32_t id, uint32_t used_len)
{
	struct slot *slot = &guest->slots[id / SLOT_DESCS];
	struct done done = {.guest = guest, .slot = slot};
	const uint8_t *bytes;

	FUZZ_CHECK(id % SLOT_DESCS == 0 && id / SLOT_DESCS < SLOTS);
	FUZZ_CHECK(slot->busy && slot->queue == queue);
	bytes = at(&guest->guest, slot->in);
	memcpy(&done.sent, bytes, sizeof(done.sent));
	done.args = bytes + sizeof(done.sent);
	fuzz_digest(&guest->digest, (uint64_t)done.sent.opcode << 32 | used_len);
	if (used_len)
		take_reply(&done, used_len);
	else
		take_no_reply(&done);
	slot->busy = false;
}

void fs_reply_take_all(struct fs_guest *guest)
{
	uint32_t id, len;

	for (unsigned int queue = 0; queue < 2; queue++)
		while (take_used(&guest->queues[queue], &id, &len))
			take_one(guest, queue, id, len);
}
