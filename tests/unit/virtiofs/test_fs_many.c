/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory with 100,000 entries that is read while it changes: what stays comes exactly once, what comes or goes at
 * most once (readdir(3)), and every cookie leads back to where it was given. READDIR and READDIRPLUS come in turn, with
 * replies of one page, as from Linux. On a disk, where entries are in the order of a hash, there are fewer.
 */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ENTRIES		  100000u
#define ENTRIES_ON_DISK	  20000u
#define MARKS		  100u /* cookies that are returned to */
#define MARK_EACH	  64u
#define CHANGES_PER_REPLY 60u
#define REPLY_LEN	  4096u
#define NAME_BUF	  256
#define NUMBER_DIGITS	  6

struct mark {
	uint64_t cookie;
	unsigned int next; /* the first entry after it that stays */
};

struct many {
	struct rig *rig;
	char dir[64];
	int dir_fd;
	bool plus;	    /* of the last reply */
	unsigned int count; /* of the entries in the beginning */
	uint64_t fh;
	uint8_t seen[ENTRIES];	  /* by the name that it was made with */
	uint8_t renamed[ENTRIES]; /* by the name that it got */
	uint8_t fresh[ENTRIES];	  /* those that came */
	unsigned int strangers;
	unsigned int changed; /* entries, so far */
	unsigned int marks, until_mark;
	bool mark_waits; /* for the entry after it */
	struct mark mark[MARKS];
};

/* Of the entries that were there in the beginning, half stay: the others go, or get another name. */
static bool stays(unsigned int number)
{
	return number % 2 == 0;
}

static bool is_renamed(unsigned int number)
{
	return number % 4 == 1;
}

/* A letter and the number, and then: nothing, what is no UTF-8, or as much as a name may have. */
static void entry_name(char letter, unsigned int number, char name[NAME_BUF])
{
	int len = snprintf(name, NAME_BUF, "%c%0*u", letter, NUMBER_DIGITS, number);

	if (number % 10 < 6)
		return;
	if (number % 10 < 8) {
		strcpy(name + len, "\xff\xfe\x80 \n\xc3(");
		return;
	}
	memset(name + len, 0x80 + (int)(number % 100), 255 - (size_t)len);
	name[255] = '\0';
}

static void make_entry(const struct many *many, char letter, unsigned int number)
{
	char name[NAME_BUF];

	entry_name(letter, number, name);
	assert_int_equal(mknodat(many->dir_fd, name, S_IFREG | 0644, 0), 0);
}

/* rig->fs with another directory for its root */
static void serve(struct many *many)
{
	struct fl_fs_opts opts = {.root_fd = many->dir_fd, .writable = true, .attr_timeout_ms = 1000};

	many->rig = rig_new(0);
	fl_fs_free(many->rig->fs);
	assert_int_equal(fl_fs_new(&opts, &many->rig->fs, NULL), 0);
	assert_int_equal(rig_init(many->rig, RIG_OFFER_ALL, NULL), 0);
	assert_int_equal(rig_opendir(many->rig, FUSE_ROOT_ID, &many->fh), 0);
}

static struct many *many_new(const char *where, unsigned int count)
{
	struct many *many = calloc(1, sizeof(*many));

	assert_non_null(many);
	many->count = count;
	snprintf(many->dir, sizeof(many->dir), "%s/fl-many.XXXXXX", where);
	if (!mkdtemp(many->dir)) {
		free(many);
		return NULL;
	}
	many->dir_fd = open(many->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(many->dir_fd >= 0);
	for (unsigned int i = 0; i < many->count; i++)
		make_entry(many, 'e', i);
	serve(many);
	return many;
}

static void many_free(struct many *many)
{
	char name[NAME_BUF];

	for (unsigned int i = 0; i < many->count; i++) {
		for (const char *letter = "ern"; *letter; letter++) {
			entry_name(*letter, i, name);
			(void)unlinkat(many->dir_fd, name, 0);
		}
	}
	assert_int_equal(rmdir(many->dir), 0);
	close(many->dir_fd);
	rig_free(many->rig);
	free(many);
}

/* All of its bytes must be right, not only the number. */
static void take_name(struct many *many, const char *name, size_t len, unsigned int *lasting)
{
	char copy[NAME_BUF], wanted[NAME_BUF];
	unsigned int number;

	assert_in_range(len, 1, 255);
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (!strcmp(copy, ".") || !strcmp(copy, ".."))
		return;
	if (sscanf(copy + 1, "%6u", &number) != 1 || number >= ENTRIES) {
		many->strangers++;
		return;
	}
	entry_name(copy[0], number, wanted);
	many->strangers += strcmp(copy, wanted) != 0;
	if (copy[0] == 'e')
		many->seen[number]++;
	else if (copy[0] == 'r')
		many->renamed[number]++;
	else
		many->fresh[number]++;
	if (copy[0] == 'e' && stays(number))
		*lasting = number;
}

static uint64_t read_page(struct many *many, uint64_t cookie)
{
	struct fuse_read_in in = {.fh = many->fh, .offset = cookie, .size = REPLY_LEN};

	many->plus = !many->plus;
	rig_begin(many->rig, many->plus ? FUSE_READDIRPLUS : FUSE_READDIR, FUSE_ROOT_ID);
	rig_put(many->rig, &in, sizeof(in));
	assert_int_equal(rig_send(many->rig, sizeof(struct fuse_out_header) + REPLY_LEN), 0);
	return many->rig->body_len;
}

/* The entries of a reply (fs/fuse/readdir.c parse_dirfile()); returns the last cookie. */
static uint64_t take_page(struct many *many, bool with_marks)
{
	const struct rig *rig = many->rig;
	size_t fixed = many->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	struct fuse_dirent dirent = {0};

	for (size_t at = 0; at < rig->body_len; at += FUSE_REC_ALIGN(fixed + dirent.namelen)) {
		unsigned int lasting = ENTRIES;

		assert_true(at + fixed <= rig->body_len);
		memcpy(&dirent, rig->body + at + fixed - FUSE_NAME_OFFSET, FUSE_NAME_OFFSET);
		assert_true(at + fixed + dirent.namelen <= rig->body_len);
		take_name(many, (const char *)rig->body + at + fixed, dirent.namelen, &lasting);
		if (many->mark_waits && lasting < ENTRIES) {
			many->mark[many->marks++].next = lasting;
			many->mark_waits = false;
		}
		if (with_marks && !many->mark_waits && many->marks < MARKS && many->until_mark++ % MARK_EACH == 0) {
			many->mark[many->marks].cookie = dirent.off;
			many->mark_waits = true;
		}
	}
	return dirent.off;
}

/* Entries all over the directory, before and behind the place where the reader is. */
static void change_directory(struct many *many)
{
	char from[NAME_BUF], to[NAME_BUF];

	for (unsigned int i = 0; i < CHANGES_PER_REPLY && many->changed < many->count; i++, many->changed++) {
		/* 77777 has no divisor in common with the count: each number comes once */
		unsigned int number = (unsigned int)((uint64_t)many->changed * 77777 % many->count);

		if (stays(number)) {
			make_entry(many, 'n', number);
			continue;
		}
		entry_name('e', number, from);
		entry_name('r', number, to);
		if (is_renamed(number))
			assert_int_equal(renameat(many->dir_fd, from, many->dir_fd, to), 0);
		else
			assert_int_equal(unlinkat(many->dir_fd, from, 0), 0);
	}
}

static void assert_each_once(const struct many *many)
{
	unsigned int missing = 0, twice = 0;

	for (unsigned int i = 0; i < many->count; i++) {
		missing += stays(i) && !many->seen[i];
		twice += many->seen[i] > 1 || many->renamed[i] > 1 || many->fresh[i] > 1;
	}
	assert_int_equal(missing, 0);
	assert_int_equal(twice, 0);
	assert_int_equal(many->strangers, 0);
}

static void assert_cookies_lead_back(struct many *many)
{
	assert_int_equal(many->marks, MARKS);
	for (unsigned int i = 0; i < MARKS; i++) {
		/* from the end to the beginning, from the beginning to the end, and so on */
		const struct mark *mark = &many->mark[i % 2 ? i : MARKS - 1 - i];
		uint64_t cookie = mark->cookie;

		memset(many->seen, 0, sizeof(many->seen));
		/* the next one that stays is the one that was it then; how much has come in between is not known */
		for (many->marks = 0, many->mark_waits = true; many->mark_waits;) {
			struct mark found = many->mark[0];

			assert_true(read_page(many, cookie) > 0);
			cookie = take_page(many, false);
			if (many->mark_waits)
				continue;
			unsigned int next = many->mark[0].next;

			many->mark[0] = found;
			assert_int_equal(next, mark->next);
		}
	}
}

static void read_while_it_changes(const char *where, unsigned int count)
{
	struct many *many = many_new(where, count);
	uint64_t cookie = 0;

	if (!many)
		SKIP_FOR("no directory can be made in %s", where);
	while (read_page(many, cookie)) {
		cookie = take_page(many, true);
		change_directory(many);
	}
	/* it did change all the time */
	assert_true(many->changed > many->count / 4);
	assert_each_once(many);
	assert_cookies_lead_back(many);
	many_free(many);
}

static void entries_in_memory(void **state)
{
	(void)state;
	read_while_it_changes("/dev/shm", ENTRIES);
}

static void entries_on_the_disk(void **state)
{
	(void)state;
	read_while_it_changes("/tmp", ENTRIES_ON_DISK);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(entries_in_memory),
	cmocka_unit_test(entries_on_the_disk),
};
FL_TEST_MAIN(60, tests)
