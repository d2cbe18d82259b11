#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh - build apiserver, kload or informer-go, and say what it takes
#
#   build.sh apiserver VERSION OUTPUT BUILD_ROOT
#   build.sh plain FOLDER OUTPUT BUILD_ROOT
#
# Go keeps what it has compiled, so a second build takes seconds. Its own
# checks decide what is up to date: Make is not asked.
set -eu

kind=$1 what=$2 output=$3 root=$4
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$output")" "$root"
output=$(cd "$(dirname "$output")" && pwd)/$(basename "$output")
root=$(cd "$root" && pwd)
# Several makes may build at once: what is unfinished has a name of its own.
new=$output.$$.new log=$output.$$.log

case $kind in
apiserver)
    mod=versions/$what.mod
    cd "$here"
    [ -r "$mod" ] || {
        echo "build.sh: no $mod; 'sh gomod.sh $what' makes one" >&2
        exit 1
    }
    name="kube-apiserver $what"
    minor=${what#*.}
    minor=${minor%%.*}
    version=k8s.io/component-base/version
    flags="-s -w -X $version.gitVersion=v$what -X $version.gitMajor=1 \
        -X $version.gitMinor=$minor -X $version.gitTreeState=archive \
        -X $version.gitCommit="
    set -- -modfile="$mod" -ldflags "$flags"
    ;;
plain)
    cd "$what"
    mod=go.mod
    name=$(basename "$what")
    set -- -ldflags "-s -w"
    ;;
*)
    echo "build.sh: apiserver or plain" >&2
    exit 2
    ;;
esac

go=$(sh "$here/go.sh" "$root" "$mod")

# progress tells every 20 s how far it is, by the packages compiled so far.
progress() {
    seconds=0
    while sleep 5 >/dev/null 2>&1; do
        seconds=$((seconds + 5))
        [ $((seconds % 20)) -eq 0 ] || continue
        printf '  GO      %s: %s packages, %d s\n' "$name" \
            "$(grep -vc '^go: ' "$log" || true)" "$seconds" >&2
    done
}

echo "  GO      $name" >&2
if [ "$kind" = apiserver ] && [ ! -e "$output" ]; then
    echo "          The first build takes minutes (about 3 on two cores," \
        "2 GB of Go's cache), later ones seconds." >&2
fi
progress &
watcher=$!
trap 'kill $watcher 2>/dev/null || true; rm -f "$new" "$log"' EXIT
trap 'exit 1' HUP INT TERM
if ! CGO_ENABLED=0 GOTOOLCHAIN=local nice -n 5 "$go" build -v -trimpath \
    "$@" -o "$new" . >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    exit 1
fi
# Replaced only when it differs: what depends on it is not built again.
cmp -s "$new" "$output" || mv -f "$new" "$output"
