#!/bin/sh
# Databases of the version that came before this one (tests/fault/landed, made by its make.sh) are taken
# on: nothing fails, and of what they hold nothing is lost. Keys say who has made what, so another program
# or machine makes it anew; under the keys of this one, which are put in its place, it is taken as it is,
# but for stages whose version has been raised since.
set -u
. "$(dirname "$0")/lib.sh"

landed_yaml=$here/landed/landed.yaml
cut_yaml=$box/cut.yaml
sed 's/epochs: 3, patience/epochs: 150, patience/' "$landed_yaml" >"$cut_yaml"

# same_version STAGE: was not raised since
same_version() {
    [ "$(sed -n 's/^    \.version = \([0-9]*\),/\1/p' "$here/../../stages/$1.c")" = \
        "$(sed -n "s/^$1 //p" "$here/landed/versions")" ]
}

# landed COMMAND YAML [OPTIONS]: sets code
landed() {
    command=$1
    yaml=$2
    shift 2
    code=0
    timeout 900 "$program" "$command" "$yaml" "$@" >"$box/out" 2>"$box/err" || code=$?
}

# unpack WORK: the landed databases, WORK (work or cut) as the work database
unpack() {
    rm -rf "$SHOP" "$SHOP"[.-]*
    gunzip -c "$here/landed/shop.db.gz" >"$SHOP"
    gunzip -c "$here/landed/shop.db.$1.gz" >"$SHOP.work"
    if [ "$1" = work ]; then
        gunzip -c "$here/landed/shop.db.out.gz" >"$SHOP.out"
    fi
}

# lists: a digest of the published lists
lists() {
    sqlite3 "$SHOP.out" 'SELECT user_id, rank, item_id, quote(score) FROM recommendations ORDER BY 1, 2' |
        sha256sum | cut -d' ' -f1
}

# history: the runs that the landed program has recorded
history() {
    sqlite3 "$SHOP.work" 'SELECT run, state, exit_code, generation, started, finished FROM run WHERE run <= 2;
        SELECT run, name, model, grp, value, label FROM run_metric WHERE run <= 2 ORDER BY 1, 2, 3, 4;
        SELECT run, label, state, n_rows FROM stage_run WHERE run <= 2 ORDER BY run, position' |
        sha256sum | cut -d' ' -f1
}

# took_over WHAT: the landed generations and runs are there, and a new one of each
took_over() {
    expect "$1" [ "$code" -eq 0 ]
    expect "$1: generations" [ "$(sqlite3 "$SHOP.out" 'SELECT group_concat(generation) FROM (SELECT generation
        FROM nightjar_generations ORDER BY 1)')" = 1,2,3 ]
    expect "$1: history" [ "$(history)" = "$landed_history" ]
    expect "$1: on record" [ "$(sqlite3 "$SHOP.work" 'SELECT state FROM run WHERE run = 3')" = published ]
}

unpack work
landed_history=$(history)
second=$(lists)
landed rollback "$landed_yaml"
expect 'a rollback' [ "$code" -eq 0 ]
first=$(lists)
expect 'the generation before' [ "$first" != "$second" ]
landed rollback "$landed_yaml" 2
expect 'and back' [ "$code" -eq 0 ]
expect 'the newest generation' [ "$(lists)" = "$second" ]
landed runs "$landed_yaml"
expect 'runs' [ "$code" -eq 0 ]
verdict 'landed databases are rolled back and shown'

unpack work
sql 'INSERT INTO events SELECT * FROM later WHERE event_id > 425'
landed run "$landed_yaml"
took_over 'a run'
verdict 'a run takes landed databases on'

# what the landed program has made, under the keys that this one gives
unpack work
sql 'DELETE FROM events WHERE event_id > 400'
rm "$SHOP.work" "$SHOP.out"
landed run "$landed_yaml"
expect 'a run of its own' [ "$code" -eq 0 ]
mv "$SHOP.work" "$box/own.work"
unpack work
sql 'INSERT INTO events SELECT * FROM later WHERE event_id > 425'
for stage in $(sqlite3 "$SHOP.work" 'SELECT label FROM stage_state'); do
    if same_version "$stage"; then
        sqlite3 "$SHOP.work" "ATTACH '$box/own.work' AS own; UPDATE stage_state SET key =
            (SELECT key FROM own.stage_state WHERE label = '$stage') WHERE label = '$stage'"
    fi
done
landed run "$landed_yaml"
took_over 'a small night'
verdict 'a small night goes on from landed artifacts'

unpack cut
landed run "$cut_yaml"
expect 'a run after an interrupted one' [ "$code" -eq 0 ]
key=$(sqlite3 "$SHOP.work" "SELECT key FROM stage_run WHERE run = 2 AND label = 'train'")
unpack cut
if same_version train; then
    sqlite3 "$SHOP.work" "UPDATE artifact SET slot = 'checkpoint/train/$key'
        WHERE slot LIKE 'checkpoint/train/%'"
fi
landed run "$cut_yaml"
expect 'a run that goes on' [ "$code" -eq 0 ]
expect 'on record' [ "$(sqlite3 "$SHOP.work" 'SELECT group_concat(state) FROM (SELECT state FROM run
    ORDER BY run)')" = interrupted,published ]
verdict 'an interrupted training of the landed program goes on, or begins anew'
end_of_tests
