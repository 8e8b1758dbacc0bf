/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file exerciser: processes that change and look at the same few files in turns, on a host, in guests that share
 * the directory, or both. A seed says everything: who has which turn and what is done in it. So every process (an
 * actor) keeps the same model of what all files must hold, without being told what the others did: it does the others'
 * operations in its model, its own also with the files, and compares.
 *
 * What an actor expects of files that others have changed: see ex_look().
 */
#ifndef EXERCISE_H
#define EXERCISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EX_PAGE	      ((uint64_t)4096)
#define EX_FILES_MAX  8
#define EX_ACTORS_MAX 4
#define EX_OP_LEN_MAX ((uint64_t)64 << 10)
#define EX_CHANGES    1024 /* that are remembered */
#define EX_HISTORY    64

struct ex_config {
	uint64_t seed;
	unsigned int actors;
	unsigned int files;
	uint64_t max_len;    /* of a file; a multiple of EX_PAGE */
	bool has_zero_range; /* does the file system know FALLOC_FL_ZERO_RANGE? */
	bool has_caches;     /* some actor only sees changes of mtime and size (ex_look()) */
};

/* Where an actor is, in what matters here: the words of its command line. */
enum ex_kernel {
	EX_HOST,   /* "host": tmpfs changes mtime at write(), and not for a store */
	EX_DAX,	   /* "dax": a guest that does not tell of writes and stores before fsync() */
	EX_STOCK,  /* "stock": a guest with DAX that never does, without guest-kernel-patches/ */
	EX_CACHED, /* "cached": a guest without DAX; sees what others did only when it has seen another mtime or size */
	EX_KERNELS,
};
const char *ex_kernel_name(enum ex_kernel kernel);
bool ex_kernel_parse(const char *name, enum ex_kernel *kernel);

/* As one word, for a command line. */
#define EX_CONFIG_LEN 160
void ex_config_print(const struct ex_config *config, char text[EX_CONFIG_LEN]);
bool ex_config_parse(const char *text, struct ex_config *config);

/* Of file i. */
#define EX_NAME_LEN 16
void ex_file_name(unsigned int file, char name[EX_NAME_LEN]);

enum ex_kind {
	EX_PREAD,	  /* pread() */
	EX_READV,	  /* lseek() and readv() in two parts */
	EX_MAPREAD,	  /* through the mapping */
	EX_MAPEND,	  /* through the mapping: zeros up to the page's end, then SIGBUS */
	EX_SIZE,	  /* fstat() and SEEK_END */
	EX_PWRITE,	  /* pwrite() */
	EX_WRITEV,	  /* lseek() and writev() in two parts */
	EX_APPEND,	  /* O_APPEND */
	EX_MAPWRITE,	  /* through the mapping */
	EX_TRUNCATE,	  /* ftruncate() to offset */
	EX_TRUNCATE_PATH, /* truncate() to offset */
	EX_OPEN_TRUNC,	  /* open() with O_TRUNC */
	EX_PUNCH,	  /* FALLOC_FL_PUNCH_HOLE */
	EX_ZERO,	  /* FALLOC_FL_ZERO_RANGE */
	EX_ZERO_KEEP,	  /* the same with FALLOC_FL_KEEP_SIZE */
	EX_ALLOCATE,	  /* fallocate() */
	EX_COPY_RANGE,	  /* copy_file_range() from other, other_offset */
	EX_WRITE_MAPPED,  /* pwrite() of a mapping: from other, other_offset */
	EX_READ_MAPPED,	  /* pread() of other, other_offset, into the mapping */
	EX_MSYNC,
	EX_FSYNC,
	EX_REOPEN, /* closes, opens and maps anew */
	EX_KINDS,
};

struct ex_op {
	uint64_t number; /* counted over all actors; the bytes that are written follow from it */
	unsigned int actor;
	enum ex_kind kind;
	unsigned int file;
	uint64_t offset;
	uint64_t len;
	unsigned int other;
	uint64_t other_offset;
	bool look_back; /* afterwards what was written is read through another way */
};

/* What an operation did to a file: its bytes there may be others now. */
struct ex_change {
	uint64_t op;
	unsigned int actor;
	unsigned int file;
	uint64_t offset;
	uint64_t len;
};

struct ex_file {
	uint8_t *bytes; /* max_len of them; those from size on are 0 */
	uint64_t size;
};

struct ex_model {
	struct ex_config config;
	struct ex_file files[EX_FILES_MAX];
	uint64_t ops; /* so far */
	struct ex_op history[EX_HISTORY];
	uint64_t change_count;
	struct ex_change changes[EX_CHANGES];
};

bool ex_model_init(struct ex_model *model, const struct ex_config *config);
void ex_model_free(struct ex_model *model);
void ex_model_apply(struct ex_model *model, const struct ex_op *op);
/* The bytes that this operation writes. */
void ex_fill(const struct ex_op *op, uint8_t *bytes);
/* Does it write bytes of its own, or of another place? */
bool ex_is_write(enum ex_kind kind);
bool ex_is_copy(enum ex_kind kind);
/* Is it done through a mapping, so that mtime may not tell of it? */
bool ex_is_mapped_write(enum ex_kind kind);

struct ex_turn {
	uint64_t random;
	unsigned int actor;
	unsigned int op_count;
	bool look_at_all; /* in the end all files are compared as a whole */
};

struct ex_turn ex_turn(const struct ex_config *config, uint64_t turn);
/* The next operation of this turn, for files as the model has them. */
struct ex_op ex_next_op(const struct ex_model *model, struct ex_turn *turn);
/* A whole turn that somebody else has done. */
void ex_skip_turn(struct ex_model *model, uint64_t turn);

void ex_op_print(FILE *out, const struct ex_op *op);
/* The operations that this file's byte may be owed to, and the last of all. */
void ex_model_explain(const struct ex_model *model, FILE *out, unsigned int file, uint64_t offset);

#endif
