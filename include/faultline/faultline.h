/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faultline.h - the one public header of libfaultline.
 *
 * A virtual machine is made from options, given shares and a command, started and waited for:
 *
 *	fl_vm_new() -> fl_vm_add_share()* -> fl_vm_add_window()* -> fl_vm_add_port()* -> fl_vm_set_command()
 *		-> fl_vm_start() -> fl_vm_wait() -> fl_vm_free()
 *
 * Errors: functions that can fail return 0 or a negative errno. Those that take a struct fl_diag
 * also leave one sentence there that says what happened and what to do; the pointer may be NULL.
 *
 * Threads: one VM may be used from several threads only as the functions say. Different VMs are
 * independent; the library has no process-wide state (no signal handlers, no umask, no chdir).
 * vCPU threads are called back from the kernel by a real-time signal (fl_vm_opts.kick_signal) that
 * is blocked in them outside KVM_RUN: no handler is needed or installed. SIGBUS is treated likewise, since the
 * kernel tells a vCPU thread by it that the host's memory is bad under the guest (BUS_MCEERR_AR): it is taken off
 * the queue there, whatever the process does with SIGBUS otherwise. An "early kill" (BUS_MCEERR_AO, if
 * vm.memory_failure_early_kill or the process asks for it) goes to the first thread that did not choose, which may
 * be one of the embedder's, and ends a process that does not handle it. An embedder that wants its VMs to survive
 * that says prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0) in its first thread before it starts others.
 *
 * Structures that callers fill start with their own size, so that they can grow at the end: a
 * caller compiled against an older header passes a smaller size; unknown bytes must be zero.
 */
#ifndef FAULTLINE_FAULTLINE_H
#define FAULTLINE_FAULTLINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FL_PUBLIC __attribute__((visibility("default")))
#define FL_CHECKED __attribute__((warn_unused_result))

#define FL_VERSION_MAJOR 0
#define FL_VERSION_MINOR 1
#define FL_VERSION "0.1"

struct fl_vm;

/* What went wrong, for a person. error is the negative errno that was returned as well. */
struct fl_diag {
	int error;
	char text[508];
};

/* ---- a fault, as reported ------------------------------------------------------------- */

/* The numbers of the next two enums are those of the guest ABI (docs/abi.md). */
enum fl_access {
	FL_ACCESS_UNKNOWN = 0,
	FL_ACCESS_READ = 1,
	FL_ACCESS_WRITE = 2,
	FL_ACCESS_FETCH = 4,
};

enum fl_cause {
	FL_CAUSE_NONE = 0,
	FL_CAUSE_TRUNCATED = 1,	     /* past the end of the backing file */
	FL_CAUSE_NO_SPACE = 2,	     /* the host file system could not allocate the page */
	FL_CAUSE_IO_ERROR = 3,	     /* reading the page from the host's storage failed */
	FL_CAUSE_MEMORY_FAILURE = 4, /* the host's memory is bad (hwpoison) */
	FL_CAUSE_UNMAPPED = 5,	     /* the guest touched window space that maps nothing */
	FL_CAUSE_NOT_PERMITTED = 6,  /* a store to a read-only mapping */
	FL_CAUSE_UNKNOWN = 7,
};

/* What a region's policy asks for, tried in order; the end of every list is FL_ACTION_STOP. */
enum fl_action {
	FL_ACTION_STOP = 0,	  /* stop the VM with a report; its memory can still be looked at */
	FL_ACTION_REFLECT = 1,	  /* let the guest take it as an exception; windows only, never RAM */
	/*
	 * a private zero page, until the range is mapped anew or the file grows over it; for causes truncated, no space,
	 * I/O error and memory failure, passed over for others, where there is nothing that a page could stand for
	 */
	FL_ACTION_SUBSTITUTE = 2,
	FL_ACTION_ASK = 3,	  /* let fl_vm_opts.decide say; without one, the next in the list */
	/* what only an answer of fl_vm_opts.decide can be */
	FL_ACTION_RETRY = 4, /* the cause was repaired: look again, and repeat the access if the page is healthy */
	FL_ACTION_NEXT = 5,  /* the next in the list */
};

#define FL_POLICY_MAX 4
struct fl_policy {
	enum fl_action action[FL_POLICY_MAX]; /* zero-filled tail = stop */
};

enum fl_outcome {
	FL_OUTCOME_RETRIED = 0, /* the page was healthy again: the access was repeated */
	FL_OUTCOME_RECORD = 1,	/* #NP with a PVPF record: the guest knows the address */
	FL_OUTCOME_PLAIN = 2,	/* #NP without a record (guest has not enabled PVPF there) */
	FL_OUTCOME_STOPPED = 3, /* the VM was stopped */
	FL_OUTCOME_SUBSTITUTED = 4, /* a private zero page was put there and the access repeated */
};

/* How a lost page is made to come out of KVM (docs/faults.md). */
enum fl_fault_mode {
	FL_FAULT_MODE_AUTO = 0,	  /* strict where the host can and a guest's idling costs nobody a CPU, else watch */
	FL_FAULT_MODE_STRICT = 1, /* HLT does not exit: every failed access comes back at once */
	FL_FAULT_MODE_WATCH = 2,  /* HLT exits; file lengths are followed by inotify, the rest by a watchdog */
};

#define FL_FAULT_GPA_VALID 1u
#define FL_FAULT_GVA_VALID 2u
#define FL_FAULT_FILE_VALID 4u /* share, path, file_offset, file_len, mapped_file_len say something */

/* How long each step of a fault's way took (ARCHITECTURE.md), from KVM_RUN's return on. */
struct fl_fault_times {
	uint32_t intake_ns; /* with reading the registers and taking back a half-done instruction */
	uint32_t locate_ns, classify_ns, decide_ns, deliver_ns;
	uint32_t reserved;
};

struct fl_fault {
	uint32_t size;	    /* sizeof(struct fl_fault) of the library */
	uint32_t flags;	    /* FL_FAULT_* */
	uint64_t id;	    /* counts a VM's faults from 1 */
	uint64_t time_ns;   /* CLOCK_REALTIME when KVM_RUN came back with it */
	uint32_t vcpu;	    /* index */
	uint32_t cpl;	    /* 0 or 3 */
	uint64_t rip;
	uint64_t gva;	    /* first failing byte, linear; if FL_FAULT_GVA_VALID */
	uint64_t gpa;	    /* first failing byte, guest-physical; if FL_FAULT_GPA_VALID */
	enum fl_access access;
	enum fl_cause cause;
	enum fl_outcome outcome;
	uint32_t guest_seq; /* low half of the sequence number in the guest's record, 0 without one */
	uint64_t file_offset; /* of the failing byte */
	uint64_t file_len;    /* length of the file when it was looked at */
	const char *share;    /* tag; valid during the callback */
	const char *path;     /* host path, as far as it can be told; valid during the callback */
	/*
	 * how it came out: "efault", "mmio", "annotated", "mceerr", "emulation", "stall" (found by the watchdog);
	 * "request": the guest asked for a substitute (PVPF_MSR_SUBSTITUTE), and gpa is its page
	 */
	const char *shape;
	uint64_t mapped_file_len; /* length of the file when this part of it was mapped */
	struct fl_fault_times times;
};

/*
 * Writes the fault as one line of text (without a newline) into buf, always NUL-terminated.
 * Returns the length the whole line has, like snprintf.
 */
FL_PUBLIC int fl_fault_format(const struct fl_fault *fault, char *buf, size_t buf_len);
/* The same as one JSON object (RFC 8259, no newline; docs/events.md); file names that are not UTF-8 are escaped. */
FL_PUBLIC int fl_fault_format_json(const struct fl_fault *fault, char *buf, size_t buf_len);

/* ---- logging and events --------------------------------------------------------------- */

enum fl_log_level { FL_LOG_ERROR = 0, FL_LOG_WARN = 1, FL_LOG_INFO = 2, FL_LOG_DEBUG = 3 };

/* text has no newline. Called from any thread of the VM; must not call into the library. */
typedef void (*fl_log_fn)(void *arg, enum fl_log_level level, const char *text);
/* Called on the faulting vCPU's thread, once for each fault; must not call into the library. */
typedef void (*fl_fault_fn)(void *arg, const struct fl_fault *fault);
/*
 * What to do with a fault whose policy says FL_ACTION_ASK; outcome and guest_seq are not known yet. It
 * may repair the file and say FL_ACTION_RETRY; a repair that does not help is asked about again, a bounded
 * number of times. Called on the faulting vCPU's thread, which waits; must not call into the library.
 */
typedef enum fl_action (*fl_decide_fn)(void *arg, const struct fl_fault *fault);
/* Bytes that the guest wrote to its serial console; called on a vCPU thread. */
typedef void (*fl_console_fn)(void *arg, const void *bytes, size_t len);

/* What a share's DAX window is short of. */
enum fl_window_trouble {
	FL_WINDOW_NO_TROUBLE = 0,
	FL_WINDOW_NEARLY_FULL = 1, /* 15/16 of its ranges are mapped, for the first time since they were at most 7/8 */
	FL_WINDOW_NO_MAPPINGS = 2, /* a file could not be mapped: the process has no mappings left, or no memory */
};

struct fl_window_event {
	uint32_t size; /* sizeof(struct fl_window_event) of the library */
	enum fl_window_trouble trouble;
	uint64_t time_ns;	/* CLOCK_REALTIME */
	const char *region;	/* tag of the share; valid during the callback */
	uint64_t ranges;	/* of 2 MiB, in the window */
	uint64_t ranges_mapped; /* now */
	uint64_t times;		/* how often this trouble has come so far, also without an event */
	uint64_t mappings_max;	/* vm.max_map_count when the VM was started, 0 if it cannot be read */
};
/* Writes one sentence that says what to do, as fl_fault_format(). */
FL_PUBLIC int fl_window_event_format(const struct fl_window_event *event, char *buf, size_t buf_len);
/*
 * Called on the thread that serves the share, for each trouble and share at most once a minute; must not call into
 * the library. Without it the sentence is logged as a warning.
 */
typedef void (*fl_window_fn)(void *arg, const struct fl_window_event *event);

/* ---- the machine ---------------------------------------------------------------------- */

#define FL_VM_NO_PVPF 1u	      /* do not offer PVPF: the guest gets #NP without records */
#define FL_VM_BOOT_MESSAGES 2u /* let the guest kernel print all its messages, not only its troubles */
#define FL_VM_IDLES_POLITELY 4u /* the guest kernel idles by PVPF's idle exit: FL_FAULT_MODE_AUTO may trust it */

struct fl_vm_opts {
	uint32_t size;
	uint32_t flags;		/* FL_VM_* */
	const char *name;	/* for logs; NULL: "vm" */
	uint64_t ram_len;	/* bytes, multiple of 2 MiB, 64 MiB to 2 TiB */
	uint32_t vcpus;		/* 1 to 64 */
	int kick_signal;	/* real-time signal that the embedder does not use; 0: SIGRTMIN+3 */
	const char *kernel;	/* path of a bzImage */
	const char *initrd;	/* path of an initramfs, which excludes a command; NULL: the built-in agent, which runs it */
	const char *params;	/* appended to the kernel's command line; may be NULL */
	fl_log_fn log;
	fl_fault_fn fault;
	fl_console_fn console;
	void *arg;		/* first argument of all callbacks */
	enum fl_log_level log_level;
	enum fl_fault_mode fault_mode;
	fl_decide_fn decide;	     /* for FL_ACTION_ASK; may be NULL */
	struct fl_policy ram_policy; /* for host memory failures under RAM; FL_ACTION_REFLECT is passed over */
	fl_window_fn window;	     /* may be NULL */
	/*
	 * the guest's, set by the agent: 1 to 64 letters, digits, "-" and "."; NULL: name where it is such a one,
	 * "faultline" otherwise
	 */
	const char *hostname;
};
#define FL_VM_OPTS_INIT { .size = sizeof(struct fl_vm_opts), .ram_len = UINT64_C(1) << 30, .vcpus = 1, \
			  .log_level = FL_LOG_WARN }

#define FL_SHARE_WRITABLE 1u /* without it the guest cannot change anything below the directory */
/*
 * When a part of a file is mapped into the window, its pages are read at once, 2 MiB at most, and not when the guest
 * touches them; and the host's file system is asked for pages of 2 MiB.
 */
#define FL_SHARE_PREFAULT  2u
#define FL_SHARE_ONE_MOUNT 4u /* what else is mounted below the directory is shown as empty directories */
/*
 * The guest can write to the share, while nothing in the directory changes: the agent mounts an overlayfs on top, whose
 * changes go to overlay_dir, or to at most half of the guest's memory, which forgets them. Files that it has not changed
 * are mapped as without it. Not with FL_SHARE_WRITABLE. docs/virtiofs.md: Overlays.
 */
#define FL_SHARE_OVERLAY 8u

/*
 * Which regular files of a share with a window the guest maps, that is, has the host's own pages of. The agent mounts
 * with dax=inode or dax=always; what is mounted otherwise is the guest's affair.
 */
enum fl_dax {
	FL_DAX_INODE = 0,  /* those that the host can map; what it cannot is read and written with requests */
	FL_DAX_ALWAYS = 1, /* all; what the host cannot map cannot be read. A guest without DAX cannot mount the share */
};

/* Who the guest's users are on the host. */
enum fl_users {
	/* All are who runs the VM: files that the guest makes are that user's, and its rights are the guest's. */
	FL_USERS_SELF = 0,
	/*
	 * Each is the host's user of the same number, root included: files belong to who made them, and the host
	 * permits and refuses. Only for root with CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
	 * CAP_FSETID, CAP_SETUID and CAP_SETGID, and for guests that may do in the directory what root may. Linux
	 * makes no core dump of a process that has acted as another user.
	 */
	FL_USERS_HOST = 1,
};

struct fl_share_opts {
	uint32_t size;
	uint32_t flags;		/* FL_SHARE_* */
	const char *tag;	/* 1 to 35 bytes; the mount source in the guest */
	const char *dir;	/* host directory */
	const char *mount;	/* absolute path in the guest where the agent mounts it; "/" = root */
	uint64_t window_len;	/* DAX window, multiple of 2 MiB, at least 64 MiB; 0: no DAX */
	struct fl_policy policy; /* for faults in the window */
	uint32_t attr_timeout_ms; /* how long the guest may believe attributes; default 1000 */
	enum fl_dax dax;
	enum fl_users users;
	uint32_t entry_timeout_ms; /* how long it may believe names, and that there is none; default 1000 */
	/*
	 * with FL_SHARE_OVERLAY: a directory of the host, used by one VM at a time, in which its changes are kept and found
	 * again by the next run; it becomes a share of its own, with the tag TAG.changes (so TAG has at most 27 bytes).
	 * NULL: memory
	 */
	const char *overlay_dir;
};
#define FL_SHARE_OPTS_INIT { .size = sizeof(struct fl_share_opts), .window_len = UINT64_C(512) << 20, \
			     .policy = { { FL_ACTION_REFLECT, FL_ACTION_STOP } }, .attr_timeout_ms = 1000, \
			     .entry_timeout_ms = 1000 }

#define FL_WINDOW_READ_ONLY 1u

/* A file mapped at a guest-physical address, for scenarios and kernels of one's own. */
struct fl_window_opts {
	uint32_t size;
	uint32_t flags;	      /* FL_WINDOW_* */
	const char *name;     /* for reports; 1 to 31 bytes */
	int fd;		      /* a regular file or memfd opened for reading (and writing); duplicated */
	uint32_t reserved;
	uint64_t file_offset; /* multiple of 2 MiB */
	uint64_t gpa;	      /* multiple of 2 MiB, outside RAM, shares' windows and devices */
	uint64_t len;	      /* multiple of 2 MiB, not 0; the file may be shorter */
	struct fl_policy policy;
};
#define FL_WINDOW_OPTS_INIT { .size = sizeof(struct fl_window_opts), .fd = -1, \
			      .policy = { { FL_ACTION_REFLECT, FL_ACTION_STOP } } }

/*
 * The command gets a terminal of its own in the guest, as its three standard streams and its controlling terminal: job
 * control works there, and the byte 3 (Ctrl-C) interrupts. What it writes comes out at stdout_fd, and nothing at
 * stderr_fd; the end of stdin_fd is typed as the terminal's end-of-file character. The caller's descriptors are passed
 * on as they are: a caller whose own stdin_fd is a terminal makes that raw.
 */
#define FL_COMMAND_TTY 1u

/* The command that the agent runs inside; needs a share mounted at "/". */
struct fl_command {
	uint32_t size;
	uint32_t flags;		 /* FL_COMMAND_* */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in the guest's PATH */
	const char *const *envp; /* NULL-terminated "NAME=value"; NULL: a minimal environment */
	const char *cwd;	 /* in the guest; NULL: "/" */
	int stdin_fd, stdout_fd, stderr_fd; /* the caller's; not closed; -1: none */
	uint16_t rows, cols;		    /* of the terminal of FL_COMMAND_TTY; 0: not known */
	/*
	 * "name", "uid", "name:group" or "uid:gid", of the guest's /etc/passwd and /etc/group, with the groups that these
	 * list for the user; a number need not be there. NULL: root. Sets HOME, USER, LOGNAME and SHELL where envp does
	 * not. One that does not exist is FL_END_NOT_RUN with code 125.
	 */
	const char *user;
};
#define FL_COMMAND_INIT { .size = sizeof(struct fl_command), .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 }

/*
 * A network device. What is at the other end of fd makes the network: passt, QEMU's "-netdev stream", another program
 * that sends and takes each Ethernet frame behind its length (4 bytes, big-endian). When it goes away, the guest's
 * link is down for good, with a line in the log, and the guest runs on.
 *
 * The strings are for the built-in agent, which sets eth0 up before it runs the command; a guest without it, or that
 * is to ask DHCP, needs none.
 */
struct fl_net_opts {
	uint32_t size;
	uint32_t flags;	      /* none yet */
	int fd;		      /* connected stream socket; duplicated */
	uint8_t mac[6];	      /* all zero: a random one of those for local use */
	uint16_t mtu;	      /* told to the guest, 1280 to 65535; 0: not told, the guest takes 1500 */
	const char *address;  /* "10.0.2.15/24"; NULL: none */
	const char *gateway;  /* "10.0.2.2", where all else goes; NULL: nowhere */
	const char *address6; /* "fd00::15/64"; NULL: none */
	const char *gateway6;
	const char *resolv_conf; /* what stands in /etc/resolv.conf, as text; NULL: what stands there anyway */
};
#define FL_NET_OPTS_INIT { .size = sizeof(struct fl_net_opts), .fd = -1 }

/*
 * A channel of bytes between the caller and programs in the guest: a port of its virtio-console, there by its name in
 * /sys/class/virtio-ports (the device that has it is in /dev). What one side writes waits until the other reads: nothing is taken from in_fd before
 * the guest has the port open and room for it, and the guest's writes wait for out_fd. Nobody is told when the other side
 * closes: agree on a last word.
 */
struct fl_port_opts {
	uint32_t size;
	uint32_t flags;	  /* none yet */
	const char *name; /* 1 to 31 letters, digits, "-", "_" and "."; not one of the agent's (guest/agent_conf.h) */
	int in_fd;	  /* what the guest reads; duplicated; -1: nothing */
	int out_fd;	  /* where its output goes, may be the same; duplicated; -1: nowhere */
};
#define FL_PORT_OPTS_INIT { .size = sizeof(struct fl_port_opts), .in_fd = -1, .out_fd = -1 }

/* Why a VM ended. */
enum fl_end {
	FL_END_NONE = 0,      /* still running */
	FL_END_EXITED = 1,    /* the command ended; code = its exit status */
	FL_END_SIGNALED = 2,  /* the command died of a signal; code = its number */
	FL_END_POWEROFF = 3,  /* the guest powered off without saying how the command ended, if there was one */
	FL_END_RESET = 4,     /* the guest asked for a reset (reboot or panic) */
	FL_END_CRASHED = 5,   /* triple fault */
	FL_END_FAULT = 6,     /* a backing fault that the policy does not let the guest have */
	FL_END_STOPPED = 7,   /* fl_vm_stop() */
	FL_END_ERROR = 8,     /* host trouble; text says which */
	FL_END_NOT_RUN = 9,   /* the agent could not start the command; code = 126 or 127 */
};

#define FL_RESULT_NO_AGENT   1u /* the built-in agent was never heard: the kernel did not get so far, or lacks its devices */
#define FL_RESULT_PANIC	     2u /* with FL_END_RESET: the last that its console showed was a kernel panic */
#define FL_RESULT_OWN_INITRD 4u /* fl_vm_opts.initrd was given: power off and reset are its ordinary ends */

struct fl_result {
	uint32_t size;
	enum fl_end end;
	int code;
	uint64_t faults; /* reported in the VM's life */
	char text[500];	 /* one sentence where end alone does not say it all */
	uint32_t flags;	 /* FL_RESULT_* */
};

/*
 * Makes a VM: opens /dev/kvm, allocates memory, loads nothing yet. On success *vm is the
 * caller's, to be given to fl_vm_free(). -EINVAL: an option is out of range; -ENODEV, -EACCES,
 * -ENOTSUP: /dev/kvm cannot be used; others from the system calls. Nothing is left on failure.
 */
FL_PUBLIC FL_CHECKED int fl_vm_new(const struct fl_vm_opts *opts, struct fl_vm **vm, struct fl_diag *diag);

/* Adds a share; only before fl_vm_start(). Errors: -EINVAL, -EBUSY (started), -ENOSPC (too many). */
FL_PUBLIC FL_CHECKED int fl_vm_add_share(struct fl_vm *vm, const struct fl_share_opts *opts, struct fl_diag *diag);

/* Adds a plain window; only before fl_vm_start(). Errors: -EINVAL, -EBUSY (started), -ENOSPC (too many). */
FL_PUBLIC FL_CHECKED int fl_vm_add_window(struct fl_vm *vm, const struct fl_window_opts *opts, struct fl_diag *diag);

/* Adds the network device; only before fl_vm_start(). Errors: -EINVAL, -ENOTSOCK, -EBUSY (started), -ENOSPC (a second). */
FL_PUBLIC FL_CHECKED int fl_vm_add_net(struct fl_vm *vm, const struct fl_net_opts *opts, struct fl_diag *diag);

/* Adds a port; only before fl_vm_start(). Errors: -EINVAL, -EBADF, -EBUSY (started), -ENOSPC (too many). */
FL_PUBLIC FL_CHECKED int fl_vm_add_port(struct fl_vm *vm, const struct fl_port_opts *opts, struct fl_diag *diag);

/*
 * What is typed at the guest's serial console (ttyS0), for an initramfs of the caller's; only before fl_vm_start(). fd:
 * duplicated; nothing is taken from it before the guest reads there. Its end is typed as Ctrl-D. Errors: -EINVAL, -EBADF,
 * -EBUSY (started).
 */
FL_PUBLIC FL_CHECKED int fl_vm_set_console_input(struct fl_vm *vm, int fd, struct fl_diag *diag);

/* Sets the command for the built-in agent (copied); only before fl_vm_start(). */
FL_PUBLIC FL_CHECKED int fl_vm_set_command(struct fl_vm *vm, const struct fl_command *command, struct fl_diag *diag);

/* Loads the kernel and starts the vCPU and device threads; returns at once. On failure nothing runs. */
FL_PUBLIC FL_CHECKED int fl_vm_start(struct fl_vm *vm, struct fl_diag *diag);

/*
 * Waits until the VM has ended and all output has been written, at most timeout_ms (-1: for ever).
 * 0 and *result filled; -ETIMEDOUT; -EINVAL before the start. Any thread.
 */
FL_PUBLIC FL_CHECKED int fl_vm_wait(struct fl_vm *vm, int timeout_ms, struct fl_result *result);

/* Asks a running VM to end with FL_END_STOPPED. Async-signal-safe; any thread; may be repeated. */
FL_PUBLIC void fl_vm_stop(struct fl_vm *vm);

/*
 * Holds the vCPUs of a running VM until fl_vm_resume(). When it returns 0 none of them executes the guest, each has
 * finished the exit or fault that it was in (its callbacks have returned, reports were made), and none will go on.
 * Nothing is lost: interrupts and exceptions wait in KVM, and devices finish the requests that they have and take
 * output and input as their queues allow. 0 also if it is paused already.
 *
 * It waits for callbacks, and for the host where KVM waits for it (a page from a slow disk), 5 s at most: -ETIMEDOUT,
 * and the VM runs on as if nothing had been asked. -EINVAL before the start, -ESHUTDOWN when the VM ends or has ended.
 *
 * For the guest time goes on: after the pause its clocks have jumped (the TSC is not stopped, and wall-clock time is
 * right), timers that are due fire at once, and a Linux guest with kvmclock is told (KVM_KVMCLOCK_CTRL), so that it
 * does not take the pause for a lockup. A paused VM can be stopped, looked at, waited for and freed as any other.
 *
 * Any thread, but not from a callback. Calls of this, fl_vm_resume() and fl_vm_write_report() for one VM wait for one
 * another.
 */
FL_PUBLIC FL_CHECKED int fl_vm_pause(struct fl_vm *vm);
/* Lets a paused VM go on. 0 also if it is not paused. Errors and threads as fl_vm_pause(); does not wait for the guest. */
FL_PUBLIC FL_CHECKED int fl_vm_resume(struct fl_vm *vm);

/*
 * Asks the guest to power off: its agent sends SIGTERM to all processes (SIGHUP too to a command with a terminal),
 * SIGKILL 5 s later, unmounts the shares and powers off. Returns at once; fl_vm_wait() then says how the command ended,
 * be it by itself or by that signal. Asked before the command runs, the guest does so as soon as it does. A guest
 * that does not listen goes on: fl_vm_stop() after a time that the caller likes. May be repeated.
 * -EINVAL before the start, -ESRCH after the end, -ENOTSUP with an initrd of the caller's, which has no agent;
 * -EAGAIN if the guest has not listened for very long. Any thread.
 */
FL_PUBLIC FL_CHECKED int fl_vm_power_off(struct fl_vm *vm);

/*
 * Sends a signal (1 to 64, the guest's numbers) to the command's process group in the guest, when the agent has started
 * it. -EINVAL also for other numbers; else as fl_vm_power_off().
 */
FL_PUBLIC FL_CHECKED int fl_vm_signal_command(struct fl_vm *vm, int signal_number);

/*
 * Changes the size of the command's terminal, 0 for what is not known, and so sends it SIGWINCH; nothing happens without
 * FL_COMMAND_TTY. Errors as fl_vm_power_off().
 */
FL_PUBLIC FL_CHECKED int fl_vm_resize_terminal(struct fl_vm *vm, uint16_t rows, uint16_t cols);

/* Stops the VM if it runs, joins its threads, frees it. NULL is allowed. Not from a callback. */
FL_PUBLIC void fl_vm_free(struct fl_vm *vm);

/* ---- looking at it -------------------------------------------------------------------- */

struct fl_counters {
	uint32_t size, reserved;
	uint64_t faults;     /* all that were reported */
	uint64_t outcome[8]; /* by enum fl_outcome */
	uint64_t cause[8];   /* by enum fl_cause */
	/* of DAX windows, in ranges of 2 MiB */
	uint64_t window_ranges, window_ranges_mapped; /* in all, and mapped now */
	uint64_t window_ranges_most;		      /* mapped at any time; of several windows the sum */
	uint64_t window_nearly_full;		      /* how often: FL_WINDOW_NEARLY_FULL */
	uint64_t window_no_mappings;		      /* FL_WINDOW_NO_MAPPINGS */
};
/* region: a share's tag, a window's name, "ram", or NULL for the whole VM. -ENOENT; -EINVAL before the start. Any thread. */
FL_PUBLIC FL_CHECKED int fl_vm_get_counters(struct fl_vm *vm, const char *region, struct fl_counters *counters);

struct fl_vm_status {
	uint32_t size;
	enum fl_fault_mode mode; /* strict or watch: decided by fl_vm_new() */
	char mode_why[248];	 /* one sentence */
};
FL_PUBLIC FL_CHECKED int fl_vm_get_status(struct fl_vm *vm, struct fl_vm_status *status);

/* Copies guest memory; -EFAULT where there is none or its page is lost, -EINVAL before the start. Any thread. */
FL_PUBLIC FL_CHECKED int fl_vm_read_memory(struct fl_vm *vm, uint64_t gpa, void *buf, size_t len);

/*
 * The getters below fill a structure that the caller has given its size. All may be called by any thread from
 * fl_vm_start() on (-EINVAL before it, but for fl_vm_get_info()) until fl_vm_free(), also when the VM has ended, and do
 * not disturb a VM that runs. Strings that they point to live until fl_vm_free().
 */

enum fl_vm_state {
	FL_VM_NOT_STARTED = 0,
	FL_VM_RUNNING = 1,
	FL_VM_PAUSED = 2, /* fl_vm_pause() has returned 0, fl_vm_resume() has not been called */
	FL_VM_ENDED = 3,  /* fl_vm_wait() returns at once */
};

struct fl_vm_info {
	uint32_t size;
	enum fl_vm_state state;
	const char *name;
	uint64_t start_time_ns; /* CLOCK_REALTIME when fl_vm_start() returned; 0 before */
	uint64_t uptime_ns;	/* since then, pauses included, until its end */
	uint64_t paused_ns;	/* of that, paused */
	uint64_t ram_len;
	uint64_t ram_host_len;	/* of that, what the host has spent memory on so far */
	uint64_t faults;	/* reported so far */
	enum fl_fault_mode mode;
	uint32_t vcpus;		/* fl_vm_get_vcpu() takes less than this; these three are 0 before the start */
	uint32_t regions;	/* fl_vm_get_region() */
	uint32_t shares;	/* fl_vm_get_share() */
};
FL_PUBLIC FL_CHECKED int fl_vm_get_info(struct fl_vm *vm, struct fl_vm_info *info);

enum fl_vcpu_state {
	FL_VCPU_NOT_RUNNING = 0, /* its thread has ended */
	FL_VCPU_RUNNING = 1,	 /* in the guest, or in KVM on its behalf */
	FL_VCPU_HALTED = 2,	 /* waits for an interrupt, or for the guest to start it (host kernels since 5.16) */
	FL_VCPU_SERVED = 3,	 /* waits for the VMM: a device's register, for instance */
	FL_VCPU_IN_FAULT = 4,	 /* waits for what is done with a fault of its */
	FL_VCPU_PAUSED = 5,
};

#define FL_VCPU_RIP_VALID 1u /* only of a vCPU that is paused or not running */

struct fl_vcpu_info {
	uint32_t size;
	uint32_t flags; /* FL_VCPU_* */
	enum fl_vcpu_state state;
	uint32_t index;
	uint64_t cpu_time_ns; /* of its thread, the guest's included */
	uint64_t exits;	      /* how often KVM_RUN has returned */
	uint64_t faults;      /* reported */
	uint64_t rip;
};
/* -ENOENT: there is no such vCPU. */
FL_PUBLIC FL_CHECKED int fl_vm_get_vcpu(struct fl_vm *vm, uint32_t index, struct fl_vcpu_info *info);

enum fl_region_type {
	FL_REGION_TYPE_RAM = 0,
	FL_REGION_TYPE_SHARE = 1,  /* a share's DAX window: the guest says what it maps */
	FL_REGION_TYPE_WINDOW = 2, /* fl_vm_add_window() */
};

struct fl_region_info {
	uint32_t size;
	enum fl_region_type type;
	const char *name; /* "ram", also where it is in two pieces; a share's tag; a window's name */
	const char *dir;  /* a share's host directory as it was given, else NULL */
	uint64_t gpa, len;
	struct fl_policy policy;
	/* of windows, else 0: ranges of 2 MiB in all, mapped now, mapped at any time; pages substituted now */
	uint64_t ranges, ranges_mapped, ranges_most;
	uint64_t substitutes;
};
/* The memory map, by rising address. -ENOENT: there is no such region. */
FL_PUBLIC FL_CHECKED int fl_vm_get_region(struct fl_vm *vm, uint32_t index, struct fl_region_info *info);

struct fl_share_info {
	uint32_t size;
	uint32_t flags;	   /* FL_SHARE_* */
	const char *tag, *dir;
	const char *mount; /* "" for what keeps the changes of an overlay */
	uint64_t window_gpa, window_len; /* 0: no DAX */
	enum fl_dax dax;
	enum fl_users users;
	uint64_t requests;  /* of the guest, so far */
	uint64_t errors;    /* of these, answered with an error, as most programs cause now and then */
	uint64_t malformed; /* what an honest guest never sends */
	uint64_t lost;	    /* whose own memory had vanished */
};
/* The shares in the order in which they were added. -ENOENT: there is no such share. */
FL_PUBLIC FL_CHECKED int fl_vm_get_share(struct fl_vm *vm, uint32_t index, struct fl_share_info *info);

#define FL_MAPPING_WRITABLE    1u
#define FL_MAPPING_BEYOND_END  2u /* the file ended before these pages when they were last looked at */
#define FL_MAPPING_SUBSTITUTED 4u /* private zero pages stand for those of the file */
#define FL_MAPPING_BROKEN      8u /* lost to the VMM; the VM was stopped for it. Nothing else is known of it */

/* Pages of a window that follow one another in one file. */
struct fl_mapping {
	uint32_t size;
	uint32_t flags; /* FL_MAPPING_* */
	uint64_t window_offset, len;
	uint64_t file_offset; /* of the first byte */
	uint64_t mapped_file_len; /* the file's length when they were mapped */
	uint64_t file_len;	  /* and now, as the host's kernel has it */
	uint64_t dev, ino;	  /* of the file, as stat(2) has them */
	char path[4096];	  /* as the host's kernel tells it now, " (deleted)" and all; "?" if it does not */
};
/*
 * Copies what the window of a region maps into up to count mappings, by rising offset, from *cursor on, which is 0 at
 * first and is moved on. mappings[0].size is the size of each. Returns how many there are, 0 at the end, or -errno:
 * -ENOENT if there is no such region, -EINVAL. RAM maps nothing. No lock is held from one mapping to the next: of a VM
 * that runs each was true at some time during the call.
 */
FL_PUBLIC FL_CHECKED int fl_vm_read_mappings(struct fl_vm *vm, uint32_t region, uint64_t *cursor,
					     struct fl_mapping *mappings, size_t count);

/*
 * Writes all that is known of a VM to fd, as text: how it ended if it has, the last fault, every vCPU's registers, the memory
 * map, what the windows map. A VM that runs is paused while that is collected, not while
 * it is written. -EINVAL before the start, -ETIMEDOUT as fl_vm_pause(), -errno of write(2). Any thread, but not from a
 * callback.
 */
FL_PUBLIC FL_CHECKED int fl_vm_write_report(struct fl_vm *vm, int fd);

/* ---- the host ------------------------------------------------------------------------- */

enum fl_host_use {
	FL_HOST_LINUX = 0, /* runs Linux guests */
	FL_HOST_SMALL = 1, /* /dev/kvm runs small guests, but not Linux (text says what failed) */
	FL_HOST_NONE = 2,  /* no usable /dev/kvm */
};

struct fl_host_report {
	uint32_t size;
	enum fl_host_use use;
	bool strict;	 /* HLT exits can be disabled: every failed access comes back at once */
	bool watch;	 /* files can be followed by inotify */
	char kvm[64];	 /* "SVM", "VMX", "PVM (software)", ... */
	char text[440];	 /* one sentence: why */
	char shapes[64]; /* how lost pages were seen to come out here: "efault", "mmio", ...; separated by spaces */
};

/* Finds out by running probe guests of a few instructions (some ms). 0, or -errno if even the trying failed. */
FL_PUBLIC FL_CHECKED int fl_host_probe(struct fl_host_report *report);
/*
 * Finds out `use` alone, with kvm and text: for those who are about to start a VM. One guest is run at most, and none
 * where sysfs says that VMX or SVM are behind /dev/kvm. strict is what KVM says of itself, watch is false and shapes
 * empty.
 */
FL_PUBLIC FL_CHECKED int fl_host_probe_use(struct fl_host_report *report);

struct fl_kernel_info {
	uint32_t size, reserved;
	char release[128]; /* as of uname -r; "": the image does not say, or no printable word */
};
/*
 * Looks at the header of a kernel image. 0: fl_vm_start() would load it, given memory enough. -ENOEXEC: it is no
 * x86-64 bzImage, or cut short, with a sentence; or the errors of open(2) and read(2). Any thread.
 */
FL_PUBLIC FL_CHECKED int fl_kernel_probe(const char *path, struct fl_kernel_info *info, struct fl_diag *diag);

/*
 * The agent that is built into the library, a static program for Linux on x86-64, and its length: what a guest without a
 * caller's initrd runs first. For those who want its other use, "faultline-agent scenario" (guest/scenario_wire.h). Constant.
 */
FL_PUBLIC const void *fl_agent_program(size_t *len);

FL_PUBLIC const char *fl_version(void);
FL_PUBLIC const char *fl_cause_name(enum fl_cause cause);   /* "truncated", ... */
FL_PUBLIC const char *fl_access_name(enum fl_access access); /* "read", ... */
FL_PUBLIC const char *fl_outcome_name(enum fl_outcome outcome);
FL_PUBLIC const char *fl_action_name(enum fl_action action);	   /* "reflect", ... */
FL_PUBLIC const char *fl_vm_state_name(enum fl_vm_state state);	   /* "running", ... */
FL_PUBLIC const char *fl_vcpu_state_name(enum fl_vcpu_state state);
FL_PUBLIC const char *fl_region_type_name(enum fl_region_type type); /* "ram", "share", "window" */
FL_PUBLIC const char *fl_fault_mode_name(enum fl_fault_mode mode); /* "strict", ... */

#ifdef __cplusplus
}
#endif
#endif
