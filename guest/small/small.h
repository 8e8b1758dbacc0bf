/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small kernel: what a scenario's machine without Linux boots. It has the actors of the machine (scenario_wire.h)
 * and nothing else; they map files of the shares by FUSE into the shares' windows (docs/virtiofs.md), and what a lost
 * page does to them comes to it as a record (docs/abi.md).
 *
 *	head.S		entry, exceptions, the tables of the CPU, calls to CPL 0
 *	main.c		the order in which all of it begins
 *	ops.c		what actors can do here
 *	machine.c	what the machine has: device tree, command line, interrupts
 *	system.c	what of a C library the actors' sources use, and the clock
 *	virtio.c	a device's queues
 *	channel.c	the console's port to the runner
 *	fuse.c		a share: requests, paths
 *	share_files.c	steps with files
 *	share_maps.c	steps with mappings
 *	actors.c	the actors, in turn, and their faults
 *	manager.c	talks to the runner, keeps the case
 *
 * One CPU. All C code runs at CPL 3, with interrupts on, which do nothing but count. Actors take turns: each has a
 * stack, and gives way before each step and where it waits.
 */
#ifndef FL_SMALL_H
#define FL_SMALL_H

#include "guest/actor_port.h"
#include "guest/actor_script.h"
#include "guest/small/small_layout.h"

#define SMALL_SHARES_MAX 16u
#define SMALL_PATH_MAX	 4096u
#define SMALL_PIECE_LEN	 65536u /* of a file, in one request */

/* ---- head.S ---- */

/* The last exception. */
struct small_trap {
	uint64_t vector, error, rip, cr2;
};
extern struct small_trap small_trap;
extern volatile uint64_t small_events; /* interrupts so far */
extern uint32_t small_idle_msr;	       /* 0: HLT */
extern uint64_t small_try_stack;       /* 0: nothing is tried */
extern uint64_t small_pdpt[512];

void small_call(uint32_t what, uint64_t a, uint64_t b);
/* 0; -1: an exception ended it, and small_trap has it. */
int small_try(void (*fn)(void *arg), void *arg);
/* Leaves this stack, whose pointer goes to *from, for another. */
void small_switch(uint64_t *from, uint64_t to);

/* ---- machine.c ---- */

struct small_device {
	volatile uint32_t *regs; /* of virtio-mmio */
	uint32_t gsi;
	uint32_t id; /* 0: none */
};
/* Reads what the loader left, sets interrupts up. */
void small_machine_init(const uint8_t *zero_page);
/* The index-th virtio device; NULL: there are no more. */
struct small_device *small_machine_device(uint32_t index);
/* The next word NAME=... of the command line behind *at (NULL: from the beginning): its value, and its length. */
const char *small_machine_word(const char *name, const char **at, size_t *len);
/* To the serial port: %s, %u, %d, %x and %llx. */
void small_print(const char *format, ...) FL_PRINTF(1, 2);
/* Says why, and resets the machine. */
void small_die(const char *format, ...) FL_PRINTF(1, 2) __attribute__((noreturn));
void small_idle(uint64_t events, uint64_t ns); /* until an event beyond these, or that long */

/* ---- system.c ---- */

void small_clock_init(void);
void small_cpuid(uint32_t leaf, uint32_t words[4]);
void *small_pages(size_t len); /* zeroed, page-aligned; never freed */

/* ---- virtio.c ---- */

struct small_buffer {
	const void *at;
	uint32_t len;
};

/* One chain at a time if it is used by small_queue_put(), with `size` buffers in it at most. */
struct small_queue {
	struct small_device *device;
	uint32_t index;
	uint16_t size, put, taken;
	struct vring_desc *desc;
	struct vring_avail *avail;
	volatile struct vring_used *used;
};
void small_virtio_begin(struct small_device *device, uint64_t features); /* FEATURES_OK */
void small_virtio_queue(struct small_device *device, uint32_t index, uint16_t size, struct small_queue *queue);
void small_virtio_go(struct small_device *device); /* DRIVER_OK */
/* From descriptor `first` on: readable ones, then writable ones. */
void small_queue_put(struct small_queue *queue, uint16_t first, const struct small_buffer *buffers, uint32_t readable,
		     uint32_t writable);
void small_queue_notify(struct small_queue *queue);
/* A chain that came back: its first descriptor, and how much was written; false: none. */
bool small_queue_take(struct small_queue *queue, uint16_t *first, uint32_t *len);

/* ---- channel.c ---- */

void small_channel_init(struct small_device *device, const char *name);
bool small_channel_read(struct fl_actor_port *port); /* what is there; true if there was something */
bool small_channel_flush(
	struct fl_actor_port *port); /* what can be written now; true: the host has not taken all yet */

/* ---- fuse.c ---- */

struct small_share;
void small_share_init(struct small_device *device);
void small_shares_mount(void); /* by the words of the command line */
/* No request is under way. */
bool small_shares_are_idle(void);
/* Whoever asked will not take the answer. */
void small_abandon(const struct fl_actor_thread *thread);

/* What a request answers: 0 or -errno. in: its arguments, of two pieces; out: of this length or shorter. */
struct small_request {
	uint32_t opcode;
	uint64_t node;
	struct small_buffer in[3];
	void *out;
	uint32_t out_len; /* room; then how much came */
};
int small_fuse(struct small_share *share, struct small_request *request);
void small_forget(struct small_share *share, uint64_t node);
/* The share that has the path, and what stands behind it; NULL: none. */
struct small_share *small_share_of(const char *path, const char **rest);
/*
 * The node of a path of a share, to be forgotten by the caller; or, with `last`, of the directory that it is in, and
 * its last part. 0 or -errno.
 */
int small_walk(struct small_share *share, const char *rest, uint64_t *node, uint64_t *len, const char **last);

/* ---- share_files.c, share_maps.c ---- */

struct small_file {
	struct small_share *share; /* NULL: not open */
	uint64_t node, handle;
	uint32_t how; /* FL_SCN_O_* */
};
const struct small_file *small_file_of(int number);
/* NULL: the actor has none of that number. */
const struct small_file *small_file(const struct fl_actor_self *self, uint64_t number);
/* Opens it for the kernel itself, or for an actor: the number of a free file, or -errno. */
int small_open(const char *path, uint32_t how);
void small_close_all(void);

/* Where a part of a file is mapped; 0, or -errno. */
int small_map_own(int file, uint64_t len, uint8_t **at); /* for the kernel itself, from the file's begin on; once */
void small_unmap_all(void);
void small_windows_init(struct small_share *share, uint64_t gpa, uint64_t len);
struct small_window {
	uint64_t gpa, ranges;
	uint64_t next;	 /* range from which a free one is looked for */
	uint64_t *taken; /* a bit for each */
};
struct small_window *small_window_of(struct small_share *share);

/* ---- actors.c ---- */

struct fl_actor_system {
	bool news; /* the manager is to look */
};
/* All that are loaded and have no parent begin. */
void small_actors_start(struct fl_actor_world *world);
/* Gives each that has something to do a turn; the time until one has: 0: at once, UINT64_MAX: none waits. */
uint64_t small_actors_turn(void);
void small_actors_forget(void);
/* Of an actor or, where none has the turn, of the kernel itself: lets that much time go by. */
void small_give_way(uint64_t ns);
void small_pvpf_init(void);
/* Who has the turn; NULL: the kernel itself. */
const struct fl_actor_thread *small_current(void);
/* Bytes of the actor's own, SMALL_PIECE_LEN; the number of its process, below FL_SCN_ACTORS_MAX. */
uint8_t *small_scratch(const struct fl_actor_self *self);
uint32_t small_process_number(const struct fl_actor_self *self);
void small_lost(void); /* head.S: an exception that nobody tried to have */

/* ---- manager.c ---- */

void small_manage(void) __attribute__((noreturn));
void small_killed(uint32_t actor, uint32_t signal); /* that ended its process */

#endif
