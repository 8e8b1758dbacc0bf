/* SPDX-License-Identifier: Apache-2.0 */
/* What --window looks like, and the file or memory that it means. */
#include "cli/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/values.h"

#define ALIGNMENT     (UINT64_C(2) << 20)
#define MEMORY_PREFIX "memfd:"
#define SIZE_PREFIX   "size="
#define POLICY_PREFIX "on-fault="

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* One word of those after the address; what follows on-fault= is all its list. */
static int take_word(const char *option, const char *word, struct fl_cli_window *window, struct fl_diag *diag)
{
	if (strcmp(word, "ro") == 0) {
		window->read_only = true;
		return 0;
	}
	if (begins_with(word, SIZE_PREFIX)) {
		int ret = fl_cli_parse_size(option, word + strlen(SIZE_PREFIX), &window->len, diag);

		if (ret < 0 || (window->len && window->len % ALIGNMENT == 0))
			return ret;
		return fl_cli_diag(diag, -EINVAL, "%s: size= wants a multiple of 2M, not %s.", option,
				   word + strlen(SIZE_PREFIX));
	}
	if (begins_with(word, POLICY_PREFIX)) {
		window->has_policy = true;
		return fl_cli_parse_policy(option, word + strlen(POLICY_PREFIX), &window->policy, diag);
	}
	return fl_cli_diag(diag, -EINVAL, "%s knows the options ro, size=SIZE and on-fault=LIST, not \"%s\".", option,
			   word);
}

/* text is changed. */
static int take_words(const char *option, char *text, struct fl_cli_window *window, struct fl_diag *diag)
{
	int ret = 0;

	while (ret == 0 && text) {
		char *comma = begins_with(text, POLICY_PREFIX) ? NULL : strchr(text, ',');

		if (comma)
			*comma++ = '\0';
		ret = take_word(option, text, window, diag);
		text = comma;
	}
	return ret;
}

static int take_address(const char *option, const char *text, struct fl_cli_window *window, struct fl_diag *diag)
{
	int ret = fl_cli_parse_address(option, text, &window->gpa, diag);

	if (ret == 0 && window->gpa % ALIGNMENT)
		return fl_cli_diag(diag, -EINVAL, "%s: the address must be a multiple of 2M, which %s is not.", option,
				   text);
	return ret;
}

static int take_source(const char *option, const char *text, struct fl_cli_window *window, struct fl_diag *diag)
{
	if (begins_with(text, MEMORY_PREFIX)) {
		int ret = fl_cli_parse_size(option, text + strlen(MEMORY_PREFIX), &window->memory_len, diag);

		if (ret == 0 && (!window->memory_len || window->memory_len > INT64_MAX - ALIGNMENT))
			return fl_cli_diag(diag, -EINVAL, "%s: memory of %s bytes is not possible.", option,
					   text + strlen(MEMORY_PREFIX));
		return ret;
	}
	window->file = strdup(text);
	return window->file ? 0 : fl_cli_diag(diag, -ENOMEM, "Out of memory.");
}

int fl_cli_parse_window(const char *option, const char *text, struct fl_cli_window *window, struct fl_diag *diag)
{
	char *copy = strdup(text);
	/* a file's name may have one too */
	char *at = copy ? strrchr(copy, '@') : NULL;
	int ret;

	*window = (struct fl_cli_window){0};
	if (!copy)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	if (!at || at == copy) {
		free(copy);
		return fl_cli_diag(diag, -EINVAL, "%s wants FILE@ADDRESS or memfd:SIZE@ADDRESS, not \"%s\".", option,
				   text);
	}
	*at++ = '\0';
	char *words = strchr(at, ',');

	if (words)
		*words++ = '\0';
	ret = take_source(option, copy, window, diag);
	if (ret == 0)
		ret = take_address(option, at, window, diag);
	if (ret == 0)
		ret = take_words(option, words, window, diag);
	free(copy);
	if (ret < 0)
		fl_cli_window_fini(window);
	return ret;
}

void fl_cli_window_fini(struct fl_cli_window *window)
{
	free(window->file);
	*window = (struct fl_cli_window){0};
}

static int make_memory(const struct fl_cli_window *window, struct fl_diag *diag)
{
	int fd = memfd_create("guest-window", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)window->memory_len) == 0)
		return fd;
	fl_cli_diag(diag, -errno, "--window: there is no memory of %llu bytes: %s.",
		    (unsigned long long)window->memory_len, strerror(errno));
	if (fd >= 0)
		close(fd);
	return diag->error;
}

int fl_cli_open_window(const struct fl_cli_window *window, uint64_t *len, struct fl_diag *diag)
{
	struct stat st;
	int fd;

	if (!window->file)
		fd = make_memory(window, diag);
	else
		fd = open(window->file, (window->read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC); /* a FIFO */
	if (fd < 0)
		return window->file
			       ? fl_cli_diag(diag, -errno, "--window: %s cannot be opened%s: %s.", window->file,
					     window->read_only ? "" : " for writing (without \",ro\")", strerror(errno))
			       : fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > INT64_MAX - ALIGNMENT) {
		close(fd);
		return fl_cli_diag(diag, -EINVAL, "--window: %s is not a regular file that could be mapped.",
				   window->file ? window->file : "the memory");
	}
	/* an empty file can grow into its window */
	*len = ((uint64_t)st.st_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	*len = window->len ? window->len : *len ? *len : ALIGNMENT;
	return fd;
}
