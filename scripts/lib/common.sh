# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What every script here shares: where things are, progress lines, running a step with its output in a log.
# Sourced, never run. Standard output belongs to results; everything said to a person goes to stderr.

set -euo pipefail

# the directory of these scripts; also where they are installed without the rest
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
root=${scripts%/*}
# exported, because a script started by another one must use the same cache even inside the box
export FAULTLINE_CACHE="${FAULTLINE_CACHE:-${XDG_CACHE_HOME:-${HOME:-$(cd ~ && pwd)}/.cache}/faultline}"
cache=$FAULTLINE_CACHE
# one clock for all scripts of one run: seconds since the outermost one began
export FAULTLINE_START="${FAULTLINE_START:-$EPOCHREALTIME}"

say() {
	local now=${EPOCHREALTIME/[.,]/} start=${FAULTLINE_START/[.,]/}
	local tenths=$(((now - start) / 100000))
	printf '[%4d.%ds] %s\n' $((tenths / 10)) $((tenths % 10)) "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# usage_of FILE: the comment block below "#!" is the help text, so that the two cannot differ
usage_of() {
	sed -n '2,/^[^#]/{/^# SPDX\|^# shellcheck/d;s/^# \{0,1\}//p}' "$1"
}

# need_value "$@": refuses an option that stands last, without its value
need_value() {
	[ $# -ge 2 ] || die "$1 needs a value"
}

# step "what" LOGFILE ADVICE COMMAND...: runs COMMAND quietly; its output appears only when it fails.
# In CI nobody can look at the log afterwards, so more of it is shown.
step() {
	local what=$1 log=$2 advice=$3
	shift 3
	say "$what ..."
	mkdir -p "$(dirname "$log")"
	local status=0
	"$@" >"$log" 2>&1 </dev/null || status=$?
	[ "$status" -eq 0 ] && return 0
	step_failed "$what" "$log" "$advice" "$status"
	return "$status"
}

step_failed() {
	local what=$1 log=$2 advice=$3 status=$4
	local lines=30
	[ -z "${CI:-}" ] || lines=120
	tail -n "$lines" "$log" | sed 's/^/    /' >&2
	say "$what: failed with status $status (whole log: $log). $advice"
}

# hold_lock FILE "what": holds an exclusive lock on FILE until the script ends
hold_lock() {
	mkdir -p "$(dirname "$1")"
	exec {lock_fd}>"$1"
	flock -n "$lock_fd" && return 0
	say "another run is $2, waiting for it ..."
	flock "$lock_fd"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}
