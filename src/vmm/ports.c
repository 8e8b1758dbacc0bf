/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller reads and writes of the guest's consoles: its input, and ports beside the agent's. */
#include <fcntl.h>
#include <string.h>

#include "guest/agent_conf.h"
#include "vmm/vm.h"

static const char *const agent_names[] = {FL_AGENT_PORT_STDIN, FL_AGENT_PORT_STDOUT, FL_AGENT_PORT_STDERR,
					  FL_AGENT_PORT_STATUS, FL_AGENT_PORT_CONTROL};

static int check_name(const struct fl_vm *vm, const char *name, struct fl_diag *diag)
{
	for (size_t i = 0; i < FL_ARRAY_SIZE(agent_names); i++)
		if (strcmp(name, agent_names[i]) == 0)
			return fl_diag(diag, -EINVAL, "the port %s is the agent's; choose another name", name);
	for (unsigned int i = 0; i < vm->port_count; i++)
		if (strcmp(name, vm->ports[i].config.name) == 0)
			return fl_diag(diag, -EINVAL, "two ports have the name %s", name);
	return 0;
}

/* -1 stays -1. */
static int duplicate(const char *what, const char *name, int wanted, int direction, int *fd, struct fl_diag *diag)
{
	int mode = wanted < 0 ? 0 : fcntl(wanted, F_GETFL);

	*fd = -1;
	if (wanted < 0)
		return 0;
	if (mode >= 0 && ((mode & O_PATH) || ((mode & O_ACCMODE) != O_RDWR && (mode & O_ACCMODE) != direction)))
		return fl_diag(diag, -EINVAL, "%s %s: descriptor %d is not open for %s", what, name, wanted,
			       direction == O_RDONLY ? "reading" : "writing");
	*fd = mode < 0 ? -1 : fcntl(wanted, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? fl_diag(diag, -errno, "%s %s: descriptor %d cannot be used: %m", what, name, wanted) : 0;
}

static void forget(struct fl_vm_port *port)
{
	fl_close(&port->in_fd);
	fl_close(&port->out_fd);
	fl_port_config_fini(&port->config);
}

int fl_vm_add_port(struct fl_vm *vm, const struct fl_port_opts *opts, struct fl_diag *diag)
{
	struct fl_vm_port *port = &vm->ports[vm->port_count];
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "ports can only be added before the VM starts");
	if (vm->port_count == FL_PORTS_MAX)
		return fl_diag(diag, -ENOSPC, "a VM has at most %u ports of its caller", FL_PORTS_MAX);
	port->in_fd = port->out_fd = -1;
	ret = fl_port_config_init(&port->config, opts, diag);
	if (!ret)
		ret = check_name(vm, port->config.name, diag);
	if (!ret)
		ret = duplicate("port", port->config.name, port->config.opts.in_fd, O_RDONLY, &port->in_fd, diag);
	if (!ret)
		ret = duplicate("port", port->config.name, port->config.opts.out_fd, O_WRONLY, &port->out_fd, diag);
	if (ret) {
		forget(port);
		return ret;
	}
	vm->port_count++;
	return 0;
}

int fl_vm_set_console_input(struct fl_vm *vm, int fd, struct fl_diag *diag)
{
	if (vm->started)
		return fl_diag(diag, -EBUSY, "the console's input can only be set before the VM starts");
	fl_close(&vm->console_fd);
	return duplicate("the console's", "input", fd, O_RDONLY, &vm->console_fd, diag);
}

void fl_vm_ports_forget(struct fl_vm *vm)
{
	fl_close(&vm->console_fd);
	for (unsigned int i = 0; i < vm->port_count; i++)
		forget(&vm->ports[i]);
	vm->port_count = 0;
}
