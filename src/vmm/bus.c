/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vmm/layout.h"
#include "vmm/vm.h"

static void pio_byte(struct fl_vm *vm, uint16_t port, bool write, uint8_t *value)
{
	if (port >= FL_SERIAL_PORT && port < FL_SERIAL_PORT + 8)
		fl_serial_access(&vm->serial, (uint16_t)(port - FL_SERIAL_PORT), write, value);
	else if (port == FL_I8042_PORT && !write)
		*value = 0; /* nothing to read, ready for a command: all that a reset through it asks */
	else if (port == FL_I8042_PORT && *value == FL_I8042_RESET)
		fl_vm_guest_reset(vm);
	/* all other ports: nobody there; reads stay all ones */
}

void fl_vm_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	uint8_t *bytes = data;

	/* The devices here are byte-wide: a wider access is taken by consecutive ports, as on a real bus. */
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t byte = 0; byte < size; byte++)
			pio_byte(arg, (uint16_t)(port + byte), write, bytes + (size_t)i * size + byte);
}

static void syscon_write(struct fl_vm *vm, uint64_t offset, const void *data, uint32_t len)
{
	uint32_t value = 0;

	memcpy(&value, data, FL_MIN(len, (uint32_t)sizeof(value)));
	if (offset == 0 && value == FL_POWEROFF_VALUE)
		fl_vm_guest_poweroff(vm);
}

void fl_vm_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	struct fl_vm *vm = arg;

	if (gpa >= FL_SYSCON_GPA && gpa < FL_SYSCON_GPA + FL_SYSCON_LEN) {
		if (write)
			syscon_write(vm, gpa - FL_SYSCON_GPA, data, len);
		else
			memset(data, 0, len);
		return;
	}
	for (unsigned int i = 0; i < vm->device_count; i++) {
		const struct fl_vm_device *device = &vm->devices[i];

		if (gpa >= device->gpa && gpa < device->gpa + FL_VIRTIO_MMIO_LEN) {
			fl_virtio_mmio_access(device->transport, gpa - device->gpa, write, data, len);
			return;
		}
	}
	if (!write)
		memset(data, 0xff, len);
	fl_log_limited(&vm->log, &vm->guest_limit, FL_LOG_DEBUG, "guest %s %#llx, where nothing is",
		       write ? "wrote to" : "read from", (unsigned long long)gpa);
}
