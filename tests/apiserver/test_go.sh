#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=600
#
# test_go.sh - the tools in Go: form, vet, and their own tests

root=$(cd "${BUILD_ROOT:-build}" && pwd)
version=${APISERVER:-1.36.3}
here=$PWD/tests/apiserver
go=$(sh "$here/go.sh" "$root" "$here/versions/$version.mod") || exit 1
export CGO_ENABLED=0 GOTOOLCHAIN=local
number=0

# check NAME COMMAND...: passes when the command ends with 0.
check() {
    name=$1
    shift
    number=$((number + 1))
    if said=$("$@" 2>&1); then
        echo "ok $number - $name"
    else
        echo "$said" | sed 's/^/# /'
        echo "not ok $number - $name"
    fi
}

formatted() {
    bad=$("$(dirname "$go")/gofmt" -l "$here" tests/bench)
    [ -z "$bad" ] || { echo "$bad" && return 1; }
}

in_folder() (
    cd "$1" && shift && "$@"
)

check gofmt formatted
# Not apiserver itself: vet looks at all it imports, which takes minutes.
for folder in "$here/kload" tests/bench/informer-go; do
    check "vet $(basename "$folder")" in_folder "$folder" \
        "$go" vet -trimpath .
done
check "tests of kload" in_folder "$here/kload" "$go" test -trimpath .
echo "1..$number"
