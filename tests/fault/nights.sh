#!/bin/sh
# Small nights (interactions.refresh and catch_up) that are killed and started again.
set -u
. "$(dirname "$0")/lib.sh"

small_yaml=$box/small.yaml
sed -e 's/event_id AS rowid/event_id/' -e 's/^  interactions:.*/&\n  key: event_id/' \
    -e 's/{SHOP}.work/{SHOP}.small/' -e 's/  - interactions:/&\n      refresh: 7d/' \
    -e 's/  - refit: {}/&\n  - catch_up: {epochs: 60}/' "$here/shop.yaml" >"$small_yaml"

# small_night: a run; sets code
small_night() {
    code=0
    timeout 900 "$program" run "$small_yaml" --verbose >"$box/out" 2>"$box/err" || code=$?
}

# at_evening: what a small night finds
at_evening() {
    cp "$box/evening.db" "$SHOP"
    cp "$box/evening.db.small" "$SHOP.small"
    rm -f "$SHOP"-* "$SHOP.small"-*
}

make_evening() {
    copy_of first
    small_night
    expect 'the full night' [ "$code" -eq 0 ]
    sql 'INSERT INTO events SELECT * FROM later'
    cp "$SHOP" "$box/evening.db"
    cp "$SHOP.small" "$box/evening.db.small"
    began=$(date +%s%N)
    small_night
    small_ns=$(($(date +%s%N) - began))
    expect 'the small night' [ "$code" -eq 0 ]
    expect 'what it did' [ "$(sqlite3 "$SHOP.small" "SELECT group_concat(label, ' ') FROM stage_run
        WHERE run = 2 AND state = 'done'")" = 'catch_up recommend publish' ]
    morning=$(published)
    verdict 'a small night leaves everything up to refit as it is'
}

# killed_small_night SEED
killed_small_night() {
    at_evening
    moment=$(random_moment "$1" "$small_ns")
    "$program" run "$small_yaml" >"$box/out" 2>"$box/err" &
    pid=$!
    sleep "$moment"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>"$box/wait"
    pid=""
    small_night
    expect "after $moment s" [ "$code" -eq 0 ]
    expect "published after $moment s" [ "$(published)" = "$morning" ]
    expect "the work file after $moment s" [ "$(sqlite3 "$SHOP.small" 'PRAGMA integrity_check')" = ok ]
}

make_evening
kills=6
[ -z "$NIGHTJAR_SOAK" ] || kills=200
seed=0
while [ "$seed" -lt "$kills" ]; do
    seed=$((seed + 1))
    killed_small_night "$seed"
done
verdict "a small night killed $kills times ends in the same bytes"
end_of_tests
