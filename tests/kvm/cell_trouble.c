/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kvm/cell_trouble.h"

#include <fcntl.h>
#include <stdlib.h>

#define FULL_FS_LEN (2 * BAD_FILE_LEN)
#define FS_LEN	    (64 * BAD_FILE_LEN)
#define HOLE_LEN    UINT64_C(0x2000)

static bool in_box(void)
{
	return getenv("FAULTLINE_IN_BOX") != NULL;
}

/* mov $mini_done,%ecx; jmp *%rcx */
static void make_code(uint8_t code[7])
{
	uint32_t target = (uint32_t)mini_code(mini_done);

	code[0] = 0xb9;
	memcpy(code + 1, &target, sizeof(target));
	code[5] = 0xff;
	code[6] = 0xe1;
}

static void write_code(int file)
{
	uint8_t code[7];

	make_code(code);
	assert_int_equal(pwrite(file, code, sizeof(code), BAD_OFFSET), sizeof(code));
}

static void rewrite_page(const struct trouble *trouble)
{
	uint8_t page[FL_PAGE_LEN];

	for (uint64_t i = 0; i < FL_PAGE_LEN; i++)
		page[i] = mini_pattern(BAD_PAGE + i);
	assert_int_equal(pwrite(trouble->file, page, sizeof(page), BAD_PAGE), sizeof(page));
	if (trouble->for_fetch)
		write_code(trouble->file);
}

static void make_fuse(struct trouble *trouble)
{
	trouble->fuse = bad_fuse_new();
	if (trouble->for_fetch)
		make_code(trouble->fuse->bytes + BAD_OFFSET);
	trouble->file = bad_fuse_open(trouble->fuse);
}

static void make_file(struct trouble *trouble, uint64_t hole_len)
{
	trouble->dir = bad_host_tmpfs(hole_len ? FULL_FS_LEN : FS_LEN);
	trouble->file = bad_host_file(trouble->dir, "file", BAD_PAGE, hole_len);
	if (trouble->for_fetch && !hole_len)
		write_code(trouble->file);
}

struct trouble *trouble_new(enum cell_trouble kind, bool for_fetch)
{
	struct trouble *trouble = calloc(1, sizeof(*trouble));

	assert_non_null(trouble);
	trouble->kind = kind;
	trouble->for_fetch = for_fetch;
	trouble->dir = -1;
	if (kind == TROUBLE_IO_ERROR || kind == TROUBLE_REVOKED)
		make_fuse(trouble);
	else
		make_file(trouble, kind == TROUBLE_NO_SPACE ? HOLE_LEN : 0);
	/* before anybody maps it: who does is told only when he touches it */
	if (kind == TROUBLE_MEMORY_FAILURE && in_box() && !bad_host_poison(trouble->file, BAD_PAGE))
		SKIP_FOR("this kernel cannot poison memory (CONFIG_MEMORY_FAILURE, root)");
	return trouble;
}

void trouble_map(struct trouble *trouble, struct mini_vm *vm)
{
	if (trouble->kind == TROUBLE_UNMAPPED)
		assert_int_equal(fl_window_unmap(vm->window, 0, FL_RANGE_LEN), 0);
	else
		bad_access_map(vm, trouble->file, trouble->kind != TROUBLE_NOT_PERMITTED);
}

void trouble_strike(struct trouble *trouble, struct mini_vm *vm)
{
	switch (trouble->kind) {
	case TROUBLE_TRUNCATED:
		assert_int_equal(ftruncate(trouble->file, BAD_PAGE), 0);
		break;
	case TROUBLE_NO_SPACE:
		bad_host_fill(trouble->dir);
		break;
	case TROUBLE_IO_ERROR:
		bad_fuse_break(trouble->fuse, BAD_PAGE, FL_PAGE_LEN, EIO);
		break;
	case TROUBLE_REVOKED:
		bad_fuse_abort(trouble->fuse);
		break;
	case TROUBLE_MEMORY_FAILURE:
		/* outside the box no memory is poisoned for good */
		if (!in_box() && !bad_host_poison_mapping(fl_window_hva(vm->window) + BAD_PAGE))
			SKIP_FOR("this kernel has no UFFDIO_POISON (Linux 6.6), or not for us");
		break;
	case TROUBLE_UNMAPPED:
	case TROUBLE_NOT_PERMITTED:
	case CELL_TROUBLES:
		break;
	}
}

/* A page that was poisoned in our page tables leaves a mark there, which a truncation takes away. */
static void cut_and_extend(const struct trouble *trouble)
{
	assert_int_equal(ftruncate(trouble->file, BAD_PAGE), 0);
	assert_int_equal(ftruncate(trouble->file, BAD_FILE_LEN), 0);
	rewrite_page(trouble);
}

void trouble_heal(struct trouble *trouble, struct mini_vm *vm)
{
	switch (trouble->kind) {
	case TROUBLE_TRUNCATED:
		assert_int_equal(ftruncate(trouble->file, BAD_FILE_LEN), 0);
		rewrite_page(trouble);
		break;
	case TROUBLE_NO_SPACE:
		bad_host_free_space(trouble->dir);
		if (trouble->for_fetch)
			write_code(trouble->file);
		break;
	case TROUBLE_IO_ERROR:
		bad_fuse_break(trouble->fuse, 0, 0, 0);
		break;
	case TROUBLE_MEMORY_FAILURE:
		cut_and_extend(trouble);
		break;
	case TROUBLE_REVOKED: /* the file will not come back, but another one can be mapped there */
		close(trouble->file);
		make_file(trouble, 0);
		bad_access_map(vm, trouble->file, true);
		break;
	case TROUBLE_UNMAPPED:
	case TROUBLE_NOT_PERMITTED:
		bad_access_map(vm, trouble->file, true);
		break;
	case CELL_TROUBLES:
		break;
	}
}

void trouble_free(struct trouble *trouble)
{
	close(trouble->file);
	if (trouble->dir >= 0)
		close(trouble->dir);
	if (trouble->fuse)
		bad_fuse_free(trouble->fuse);
	free(trouble);
}

bool trouble_has_file(const struct trouble *trouble)
{
	return trouble->kind != TROUBLE_UNMAPPED;
}

/* A file whose server is gone cannot even be asked for its length. */
uint64_t trouble_file_len(const struct trouble *trouble)
{
	switch (trouble->kind) {
	case TROUBLE_TRUNCATED:
		return BAD_PAGE;
	case TROUBLE_REVOKED:
		return 0;
	default:
		return BAD_FILE_LEN;
	}
}

uint64_t trouble_good64(const struct trouble *trouble)
{
	return trouble->kind == TROUBLE_NO_SPACE ? 0 : mini_pattern64(BAD_OFFSET);
}
