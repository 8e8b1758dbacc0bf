# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The guest kernel series: which patches and which configuration belong to which kernel version, and where the
# source comes from. Needs common.sh and packages.sh.

patch_dir=$root/guest-kernel-patches
# what the numbered patches are made against
base_version=6.12

# The part of a patch's name that stays when the series grows: 0007-dax-Return.patch -> dax-Return
patch_title() {
	local name=${1##*/}
	name=${name#[0-9][0-9][0-9][0-9]-}
	printf '%s\n' "${name%.patch}"
}

# list_patches VERSION: sets patches. A port is those patches of the series that have to look different for another
# version: port-VERSION/TITLE.patch stands in place of NNNN-TITLE.patch.
list_patches() {
	local version=$1 p title port
	local -A ported=()
	patches=()
	for p in "$patch_dir/port-$version"/*.patch; do
		[ ! -e "$p" ] || ported[$(patch_title "$p")]=$p
	done
	for p in "$patch_dir"/[0-9][0-9][0-9][0-9]-*.patch; do
		# 0000 is the cover letter
		[[ $p != */0000-* ]] || continue
		title=$(patch_title "$p")
		port=${ported[$title]:-}
		[ -e "$p" ] || continue
		patches+=("${port:-$p}")
		[ -z "$port" ] || unset "ported[$title]"
	done
	[ "${#ported[@]}" -eq 0 ] ||
		die "guest-kernel-patches/port-$version has patches that the series has not: ${!ported[*]}"
	[ "${#patches[@]}" -gt 0 ] || die "there are no patches in guest-kernel-patches/"
}

# config_lines FRAGMENT...: all of them as one; where two speak of one option, the later is right
config_lines() {
	awk '
		/^CONFIG_[A-Za-z0-9_]+=/ { name = $0; sub(/=.*/, "", name) }
		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ { name = $2 }
		!/^CONFIG_|^# CONFIG_[A-Za-z0-9_]+ is not set$/ { next }
		!(name in line) { order[++n] = name }
		{ line[name] = $0 }
		END { for (i = 1; i <= n; i++) print line[order[i]] }
	' "$@"
}

# config_fragments VERSION [debug]: sets fragments
config_fragments() {
	fragments=("$patch_dir/config")
	[ "${2:-}" != debug ] || fragments+=("$patch_dir/config-debug")
	[ ! -e "$patch_dir/port-$1/config" ] || fragments+=("$patch_dir/port-$1/config")
}

source_dir_of() {
	printf '%s/guest-kernel/source-%s\n' "$cache" "$1"
}

# ensure_source VERSION: Debian's archive of that kernel, fetched once. Unpacked it is 1.7 GB, and only a build
# needs that.
ensure_source() {
	local package=linux-source-$1 dir
	dir=$(source_dir_of "$1")
	[ ! -e "$dir/.package" ] || return 0
	known_to_apt "$package" || ! can_be_root || apt_update_once
	known_to_apt "$package" || use_newer_suites
	unpack_package "$package" "$dir"
	use_own_suites
}

# unpack_source VERSION DIR [FILE...]: the source, or only these files of it; those that it has not are left out
unpack_source() {
	local version=$1 to=$2 archive
	shift 2
	archive=$(source_dir_of "$version")/usr/src/linux-source-$version.tar.xz
	mkdir -p "$to"
	if [ $# -eq 0 ]; then
		tar -xf "$archive" -C "$to" --strip-components=1
	else
		tar -xf "$archive" -C "$to" --strip-components=1 "${@/#/linux-source-$version/}" 2>/dev/null || true
	fi
}
