/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_SCN_GUESTS_IMPL_H
#define FL_SCN_GUESTS_IMPL_H

#include <limits.h>
#include <pthread.h>
#include <sys/types.h>

#include "cli/ring.h"
#include "cli/scenario/guests/guests.h"
#include "cli/scenario/wire/wire.h"

#define FL_SCN_FAULTS_MAX 4096u /* kept of a case; more are counted */

/* The share with the page of marks, and of others by their index in the machine. */
#define FL_SCN_PAGE_MOUNT "/faultline"
#define FL_SCN_PAGE_TAG	  "marks"
#define FL_SCN_SHARE_TAG  "scenario%u"

/* A fault in which a vCPU waits for its answer: in that thread's frame. */
struct fl_scn_held {
	struct fl_scn_held *next;
	uint64_t number;
	bool answered;
	enum fl_action answer;
};

struct fl_scn_guests {
	/* what it is: constant after fl_scn_guests_new() */
	struct fl_scn_guests_opts opts; /* machine and dirs are those of the first case: not used later */
	char *description;		/* of what it was made of, to be compared */
	char page_dir[PATH_MAX];
	struct fl_scn_page_file page;
	struct fl_vm *vm; /* or */
	pid_t pid;	  /* the native program; 0: none */
	int channel;	  /* to its actors' program */
	int wake_fd;	  /* eventfd: the link's thread should look */
	pthread_t link;
	bool has_link;
	struct fl_cli_ring console;

	pthread_mutex_t lock; /* guards the rest; no other is taken under it but the ring's */
	pthread_cond_t changed;
	struct fl_scn_wire *wire;
	bool closing;
	bool hello_seen;
	bool stopped; /* the last STOP was answered */
	bool broken;  /* it said what it cannot mean, or nothing any more */
	struct fl_diag why_broken;
	uint32_t loaded; /* actors of the case that were taken */
	uint32_t actors; /* of the case, that live here */
	uint32_t done;
	uint32_t of_actor[FL_SCN_ACTORS_MAX]; /* index in the case of each number on the wire */
	struct fl_scn_guests_case current;    /* scenario_case NULL: none */
	/* of the last PING */
	uint64_t ping_cookie, ping_sent_ns, pong_taken_ns, pong_guest_ns;
	bool has_pong;
	uint64_t guest_minus_host_ns; /* two's complement */
	uint64_t clock_error_ns;
	struct fl_scn_fault *faults; /* of the case */
	size_t faults_kept, faults_count;
	uint64_t questions;	  /* of the case, what to do with a fault */
	struct fl_scn_held *held; /* those that wait */
	bool lets_go;		  /* none waits */
	uint64_t console_from;	  /* where the case began in it */
};

uint64_t fl_scn_now_ns(void); /* CLOCK_MONOTONIC */

/* Begins to speak with what is at the other end of guests->channel. 0, or -errno with a sentence. */
FL_CHECKED int fl_scn_link_start(struct fl_scn_guests *guests, struct fl_diag *diag);
void fl_scn_link_stop(struct fl_scn_guests *guests); /* also where it was never started */
/* The link's thread has something to write. */
void fl_scn_link_wake(struct fl_scn_guests *guests);

/* Under the lock: waits for a change, until deadline_ns. False: it is over, or nobody waits any more. */
bool fl_scn_guests_wait(struct fl_scn_guests *guests, uint64_t deadline_ns);

/* When it will have been waited for long enough. */
uint64_t fl_scn_guests_patience(const struct fl_scn_guests *guests);
/* Nothing comes through the channel of a VM that has ended: it has to be asked. Not under the lock. */
void fl_scn_guests_look_for_end(struct fl_scn_guests *guests);
void fl_scn_guests_forget_faults(struct fl_scn_guests *guests); /* under the lock */

/* fl_decide_fn */
enum fl_action fl_scn_guests_decide(void *arg, const struct fl_fault *fault);

/* These fill channel and vm or pid. */
FL_CHECKED int fl_scn_guests_start_vm(struct fl_scn_guests *guests, struct fl_diag *diag);
FL_CHECKED int fl_scn_guests_start_native(struct fl_scn_guests *guests, struct fl_diag *diag);
void fl_scn_guests_end_native(struct fl_scn_guests *guests);

/* guests_small.c: the small kernel's command line, for the caller to free. */
FL_CHECKED int fl_scn_small_params(const struct fl_scn_guests *guests, char **params, struct fl_diag *diag);

#endif
