/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/serial.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/layout.h"

/* 16450 registers (no FIFO is announced, so one byte at a time is all a driver expects) */
enum { THR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
#define LCR_DLAB  0x80u
#define IER_THRI  0x02u
#define IIR_NONE  0x01u
#define IIR_THRI  0x02u
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
		serial->ier = value & 0x0f;
		raise_thre(serial);
		break;
	case LCR:
		serial->lcr = value;
		break;
	case MCR:
		serial->mcr = value & 0x1f;
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
		return dlab ? serial->dll : 0;
	case IER:
		return dlab ? serial->dlm : serial->ier;
	case IIR:
		if (!serial->thre_pending)
			return IIR_NONE;
		serial->thre_pending = false; /* reading IIR takes this one back */
		return IIR_THRI;
	case LCR:
		return serial->lcr;
	case MCR:
		return serial->mcr;
	case LSR:
		return LSR_EMPTY;
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
