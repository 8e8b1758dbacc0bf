/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network device between a guest that lies and a peer that does as well. What the peer gets must be frames behind
 * their lengths whatever happens. In the end a driver that follows the rules must get a frame out and another one in,
 * whole, unless the peer has closed the socket or announced a frame that is too long: then the link is down.
 */
#include "lying_guest.h"

#include <sys/socket.h>

#include "virtio/net.h"

#define STEPS_MAX   200u
#define PEER_STEPS  192u /* steps from here on are the peer's */
#define QUEUED_MAX  (256u << 10)
#define STEPS_SAY   (128u << 10) /* as much of it for the steps: the end can say more */
#define SOCKET_ROOM 4096
#define HDR	    12u /* virtio 1.2, 5.1.6 */
#define BUFFER_LEN  2048u
#define KNOWN_LEN   300u
#define TURNS_MAX   10000u
#define RX	    0u
#define TX	    1u
#define FEATURE_MRG (UINT64_C(1) << 15)

/* A stream of frames behind their lengths, 4 bytes big-endian; what is in it byte by byte. */
struct stream {
	uint8_t head[4];
	unsigned int head_len;
	uint32_t len, left; /* of the frame that is on its way */
	bool bad;	    /* a frame was too long: there is no sense in what comes then */
	unsigned int frames;
	uint8_t last[KNOWN_LEN]; /* how the frame begins that came last */
};

struct net {
	struct liar liar;
	struct fl_net *device;
	int peer; /* -1: closed */
	bool deaf;
	struct stream got;	    /* by the peer */
	struct stream said;	    /* by the peer, also what still waits */
	uint8_t queued[QUEUED_MAX]; /* that the socket has no room for */
	size_t queued_len;
};

static void follow(struct stream *stream, uint8_t byte)
{
	if (stream->bad)
		return;
	if (stream->left) {
		uint32_t at_byte = stream->len - stream->left;

		if (at_byte < KNOWN_LEN)
			stream->last[at_byte] = byte;
		stream->frames += --stream->left == 0;
		return;
	}
	stream->head[stream->head_len++] = byte;
	if (stream->head_len < 4)
		return;
	stream->head_len = 0;
	stream->len = stream->left = (uint32_t)stream->head[0] << 24 | (uint32_t)stream->head[1] << 16 |
				     (uint32_t)stream->head[2] << 8 | stream->head[3];
	stream->bad = stream->len > FL_NET_FRAME_MAX;
}

static void say(struct net *net, uint8_t byte)
{
	if (net->peer < 0 || net->queued_len == QUEUED_MAX)
		return;
	net->queued[net->queued_len++] = byte;
	follow(&net->said, byte);
}

static void say_frame(struct net *net, uint32_t len, unsigned int seed)
{
	if (net->queued_len > STEPS_SAY)
		return;
	for (int shift = 24; shift >= 0; shift -= 8)
		say(net, (uint8_t)(len >> shift));
	for (uint32_t i = 0; i < len; i++)
		say(net, (uint8_t)(seed + i * 7));
}

/* What the socket takes of what is queued. */
static void push(struct net *net)
{
	ssize_t n = net->peer < 0 ? 0 : send(net->peer, net->queued, net->queued_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n <= 0)
		return;
	net->queued_len -= (size_t)n;
	memmove(net->queued, net->queued + n, net->queued_len);
}

static void listen_to_it(struct net *net)
{
	uint8_t bytes[4096];
	ssize_t n;

	while (net->peer >= 0 && (n = recv(net->peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			follow(&net->got, bytes[i]);
	FUZZ_CHECK(!net->got.bad && (!net->got.left || net->got.len >= FL_NET_FRAME_MIN));
}

static void turn(struct net *net)
{
	push(net);
	fuzz_digest(&net->liar.digest, fuzz_loop_turn(net->liar.loop));
	if (!net->deaf)
		listen_to_it(net);
}

static void hang_up(struct net *net)
{
	if (net->peer < 0)
		return;
	listen_to_it(net);
	close(net->peer);
	net->peer = -1;
}

static void peer_step(struct net *net, unsigned int kind)
{
	struct fuzz_input *in = &net->liar.in;

	switch (kind % 8) {
	case 0:
	case 1:
		say_frame(net, fuzz_u16(in) % 3000, kind);
		break;
	case 2:
		say_frame(net, fuzz_u32(in) % (FL_NET_FRAME_MAX + 2), kind);
		break;
	case 3:
		for (unsigned int i = fuzz_u8(in) % 16; i > 0 && net->queued_len <= STEPS_SAY; i--)
			say(net, fuzz_u8(in));
		break;
	case 4:
		net->deaf = !net->deaf;
		break;
	case 5:
		if (fuzz_u8(in) == 0x5c)
			hang_up(net);
		break;
	default:
		break;
	}
	turn(net);
}

/* ---- a driver that follows the rules ---- */

static void send_known(struct net *net)
{
	struct liar *liar = &net->liar;
	uint8_t *bytes = at(&liar->guest, LIAR_DATA);

	memset(bytes, 0, HDR);
	for (unsigned int i = 0; i < KNOWN_LEN; i++)
		bytes[HDR + i] = (uint8_t)(i * 13 + 1);
	put_desc(&liar->guest, liar->queues[TX].desc, 0, LIAR_DATA, HDR + KNOWN_LEN, 0, 0);
	offer(&liar->queues[TX], 0);
	mmio_put(liar->dev, MMIO_QUEUE_NOTIFY, TX);
}

static uint64_t receive_buffer(uint32_t id)
{
	return LIAR_DATA + BUFFER_LEN * (1 + (uint64_t)id);
}

static void give_buffer(struct net *net, uint32_t id)
{
	struct liar *liar = &net->liar;

	FUZZ_CHECK(id < LIAR_RING);
	put_desc(&liar->guest, liar->queues[RX].desc, id, receive_buffer(id), BUFFER_LEN, DESC_F_WRITE, 0);
	offer(&liar->queues[RX], (uint16_t)id);
}

/* The frame that the peer has begun ends, in whatever; false if there is no peer, or no sense in what it said. */
static bool finish_what_was_said(struct net *net)
{
	while (net->peer >= 0 && !net->said.bad && (net->said.head_len || net->said.left)) {
		FUZZ_CHECK(net->queued_len < QUEUED_MAX);
		say(net, 0);
	}
	return net->peer >= 0 && !net->said.bad;
}

/* All that the peer has said goes through the buffers, which are given again; the last one used, and its length. */
static uint32_t receive_all(struct net *net, uint32_t *len)
{
	struct liar *liar = &net->liar;
	uint32_t id, last = UINT32_MAX;

	for (unsigned int quiet = 0, turns = 0; quiet < 5 && turns < TURNS_MAX; turns++) {
		uint32_t used_len;

		turn(net);
		quiet = net->queued_len ? 0 : quiet + 1;
		while (take_used(&liar->queues[RX], &id, &used_len)) {
			last = id;
			*len = used_len;
			give_buffer(net, id);
			mmio_put(liar->dev, MMIO_QUEUE_NOTIFY, RX);
			quiet = 0;
		}
	}
	FUZZ_CHECK(!net->queued_len);
	return last;
}

static void check_received(struct net *net, unsigned int seed)
{
	uint32_t len = 0, id = receive_all(net, &len);

	FUZZ_CHECK(id < LIAR_RING && len == HDR + KNOWN_LEN);
	const uint8_t *bytes = at(&net->liar.guest, receive_buffer(id));

	FUZZ_CHECK(bytes[10] == 1 && bytes[11] == 0);
	for (uint32_t i = 0; i < KNOWN_LEN; i++)
		FUZZ_CHECK(bytes[HDR + i] == (uint8_t)(seed + i * 7));
}

static void check_sent(struct net *net)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < TURNS_MAX && !take_used(&net->liar.queues[TX], &id, &len); i++)
		turn(net);
	listen_to_it(net);
	FUZZ_CHECK(!net->got.left && !net->got.head_len && net->got.frames && net->got.len == KNOWN_LEN);
	for (unsigned int i = 0; i < KNOWN_LEN; i++)
		FUZZ_CHECK(net->got.last[i] == (uint8_t)(i * 13 + 1));
}

static bool link_is_up(const struct net *net)
{
	uint16_t status = 0;

	fl_virtio_mmio_access(net->liar.dev, MMIO_CONFIG + 6, false, &status, 2);
	return status & 1;
}

static void check_a_good_driver(struct net *net)
{
	net->deaf = false;
	bool up = finish_what_was_said(net);

	liar_repent(&net->liar, FEATURE_MRG);
	for (uint32_t i = 0; i < LIAR_RING; i++)
		give_buffer(net, i);
	mmio_put(net->liar.dev, MMIO_QUEUE_NOTIFY, RX);
	if (up) {
		uint32_t ignored;

		(void)receive_all(net, &ignored);
		say_frame(net, KNOWN_LEN, 77);
		check_received(net, 77);
		FUZZ_CHECK(link_is_up(net));
		send_known(net);
		check_sent(net);
		return;
	}
	for (unsigned int i = 0; i < TURNS_MAX && link_is_up(net); i++) {
		uint32_t id, len;

		while (take_used(&net->liar.queues[RX], &id, &len))
			give_buffer(net, id);
		mmio_put(net->liar.dev, MMIO_QUEUE_NOTIFY, RX);
		turn(net);
	}
	FUZZ_CHECK(!link_is_up(net));
	/* frames are given back all the same */
	send_known(net);
	turn(net);
	FUZZ_CHECK(ring_get16(&net->liar.guest, net->liar.queues[TX].used + 2) == 1);
}

/* ---- making and unmaking it all ---- */

static int make_device(struct net *net, const struct fl_log *log)
{
	struct fl_net_device_opts opts = {.transport = liar_transport(&net->liar, log), .mtu = 65520};
	int pair[2], room = SOCKET_ROOM;

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	for (unsigned int i = 0; i < 2; i++)
		FUZZ_CHECK(!setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	opts.fd = pair[0];
	net->peer = pair[1];
	FUZZ_CHECK(!fl_net_new(&opts, &net->device, NULL));
	net->liar.dev = fl_net_transport(net->device);
	net->liar.queue_count = 2;
	return pair[0];
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	struct net *net = calloc(1, sizeof(*net));
	struct fl_log log = {.level = FL_LOG_ERROR};

	FUZZ_CHECK(net);
	liar_init(&net->liar, data, len);
	int fd = make_device(net, &log);

	liar_start(&net->liar, mmio_device_features(net->liar.dev), LIAR_RING);
	for (unsigned int i = 0; i < STEPS_MAX && net->liar.in.left; i++) {
		uint8_t step = fuzz_u8(&net->liar.in);

		if (step >= PEER_STEPS)
			peer_step(net, step);
		else
			liar_step(&net->liar, step);
		if (!net->deaf)
			listen_to_it(net);
	}
	check_a_good_driver(net);
	uint64_t digest = net->liar.digest;

	fl_loop_stop(net->liar.loop);
	fl_net_free(net->device);
	hang_up(net);
	close(fd);
	liar_fini(&net->liar);
	free(net);
	return digest;
}
