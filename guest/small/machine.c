/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader tells (boot.rst, zero-page.rst), and what of the machine everybody uses. */
#include "guest/small/small.h"

#include <stdarg.h>
#include <string.h>

#define ZERO_PAGE_CMDLINE    0x228u
#define ZERO_PAGE_SETUP_DATA 0x250u
#define SETUP_DTB	     2u

/* The Devicetree Specification 0.4, 5: flattened */
#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_NOP	       4u

#define VIRTIO_MAGIC	  0x74726976u
#define VIRTIO_MAGIC_REG  (0x00 / 4)
#define VIRTIO_DEVICE_REG (0x08 / 4)

#define LAPIC_SPURIOUS	   (0xf0 / 4)
#define LAPIC_LVT_TIMER	   (0x320 / 4)
#define LAPIC_DIVIDE	   (0x3e0 / 4)
#define LAPIC_ENABLED	   0x100u
#define DIVIDE_BY_ONE	   0xbu /* KVM's timer then has a tick each nanosecond */
#define IOAPIC_REDIRECTION 0x10u

#define DEVICES_MAX 32u
#define TEXT_MAX    256u

struct setup_data {
	uint64_t next;
	uint32_t type, len;
	uint8_t data[];
};

static struct {
	const char *cmdline;
	struct small_device devices[DEVICES_MAX];
	uint32_t devices_count;
} machine;

/* ---- saying something --------------------------------------------------------------------- */

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void put(struct text *text, char c)
{
	if (text->len < sizeof(text->bytes) - 1)
		text->bytes[text->len++] = c;
}

static void put_number(struct text *text, uint64_t number, unsigned int base)
{
	char digits[24];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	while (count)
		put(text, digits[--count]);
}

static void put_signed(struct text *text, int number)
{
	if (number < 0)
		put(text, '-');
	put_number(text, (uint64_t)(number < 0 ? -(int64_t)number : number), 10);
}

static void put_string(struct text *text, const char *string)
{
	while (*string)
		put(text, *string++);
}

static void format_text(struct text *text, const char *format, va_list args)
{
	for (; *format; format++) {
		if (*format != '%') {
			put(text, *format);
			continue;
		}
		switch (*++format) {
		case 's':
			put_string(text, va_arg(args, const char *));
			break;
		case 'u':
			put_number(text, va_arg(args, unsigned int), 10);
			break;
		case 'd':
			put_signed(text, va_arg(args, int));
			break;
		case 'x':
			put_number(text, va_arg(args, unsigned int), 16);
			break;
		default: /* %llx */
			format += 2;
			put_number(text, va_arg(args, unsigned long long), 16);
			break;
		}
	}
}

/* The one of the floor, for the sources that are shared. */
int fl_diag(struct fl_diag *diag, int error, const char *format, ...)
{
	struct text text = {.len = 0};
	va_list args;

	va_start(args, format);
	format_text(&text, format, args);
	va_end(args);
	diag->error = error;
	memcpy(diag->text, text.bytes, text.len);
	diag->text[text.len] = '\0';
	return error;
}
_Static_assert(TEXT_MAX <= sizeof(((struct fl_diag *)0)->text), "a sentence fits");

static void write_text(struct text *text)
{
	put(text, '\n');
	small_call(SMALL_CALL_WRITE, (uintptr_t)text->bytes, text->len);
}

void small_print(const char *format, ...)
{
	struct text text = {.len = 0};
	va_list args;

	va_start(args, format);
	format_text(&text, format, args);
	va_end(args);
	write_text(&text);
}

/* In the words of Linux, by which the host knows a kernel's end from a reset that was asked for. */
void small_die(const char *format, ...)
{
	struct text text = {.len = 0};
	va_list args;

	put_string(&text, "Kernel panic - not syncing: ");
	va_start(args, format);
	format_text(&text, format, args);
	va_end(args);
	write_text(&text);
	for (;;)
		small_call(SMALL_CALL_RESET, 0, 0);
}

/* ---- the device tree ---------------------------------------------------------------------- */

static uint32_t big32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t big64(const uint8_t *at)
{
	return (uint64_t)big32(at) << 32 | big32(at + 4);
}

/* What of a node is looked at; the properties stand before the nodes inside. */
struct node {
	uint64_t gpa;
	uint32_t gsi;
	bool is_virtio, has_place;
};

static void take_property(struct node *node, const char *name, const uint8_t *value, uint32_t len)
{
	if (strcmp(name, "compatible") == 0)
		node->is_virtio = len == sizeof("virtio,mmio") && memcmp(value, "virtio,mmio", len) == 0;
	else if (strcmp(name, "reg") == 0 && len >= 8) {
		node->gpa = big64(value);
		node->has_place = true;
	} else if (strcmp(name, "interrupts") == 0 && len >= 4) {
		node->gsi = big32(value);
	}
}

static void take_node(const struct node *node)
{
	struct small_device *device = &machine.devices[machine.devices_count];
	volatile uint32_t *regs = (volatile uint32_t *)(uintptr_t)node->gpa;

	if (!node->is_virtio || !node->has_place || machine.devices_count == DEVICES_MAX)
		return;
	if (node->gpa >> 30 != 3 || regs[VIRTIO_MAGIC_REG] != VIRTIO_MAGIC)
		small_die("the device tree has a virtio device at 0x%llx, where none is",
			  (unsigned long long)node->gpa);
	*device = (struct small_device){.regs = regs, .gsi = node->gsi, .id = regs[VIRTIO_DEVICE_REG]};
	machine.devices_count++;
}

static const uint8_t *skip_name(const uint8_t *at)
{
	return at + (strlen((const char *)at) + 4) / 4 * 4;
}

static void read_tree(const uint8_t *tree)
{
	const uint8_t *at = tree + big32(tree + 8);
	const char *names = (const char *)tree + big32(tree + 12);
	struct node node = {0};

	if (big32(tree) != FDT_MAGIC)
		small_die("there is no device tree");
	for (uint32_t token = big32(at); token >= FDT_BEGIN_NODE && token <= FDT_NOP; token = big32(at)) {
		at += 4;
		if (token == FDT_PROP) {
			uint32_t len = big32(at);

			take_property(&node, names + big32(at + 4), at + 8, len);
			at += 8 + (len + 3) / 4 * 4;
		} else if (token != FDT_NOP) {
			take_node(&node);
			node = (struct node){0};
			at = token == FDT_BEGIN_NODE ? skip_name(at) : at;
		}
	}
}

struct small_device *small_machine_device(uint32_t index)
{
	return index < machine.devices_count ? &machine.devices[index] : NULL;
}

/* ---- the command line --------------------------------------------------------------------- */

const char *small_machine_word(const char *name, const char **at, size_t *len)
{
	const char *word = *at ? *at : machine.cmdline;
	size_t name_len = strlen(name);

	while (*word) {
		const char *end = word;

		while (*end && *end != ' ')
			end++;
		*at = *end ? end + 1 : end;
		if ((size_t)(end - word) > name_len && memcmp(word, name, name_len) == 0 && word[name_len] == '=') {
			*len = (size_t)(end - word) - name_len - 1;
			return word + name_len + 1;
		}
		word = *at;
	}
	return NULL;
}

/* ---- interrupts --------------------------------------------------------------------------- */

static void set_interrupts_up(void)
{
	volatile uint32_t *lapic = (volatile uint32_t *)(uintptr_t)SMALL_LAPIC;
	volatile uint32_t *ioapic = (volatile uint32_t *)(uintptr_t)SMALL_IOAPIC;

	lapic[LAPIC_SPURIOUS] = LAPIC_ENABLED | SMALL_EVENT;
	lapic[LAPIC_DIVIDE] = DIVIDE_BY_ONE;
	lapic[LAPIC_LVT_TIMER] = SMALL_EVENT;
	for (uint32_t i = 0; i < machine.devices_count; i++) {
		uint32_t entry = IOAPIC_REDIRECTION + 2 * machine.devices[i].gsi;

		ioapic[0] = entry + 1;
		ioapic[4] = 0; /* to the one CPU */
		ioapic[0] = entry;
		ioapic[4] = SMALL_EVENT; /* rising edge */
	}
}

void small_idle(uint64_t events, uint64_t ns)
{
	small_call(SMALL_CALL_IDLE, FL_MIN(ns, (uint64_t)UINT32_MAX), events);
}

void small_machine_init(const uint8_t *zero_page)
{
	uint32_t cmdline;
	uint64_t at;

	memcpy(&cmdline, zero_page + ZERO_PAGE_CMDLINE, sizeof(cmdline));
	memcpy(&at, zero_page + ZERO_PAGE_SETUP_DATA, sizeof(at));
	machine.cmdline = (const char *)(uintptr_t)cmdline;
	while (at) {
		const struct setup_data *data = (const struct setup_data *)(uintptr_t)at;

		if (data->type == SETUP_DTB)
			read_tree(data->data);
		at = data->next;
	}
	set_interrupts_up();
}
