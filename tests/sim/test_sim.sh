#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=900
#
# test_sim.sh - the simulated world: 10,000 hours of the library as shipped,
# ten of each seed, all faults, a thousand seeds that are always the same and
# half as many that nobody has tried; the same with the smallest steps a poll,
# and without the features a small firmware leaves out; lists that are broken
# off; the seeds of fixed bugs; an idle day. What fails says how to repeat it.
# `make sim` takes other seeds, and draws more new ones by SIM_ARGS="--fresh
# 5000".

number=0
failed=0
jobs=$(nproc 2>/dev/null || echo 2)
report=$O/report/sim.json

# result NAME CODE SAID
result()
{
    number=$((number + 1))
    if [ "$2" = 0 ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        failed=1
    fi
    printf '%s\n' "$3" | sed 's/^/# /'
}

# run NAME PROGRAM OPTION...
run()
{
    name=$1
    program=$O/$2/sim
    shift 2
    said=$("$program" "$@" --jobs "$jobs" --report "$report" 2>&1)
    result "$name" $? "$said"
}

# What the runs above come to.
figure()
{
    sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p" "$report"
}

enough()
{
    said="$(figure hours) hours of $(figure seeds) seeds"
    [ "$(figure hours)" -ge 10000 ] && [ "$(figure seeds)" -ge 1000 ]
    result ten_thousand_hours_of_a_thousand_seeds $? "$said"
}

# Lines of tests/sim/seeds: program, seed, hours of it, and what it found.
fixed_bugs()
{
    while read -r program seed hours what; do
        case $program in
        '#'*|'') continue ;;
        esac
        said=$("$O/$program/sim" --seed "$seed" --hours "$hours" 2>&1)
        result "$(printf '%s' "$what" | tr -c 'a-z0-9\n' _)" $? "$said"
    done <tests/sim/seeds
}

mkdir -p "$O/report"
run the_library_as_shipped sim --seed 1 --seeds 1000 --fresh 560 --hours 10
enough
run the_smallest_steps sim-small --seed 1 --seeds 90 --fresh 40 --hours 4 --add
run the_smallest_configuration sim-lean --seed 1 --seeds 90 --fresh 40 \
    --hours 4 --add
run lists_that_are_broken_off sim --faults net,server,app,breaks --seed 1 \
    --seeds 60 --hours 10 --add
run an_idle_day_costs_a_megabyte_at_most_and_wakes_once_a_minute sim \
    --idle-day
run a_fleet_that_lost_its_server_comes_back_spread_out sim --fleet 0
run a_fleet_of_a_wide_spread_never_comes_as_a_crowd sim --fleet 30000
fixed_bugs
echo "1..$number"
exit "$failed"
