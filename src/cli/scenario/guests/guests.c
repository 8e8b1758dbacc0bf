/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"

#define CONSOLE_LEN  ((size_t)256 << 10)
#define PINGS	     8
#define LOOK_NS	     UINT64_C(200000000)
#define DESCRIBE_LEN 8192

uint64_t fl_scn_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Nothing comes through the channel of a VM that has ended: it has to be asked. Not under the lock. */
static void look_for_end(struct fl_scn_guests *guests)
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
	look_for_end(guests);
	pthread_mutex_lock(&guests->lock);
	return fl_scn_now_ns() < deadline_ns && !guests->opts.cancelled(guests->opts.cancelled_arg);
}

static uint64_t patience(const struct fl_scn_guests *guests)
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
	uint64_t deadline_ns = patience(guests);
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

static void forget_faults(struct fl_scn_guests *guests)
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
	forget_faults(guests);
	fl_cli_ring_fini(&guests->console);
	pthread_cond_destroy(&guests->changed);
	pthread_mutex_destroy(&guests->lock);
	free(guests->description);
	free(guests);
}

/* ---- a case ------------------------------------------------------------------------------ */

static int say_broken(const struct fl_scn_guests *guests, struct fl_diag *diag)
{
	return fl_cli_diag(diag, guests->why_broken.error, "Machine %s: %s", guests->opts.machine->name,
			   guests->why_broken.text);
}

/* Under the lock, until *flag. A machine that does not answer is of no use any more. */
static int wait_for(struct fl_scn_guests *guests, const bool *flag, const char *what)
{
	uint64_t deadline_ns = patience(guests);

	fl_scn_link_wake(guests);
	while (!*flag && !guests->broken)
		if (!fl_scn_guests_wait(guests, deadline_ns) && !*flag) {
			guests->broken = true;
			return fl_cli_diag(&guests->why_broken, -ETIMEDOUT, "Its actors' program did not %s in %u s.",
					   what, guests->opts.patience_ms / 1000);
		}
	return *flag ? 0 : guests->why_broken.error;
}

/* The answer that took the least time says most about the other clock: it was read somewhere in between. */
static int set_clock(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	uint64_t best_ns = UINT64_MAX;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < PINGS; i++) {
		guests->has_pong = false;
		guests->ping_cookie++;
		guests->ping_sent_ns = fl_scn_now_ns();
		ret = fl_scn_wire_ping(guests->wire, guests->ping_cookie, guests->ping_sent_ns, diag);
		if (ret == 0)
			ret = wait_for(guests, &guests->has_pong, "answer");
		uint64_t took_ns = guests->pong_taken_ns - guests->ping_sent_ns;

		if (ret == 0 && took_ns < best_ns) {
			best_ns = took_ns;
			guests->guest_minus_host_ns = guests->pong_guest_ns - (guests->ping_sent_ns + took_ns / 2);
			guests->clock_error_ns = took_ns / 2;
		}
	}
	return ret;
}

static int path_in_guest(void *arg, uint32_t dir, const char *rest, char *buf, size_t buf_len)
{
	const struct fl_scn_guests *guests = arg;
	const struct fl_scn_case *of = guests->current.scenario_case;
	const struct fl_scn_machine *machine = &of->machines[guests->current.machine];
	char path[PATH_MAX];
	int len = -1;

	if (guests->opts.native) {
		int ret = fl_scn_workdir_file(guests->opts.workdir, &of->dirs[dir], guests->current.number, rest, path);

		len = ret == 0 ? snprintf(buf, buf_len, "%s", path) : ret;
		return len < 0 || (size_t)len >= buf_len ? -ENAMETOOLONG : 0;
	}
	for (uint32_t i = 0; i < machine->shares_count; i++)
		if (machine->shares[i].dir == dir) {
			const char *mount = machine->shares[i].mount;

			if (fl_scn_case_path(guests->current.number, rest, path) == 0)
				len = snprintf(buf, buf_len, "%s/%s", strcmp(mount, "/") == 0 ? "" : mount, path);
			return len < 0 || (size_t)len >= buf_len ? -ENAMETOOLONG : 0;
		}
	return -ENOENT;
}

static uint64_t time_of(void *arg, const struct fl_scn_operand *operand)
{
	const struct fl_scn_guests *guests = arg;

	return guests->current.time(guests->current.time_arg, operand);
}

/* Parents come before their children, so numbers rise along. */
static void number_actors(struct fl_scn_guests *guests, uint32_t *numbers)
{
	const struct fl_scn_case *of = guests->current.scenario_case;

	guests->actors = 0;
	for (uint32_t i = 0; i < of->actors_count; i++) {
		numbers[i] = UINT32_MAX;
		if (of->actors[i].by_host || of->actors[i].machine != guests->current.machine ||
		    guests->actors >= FL_SCN_ACTORS_MAX)
			continue;
		numbers[i] = guests->actors;
		guests->of_actor[guests->actors++] = i;
	}
}

static int send_actors(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	const struct fl_scn_case *of = guests->current.scenario_case;
	uint32_t *numbers = calloc(of->actors_count + 1, sizeof(*numbers));
	int ret = 0;

	if (!numbers)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	number_actors(guests, numbers);
	struct fl_scn_wire_run run = {.actors = numbers,
				      .actors_count = of->actors_count,
				      .dirs = of->dirs,
				      .dirs_count = of->dirs_count,
				      .path = path_in_guest,
				      .time = time_of,
				      .arg = guests};

	for (uint32_t i = 0; ret == 0 && i < guests->actors; i++)
		ret = fl_scn_wire_actor(guests->wire, i, &of->actors[guests->of_actor[i]], &run, diag);
	free(numbers);
	fl_scn_link_wake(guests);
	return ret;
}

static int wait_for_loaded(struct fl_scn_guests *guests)
{
	uint64_t deadline_ns = patience(guests);

	while (guests->loaded < guests->actors && !guests->broken)
		if (!fl_scn_guests_wait(guests, deadline_ns) && guests->loaded < guests->actors) {
			guests->broken = true;
			return fl_cli_diag(&guests->why_broken, -ETIMEDOUT,
					   "Its actors' program did not take the case in %u s.",
					   guests->opts.patience_ms / 1000);
		}
	return guests->broken ? guests->why_broken.error : 0;
}

static int load(struct fl_scn_guests *guests, const struct fl_scn_guests_case *of, struct fl_diag *diag)
{
	int ret = fl_scn_page_begin(&guests->page, of->deadline_ns);

	if (ret < 0)
		return fl_cli_diag(diag, ret, "The page of marks cannot be written: %s.", strerror(-ret));
	forget_faults(guests);
	guests->console_from = fl_cli_ring_end(&guests->console);
	guests->current = *of;
	guests->loaded = 0;
	guests->done = 0;
	guests->questions = 0;
	guests->lets_go = false;
	ret = guests->broken ? guests->why_broken.error : set_clock(guests, diag);
	if (ret == 0) {
		ret = fl_scn_page_set_clock(&guests->page, guests->guest_minus_host_ns);
		if (ret == 0)
			ret = send_actors(guests, diag);
		if (ret < 0)
			return ret;
		ret = wait_for_loaded(guests);
	}
	return ret < 0 ? say_broken(guests, diag) : 0;
}

int fl_scn_guests_load(struct fl_scn_guests *guests, const struct fl_scn_guests_case *of, struct fl_diag *diag)
{
	pthread_mutex_lock(&guests->lock);
	int ret = load(guests, of, diag);

	if (ret < 0)
		guests->current.scenario_case = NULL;
	pthread_mutex_unlock(&guests->lock);
	return ret;
}

int fl_scn_guests_start(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	pthread_mutex_lock(&guests->lock);
	int ret = fl_scn_wire_start(guests->wire, diag);

	pthread_mutex_unlock(&guests->lock);
	fl_scn_link_wake(guests);
	return ret;
}

bool fl_scn_guests_are_done(struct fl_scn_guests *guests)
{
	look_for_end(guests);
	pthread_mutex_lock(&guests->lock);
	bool done = guests->done >= guests->actors || guests->broken;

	pthread_mutex_unlock(&guests->lock);
	return done;
}

int fl_scn_guests_stop(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int ret;

	pthread_mutex_lock(&guests->lock);
	guests->stopped = false;
	ret = guests->broken ? guests->why_broken.error : fl_scn_wire_stop(guests->wire, diag);
	/* what was begun and cannot be ended is in nobody's hands any more, such as a case that was taken in half */
	if (ret < 0 && !guests->broken) {
		guests->broken = true;
		guests->why_broken = *diag;
	}
	if (ret == 0)
		ret = wait_for(guests, &guests->stopped, "stop");
	if (ret < 0 && guests->broken)
		(void)say_broken(guests, diag);
	guests->current.scenario_case = NULL;
	pthread_mutex_unlock(&guests->lock);
	return ret;
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
