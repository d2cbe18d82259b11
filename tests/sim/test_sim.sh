#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
#
# test_sim.sh - the simulated world with a fixed set of seeds: the library as
# shipped, ten hours a seed, all faults; and with the smallest steps a poll.
# `make sim` takes others.

number=0
failed=0

# run NAME PROGRAM SEEDS HOURS
run()
{
    number=$((number + 1))
    if said=$("$O/$2/sim" --seed 1 --seeds "$3" --hours "$4" --faults all \
        --jobs "$(nproc 2>/dev/null || echo 2)" 2>&1); then
        echo "ok $number - $1"
    else
        printf '%s\n' "$said" | sed 's/^/# /'
        echo "not ok $number - $1"
        failed=1
    fi
    printf '%s\n' "$said" | tail -n 1 | sed 's/^/# /'
}

echo 1..2
run the_library_as_shipped sim 700 10
run the_smallest_steps sim-small 100 4
exit "$failed"
