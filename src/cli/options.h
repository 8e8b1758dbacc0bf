/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "faultline run" was told, on its command line (cli/run_table.c) and in files of defaults (cli/config_file.h).
 * Parsing has no effect but looking whether the named directories are there.
 */
#ifndef FL_CLI_OPTIONS_H
#define FL_CLI_OPTIONS_H

#include "cli/verbs.h"

/* What the launcher's exit status means where it is not the command's. */
enum fl_cli_exit {
	FL_CLI_EXIT_USAGE = 2,
	FL_CLI_EXIT_TIMEOUT = 124,
	FL_CLI_EXIT_SETUP = 125,
	FL_CLI_EXIT_NOT_EXECUTABLE = 126,
	FL_CLI_EXIT_NOT_FOUND = 127,
	FL_CLI_EXIT_SIGNAL = 128, /* plus the signal's number */
	FL_CLI_EXIT_NO_STATUS = 255,
};

#define FL_CLI_NAME_LEN_MAX 63

enum fl_cli_help { FL_CLI_NO_HELP, FL_CLI_COMMON_HELP, FL_CLI_ALL_HELP };

/* Those of enum fl_dax, and none: the share gets no window. */
enum fl_cli_dax { FL_CLI_DAX_INODE = FL_DAX_INODE, FL_CLI_DAX_ALWAYS = FL_DAX_ALWAYS, FL_CLI_DAX_NEVER };

/* Whether the command gets a terminal: if this program has one, always, or never. */
enum fl_cli_tty { FL_CLI_TTY_AUTO, FL_CLI_TTY_ALWAYS, FL_CLI_TTY_NEVER };

enum fl_cli_host { FL_CLI_HOST_AUTO, FL_CLI_HOST_KVM, FL_CLI_HOST_BOX };

struct fl_cli_share {
	char *mount; /* absolute path in the guest, without "//", "/." and a "/" at the end */
	char *dir;
	bool writable;
	bool overlay;	   /* can be written to, and dir stays as it is */
	char *overlay_dir; /* where its changes are kept; NULL: in memory */
	bool one_mount;
	bool is_default; /* from a file: the command line may say something else for this mount */
	enum fl_cli_dax dax;
	enum fl_users users;
	struct fl_policy policy;
};

/* A file, or new memory, at a guest-physical address. */
struct fl_cli_window {
	char *file;	     /* NULL: new memory */
	uint64_t len;	     /* of the window; 0: as the file's, rounded up */
	uint64_t memory_len; /* of new memory */
	uint64_t gpa;
	bool read_only;
	bool has_policy;
	struct fl_policy policy;
};

/* --on-fault for one place alone. */
struct fl_cli_override {
	char *where; /* a share's mount, or "ram" */
	struct fl_policy policy;
};

/* A word for a share, or for all. */
struct fl_cli_setting {
	int option;  /* FL_CLI_OPTION_* */
	char *mount; /* NULL: all */
	unsigned int value;
};

struct fl_cli_options {
	enum fl_cli_help help; /* wanted instead of all else */
	bool dry_run;
	const char *config; /* the file that the command line names instead of the user's own; NULL: none */
	bool no_config;
	bool reading_file;  /* while it is parsed: what comes is a default */
	const char *name;   /* NULL: to be made up */
	bool is_named;	    /* by whoever runs it */
	const char *kernel; /* NULL: to be found */
	const char *initrd; /* instead of a command; NULL: there is a command */
	const char *params;
	const char *cwd;
	const char *user;     /* NULL: root */
	const char *hostname; /* NULL: made of the name */
	enum fl_cli_tty tty;
	uint64_t ram_len;
	uint64_t window_len; /* of each share */
	bool prefault;
	uint32_t attr_timeout_ms, entry_timeout_ms;
	uint32_t vcpus;
	enum fl_cli_host host;
	bool host_checked; /* it was seen to run Linux guests */
	enum fl_fault_mode fault_mode;
	struct fl_policy policy; /* where nothing else was said; the shares have their own copies */
	struct fl_policy ram_policy;
	const char *events; /* NULL: none */
	const char *report; /* NULL: none, or standard error when it is needed */
	bool wait_on_stop;
	uint32_t timeout_s;	/* 0: none */
	unsigned int verbosity; /* 1: shows the guest's console */
	enum fl_log_level log_level;
	bool unpatched;
	bool net;
	struct fl_cli_share *shares; /* [0] is mounted at "/"; the others in an order in which they can be mounted */
	size_t share_count;
	struct fl_cli_window *windows;
	size_t window_count;
	struct fl_cli_override *overrides;
	size_t override_count;
	struct fl_cli_setting *settings;
	size_t setting_count;
	const char **env; /* NULL-terminated; NULL if there was no --env */
	size_t env_count;
	char *const *command; /* NULL-terminated, points into argv; NULL with initrd */
	char **kept;	      /* values from files, which others here point to */
	size_t kept_count;
};

/* Where files of defaults are looked for; NULL: not there. */
struct fl_cli_config_places {
	const char *system; /* "/etc/faultline.conf" */
	const char *user;   /* "~/.config/faultline/faultline.conf", if there is a home */
};

/*
 * Fills *options from the files and from argv, which must outlive it; argv[0] is "run". 0; -EINVAL (or -ENOMEM, or of
 * reading a file) with a sentence in diag. To be freed with fl_cli_options_fini(), also after a failure.
 */
FL_CHECKED int fl_cli_options_parse(int argc, char **argv, const struct fl_cli_config_places *places,
				    struct fl_cli_options *options, struct fl_diag *diag);
void fl_cli_options_fini(struct fl_cli_options *options);

#endif
