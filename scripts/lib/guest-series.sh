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

# read_left_out VERSION: sets left_out: the titles of patches that another version does not need, and why. They are the
# lines "TITLE reason" of port-VERSION/left-out.
declare -A left_out
read_left_out() {
	local file=$patch_dir/port-$1/left-out title reason
	left_out=()
	[ -e "$file" ] || return 0
	while read -r title reason; do
		[[ -n $title && $title != \#* ]] || continue
		[ -n "$reason" ] || die "${file#"$root/"} does not say why $title is left out"
		compgen -G "$patch_dir/[0-9][0-9][0-9][0-9]-$title.patch" >/dev/null ||
			die "${file#"$root/"} speaks of a patch that the series has not: $title"
		left_out[$title]=$reason
	done <"$file"
}

# list_own_patches VERSION: sets patches to those of the series that this version needs, as they are for base_version
list_own_patches() {
	local p
	read_left_out "$1"
	patches=()
	for p in "$patch_dir"/[0-9][0-9][0-9][0-9]-*.patch; do
		# 0000 is the cover letter
		[[ -e $p && $p != */0000-* ]] || continue
		[ -n "${left_out[$(patch_title "$p")]:-}" ] || patches+=("$p")
	done
	[ "${#patches[@]}" -gt 0 ] || die "there are no patches in guest-kernel-patches/"
}

# list_patches VERSION: sets patches. A port is those patches of the series that have to look different for another
# version: port-VERSION/TITLE.patch stands in place of NNNN-TITLE.patch.
list_patches() {
	local version=$1 p i title
	local -A ported=()
	list_own_patches "$version"
	for p in "$patch_dir/port-$version"/*.patch; do
		[ ! -e "$p" ] || ported[$(patch_title "$p")]=$p
	done
	for i in "${!patches[@]}"; do
		title=$(patch_title "${patches[i]}")
		[ -n "${ported[$title]:-}" ] || continue
		patches[i]=${ported[$title]}
		unset "ported[$title]"
	done
	[ "${#ported[@]}" -eq 0 ] ||
		die "guest-kernel-patches/port-$version has patches that the series has not, or leaves out: ${!ported[*]}"
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
	! installed "$package" || { take_installed_source "$package" "$dir" && return; }
	known_to_apt "$package" || ! can_be_root || apt_update_once
	known_to_apt "$package" || use_newer_suites
	unpack_package "$package" "$dir"
	use_own_suites
}

# Nothing has to be fetched where the package is installed, which is how Debian packages are built: without a network.
take_installed_source() {
	local package=$1 dir=$2
	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp/usr/src"
	cp "/usr/src/$package.tar.xz" "$dir.tmp/usr/src/"
	# shellcheck disable=SC2016  # dpkg-query's own placeholders
	dpkg-query -W -f '${Package} ${Version}\n' "$package" >"$dir.tmp/.package"
	mv -T "$dir.tmp" "$dir"
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
