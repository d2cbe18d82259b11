#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# minimise.sh NAME... - keeps of a fuzzer's corpus and of what was found the
# smallest inputs that reach every branch reached. Inputs with a telling name
# (of bugs that were) stay as they are.
set -eu
O=${O:-build}
python3=/usr/bin/python3
[ -x $python3 ] || python3=python3

for name; do
    kept=tests/fuzz/corpus/$name
    folder=$O/fuzz/$name
    rm -rf "$folder/least"
    mkdir -p "$folder/least" "$folder/corpus"
    $python3 tests/fuzz/corpus.py unpack "$kept" "$folder/kept"
    "$O/fuzz/fuzz_$name" -merge=1 -use_counters=0 -max_len=2048 \
        "$folder/least" "$folder/kept" "$folder/corpus" \
        >"$folder/merge.log" 2>&1
    $python3 tests/fuzz/corpus.py pack "$kept" "$folder/least"
done
