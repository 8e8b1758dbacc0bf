/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "guest/agent_conf.h"
#include "vmm/layout.h"
#include "vmm/vm.h"

/*
 * IO-APIC pins for the devices; first those that no ISA device of old has ever used, then those whose devices are not
 * in this machine: neither floppy, mouse and disks, nor a printer, a coprocessor or a second serial port.
 */
static const uint32_t device_gsis[] = {16, 17, 18, 19, 20, 21, 22, 23, 10, 11, 9, 5, 6, 12, 14, 15, 3, 7, 13};

_Static_assert(FL_SHARES_MAX + 3 <= FL_VIRTIO_DEVICES_MAX && FL_ARRAY_SIZE(device_gsis) == FL_VIRTIO_DEVICES_MAX,
	       "an interrupt for every device");

/* What every device's transport is told; the device fills in the rest. */
static struct fl_virtio_mmio_opts transport_opts(struct fl_vm *vm, const char *name, struct fl_loop *loop)
{
	uint64_t gpa = FL_VIRTIO_GPA + vm->device_count * FL_VIRTIO_MMIO_LEN;

	return (struct fl_virtio_mmio_opts){
		.name = name,
		.gpa = gpa,
		.gsi = device_gsis[vm->device_count],
		.vm_fd = vm->kvm.vm_fd,
		.map = &vm->map,
		.loop = loop,
		.log = &vm->log,
	};
}

static void plug(struct fl_vm *vm, const struct fl_virtio_mmio_opts *opts, struct fl_virtio_mmio *transport)
{
	vm->devices[vm->device_count] = (struct fl_vm_device){.gpa = opts->gpa, .transport = transport};
	vm->device_nodes[vm->device_count] = (struct fl_dtb_virtio){.gpa = opts->gpa, .gsi = opts->gsi};
	vm->device_count++;
}

/* hvc0, and those of guest/agent_conf.h */
#define AGENT_PORTS 6
_Static_assert(AGENT_PORTS + FL_PORTS_MAX <= FL_CONSOLE_PORTS_MAX, "a console has all ports");

/* Behind the agent's: a caller that does not read its port must not hold up how the command ended. */
static void add_callers_ports(const struct fl_vm *vm, struct fl_console_opts *opts)
{
	for (unsigned int i = 0; i < vm->port_count; i++)
		opts->ports[opts->port_count++] = (struct fl_console_port_opts){
			.name = vm->ports[i].config.name, .in_fd = vm->ports[i].in_fd, .out_fd = vm->ports[i].out_fd};
}

static int add_console(struct fl_vm *vm, struct fl_diag *diag)
{
	const struct fl_command *command = &vm->command.opts;
	bool has_command = vm->command.argv;
	struct fl_console_opts opts = {
		.ports =
			{
				{.in_fd = -1, .out_fd = -1}, /* hvc0: nobody reads it */
				{.name = FL_AGENT_PORT_STDOUT,
				 .in_fd = -1,
				 .out_fd = has_command ? command->stdout_fd : -1},
				{.name = FL_AGENT_PORT_STDERR,
				 .in_fd = -1,
				 .out_fd = has_command ? command->stderr_fd : -1},
				{.name = FL_AGENT_PORT_STDIN,
				 .in_fd = has_command ? command->stdin_fd : -1,
				 .out_fd = -1,
				 .is_input = true},
				/* what fl_vm_power_off() and its like say */
				{.name = FL_AGENT_PORT_CONTROL,
				 .in_fd = vm->control_fds[0],
				 .out_fd = -1,
				 .is_input = true},
				/* behind the command's, so that all its output has been written when a status is
				 * heard */
				{.name = FL_AGENT_PORT_STATUS,
				 .in_fd = -1,
				 .out_fd = -1,
				 .received = fl_vm_status_received,
				 .arg = vm},
			},
		.port_count = AGENT_PORTS,
	};
	int ret = fl_loop_new("fl-console", 0, &vm->console_loop, diag);

	if (ret)
		return ret;
	add_callers_ports(vm, &opts);
	opts.transport = transport_opts(vm, "console", vm->console_loop);
	ret = fl_console_new(&opts, &vm->console, diag);
	if (!ret)
		plug(vm, &opts.transport, fl_console_transport(vm->console));
	if (!ret && vm->console_fd >= 0)
		ret = fl_serial_input_init(&vm->serial_input, &vm->serial, vm->console_loop, vm->console_fd, &vm->log,
					   diag);
	return ret;
}

static int add_rng(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts opts = transport_opts(vm, "rng", vm->console_loop);
	int ret = fl_rng_new(&opts, &vm->rng, diag);

	if (!ret)
		plug(vm, &opts, fl_rng_transport(vm->rng));
	return ret;
}

static int add_net(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts opts;
	int ret = fl_loop_new("fl-net", 0, &vm->net.loop, diag);

	if (ret)
		return ret;
	opts = transport_opts(vm, "net", vm->net.loop);
	ret = fl_vm_net_init(vm, &opts, diag);
	if (!ret)
		plug(vm, &opts, fl_net_transport(vm->net.device));
	return ret;
}

static int add_share(struct fl_vm *vm, unsigned int index, struct fl_diag *diag)
{
	struct fl_vm_share *share = &vm->shares[index];
	struct fl_fs_device_opts opts = {
		.tag = share->config.tag,
		.title = share->config.title,
		.root_fd = share->root_fd,
		.writable = share->config.opts.flags & FL_SHARE_WRITABLE,
		.one_mount = share->config.opts.flags & FL_SHARE_ONE_MOUNT,
		.as_users = share->config.opts.users == FL_USERS_HOST,
		.keeps_changes = !share->config.mount,
		.below_overlay = share->config.opts.flags & FL_SHARE_OVERLAY,
		.attr_timeout_ms = share->config.opts.attr_timeout_ms,
		.entry_timeout_ms = share->config.opts.entry_timeout_ms,
		.window = share->window,
		.shares = vm->share_count,
	};
	char loop_name[24];
	int ret;

	snprintf(share->name, sizeof(share->name), "fs%u", index);
	snprintf(loop_name, sizeof(loop_name), "fl-fs%u", index);
	ret = fl_loop_new(loop_name, 0, &share->loop, diag);
	if (ret)
		return ret;
	opts.transport = transport_opts(vm, share->name, share->loop);
	opts.transport.shm_gpa = share->window_gpa;
	opts.transport.shm_len = share->config.opts.window_len;
	ret = fl_fs_device_new(&opts, &share->device, diag);
	if (!ret)
		plug(vm, &opts.transport, fl_fs_device_transport(share->device));
	return ret;
}

int fl_vm_devices_init(struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = add_console(vm, diag);

	for (unsigned int i = 0; !ret && i < vm->share_count; i++)
		ret = add_share(vm, i, diag);
	if (!ret)
		ret = add_rng(vm, diag);
	if (!ret && vm->net.added)
		ret = add_net(vm, diag);
	return ret;
}

int fl_vm_devices_start(struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = fl_loop_start(vm->console_loop, diag);

	for (unsigned int i = 0; !ret && i < vm->share_count; i++)
		ret = fl_loop_start(vm->shares[i].loop, diag);
	if (!ret && vm->net.loop)
		ret = fl_loop_start(vm->net.loop, diag);
	return ret;
}

void fl_vm_devices_stop(struct fl_vm *vm)
{
	if (vm->console_loop)
		fl_loop_stop(vm->console_loop);
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (vm->shares[i].loop)
			fl_loop_stop(vm->shares[i].loop);
	if (vm->net.loop)
		fl_loop_stop(vm->net.loop);
}

void fl_vm_devices_fini(struct fl_vm *vm)
{
	fl_vm_devices_stop(vm);
	fl_console_free(vm->console);
	fl_rng_free(vm->rng);
	fl_loop_free(vm->console_loop);
	fl_serial_input_fini(&vm->serial_input);
	vm->console = NULL;
	vm->rng = NULL;
	vm->console_loop = NULL;
	for (unsigned int i = 0; i < vm->share_count; i++) {
		struct fl_vm_share *share = &vm->shares[i];

		fl_fs_device_free(share->device);
		fl_loop_free(share->loop);
		share->device = NULL;
		share->loop = NULL;
	}
	fl_vm_net_fini(vm);
	vm->device_count = 0;
}

void fl_vm_devices_report(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->share_count; i++) {
		const struct fl_vm_share *share = &vm->shares[i];
		struct fl_fs_stats stats;

		fl_fs_device_get_stats(share->device, &stats);
		fl_log(&vm->log, FL_LOG_INFO,
		       "share %s: requests=%llu errors=%llu malformed=%llu lost=%llu setup_mappings=%llu "
		       "remove_mappings=%llu",
		       share->config.title, (unsigned long long)stats.requests, (unsigned long long)stats.errors,
		       (unsigned long long)stats.proto_errors, (unsigned long long)stats.lost,
		       (unsigned long long)stats.setup_mappings, (unsigned long long)stats.remove_mappings);
	}
	fl_vm_net_report(vm);
}
