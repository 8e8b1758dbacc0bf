/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/choices.h"
#include "cli/diag.h"

/* strtoull() takes signs, blanks and hexadecimal: a size or a count is none of these. */
static int parse_decimal(const char *text, uint64_t *number, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &end, 10);
	*rest = end;
	return errno ? -ERANGE : 0;
}

static bool suffix_shift(const char *suffix, unsigned int *shift)
{
	static const char letters[] = "KMGT";

	*shift = 0;
	if (suffix[0] == '\0')
		return true;
	const char *letter = strchr(letters, toupper((unsigned char)suffix[0]));

	if (!letter)
		return false;
	*shift = 10 * (unsigned int)(letter - letters + 1);
	return suffix[1] == '\0' || strcasecmp(suffix + 1, "B") == 0 || strcasecmp(suffix + 1, "iB") == 0;
}

int fl_cli_parse_size(const char *option, const char *text, uint64_t *bytes, struct fl_diag *diag)
{
	const char *suffix = "";
	unsigned int shift;
	uint64_t number = 0;
	int ret = parse_decimal(text, &number, &suffix);

	if (ret == -EINVAL || !suffix_shift(suffix, &shift))
		return fl_cli_diag(diag, -EINVAL, "%s wants a size like 512M or 2G, not \"%s\".", option, text);
	if (ret == -ERANGE || number > UINT64_MAX >> shift)
		return fl_cli_diag(diag, -EINVAL, "%s: %s is more than 64 bits can hold.", option, text);
	*bytes = number << shift;
	return 0;
}

int fl_cli_parse_number(const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *number,
			struct fl_diag *diag)
{
	const char *rest = "";
	uint64_t value = 0;
	int ret = parse_decimal(text, &value, &rest);

	if (ret < 0 || *rest || value < min || value > max)
		return fl_cli_diag(diag, -EINVAL, "%s wants a whole number from %u to %u, not \"%s\".", option, min,
				   max, text);
	*number = (uint32_t)value;
	return 0;
}

int fl_cli_parse_address(const char *option, const char *text, uint64_t *address, struct fl_diag *diag)
{
	bool good;
	char *end;

	if (strncmp(text, "0x", 2) == 0) {
		errno = 0;
		*address = strtoull(text + 2, &end, 16);
		good = isxdigit((unsigned char)text[2]) && !*end && !errno;
	} else {
		good = fl_cli_parse_size(option, text, address, diag) == 0;
	}
	if (!good)
		return fl_cli_diag(diag, -EINVAL, "%s wants an address like 0x180000000 or 6G, not \"%s\".", option,
				   text);
	return 0;
}

static int no_such_action(const char *option, const char *word, size_t len, struct fl_diag *diag)
{
	const struct fl_cli_option *row = fl_cli_find_option(fl_cli_find_verb("run"), FL_CLI_OPTION_ON_FAULT);
	char text[FL_CLI_CHOICES_TEXT_LEN];

	return fl_cli_diag(diag, -EINVAL, "%s takes %s, with commas between them, not \"%.*s\".", option,
			   fl_cli_choices_text(row->choices, text), (int)len, word);
}

int fl_cli_parse_policy(const char *option, const char *text, struct fl_policy *policy, struct fl_diag *diag)
{
	struct fl_policy parsed = {{FL_ACTION_STOP}};
	unsigned int action;
	size_t count = 0;

	for (const char *word = text;; word += strcspn(word, ",") + 1) {
		size_t len = strcspn(word, ",");

		if (count == FL_POLICY_MAX)
			return fl_cli_diag(diag, -EINVAL, "%s takes at most %d actions, and \"%s\" has more.", option,
					   FL_POLICY_MAX, text);
		if (fl_cli_find_choice(FL_CLI_OPTION_ON_FAULT, word, len, &action) < 0)
			return no_such_action(option, word, len, diag);
		parsed.action[count++] = (enum fl_action)action;
		if (count > 1 && parsed.action[count - 2] == FL_ACTION_STOP)
			return fl_cli_diag(diag, -EINVAL, "%s: nothing is tried after stop, so put it last in \"%s\".",
					   option, text);
		if (!word[len])
			break;
	}
	*policy = parsed;
	return 0;
}

static int check_dir(const char *option, const char *dir, struct fl_diag *diag)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return fl_cli_diag(diag, -EINVAL, "%s: the directory %s cannot be used: %s.", option, dir,
				   strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fl_cli_diag(diag, -EINVAL, "%s: %s is not a directory.", option, dir);
	return 0;
}

static bool is_dots(const char *part, size_t len, size_t dots)
{
	return len == dots && strncmp(part, "..", dots) == 0;
}

/*
 * "/a//b/./" -> "/a/b", so that equal mount points are found to be equal. ".." is refused, since what it
 * means depends on symbolic links that only the guest can see.
 */
static int normalize_mount(const char *text, size_t len, char **mount)
{
	char *out = malloc(len + 2);
	size_t used = 0;

	if (!out)
		return -ENOMEM;
	for (size_t at = 0; at < len;) {
		size_t part_len = 0;

		while (at + part_len < len && text[at + part_len] != '/')
			part_len++;
		if (is_dots(text + at, part_len, 2)) {
			free(out);
			return -EINVAL;
		}
		if (part_len > 0 && !is_dots(text + at, part_len, 1)) {
			out[used++] = '/';
			memcpy(out + used, text + at, part_len);
			used += part_len;
		}
		at += part_len + 1;
	}
	if (used == 0)
		out[used++] = '/';
	out[used] = '\0';
	*mount = out;
	return 0;
}

int fl_cli_parse_mount(const char *option, const char *text, size_t len, char **mount, struct fl_diag *diag)
{
	int ret = normalize_mount(text, len, mount);

	if (ret == -ENOMEM)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	if (ret < 0)
		return fl_cli_diag(diag, -EINVAL, "%s: the path in the guest must not contain \"..\": \"%s\".", option,
				   text);
	return 0;
}

/* Where "DIR" ends in "DIR:WORD"; the length of all of it if no such word is there. */
static size_t length_before(const char *text, const char *word)
{
	size_t len = strlen(text), word_len = strlen(word);

	return len > word_len && strcmp(text + len - word_len, word) == 0 ? len - word_len : len;
}

/* The last ":overlay=", so that a directory may have any name; NULL if there is none. */
static const char *find_changes(const char *text)
{
	static const char word[] = ":overlay=";
	const char *found = NULL;

	for (const char *at = strstr(text + (*text != '\0'), word); at; at = strstr(at + 1, word))
		found = at;
	return found;
}

/* How an overlay is said, and how long the name of its directory is. *changes: what ":overlay=" names, or NULL. */
static size_t take_overlay(const char *text, struct fl_cli_share *share, const char **changes)
{
	const char *found = find_changes(text);

	share->overlay = found || length_before(text, ":overlay") < strlen(text);
	*changes = found ? found + strlen(":overlay=") : NULL;
	return found ? (size_t)(found - text) : length_before(text, ":overlay");
}

/* How the root may be used, likewise. */
static size_t take_mode(const char *text, struct fl_cli_share *share, const char **changes)
{
	size_t len = strlen(text);

	*changes = NULL;
	if (length_before(text, ":ro") < len)
		return length_before(text, ":ro");
	share->writable = length_before(text, ":rw") < len;
	return share->writable ? length_before(text, ":rw") : take_overlay(text, share, changes);
}

/* share: with its mount, which is freed on failure; the directories are looked for. */
static int set_dirs(const char *option, const char *dir, size_t dir_len, const char *changes,
		    struct fl_cli_share *share, struct fl_diag *diag)
{
	int ret = 0;

	share->dir = strndup(dir, dir_len);
	if (changes)
		share->overlay_dir = strdup(changes);
	if (!share->mount || !share->dir || (changes && !share->overlay_dir))
		ret = fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	if (ret == 0)
		ret = check_dir(option, share->dir, diag);
	if (ret == 0 && share->overlay_dir)
		ret = check_dir(option, share->overlay_dir, diag);
	return ret;
}

int fl_cli_parse_root(const char *option, const char *text, struct fl_cli_share *share, struct fl_diag *diag)
{
	struct fl_cli_share parsed = {.mount = strdup("/")};
	const char *changes;
	size_t dir_len = take_mode(text, &parsed, &changes);
	int ret = set_dirs(option, text, dir_len, changes, &parsed, diag);

	if (ret == -EINVAL && strchr(parsed.dir, ':'))
		ret = fl_cli_diag(diag, -EINVAL,
				  "%s: there is no directory %s; after a colon there can be ro, rw, overlay or "
				  "overlay=DIR.",
				  option, parsed.dir);
	if (ret < 0)
		fl_cli_share_fini(&parsed);
	else
		*share = parsed;
	return ret;
}

int fl_cli_parse_share(const char *option, const char *text, struct fl_cli_share *share, struct fl_diag *diag)
{
	const char *equals = strchr(text, '='), *changes;

	if (!equals || text[0] != '/')
		return fl_cli_diag(diag, -EINVAL,
				   "%s wants GUESTPATH=DIR with an absolute path in the guest, like /data=./data, not "
				   "\"%s\".",
				   option, text);
	struct fl_cli_share parsed = {.writable = share->writable};
	int ret = fl_cli_parse_mount(option, text, (size_t)(equals - text), &parsed.mount, diag);

	if (ret < 0)
		return ret;
	size_t dir_len = take_overlay(equals + 1, &parsed, &changes);

	if (strcmp(parsed.mount, "/") == 0)
		ret = fl_cli_diag(diag, -EINVAL, "%s cannot replace the root: use --root DIR%s.", option,
				  share->writable ? ":rw" : "");
	else if (parsed.overlay && parsed.writable)
		ret = fl_cli_diag(diag, -EINVAL, "%s: an overlay leaves the directory as it is: say --rodir %s.",
				  option, text);
	else
		ret = set_dirs(option, equals + 1, dir_len, changes, &parsed, diag);
	if (ret < 0)
		fl_cli_share_fini(&parsed);
	else
		*share = parsed;
	return ret;
}

int fl_cli_parse_override(const char *option, const char *text, struct fl_cli_override *override, struct fl_diag *diag)
{
	const char *equals = strchr(text, '=');
	struct fl_cli_override parsed = {0};
	int ret = fl_cli_parse_policy(option, equals ? equals + 1 : text, &parsed.policy, diag);

	if (ret == 0 && equals && text[0] == '/')
		ret = fl_cli_parse_mount(option, text, (size_t)(equals - text), &parsed.where, diag);
	else if (ret == 0 && equals && strncmp(text, "ram=", 4) == 0)
		ret = (parsed.where = strdup("ram")) ? 0 : fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	else if (ret == 0 && equals)
		ret = fl_cli_diag(diag, -EINVAL, "%s wants a GUESTPATH or \"ram\" before the \"=\", not \"%.*s\".",
				  option, (int)(equals - text), text);
	if (ret == 0)
		*override = parsed;
	return ret;
}

void fl_cli_override_fini(struct fl_cli_override *override)
{
	free(override->where);
	*override = (struct fl_cli_override){0};
}

void fl_cli_share_fini(struct fl_cli_share *share)
{
	free(share->mount);
	free(share->dir);
	free(share->overlay_dir);
	*share = (struct fl_cli_share){0};
}
