/* SPDX-License-Identifier: Apache-2.0 */
/* Names, links, opening, attributes and directories. */
#include "tests/box/guest_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_LONGEST 255
#define FILES	     2000

static struct stat look(const char *name)
{
	struct stat st = {0};

	if (lstat(name, &st))
		printf("%s: %s\n", name, strerrorname_np(errno));
	return st;
}

static bool same_inode(const char *a, const char *b)
{
	return look(a).st_ino == look(b).st_ino && look(a).st_dev == look(b).st_dev;
}

static bool holds(const char *name, const char *text)
{
	char bytes[64] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, bytes, sizeof(bytes) - 1);

	close(fd);
	return len == (ssize_t)strlen(text) && !strcmp(bytes, text);
}

void posix_names(void)
{
	char longest[NAME_LONGEST + 2], target[PATH_MAX + 1], back[PATH_MAX];

	memset(longest, 'n', sizeof(longest));
	longest[NAME_LONGEST + 1] = 0;
	TRY(mkdir(longest, 0755));
	longest[NAME_LONGEST] = 0;
	TRY(mkdir(longest, 0755));
	TRY(rmdir(longest));
	TRY(mkdir("\xff\xfe\x01 \n\\", 0755));
	TRY(access("\xff\xfe\x01 \n\\", F_OK));
	TRY(rmdir("\xff\xfe\x01 \n\\"));
	close(posix_text("file", "x"));
	TRY(open("file/", O_RDONLY));
	TRY(open("file/x", O_RDONLY));
	TRY(mkdir("file", 0755));
	TRY(rmdir("file"));
	TRY(open("", O_RDONLY));
	TRY(unlink("absent"));
	TRY(rmdir("absent"));
	TRY(mkdir("d", 0755));
	TRY(unlink("d"));
	TRY(mkdir("d/e", 0755));
	TRY(rmdir("d"));
	TRY(rmdir("d/."));
	TRY(rmdir("d/e/.."));
	memset(target, 't', sizeof(target));
	target[PATH_MAX] = 0;
	TRY(symlink(target, "too-long"));
	target[PATH_MAX - 1] = 0;
	TRY(symlink(target, "long"));
	TRY(readlink("long", back, sizeof(back)));
	TRY(readlink("long", back, 10));
	TRY(readlink("file", back, sizeof(back)));
	TRY(open("long", O_RDONLY));
	TRY(symlink("loop", "loop"));
	TRY(open("loop", O_RDONLY));
}

void posix_links(void)
{
	int fd = posix_text("a", "one"), dead;
	struct stat st;

	TRY(link("a", "b"));
	TRY(link("a", "b"));
	SHOW(same_inode("a", "b"));
	SHOW(look("a").st_nlink);
	TRY(pwrite(fd, "two", 3, 0));
	SHOW(holds("b", "two"));
	TRY(unlink("a"));
	SHOW(look("b").st_nlink);
	TRY(mkdir("d", 0755));
	TRY(link("d", "e"));
	TRY(link("b", "d/b"));
	SHOW(same_inode("b", "d/b"));
	TRY(symlink("b", "s"));
	TRY(link("s", "s2"));
	SHOW(S_ISLNK(look("s2").st_mode));
	TRY(linkat(AT_FDCWD, "s", AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
	SHOW(same_inode("f", "b"));

	/* a file without a name lives on */
	dead = posix_text("dead", "alive");
	TRY(unlink("dead"));
	TRY(fstat(dead, &st));
	SHOW(st.st_nlink);
	TRY(pwrite(dead, "still", 5, 5));
	TRY(ftruncate(dead, 8));
	TRY(fchmod(dead, 0600));
	TRY(fstat(dead, &st));
	SHOW(st.st_size);
	SHOW(st.st_mode);
	TRY(fsync(dead));
	TRY(lseek(dead, 0, SEEK_END));
	/* and another of its name is another one */
	close(posix_text("dead", "new"));
	SHOW(holds("dead", "new"));
	TRY(fstat(dead, &st));
	SHOW(st.st_size);
	close(dead);
	close(fd);
}

static int unnamed(int flags)
{
	return open(".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0640);
}

static int give_name(int fd, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

void posix_opening(void)
{
	int fd = posix_text("f", "12345"), other;

	close(fd);
	SHOW(open("f", O_CREAT | O_EXCL | O_RDWR, 0644) < 0 ? errno : 0);
	SHOW(open(".", O_CREAT | O_RDWR, 0644) < 0 ? errno : 0);
	SHOW(open(".", O_RDWR) < 0 ? errno : 0);
	SHOW(open("f", O_DIRECTORY | O_RDONLY) < 0 ? errno : 0);
	TRY(symlink("f", "s"));
	TRY(symlink("made", "dangling"));
	SHOW(open("s", O_NOFOLLOW | O_RDONLY) < 0 ? errno : 0);
	SHOW(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644) < 0 ? errno : 0);
	fd = open("dangling", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	SHOW(S_ISREG(look("made").st_mode));
	close(fd);
	fd = open("f", O_WRONLY | O_TRUNC | O_CLOEXEC);
	SHOW(look("f").st_size);
	SHOW(read(fd, &other, 1) < 0 ? errno : 0);
	close(fd);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	SHOW(write(fd, "x", 1) < 0 ? errno : 0);
	SHOW(ftruncate(fd, 0) < 0 ? errno : 0);
	close(fd);
	umask(027);
	close(open("masked", O_CREAT | O_RDWR, 0666));
	TRY(mkdir("masked-dir", 0777));
	umask(022);
	SHOW(look("masked").st_mode);
	SHOW(look("masked-dir").st_mode);

	fd = unnamed(0);
	TRY(pwrite(fd, "text", 4, 0));
	TRY(give_name(fd, "named"));
	SHOW(holds("named", "text"));
	SHOW(look("named").st_mode);
	SHOW(look("named").st_nlink);
	close(fd);
	fd = unnamed(O_EXCL);
	TRY(give_name(fd, "never"));
	close(fd);
	fd = open("f", O_PATH | O_CLOEXEC);
	SHOW(write(fd, "x", 1) < 0 ? errno : 0);
	SHOW(fchmod(fd, 0600) < 0 ? errno : 0);
	close(fd);
}

void posix_rename(void)
{
	close(posix_text("a", "a"));
	close(posix_text("b", "bb"));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	SHOW(holds("a", "bb") && holds("b", "a"));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "absent", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 1u << 20));
	TRY(rename("a", "b"));
	SHOW(holds("b", "bb"));
	TRY(access("a", F_OK));
	TRY(link("b", "c"));
	TRY(rename("b", "c"));
	SHOW(look("b").st_nlink);
	TRY(mkdir("d", 0755));
	TRY(mkdir("d/e", 0755));
	TRY(rename("d", "d/e/f"));
	TRY(rename("b", "d"));
	TRY(rename("d", "b"));
	TRY(mkdir("full", 0755));
	close(posix_text("full/f", "x"));
	TRY(rename("d", "full"));
	TRY(rename("full", "d/e"));
	SHOW(holds("d/e/f", "x"));
	TRY(renameat2(AT_FDCWD, "d/e", AT_FDCWD, "b", RENAME_EXCHANGE));
	SHOW(holds("d/e", "bb") && holds("b/f", "x"));
	TRY(chdir("b"));
	TRY(rename("../b", "../moved"));
	SHOW(holds("f", "x"));
	TRY(chdir(".."));
}

static void show_times(const char *name)
{
	struct stat st = look(name);

	printf("%s: %lld.%09ld %lld.%09ld\n", name, (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	       (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void show_list(const char *name)
{
	char list[256];
	ssize_t len = listxattr(name, list, sizeof(list));

	printf("attributes of %s: %zd bytes:", name, len);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		printf(" %s", list + at);
	printf("\n");
}

static void set_times(void)
{
	const struct timespec old[2] = {{.tv_sec = 1000000007, .tv_nsec = 123456789},
					{.tv_sec = 3, .tv_nsec = 999999999}};
	const struct timespec one[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 77}};
	const struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
	const struct timespec early[2] = {{.tv_sec = -5, .tv_nsec = 5}, {.tv_sec = -1}};

	TRY(utimensat(AT_FDCWD, "f", old, 0));
	show_times("f");
	TRY(utimensat(AT_FDCWD, "f", one, 0));
	show_times("f");
	TRY(utimensat(AT_FDCWD, "f", early, 0));
	show_times("f");
	TRY(utimensat(AT_FDCWD, "f", now, 0));
	SHOW(look("f").st_mtim.tv_sec > 1000000000);
	TRY(utimensat(AT_FDCWD, "f", early, 0));
	TRY(symlink("f", "s"));
	TRY(utimensat(AT_FDCWD, "s", old, AT_SYMLINK_NOFOLLOW));
	SHOW(look("s").st_mtim.tv_nsec);
	show_times("f");
}

void posix_attributes(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fd = posix_text("f", "x"), listener, client;
	struct statfs sfs;
	char value[64];

	set_times();
	TRY(chmod("f", 07777));
	SHOW(look("f").st_mode);
	TRY(fchmod(fd, 0));
	SHOW(look("f").st_mode);
	TRY(access("f", R_OK | W_OK));
	TRY(access("f", X_OK));
	TRY(chown("f", 12, 34));
	SHOW(look("f").st_uid * 100 + look("f").st_gid);
	TRY(lchown("s", 1, 2));
	SHOW(look("s").st_uid * 100 + look("s").st_gid);
	TRY(mkfifo("fifo", 0600));
	listener = open("fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	TRY(write(listener, "through", 7));
	TRY(read(listener, value, sizeof(value)));
	close(listener);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	TRY(bind(listener, (const struct sockaddr *)&address, sizeof(address)));
	TRY(listen(listener, 1));
	TRY(connect(client, (const struct sockaddr *)&address, sizeof(address)));
	SHOW(S_ISSOCK(look("socket").st_mode));
	SHOW(open("socket", O_RDONLY) < 0 ? errno : 0);
	close(client);
	close(listener);
	TRY(setxattr("f", "user.one", "1", 1, 0));
	TRY(setxattr("f", "user.one", "22", 2, XATTR_CREATE));
	TRY(setxattr("f", "user.two", "22", 2, XATTR_REPLACE));
	TRY(setxattr("f", "user.one", "333", 3, XATTR_REPLACE));
	TRY(getxattr("f", "user.one", NULL, 0));
	TRY(getxattr("f", "user.one", value, 2));
	TRY(getxattr("f", "user.one", value, sizeof(value)));
	TRY(memcmp(value, "333", 3));
	TRY(getxattr("f", "user.none", value, sizeof(value)));
	TRY(fsetxattr(fd, "user.empty", "", 0, 0));
	TRY(setxattr("f", "nonsense", "1", 1, 0));
	TRY(lsetxattr("s", "user.one", "1", 1, 0));
	show_list("f");
	TRY(removexattr("f", "user.one"));
	TRY(removexattr("f", "user.one"));
	show_list("f");
	TRY(statfs(".", &sfs));
	SHOW(sfs.f_namelen);
	SHOW(sfs.f_bsize);
	SHOW(sfs.f_blocks > 0 && sfs.f_bfree <= sfs.f_blocks && sfs.f_ffree <= sfs.f_files);
	close(fd);
}

static void make_files(unsigned int from, unsigned int to)
{
	char name[32];

	for (unsigned int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		close(open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
	}
}

/* How often each of the files came; those that are there from beginning to end must come once. */
static void read_all(DIR *dir, bool remove_odd)
{
	static unsigned char seen[FILES];
	unsigned int entries = 0, number, lost = 0, twice = 0;
	struct dirent *entry;

	memset(seen, 0, sizeof(seen));
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "n%u", &number) != 1 || number >= FILES)
			continue;
		seen[number]++;
		/* of the other half; one that was not read yet may come or not */
		if (remove_odd && ++entries % 2)
			(void)unlinkat(dirfd(dir), number % 2 ? entry->d_name : "n1", 0);
	}
	for (unsigned int i = 0; i < FILES; i += 2) {
		lost += !seen[i];
		twice += seen[i] > 1;
	}
	SHOW(lost);
	SHOW(twice);
}

void posix_directories(void)
{
	struct dirent *entry;
	char at[256] = "", again[256] = "";
	unsigned int count = 0;
	struct stat st;
	DIR *dir;
	long place;

	TRY(mkdir("d", 0755));
	TRY(chdir("d"));
	make_files(0, FILES);
	dir = opendir(".");
	read_all(dir, false);
	rewinddir(dir);
	for (unsigned int i = 0; i < 700; i++)
		entry = readdir(dir);
	place = telldir(dir);
	entry = readdir(dir);
	if (entry)
		snprintf(at, sizeof(at), "%s", entry->d_name);
	while (readdir(dir))
		count++;
	seekdir(dir, place);
	entry = readdir(dir);
	if (entry)
		snprintf(again, sizeof(again), "%s", entry->d_name);
	SHOW(count);
	SHOW(!strcmp(at, again));
	rewinddir(dir);
	read_all(dir, true);
	closedir(dir);
	TRY(chdir(".."));
	TRY(stat("d", &st));
	SHOW(st.st_nlink);
	TRY(mkdir("d/sub", 0755));
	TRY(stat("d", &st));
	SHOW(st.st_nlink);

	/* a directory that is gone */
	TRY(mkdir("gone", 0755));
	TRY(chdir("gone"));
	TRY(rmdir("../gone"));
	SHOW(open("x", O_CREAT | O_WRONLY, 0644) < 0 ? errno : 0);
	SHOW(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0);
	TRY(mkdir("x", 0755));
	TRY(chdir(".."));
	SHOW(getcwd(at, sizeof(at)) != NULL);
}
