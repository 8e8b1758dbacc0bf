/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_table: fh <-> open file or directory. A handle belongs to the nodeid it was opened for; an
 * fh presented with another one names nothing. Owned by the device's loop thread: no lock.
 */
#ifndef FL_HANDLE_TABLE_H
#define FL_HANDLE_TABLE_H

#include <sys/queue.h>

#include "virtiofs/slot_table.h"

enum fl_handle_kind { FL_HANDLE_FILE, FL_HANDLE_DIR };

/*
 * Directory entries read ahead of what the guest has asked for. A guest may open far more directories than it reads at
 * a time: so many of a share have them, of others they are read again.
 */
#define FL_DIR_READ_LEN	   8192u
#define FL_DIR_STREAMS_MAX 4096u
struct fl_dir_stream {
	uint64_t next_off; /* the cookie of data[pos] */
	uint32_t pos, len;
	uint8_t data[FL_DIR_READ_LEN] __attribute__((aligned(8)));
};

/* How data goes between a file and the guest without holding up others; found out when it first does. */
enum fl_data_way {
	FL_DATA_UNKNOWN,
	FL_DATA_AT_ONCE,     /* the file system is memory, nothing is waited for */
	FL_DATA_TRY,	     /* RWF_NOWAIT, and what that leaves in flight */
	FL_DATA_WHILE_QUICK, /* at once until that has lasted too long, then in flight */
	FL_DATA_IN_FLIGHT,   /* knows no RWF_NOWAIT */
};

struct fl_handle {
	int fd;
	unsigned int refs; /* the table's, and those of what is in flight */
	enum fl_handle_kind kind;
	uint64_t nodeid;
	bool readable, writable;
	enum fl_data_way reading, writing;
	bool sealed;		   /* an empty directory; fd is of no use */
	struct fl_dir_stream *dir; /* NULL until first read, and when others needed the room */
	TAILQ_ENTRY(fl_handle) stream_link;
};

struct fl_handle_table {
	struct fl_slot_table slots;
	TAILQ_HEAD(fl_handle_streams, fl_handle) streams; /* those with a dir, longest unused first */
	uint32_t stream_count;
};

void fl_handle_table_init(struct fl_handle_table *table, uint32_t max);
void fl_handle_table_fini(struct fl_handle_table *table); /* of a zeroed or initialised one */

/* Copies *handle; its fd is taken over in every case. -ENFILE, -ENOMEM. */
FL_CHECKED_RESULT int fl_handle_add(struct fl_handle_table *table, const struct fl_handle *handle, uint64_t *fh);
/* NULL if there is no such handle of that kind for that nodeid. */
struct fl_handle *fl_handle_find(const struct fl_handle_table *table, uint64_t fh, uint64_t nodeid,
				 enum fl_handle_kind kind);
/* Gives the handle, which is in the table, a stream if it has none: a zeroed one. -ENOMEM. */
FL_CHECKED_RESULT int fl_handle_use_stream(struct fl_handle_table *table, struct fl_handle *handle);
/* It names nothing from now on; its descriptor is closed when the last reference is gone. */
void fl_handle_close(struct fl_handle_table *table, uint64_t fh);
void fl_handle_get(struct fl_handle *handle); /* NULL allowed, here and there */
void fl_handle_put(struct fl_handle *handle);
void fl_handle_close_all(struct fl_handle_table *table);

#endif
