#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC1091,SC2154
# usage: check_lanes.sh ROOT
#
# scripts/lib/lanes.sh runs each task once, boxes no more than it is told at a time, and comes to its end also where tasks are
# killed before anybody waits for them.
root=$1
. "$root/scripts/lib/common.sh"
. "$root/scripts/lib/lanes.sh"
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT

killed() {
	kill -KILL "$BASHPID"
}

boxed() {
	echo begin >>"$seen"
	sleep "0.$1"
	echo end >>"$seen"
}

for lanes in 1 2 4; do
	: >"$seen"
	for i in 1 2 3; do
		add_task here killed
		add_task box boxed "$i"
	done
	run_tasks "$lanes" 2 2>/dev/null
	[ "${#lane_pids[@]}" -eq 0 ] || die "tasks are left"
	awk '$1 == "begin" { n++; all++ } $1 == "end" { n-- } n > 2 { exit 1 } END { exit n != 0 || all != 3 }' "$seen" ||
		die "with $lanes lanes the boxes were not three, or more than two at a time: $(tr '\n' ' ' <"$seen")"
done
