/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/vm.h"

int fl_vm_add_net(struct fl_vm *vm, const struct fl_net_opts *opts, struct fl_diag *diag)
{
	struct fl_vm_net *net = &vm->net;
	int type, ret;
	socklen_t len = sizeof(type);

	if (vm->started)
		return fl_diag(diag, -EBUSY, "a network can only be added before the VM starts");
	if (net->added)
		return fl_diag(diag, -ENOSPC, "a VM has at most one network");
	ret = fl_net_config_init(&net->config, opts, diag);
	if (ret)
		return ret;
	if (getsockopt(net->config.opts.fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		ret = fl_diag(diag, -errno, "the network's descriptor %d is no socket: %m", net->config.opts.fd);
	else if (type != SOCK_STREAM)
		ret = fl_diag(diag, -EINVAL, "the network's descriptor %d is no stream socket", net->config.opts.fd);
	if (!ret) {
		net->fd = fcntl(net->config.opts.fd, F_DUPFD_CLOEXEC, 0);
		if (net->fd < 0)
			ret = fl_diag(diag, -errno, "the network's socket cannot be duplicated: %m");
	}
	if (ret) {
		fl_net_config_fini(&net->config);
		return ret;
	}
	net->added = true;
	return 0;
}

int fl_vm_net_init(struct fl_vm *vm, const struct fl_virtio_mmio_opts *transport, struct fl_diag *diag)
{
	struct fl_net_device_opts opts = {.transport = *transport, .fd = vm->net.fd, .mtu = vm->net.config.opts.mtu};

	memcpy(opts.mac, vm->net.config.opts.mac, sizeof(opts.mac));
	return fl_net_new(&opts, &vm->net.device, diag);
}

void fl_vm_net_fini(struct fl_vm *vm)
{
	fl_net_free(vm->net.device);
	fl_loop_free(vm->net.loop);
	vm->net.device = NULL;
	vm->net.loop = NULL;
}

void fl_vm_net_report(struct fl_vm *vm)
{
	struct fl_net_stats stats;

	if (!vm->net.device)
		return;
	fl_net_get_stats(vm->net.device, &stats);
	fl_log(&vm->log, FL_LOG_INFO, "network: sent=%llu received=%llu sent_dropped=%llu received_dropped=%llu",
	       (unsigned long long)stats.sent, (unsigned long long)stats.received,
	       (unsigned long long)stats.sent_dropped, (unsigned long long)stats.received_dropped);
}

void fl_vm_net_forget(struct fl_vm *vm)
{
	if (!vm->net.added)
		return;
	fl_close(&vm->net.fd);
	fl_net_config_fini(&vm->net.config);
	vm->net.added = false;
}
