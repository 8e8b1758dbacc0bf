/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of doctor: facts are gathered first (doctor_facts.c), the checks make findings of them and of files below
 * /proc, /sys and /dev (doctor_kvm.c, doctor_system.c), which are then judged (doctor.c) and shown (doctor_show.c).
 */
#ifndef FL_CLI_DOCTOR_IMPL_H
#define FL_CLI_DOCTOR_IMPL_H

#include <limits.h>
#include <stdio.h>

#include "faultline/faultline.h"

enum fl_cli_state {
	FL_CLI_STATE_YES,
	FL_CLI_STATE_PARTLY, /* it goes, but less well */
	FL_CLI_STATE_NO,
	FL_CLI_STATE_INFO, /* neither good nor bad */
};

struct fl_cli_finding {
	const char *key;   /* for machines */
	const char *label; /* for people; "": goes on with the one before */
	enum fl_cli_state state;
	char why[512];
	char fix[256]; /* what to do; "": nothing */
};

#define FL_CLI_MODES 3 /* guests for which is said what the fault mode auto means */

/* What cannot be read from files. The strings are the caller's. */
struct fl_cli_facts {
	const char *root; /* below which /proc, /sys, /dev and /etc are looked for; "" on the host itself */
	struct fl_host_report host;
	int kvm_error;	    /* errno of opening /dev/kvm; 0 */
	char kvm_group[64]; /* of the device; "": not known */
	bool kvm_group_may; /* read and write it */
	bool in_kvm_group;  /* this process */
	uint32_t uid;
	const char *user; /* its name, or "USER" */
	struct {
		char guest[64];
		enum fl_fault_mode mode; /* AUTO: there is none */
		char why[256];
	} modes[FL_CLI_MODES];		   /* guest[0] '\0': not said */
	int io_uring_error;		   /* errno of io_uring_setup(2); 0 */
	uint64_t memlock_len, descriptors; /* hard limits; UINT64_MAX: none */
	unsigned int kernel_version;	   /* of the host: major * 1000 + minor */
	char guest_kernel[PATH_MAX];	   /* "": there is none */
	char guest_kernel_error[256];
	char box[PATH_MAX]; /* "": there is none */
	char box_says[512]; /* why there is none; or what scripts/box --check said */
	bool box_usable;
	bool in_box;
	const char *search_path; /* $PATH */
	const char *runtime_dir; /* $XDG_RUNTIME_DIR, or NULL */
};

struct fl_cli_check {
	const char *key, *label;
	void (*look)(const struct fl_cli_facts *facts, struct fl_cli_finding *finding);
};

/* Those of KVM and of the system around it; the ends have a key NULL. */
extern const struct fl_cli_check fl_cli_kvm_checks[], fl_cli_system_checks[];

#define FL_CLI_FINDINGS_MAX 40

struct fl_cli_verdict {
	int status;	     /* the exit status */
	const char *word;    /* "usable", "limited", "unusable" */
	const char *guests;  /* what /dev/kvm here runs: "linux", "small", "none" */
	const char *runs_in; /* where run --host=auto takes a Linux guest: "kvm", "box", "none" */
	char text[256];	     /* a sentence */
	struct fl_cli_finding findings[FL_CLI_FINDINGS_MAX];
	size_t count;
};

/* Fills everything but root. -errno if this host could not be examined. */
FL_CHECKED int fl_cli_gather_facts(struct fl_cli_facts *facts);

/* Makes all findings, and what they come to. Reads files below facts->root. */
void fl_cli_examine(const struct fl_cli_facts *facts, struct fl_cli_verdict *verdict);

/* PURE. color: with escape sequences. */
void fl_cli_show_text(const struct fl_cli_verdict *verdict, bool color, FILE *out);
/* -errno: it could not be written. */
FL_CHECKED int fl_cli_show_json(const struct fl_cli_verdict *verdict, FILE *out);

/* For the checks. */
void fl_cli_state(struct fl_cli_finding *finding, enum fl_cli_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void fl_cli_fix(struct fl_cli_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The first line of root/path, without its newline; false: it cannot be read. */
bool fl_cli_read_line(const struct fl_cli_facts *facts, const char *path, char *line, size_t line_len);
bool fl_cli_read_number(const struct fl_cli_facts *facts, const char *path, uint64_t *number);
/* Does root/path exist? */
bool fl_cli_exists(const struct fl_cli_facts *facts, const char *path);

#endif
