# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Text that a script writes into a page of docs/: between the lines "<!-- NAME -->" and "<!-- end -->".

# has_section NAME PAGE
has_section() {
	grep -qxF "<!-- $1 -->" "$2"
}

# put_section NAME TEXT-FILE PAGE
put_section() {
	awk -v mark="<!-- $1 -->" -v text="$2" '
		$0 == "<!-- end -->" { skip = 0 }
		!skip { print }
		$0 == mark { skip = 1; while ((getline line < text) > 0) print line }' "$3" >"$2.page"
	cat "$2.page" >"$3"
}
