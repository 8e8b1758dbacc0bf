/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/net_impl.h"

#include <endian.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/socket.h>

#define QUEUE_SIZE   256
#define FEATURE(bit) (UINT64_C(1) << (bit))

bool fl_net_take(struct fl_net *net, unsigned int queue, struct fl_chain *chain)
{
	struct fl_virtq *vq = fl_virtio_queue(net->transport, queue);
	int rc;

	if (fl_virtio_is_broken(net->transport))
		return false;
	rc = fl_virtq_pop(vq, chain);
	if (rc == 0 && fl_virtq_enable_notify(vq))
		rc = fl_virtq_pop(vq, chain);
	if (rc < 0)
		fl_virtio_needs_reset(net->transport, "a queue of the network device is malformed");
	return rc > 0;
}

void fl_net_unwatch(struct fl_net *net, unsigned int *source)
{
	fl_loop_remove_fd(net->loop, *source);
	*source = 0;
}

void fl_net_link_down(struct fl_net *net, const char *why)
{
	if (atomic_exchange(&net->down, true))
		return;
	fl_log(net->log, FL_LOG_WARN, "the guest's network is down: %s", why);
	fl_net_unwatch(net, &net->rx.source);
	fl_net_unwatch(net, &net->tx.source);
	fl_virtio_config_changed(net->transport);
	/* what waited for the socket has to be given back */
	fl_virtio_requeue(net->transport, FL_NET_TX_QUEUE);
}

static void on_notify(void *arg, unsigned int queue)
{
	if (queue == FL_NET_RX_QUEUE)
		fl_net_receive(arg);
	else
		fl_net_send(arg);
}

static void abort_both(void *arg)
{
	fl_net_rx_abort(arg);
	fl_net_tx_abort(arg);
}

static void on_config_read(void *arg, uint32_t offset, void *buf, uint32_t len)
{
	const struct fl_net *net = arg;
	struct virtio_net_config config = net->config;

	config.status = htole16(atomic_load(&net->down) ? 0 : VIRTIO_NET_S_LINK_UP);
	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static int check_socket(int fd, struct fl_diag *diag)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return fl_diag(diag, -errno, "descriptor %d cannot be the guest's network: %s", fd, strerror(errno));
	if (type != SOCK_STREAM)
		return fl_diag(diag, -EINVAL, "descriptor %d cannot be the guest's network: it is no stream socket",
			       fd);
	return 0;
}

static int init_transport(struct fl_net *net, const struct fl_net_device_opts *opts, struct fl_diag *diag)
{
	struct fl_virtio_mmio_opts transport = opts->transport;

	transport.name = transport.name ? transport.name : "net";
	transport.device_id = VIRTIO_ID_NET;
	transport.features = FEATURE(VIRTIO_NET_F_MAC) | FEATURE(VIRTIO_NET_F_STATUS) | FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	if (opts->mtu)
		transport.features |= FEATURE(VIRTIO_NET_F_MTU);
	transport.queue_count = 2;
	transport.queue_size_max = QUEUE_SIZE;
	transport.config_len = offsetof(struct virtio_net_config, speed);
	transport.shm_len = 0;
	transport.ops = (struct fl_virtio_ops){.queue_notified = on_notify,
					       .reset = abort_both,
					       .quiesce = abort_both,
					       .config_read = on_config_read,
					       .arg = net};
	return fl_virtio_mmio_new(&transport, &net->transport, diag);
}

int fl_net_new(const struct fl_net_device_opts *opts, struct fl_net **net_out, struct fl_diag *diag)
{
	struct fl_net *net;
	int rc = check_socket(opts->fd, diag);

	if (rc)
		return rc;
	net = calloc(1, sizeof(*net));
	if (!net)
		return fl_diag(diag, -ENOMEM, "no memory for the network device");
	net->loop = opts->transport.loop;
	net->map = opts->transport.map;
	net->log = opts->transport.log;
	net->fd = opts->fd;
	memcpy(net->config.mac, opts->mac, sizeof(net->config.mac));
	net->config.mtu = htole16(opts->mtu);
	rc = init_transport(net, opts, diag);
	if (rc) {
		free(net);
		return rc;
	}
	*net_out = net;
	return 0;
}

struct fl_virtio_mmio *fl_net_transport(struct fl_net *net)
{
	return net->transport;
}

void fl_net_get_stats(const struct fl_net *net, struct fl_net_stats *stats)
{
	*stats = net->stats;
}

void fl_net_free(struct fl_net *net)
{
	if (!net)
		return;
	fl_net_unwatch(net, &net->rx.source);
	fl_net_unwatch(net, &net->tx.source);
	fl_virtio_mmio_free(net->transport);
	free(net);
}
