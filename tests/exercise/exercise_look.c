/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exercise/exercise_look.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A handler cannot be given an argument. */
static __thread struct {
	sigjmp_buf back;
	volatile bool armed;
	siginfo_t info;
} guard;

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!guard.armed) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	guard.info = *info;
	guard.armed = false;
	siglongjmp(guard.back, 1);
}

void ex_catch_signals(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

bool ex_guarded_copy(void *to, const void *from, size_t len, const uint8_t **at)
{
	if (sigsetjmp(guard.back, 0) == 0) {
		guard.armed = true;
		memcpy(to, from, len);
		guard.armed = false;
		return true;
	}
	*at = guard.info.si_addr;
	return false;
}

/* The byte at that address, if there is one, and else the signal. */
static bool load_one(const uint8_t *from, uint8_t *byte)
{
	if (sigsetjmp(guard.back, 0) == 0) {
		guard.armed = true;
		*byte = *(const volatile uint8_t *)from;
		guard.armed = false;
		return true;
	}
	return false;
}

bool ex_failed(struct ex_actor *actor, const char *call, unsigned int file, long long result)
{
	int error = errno;

	fprintf(actor->said, "%s of f%u: %lld", call, file, result);
	if (result < 0)
		fprintf(actor->said, ", %s", strerror(error));
	fputc('\n', actor->said);
	ex_model_explain(&actor->model, actor->said, file, actor->model.files[file].size);
	return false;
}

bool ex_compare(struct ex_actor *actor, unsigned int file, uint64_t offset, const uint8_t *bytes, uint64_t len,
		const char *by)
{
	const uint8_t *expected = actor->model.files[file].bytes + offset;
	uint64_t first = 0, different = 0;

	if (memcmp(bytes, expected, len) == 0)
		return true;
	while (bytes[first] == expected[first])
		first++;
	for (uint64_t i = first; i < len; i++)
		different += bytes[i] != expected[i];
	fprintf(actor->said,
		"f%u at %" PRIu64 ": %#x, not %#x, by %s of %" PRIu64 "+%" PRIu64 ", in which %" PRIu64
		" bytes are wrong; the file has %" PRIu64 "\n",
		file, offset + first, bytes[first], expected[first], by, offset, len, different,
		actor->model.files[file].size);
	ex_model_explain(&actor->model, actor->said, file, offset + first);
	return false;
}

static bool look_by_read(struct ex_actor *actor, unsigned int file, uint64_t offset, uint64_t len)
{
	ssize_t n = pread(actor->files[file].fd, actor->buffer, len, (off_t)offset);

	if (n != (ssize_t)len) {
		fprintf(actor->said, "%" PRIu64 "+%" PRIu64 ": ", offset, len);
		return ex_failed(actor, "pread", file, n);
	}
	return ex_compare(actor, file, offset, actor->buffer, len, "pread");
}

static bool look_by_map(struct ex_actor *actor, unsigned int file, uint64_t offset, uint64_t len)
{
	const uint8_t *map = actor->files[file].map, *at;

	if (!ex_guarded_copy(actor->buffer, map + offset, len, &at)) {
		fprintf(actor->said,
			"f%u at %td: SIGBUS, by mapread of %" PRIu64 "+%" PRIu64 "; the file has %" PRIu64 "\n", file,
			at - map, offset, len, actor->model.files[file].size);
		ex_model_explain(&actor->model, actor->said, file, (uint64_t)(at - map));
		return false;
	}
	return ex_compare(actor, file, offset, actor->buffer, len, "mapread");
}

bool ex_look_at(struct ex_actor *actor, unsigned int file, uint64_t offset, uint64_t len, enum ex_way way)
{
	uint64_t size = actor->model.files[file].size;

	if (offset >= size)
		return true;
	if (len > size - offset)
		len = size - offset;
	for (uint64_t done = 0; done < len;) {
		uint64_t part = len - done < EX_OP_LEN_MAX ? len - done : EX_OP_LEN_MAX;

		if (!(way == EX_BY_MAP ? look_by_map : look_by_read)(actor, file, offset + done, part))
			return false;
		done += part;
	}
	return true;
}

bool ex_look_at_size(struct ex_actor *actor, unsigned int file)
{
	uint64_t size = actor->model.files[file].size;
	struct stat st;

	if (fstat(actor->files[file].fd, &st) < 0)
		return ex_failed(actor, "fstat", file, -1);
	off_t end = lseek(actor->files[file].fd, 0, SEEK_END);

	if ((uint64_t)st.st_size != size || (uint64_t)end != size) {
		fprintf(actor->said, "f%u has %" PRIu64 " bytes, not %jd as fstat says or %jd as SEEK_END does\n", file,
			size, (intmax_t)st.st_size, (intmax_t)end);
		ex_model_explain(&actor->model, actor->said, file, size);
		return false;
	}
	actor->files[file].known_size = size;
	return true;
}

bool ex_look_at_end(struct ex_actor *actor, unsigned int file)
{
	uint64_t size = actor->model.files[file].size;
	uint64_t page_end = (size + EX_PAGE - 1) / EX_PAGE * EX_PAGE;
	/* somewhere in the first page that is not there; the mapping always has one more */
	uint64_t beyond = page_end + size % EX_PAGE;
	const uint8_t *map = actor->files[file].map, *at = NULL;
	uint8_t byte;

	if (page_end <= actor->model.config.max_len && page_end > size) {
		if (!ex_guarded_copy(actor->buffer, map + size, page_end - size, &at)) {
			fprintf(actor->said, "at %td SIGBUS, ", at - map);
			return ex_failed(actor, "mapread behind the end, in its page,", file, 0);
		}
		if (!ex_compare(actor, file, size, actor->buffer, page_end - size, "mapread behind the end"))
			return false;
	}
	if (load_one(map + beyond, &byte)) {
		fprintf(actor->said, "no SIGBUS at %" PRIu64 " but %#x; the file has %" PRIu64 "\n", beyond, byte,
			size);
		ex_model_explain(&actor->model, actor->said, file, size);
		return false;
	}
	if (guard.info.si_code == BUS_ADRERR && guard.info.si_addr == map + beyond)
		return true;
	fprintf(actor->said, "a SIGBUS with the code %d at %td, not at %" PRIu64 "\n", guard.info.si_code,
		(const uint8_t *)guard.info.si_addr - map, beyond);
	return ex_failed(actor, "SIGBUS", file, 0);
}
