/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm: the machine as a whole. Who does what:
 *	vm.c		the public life of a VM: new, add_share, set_command, start, wait, stop, free
 *	load.c		what the guest starts from: kernel, command line, initramfs
 *	memory.c	RAM and windows: where they lie, their memslots
 *	windows.c	plain windows: files at addresses that the caller chose
 *	watching.c	the fault mode, and what watch mode needs: inotify and the watchdog
 *	faults.c	what vCPUs report and ask; status, counters, memory for whoever looks
 *	pause.c		holds the vCPUs, and lets them go on
 *	info.c		what a VM is and does, as structures for whoever looks
 *	stretch.c	what a window maps, in as few pieces as there are
 *	report.c	all that is known of a VM, as text
 *	network.c	the network device: its socket
 *	ports.c		what the caller reads and writes of the guest's consoles
 *	devices.c	the virtio devices and their loop threads
 *	bus.c		port and MMIO accesses of the vCPUs
 *	ending.c	how a VM ends: the supervisor thread, the agent's status lines
 *	control.c	what the agent is asked for while it runs
 *
 * Locks: `lock` guards the members marked [lock]; nothing else is taken while it is held. `pause_lock` is held by
 * whoever brings the vCPUs to a stand, until they go on or are to stay; it is taken before all others, and by no thread
 * of the VM. All other members are set before the threads start and constant afterwards.
 */
#ifndef FL_VM_H
#define FL_VM_H

#include <stdatomic.h>

#include "fl_log.h"
#include "fl_loop.h"
#include "mmu_backing/guest_ram.h"
#include "mmu_backing/watch.h"
#include "mmu_backing/window.h"
#include "vcpu/vcpu.h"
#include "vcpu/watchdog.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/rng.h"
#include "virtiofs/fs_device.h"
#include "vmm/config.h"
#include "vmm/dtb.h"
#include "vmm/fault_mode.h"
#include "vmm/layout.h"
#include "vmm/map_budget.h"
#include "vmm/placement.h"
#include "vmm/serial_input.h"

struct fl_vm_share {
	struct fl_share_config config;
	int root_fd;
	struct fl_vm *vm;
	struct fl_window *window; /* NULL: no DAX */
	uint64_t window_gpa;
	struct fl_loop *loop;
	struct fl_fs_device *device;
	char name[16]; /* "fs0" */
};

/* A file at an address that the caller chose. */
/* A port that the caller added. */
struct fl_vm_port {
	struct fl_port_config config;
	int in_fd, out_fd; /* our own; -1: none */
};

struct fl_vm_window {
	struct fl_window_config config;
	struct fl_backing *backing;
	struct fl_window *window; /* from the start on */
};

struct fl_vm_net {
	bool added;
	struct fl_net_config config;
	int fd; /* a duplicate of the caller's; valid if added */
	struct fl_loop *loop;
	struct fl_net *device;
};

/* A report, with strings that outlive the callback. */
struct fl_kept_fault {
	struct fl_fault fault; /* id 0: there was none */
	char share[FL_TAG_MAX + 1];
	char path[512];
};

/* A virtio page on the bus. */
struct fl_vm_device {
	uint64_t gpa;
	struct fl_virtio_mmio *transport;
};

struct fl_vm {
	struct fl_vm_config config;
	struct fl_log log;
	struct fl_log_limit guest_limit; /* for what a guest can make us say */

	struct fl_kvm_vm kvm;
	struct fl_guest_ram ram;
	struct fl_placement place;
	struct fl_gpa_map map;
	struct fl_fault_mode_choice mode;
	uint64_t mappings_max;	/* vm.max_map_count; 0: not known */
	struct fl_watch *watch; /* NULL: nothing to follow, or it could not be had in strict mode */
	struct fl_watchdog *watchdog;

	struct fl_vm_share shares[FL_SHARES_MAX];
	unsigned int share_count;
	struct fl_vm_window windows[FL_WINDOWS_MAX];
	unsigned int window_count;
	struct fl_vm_port ports[FL_PORTS_MAX];
	unsigned int port_count;
	struct fl_vm_net net;
	struct fl_command_config command;

	struct fl_serial serial;
	int console_fd; /* what is typed there; our own; -1: nothing */
	struct fl_serial_input serial_input;
	struct fl_loop *console_loop;
	struct fl_console *console;
	struct fl_rng *rng; /* on the console's loop */
	struct fl_vm_device devices[FL_VIRTIO_DEVICES_MAX];
	struct fl_dtb_virtio device_nodes[FL_VIRTIO_DEVICES_MAX];
	unsigned int device_count;

	struct fl_vcpu_env env;
	struct fl_vcpu *vcpus[FL_VCPUS_MAX];

	int wake_fd;		/* eventfd: the supervisor should look */
	atomic_bool stop_asked; /* by fl_vm_stop() */
	int control_fds[2];	/* a pipe to the agent's port fl.control; non-blocking, as long as the VM lives */
	pthread_t supervisor;
	bool started;	       /* the supervisor exists */
	char status_line[256]; /* the agent's, being collected; console loop thread only */
	size_t status_line_len;

	uint64_t start_ns, start_time_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME */

	pthread_mutex_t pause_lock;
	atomic_bool paused; /* by fl_vm_pause(); written with pause_lock */

	pthread_mutex_t lock;
	pthread_cond_t done_cond;
	uint64_t end_ns;		 /* [lock] CLOCK_MONOTONIC; 0: not yet */
	uint64_t paused_at_ns;		 /* [lock] CLOCK_MONOTONIC; 0: it is not paused */
	uint64_t paused_ns;		 /* [lock] in all earlier pauses */
	bool done;			 /* [lock] everything has stopped, result is final */
	bool ending;			 /* [lock] the first cause of an end has been taken */
	bool command_ended;		 /* [lock] the agent said how */
	bool agent_heard;		 /* [lock] whatever it said */
	bool panicked;			 /* [lock] so said the guest's console when it asked for a reset */
	struct fl_result command_result; /* [lock] */
	struct fl_result result;	 /* [lock] */
	struct fl_kept_fault last_fault; /* [lock] */
};

/* memory.c: RAM and windows into the map and KVM; on failure what was made stays for fl_vm_memory_fini(). */
FL_CHECKED_RESULT int fl_vm_memory_init(struct fl_vm *vm, struct fl_diag *diag);
void fl_vm_memory_fini(struct fl_vm *vm);

/* Is there a share or a window of this name? */
bool fl_vm_has_region(const struct fl_vm *vm, const char *name);

/* load.c: kernel, command line and initramfs into guest memory; entry: where vCPU 0 starts. */
FL_CHECKED_RESULT int fl_vm_load(struct fl_vm *vm, struct fl_vcpu_entry *entry, struct fl_diag *diag);

/* windows.c: makes each and maps its file; a window without a place in the map is the caller's to free. */
FL_CHECKED_RESULT int fl_vm_windows_init(struct fl_vm *vm, struct fl_diag *diag);
void fl_vm_windows_fini(struct fl_vm *vm);   /* the windows; what they would map stays */
void fl_vm_windows_forget(struct fl_vm *vm); /* the rest */

/* memory.c: a new window, watched as the mode wants it, in the map. *window is set as soon as there is one. */
struct fl_window_plan {
	const char *name;
	uint64_t gpa, len;
	struct fl_policy policy;
};
FL_CHECKED_RESULT int fl_vm_make_window(struct fl_vm *vm, const struct fl_window_plan *plan, struct fl_window **window,
					struct fl_diag *diag);

/* watching.c: makes the KVM VM in the mode that is right; inotify for the windows; the watchdog over the vCPUs. */
FL_CHECKED_RESULT int fl_vm_mode_init(struct fl_vm *vm, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_vm_watch_init(struct fl_vm *vm, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_vm_watchdog_init(struct fl_vm *vm, struct fl_diag *diag); /* before the vCPUs start */
FL_CHECKED_RESULT int fl_vm_watchdog_start(struct fl_vm *vm, struct fl_diag *diag);
void fl_vm_watchdog_stop(struct fl_vm *vm); /* before the vCPUs; idempotent */
void fl_vm_watch_stop(struct fl_vm *vm);    /* after all that maps; idempotent */
void fl_vm_watch_fini(struct fl_vm *vm);    /* after the windows are gone */

/* ending.c: lets the supervisor see what has changed. */
void fl_vm_wake(const struct fl_vm *vm);

/*
 * pause.c: brings the vCPUs to a stand, with pause_lock held; on failure, that of fl_vm_pause(), they go on. A VM that
 * has ended can be held, too.
 */
FL_CHECKED_RESULT int fl_vm_hold(struct fl_vm *vm);
void fl_vm_let_go(struct fl_vm *vm); /* unless it is paused */
enum fl_vm_state fl_vm_state(struct fl_vm *vm);

/* faults.c: fl_window_trouble_fn of a struct fl_vm_share */
void fl_vm_window_trouble(void *share, enum fl_window_trouble trouble, const struct fl_window_stats *stats);

/* faults.c: struct fl_vcpu_ops */
void fl_vm_fault(void *arg, const struct fl_fault *fault);
enum fl_action fl_vm_ask(void *arg, const struct fl_fault *fault);
/*
 * Copies guest memory for somebody who looks: unlike fl_gmem_read() it takes RAM, too, for what may be lost (bad
 * memory of the host), since SIGBUS would be the embedder's end. 0, -EFAULT.
 */
FL_CHECKED_RESULT int fl_vm_look(const struct fl_gpa_map *map, uint64_t gpa, void *buf, size_t len);

/* network.c; all but forget: like devices.c, which calls them */
FL_CHECKED_RESULT int fl_vm_net_init(struct fl_vm *vm, const struct fl_virtio_mmio_opts *transport,
				     struct fl_diag *diag);
void fl_vm_net_fini(struct fl_vm *vm);
void fl_vm_net_report(struct fl_vm *vm);
void fl_vm_net_forget(struct fl_vm *vm); /* what the caller gave */

/* ports.c */
void fl_vm_ports_forget(struct fl_vm *vm);

/* devices.c */
FL_CHECKED_RESULT int fl_vm_devices_init(struct fl_vm *vm, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_vm_devices_start(struct fl_vm *vm, struct fl_diag *diag);
void fl_vm_devices_stop(struct fl_vm *vm); /* loops only; idempotent */
void fl_vm_devices_fini(struct fl_vm *vm);
void fl_vm_devices_report(struct fl_vm *vm); /* a log line per share, and for the network */

/* bus.c: struct fl_vcpu_ops */
void fl_vm_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count);
void fl_vm_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len);

/* ending.c */
void fl_vm_end(struct fl_vm *vm, enum fl_end end, int code, const char *format, ...) FL_PRINTF(4, 5);
void fl_vm_guest_reset(struct fl_vm *vm);    /* vCPU thread: the guest asked for a reset */
void fl_vm_guest_poweroff(struct fl_vm *vm); /* vCPU thread */
void fl_vm_vcpu_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag);
void fl_vm_status_received(void *arg, const void *bytes, size_t len); /* console loop thread */
FL_CHECKED_RESULT int fl_vm_supervisor_start(struct fl_vm *vm, struct fl_diag *diag);

#endif
