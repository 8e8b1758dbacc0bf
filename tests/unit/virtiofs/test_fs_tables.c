/* SPDX-License-Identifier: Apache-2.0 */
/* Lifetimes of nodeids and handles, on the tables alone. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "virtiofs/handle_table.h"
#include "virtiofs/inode_table.h"

static int some_fd(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void table_init(struct fl_inode_table *table, uint32_t max)
{
	const struct fl_inode_key root = {.dev = 1, .ino = 2, .mnt_id = 3};

	assert_int_equal(fl_inode_table_init(table, max, max + 1000, some_fd(), &root), 0);
}

static struct fl_inode *learn(struct fl_inode_table *table, uint64_t ino, int fd)
{
	const struct fl_inode_key key = {.dev = 1, .ino = ino, .mnt_id = 3};
	struct fl_inode *inode;

	assert_int_equal(fl_inode_learn(table, &key, S_IFREG, fd, &inode), 0);
	return inode;
}

static void one_inode_has_one_nodeid(void **state)
{
	struct fl_inode_table table;
	struct fl_inode *first;
	int second_fd = some_fd();

	(void)state;
	table_init(&table, 10);
	first = learn(&table, 77, some_fd());
	assert_ptr_equal(learn(&table, 77, second_fd), first);
	assert_false(is_open(second_fd));
	assert_int_equal(first->nlookup, 2);
	fl_inode_table_fini(&table);
}

static void device_and_mount_tell_inodes_apart(void **state)
{
	const struct fl_inode_key other_dev = {.dev = 9, .ino = 77, .mnt_id = 3};
	const struct fl_inode_key other_mount = {.dev = 1, .ino = 77, .mnt_id = 4};
	struct fl_inode_table table;
	struct fl_inode *a, *b, *c;

	(void)state;
	table_init(&table, 10);
	a = learn(&table, 77, some_fd());
	assert_int_equal(fl_inode_learn(&table, &other_dev, S_IFREG, some_fd(), &b), 0);
	assert_int_equal(fl_inode_learn(&table, &other_mount, S_IFREG, some_fd(), &c), 0);
	assert_true(a->nodeid != b->nodeid && b->nodeid != c->nodeid && a->nodeid != c->nodeid);
	fl_inode_table_fini(&table);
}

static void forgetting_all_closes_it(void **state)
{
	struct fl_inode_table table;
	int fd = some_fd();
	uint64_t nodeid;

	(void)state;
	table_init(&table, 10);
	nodeid = learn(&table, 5, fd)->nodeid;
	learn(&table, 5, some_fd());
	assert_true(fl_inode_forget(&table, nodeid, 1));
	assert_true(is_open(fd));
	assert_true(fl_inode_forget(&table, nodeid, 1));
	assert_false(is_open(fd));
	assert_null(fl_inode_get(&table, nodeid));
	fl_inode_table_fini(&table);
}

static void forgetting_too_much_is_noticed_and_harmless(void **state)
{
	struct fl_inode_table table;
	uint64_t nodeid;

	(void)state;
	table_init(&table, 10);
	nodeid = learn(&table, 5, some_fd())->nodeid;
	assert_false(fl_inode_forget(&table, nodeid, UINT64_MAX));
	assert_null(fl_inode_get(&table, nodeid));
	assert_false(fl_inode_forget(&table, nodeid, 1));
	assert_false(fl_inode_forget(&table, 0, 1));
	assert_false(fl_inode_forget(&table, UINT64_MAX, 1));
	fl_inode_table_fini(&table);
}

static void nlookup_does_not_wrap(void **state)
{
	struct fl_inode_table table;
	struct fl_inode *inode;
	uint64_t nodeid;

	(void)state;
	table_init(&table, 10);
	inode = learn(&table, 5, some_fd());
	nodeid = inode->nodeid;
	inode->nlookup = UINT64_MAX;
	learn(&table, 5, some_fd());
	assert_int_equal(inode->nlookup, UINT64_MAX);
	assert_true(fl_inode_forget(&table, nodeid, UINT64_MAX - 1));
	assert_non_null(fl_inode_get(&table, nodeid));
	fl_inode_put(&table, inode);
	fl_inode_table_fini(&table);
}

/* A FORGET that overtakes an operation in flight. */
static void what_is_in_use_survives_its_forget(void **state)
{
	struct fl_inode_table table;
	struct fl_inode *held;
	int fd = some_fd();
	uint64_t nodeid;

	(void)state;
	table_init(&table, 10);
	nodeid = learn(&table, 5, fd)->nodeid;
	held = fl_inode_get(&table, nodeid);
	assert_true(fl_inode_forget(&table, nodeid, 1));
	assert_null(fl_inode_get(&table, nodeid));
	assert_true(is_open(held->fd));
	/* learnt again meanwhile: another number, since the old one is dead for the guest */
	assert_true(learn(&table, 5, some_fd())->nodeid != nodeid);
	fl_inode_put(&table, held);
	assert_false(is_open(fd));
	fl_inode_table_fini(&table);
}

static void the_root_stays(void **state)
{
	struct fl_inode_table table;
	struct fl_inode *root;

	(void)state;
	table_init(&table, 10);
	assert_true(fl_inode_forget(&table, FUSE_ROOT_ID, UINT64_MAX));
	fl_inode_forget_all(&table);
	root = fl_inode_get(&table, FUSE_ROOT_ID);
	assert_non_null(root);
	assert_true(is_open(root->fd));
	fl_inode_put(&table, root);
	fl_inode_table_fini(&table);
}

static void a_used_slot_gets_a_new_generation(void **state)
{
	struct fl_inode_table table;
	uint64_t old_id, new_id;

	(void)state;
	table_init(&table, 1);
	old_id = learn(&table, 5, some_fd())->nodeid;
	assert_true(fl_inode_forget(&table, old_id, 1));
	new_id = learn(&table, 6, some_fd())->nodeid;
	assert_int_equal((uint32_t)new_id, (uint32_t)old_id);
	assert_int_equal(new_id >> 32, (old_id >> 32) + 1);
	assert_null(fl_inode_get(&table, old_id));
	fl_inode_table_fini(&table);
}

static void no_nodeid_is_reserved_and_none_comes_twice(void **state)
{
	enum { COUNT = 600 };
	struct fl_inode_table table;
	uint64_t last = 0;

	(void)state;
	table_init(&table, COUNT);
	for (uint64_t i = 0; i < COUNT; i++) {
		/* sequential slots in a fresh table: a growing number cannot repeat */
		uint64_t nodeid = learn(&table, 100 + i, dup(0))->nodeid;

		assert_true(nodeid > FUSE_ROOT_ID && nodeid > last);
		last = nodeid;
	}
	for (uint64_t i = 0; i < COUNT; i++) {
		int fd = some_fd();

		learn(&table, 100 + i, fd);
		assert_false(is_open(fd)); /* known: found in the grown hash table */
	}
	assert_int_equal(table.slots.used, COUNT);
	fl_inode_table_fini(&table);
}

static void a_full_table_says_so(void **state)
{
	const struct fl_inode_key key = {.dev = 1, .ino = 8, .mnt_id = 3};
	struct fl_inode_table table;
	struct fl_inode *inode;
	int fd = some_fd();

	(void)state;
	table_init(&table, 2);
	learn(&table, 5, some_fd());
	learn(&table, 6, some_fd());
	assert_int_equal(fl_inode_learn(&table, &key, S_IFREG, fd, &inode), -ENFILE);
	assert_false(is_open(fd));
	learn(&table, 6, some_fd()); /* a known one needs no room */
	fl_inode_table_fini(&table);
}

static void handles_belong_to_their_nodeid_and_kind(void **state)
{
	struct fl_handle handle = {.fd = some_fd(), .kind = FL_HANDLE_FILE, .nodeid = 42};
	struct fl_handle_table table;
	uint64_t fh;

	(void)state;
	fl_handle_table_init(&table, 4);
	assert_int_equal(fl_handle_add(&table, &handle, &fh), 0);
	assert_non_null(fl_handle_find(&table, fh, 42, FL_HANDLE_FILE));
	assert_null(fl_handle_find(&table, fh, 43, FL_HANDLE_FILE));
	assert_null(fl_handle_find(&table, fh, 42, FL_HANDLE_DIR));
	assert_null(fl_handle_find(&table, fh + (UINT64_C(1) << 32), 42, FL_HANDLE_FILE));
	assert_null(fl_handle_find(&table, UINT64_MAX, 42, FL_HANDLE_FILE));
	assert_null(fl_handle_find(&table, 0, 42, FL_HANDLE_FILE));
	fl_handle_close(&table, fh);
	assert_false(is_open(handle.fd));
	assert_null(fl_handle_find(&table, fh, 42, FL_HANDLE_FILE));
	fl_handle_close(&table, fh);
	fl_handle_table_fini(&table);
}

static void too_many_handles_are_refused(void **state)
{
	struct fl_handle_table table;
	struct fl_handle handle = {.kind = FL_HANDLE_FILE};
	int fds[3];
	uint64_t fh;

	(void)state;
	fl_handle_table_init(&table, 2);
	for (int i = 0; i < 3; i++) {
		fds[i] = some_fd();
		handle.fd = fds[i];
		assert_int_equal(fl_handle_add(&table, &handle, &fh), i < 2 ? 0 : -ENFILE);
	}
	assert_false(is_open(fds[2]));
	fl_handle_close_all(&table);
	assert_false(is_open(fds[0]));
	assert_false(is_open(fds[1]));
	fl_handle_table_fini(&table);
}

static void a_handle_in_use_stays_open(void **state)
{
	struct fl_handle handle = {.fd = some_fd(), .kind = FL_HANDLE_FILE, .nodeid = 42};
	struct fl_handle_table table;
	struct fl_handle *found;
	uint64_t fh;

	(void)state;
	fl_handle_table_init(&table, 4);
	assert_int_equal(fl_handle_add(&table, &handle, &fh), 0);
	found = fl_handle_find(&table, fh, 42, FL_HANDLE_FILE);
	fl_handle_get(found);
	fl_handle_get(found);
	fl_handle_close(&table, fh);
	assert_null(fl_handle_find(&table, fh, 42, FL_HANDLE_FILE));
	fl_handle_put(found);
	assert_true(is_open(handle.fd));
	fl_handle_put(found);
	assert_false(is_open(handle.fd));
	fl_handle_get(NULL);
	fl_handle_put(NULL);
	fl_handle_table_fini(&table);
}

/* However many directories are open, what is read ahead of them stays within bounds; the one unused for longest goes.
 */
static void few_directories_are_read_ahead(void **state)
{
	const unsigned int count = FL_DIR_STREAMS_MAX + 10;
	struct fl_handle handle = {.fd = -1, .kind = FL_HANDLE_DIR, .nodeid = 42};
	struct fl_handle **handles = calloc(count, sizeof(struct fl_handle *));
	uint64_t *fhs = calloc(count, sizeof(*fhs));
	struct fl_handle_table table;
	unsigned int with_stream = 0;

	(void)state;
	fl_handle_table_init(&table, count);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(fl_handle_add(&table, &handle, &fhs[i]), 0);
		handles[i] = fl_handle_find(&table, fhs[i], 42, FL_HANDLE_DIR);
		assert_int_equal(fl_handle_use_stream(&table, handles[i]), 0);
		/* the first is used all the time */
		assert_int_equal(fl_handle_use_stream(&table, handles[0]), 0);
		assert_non_null(handles[i]->dir);
	}
	for (unsigned int i = 0; i < count; i++)
		with_stream += handles[i]->dir != NULL;
	assert_int_equal(with_stream, 4096);
	assert_non_null(handles[0]->dir);
	for (unsigned int i = 1; i <= 10; i++)
		assert_null(handles[i]->dir);
	/* what is closed makes room */
	fl_handle_close(&table, fhs[0]);
	assert_int_equal(fl_handle_use_stream(&table, handles[1]), 0);
	assert_non_null(handles[11]->dir);
	assert_int_equal(handles[1]->dir->next_off, 0);
	assert_int_equal(handles[1]->dir->len, 0);
	fl_handle_table_fini(&table);
	free(handles);
	free(fhs);
}

/* A memfd is a file of the kernel's own tmpfs, /proc is nothing special; no such mount is known as the fourth. */
static void what_files_are_kept_in_is_known(void **state)
{
	struct fl_inode in_memory = {.key.mnt_id = 4}, elsewhere = {.key.mnt_id = 5}, nowhere = {.key.mnt_id = 6};
	struct fl_inode unnamed = {.key.mnt_id = 7};
	struct fl_inode_table table;

	(void)state;
	table_init(&table, 10);
	assert_int_equal(fl_inode_table_add_mount(&table, 4, memfd_create("memory", MFD_CLOEXEC)), 0);
	assert_int_equal(fl_inode_table_add_mount(&table, 5, open("/proc/self/status", O_RDONLY | O_CLOEXEC)), 0);
	assert_int_equal(fl_inode_table_add_mount(&table, 6, -1), 0);
	assert_int_equal(fl_inode_storage(&table, &in_memory), FL_STORAGE_MEMORY);
	assert_int_equal(fl_inode_storage(&table, &elsewhere), FL_STORAGE_OTHER);
	assert_int_equal(fl_inode_storage(&table, &nowhere), FL_STORAGE_OTHER);
	assert_int_equal(fl_inode_storage(&table, &unnamed), FL_STORAGE_OTHER);
	fl_inode_table_fini(&table);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_inode_has_one_nodeid),
	cmocka_unit_test(device_and_mount_tell_inodes_apart),
	cmocka_unit_test(forgetting_all_closes_it),
	cmocka_unit_test(forgetting_too_much_is_noticed_and_harmless),
	cmocka_unit_test(nlookup_does_not_wrap),
	cmocka_unit_test(what_is_in_use_survives_its_forget),
	cmocka_unit_test(the_root_stays),
	cmocka_unit_test(a_used_slot_gets_a_new_generation),
	cmocka_unit_test(no_nodeid_is_reserved_and_none_comes_twice),
	cmocka_unit_test(a_full_table_says_so),
	cmocka_unit_test(handles_belong_to_their_nodeid_and_kind),
	cmocka_unit_test(too_many_handles_are_refused),
	cmocka_unit_test(a_handle_in_use_stays_open),
	cmocka_unit_test(few_directories_are_read_ahead),
	cmocka_unit_test(what_files_are_kept_in_is_known),
};
FL_TEST_MAIN(20, tests)
