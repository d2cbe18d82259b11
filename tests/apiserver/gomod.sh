#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# gomod.sh - write versions/VERSION.mod and .sum for a version of Kubernetes
#
#   GO=go sh gomod.sh 1.36.3
#
# Kubernetes replaces its k8s.io/* staging modules by directories, and a
# consumer of the module does not get those replacements. Each is published
# under the version v0.MINOR.PATCH, so the list in its own go.mod tells ours.
# Run by hand when a version is added; both files are committed.
set -eu

version=${1:?usage: gomod.sh VERSION}
go=${GO:-go}
cd "$(dirname "$0")"
mod=versions/$version.mod
staging=v0.${version#*.}

theirs=$("$go" mod download -json "k8s.io/kubernetes@v$version" |
    sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
[ -r "$theirs" ] || { echo "gomod.sh: no Kubernetes $version" >&2; exit 1; }

{
    echo "module kinformer.test/apiserver"
    echo
    sed -n '/^go /p' "$theirs"
    echo
    echo "require k8s.io/kubernetes v$version"
    echo
    echo "replace ("
    sed -n "s|^[[:space:]]*\\(k8s\\.io/[^ ]*\\) => \\./staging/.*|\
	\\1 => \\1 $staging|p" "$theirs"
    echo ")"
} >"$mod"
rm -f "versions/$version.sum"
"$go" mod tidy -modfile="$mod"
