# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What building a kernel and building a kernel's modules share: a series of patches, and make with progress.
# Needs common.sh.

# apply_patches DIR PATCH...: ends at the first one that does not apply; step does not see that with -e, as it
# asks for the status
apply_patches() {
	local dir=$1 p
	shift
	for p in "$@"; do
		printf '%s\n' "${p##*/}"
		patch -d "$dir" -p1 --forward --no-backup-if-mismatch --fuzz=0 -i "$p" || return
	done
}

patched_files() {
	[ $# -gt 0 ] || return 0
	sed -n 's/^+++ b\///p; s/^--- a\///p; s/^rename \(from\|to\) //p' "$@" | sed 's/\t.*//' | sort -u
}

install_if_changed() {
	local from=$1 to=$2
	if [ ! -e "$from" ]; then
		rm -f "$to"
	elif ! cmp -s "$from" "$to"; then
		mkdir -p "$(dirname "$to")"
		rm -f "$to"
		# a new modification time is the point: it must be younger than every object
		cat "$from" >"$to"
		[ ! -x "$from" ] || chmod +x "$to"
	fi
}

compiled() {
	grep -cE '^  (CC|AS|AR|LD|HOSTCC) ' "$1" 2>/dev/null || true
}

# make_with_progress "what" LOG COMMAND...: the status is the command's. While it runs make_pid is its process,
# which a trap can tell to end: make deletes then what it was about to write.
make_pid=
make_with_progress() {
	local what=$1 log=$2 status=0 next=$((SECONDS + 10))
	shift 2
	"$@" >"$log" 2>&1 </dev/null &
	make_pid=$!
	while kill -0 "$make_pid" 2>/dev/null; do
		sleep 0.5
		[ "$SECONDS" -ge "$next" ] || continue
		next=$((SECONDS + 10))
		say "$what: $(compiled "$log") objects so far"
	done
	wait "$make_pid" || status=$?
	make_pid=
	return "$status"
}

end_make() {
	[ -n "$make_pid" ] || return 0
	kill "$make_pid" 2>/dev/null || true
	wait "$make_pid" || true
}
