#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=300
#
# test_fuzz.sh - each fuzzer over its corpus and then on for ten seconds.
O=${O:-build}
number=0
failed=0

for source in tests/fuzz/fuzz_*.c; do
    name=${source##*/fuzz_}
    name=${name%.c}
    number=$((number + 1))
    if said=$(O=$O FOUND=$TMPDIR sh tests/fuzz/fuzz.sh 10 "$name" 2>&1); then
        echo "ok $number - nothing_found_in_$name"
        echo "# $said"
    else
        printf '%s\n' "$said" | sed 's/^/# /'
        for input in "$TMPDIR/$name"/*-*; do
            [ -s "$input" ] && base64 "$input" | sed 's/^/# input: /'
        done
        echo "not ok $number - nothing_found_in_$name"
        failed=1
    fi
done
echo "1..$number"
exit $failed
