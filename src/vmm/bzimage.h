/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bzimage: the x86 boot protocol's side of a kernel image (Documentation/arch/x86/boot.rst,
 * "64-bit Boot Protocol"). The file is the user's: every field is checked before use.
 */
#ifndef FL_BZIMAGE_H
#define FL_BZIMAGE_H

#include "fl_diag.h"
#include "mmu_backing/gpa_map.h"

struct fl_bzimage {
	uint8_t setup_header[0x90]; /* as it stands at 0x1f1 of the file */
	uint32_t setup_header_len;
	uint64_t payload_offset, payload_len; /* protected-mode part, in the file */
	uint64_t load_gpa;		      /* preferred address */
	uint64_t init_len;		      /* memory needed from load_gpa on */
	uint64_t initrd_max_gpa;
	uint32_t cmdline_max;
	uint32_t version_offset; /* of the string that says which kernel it is, in the file; 0: there is none */
};

/* PURE: reads the first bytes of a file of file_len bytes. -ENOEXEC with the reason in diag. */
FL_CHECKED_RESULT int fl_bzimage_parse(const uint8_t *head, size_t head_len, uint64_t file_len,
				       struct fl_bzimage *image, struct fl_diag *diag);
/* Opens path, parses it and copies the kernel to its place in RAM. -ENOEXEC, -ENOSPC (RAM too small), or open's. */
FL_CHECKED_RESULT int fl_bzimage_load(const char *path, const struct fl_gpa_map *map, struct fl_bzimage *image,
				      struct fl_diag *diag);

#endif
