/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/actor_talk.h"

#include <string.h>

static int take_hello(struct fl_actor_talk *talk, const uint8_t *body, struct fl_diag *diag)
{
	struct fl_scn_wire_hello hello;

	memcpy(&hello, body, sizeof(hello));
	if (talk->hello_came || hello.cpus || hello.page_len != FL_PAGE_LEN || hello.reserved)
		return fl_diag(diag, -EPROTO, "a HELLO that cannot be");
	if (hello.version != FL_SCN_VERSION)
		return fl_diag(diag, -EPROTO, "the host speaks version %u of the protocol, and this is %d",
			       hello.version, FL_SCN_VERSION);
	talk->hello_came = true;
	return talk->ops->map_page(talk->arg, diag);
}

static int take_ping(struct fl_actor_talk *talk, const uint8_t *body)
{
	struct fl_scn_wire_time time;

	memcpy(&time, body, sizeof(time));
	time.ns = fl_now_ns(CLOCK_MONOTONIC);
	fl_actor_port_put(talk->port, FL_SCN_PONG, &time, sizeof(time), NULL, 0);
	return 0;
}

static int take_actor(struct fl_actor_talk *talk, const uint8_t *body, size_t len, struct fl_diag *diag)
{
	struct fl_scn_wire_actor_id id = {0};
	int ret;

	if (talk->started)
		return fl_diag(diag, -EPROTO, "an ACTOR after START");
	ret = fl_actor_load(talk->world->actors, body, len, &id.actor, diag);
	if (!ret)
		fl_actor_port_put(talk->port, FL_SCN_LOADED, &id, sizeof(id), NULL, 0);
	return ret;
}

static int take_start(struct fl_actor_talk *talk, struct fl_diag *diag)
{
	int ret = talk->started ? fl_diag(diag, -EPROTO, "a second START") : 0;

	if (!ret)
		ret = fl_actor_check(talk->world->actors, diag);
	talk->started = true;
	return ret ? ret : talk->ops->start(talk->arg, diag);
}

static int take_stop(struct fl_actor_talk *talk, struct fl_diag *diag)
{
	int ret = talk->ops->stop(talk->arg, diag);

	talk->started = false;
	if (!ret)
		fl_actor_port_put(talk->port, FL_SCN_STOPPED, NULL, 0, NULL, 0);
	return ret;
}

static bool len_is_right(const struct fl_scn_wire_head *head)
{
	switch (head->type) {
	case FL_SCN_HELLO:
		return head->len == sizeof(struct fl_scn_wire_hello);
	case FL_SCN_PING:
		return head->len == sizeof(struct fl_scn_wire_time);
	case FL_SCN_ACTOR:
		return true;
	case FL_SCN_START:
	case FL_SCN_STOP:
		return head->len == 0;
	default:
		return false;
	}
}

static int dispatch(struct fl_actor_talk *talk, const struct fl_scn_wire_head *head, const uint8_t *body,
		    struct fl_diag *diag)
{
	if (!len_is_right(head) || (head->type != FL_SCN_HELLO && !talk->hello_came))
		return fl_diag(diag, -EPROTO, "message of type %u, %u bytes, is none that the host can send",
			       head->type, head->len);
	switch (head->type) {
	case FL_SCN_HELLO:
		return take_hello(talk, body, diag);
	case FL_SCN_PING:
		return take_ping(talk, body);
	case FL_SCN_ACTOR:
		return take_actor(talk, body, head->len, diag);
	case FL_SCN_START:
		return take_start(talk, diag);
	default:
		return take_stop(talk, diag);
	}
}

/* A host that does not take the answers is asked nothing more. */
int fl_actor_talk_take(struct fl_actor_talk *talk, struct fl_diag *diag)
{
	struct fl_scn_wire_head head;
	const uint8_t *body;
	int ret = 0;

	while (!ret && fl_actor_port_has_room(talk->port)) {
		int has = fl_actor_port_peek(talk->port, &head, &body);

		if (has <= 0)
			return has ? fl_diag(diag, has, "a message of the host is too long") : 0;
		ret = dispatch(talk, &head, body, diag);
		if (!ret)
			fl_actor_port_drop(talk->port);
	}
	return ret;
}

bool fl_actor_talk_has_message(const struct fl_actor_talk *talk)
{
	struct fl_scn_wire_head head;
	const uint8_t *body;

	return fl_actor_port_peek(talk->port, &head, &body) != 0;
}

void fl_actor_talk_hello(struct fl_actor_talk *talk, uint32_t cpus, uint32_t page_len)
{
	const struct fl_scn_wire_hello hello = {.version = FL_SCN_VERSION, .cpus = cpus, .page_len = page_len};

	fl_actor_port_put(talk->port, FL_SCN_HELLO, &hello, sizeof(hello), NULL, 0);
}
