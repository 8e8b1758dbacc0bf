/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library and the agent (the init of the built-in initramfs) say to each other.
 *
 * Host to guest: the file /faultline.conf in the initramfs, a sequence of records. A record is a
 * letter and, right behind it, a number of NUL-terminated strings:
 *	M tag path options	mount virtiofs `tag` at `path` ("/" first); options: "ro,dax" etc.
 *	O tag path options upper as M, but below an overlay that can be written to: what is changed goes to the
 *				virtiofs `upper`, or to memory if that is empty
 *	A argument		the command, one record an argument
 *	E name=value		its environment; PATH and HOME are added where they are missing
 *	C directory		its working directory
 *	H hostname
 *	N address gateway	eth0's address, "10.0.2.15/24" or "fd00::15/64", and the gateway, "" for none; one of
 *				each kind at most
 *	P "ROWS COLS"		the command gets a terminal of this size, 0 to 65535 each, as its standard streams
 *				and controlling terminal; what it writes comes out at fl.stdout
 *	R text			what stands in /etc/resolv.conf
 *	U user			whom it runs as: "name", "uid", "name:group" or "uid:gid"; without it root
 *	T seconds.nanoseconds	wall clock at start; nanoseconds is a number (0 to 999999999), not a fraction
 * Guest to host: on the port fl.status, one line each:
 *	start			the command is about to be run (all mounts are there)
 *	exit N / signal N	how it ended; the agent then powers off
 *	failed N text		it could not be run; N = 126 or 127 as a shell would say, 125: the agent
 *				could not set up the guest; the agent then powers off
 * Host to guest, as long as the command runs: on the port fl.control, one line each; what is not listed, or longer
 * than 63 bytes, is ignored:
 *	poweroff		SIGTERM to all processes (and SIGHUP to a command with a terminal), SIGKILL
 *				FL_AGENT_PATIENCE_MS later; the machine powers off when the command has ended, and
 *				fl.status says how
 *	size ROWS COLS		of the command's terminal, 0 to 65535 each; ignored if it has none
 *	signal N		a signal, 1 to 64, for the command's process group
 *
 * All five ports must exist. fl.stdin ends (PORT_OPEN 0) where the command's standard input ends; a
 * PORT_OPEN 0 on fl.stdout or fl.stderr means that nobody reads there any more: the command gets SIGPIPE.
 */
#ifndef FL_AGENT_CONF_H
#define FL_AGENT_CONF_H

#define FL_AGENT_CONF_PATH    "/faultline.conf"
#define FL_AGENT_PORT_STDIN   "fl.stdin"
#define FL_AGENT_PORT_STDOUT  "fl.stdout"
#define FL_AGENT_PORT_STDERR  "fl.stderr"
#define FL_AGENT_PORT_STATUS  "fl.status"
#define FL_AGENT_PORT_CONTROL "fl.control"

#define FL_AGENT_PATIENCE_MS 5000

#endif
