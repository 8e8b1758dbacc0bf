/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/initramfs.h"

#include "faultline/faultline.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/agent_conf.h"

/* From agent_blob.S, which the build makes around the agent's file. */
extern const uint8_t fl_agent_blob_start[], fl_agent_blob_end[];

const void *fl_agent_program(size_t *len)
{
	*len = (size_t)(fl_agent_blob_end - fl_agent_blob_start);
	return fl_agent_blob_start;
}

void fl_blob_put(struct fl_blob *blob, const void *bytes, size_t len)
{
	if (blob->error)
		return;
	if (len > blob->cap - blob->len) {
		size_t cap = FL_MAX(blob->cap * 2, blob->len + len + 4096);
		uint8_t *grown = realloc(blob->bytes, cap);

		if (!grown) {
			blob->error = -ENOMEM;
			return;
		}
		blob->bytes = grown;
		blob->cap = cap;
	}
	if (len)
		memcpy(blob->bytes + blob->len, bytes, len);
	blob->len += len;
}

void fl_blob_put_string(struct fl_blob *blob, const char *text)
{
	fl_blob_put(blob, text, strlen(text) + 1);
}

void fl_blob_fini(struct fl_blob *blob)
{
	free(blob->bytes);
	*blob = (struct fl_blob){0};
}

struct cpio_entry {
	const char *name;
	uint32_t mode;
	uint32_t dev_major, dev_minor;
	const void *bytes;
	size_t len;
};

static void pad4(struct fl_blob *out)
{
	static const uint8_t zeros[4];

	fl_blob_put(out, zeros, (4 - out->len % 4) % 4);
}

static void put_entry(struct fl_blob *out, uint32_t ino, const struct cpio_entry *entry)
{
	char header[111];
	size_t name_len = strlen(entry->name) + 1;

	snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ino, entry->mode,
		 0u, 0u, 1u, 0u, (unsigned int)entry->len, 0u, 0u, entry->dev_major, entry->dev_minor,
		 (unsigned int)name_len, 0u);
	fl_blob_put(out, header, 110);
	fl_blob_put(out, entry->name, name_len);
	pad4(out);
	fl_blob_put(out, entry->bytes, entry->len);
	pad4(out);
}

int fl_initramfs_build(const void *agent, size_t agent_len, const struct fl_blob *conf, struct fl_blob *out)
{
	const struct cpio_entry entries[] = {
		{.name = "dev", .mode = S_IFDIR | 0755},
		/* the kernel opens it for init's first three descriptors before anything is mounted */
		{.name = "dev/console", .mode = S_IFCHR | 0600, .dev_major = 5, .dev_minor = 1},
		{.name = "proc", .mode = S_IFDIR | 0755},
		{.name = "sys", .mode = S_IFDIR | 0755},
		{.name = "newroot", .mode = S_IFDIR | 0755},
		{.name = "init", .mode = S_IFREG | 0755, .bytes = agent, .len = agent_len},
		{.name = &FL_AGENT_CONF_PATH[1], .mode = S_IFREG | 0400, .bytes = conf->bytes, .len = conf->len},
		{.name = "TRAILER!!!"},
	};

	if (conf->error)
		return conf->error;
	if (agent_len > UINT32_MAX || conf->len > UINT32_MAX)
		return -EFBIG;
	for (uint32_t i = 0; i < FL_ARRAY_SIZE(entries); i++)
		put_entry(out, i + 1, &entries[i]);
	return out->error;
}
