/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/kvm_stats.h"

#include <string.h>
#include <sys/ioctl.h>

#define DESCS_LEN_MAX (UINT64_C(1) << 20)
#define DATA_LEN_MAX  2048u

static const char *const names[FL_KVM_STAT_COUNT] = {
	[FL_KVM_STAT_TAKEN] = "pf_taken",	[FL_KVM_STAT_FIXED] = "pf_fixed", [FL_KVM_STAT_EMULATE] = "pf_emulate",
	[FL_KVM_STAT_SPURIOUS] = "pf_spurious", [FL_KVM_STAT_GUEST] = "pf_guest",
};

static size_t desc_len(const struct kvm_stats_header *header)
{
	return sizeof(struct kvm_stats_desc) + header->name_size;
}

int fl_kvm_stats_find(const struct kvm_stats_header *header, const void *descs, size_t len, const char *name,
		      uint64_t *offset)
{
	size_t each = desc_len(header);

	for (size_t at = 0; each <= len && at <= len - each; at += each) {
		const char *desc_name = (const char *)descs + at + sizeof(struct kvm_stats_desc);
		struct kvm_stats_desc desc;

		memcpy(&desc, (const char *)descs + at, sizeof(desc));
		if (desc.size != 1 || strnlen(desc_name, header->name_size) != strlen(name) ||
		    strncmp(desc_name, name, header->name_size) != 0)
			continue;
		*offset = (uint64_t)header->data_offset + desc.offset;
		return 0;
	}
	return -ENOENT;
}

static int read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t got = pread(fd, buf, len, (off_t)offset);

	if (got < 0)
		return -errno;
	return (size_t)got == len ? 0 : -EIO;
}

static int find_all(struct fl_kvm_stats *stats)
{
	FL_FREE char *descs = NULL;
	struct kvm_stats_header header;
	uint64_t len, end = 0;
	int result = read_at(stats->fd, &header, sizeof(header), 0);

	if (result)
		return result;
	len = (uint64_t)header.num_desc * desc_len(&header);
	if (len > DESCS_LEN_MAX)
		return -ENOTSUP;
	descs = malloc(len);
	if (!descs)
		return -ENOMEM;
	result = read_at(stats->fd, descs, len, header.desc_offset);
	stats->start = UINT64_MAX;
	for (size_t i = 0; i < FL_KVM_STAT_COUNT && !result; i++) {
		result = fl_kvm_stats_find(&header, descs, len, names[i], &stats->offset[i]);
		stats->start = FL_MIN(stats->start, stats->offset[i]);
		end = FL_MAX(end, stats->offset[i] + sizeof(uint64_t));
	}
	if (result)
		return result;
	if (fl_kvm_stats_find(&header, descs, len, "blocking", &stats->blocking_at))
		stats->blocking_at = 0;
	stats->len = end - stats->start;
	return stats->len <= DATA_LEN_MAX ? 0 : -ENOTSUP;
}

int fl_kvm_stats_open(struct fl_kvm_stats *stats, int vcpu_fd)
{
	int result;

	*stats = (struct fl_kvm_stats){.fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, NULL)};
	if (stats->fd < 0)
		return errno == ENOTTY || errno == EINVAL ? -ENOTSUP : -errno;
	result = find_all(stats);
	if (result)
		fl_kvm_stats_close(stats);
	return result == -ENOENT ? -ENOTSUP : result;
}

void fl_kvm_stats_close(struct fl_kvm_stats *stats)
{
	fl_close(&stats->fd);
}

static int read_all(const struct fl_kvm_stats *stats, uint64_t value[FL_KVM_STAT_COUNT])
{
	char data[DATA_LEN_MAX];
	int result = read_at(stats->fd, data, stats->len, stats->start);

	for (size_t i = 0; !result && i < FL_KVM_STAT_COUNT; i++)
		memcpy(&value[i], data + (stats->offset[i] - stats->start), sizeof(value[i]));
	return result;
}

int fl_kvm_stats_unresolved(const struct fl_kvm_stats *stats, int64_t *unresolved)
{
	uint64_t value[FL_KVM_STAT_COUNT];
	int result = read_all(stats, value);

	if (result)
		return result;
	/* modulo 2^64; a fault that the emulator gave the guest was not always taken, so it may even be below 0 */
	*unresolved = (int64_t)(value[FL_KVM_STAT_TAKEN] - value[FL_KVM_STAT_FIXED] - value[FL_KVM_STAT_EMULATE] -
				value[FL_KVM_STAT_SPURIOUS] - value[FL_KVM_STAT_GUEST]);
	return 0;
}

int fl_kvm_stats_fixed(const struct fl_kvm_stats *stats, uint64_t *fixed)
{
	uint64_t value[FL_KVM_STAT_COUNT];
	int result = read_all(stats, value);

	if (!result)
		*fixed = value[FL_KVM_STAT_FIXED];
	return result;
}

int fl_kvm_stats_blocking(const struct fl_kvm_stats *stats, bool *blocking)
{
	uint64_t value;
	int result = stats->blocking_at ? read_at(stats->fd, &value, sizeof(value), stats->blocking_at) : -ENOTSUP;

	if (!result)
		*blocking = value != 0;
	return result;
}
