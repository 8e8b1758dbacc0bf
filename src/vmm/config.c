/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_NAME   "vm"
#define CHANGES_SUFFIX ".changes"
#define TITLE_PATH_LEN 80u

int fl_copy_sized(void *to, size_t to_len, const void *from)
{
	const uint8_t *bytes = from;
	uint32_t from_len;

	memcpy(&from_len, from, sizeof(from_len));
	if (from_len < sizeof(from_len))
		return -EINVAL;
	for (size_t i = to_len; i < from_len; i++)
		if (bytes[i])
			return -E2BIG;
	memset(to, 0, to_len);
	memcpy(to, from, FL_MIN(to_len, (size_t)from_len));
	return 0;
}

static int copy_failed(int ret, const char *what, struct fl_diag *diag)
{
	if (ret == -E2BIG)
		return fl_diag(diag, ret, "struct %s asks for something this library does not know; use a newer one",
			       what);
	return fl_diag(diag, ret, "struct %s has no size; start from its _INIT value", what);
}

/* A copy that stays NULL for NULL; false when memory ran out. */
static bool copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

/* An answer of a callback is no policy. */
static bool policy_is_good(const struct fl_policy *policy)
{
	for (unsigned int i = 0; i < FL_POLICY_MAX; i++)
		if ((unsigned int)policy->action[i] > FL_ACTION_ASK)
			return false;
	return true;
}

/* RFC 1123, 2.1; no longer than Linux keeps it (__NEW_UTS_LEN). */
static bool is_hostname(const char *text)
{
	size_t label_len = 0;
	size_t len = strlen(text);

	for (size_t i = 0; i <= len; i++) {
		char c = text[i];

		if (c == '.' || c == '\0') {
			if (label_len < 1 || label_len > 63 || text[i - 1] == '-')
				return false;
			label_len = 0;
		} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			   (c == '-' && label_len > 0)) {
			label_len++;
		} else {
			return false;
		}
	}
	return len <= 64;
}

static const char *pick_hostname(const struct fl_vm_opts *opts)
{
	const char *name = opts->name ? opts->name : DEFAULT_NAME;

	if (opts->hostname)
		return opts->hostname;
	return is_hostname(name) ? name : "faultline";
}

static int check_vm_opts(const struct fl_vm_opts *opts, struct fl_diag *diag)
{
	if (opts->flags & ~(FL_VM_NO_PVPF | FL_VM_BOOT_MESSAGES | FL_VM_IDLES_POLITELY))
		return fl_diag(diag, -EINVAL, "unknown VM flags %#x", opts->flags);
	if (opts->ram_len < FL_RAM_MIN || opts->ram_len > FL_RAM_MAX || !fl_is_aligned(opts->ram_len, FL_RANGE_LEN))
		return fl_diag(diag, -EINVAL,
			       "guest memory of %llu bytes is not possible; give a multiple of 2 MiB "
			       "between 64 MiB and 2 TiB",
			       (unsigned long long)opts->ram_len);
	if (opts->vcpus < 1 || opts->vcpus > FL_VCPUS_MAX)
		return fl_diag(diag, -EINVAL, "%u vCPUs are not possible; give 1 to %u", opts->vcpus, FL_VCPUS_MAX);
	if (!opts->kernel)
		return fl_diag(diag, -EINVAL, "no kernel was given; name a bzImage");
	if (opts->kick_signal && (opts->kick_signal < SIGRTMIN || opts->kick_signal > SIGRTMAX))
		return fl_diag(diag, -EINVAL, "kick signal %d is not a real-time signal", opts->kick_signal);
	if ((unsigned int)opts->fault_mode > FL_FAULT_MODE_WATCH)
		return fl_diag(diag, -EINVAL, "unknown fault mode %u; there are auto, strict and watch",
			       (unsigned int)opts->fault_mode);
	if (opts->hostname && !is_hostname(opts->hostname))
		return fl_diag(diag, -EINVAL,
			       "\"%.80s\" cannot be the guest's host name; give 1 to 64 letters, digits, \"-\" and "
			       "\".\", beginning and ending with a letter or digit",
			       opts->hostname);
	if (!policy_is_good(&opts->ram_policy))
		return fl_diag(diag, -EINVAL, "unknown action in the fault policy of guest memory");
	return 0;
}

int fl_vm_config_init(struct fl_vm_config *config, const struct fl_vm_opts *opts, struct fl_diag *diag)
{
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), opts);
	if (ret)
		return copy_failed(ret, "fl_vm_opts", diag);
	ret = check_vm_opts(&config->opts, diag);
	if (ret)
		return ret;
	if (!copy_string(&config->name, opts->name ? opts->name : DEFAULT_NAME) ||
	    !copy_string(&config->kernel, opts->kernel) || !copy_string(&config->initrd, opts->initrd) ||
	    !copy_string(&config->params, opts->params) ||
	    !copy_string(&config->hostname, pick_hostname(&config->opts))) {
		fl_vm_config_fini(config);
		return fl_diag(diag, -ENOMEM, "out of memory");
	}
	if (!config->opts.kick_signal)
		config->opts.kick_signal = SIGRTMIN + 3;
	return 0;
}

void fl_vm_config_fini(struct fl_vm_config *config)
{
	free(config->name);
	free(config->kernel);
	free(config->initrd);
	free(config->params);
	free(config->hostname);
	memset(config, 0, sizeof(*config));
}

static int check_overlay(const struct fl_share_opts *opts, struct fl_diag *diag)
{
	bool overlay = opts->flags & FL_SHARE_OVERLAY;

	if (overlay && opts->flags & FL_SHARE_WRITABLE)
		return fl_diag(
			diag, -EINVAL,
			"share %s: it is either writable itself or an overlay, which leaves the directory as it is",
			opts->tag);
	if (!overlay && opts->overlay_dir)
		return fl_diag(diag, -EINVAL, "share %s: a directory for an overlay's changes, but no overlay",
			       opts->tag);
	if (opts->overlay_dir && strlen(opts->tag) + strlen(CHANGES_SUFFIX) > FL_TAG_MAX)
		return fl_diag(diag, -EINVAL,
			       "share %s: the tag of an overlay with a directory is at most %zu bytes long", opts->tag,
			       FL_TAG_MAX - strlen(CHANGES_SUFFIX));
	return 0;
}

static int check_share_opts(const struct fl_share_opts *opts, struct fl_diag *diag)
{
	size_t tag_len = opts->tag ? strlen(opts->tag) : 0;

	if (opts->flags & ~(FL_SHARE_WRITABLE | FL_SHARE_PREFAULT | FL_SHARE_ONE_MOUNT | FL_SHARE_OVERLAY))
		return fl_diag(diag, -EINVAL, "unknown share flags %#x", opts->flags);
	if (tag_len < 1 || tag_len > FL_TAG_MAX || strchr(opts->tag, '\n'))
		return fl_diag(diag, -EINVAL, "a share's tag is 1 to %u bytes long, without a newline", FL_TAG_MAX);
	if (strcmp(opts->tag, FL_RAM_NAME) == 0)
		return fl_diag(diag, -EINVAL, "a share cannot have the tag %s, which is the guest memory's name",
			       FL_RAM_NAME);
	if (!opts->dir)
		return fl_diag(diag, -EINVAL, "share %s names no directory", opts->tag);
	if (!opts->mount || opts->mount[0] != '/')
		return fl_diag(diag, -EINVAL, "share %s: the mount path in the guest must start with /", opts->tag);
	if (opts->window_len && (opts->window_len < FL_WINDOW_MIN || opts->window_len > FL_WINDOW_MAX ||
				 !fl_is_aligned(opts->window_len, FL_RANGE_LEN)))
		return fl_diag(diag, -EINVAL,
			       "share %s: a DAX window of %llu bytes is not possible; give 0 (none) or a "
			       "multiple of 2 MiB from 64 MiB to 64 GiB",
			       opts->tag, (unsigned long long)opts->window_len);
	if ((unsigned int)opts->dax > FL_DAX_ALWAYS)
		return fl_diag(diag, -EINVAL, "share %s: unknown DAX mode %u; there are inode and always", opts->tag,
			       (unsigned int)opts->dax);
	if ((unsigned int)opts->users > FL_USERS_HOST)
		return fl_diag(diag, -EINVAL, "share %s: unknown kind of users %u; there are self and host", opts->tag,
			       (unsigned int)opts->users);
	if (!policy_is_good(&opts->policy))
		return fl_diag(diag, -EINVAL, "share %s: unknown action in the fault policy", opts->tag);
	return check_overlay(opts, diag);
}

/* A line has no room for long paths; their ends say more than their beginnings. */
static const char *end_of_path(const char *path)
{
	size_t len = strlen(path);

	return len > TITLE_PATH_LEN ? path + len - TITLE_PATH_LEN : path;
}

static bool make_title(struct fl_share_config *config)
{
	const char *dir = end_of_path(config->dir), *mount = end_of_path(config->mount ? config->mount : "");

	if (asprintf(&config->title, "%s (%s%s%s%s%s)", config->tag, dir == config->dir ? "" : "...", dir,
		     config->mount ? " at " : "", config->mount && mount != config->mount ? "..." : "", mount) >= 0)
		return true;
	config->title = NULL;
	return false;
}

int fl_share_config_init(struct fl_share_config *config, const struct fl_share_opts *opts, struct fl_diag *diag)
{
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), opts);
	if (ret)
		return copy_failed(ret, "fl_share_opts", diag);
	ret = check_share_opts(&config->opts, diag);
	if (ret)
		return ret;
	if (!copy_string(&config->tag, opts->tag) || !copy_string(&config->dir, opts->dir) ||
	    !copy_string(&config->mount, opts->mount) || !copy_string(&config->overlay_dir, config->opts.overlay_dir) ||
	    !make_title(config)) {
		fl_share_config_fini(config);
		return fl_diag(diag, -ENOMEM, "out of memory");
	}
	return 0;
}

int fl_share_config_init_changes(struct fl_share_config *config, const struct fl_share_config *lower,
				 struct fl_diag *diag)
{
	char tag[FL_TAG_MAX + 1];

	memset(config, 0, sizeof(*config));
	config->opts = lower->opts;
	config->opts.flags = FL_SHARE_WRITABLE | FL_SHARE_ONE_MOUNT;
	config->opts.window_len = 0;
	snprintf(tag, sizeof(tag), "%s" CHANGES_SUFFIX, lower->tag);
	if (!copy_string(&config->tag, tag) || !copy_string(&config->dir, lower->overlay_dir) || !make_title(config)) {
		fl_share_config_fini(config);
		return fl_diag(diag, -ENOMEM, "out of memory");
	}
	return 0;
}

void fl_share_config_fini(struct fl_share_config *config)
{
	free(config->tag);
	free(config->dir);
	free(config->mount);
	free(config->title);
	free(config->overlay_dir);
	memset(config, 0, sizeof(*config));
}

static int check_window_opts(const struct fl_window_opts *opts, struct fl_diag *diag)
{
	size_t name_len = opts->name ? strlen(opts->name) : 0;
	uint64_t end;

	if (opts->flags & ~FL_WINDOW_READ_ONLY)
		return fl_diag(diag, -EINVAL, "unknown window flags %#x", opts->flags);
	if (name_len < 1 || name_len > FL_NAME_MAX || strchr(opts->name, '\n') || strcmp(opts->name, FL_RAM_NAME) == 0)
		return fl_diag(diag, -EINVAL, "a window's name is 1 to %u bytes long, without a newline, and not %s",
			       FL_NAME_MAX, FL_RAM_NAME);
	if (opts->fd < 0)
		return fl_diag(diag, -EINVAL, "window %s has no file", opts->name);
	if (opts->len < FL_RANGE_LEN || opts->len > FL_WINDOW_MAX || !fl_is_aligned(opts->len, FL_RANGE_LEN))
		return fl_diag(diag, -EINVAL,
			       "window %s: %llu bytes are not possible; give a multiple of 2 MiB up to 64 GiB",
			       opts->name, (unsigned long long)opts->len);
	if (!fl_is_aligned(opts->gpa, FL_RANGE_LEN) || !fl_is_aligned(opts->file_offset, FL_RANGE_LEN))
		return fl_diag(diag, -EINVAL, "window %s: its address and its file offset must be multiples of 2 MiB",
			       opts->name);
	if (fl_add_overflows(opts->gpa, opts->len, &end) || fl_add_overflows(opts->file_offset, opts->len, &end) ||
	    end > INT64_MAX)
		return fl_diag(diag, -EINVAL, "window %s ends beyond what 64 bits can hold", opts->name);
	if (!policy_is_good(&opts->policy))
		return fl_diag(diag, -EINVAL, "window %s: unknown action in the fault policy", opts->name);
	return 0;
}

int fl_window_config_init(struct fl_window_config *config, const struct fl_window_opts *opts, struct fl_diag *diag)
{
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), opts);
	if (ret)
		return copy_failed(ret, "fl_window_opts", diag);
	ret = check_window_opts(&config->opts, diag);
	if (ret)
		return ret;
	if (!copy_string(&config->name, opts->name))
		return fl_diag(diag, -ENOMEM, "out of memory");
	return 0;
}

void fl_window_config_fini(struct fl_window_config *config)
{
	free(config->name);
	memset(config, 0, sizeof(*config));
}

static bool is_port_name(const char *name)
{
	size_t len = name ? strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") : 0;

	return len >= 1 && len <= FL_NAME_MAX && !name[len];
}

int fl_port_config_init(struct fl_port_config *config, const struct fl_port_opts *opts, struct fl_diag *diag)
{
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), opts);
	if (ret)
		return copy_failed(ret, "fl_port_opts", diag);
	if (config->opts.flags)
		return fl_diag(diag, -EINVAL, "unknown port flags %#x", config->opts.flags);
	if (!is_port_name(config->opts.name))
		return fl_diag(diag, -EINVAL, "a port's name is 1 to %u letters, digits, \"-\", \"_\" and \".\"",
			       FL_NAME_MAX);
	if (!copy_string(&config->name, config->opts.name))
		return fl_diag(diag, -ENOMEM, "out of memory");
	return 0;
}

void fl_port_config_fini(struct fl_port_config *config)
{
	free(config->name);
	memset(config, 0, sizeof(*config));
}

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

/* NULL-terminated copy, or NULL when memory ran out. */
static char **copy_strings(const char *const *from)
{
	size_t count = 0;
	char **copy;

	while (from[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(from[i]);
		if (!copy[i]) {
			free_strings(copy);
			return NULL;
		}
	}
	return copy;
}

static int check_command(const struct fl_command *command, struct fl_diag *diag)
{
	if (command->flags & ~FL_COMMAND_TTY)
		return fl_diag(diag, -EINVAL, "unknown command flags %#x", command->flags);
	if (!command->argv || !command->argv[0])
		return fl_diag(diag, -EINVAL, "no command was given");
	if (command->cwd && command->cwd[0] != '/')
		return fl_diag(diag, -EINVAL, "the working directory in the guest must start with /");
	/* who exists, only the guest knows */
	if (command->user && !*command->user)
		return fl_diag(diag, -EINVAL,
			       "the user in the guest has no name; give NAME, UID, NAME:GROUP or UID:GID");
	return 0;
}

int fl_command_config_init(struct fl_command_config *config, const struct fl_command *command, struct fl_diag *diag)
{
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), command);
	if (ret)
		return copy_failed(ret, "fl_command", diag);
	ret = check_command(&config->opts, diag);
	if (ret)
		return ret;
	config->argv = copy_strings(command->argv);
	if (command->envp)
		config->envp = copy_strings(command->envp);
	if (!config->argv || (command->envp && !config->envp) || !copy_string(&config->cwd, command->cwd) ||
	    !copy_string(&config->user, config->opts.user)) {
		fl_command_config_fini(config);
		return fl_diag(diag, -ENOMEM, "out of memory");
	}
	config->opts.argv = (const char *const *)config->argv;
	config->opts.envp = (const char *const *)config->envp;
	config->opts.cwd = config->cwd;
	config->opts.user = config->user;
	return 0;
}

void fl_command_config_fini(struct fl_command_config *config)
{
	free_strings(config->argv);
	free_strings(config->envp);
	free(config->cwd);
	free(config->user);
	memset(config, 0, sizeof(*config));
}
