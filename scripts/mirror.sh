# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by kernels.sh and bare.sh: sets $mirror and $security to the archive
# and the security archive that this host's apt uses, whatever its release is.
# MIRROR=uri and SECURITY=uri win. Either may end up empty.
# shellcheck shell=sh disable=SC2034

find_mirror() {
	# Without release info apt also names what it has not downloaded yet.
	# A third party may call its suite bookworm as well, so a path that
	# ends in /debian wins.
	# shellcheck disable=SC2016 # the variables are apt's
	found=$(apt-get indextargets --no-release-info --format \
		'$(COMPONENT) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
	awk '$1 != "main" { next }
	     $2 ~ /^[a-z]+-security$/ { if (!sec) sec = $3 }
	     $2 ~ /^((old)*stable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)$/ {
		if (!any) any = $3
		if (!deb && $3 ~ /\/debian\/?$/) deb = $3
	     }
	     END { print (deb ? deb : any); print sec }')
	mirror=${MIRROR:-$(echo "$found" | sed -n 1p)}
	security=${SECURITY:-$(echo "$found" | sed -n 2p)}
}
