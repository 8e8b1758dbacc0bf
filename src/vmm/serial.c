/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/serial.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/layout.h"

/* 16450 registers (no FIFO is announced, so one byte at a time is all a driver expects) */
enum { THR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
#define LCR_DLAB  0x80u
#define IER_RDI	  0x01u
#define IER_THRI  0x02u
#define IIR_NONE  0x01u
#define IIR_THRI  0x02u
#define IIR_RDI	  0x04u
#define MCR_RTS	  0x02u
#define MCR_LOOP  0x10u
#define LSR_DR	  0x01u
#define LSR_EMPTY 0x60u /* holding and shift register empty */
#define MSR_READY 0xb0u /* carrier, data set ready, clear to send */

void fl_serial_init(struct fl_serial *serial, int vm_fd, fl_console_fn sink, void *arg)
{
	memset(serial, 0, sizeof(*serial));
	pthread_mutex_init(&serial->lock, NULL);
	serial->vm_fd = vm_fd;
	serial->sink = sink;
	serial->arg = arg;
}

static void flush_line(struct fl_serial *serial)
{
	if (serial->line_len && serial->sink)
		serial->sink(serial->arg, serial->line, serial->line_len);
	serial->line_len = 0;
}

void fl_serial_fini(struct fl_serial *serial)
{
	flush_line(serial);
	pthread_mutex_destroy(&serial->lock);
}

static void put_byte(struct fl_serial *serial, uint8_t byte)
{
	serial->tail[serial->tail_total++ % FL_SERIAL_TAIL_LEN] = (char)byte;
	serial->line[serial->line_len++] = (char)byte;
	if (byte == '\n' || serial->line_len == sizeof(serial->line))
		flush_line(serial);
}

/* Edge-triggered ISA interrupt: a pulse for each new reason. */
static void pulse_irq(const struct fl_serial *serial)
{
	struct kvm_irq_level level = {.irq = FL_SERIAL_GSI, .level = 1};

	if (serial->vm_fd < 0)
		return;
	(void)ioctl(serial->vm_fd, KVM_IRQ_LINE, &level);
	level.level = 0;
	(void)ioctl(serial->vm_fd, KVM_IRQ_LINE, &level);
}

static void raise_thre(struct fl_serial *serial)
{
	if (!(serial->ier & IER_THRI))
		return;
	serial->thre_pending = true;
	pulse_irq(serial);
}

/* ---- input ---- */

/*
 * The interrupt alone says nothing: drivers try the register when they look for the device, and read what there is
 * before they begin. Who is ready says so to the other side, and takes it back if there is no room and flow control.
 */
static bool wants_input(const struct fl_serial *serial)
{
	bool ready = (serial->mcr & (MCR_RTS | MCR_LOOP)) == MCR_RTS;

	return ready && (serial->ier & IER_RDI) && serial->typed_len == 0;
}

static void ask_for_input(const struct fl_serial *serial)
{
	if (serial->wanted && wants_input(serial))
		serial->wanted(serial->wanted_arg);
}

static void announce_input(const struct fl_serial *serial)
{
	if ((serial->ier & IER_RDI) && serial->typed_len > 0)
		pulse_irq(serial);
}

static uint8_t take_byte(struct fl_serial *serial)
{
	/* who asks for an answer has shown the question */
	flush_line(serial);
	if (serial->typed_len == 0)
		return 0;
	uint8_t byte = serial->typed[serial->typed_at++];

	serial->typed_len--;
	ask_for_input(serial);
	return byte;
}

void fl_serial_on_wanted(struct fl_serial *serial, void (*wanted)(void *arg), void *arg)
{
	serial->wanted = wanted;
	serial->wanted_arg = arg;
}

bool fl_serial_wants_input(struct fl_serial *serial)
{
	FL_LOCKED(&serial->lock);

	return wants_input(serial);
}

void fl_serial_type(struct fl_serial *serial, const void *bytes, size_t len)
{
	FL_LOCKED(&serial->lock);

	memcpy(serial->typed, bytes, len);
	serial->typed_at = 0;
	serial->typed_len = len;
	announce_input(serial);
}

/* ---- registers ---- */

static void write_ier(struct fl_serial *serial, uint8_t value)
{
	serial->ier = value & 0x0f;
	/* Linux switches this one off when it has sent all that it has: a prompt has no newline */
	if (!(serial->ier & IER_THRI))
		flush_line(serial);
	raise_thre(serial);
	announce_input(serial);
	ask_for_input(serial);
}

static void write_register(struct fl_serial *serial, uint16_t offset, uint8_t value)
{
	bool dlab = serial->lcr & LCR_DLAB;

	switch (offset) {
	case THR:
		if (dlab) {
			serial->dll = value;
			break;
		}
		put_byte(serial, value);
		raise_thre(serial); /* sent at once */
		break;
	case IER:
		if (dlab) {
			serial->dlm = value;
			break;
		}
		write_ier(serial, value);
		break;
	case LCR:
		serial->lcr = value;
		break;
	case MCR:
		serial->mcr = value & 0x1f;
		ask_for_input(serial);
		break;
	case SCR:
		serial->scr = value;
		break;
	default:
		break;
	}
}

static uint8_t read_register(struct fl_serial *serial, uint16_t offset)
{
	bool dlab = serial->lcr & LCR_DLAB;

	switch (offset) {
	case THR:
		return dlab ? serial->dll : take_byte(serial);
	case IER:
		return dlab ? serial->dlm : serial->ier;
	case IIR:
		if ((serial->ier & IER_RDI) && serial->typed_len > 0)
			return IIR_RDI;
		if (!serial->thre_pending)
			return IIR_NONE;
		serial->thre_pending = false; /* reading IIR takes this one back */
		return IIR_THRI;
	case LCR:
		return serial->lcr;
	case MCR:
		return serial->mcr;
	case LSR:
		return (uint8_t)(LSR_EMPTY | (serial->typed_len > 0 ? LSR_DR : 0));
	case MSR:
		return MSR_READY;
	default:
		return serial->scr;
	}
}

void fl_serial_access(struct fl_serial *serial, uint16_t offset, bool write, uint8_t *value)
{
	FL_LOCKED(&serial->lock);

	if (write)
		write_register(serial, offset & 7, *value);
	else
		*value = read_register(serial, offset & 7);
}

size_t fl_serial_tail(struct fl_serial *serial, char *buf, size_t buf_len)
{
	FL_LOCKED(&serial->lock);
	uint64_t kept = FL_MIN(serial->tail_total, (uint64_t)FL_SERIAL_TAIL_LEN);
	uint64_t want = FL_MIN(kept, (uint64_t)(buf_len - 1));

	for (uint64_t i = 0; i < want; i++)
		buf[i] = serial->tail[(serial->tail_total - want + i) % FL_SERIAL_TAIL_LEN];
	buf[want] = 0;
	return (size_t)want;
}
