#!/bin/sh
# A year of nights over a shop that drifts: each night a day of events more, some of them late, a run
# that is killed now and then, two nights with bad data. Thirty nights, or 365 with NIGHTJAR_SOAK.
# KEEP_FIGURES=FILE gets a line.
set -u
. "$(dirname "$0")/lib.sh"

n_nights=30 train='{search: {budget: 0.1}}' # thirty whole searches would take a minute
[ -z "$NIGHTJAR_SOAK" ] || n_nights=365 train='{search: {budget: 0.02}}'

# The pipeline of the year: nightly.yaml as it stands, on this shop and its long past, watched; its
# search is a short one, for nobody sleeps through these nights, and its gate mild: three weeks of a
# year, each of some 130 users, are really worse than popularity.
year_config() {
    sed -e "s|^  database: .*|  database: $SHOP|" -e "s|^stages:|work: {database: $SHOP.work}\nstages:|" \
        -e 's/SELECT user_id.*/SELECT user_id, item_id, created_at FROM events/' -e '/event_weights:/d' -e "s/- train: {}/- train: $train/" \
        -e 's/checks: {.*}/checks: {of_previous: 0.6, max_of_previous: 1.8}/' \
        -e 's/- refit: {}/- refit: {warm_start: true}/' -e '/- report:/d' \
        -e 's/users: {of_previous: 0.5}, item_exposure: {max: 0.8}/users: {of_previous: 0.8}, item_exposure: {max: 0.9}/' \
        -e 's/top: 50, \(.*\), similar: 20/top: 10, \1, similar: 5/' \
        -e 's/over_popular: 1.0/over_popular: 0.5/' "$root/configs/nightly.yaml" >"$box/year.yaml"
}

# until DAY: the events of the shop up to the end of that day; a tenth of them come two days late
until_day() {
    sql "INSERT INTO events SELECT * FROM log.events AS e WHERE created_at < $first_day + 86400 * ($1 -
        2 * (event_id % 10 = 0)) AND event_id > 0 AND NOT EXISTS (SELECT 1 FROM events AS o WHERE
        o.event_id = e.event_id)" -cmd "ATTACH '$box/year.log.db' AS log"
}

# year_run: a night's run; sets code
year_run() {
    code=0
    timeout 900 "$program" run "$box/year.yaml" "$@" >"$box/out" 2>"$box/err" || code=$?
}

bytes_of() {
    du -bc "$SHOP" "$SHOP.work" | awk 'END {print $1}'
}

# ndcg FIRST LAST: the mean of what these nights measured, of popularity and of item-item beside it
ndcg() {
    sqlite3 "$SHOP" "SELECT printf('%.4f', avg(value) FILTER (WHERE model = 'nightjar')),
        printf('%.4f', avg(value) FILTER (WHERE model = 'popularity')),
        printf('%.4f', avg(value) FILTER (WHERE model = 'item_item')) FROM nightjar_metrics
        WHERE name = 'ndcg@20' AND \"group\" = 'all' AND generation BETWEEN $1 AND $2" | tr '|' ' '
}

# bad_night NUMBER SQL: data that must not be published; the rows are back the next day
bad_night() {
    sql 'CREATE TABLE aside AS SELECT * FROM events' "$2"
    before=$(published)
    year_run
    expect "exit code of bad night $1" [ "$code" -eq 79 ]
    expect "published rows of bad night $1" [ "$(published)" = "$before" ]
    expect "evidence of bad night $1" grep -q 'SELECT count' "$box/err"
    n_refused=$((n_refused + 1))
    sql 'DELETE FROM events; INSERT INTO events SELECT * FROM aside; DROP TABLE aside; VACUUM'
}

one_night() {
    night=$1
    until_day "$((60 + night))"
    if [ $((night % 13)) -eq 5 ]; then # killed, and started again by hand
        "$program" run "$box/year.yaml" >"$box/out" 2>"$box/err" &
        pid=$!
        sleep "0.$((night % 7))"
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>"$box/wait"
        pid=""
        n_killed=$((n_killed + 1))
    fi
    if [ "$night" -eq $((n_nights / 3)) ]; then
        bad_night 1 'DELETE FROM events WHERE event_id % 2'
    elif [ "$night" -eq $((n_nights / 2)) ]; then
        bad_night 2 'INSERT INTO events SELECT event_id + 10000000, user_id, 1, event, created_at FROM events'
    fi
    year_run
    [ "$code" -eq 0 ] || problem "night $night: exit $code: $(cat "$box/err")"
    expect "silence of night $night" [ ! -s "$box/err" ]
    expect "lists of night $night" [ "$(sql 'SELECT count(*) > 1000 FROM recommendations')" -eq 1 ]
}

a_year() {
    n_killed=0 n_refused=0 night=1 most_early=0 most_late=0
    rm -rf "$SHOP" "$SHOP"[.-]*
    "$program" generate "$box/year.log.db" --until 2026-01-01 --users 300 --items 150 --days $((60 + n_nights)) \
        --events $((8000 * (60 + n_nights) / 60)) --seed 11 --quiet
    first_day=$(sqlite3 "$box/year.log.db" 'SELECT min(created_at) FROM events')
    sqlite3 "$box/year.log.db" '.schema events' | sqlite3 "$SHOP"
    year_config
    began=$(date +%s)
    while [ "$night" -le "$n_nights" ]; do
        one_night "$night"
        # what a log of a sliding window keeps: the last sixty days
        sql "DELETE FROM events WHERE created_at < $first_day + 86400 * $night"
        now=$(bytes_of)
        if [ "$night" -le $((n_nights / 2)) ]; then
            [ "$now" -le "$most_early" ] || most_early=$now
        else
            [ "$now" -le "$most_late" ] || most_late=$now
        fi
        night=$((night + 1))
    done
    seconds=$(($(date +%s) - began))
    n_published=$(n_generations)
    quarter=$((n_published / 4))
    early=$(ndcg 1 "$quarter")
    second=$(ndcg $((quarter + 1)) $((2 * quarter)))
    third=$(ndcg $((2 * quarter + 1)) $((3 * quarter)))
    late=$(ndcg $((n_published - quarter + 1)) "$n_published")
    expect 'generations' [ "$n_published" -ge "$n_nights" ]
    expect 'refused' [ "$n_refused" -eq 2 ]
    # the history grows by some 90 KB a night; nights longer than sixty ago keep 45 of them, in pages
    # that deleted rows leave half empty
    kb_a_night=56
    [ "$n_nights" -gt 60 ] || kb_a_night=100
    expect "bytes: $most_early in the first half, $most_late in the second" \
        [ "$most_late" -le $((most_early + most_early / 8 + 1024 * kb_a_night * n_nights / 2)) ]
    # each night judges another week: what counts is the distance to a baseline that has no memory
    expect "quality: first quarter $early, last quarter $late (nightjar, popularity, item-item)" awk \
        -v early="$early" -v late="$late" \
        'BEGIN {split(early, e, " "); split(late, l, " "); exit !(l[1] / l[3] > 0.85 * e[1] / e[3])}'
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    if [ -n "${KEEP_FIGURES:-}" ]; then
        echo "$n_nights nights in $seconds s: $n_published generations, $n_killed killed, $n_refused refused;" \
            "ndcg@20 (nightjar, popularity, item-item) by quarter: $early; $second; $third; $late;" \
            "bytes at most $most_early, then $most_late" >>"$KEEP_FIGURES"
    fi
    verdict "$n_nights nights"
}

a_year
end_of_tests
