/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/conf_parse.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/orders.h"

#define CONF_LEN_MAX   (UINT64_C(16) << 20)
#define RECORD_STRINGS 4

struct cursor {
	char *at;
	char *end;
};

static unsigned int strings_of(char letter)
{
	switch (letter) {
	case 'O':
		return 4;
	case 'M':
		return 3;
	case 'N':
		return 2;
	case 'A':
	case 'E':
	case 'C':
	case 'H':
	case 'P':
	case 'R':
	case 'T':
	case 'U':
		return 1;
	default:
		return 0;
	}
}

/* One record: its letter, its strings. */
static int next_record(struct cursor *cursor, char *letter, char *strings[RECORD_STRINGS], struct fl_diag *diag)
{
	*letter = *cursor->at++;
	unsigned int count = strings_of(*letter);

	if (count == 0)
		return fl_diag(diag, -EINVAL, "unknown record %#04x in the agent's configuration",
			       (unsigned int)(unsigned char)*letter);
	for (unsigned int i = 0; i < count; i++) {
		char *nul = memchr(cursor->at, '\0', (size_t)(cursor->end - cursor->at));

		if (!nul)
			return fl_diag(diag, -EINVAL, "the agent's configuration ends within a record %c", *letter);
		strings[i] = cursor->at;
		cursor->at = nul + 1;
	}
	return 0;
}

static int parse_clock(const char *text, struct timespec *clock, struct fl_diag *diag)
{
	char *end;

	errno = 0;
	long long seconds = strtoll(text, &end, 10);
	bool good = end != text && errno == 0 && *end == '.' && seconds >= 0;
	const char *fraction = end + 1;
	long nanoseconds = good ? strtol(fraction, &end, 10) : -1;

	if (!good || end == fraction || *end || errno || nanoseconds < 0 || nanoseconds > 999999999)
		return fl_diag(diag, -EINVAL, "the wall clock \"%s\" in the agent's configuration is not a time", text);
	*clock = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
	return 0;
}

static int parse_terminal(struct fl_conf *conf, const char *text, struct fl_diag *diag)
{
	conf->has_terminal = fl_terminal_size_parse(text, &conf->rows, &conf->cols);
	return conf->has_terminal ? 0
				  : fl_diag(diag, -EINVAL,
					    "the terminal's size \"%s\" in the agent's configuration is none", text);
}

static int parse_mount(struct fl_conf *conf, char *strings[RECORD_STRINGS], const char *upper, struct fl_diag *diag)
{
	bool root = strcmp(strings[1], "/") == 0;

	if (strings[1][0] != '/' || root != (conf->mount_count == 0))
		return fl_diag(diag, -EINVAL,
			       "the agent's configuration mounts \"%s\", but the first mount must be \"/\" and "
			       "the others absolute paths below it",
			       strings[1]);
	conf->mounts[conf->mount_count++] =
		(struct fl_conf_mount){.tag = strings[0], .path = strings[1], .options = strings[2], .upper = upper};
	return 0;
}

static int parse_address(struct fl_conf *conf, char *strings[RECORD_STRINGS], struct fl_diag *diag)
{
	if (conf->address_count == FL_CONF_ADDRESSES_MAX)
		return fl_diag(diag, -EINVAL, "the agent's configuration has more than %d addresses",
			       FL_CONF_ADDRESSES_MAX);
	conf->addresses[conf->address_count++] = (struct fl_conf_address){.address = strings[0], .gateway = strings[1]};
	return 0;
}

static int take_record(struct fl_conf *conf, char letter, char *strings[RECORD_STRINGS], struct fl_diag *diag)
{
	switch (letter) {
	case 'M':
		return parse_mount(conf, strings, NULL, diag);
	case 'O':
		return parse_mount(conf, strings, strings[3], diag);
	case 'N':
		return parse_address(conf, strings, diag);
	case 'R':
		conf->resolv_conf = strings[0];
		return 0;
	case 'A':
		conf->argv[conf->argc++] = strings[0];
		return 0;
	case 'E':
		conf->envp[conf->envc++] = strings[0];
		return 0;
	case 'C':
		conf->cwd = strings[0];
		return 0;
	case 'H':
		conf->hostname = strings[0];
		return 0;
	case 'P':
		return parse_terminal(conf, strings[0], diag);
	case 'U':
		conf->user = strings[0];
		return 0;
	default: /* 'T', by strings_of() */
		conf->has_wall_clock = true;
		return parse_clock(strings[0], &conf->wall_clock, diag);
	}
}

static int count_records(struct cursor cursor, size_t counts[256], struct fl_diag *diag)
{
	while (cursor.at < cursor.end) {
		char *strings[RECORD_STRINGS];
		char letter;
		int ret = next_record(&cursor, &letter, strings, diag);

		if (ret < 0)
			return ret;
		counts[(unsigned char)letter]++;
	}
	return 0;
}

static int fill(struct fl_conf *conf, struct fl_diag *diag)
{
	struct cursor cursor = {.at = conf->text, .end = conf->text + conf->text_len};
	size_t counts[256] = {0};
	int ret = count_records(cursor, counts, diag);

	if (ret < 0)
		return ret;
	size_t mounts = counts['M'] + counts['O'];

	if (mounts == 0 || counts['A'] == 0)
		return fl_diag(diag, -EINVAL, "the agent's configuration names no %s",
			       mounts == 0 ? "root to mount" : "command to run");
	conf->mounts = calloc(mounts, sizeof(*conf->mounts));
	conf->argv = calloc(counts['A'] + 1, sizeof(*conf->argv));
	conf->envp = calloc(counts['E'] + 1, sizeof(*conf->envp));
	conf->cwd = "/";
	if (!conf->mounts || !conf->argv || !conf->envp)
		return fl_diag(diag, -ENOMEM, "no memory for the agent's configuration");
	while (ret == 0 && cursor.at < cursor.end) {
		char *strings[RECORD_STRINGS];
		char letter;

		ret = next_record(&cursor, &letter, strings, diag);
		if (ret == 0)
			ret = take_record(conf, letter, strings, diag);
	}
	return ret;
}

int fl_conf_parse(char *text, size_t text_len, struct fl_conf *conf, struct fl_diag *diag)
{
	*conf = (struct fl_conf){.text = text, .text_len = text_len};
	int ret = fill(conf, diag);

	if (ret < 0)
		fl_conf_fini(conf);
	return ret;
}

int fl_conf_read(const char *path, struct fl_conf *conf, struct fl_diag *diag)
{
	FL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_diag(diag, -errno, "%s cannot be opened: %s", path, strerror(errno));
	if (st.st_size < 0 || (uint64_t)st.st_size > CONF_LEN_MAX)
		return fl_diag(diag, -EFBIG, "%s is too long", path);
	size_t len = (size_t)st.st_size;
	FL_FREE char *text = malloc(len + 1);
	size_t got = 0;

	if (!text)
		return fl_diag(diag, -ENOMEM, "no memory for %s", path);
	while (got < len) {
		ssize_t n = read(fd, text + got, len - got);

		if (n <= 0)
			return fl_diag(diag, n < 0 ? -errno : -EIO, "%s cannot be read", path);
		got += (size_t)n;
	}
	char *taken = text;

	text = NULL;
	return fl_conf_parse(taken, len, conf, diag);
}

void fl_conf_fini(struct fl_conf *conf)
{
	free(conf->mounts);
	free(conf->argv);
	free(conf->envp);
	free(conf->text);
	*conf = (struct fl_conf){0};
}
