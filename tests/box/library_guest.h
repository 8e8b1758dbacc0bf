/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that a test starts by the library, without the launcher, and speaks with through pipes. */
#ifndef LIBRARY_GUEST_H
#define LIBRARY_GUEST_H

#include "faultline/faultline.h"
#include "tests/box/guest_run.h"

struct library_guest {
	char kernel[PATH_MAX + 32];
	/* to be changed between init and start, as far as fl_vm_new() has not seen them */
	struct fl_share_opts root;
	struct fl_command command;
	struct fl_vm *vm;
	int to[2], from[2]; /* pipes, to its input and from its output */
	char text[65536];   /* what has come out so far, and not been expected yet */
	size_t text_len;
	struct fl_result result;
};

/* Makes a VM of 512 MiB and one vCPU; opts may be NULL, else it is used with the kernel, memory and log added. */
void library_guest_init_with(struct library_guest *guest, const struct bench *bench, const struct fl_vm_opts *opts);
void library_guest_init(struct library_guest *guest, const struct bench *bench);
/* Runs sh -c SCRIPT on this host's root directory, or in guest->root. */
void library_guest_start(struct library_guest *guest, const char *script);
void library_guest_say(const struct library_guest *guest, const char *text);
/* Reads its output until there is that text, and forgets all up to its end; fails after a time. */
void library_guest_expect(struct library_guest *guest, const char *text);
/* How it ended, or FL_END_NONE if it did not. */
enum fl_end library_guest_wait(struct library_guest *guest);
void library_guest_fini(struct library_guest *guest);

#endif
