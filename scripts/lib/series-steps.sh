# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# One source tree that can be taken to any patch of the series, and kernels built of it outside of it. Needs common.sh,
# kernel-source.sh and guest-series.sh; the caller sets version, patches, home, tmp and log, and has complain().

configurations=(on off nodax nomce nopoison least 32)

# changes_of CONFIGURATION: what differs from the project's own configuration
changes_of() {
	case "$1" in
	on) ;;
	off) no PARAVIRT_FAULT ;;
	nodax) no FUSE_DAX ;;
	nomce) no X86_MCE X86_MCE_INTEL ;;
	nopoison) no MEMORY_FAILURE ;;
	least) no PARAVIRT_FAULT FUSE_DAX X86_MCE X86_MCE_INTEL MEMORY_FAILURE ;;
	32) no 64BIT PARAVIRT_FAULT ;;
	esac
}

no() {
	printf '# CONFIG_%s is not set\n' "$@"
}

# open_steps: sets src, the whole source at step 0 or wherever it was left, and makes $tmp/steps/N with the
# touched files as they are after N patches
open_steps() {
	local p step=0
	local -a touched
	ensure_source "$version"
	src=$home/source-$version
	if ! cmp -s "$src/.faultline-source" "$(source_dir_of "$version")/.package"; then
		rm -rf "$src" "$home"/obj-"$version"-*
		step "unpacking the source of Linux $version" "$log" "Is the disk full?" unpack_source "$version" "$src.tmp"
		: >"$src.tmp/.faultline-changed"
		cp "$(source_dir_of "$version")/.package" "$src.tmp/.faultline-source"
		rm -rf "$src"
		mv -T "$src.tmp" "$src"
	fi
	mapfile -t touched < <({ cat "$src/.faultline-changed" && patched_files "${patches[@]}"; } | grep -v '^/dev/null$' | sort -u)
	printf '%s\n' "${touched[@]}" >"$src/.faultline-changed"
	unpack_source "$version" "$tmp/steps/0" "${touched[@]}"
	say "apply: ${#patches[@]} patches to Linux $version ..."
	for p in "${patches[@]}"; do
		cp -a "$tmp/steps/$step" "$tmp/steps/$((step + 1))"
		step=$((step + 1))
		apply_patches "$tmp/steps/$step" "$p" >"$log" 2>&1 || {
			sed 's/^/    /' "$log" >&2
			die "patch $step does not apply without fuzz to Linux $version (above): ${p##*/}"
		}
		# a ported patch may stand at another line than the series' own
		! grep -q 'offset' "$log" || [ "$version" != "$base_version" ] || complain "${p##*/} applies at other lines than it says"
	done
}

install_step() {
	local file
	while IFS= read -r file; do
		install_if_changed "$tmp/steps/$1/$file" "$src/$file"
	done <"$src/.faultline-changed"
}

# what make is told about what it says: nothing but messages, unless its lines are counted
make_says=(-s)

# kernel_make CONFIGURATION ARGUMENT...
kernel_make() {
	local name=$1 compiler=gcc arch=x86_64
	shift
	! command -v ccache >/dev/null || compiler="ccache gcc"
	[ "$name" != 32 ] || arch=i386
	# so that one configuration finds what another one has compiled
	CCACHE_BASEDIR=$home CCACHE_NOHASHDIR=1 make "${make_says[@]}" -C "$src" O="$home/obj-$version-$name" ARCH="$arch" CC="$compiler" LOCALVERSION= PAHOLE=none RUSTC=none \
		KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' KBUILD_BUILD_USER=faultline KBUILD_BUILD_HOST=faultline \
		-j"$(nproc)" "$@" </dev/null
}

# configure_step STEP CONFIGURATION: only where Kconfig differs from what this object directory was configured with
configure_step() {
	local name=$2 dir=$home/obj-$version-$2 key
	local -a fragments
	config_fragments "$version"
	changes_of "${name#boot-}" >"$tmp/changes"
	key=$(cd "$tmp/steps/$1" && { find . -name 'Kconfig*' | sort | xargs -r cat && config_lines "${fragments[@]}" "$tmp/changes"; } | sha256sum)
	[ "$(cat "$dir/.faultline-config" 2>/dev/null)" != "$key" ] || return 0
	mkdir -p "$dir"
	config_lines "${fragments[@]}" "$tmp/changes" >"$dir/fragment"
	step "configuring ($name, patch $1)" "$log" "Look at the log." \
		kernel_make "$name" KCONFIG_ALLCONFIG="$dir/fragment" allnoconfig
	step "preparing ($name, patch $1)" "$log" "Look at the log." kernel_make "$name" prepare
	printf '%s\n' "$key" >"$dir/.faultline-config"
}

# objects_of CONFIGURATION: of the files that the series touches, the objects that this kernel is made of. What
# belongs to it is asked of the Makefiles themselves.
objects_of() {
	local dir=$home/obj-$version-$1 file
	local -A parts=()
	while IFS= read -r file; do
		[[ $file == *.c && -e $src/$file ]] || continue
		[[ $file != tools/* && $file != Documentation/* ]] || continue
		[ -n "${parts[${file%/*}]:-}" ] || parts[${file%/*}]=" $(kbuild_objects "$dir" "${file%/*}" | tr -s ' \n' ' ') "
		[[ ${parts[${file%/*}]} != *" $(basename "$file" .c).o "* ]] || printf '%s\n' "${file%.c}.o"
	done <"$src/.faultline-changed"
}

kbuild_objects() {
	make -s -f - -C "$src" faultline-list 2>/dev/null <<-END
		include $1/include/config/auto.conf
		srctree := $src
		src := $src/$2
		obj := $2
		include $src/$2/Makefile
		parts = \$(foreach o,\$(1),\$(o) \$(\$(o:.o=-y)) \$(\$(o:.o=-objs)))
		faultline-list:
		\$(info \$(call parts,\$(call parts,\$(obj-y) \$(lib-y))))
	END
}

# boot_steps: after each patch that changes a kernel, from number boot_from to boot_to (empty: the last), kernels with the
# option on and, once there is one, off; all of them then boot one after the other in one box. Kernels with the same bytes boot once.
boot_steps() {
	local step name images=$home/images last=${boot_to:-${#patches[@]}}
	local -a make_says=()
	rm -rf "$images"
	mkdir -p "$images"
	"$root/scripts/build" --no-guest-kernel build
	for ((step = boot_from; step <= last && step <= ${#patches[@]}; step++)); do
		changes_kernel "$step" || continue
		install_step "$step"
		for name in boot-on boot-off; do
			[ "$name" = boot-on ] || has_option "$step" || continue
			build_image "$step" "$name" "$images"
		done
	done
	boot_images "$images"
}

has_option() {
	grep -qsx 'config PARAVIRT_FAULT' "$tmp/steps/$1/arch/x86/Kconfig"
}

build_image() {
	local step=$1 name=$2 images=$3
	configure_step "$step" "$name"
	if make_with_progress "building the kernel of patch $step (${name#boot-})" "$log" kernel_make "$name" bzImage; then
		cp "$home/obj-$version-$name/arch/x86/boot/bzImage" "$images/$(printf '%04d' "$step")-${name#boot-}"
	else
		complain "the kernel of patch $step (${name#boot-}) does not build: $(grep -m 1 -E 'error:|\*\*\*' "$log")"
	fi
}

boot_images() {
	local images=$1 image sum said=$tmp/booted count=0
	local -A seen=()
	local -a list=()
	for image in "$images"/*; do
		sum=$(sha256sum <"$image")
		[ -z "${seen[$sum]:-}" ] || continue
		seen[$sum]=$image
		list+=("$image")
	done
	say "booting ${#list[@]} different kernels in the box ..."
	# shellcheck disable=SC2016  # expanded inside
	"$root/scripts/box" --cpus 1 --timeout $((120 + 90 * ${#list[@]})) -- sh -c '
		launcher=$1; shift
		for image; do
			"$launcher" run --timeout 80 -c 2 -k "$image" -- /bin/echo "booted ${image##*/}" </dev/null || echo "status $? of ${image##*/}"
		done' sh "$root/build/faultline" "${list[@]}" >"$said" 2>&1 || complain "the box failed: $(tail -n 1 "$said")"
	for image in "${list[@]}"; do
		if grep -qx "booted ${image##*/}" "$said"; then
			count=$((count + 1))
		else
			complain "the kernel ${image##*/} did not boot to a command: $(grep -m 1 -F "${image##*/}" "$said" || true)"
		fi
	done
	say "boot: $count of ${#list[@]} different kernels, of $(find "$images" -type f | wc -l), booted to a command"
}
