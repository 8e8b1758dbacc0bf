/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fs_mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

/* The fields of a line of mountinfo (proc(5)), counted from 1. */
#define FIELD_MOUNT_POINT 5u
#define FIELD_OPTIONS	  6u

static const char *find_field(const char *line, unsigned int number)
{
	for (unsigned int field = 1; line && field < number; field++) {
		line = strchr(line, ' ');
		if (line)
			line++;
	}
	return line;
}

static size_t field_len(const char *field)
{
	return strcspn(field, " \n");
}

/* The mount's line of mountinfo, to be freed; NULL: it is not in the list. */
static char *read_mount_line(uint64_t mnt_id)
{
	FILE *list = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!list)
		return NULL;
	while (!found && getline(&line, &cap, list) > 0)
		found = strtoull(line, NULL, 10) == mnt_id;
	fclose(list);
	if (found)
		return line;
	free(line);
	return NULL;
}

/* Are owners shown as they are? False also for a mount that is not in the list, of which nothing is known. */
static bool is_not_idmapped(uint64_t mnt_id)
{
	char *line = read_mount_line(mnt_id);
	const char *options = find_field(line, FIELD_OPTIONS);
	bool is_not = options && !memmem(options, field_len(options), "idmapped", strlen("idmapped"));

	free(line);
	return is_not;
}

void fl_export_mount_path(uint64_t mnt_id, char path[FL_MOUNT_PATH_LEN])
{
	char *line = read_mount_line(mnt_id);
	const char *point = find_field(line, FIELD_MOUNT_POINT);

	snprintf(path, FL_MOUNT_PATH_LEN, "%.*s", point ? (int)field_len(point) : 1, point ? point : "?");
	for (char *byte = path; *byte; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			*byte = '?';
	free(line);
}

static bool are_alike(const struct fl_mount *a, const struct fl_mount *b)
{
	return a->dev == b->dev && a->flags == b->flags && is_not_idmapped(a->mnt_id) && is_not_idmapped(b->mnt_id);
}

/* Among those before it in the list, which is the newest first. */
static uint64_t first_like(const struct fl_mount *mount)
{
	for (const struct fl_mount *other = mount->next; other; other = other->next)
		if (other->files_by == other->mnt_id && are_alike(other, mount))
			return other->mnt_id;
	return mount->mnt_id;
}

/* Any descriptor that is not O_PATH will do to name a mount by; only what may be opened is. */
int fl_export_note_mount(struct fl_export *fs_export, const struct fl_inode_key *key, uint32_t type, int path_fd)
{
	struct fl_inode_table *inodes = &fs_export->inodes;
	struct fl_mount *mount;
	struct statfs sfs;
	int fd = -1;
	int error;

	if (fl_inode_table_find_mount(inodes, key->mnt_id) || (type != S_IFDIR && type != S_IFREG))
		return 0;
	if (fl_export_reopen(fs_export, path_fd, O_RDONLY, &fd))
		fd = -1; /* its inodes stay open then */
	error = fl_inode_table_add_mount(inodes, key->mnt_id, fd);
	if (error)
		return error;
	mount = fl_inode_table_find_mount(inodes, key->mnt_id);
	mount->dev = key->dev;
	if (!fstatfs(path_fd, &sfs)) {
		mount->flags = (uint64_t)sfs.f_flags;
		mount->files_by = first_like(mount);
	}
	return 0;
}

uint64_t fl_export_file_mount(const struct fl_export *fs_export, uint64_t mnt_id)
{
	const struct fl_mount *mount = fl_inode_table_find_mount(&fs_export->inodes, mnt_id);

	return mount ? mount->files_by : mnt_id;
}
