/* SPDX-License-Identifier: Apache-2.0 */
/* Shares: virtio 1.2, 5.11, and FUSE as include/uapi/linux/fuse.h has it. One request of a share at a time. */
#include "guest/small/small.h"

#include <linux/fuse.h>
#include <string.h>

#define REQUEST_QUEUE 1u
#define QUEUE_SIZE    16u
#define TAG_LEN	      36u
#define CONFIG	      0x100u
#define SHM_SEL	      (0x0ac / 4)
#define SHM_LEN	      (0x0b0 / 4)
#define SHM_BASE      (0x0b8 / 4)
#define SPIN_NS	      20000u
#define LOOK_NS	      100000u /* an interrupt ends a wait sooner */
#define NAME_MAX_LEN  255u

struct small_share {
	struct small_device *device;
	struct small_queue queue;
	struct small_window window;
	char tag[TAG_LEN + 1];
	char mount[SMALL_PATH_MAX];
	size_t mount_len; /* 0: at / */
	bool mounted;
	bool busy, abandoned; /* somebody has asked; and will not take the answer */
	const struct fl_actor_thread *asker;
	uint64_t requests;
	struct fuse_in_header in;
	struct fuse_out_header out;
};

static struct small_share shares[SMALL_SHARES_MAX];
static uint32_t shares_count;

struct small_window *small_window_of(struct small_share *share)
{
	return &share->window;
}

/* ---- requests ----------------------------------------------------------------------------- */

static bool has_answer(struct small_share *share)
{
	uint16_t first;
	uint32_t len;

	return small_queue_take(&share->queue, &first, &len);
}

static void wait_for_answer(struct small_share *share)
{
	uint64_t begin = fl_now_ns(CLOCK_MONOTONIC);

	while (!has_answer(share))
		if (fl_now_ns(CLOCK_MONOTONIC) - begin > SPIN_NS)
			small_give_way(LOOK_NS);
	share->busy = false;
}

static void send(struct small_share *share, const struct small_request *request)
{
	struct small_buffer chain[6] = {{.at = &share->in, .len = sizeof(share->in)}};
	uint32_t count = 1, writable = 0;

	share->in = (struct fuse_in_header){.len = sizeof(share->in),
					    .opcode = request->opcode,
					    .unique = ++share->requests,
					    .nodeid = request->node};
	for (uint32_t i = 0; i < 3; i++) {
		if (!request->in[i].len)
			continue;
		chain[count++] = request->in[i];
		share->in.len += request->in[i].len;
	}
	if (request->opcode != FUSE_FORGET) {
		chain[count + writable++] = (struct small_buffer){.at = &share->out, .len = sizeof(share->out)};
		if (request->out_len)
			chain[count + writable++] = (struct small_buffer){.at = request->out, .len = request->out_len};
	}
	small_queue_put(&share->queue, 0, chain, count, writable);
	small_queue_notify(&share->queue);
}

static bool is_free(struct small_share *share)
{
	if (share->abandoned && has_answer(share))
		share->busy = share->abandoned = false;
	return !share->busy;
}

void small_abandon(const struct fl_actor_thread *thread)
{
	for (uint32_t i = 0; i < shares_count; i++)
		if (shares[i].busy && shares[i].asker == thread)
			shares[i].abandoned = true;
}

int small_fuse(struct small_share *share, struct small_request *request)
{
	while (!is_free(share))
		small_give_way(LOOK_NS);
	share->busy = true;
	share->asker = small_current();
	share->out = (struct fuse_out_header){0};
	send(share, request);
	wait_for_answer(share);
	if (request->opcode == FUSE_FORGET)
		return 0;
	if (share->out.unique != share->requests || share->out.len < sizeof(share->out) ||
	    share->out.len - sizeof(share->out) > request->out_len)
		small_die("share %s answers what cannot be", share->tag);
	request->out_len = share->out.len - (uint32_t)sizeof(share->out);
	return share->out.error;
}

/* The answer is of one length. */
static int ask(struct small_share *share, struct small_request *request)
{
	uint32_t wanted = request->out_len;
	int error = small_fuse(share, request);

	if (!error && request->out_len != wanted)
		small_die("share %s answers too little", share->tag);
	return error;
}

void small_forget(struct small_share *share, uint64_t node)
{
	struct fuse_forget_in in = {.nlookup = 1};
	struct small_request request = {.opcode = FUSE_FORGET, .node = node, .in = {{&in, sizeof(in)}}};

	if (node != FUSE_ROOT_ID)
		(void)small_fuse(share, &request);
}

/* When there are no actors any more. */
bool small_shares_are_idle(void)
{
	bool idle = true;

	for (uint32_t i = 0; i < shares_count; i++) {
		shares[i].abandoned = shares[i].busy;
		idle &= is_free(&shares[i]);
	}
	return idle;
}

/* ---- paths -------------------------------------------------------------------------------- */

static int look_up(struct small_share *share, uint64_t dir, const char *name, size_t name_len,
		   struct fuse_entry_out *entry)
{
	char text[NAME_MAX_LEN + 1];
	struct small_request request = {.opcode = FUSE_LOOKUP,
					.node = dir,
					.in = {{text, (uint32_t)name_len + 1}},
					.out = entry,
					.out_len = sizeof(*entry)};

	if (name_len > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	memcpy(text, name, name_len);
	text[name_len] = '\0';
	int error = ask(share, &request);

	/* a node of 0 is a name that is not there, which may be believed for a time */
	return !error && !entry->nodeid ? -ENOENT : error;
}

static const char *skip_slashes(const char *at)
{
	while (*at == '/')
		at++;
	return at;
}

int small_walk(struct small_share *share, const char *rest, uint64_t *node, uint64_t *len, const char **last)
{
	struct fuse_entry_out entry = {.nodeid = FUSE_ROOT_ID};

	for (rest = skip_slashes(rest); *rest;) {
		const char *end = rest, *next;
		uint64_t dir = entry.nodeid;

		while (*end && *end != '/')
			end++;
		next = skip_slashes(end);
		if (last && !*next) {
			*last = rest;
			break;
		}
		int error = look_up(share, dir, rest, (size_t)(end - rest), &entry);

		small_forget(share, dir);
		if (error)
			return error;
		rest = next;
	}
	*node = entry.nodeid;
	*len = entry.attr.size;
	return 0;
}

/* The longest mount that the path is below. */
struct small_share *small_share_of(const char *path, const char **rest)
{
	struct small_share *found = NULL;

	for (uint32_t i = 0; i < shares_count; i++) {
		struct small_share *share = &shares[i];

		if (!share->mounted || (found && share->mount_len <= found->mount_len) ||
		    strlen(path) < share->mount_len || memcmp(path, share->mount, share->mount_len) != 0 ||
		    (path[share->mount_len] != '/' && path[share->mount_len]))
			continue;
		found = share;
		*rest = path + share->mount_len;
	}
	return found;
}

/* ---- beginning ---------------------------------------------------------------------------- */

static uint64_t read_pair(const struct small_device *device, uint32_t low)
{
	return device->regs[low] | (uint64_t)device->regs[low + 1] << 32;
}

static void say_init(struct small_share *share)
{
	struct fuse_init_in in = {.major = FUSE_KERNEL_VERSION,
				  .minor = FUSE_KERNEL_MINOR_VERSION,
				  .flags = FUSE_BIG_WRITES | FUSE_ATOMIC_O_TRUNC | FUSE_MAP_ALIGNMENT};
	struct fuse_init_out out;
	struct small_request request = {
		.opcode = FUSE_INIT, .in = {{&in, sizeof(in)}}, .out = &out, .out_len = sizeof(out)};
	int error = ask(share, &request);

	if (error)
		small_die("share %s cannot be had: error %d", share->tag, -error);
	if (!(out.flags & FUSE_MAP_ALIGNMENT) || UINT64_C(1) << out.map_alignment > FL_RANGE_LEN)
		small_die("share %s cannot be mapped", share->tag);
}

void small_share_init(struct small_device *device)
{
	struct small_share *share = &shares[shares_count];
	struct small_queue unused;

	if (shares_count++ == SMALL_SHARES_MAX)
		small_die("there are more than %u shares", SMALL_SHARES_MAX);
	share->device = device;
	small_virtio_begin(device, 0);
	for (uint32_t i = 0; i < TAG_LEN; i++)
		share->tag[i] = (char)((volatile uint8_t *)device->regs)[CONFIG + i];
	device->regs[SHM_SEL] = 0;
	uint64_t len = read_pair(device, SHM_LEN), gpa = read_pair(device, SHM_BASE);

	small_virtio_queue(device, 0, QUEUE_SIZE, &unused);
	small_virtio_queue(device, REQUEST_QUEUE, QUEUE_SIZE, &share->queue);
	small_virtio_go(device);
	if (len == UINT64_MAX)
		small_die("share %s has no window", share->tag);
	small_windows_init(share, gpa, len);
}

static unsigned int digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* What is no letter on the command line is written %xx. */
static size_t decode(const char *word, size_t len, char *text)
{
	size_t out = 0;

	for (size_t i = 0; i < len && out < SMALL_PATH_MAX - 1; i++)
		if (word[i] == '%' && len - i > 2) {
			text[out++] = (char)(digit(word[i + 1]) << 4 | digit(word[i + 2]));
			i += 2;
		} else {
			text[out++] = word[i];
		}
	text[out] = '\0';
	return out;
}

/* fl.share=TAG:/MOUNT */
static void mount(struct small_share *share)
{
	size_t tag_len = strlen(share->tag), len;
	const char *at = NULL, *word;

	while ((word = small_machine_word("fl.share", &at, &len)))
		if (len > tag_len && memcmp(word, share->tag, tag_len) == 0 && word[tag_len] == ':') {
			share->mount_len = decode(word + tag_len + 1, len - tag_len - 1, share->mount);
			while (share->mount_len && share->mount[share->mount_len - 1] == '/')
				share->mount_len--;
			share->mounted = true;
			say_init(share);
		}
}

void small_shares_mount(void)
{
	for (uint32_t i = 0; i < shares_count; i++)
		mount(&shares[i]);
}
