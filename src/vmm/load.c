/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/boot.h"
#include "vmm/cmdline.h"
#include "vmm/initramfs.h"
#include "vmm/vm.h"

#define INITRD_MAX (UINT64_C(1) << 30)

static const char *dax_option(const struct fl_share_opts *opts)
{
	if (!opts->window_len)
		return NULL;
	return opts->dax == FL_DAX_ALWAYS ? "always" : "inode";
}

/* What keeps the changes of an overlay comes right behind it (fl_vm_add_share()). */
static const char *upper_of(const struct fl_vm_share *share)
{
	if (!(share->config.opts.flags & FL_SHARE_OVERLAY))
		return NULL;
	return share->config.overlay_dir ? share[1].config.tag : "";
}

static void build_conf(const struct fl_vm *vm, struct fl_blob *conf)
{
	struct fl_mount mounts[FL_SHARES_MAX];
	unsigned int count = 0;

	for (unsigned int i = 0; i < vm->share_count; i++) {
		const struct fl_share_config *share = &vm->shares[i].config;

		if (!share->mount)
			continue;
		mounts[count++] = (struct fl_mount){.tag = share->tag,
						    .path = share->mount,
						    .writable = share->opts.flags & FL_SHARE_WRITABLE,
						    .dax = dax_option(&share->opts),
						    .upper = upper_of(&vm->shares[i])};
	}
	fl_agent_conf_build(conf, mounts, count, &vm->command.opts, vm->config.hostname, fl_now_ns(CLOCK_REALTIME));
	if (vm->net.added)
		fl_agent_conf_add_net(conf, &vm->net.config);
}

static int check_agent_needs(const struct fl_vm *vm, struct fl_diag *diag)
{
	if (!vm->command.argv)
		return fl_diag(diag, -EINVAL, "no command was set, and no initramfs of your own was given");
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (vm->shares[i].config.mount && strcmp(vm->shares[i].config.mount, "/") == 0)
			return 0;
	return fl_diag(diag, -EINVAL, "no share is mounted at /, so there is nothing to run the command from");
}

static int builtin_initrd(const struct fl_vm *vm, struct fl_blob *initrd, struct fl_diag *diag)
{
	struct fl_blob conf = {0};
	size_t agent_len;
	const void *agent = fl_agent_program(&agent_len);
	int ret = check_agent_needs(vm, diag);

	if (ret)
		return ret;
	build_conf(vm, &conf);
	ret = fl_initramfs_build(agent, agent_len, &conf, initrd);
	fl_blob_fini(&conf);
	return ret ? fl_diag(diag, ret, "cannot make the initramfs: %s", strerror(-ret)) : 0;
}

static int read_initrd(const char *path, struct fl_blob *initrd, struct fl_diag *diag)
{
	FL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[65536];

	if (fd < 0)
		return fl_diag(diag, -errno, "cannot open the initramfs %s: %m", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fl_diag(diag, -errno, "cannot read the initramfs %s: %m", path);
		if (n == 0)
			return 0;
		fl_blob_put(initrd, chunk, (size_t)n);
		if (initrd->error || initrd->len > INITRD_MAX)
			return fl_diag(diag, -EFBIG, "the initramfs %s is too large (at most 1 GiB)", path);
	}
}

static int make_initrd(const struct fl_vm *vm, struct fl_blob *initrd, struct fl_diag *diag)
{
	if (!vm->config.initrd)
		return builtin_initrd(vm, initrd, diag);
	if (vm->command.argv)
		return fl_diag(
			diag, -EINVAL,
			"a command was set and an initramfs of your own, %s, which knows nothing of it; give one of "
			"the two",
			vm->config.initrd);
	return read_initrd(vm->config.initrd, initrd, diag);
}

/*
 * Waits where the host itself has none yet, early in its own boot: a guest must not take its keys from what anybody
 * could guess. Later no getrandom() of the VM's threads waits.
 */
static int make_rng_seed(uint8_t seed[FL_RNG_SEED_LEN], struct fl_diag *diag)
{
	size_t got = 0;

	while (got < FL_RNG_SEED_LEN) {
		ssize_t n = getrandom(seed + got, FL_RNG_SEED_LEN - got, 0);

		if (n < 0 && errno != EINTR)
			return fl_diag(diag, -errno, "the host gives no random numbers for the guest: %m");
		got += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int fl_vm_load(struct fl_vm *vm, struct fl_vcpu_entry *entry, struct fl_diag *diag)
{
	struct fl_blob cmdline = {0}, initrd = {0};
	uint8_t seed[FL_RNG_SEED_LEN];
	int ret = make_initrd(vm, &initrd, diag);

	if (!ret)
		ret = make_rng_seed(seed, diag);
	fl_cmdline_build(&cmdline, vm->config.opts.flags, vm->config.params);
	if (!ret && cmdline.error)
		ret = fl_diag(diag, -ENOMEM, "out of memory");
	if (!ret) {
		struct fl_boot_opts boot = {
			.kernel = vm->config.kernel,
			.cmdline = (const char *)cmdline.bytes,
			.initrd = initrd.bytes,
			.initrd_len = initrd.len,
			.dtb = {.cpu_count = vm->config.opts.vcpus,
				.virtio = vm->device_nodes,
				.virtio_count = vm->device_count},
			.rng_seed = seed,
			.ram_low_len = vm->place.ram_low_len,
			.ram_high_len = vm->place.ram_high_len,
		};

		ret = fl_boot_load(&boot, &vm->map, entry, diag);
	}
	explicit_bzero(seed, sizeof(seed));
	fl_blob_fini(&cmdline);
	fl_blob_fini(&initrd);
	return ret;
}
