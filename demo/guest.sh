#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What happens inside the guest of the demonstration (demo/run). Where it reads a line, it waits for the
# host, which answers what it sees on standard output.
cd /tmp/demo || exit 1
watch=/tmp/bin/watch

# A database is being read, and its end goes away in the middle of the transaction.
lose_a_database() {
	mkfifo /tmp/sql
	# stdbuf: rows are to be seen when they are there, not when the pipe is full
	stdbuf -oL sqlite3 -batch data.db </tmp/sql &
	sqlite=$!
	exec 3>/tmp/sql
	printf '%s\n' .output\ /dev/null "PRAGMA mmap_size=268435456;" .output\ stdout >&3
	echo "BEGIN; SELECT 'sqlite3: ' || count(*) || ' rows' FROM words;" >&3
	# sqlite3 says "rows" itself; the host waits for that
	read -r _
	echo "SELECT 'sqlite3: all of ' || sum(length(text)) || ' letters' FROM words;" >&3
	exec 3>&-
	wait "$sqlite"
	echo "shell: sqlite3 ended with status $?"
	rm /tmp/sql
}

lose_a_mapped_file() {
	mkfifo /tmp/look
	"$watch" data.bin </tmp/look &
	watching=$!
	exec 3>/tmp/look
	read -r _
	echo again >&3
	wait "$watching"
	exec 3>&-
	echo "shell: watch ended with status $?"
}

case $1 in
database)
	lose_a_database
	;;
all)
	mkfifo /tmp/steady
	"$watch" --steady other.bin </tmp/steady &
	steady=$!
	exec 4>/tmp/steady
	lose_a_database
	lose_a_mapped_file
	exec 4>&-
	wait "$steady" || exit 1
	;;
esac
echo "shell: goes on, $(cut -d' ' -f1 /proc/uptime) s after the guest's start"
