/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/users.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LEN_MAX  (UINT64_C(16) << 20)
#define ID_MAX	      (UINT32_MAX - 1) /* -1 means "unchanged" to the kernel */
#define PASSWD_FIELDS 7
#define GROUP_FIELDS  4

/* A file of lines; the lines are cut apart where it lies. */
struct table {
	char *text;
	char *at;
	char *end;
};

static int read_whole(int fd, char *text, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, text + got, len - got);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		got += (size_t)n;
	}
	return 0;
}

/* One that is not there has no lines. O_NONBLOCK: who prepares the guest's root may have put anything there. */
static int table_read(struct table *table, const char *path, struct fl_diag *diag)
{
	FL_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	*table = (struct table){0};
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_diag(diag, -errno, "the guest's %s cannot be opened: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > FILE_LEN_MAX)
		return fl_diag(diag, -EINVAL, "the guest's %s is not a file of at most 16 MiB", path);
	table->text = malloc((size_t)st.st_size + 1);
	if (!table->text)
		return fl_diag(diag, -ENOMEM, "no memory for the guest's %s", path);
	int ret = read_whole(fd, table->text, (size_t)st.st_size);

	if (ret < 0) {
		free(table->text);
		*table = (struct table){0};
		return fl_diag(diag, ret, "the guest's %s cannot be read: %s", path, strerror(-ret));
	}
	table->at = table->text;
	table->end = table->text + st.st_size;
	*table->end = '\0';
	return 0;
}

/* The next line that has that many fields; false at the end. */
static bool next_entry(struct table *table, char *fields[], size_t count)
{
	while (table->at < table->end) {
		char *rest = table->at;
		char *newline = memchr(rest, '\n', (size_t)(table->end - rest));
		size_t found = 0;

		table->at = newline ? newline + 1 : table->end;
		if (newline)
			*newline = '\0';
		while (rest && found < count)
			fields[found++] = strsep(&rest, ":");
		if (found == count)
			return true;
	}
	return false;
}

/* Digits alone. */
static bool parse_id(const char *text, uint32_t *id)
{
	uint64_t value = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9')
			return false;
		value = value * 10 + (uint64_t)(*at - '0');
		if (value > ID_MAX)
			return false;
	}
	*id = (uint32_t)value;
	return *text;
}

static bool copy_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to;
}

struct entry {
	const char *name; /* all of it lies in the table */
	uint32_t uid, gid;
	const char *home, *shell;
};

static bool next_user(struct table *table, struct entry *entry)
{
	char *fields[PASSWD_FIELDS];

	while (next_entry(table, fields, PASSWD_FIELDS)) {
		*entry = (struct entry){.name = fields[0], .home = fields[5], .shell = fields[6]};
		if (*entry->name && parse_id(fields[2], &entry->uid) && parse_id(fields[3], &entry->gid))
			return true;
	}
	return false;
}

static int take_entry(struct fl_user *user, const struct entry *entry)
{
	user->uid = entry->uid;
	user->gid = entry->gid;
	return copy_text(&user->name, entry->name) && copy_text(&user->home, *entry->home ? entry->home : "/") &&
			       copy_text(&user->shell, *entry->shell ? entry->shell : "/bin/sh")
		       ? 0
		       : -ENOMEM;
}

/* By name, or else the first one with that number. */
static int find_user(struct table *table, const char *wanted, struct fl_user *user, bool *found)
{
	struct entry entry;
	uint32_t uid = 0;
	bool is_number = parse_id(wanted, &uid);
	int ret = 0;

	*found = false;
	while (ret == 0 && next_user(table, &entry)) {
		if (strcmp(entry.name, wanted) == 0) {
			*found = true;
			return take_entry(user, &entry);
		}
		if (is_number && entry.uid == uid && !*found) {
			*found = true;
			ret = take_entry(user, &entry);
		}
	}
	if (ret == 0 && !*found && is_number) {
		*found = true;
		ret = take_entry(user, &(struct entry){.name = wanted, .uid = uid, .home = "", .shell = ""});
	}
	return ret;
}

static int resolve_user(const char *wanted, const char *path, struct fl_user *user, struct fl_diag *diag)
{
	struct table table;
	bool found;
	int ret = table_read(&table, path, diag);

	if (ret < 0)
		return ret;
	ret = find_user(&table, wanted, user, &found);
	free(table.text);
	if (ret < 0)
		return fl_diag(diag, ret, "no memory for the user of the command");
	return found ? 0
		     : fl_diag(diag, -ENOENT,
			       "the user \"%s\" does not exist in the guest: no line of its %s begins with that name",
			       wanted, path);
}

static bool is_member(const char *members, const char *name)
{
	size_t name_len = strlen(name);

	while (*members) {
		size_t len = strcspn(members, ",");

		if (len == name_len && memcmp(members, name, len) == 0)
			return true;
		members += len + (members[len] == ',');
	}
	return false;
}

static int add_group(struct fl_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return 0;
	if (user->group_count == NGROUPS_MAX)
		return 0;
	gid_t *groups = reallocarray(user->groups, user->group_count + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	groups[user->group_count++] = gid;
	user->groups = groups;
	return 0;
}

/* One pass: the wanted group (NULL: the user's own), and those that list the user. */
static int scan_groups(struct table *table, const char *wanted, struct fl_user *user, bool *found)
{
	char *fields[GROUP_FIELDS];
	uint32_t gid;
	int ret = 0;

	*found = !wanted || parse_id(wanted, &user->gid);
	while (ret == 0 && next_entry(table, fields, GROUP_FIELDS)) {
		if (!parse_id(fields[2], &gid))
			continue;
		if (wanted && strcmp(fields[0], wanted) == 0) {
			user->gid = gid;
			*found = true;
		}
		if (is_member(fields[3], user->name))
			ret = add_group(user, gid);
	}
	return ret ? ret : add_group(user, user->gid);
}

static int resolve_groups(const char *wanted, const char *path, struct fl_user *user, struct fl_diag *diag)
{
	struct table table;
	bool found;
	int ret = table_read(&table, path, diag);

	if (ret < 0)
		return ret;
	ret = scan_groups(&table, wanted, user, &found);
	free(table.text);
	if (ret < 0)
		return fl_diag(diag, ret, "no memory for the groups of the command's user");
	return found ? 0
		     : fl_diag(diag, -ENOENT,
			       "the group \"%s\" does not exist in the guest: no line of its %s begins with that name",
			       wanted, path);
}

int fl_user_resolve(const char *spec, const char *passwd_path, const char *group_path, struct fl_user *user,
		    struct fl_diag *diag)
{
	FL_FREE char *copy = strdup(spec);
	char *group = copy;
	int ret;

	*user = (struct fl_user){0};
	if (!copy)
		return fl_diag(diag, -ENOMEM, "no memory for the user of the command");
	const char *name = strsep(&group, ":");

	if (!*name || (group && !*group))
		return fl_diag(diag, -EINVAL, "\"%s\" is not a user: give NAME, UID, NAME:GROUP or UID:GID", spec);
	ret = resolve_user(name, passwd_path, user, diag);
	if (ret == 0)
		ret = resolve_groups(group, group_path, user, diag);
	if (ret < 0)
		fl_user_fini(user);
	return ret;
}

void fl_user_fini(struct fl_user *user)
{
	free(user->groups);
	free(user->name);
	free(user->home);
	free(user->shell);
	*user = (struct fl_user){0};
}

int fl_user_become(const struct fl_user *user)
{
	if (setgroups(user->group_count, user->groups) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}
