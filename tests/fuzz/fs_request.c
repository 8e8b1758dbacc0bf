/* SPDX-License-Identifier: Apache-2.0 */
#include "fs_guest.h"

#include <fcntl.h>

#include "fs_acl.h"
#include "virtiofs/fuse_wire.h"

/*
 * The fields of a request, in their order (linux/fuse.h):
 * h handle, d node, o offset, z size, 4 and 8 numbers of so many bytes, 0 four bytes of zero, f open flags, m mode,
 * L a multiple of 2 MiB, n name of an entry, t any text, x name of an attribute, b as many bytes as the last z said,
 * i what INIT says, k a count of what follows the *, v size of an attribute's value, w that value, a its name.
 */
struct form {
	uint32_t opcode;
	const char *fields;
};

static const struct form forms[] = {
	{FUSE_LOOKUP, "n"},
	{FUSE_FORGET, "8"},
	{FUSE_GETATTR, "40h"},
	{FUSE_SETATTR, "40ho8888444m0440"},
	{FUSE_READLINK, ""},
	{FUSE_SYMLINK, "nt"},
	{FUSE_MKNOD, "m440n"},
	{FUSE_MKDIR, "m4n"},
	{FUSE_UNLINK, "n"},
	{FUSE_RMDIR, "n"},
	{FUSE_RENAME, "dnn"},
	{FUSE_LINK, "dn"},
	{FUSE_OPEN, "f0"},
	{FUSE_READ, "hoz48f0"},
	{FUSE_WRITE, "hoz48f0b"},
	{FUSE_STATFS, ""},
	{FUSE_RELEASE, "hf48"},
	{FUSE_FSYNC, "h40"},
	{FUSE_SETXATTR, "z4xb"},
	{FUSE_GETXATTR, "z0x"},
	{FUSE_LISTXATTR, "z0"},
	{FUSE_REMOVEXATTR, "x"},
	{FUSE_FLUSH, "h408"},
	{FUSE_INIT, "i"},
	{FUSE_OPENDIR, "f0"},
	{FUSE_READDIR, "hoz48f0"},
	{FUSE_RELEASEDIR, "hf48"},
	{FUSE_FSYNCDIR, "h40"},
	{FUSE_ACCESS, "40"},
	{FUSE_CREATE, "fm44n"},
	{FUSE_INTERRUPT, "8"},
	{FUSE_DESTROY, ""},
	{FUSE_NOTIFY_REPLY, "z0b"},
	{FUSE_BATCH_FORGET, "k0*d8"},
	{FUSE_FALLOCATE, "hoo40"},
	{FUSE_READDIRPLUS, "hoz48f0"},
	{FUSE_RENAME2, "d40nn"},
	{FUSE_LSEEK, "ho40"},
	{FUSE_COPY_FILE_RANGE, "hodhoo8"},
	{FUSE_SETUPMAPPING, "hLL8L"},
	{FUSE_REMOVEMAPPING, "k*LL"},
	{FUSE_SYNCFS, "8"},
	{FUSE_TMPFILE, "fm44t"},
	{FL_FUSE_STATX, "40h44"},
	/* what was added later, so that older inputs still say the same */
	{FUSE_IOCTL, "h448z4b"},
	{FUSE_SETXATTR, "v440aw"}, /* as FUSE_SETXATTR_EXT has it */
};
#define FORMS_FIRST 44u
#define FORMS_LATER 244u /* the number that chooses the first of those */

static const char long_name[300] = {[0 ... 298] = 'x'};

/* The first of them are names; what an entry cannot be called comes after NAMES_GOOD. */
static const char *const names[] = {
	"file",
	"big",
	"empty",
	"twin",
	"dir",
	"inner",
	"sub",
	"fifo",
	"out",
	"up",
	"abs",
	"a",
	"b",
	"c",
	"d",
	long_name + 44, /* 255 bytes */
	"\xff\xfe\x01",
	/* no names: */
	"",
	".",
	"..",
	"../victim",
	"../outside",
	"dir/inner",
	"/",
	"/etc/passwd",
	"a/..",
	"out/..",
	"abs/secret",
	"up/victim",
	"dir/",
	"./file",
	long_name /* 299 bytes */,
	long_name + 43 /* 256 bytes */,
};
#define NAMES_GOOD 17u

/* A request while it is put together. */
struct draft {
	struct fs_guest *guest;
	struct slot *slot;
	uint8_t *bytes; /* of the slot's memory */
	uint8_t how;
	uint32_t len;
	uint64_t size;	   /* the last z */
	uint64_t count;	   /* the last k */
	struct fs_acl acl; /* the last v, or empty */
	struct fuse_in_header header;
};

static void put(struct draft *draft, const void *bytes, size_t len)
{
	len = FL_MIN(len, (size_t)IN_LEN - draft->len);
	memcpy(draft->bytes + draft->len, bytes, len);
	draft->len += (uint32_t)len;
}

static void put_number(struct draft *draft, uint64_t value, unsigned int bytes)
{
	put(draft, &value, bytes); /* x86: little-endian, as the wire */
}

static uint64_t pick_node(struct fs_guest *guest)
{
	uint8_t which = fuzz_u8(&guest->in);

	if (which >= 240)
		return fuzz_number(&guest->in);
	return which < 64 || !guest->node_count ? FUSE_ROOT_ID : guest->nodes[which % guest->node_count].nodeid;
}

/* With its node, unless the two shall not match. */
static void put_handle(struct draft *draft)
{
	struct fs_guest *guest = draft->guest;
	uint8_t which = fuzz_u8(&guest->in);
	const struct open_file *file = &guest->handles[guest->handle_count ? which % guest->handle_count : 0];

	if (which >= 240 || !guest->handle_count) {
		put_number(draft, fuzz_number(&guest->in), 8);
		return;
	}
	if (!(draft->how & HOW_MISMATCH) && draft->len == sizeof(draft->header))
		draft->header.nodeid = file->nodeid;
	put_number(draft, file->fh, 8);
}

static uint64_t pick_offset(struct fuzz_input *in)
{
	static const uint64_t offsets[] = {0,
					   1,
					   100,
					   4095,
					   4096,
					   5000,
					   6000,
					   2u << 20,
					   (2u << 20) + 4096,
					   4u << 20,
					   (4u << 20) + 1,
					   INT64_MAX,
					   UINT64_MAX};
	uint8_t which = fuzz_u8(in);

	return which < 10 * FL_ARRAY_SIZE(offsets) ? offsets[which % FL_ARRAY_SIZE(offsets)] : fuzz_number(in);
}

static uint32_t pick_size(struct fuzz_input *in)
{
	static const uint32_t sizes[] = {0,	1,     16,    100,	4096,		8192,
					 16384, 65536, 65537, 1u << 20, (1u << 20) + 1, UINT32_MAX};
	uint8_t which = fuzz_u8(in);

	return which < 10 * FL_ARRAY_SIZE(sizes) ? sizes[which % FL_ARRAY_SIZE(sizes)] : (uint32_t)fuzz_number(in);
}

static uint32_t pick_open_flags(struct fuzz_input *in)
{
	static const int flags[] = {O_RDONLY,		O_RDWR,		 O_WRONLY,	    O_RDWR | O_TRUNC,
				    O_RDONLY | O_TRUNC, O_RDWR | O_EXCL, O_RDWR | O_APPEND, O_RDWR | O_DIRECT,
				    O_DIRECTORY,	O_PATH,		 O_RDWR | O_CREAT,  O_ACCMODE,
				    O_NOATIME,		O_RDWR | O_SYNC};
	uint8_t which = fuzz_u8(in);

	return which < 224 ? (uint32_t)flags[which % FL_ARRAY_SIZE(flags)] : fuzz_u32(in);
}

static uint32_t pick_mode(struct fuzz_input *in)
{
	static const uint32_t modes[] = {S_IFREG | 0644,  0755,		  S_IFIFO | 0600,
					 S_IFSOCK | 0600, S_IFCHR | 0600, S_IFBLK,
					 S_IFLNK | 0777,  07777,	  0};
	uint8_t which = fuzz_u8(in);

	return which < 224 ? modes[which % FL_ARRAY_SIZE(modes)] : fuzz_u32(in);
}

static uint64_t pick_range(struct fuzz_input *in)
{
	uint8_t which = fuzz_u8(in);

	return which < 224 ? (which % 6) * FL_RANGE_LEN : fuzz_number(in);
}

/* A string with its NUL, except where the input itself brings one without. */
static void put_text(struct draft *draft, bool is_name)
{
	struct fuzz_input *in = &draft->guest->in;
	uint8_t which = fuzz_u8(in);
	const char *text = names[which % FL_ARRAY_SIZE(names)];

	if (which >= 224) {
		for (unsigned int left = which - 224u; left; left--)
			put_number(draft, fuzz_u8(in), 1);
		return;
	}
	draft->slot->escapes |= is_name && which % FL_ARRAY_SIZE(names) >= NAMES_GOOD;
	put(draft, text, strlen(text) + 1);
}

static void put_attribute_name(struct draft *draft)
{
	static const char *const attributes[] = {
		"user.a", "user.b", "security.capability", "trusted.a", "system.posix_acl_access", "security.selinux",
		"user.",  ""};
	const char *text = attributes[fuzz_u8(&draft->guest->in) % FL_ARRAY_SIZE(attributes)];

	put(draft, text, strlen(text) + 1);
}

static void put_new_attribute_name(struct draft *draft)
{
	static const char *const attributes[] = {"system.posix_acl_access", "system.posix_acl_default", "user.a",
						 "user.b"};
	const char *text = attributes[fuzz_u8(&draft->guest->in) % FL_ARRAY_SIZE(attributes)];

	put(draft, text, strlen(text) + 1);
}

static void put_value_size(struct draft *draft)
{
	struct fuzz_input *in = &draft->guest->in;
	uint8_t which = fuzz_u8(in);

	draft->acl.len = 0;
	if (which < 192) {
		fs_acl_make(&draft->acl, which, (uint32_t)fuzz_take(in, 3));
		put_number(draft, draft->acl.len, 4);
		return;
	}
	draft->size = pick_size(in);
	put_number(draft, draft->size, 4);
}

static void put_value(struct draft *draft)
{
	if (draft->acl.len)
		put(draft, &draft->acl, draft->acl.len);
	else
		draft->slot->data_len = (uint32_t)FL_MIN(draft->size, BULK_LEN);
}

static void put_init(struct draft *draft)
{
	struct fuzz_input *in = &draft->guest->in;
	uint8_t which = fuzz_u8(in);
	struct fuse_init_in init = {.major = 7, .minor = 41, .flags = ~(1u << 31), .flags2 = ~0u};

	if (which & 1)
		init.major = (uint32_t)fuzz_number(in);
	if (which & 2)
		init.minor = (uint32_t)fuzz_number(in);
	if (which & 4)
		init.flags = fuzz_u32(in);
	put(draft, &init, which & 8 ? 16 : sizeof(init));
}

static void put_field(struct draft *draft, char field)
{
	struct fuzz_input *in = &draft->guest->in;

	switch (field) {
	case 'h':
		put_handle(draft);
		break;
	case 'd':
		put_number(draft, pick_node(draft->guest), 8);
		break;
	case 'o':
		put_number(draft, pick_offset(in), 8);
		break;
	case 'z':
		draft->size = pick_size(in);
		put_number(draft, draft->size, 4);
		break;
	case 'k':
		draft->count = fuzz_u8(in) % 6;
		put_number(draft, draft->how & HOW_MISMATCH ? fuzz_number(in) : draft->count, 4);
		break;
	case 'f':
		put_number(draft, pick_open_flags(in), 4);
		break;
	case 'm':
		put_number(draft, pick_mode(in), 4);
		break;
	case 'L':
		put_number(draft, pick_range(in), 8);
		break;
	case 'n':
	case 't':
		put_text(draft, field == 'n');
		break;
	case 'x':
		put_attribute_name(draft);
		break;
	case 'b':
		draft->slot->data_len = (uint32_t)FL_MIN(draft->size, BULK_LEN);
		break;
	case 'a':
		put_new_attribute_name(draft);
		break;
	case 'v':
		put_value_size(draft);
		break;
	case 'w':
		put_value(draft);
		break;
	case 'i':
		put_init(draft);
		break;
	case '0':
		put_number(draft, 0, 4);
		break;
	default:
		put_number(draft, fuzz_number(in), (unsigned int)(field - '0'));
	}
}

static void put_fields(struct draft *draft, const char *fields)
{
	const char *again = strchr(fields, '*');

	for (; *fields && *fields != '*'; fields++)
		put_field(draft, *fields);
	for (uint64_t i = 0; again && i < draft->count; i++)
		for (fields = again + 1; *fields; fields++)
			put_field(draft, *fields);
}

static void spoil(struct draft *draft)
{
	struct fuzz_input *in = &draft->guest->in;
	uint8_t which = fuzz_u8(in);

	draft->slot->spoiled = true;
	draft->slot->escapes = false; /* it may be read as something else */
	switch (which % 5) {
	case 0:
		draft->len = (uint32_t)(fuzz_u16(in) % (draft->len + 1));
		draft->header.len = draft->len;
		if (draft->len < sizeof(draft->header))
			draft->slot->data_len = 0; /* which would be the rest of a header that nobody knows */
		break;
	case 1:
		draft->header.len = (uint32_t)fuzz_number(in);
		break;
	case 2:
		draft->header.total_extlen = fuzz_u16(in);
		break;
	case 3:
		draft->header.opcode = (uint32_t)fuzz_number(in);
		break;
	default:
		draft->slot->data_len = (uint32_t)(fuzz_number(in) % BULK_LEN);
	}
}

/* Who asks: root, users of the host and nobody's ids. */
static void put_user(struct draft *draft)
{
	static const uint32_t ids[] = {0, 1, 1000, 1001, 65534, UINT32_MAX};
	uint8_t which = fuzz_u8(&draft->guest->in);

	draft->header.uid = ids[which % FL_ARRAY_SIZE(ids)];
	draft->header.gid = ids[which / FL_ARRAY_SIZE(ids) % FL_ARRAY_SIZE(ids)];
}

static bool creates(uint32_t opcode)
{
	return opcode == FUSE_SYMLINK || opcode == FUSE_MKNOD || opcode == FUSE_MKDIR || opcode == FUSE_CREATE ||
	       opcode == FUSE_TMPFILE;
}

/* Supplementary groups behind the arguments of what creates: one, as Linux sends them, or any number. */
static void put_groups(struct draft *draft)
{
	struct fuzz_input *in = &draft->guest->in;
	uint8_t which = fuzz_u8(in);
	uint32_t groups = which & 0x80 ? which >> 1 & 7u : 1;
	uint32_t size = (uint32_t)fl_align_up(UINT64_C(12) + UINT64_C(4) * groups, 8);

	if (!(which & 1))
		return;
	put_number(draft, size, 4);
	put_number(draft, FL_FUSE_EXT_GROUPS, 4);
	put_number(draft, which & 0x20 ? groups + 1 : groups, 4);
	for (uint32_t i = 3; i < size / 4; i++)
		put_number(draft, which & 0x40 ? fuzz_number(in) : 1000 + i, 4);
	draft->header.total_extlen = (uint16_t)(size / 8);
}

static struct slot *free_slot(struct fs_guest *guest)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (!guest->slots[i].busy)
			return &guest->slots[i];
	return NULL;
}

static uint32_t room_for(const struct draft *draft)
{
	uint32_t opcode = draft->header.opcode;

	if (draft->how & HOW_ROOM)
		return fuzz_u16(&draft->guest->in) % (OUT_LEN + 1);
	if (opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT)
		return 0;
	if (opcode == FUSE_READ && draft->size + 16 > OUT_LEN)
		return (uint32_t)(16 + FL_MIN(draft->size, BULK_LEN));
	return OUT_LEN;
}

static bool begin(struct draft *draft, struct fs_guest *guest, uint32_t opcode, uint8_t how)
{
	*draft = (struct draft){.guest = guest, .slot = free_slot(guest), .how = how, .len = sizeof(draft->header)};
	if (!draft->slot)
		return false;
	*draft->slot = (struct slot){.in = draft->slot->in, .out = draft->slot->out, .queue = how & HOW_HIPRIO ? 0 : 1};
	draft->bytes = at(&guest->guest, draft->slot->in);
	draft->header = (struct fuse_in_header){.opcode = opcode, .nodeid = FUSE_ROOT_ID, .unique = ++guest->unique};
	return true;
}

static void finish(struct draft *draft)
{
	struct slot *slot = draft->slot;

	draft->header.len = draft->len + slot->data_len;
	if (draft->how & HOW_MALFORMED)
		spoil(draft);
	memcpy(draft->bytes, &draft->header, sizeof(draft->header));
	slot->in_len = draft->len;
	slot->room = room_for(draft);
	slot->data_in_window = draft->how & HOW_DATA_WINDOW;
	slot->out_in_window = draft->how & HOW_OUT_WINDOW && slot->room;
	memset(at(&draft->guest->guest, slot->out), 0x5a, OUT_LEN);
	fs_chain_send(draft->guest, slot, draft->how);
}

static const struct form *form_for(uint8_t which)
{
	unsigned int later = FORMS_FIRST + which - FORMS_LATER;

	return &forms[which >= FORMS_LATER && later < FL_ARRAY_SIZE(forms) ? later : which % FORMS_FIRST];
}

uint8_t fs_request_send(struct fs_guest *guest, uint8_t which)
{
	const struct form *form = form_for(which);
	uint8_t how = fuzz_u8(&guest->in);
	struct draft draft;

	if (!begin(&draft, guest, form->opcode, how))
		return 0;
	draft.header.nodeid = pick_node(guest);
	if (guest->has_users)
		put_user(&draft);
	put_fields(&draft, form->fields);
	if (guest->has_users && creates(form->opcode))
		put_groups(&draft);
	finish(&draft);
	return how;
}

void fs_request_send_init(struct fs_guest *guest)
{
	struct fuse_init_in init = {.major = 7, .minor = 41, .flags = ~(1u << 31), .flags2 = ~0u};
	struct draft draft;

	if (!begin(&draft, guest, FUSE_INIT, 0))
		return;
	put(&draft, &init, sizeof(init));
	finish(&draft);
}
