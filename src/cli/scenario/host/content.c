/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_LEN 65536

/* mov $n, %eax; ret; and int3 up to the next one */
static void make_code(uint64_t number, uint8_t function[16])
{
	memset(function, 0xcc, 16);
	function[0] = 0xb8;
	for (unsigned int i = 0; i < 4; i++)
		function[1 + i] = (uint8_t)(number >> (8 * i));
	function[5] = 0xc3;
}

static uint8_t byte_at(enum fl_scn_content content, uint64_t offset)
{
	uint8_t function[16];

	switch (content) {
	case FL_SCN_FILE_PATTERN:
		return (uint8_t)(fl_scn_pattern(offset & ~UINT64_C(7)) >> (8 * (offset & 7)));
	case FL_SCN_FILE_CODE:
		make_code(offset / 16, function);
		return function[offset % 16];
	case FL_SCN_FILE_ZEROS:
	case FL_SCN_FILE_TEXT:
	case FL_SCN_FILE_LINK:
	case FL_SCN_FILE_DIR:
	default:
		return 0;
	}
}

void fl_scn_content_bytes(enum fl_scn_content content, uint64_t offset, void *bytes, size_t len)
{
	uint8_t *out = bytes;

	for (size_t i = 0; i < len; i++)
		out[i] = byte_at(content, offset + i);
}

int fl_scn_content_write(int fd, enum fl_scn_content content, uint64_t offset, uint64_t len)
{
	uint8_t piece[PIECE_LEN];

	while (len > 0) {
		size_t now = len < PIECE_LEN ? (size_t)len : PIECE_LEN;

		fl_scn_content_bytes(content, offset, piece, now);
		ssize_t done = pwrite(fd, piece, now, (off_t)offset);

		if (done < 0)
			return -errno;
		if (done == 0)
			return -EIO;
		offset += (uint64_t)done;
		len -= (uint64_t)done;
	}
	return 0;
}

int fl_scn_content_compare(int fd, enum fl_scn_content content, const char *text, uint64_t len, uint64_t *same)
{
	uint8_t seen[PIECE_LEN], wanted[PIECE_LEN];

	*same = 0;
	while (*same < len) {
		uint64_t left = len - *same;
		ssize_t got = pread(fd, seen, left < PIECE_LEN ? (size_t)left : PIECE_LEN, (off_t)*same);

		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		if (content == FL_SCN_FILE_TEXT)
			memcpy(wanted, text + *same, (size_t)got);
		else
			fl_scn_content_bytes(content, *same, wanted, (size_t)got);
		for (ssize_t i = 0; i < got; i++, (*same)++)
			if (seen[i] != wanted[i])
				return 0;
	}
	return 0;
}
