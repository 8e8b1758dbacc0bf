/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/kvm/vm_kernel.h"

#include <stdlib.h>

#define IMAGE_LEN 8192

/* boot.rst, "The Real-Mode Kernel Header": what a 64-bit loader looks at. */
void vm_kernel_write(char path[VM_KERNEL_PATH_LEN], const uint8_t *start, const uint8_t *end)
{
	uint8_t image[IMAGE_LEN] = {0};

	image[0x1f1] = 3; /* setup_sects */
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	image[0x200] = 0xeb;
	image[0x201] = 0x6a;
	memcpy(image + 0x202, "HdrS\x0f\x02", 6);
	memcpy(image + 0x22c, "\xff\xff\xff\x7f", 4); /* initrd_addr_max */
	image[0x236] = 1;			      /* XLF_KERNEL_64 */
	memcpy(image + 0x238, "\xff\x07\x00\x00", 4); /* cmdline_size */
	memcpy(image + 0x258, "\x00\x00\x00\x01", 4); /* pref_address: VM_CODE_GPA */
	memcpy(image + 0x260, "\x00\x00\x20\x00", 4); /* init_size */
	memcpy(image + 4 * 512 + 0x200, start, (size_t)(end - start));
	strcpy(path, "/tmp/fl-vm-kernel.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	close(fd);
}
