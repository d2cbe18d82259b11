#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh SECONDS NAME... - runs each fuzzer so long, from its corpus and what
# earlier runs found, and says how far it came. An input that fails stays in
# $O/fuzz/NAME (or $FOUND/NAME). Ends with 1 when there was one.
O=${O:-build}
seconds=$1
shift
failed=0
python3=/usr/bin/python3
[ -x $python3 ] || python3=python3

for name; do
    found=${FOUND:-$O/fuzz}/$name
    dict=tests/fuzz/$name.dict
    mkdir -p "$found/corpus"
    $python3 tests/fuzz/corpus.py unpack "tests/fuzz/corpus/$name" \
        "$found/kept"
    "$O/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=4096 \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" $([ ! -e "$dict" ] || echo "-dict=$dict") \
        "$found/corpus" "$found/kept" >"$found/log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")
    if [ $code -eq 0 ]; then
        echo "fuzz: $name: ${runs:-0} inputs in $seconds s, nothing found"
    else
        failed=1
        echo "fuzz: $name: failed after ${runs:-0} inputs; the end of" \
             "$found/log:"
        tail -n 50 "$found/log" | sed 's/^/    /'
    fi
done
exit $failed
