/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/small/small.h"

#define VIRTIO_CONSOLE 3u
#define VIRTIO_FS      26u

void small_main(const uint8_t *zero_page);

/* Where head.S goes to. */
void small_main(const uint8_t *zero_page)
{
	struct small_device *console = NULL, *device;

	small_machine_init(zero_page);
	small_clock_init();
	small_pvpf_init();
	for (uint32_t i = 0; (device = small_machine_device(i)); i++) {
		if (device->id == VIRTIO_FS)
			small_share_init(device);
		else if (device->id == VIRTIO_CONSOLE)
			console = device;
	}
	if (!console)
		small_die("there is no console");
	small_shares_mount();
	small_channel_init(console, FL_SCN_PORT);
	small_manage();
}
