/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"

#define CONFIG_LEN_MAX (4u << 20) /* distributions' have 300 KiB */
#define RELEASE_MAX    128

enum option {
	OPTION_PARAVIRT_FAULT,
	OPTION_SMP,
	OPTION_FUSE_DAX,
	OPTION_POWEROFF,
	OPTION_FIRST_UNPACKER,
	OPTION_LAST_UNPACKER = OPTION_FIRST_UNPACKER + 5,
	OPTION_FIRST_NEEDED,
};

struct option_row {
	const char *name;
	const char *to_set; /* what brings it, where that is another one; else NULL */
	const char *what_for;
	bool agent_only; /* an initramfs of the user's own may do without */
};

/* Of what is needed, in the order in which a guest would miss it. */
static const struct option_row option_rows[] = {
	[OPTION_PARAVIRT_FAULT] = {"PARAVIRT_FAULT", NULL, "", true},
	[OPTION_SMP] = {"SMP", NULL, "", true},
	[OPTION_FUSE_DAX] = {"FUSE_DAX", NULL, "files mapped into the guest, which --dax always asks for", true},
	[OPTION_POWEROFF] = {"POWER_RESET_SYSCON_POWEROFF", NULL, "", true},
	[OPTION_FIRST_UNPACKER] = {"RD_GZIP", NULL, "which unpacks this initramfs", false},
	{"RD_BZIP2", NULL, "which unpacks this initramfs", false},
	{"RD_LZMA", NULL, "which unpacks this initramfs", false},
	{"RD_XZ", NULL, "which unpacks this initramfs", false},
	{"RD_LZ4", NULL, "which unpacks this initramfs", false},
	[OPTION_LAST_UNPACKER] = {"RD_ZSTD", NULL, "which unpacks this initramfs", false},
	[OPTION_FIRST_NEEDED] = {"BLK_DEV_INITRD", NULL, "the initramfs", false},
	/* without the latter a kernel knows device trees, but not one that comes with its boot data */
	{"OF_EARLY_FLATTREE", "OF", "with OF_EARLY_FLATTREE: the list of its devices", true},
	{"VIRTIO_MMIO", NULL, "its devices", true},
	{"VIRTIO_CONSOLE", NULL, "the command's input and output", true},
	{"VIRTIO_FS", NULL, "its files", true},
	{"BINFMT_ELF", NULL, "programs", true},
	{"DEVTMPFS", NULL, "/dev", true},
	{"PROC_FS", NULL, "/proc", true},
	{"SYSFS", NULL, "/sys", true},
	{"TMPFS", NULL, "/tmp", true},
	{"UNIX98_PTYS", NULL, "/dev/pts", true},
};

#define ROW_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

_Static_assert(ROW_COUNT <= FL_CLI_CONFIG_OPTIONS_MAX, "every option has its place");

static bool is_yes(const struct fl_cli_kernel_config *config, enum option option)
{
	return config->value[option] == FL_CLI_CONFIG_YES;
}

/* The whole file, NUL-terminated, the caller's. */
static int read_text(const char *path, char **text)
{
	char *buf = malloc(CONFIG_LEN_MAX + 1);
	size_t used = 0;
	ssize_t n = 1;

	if (!buf)
		return -ENOMEM;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	while (fd >= 0 && n > 0 && used <= CONFIG_LEN_MAX) {
		n = read(fd, buf + used, CONFIG_LEN_MAX + 1 - used);
		if (n > 0)
			used += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	int ret = fd < 0 || n < 0 ? -errno : used > CONFIG_LEN_MAX ? -EFBIG : 0;

	if (fd >= 0)
		close(fd);
	if (ret < 0) {
		free(buf);
		return ret;
	}
	buf[used] = '\0';
	*text = buf;
	return 0;
}

/* scripts/kconfig/confdata.c writes the version into a comment of each; CONFIG_LOCALVERSION and their like follow it.
 */
static bool is_of_release(const char *text, const char *release)
{
	char version[RELEASE_MAX];
	const char *line = strstr(text, "# Linux/");
	int len = 0;

	if (!line || sscanf(line, "# Linux/%*s %127s Kernel Configuration%n", version, &len) != 1 || !len)
		return false;
	size_t version_len = strlen(version);

	return strncmp(release, version, version_len) == 0 &&
	       (release[version_len] < '0' || release[version_len] > '9');
}

static void take_line(const char *line, struct fl_cli_kernel_config *config)
{
	static const char prefix[] = "CONFIG_";

	if (strncmp(line, prefix, sizeof(prefix) - 1) != 0)
		return;
	line += sizeof(prefix) - 1;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		size_t len = strlen(option_rows[i].name);

		if (strncmp(line, option_rows[i].name, len) == 0 && line[len] == '=')
			config->value[i] = line[len + 1] == 'y'	  ? FL_CLI_CONFIG_YES
					   : line[len + 1] == 'm' ? FL_CLI_CONFIG_MODULE
								  : FL_CLI_CONFIG_NO;
	}
}

int fl_cli_read_kernel_config(const char *path, const char *release, struct fl_cli_kernel_config *config)
{
	char *text = NULL;
	int ret = read_text(path, &text);

	if (ret < 0)
		return ret;
	memset(config, 0, sizeof(*config));
	if (!is_of_release(text, release))
		ret = -ESTALE;
	for (const char *line = text; ret == 0 && line; line = strchr(line, '\n')) {
		line += *line == '\n';
		take_line(line, config);
	}
	free(text);
	return ret;
}

bool fl_cli_kernel_is_patched(const struct fl_cli_kernel_config *config)
{
	return is_yes(config, OPTION_PARAVIRT_FAULT);
}

/* lib/decompress.c, compressed_formats[] */
const char *fl_cli_initrd_unpacker(const char *path)
{
	static const struct {
		const char *magic, *option;
	} formats[] = {
		{"\x1f\x8b", "RD_GZIP"}, {"BZ", "RD_BZIP2"},	 {"\x5d\x00", "RD_LZMA"},
		{"\xfd\x37", "RD_XZ"},	 {"\x02\x21", "RD_LZ4"}, {"\x28\xb5", "RD_ZSTD"},
	};
	const char *option = NULL;
	char magic[2];
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	/* what can be read once only is not for us */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, magic, sizeof(magic), 0) == 2)
		for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
			if (memcmp(magic, formats[i].magic, sizeof(magic)) == 0)
				option = formats[i].option;
	if (fd >= 0)
		close(fd);
	return option;
}

static bool is_needed(size_t row, const struct fl_cli_kernel_use *use)
{
	if (row >= OPTION_FIRST_UNPACKER && row <= OPTION_LAST_UNPACKER)
		return use->unpacker && strcmp(use->unpacker, option_rows[row].name) == 0;
	if (row < OPTION_FIRST_NEEDED)
		return row == OPTION_FUSE_DAX && use->agent && use->dax_always;
	return use->agent || !option_rows[row].agent_only;
}

int fl_cli_check_kernel_config(const struct fl_cli_kernel_config *config, const struct fl_cli_kernel_use *use,
			       const struct fl_cli_kernel *kernel, struct fl_diag *diag)
{
	char lacking[190] = "";
	size_t used = 0;

	for (size_t i = 0; i < ROW_COUNT && used < sizeof(lacking); i++) {
		if (!is_needed(i, use) || config->value[i] == FL_CLI_CONFIG_YES)
			continue;
		int len = snprintf(lacking + used, sizeof(lacking) - used, "%sCONFIG_%s=y (%s%s)", used ? ", " : "",
				   option_rows[i].to_set ? option_rows[i].to_set : option_rows[i].name,
				   option_rows[i].what_for,
				   config->value[i] == FL_CLI_CONFIG_MODULE ? "; there it is a module" : "");

		/* what does not fit is left out whole: the first ones are the ones that count */
		if (len < 0 || (size_t)len >= sizeof(lacking) - used) {
			lacking[used] = '\0';
			break;
		}
		used += (size_t)len;
	}
	if (!used)
		return 0;
	return fl_cli_diag(
		diag, -ENOTSUP,
		"The kernel %.100s cannot be used: its configuration %.100s lacks %s; build one with these, or "
		"name another with --kernel.",
		kernel->path, kernel->config, lacking);
}

const char *fl_cli_kernel_config_warning(const struct fl_cli_kernel_config *config, const struct fl_cli_kernel_use *use,
					 size_t index)
{
	const char *warnings[3];
	size_t count = 0;

	if (use->agent && use->dax && !use->dax_always && !is_yes(config, OPTION_FUSE_DAX))
		warnings[count++] = "the guest's kernel has no CONFIG_FUSE_DAX=y: its files are read and written with "
				    "requests and not mapped";
	if (use->vcpus > 1 && !is_yes(config, OPTION_SMP))
		warnings[count++] = "the guest's kernel has no CONFIG_SMP=y: it uses one CPU only";
	if (use->agent && !is_yes(config, OPTION_POWEROFF))
		warnings[count++] = "the guest's kernel has no CONFIG_POWER_RESET_SYSCON_POWEROFF=y: it cannot power "
				    "itself off and is stopped 10 s after its command has ended";
	return index < count ? warnings[index] : NULL;
}
