/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/failing_impl.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static int init(struct fl_scn_failing_call *call)
{
	const struct fuse_init_in *in = call->args;

	*(struct fuse_init_out *)(void *)call->server->reply = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES),
		.max_write = FL_SCN_FAILING_DATA_LEN,
		.max_pages = FL_SCN_FAILING_DATA_LEN / 4096,
		.time_gran = 1,
	};
	call->reply_len = sizeof(struct fuse_init_out);
	return 0;
}

static int nothing_to_do(struct fl_scn_failing_call *call)
{
	(void)call;
	return 0;
}

static const struct {
	uint32_t opcode;
	size_t args_len; /* at least */
	fl_scn_failing_handler *handler;
} handlers[] = {
	{FUSE_INIT, sizeof(uint32_t) * 4, init},
	{FUSE_LOOKUP, 1, fl_scn_failing_lookup},
	{FUSE_GETATTR, 0, fl_scn_failing_getattr},
	{FUSE_SETATTR, sizeof(struct fuse_setattr_in), fl_scn_failing_setattr},
	{FUSE_READLINK, 0, fl_scn_failing_readlink},
	{FUSE_SYMLINK, 2, fl_scn_failing_symlink},
	{FUSE_MKDIR, sizeof(struct fuse_mkdir_in), fl_scn_failing_mkdir},
	{FUSE_UNLINK, 1, fl_scn_failing_unlink},
	{FUSE_RMDIR, 1, fl_scn_failing_rmdir},
	{FUSE_RENAME, sizeof(struct fuse_rename_in), fl_scn_failing_rename},
	{FUSE_LINK, sizeof(struct fuse_link_in), fl_scn_failing_link},
	{FUSE_OPEN, sizeof(struct fuse_open_in), fl_scn_failing_open},
	{FUSE_READ, sizeof(struct fuse_read_in), fl_scn_failing_read},
	{FUSE_WRITE, sizeof(struct fuse_write_in), fl_scn_failing_write},
	{FUSE_STATFS, 0, fl_scn_failing_statfs},
	{FUSE_RELEASE, sizeof(struct fuse_release_in), fl_scn_failing_release},
	{FUSE_FSYNC, sizeof(struct fuse_fsync_in), fl_scn_failing_fsync},
	{FUSE_FLUSH, 0, nothing_to_do},
	{FUSE_OPENDIR, sizeof(struct fuse_open_in), fl_scn_failing_opendir},
	{FUSE_READDIR, sizeof(struct fuse_read_in), fl_scn_failing_readdir},
	{FUSE_RELEASEDIR, sizeof(struct fuse_release_in), fl_scn_failing_release},
	{FUSE_FSYNCDIR, sizeof(struct fuse_fsync_in), fl_scn_failing_fsync},
	{FUSE_CREATE, sizeof(struct fuse_create_in), fl_scn_failing_create},
	{FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), fl_scn_failing_fallocate},
	{FUSE_LSEEK, sizeof(struct fuse_lseek_in), fl_scn_failing_lseek},
};

static int handle(struct fl_scn_failing_call *call)
{
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		if (handlers[i].opcode != call->header->opcode)
			continue;
		if (call->args_len < handlers[i].args_len)
			return -EINVAL;
		/* INIT is about no node */
		if (!call->node && call->header->opcode != FUSE_INIT)
			return -ESTALE;
		return handlers[i].handler(call);
	}
	return -ENOSYS;
}

static void answer(const struct fl_scn_failing_call *call, int error)
{
	size_t len = error ? 0 : call->reply_len;
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + len),
		.error = error,
		.unique = call->header->unique,
	};
	struct iovec parts[2] = {{&header, sizeof(header)}, {call->server->reply, len}};

	/* fails for a request that was interrupted: nobody waits for it */
	(void)!writev(call->server->dev, parts, len ? 2 : 1);
}

static void forget_all(struct fl_scn_failing_server *server, const struct fuse_batch_forget_in *in, size_t len)
{
	const struct fuse_forget_one *one = (const void *)(in + 1);
	size_t room = (len - sizeof(*in)) / sizeof(*one);

	for (size_t i = 0; i < in->count && i < room; i++)
		fl_scn_failing_forget(server, one[i].nodeid, one[i].nlookup);
}

/* Those that want no answer first. */
static void serve_request(struct fl_scn_failing_server *server, size_t len)
{
	const struct fuse_in_header *header = (const void *)server->request;
	struct fl_scn_failing_call call = {
		.server = server,
		.node = fl_scn_failing_node_of(server, header->nodeid),
		.header = header,
		.args = header + 1,
		.args_len = len - sizeof(*header),
	};

	if (header->opcode == FUSE_INTERRUPT)
		return;
	if (header->opcode == FUSE_FORGET && call.args_len >= sizeof(struct fuse_forget_in))
		fl_scn_failing_forget(server, header->nodeid, ((const struct fuse_forget_in *)call.args)->nlookup);
	else if (header->opcode == FUSE_BATCH_FORGET && call.args_len >= sizeof(struct fuse_batch_forget_in))
		forget_all(server, call.args, call.args_len);
	else
		answer(&call, handle(&call));
}

/* False: it is unmounted. */
static bool serve_dev(struct fl_scn_failing_server *server)
{
	ssize_t len = read(server->dev, server->request, sizeof(server->request) - 1);

	if (len < 0) /* ENOENT: was interrupted before it was read */
		return errno == EAGAIN || errno == EINTR || errno == ENOENT;
	server->request[len] = 0;
	if ((size_t)len >= sizeof(struct fuse_in_header))
		serve_request(server, (size_t)len);
	return true;
}

static int obey(struct fl_scn_failing_server *server, const struct fl_scn_failing_order *order)
{
	switch (order->word) {
	case FL_SCN_FAILING_FAIL:
	case FL_SCN_FAILING_HEAL:
		return fl_scn_failing_mark(server, order->ino, order->word == FL_SCN_FAILING_FAIL);
	case FL_SCN_FAILING_FREEZE:
		if (server->ended)
			return -ECANCELED;
		server->frozen = true;
		return 0;
	case FL_SCN_FAILING_THAW:
		server->frozen = false;
		return 0;
	case FL_SCN_FAILING_BEGIN:
		server->ended = false;
		return 0;
	case FL_SCN_FAILING_END:
		server->ended = true;
		server->frozen = false;
		fl_scn_failing_heal_all(server);
		return 0;
	default:
		return -EINVAL;
	}
}

/* False: the runner is gone, or has done with it. */
static bool serve_control(struct fl_scn_failing_server *server)
{
	struct fl_scn_failing_order order;

	if (recv(server->control, &order, sizeof(order), 0) != (ssize_t)sizeof(order))
		return false;
	int32_t ret = obey(server, &order);

	return send(server->control, &ret, sizeof(ret), MSG_NOSIGNAL) == (ssize_t)sizeof(ret);
}

void fl_scn_failing_serve(struct fl_scn_failing_server *server, int dev, int control, int root)
{
	struct stat status;
	bool goes_on = fstat(root, &status) == 0;

	server->dev = dev;
	server->control = control;
	for (uint32_t i = 0; i < FL_SCN_FAILING_NODES; i++)
		server->nodes[i].fd = -1;
	server->nodes[0] = (struct fl_scn_failing_node){.fd = root, .ino = status.st_ino, .lookups = 1};
	/* modes are as they are sent, after the umask of who asks */
	umask(0);
	while (goes_on) {
		struct pollfd ready[2] = {{.fd = control, .events = POLLIN},
					  {.fd = server->frozen ? -1 : dev, .events = POLLIN}};

		if (poll(ready, 2, -1) < 0)
			continue;
		if (ready[0].revents)
			goes_on = serve_control(server);
		else if (ready[1].revents)
			goes_on = serve_dev(server);
	}
}
