/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"

#define CONSOLE_LEN  ((size_t)256 << 10)
#define LOOK_NS	     UINT64_C(200000000)
#define DESCRIBE_LEN 8192

uint64_t fl_scn_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fl_scn_guests_look_for_end(struct fl_scn_guests *guests)
{
	struct fl_result result = {.size = sizeof(result)};

	if (!guests->vm || fl_vm_wait(guests->vm, 0, &result) < 0)
		return;
	pthread_mutex_lock(&guests->lock);
	if (!guests->broken)
		(void)fl_cli_diag(&guests->why_broken, -EPIPE, "It has ended: %s.",
				  result.text[0] ? result.text : "the guest powered off, or was reset");
	guests->broken = true;
	pthread_cond_broadcast(&guests->changed);
	pthread_mutex_unlock(&guests->lock);
}

bool fl_scn_guests_wait(struct fl_scn_guests *guests, uint64_t deadline_ns)
{
	uint64_t now_ns = fl_scn_now_ns();
	uint64_t until_ns = now_ns + LOOK_NS < deadline_ns ? now_ns + LOOK_NS : deadline_ns;
	struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

	if (pthread_cond_timedwait(&guests->changed, &guests->lock, &until) != ETIMEDOUT)
		return true;
	pthread_mutex_unlock(&guests->lock);
	fl_scn_guests_look_for_end(guests);
	pthread_mutex_lock(&guests->lock);
	return fl_scn_now_ns() < deadline_ns && !guests->opts.cancelled(guests->opts.cancelled_arg);
}

uint64_t fl_scn_guests_patience(const struct fl_scn_guests *guests)
{
	return fl_scn_now_ns() + (uint64_t)guests->opts.patience_ms * 1000000u;
}

/* ---- what it is -------------------------------------------------------------------------- */

/* All of a machine that makes a difference to a guest, as text: two with the same can stand for one another. */
static char *describe(const struct fl_scn_guests_opts *opts)
{
	const struct fl_scn_machine *of = opts->machine;
	char *text = malloc(DESCRIBE_LEN);
	int len;

	if (!text)
		return NULL;
	len = snprintf(text, DESCRIBE_LEN, "%s %u %llu %s %s %u", opts->native ? "native" : "vm", of->vcpus,
		       (unsigned long long)of->ram_len, opts->kernel ? opts->kernel : "", of->params ? of->params : "",
		       of->fault_mode);
	for (uint32_t i = 0; i < of->shares_count && len > 0 && len < DESCRIBE_LEN; i++) {
		const struct fl_scn_share *share = &of->shares[i];
		const struct fl_scn_dir *dir = &opts->dirs[share->dir];

		len += snprintf(text + len, (size_t)(DESCRIBE_LEN - len),
				"\n%s %u %llu %s %d%d%d %u %llu %u,%u,%u,%u %u %u", dir->name, dir->kind,
				(unsigned long long)dir->len, share->mount, share->writable, share->prefault,
				share->mapped, share->dax, (unsigned long long)share->window_len,
				share->policy.action[0], share->policy.action[1], share->policy.action[2],
				share->policy.action[3], share->attr_timeout_ms, share->entry_timeout_ms);
	}
	if (len > 0 && len < DESCRIBE_LEN)
		return text;
	free(text);
	return NULL;
}

bool fl_scn_guests_are_like(const struct fl_scn_guests *guests, const struct fl_scn_guests_opts *opts)
{
	char *text = describe(opts);
	bool same = text && strcmp(text, guests->description) == 0;

	free(text);
	return same;
}

/* ---- its life ---------------------------------------------------------------------------- */

static int make_page(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int len = snprintf(guests->page_dir, sizeof(guests->page_dir), "%s/marks.XXXXXX",
			   fl_scn_workdir_path(guests->opts.workdir));

	if (len < 0 || (size_t)len >= sizeof(guests->page_dir) || !mkdtemp(guests->page_dir))
		return fl_cli_diag(diag, -errno, "A directory cannot be made in %s: %s.",
				   fl_scn_workdir_path(guests->opts.workdir), strerror(errno));
	return fl_scn_page_new(guests->page_dir, &guests->page, diag);
}

static int wait_for_hello(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	uint64_t deadline_ns = fl_scn_guests_patience(guests);
	bool in_time = true;

	pthread_mutex_lock(&guests->lock);
	while (!guests->hello_seen && !guests->broken && in_time)
		in_time = fl_scn_guests_wait(guests, deadline_ns);
	bool hello_seen = guests->hello_seen && !guests->broken;
	struct fl_diag why = guests->why_broken;

	pthread_mutex_unlock(&guests->lock);
	if (hello_seen)
		return 0;
	if (!in_time)
		return fl_cli_diag(diag, -ETIMEDOUT, "Machine %s did not come up in %u s.", guests->opts.machine->name,
				   guests->opts.patience_ms / 1000);
	return fl_cli_diag(diag, -EPIPE, "Machine %s did not come up: %s", guests->opts.machine->name, why.text);
}

static void init(struct fl_scn_guests *guests)
{
	pthread_condattr_t attributes;

	guests->channel = -1;
	guests->wake_fd = -1;
	guests->page.fd = -1;
	fl_cli_ring_init(&guests->console, CONSOLE_LEN, true);
	pthread_mutex_init(&guests->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&guests->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

int fl_scn_guests_new(const struct fl_scn_guests_opts *opts, struct fl_scn_guests **guests, struct fl_diag *diag)
{
	struct fl_scn_guests *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	init(made);
	made->opts = *opts;
	made->description = describe(opts);
	ret = made->description ? make_page(made, diag)
				: fl_cli_diag(diag, -E2BIG, "Machine %s has too many shares.", opts->machine->name);
	if (ret == 0)
		ret = opts->native ? fl_scn_guests_start_native(made, diag) : fl_scn_guests_start_vm(made, diag);
	made->opts.kernel = NULL; /* the caller's, and not needed any more */
	if (ret == 0)
		ret = fl_scn_link_start(made, diag);
	if (ret == 0)
		ret = wait_for_hello(made, diag);
	if (ret < 0) {
		fl_scn_guests_free(made);
		return ret;
	}
	*guests = made;
	return 0;
}

void fl_scn_guests_forget_faults(struct fl_scn_guests *guests)
{
	for (size_t i = 0; i < guests->faults_kept; i++) {
		free((void *)(uintptr_t)guests->faults[i].fault.share);
		free((void *)(uintptr_t)guests->faults[i].fault.path);
		free((void *)(uintptr_t)guests->faults[i].fault.shape);
	}
	free(guests->faults);
	guests->faults = NULL;
	guests->faults_kept = 0;
	guests->faults_count = 0;
}

void fl_scn_guests_free(struct fl_scn_guests *guests)
{
	if (!guests)
		return;
	fl_scn_guests_let_go(guests);
	fl_vm_free(guests->vm); /* its callbacks are over */
	fl_scn_link_stop(guests);
	fl_scn_guests_end_native(guests);
	if (guests->channel >= 0)
		close(guests->channel);
	fl_scn_page_free(&guests->page);
	if (guests->page_dir[0])
		(void)rmdir(guests->page_dir);
	fl_scn_guests_forget_faults(guests);
	fl_cli_ring_fini(&guests->console);
	pthread_cond_destroy(&guests->changed);
	pthread_mutex_destroy(&guests->lock);
	free(guests->description);
	free(guests);
}

/* ---- looking at it ----------------------------------------------------------------------- */

bool fl_scn_guests_live(struct fl_scn_guests *guests)
{
	pthread_mutex_lock(&guests->lock);
	bool lives = !guests->broken;

	pthread_mutex_unlock(&guests->lock);
	return lives;
}

enum fl_end fl_scn_guests_end(struct fl_scn_guests *guests, bool *panic, char why[512])
{
	struct fl_result result = {.size = sizeof(result)};

	why[0] = '\0';
	*panic = false;
	if (!guests->vm || fl_vm_wait(guests->vm, (int)guests->opts.patience_ms, &result) < 0) {
		pthread_mutex_lock(&guests->lock);
		snprintf(why, 512, "%s", guests->why_broken.text);
		pthread_mutex_unlock(&guests->lock);
		return FL_END_NONE;
	}
	snprintf(why, 512, "%s", result.text);
	*panic = result.flags & FL_RESULT_PANIC;
	return result.end;
}

struct fl_vm *fl_scn_guests_vm(struct fl_scn_guests *guests)
{
	return guests->vm;
}

struct fl_scn_page_file *fl_scn_guests_page(struct fl_scn_guests *guests)
{
	return &guests->page;
}

uint64_t fl_scn_guests_turns(struct fl_scn_guests *guests, uint32_t actor)
{
	struct fl_scn_progress progress = {0};
	uint32_t number = 0;

	pthread_mutex_lock(&guests->lock);
	while (number < guests->actors && guests->of_actor[number] != actor)
		number++;
	bool is_here = number < guests->actors;

	pthread_mutex_unlock(&guests->lock);
	return is_here && fl_scn_page_read_progress(&guests->page, number, &progress) == 0 ? progress.iterations : 0;
}

size_t fl_scn_guests_count_faults(struct fl_scn_guests *guests)
{
	pthread_mutex_lock(&guests->lock);
	size_t count = guests->faults_count;

	pthread_mutex_unlock(&guests->lock);
	return count;
}

int fl_scn_guests_take_faults(struct fl_scn_guests *guests, struct fl_scn_fault **faults, size_t *count)
{
	pthread_mutex_lock(&guests->lock);
	*faults = guests->faults;
	*count = guests->faults_kept;
	guests->faults = NULL;
	guests->faults_kept = 0;
	pthread_mutex_unlock(&guests->lock);
	return 0;
}

char *fl_scn_guests_take_console(struct fl_scn_guests *guests)
{
	uint64_t at = guests->console_from;
	char *text = malloc(CONSOLE_LEN + 1);
	size_t len = text ? fl_cli_ring_read(&guests->console, &at, text, CONSOLE_LEN) : 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = '?';
	if (text)
		text[len] = '\0';
	return text;
}
