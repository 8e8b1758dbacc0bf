/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for the agent (guest/agent_conf.h, fl.control). They wait in a pipe until the guest has room for them, so that
 * any thread may write: a line is shorter than PIPE_BUF, and written whole or not at all.
 */
#include <stdio.h>

#include "vmm/vm.h"

static int check_listener(struct fl_vm *vm)
{
	FL_LOCKED(&vm->lock);

	if (!vm->started)
		return -EINVAL;
	if (vm->done)
		return -ESRCH;
	return vm->config.initrd ? -ENOTSUP : 0;
}

static int FL_PRINTF(2, 3) tell_agent(struct fl_vm *vm, const char *format, ...)
{
	char line[64];
	va_list args;
	int ret = check_listener(vm);

	if (ret)
		return ret;
	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return write(vm->control_fds[1], line, (size_t)len) < 0 ? -errno : 0;
}

int fl_vm_power_off(struct fl_vm *vm)
{
	return tell_agent(vm, "poweroff\n");
}

int fl_vm_signal_command(struct fl_vm *vm, int signal_number)
{
	if (signal_number < 1 || signal_number > 64)
		return -EINVAL;
	return tell_agent(vm, "signal %d\n", signal_number);
}

int fl_vm_resize_terminal(struct fl_vm *vm, uint16_t rows, uint16_t cols)
{
	return tell_agent(vm, "size %u %u\n", (unsigned int)rows, (unsigned int)cols);
}
