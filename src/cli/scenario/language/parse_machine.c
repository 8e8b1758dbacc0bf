/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks "machine". */
#include <string.h>

#include "cli/scenario/language/build.h"

#define MIB UINT64_C(1048576)

/* What the library takes (include/faultline/faultline.h). */
#define VCPUS_MAX  64u
#define MEMORY_MIN (64 * MIB)
#define MEMORY_MAX (2 * 1024 * 1024 * MIB)
#define WINDOW_MIN (64 * MIB)
#define WINDOW_MAX (1024 * 1024 * MIB)
#define GRANULE	   (2 * MIB)
#define MOUNT_MAX  255u
#define DEFAULT_MS 1000u

static const char runner_mount[] = "/run/faultline-scenario";

static const struct fl_scn_share default_share = {
	.writable = true,
	.mapped = true,
	.dax = FL_DAX_ALWAYS,
	.window_len = WINDOW_MIN,
	.policy = {{FL_ACTION_REFLECT, FL_ACTION_STOP}},
	.attr_timeout_ms = DEFAULT_MS,
	.entry_timeout_ms = DEFAULT_MS,
};

static bool need_len(struct fl_scn_tokens *line, const char *what, uint64_t least, uint64_t most, uint64_t *len)
{
	const struct fl_scn_token *token = fl_scn_peek(line);

	if (!fl_scn_need_number(line, what, len))
		return false;
	if (*len < least || *len > most || *len % GRANULE)
		return fl_scn_wrong(line->reader, token->pos,
				    "Here %s is wanted, %s to %s in steps of 2M, and not \"%s\".", what, "64M",
				    most == MEMORY_MAX ? "2048G" : "1024G", token->text);
	return true;
}

static bool read_kernel(struct fl_scn_tokens *line, struct fl_scn_machine *machine)
{
	static const char *const words[] = {"patched", "stock", "file", "small", NULL};
	static const enum fl_scn_kernel kernels[] = {FL_SCN_KERNEL_PATCHED, FL_SCN_KERNEL_STOCK, FL_SCN_KERNEL_FILE,
						     FL_SCN_KERNEL_SMALL};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "a kernel (patched, stock, small or file)", words, &index))
		return false;
	machine->kernel = kernels[index];
	return machine->kernel != FL_SCN_KERNEL_FILE ||
	       fl_scn_need_text(line, "the path of a kernel", &machine->kernel_path);
}

static bool read_fault_mode(struct fl_scn_tokens *line, struct fl_scn_machine *machine)
{
	static const char *const words[] = {"auto", "strict", "watch", NULL};
	static const enum fl_fault_mode modes[] = {FL_FAULT_MODE_AUTO, FL_FAULT_MODE_STRICT, FL_FAULT_MODE_WATCH};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "a mode (auto, strict or watch)", words, &index))
		return false;
	machine->fault_mode = modes[index];
	return true;
}

static bool read_policy(struct fl_scn_tokens *line, struct fl_policy *policy)
{
	static const char *const names[] = {"stop", "reflect", "substitute", "ask"};
	static const enum fl_action actions[] = {FL_ACTION_STOP, FL_ACTION_REFLECT, FL_ACTION_SUBSTITUTE,
						 FL_ACTION_ASK};
	const size_t all = sizeof(actions) / sizeof(actions[0]);
	const struct fl_scn_token *token = fl_scn_need(line, "a policy like reflect,stop");
	unsigned int count = 0;
	bool stopped = false;

	if (!token)
		return false;
	*policy = (struct fl_policy){{FL_ACTION_STOP}};
	for (const char *word = token->text;; word += strcspn(word, ",") + 1) {
		size_t len = strcspn(word, ","), i = 0;

		while (i < all && (strlen(names[i]) != len || memcmp(names[i], word, len) != 0))
			i++;
		if (i == all || stopped || count == FL_POLICY_MAX)
			return fl_scn_wrong(
				line->reader, token->pos,
				"\"%s\" is no policy: write up to %u of ask, reflect, substitute and stop, with "
				"commas, and stop as the last.",
				token->text, (unsigned int)FL_POLICY_MAX);
		policy->action[count++] = actions[i];
		stopped = actions[i] == FL_ACTION_STOP;
		if (!word[len])
			return true;
	}
}

static bool read_timeout(struct fl_scn_tokens *line, uint32_t *timeout_ms)
{
	const struct fl_scn_token *token = fl_scn_peek(line);
	uint64_t ns;

	if (!fl_scn_need_time(line, "a time", &ns))
		return false;
	if (ns % 1000000)
		return fl_scn_wrong(line->reader, token->pos, "Here whole milliseconds are wanted, not \"%s\".",
				    token->text);
	*timeout_ms = (uint32_t)(ns / 1000000); /* an hour at most */
	return true;
}

/* An absolute path in the guest that needs no simplifying. */
static bool read_mount(struct fl_scn_tokens *line, struct fl_scn_share *share)
{
	const struct fl_scn_token *token = fl_scn_peek(line);
	const char *wrong = NULL;

	if (!fl_scn_need_text(line, "a path in the guest", &share->mount))
		return false;
	const char *mount = share->mount;
	size_t len = strlen(mount);

	if (mount[0] != '/' || len < 2 || len > MOUNT_MAX || mount[len - 1] == '/')
		wrong = "it begins with a slash, ends in a name and has 255 bytes at most";
	else if (strstr(mount, "//") || strstr(mount, "/./") || strstr(mount, "/../") ||
		 strcmp(mount + len - 2, "/.") == 0 || (len > 2 && strcmp(mount + len - 3, "/..") == 0))
		wrong = "it has no empty parts, \".\" or \"..\"";
	else if (strncmp(mount, runner_mount, strlen(runner_mount)) == 0)
		wrong = "this one is taken";
	if (wrong)
		return fl_scn_wrong(line->reader, token->pos, "\"%s\" is no path for a share: %s.", token->text, wrong);
	return true;
}

enum share_word { RW, RO, DAX, WINDOW, POLICY, PREFAULT, ATTR_TIMEOUT, ENTRY_TIMEOUT, SHARE_WORDS };

static bool read_dax(struct fl_scn_tokens *line, struct fl_scn_share *share)
{
	static const char *const words[] = {"inode", "always", "never", NULL};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "\"inode\", \"always\" or \"never\"", words, &index))
		return false;
	share->dax = index == 0 ? FL_DAX_INODE : FL_DAX_ALWAYS;
	share->mapped = index != 2;
	return true;
}

static bool read_share_option(struct fl_scn_tokens *line, struct fl_scn_share *share, uint32_t *seen)
{
	static const char *const words[] = {"rw",	"ro",		"dax",		 "window", "policy",
					    "prefault", "attr-timeout", "entry-timeout", NULL};
	const struct fl_scn_token *token = fl_scn_peek(line);
	uint32_t index;

	if (!fl_scn_need_one_of(line, "an option of a share", words, &index) ||
	    !fl_scn_once(line, token, index == RO ? 1u << RW : 1u << index, seen))
		return false;
	switch ((enum share_word)index) {
	case RW:
	case RO:
		share->writable = index == RW;
		return true;
	case DAX:
		return read_dax(line, share);
	case WINDOW:
		return need_len(line, "the length of a window", WINDOW_MIN, WINDOW_MAX, &share->window_len);
	case POLICY:
		return read_policy(line, &share->policy);
	case PREFAULT:
		share->prefault = true;
		return true;
	case ATTR_TIMEOUT:
		return read_timeout(line, &share->attr_timeout_ms);
	case ENTRY_TIMEOUT:
		return read_timeout(line, &share->entry_timeout_ms);
	case SHARE_WORDS:
		break;
	}
	return false;
}

static bool check_share(struct fl_scn_tokens *line, const struct fl_scn_machine *machine,
			const struct fl_scn_share *share, uint32_t seen)
{
	for (uint32_t i = 0; i < machine->shares_count; i++) {
		if (machine->shares[i].dir == share->dir)
			return fl_scn_wrong(line->reader, line->pos,
					    "Line %u shares this dir already: a machine has a dir at one place.",
					    machine->shares[i].pos.line);
		if (strcmp(machine->shares[i].mount, share->mount) == 0)
			return fl_scn_wrong(line->reader, line->pos,
					    "Line %u has a share at %s already: take another path.",
					    machine->shares[i].pos.line, share->mount);
	}
	if (!share->mapped && (seen & (1u << WINDOW | 1u << POLICY | 1u << PREFAULT)))
		return fl_scn_wrong(line->reader, line->pos,
				    "With \"dax never\" nothing is mapped: take window, policy and prefault away.");
	return true;
}

/* "share DIR at /MOUNT ..."; shares has room for it */
static bool read_share(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_machine *machine,
		       struct fl_scn_share *shares)
{
	struct fl_scn_share share = default_share;
	uint32_t seen = 0;

	share.pos = line->pos;
	if (!fl_scn_need_dir(build, line, &share.dir) || !fl_scn_need_word(line, "at") || !read_mount(line, &share))
		return false;
	while (fl_scn_peek(line))
		if (!read_share_option(line, &share, &seen))
			return false;
	if (!check_share(line, machine, &share, seen))
		return false;
	if (machine->shares_count == FL_SCN_SHARES_MAX)
		return fl_scn_wrong(line->reader, line->pos, "A machine has %u shares at most.", FL_SCN_SHARES_MAX);
	if (!share.mapped)
		share.window_len = 0;
	shares[machine->shares_count++] = share;
	return true;
}

enum machine_word { CPUS, MEMORY, KERNEL, FAULT_MODE, PARAM, SHARE };

/* All that "param" lines say, with a blank between two. */
static bool add_param(struct fl_scn_tokens *line, struct fl_scn_machine *machine)
{
	const char *text;

	if (!fl_scn_need_text(line, "a parameter of the kernel's command line", &text))
		return false;
	machine->params =
		machine->params ? fl_scn_format(&line->reader->reading->keep, "%s %s", machine->params, text) : text;
	if (machine->params && strlen(machine->params) > 1024)
		return fl_scn_wrong(line->reader, line->pos, "All parameters together have 1024 bytes at most.");
	return machine->params;
}

static bool read_machine_line(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_machine *machine,
			      struct fl_scn_share *shares, uint32_t *seen)
{
	static const char *const words[] = {"cpus", "memory", "kernel", "fault-mode", "param", "share", NULL};
	const struct fl_scn_token *token = fl_scn_peek(line);
	uint64_t number;
	uint32_t index;

	if (!token)
		return true;
	if (!fl_scn_need_one_of(line, "a property of a machine", words, &index))
		return false;
	if (index != PARAM && index != SHARE && !fl_scn_once(line, token, 1u << index, seen))
		return false;
	switch ((enum machine_word)index) {
	case CPUS:
		if (!fl_scn_need_number_in(line, "the number of its CPUs", 1, VCPUS_MAX, &number))
			return false;
		machine->vcpus = (uint32_t)number;
		machine->cpus_pos = token->pos;
		break;
	case MEMORY:
		if (!need_len(line, "the size of its memory", MEMORY_MIN, MEMORY_MAX, &machine->ram_len))
			return false;
		break;
	case KERNEL:
		if (!read_kernel(line, machine))
			return false;
		break;
	case FAULT_MODE:
		if (!read_fault_mode(line, machine))
			return false;
		break;
	case PARAM:
		if (!add_param(line, machine))
			return false;
		machine->params_pos = token->pos;
		break;
	case SHARE:
		return read_share(build, line, machine, shares);
	}
	return fl_scn_no_more(line);
}

static const struct fl_scn_machine default_machine = {.name = "vm", .vcpus = 1, .ram_len = 512 * MIB, .params = ""};

bool fl_scn_read_machine(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_machine *machine = &build->machines[build->made->machines_count];
	struct fl_scn_share *shares = fl_scn_alloc(&head->reader->reading->keep, block->body_count, sizeof(*shares));
	uint32_t seen = 0;
	bool good = true;

	if (!shares)
		return false;
	if (build->made->machines_count == FL_SCN_MACHINES_MAX)
		return fl_scn_wrong(head->reader, head->pos, "A case has %u machines at most.", FL_SCN_MACHINES_MAX);
	*machine = default_machine;
	machine->params = NULL;
	machine->pos = head->pos;
	machine->shares = shares;
	build->made->machines_count++; /* also if something is wrong with it: its name is known */
	if (fl_scn_peek(head) && !fl_scn_need_name(head, "the name of the machine", &machine->name))
		return false;
	for (uint32_t i = 0; i + 1 < build->made->machines_count; i++)
		if (strcmp(build->machines[i].name, machine->name) == 0)
			return fl_scn_wrong(head->reader, head->pos,
					    "There is a machine %s already, in line %u: give this one another name.",
					    machine->name, build->machines[i].pos.line);
	good = fl_scn_no_more(head);
	for (uint32_t i = 0; i < block->body_count; i++)
		good &= read_machine_line(build, &block->body[i], machine, shares, &seen);
	if (!machine->params)
		machine->params = "";
	return good;
}

bool fl_scn_add_machine(struct fl_scn_build *build)
{
	struct fl_scn_arena *keep = &build->reader->reading->keep;
	struct fl_scn_machine *machine = &build->machines[0];
	struct fl_scn_share *shares = fl_scn_alloc(keep, build->made->dirs_count, sizeof(*shares));

	if (!shares)
		return false;
	*machine = default_machine;
	machine->shares = shares;
	build->made->machines_count = 1;
	if (build->made->dirs_count > FL_SCN_SHARES_MAX)
		return fl_scn_wrong(build->reader, build->dirs[FL_SCN_SHARES_MAX].pos,
				    "A machine has %u shares at most: say by a block \"machine\" which.",
				    FL_SCN_SHARES_MAX);
	for (uint32_t i = 0; i < build->made->dirs_count; i++) {
		shares[i] = default_share;
		shares[i].pos = build->dirs[i].pos;
		shares[i].dir = i;
		shares[i].mount = fl_scn_format(keep, "/%s", build->dirs[i].name);
		if (!shares[i].mount)
			return false;
	}
	machine->shares_count = build->made->dirs_count;
	return true;
}
