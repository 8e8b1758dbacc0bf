/* SPDX-License-Identifier: Apache-2.0 */
/* What POSIX and Linux say that the files hold after each operation. */
#include "tests/exercise/exercise.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SHOWN_CHANGES 5

void ex_config_print(const struct ex_config *config, char text[EX_CONFIG_LEN])
{
	snprintf(text, EX_CONFIG_LEN, "seed=%" PRIu64 ",actors=%u,files=%u,max=%" PRIu64 ",zero=%d,caches=%d",
		 config->seed, config->actors, config->files, config->max_len, config->has_zero_range,
		 config->has_caches);
}

bool ex_config_parse(const char *text, struct ex_config *config)
{
	int zero_range, caches;

	if (sscanf(text, "seed=%" SCNu64 ",actors=%u,files=%u,max=%" SCNu64 ",zero=%d,caches=%d", &config->seed,
		   &config->actors, &config->files, &config->max_len, &zero_range, &caches) != 6)
		return false;
	config->has_zero_range = zero_range;
	config->has_caches = caches;
	return config->actors >= 1 && config->actors <= EX_ACTORS_MAX && config->files >= 1 &&
	       config->files <= EX_FILES_MAX && config->max_len && config->max_len % EX_PAGE == 0;
}

static const char *const kernel_names[EX_KERNELS] = {
	[EX_HOST] = "host",
	[EX_DAX] = "dax",
	[EX_STOCK] = "stock",
	[EX_CACHED] = "cached",
};

const char *ex_kernel_name(enum ex_kernel kernel)
{
	return kernel_names[kernel];
}

bool ex_kernel_parse(const char *name, enum ex_kernel *kernel)
{
	for (unsigned int i = 0; i < EX_KERNELS; i++) {
		if (strcmp(name, kernel_names[i]) != 0)
			continue;
		*kernel = (enum ex_kernel)i;
		return true;
	}
	return false;
}

void ex_file_name(unsigned int file, char name[EX_NAME_LEN])
{
	snprintf(name, EX_NAME_LEN, "f%u", file);
}

bool ex_is_write(enum ex_kind kind)
{
	return kind >= EX_PWRITE && kind <= EX_MAPWRITE;
}

bool ex_is_copy(enum ex_kind kind)
{
	return kind >= EX_COPY_RANGE && kind <= EX_READ_MAPPED;
}

bool ex_is_mapped_write(enum ex_kind kind)
{
	return kind == EX_MAPWRITE || kind == EX_READ_MAPPED;
}

bool ex_model_init(struct ex_model *model, const struct ex_config *config)
{
	*model = (struct ex_model){.config = *config};
	for (unsigned int i = 0; i < config->files; i++) {
		void *bytes = mmap(NULL, config->max_len, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (bytes == MAP_FAILED)
			return false;
		model->files[i].bytes = bytes;
	}
	return true;
}

void ex_model_free(struct ex_model *model)
{
	for (unsigned int i = 0; i < model->config.files; i++)
		if (model->files[i].bytes)
			munmap(model->files[i].bytes, model->config.max_len);
}

/* Whole pages are given back: the files are sparse, and so is the model. */
static void zero(struct ex_file *file, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;
	uint64_t first = (offset + EX_PAGE - 1) / EX_PAGE * EX_PAGE;
	uint64_t last = end / EX_PAGE * EX_PAGE;

	if (first >= last) {
		memset(file->bytes + offset, 0, len);
		return;
	}
	memset(file->bytes + offset, 0, first - offset);
	madvise(file->bytes + first, last - first, MADV_DONTNEED);
	memset(file->bytes + last, 0, end - last);
}

static void note_change(struct ex_model *model, const struct ex_op *op, uint64_t offset, uint64_t len)
{
	model->changes[model->change_count++ % EX_CHANGES] = (struct ex_change){
		.op = op->number, .actor = op->actor, .file = op->file, .offset = offset, .len = len};
}

static void set_size(struct ex_model *model, const struct ex_op *op, uint64_t size)
{
	struct ex_file *file = &model->files[op->file];
	uint64_t old = file->size;

	if (size < old) {
		zero(file, size, old - size);
		note_change(model, op, size, old - size);
	} else if (size > old) {
		note_change(model, op, old, size - old);
	}
	file->size = size;
}

static void reach(struct ex_model *model, const struct ex_op *op)
{
	if (op->offset + op->len > model->files[op->file].size)
		set_size(model, op, op->offset + op->len);
}

/* Punched is only what is in the file: there is nothing behind its end. */
static void zero_in_file(struct ex_model *model, const struct ex_op *op)
{
	struct ex_file *file = &model->files[op->file];

	if (op->offset >= file->size)
		return;
	uint64_t len = op->len < file->size - op->offset ? op->len : file->size - op->offset;

	zero(file, op->offset, len);
	note_change(model, op, op->offset, len);
}

void ex_model_apply(struct ex_model *model, const struct ex_op *op)
{
	struct ex_file *file = &model->files[op->file];

	model->history[model->ops++ % EX_HISTORY] = *op;
	if (ex_is_write(op->kind) || ex_is_copy(op->kind)) {
		reach(model, op);
		if (ex_is_copy(op->kind))
			memcpy(file->bytes + op->offset, model->files[op->other].bytes + op->other_offset, op->len);
		else
			ex_fill(op, file->bytes + op->offset);
		note_change(model, op, op->offset, op->len);
	} else if (op->kind == EX_TRUNCATE || op->kind == EX_TRUNCATE_PATH) {
		set_size(model, op, op->offset);
	} else if (op->kind == EX_OPEN_TRUNC) {
		set_size(model, op, 0);
	} else if (op->kind == EX_PUNCH || op->kind == EX_ZERO_KEEP) {
		zero_in_file(model, op);
	} else if (op->kind == EX_ZERO) {
		reach(model, op);
		zero_in_file(model, op);
	} else if (op->kind == EX_ALLOCATE) {
		reach(model, op);
	}
}

/* history has operations, so the change's own may be gone from it */
static void print_change(const struct ex_model *model, FILE *out, const struct ex_change *change)
{
	const struct ex_op *op = &model->history[change->op % EX_HISTORY];

	if (op->number == change->op)
		ex_op_print(out, op);
	else
		fprintf(out, "op %" PRIu64 ": actor %u changed f%u %" PRIu64 "+%" PRIu64 "\n", change->op,
			change->actor, change->file, change->offset, change->len);
}

void ex_model_explain(const struct ex_model *model, FILE *out, unsigned int file, uint64_t offset)
{
	uint64_t oldest = model->change_count > EX_CHANGES ? model->change_count - EX_CHANGES : 0;
	unsigned int shown = 0;

	fprintf(out, "the last that changed it:\n");
	for (uint64_t i = model->change_count; i-- > oldest && shown < SHOWN_CHANGES;) {
		const struct ex_change *change = &model->changes[i % EX_CHANGES];

		if (change->file != file || offset < change->offset || offset >= change->offset + change->len)
			continue;
		fprintf(out, "  ");
		print_change(model, out, change);
		shown++;
	}
	fprintf(out, "the last operations:\n");
	for (uint64_t i = model->ops > EX_HISTORY ? model->ops - EX_HISTORY : 0; i < model->ops; i++) {
		fprintf(out, "  ");
		ex_op_print(out, &model->history[i % EX_HISTORY]);
	}
}
