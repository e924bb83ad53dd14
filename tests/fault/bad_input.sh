#!/bin/sh
# Bad input: every case ends with its exit code and a message, leaves the database as it was to
# the last byte, and is on record in the work file only.
set -u
. "$(dirname "$0")/lib.sh"

# refused NAME CODE MESSAGE PREPARATION OPTIONS...: MESSAGE is a pattern; PREPARATION, shell
# commands, makes the trouble in shop.db first
refused() {
    name=$1 expected=$2 message=$3 preparation=$4
    shift 4
    copy_of first
    eval "$preparation"
    before=$(digest "$SHOP" 2>&1)
    nightjar run "$@"
    expect 'exit code' [ "$code" -eq "$expected" ]
    expect 'message' grep -q -e "$message" "$box/err"
    expect 'the database' [ "$(digest "$SHOP" 2>&1)" = "$before" ]
    expect 'left beside it' [ "$(ls -d "$SHOP"-* 2>/dev/null)" = "" ]
    case $expected in
    64) ;; # a wrong command line is no run
    79) expect 'record' [ "$(on_record)" = 'refused 79' ] ;;
    *) expect 'record' [ "$(on_record)" = "failed $expected" ] ;;
    esac
    verdict "$name"
}

# query NAME CODE MESSAGE SELECT OPTIONS...: refused for the query
query() {
    name=$1 expected=$2 message=$3 select=$4
    shift 4
    refused "$name" "$expected" "$message" : --set "source.interactions=$select" "$@"
}

# the file
refused 'no source' 66 'No such file' 'rm "$SHOP"'
refused 'a folder for a source' 66 'a directory' 'rm "$SHOP"; mkdir "$SHOP"'
refused 'no database' 65 'not a database' 'seq 9999 >"$SHOP"'
refused 'an empty file' 65 'is empty' ': >"$SHOP"'
refused 'a damaged file' 65 'malformed' \
    'yes damage | head -c 80000 | dd of="$SHOP" bs=4096 seek=12 conv=notrunc 2>/dev/null'
refused 'a file cut short' 65 'malformed' \
    'head -c 100000 "$SHOP" >"$SHOP.cut"; cat "$SHOP.cut" >"$SHOP"; rm "$SHOP.cut"'

# the query
query 'no such table' 78 'no such table: nowhere' 'SELECT user_id, item_id FROM nowhere'
query 'no such column' 78 'no such column: who' 'SELECT who AS user_id, item_id FROM events'
query 'a column in quotes that is not there' 78 'no such column' \
    'SELECT "who" AS user_id, item_id FROM events'
query 'a column without a meaning' 78 "column 'country'" \
    'SELECT user_id, item_id, country FROM events JOIN users USING (user_id)'
query 'no item' 78 'column named item_id' 'SELECT user_id, created_at FROM events'
query 'not SQL' 78 'syntax error' 'SELECT user_id item_id FRM events'
query 'two statements' 78 'one statement' \
    'SELECT user_id, item_id, created_at FROM events; DELETE FROM events'
query 'ATTACH' 78 'only reading' 'ATTACH "other.db" AS other'
query 'PRAGMA' 78 'only reading' 'PRAGMA journal_mode = WAL'
query 'INSERT' 78 'only reading' 'INSERT INTO events SELECT * FROM later'
query 'DELETE with RETURNING' 78 'only reading' 'DELETE FROM events RETURNING user_id, item_id'
query 'DROP' 78 'only reading' 'DROP TABLE events'
query 'a query without end' 78 'time limit of 0.2 s' \
    'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)
     SELECT n AS user_id, n AS item_id, n AS time FROM t WHERE n < 0' \
    --set source.query_timeout=0.2s
query 'a query whose rows have no end' 78 'time limit of 0.2 s' \
    'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)
     SELECT n AS user_id, n AS item_id, 1600000000 AS time FROM t' \
    --set source.query_timeout=0.2s

# the rows; one bad one is enough with on_bad_row: fail
rows() {
    query "$1" 65 "$2" "SELECT rowid AS rowid, $3 FROM events" \
        --set stages.interactions.on_bad_row=fail
}
rows 'an infinite weight' 'rowid 70 .*weight is not a finite number' \
    'user_id, item_id, created_at, iif(rowid = 70, 9e999, 1) AS weight'
rows 'a NaN' 'rowid 70 .*weight is NULL' \
    'user_id, item_id, created_at, iif(rowid = 70, 9e999 - 9e999, 1.5) AS weight'
rows 'a negative weight' 'rowid 70 .*: -0.5' \
    'user_id, item_id, created_at, iif(rowid = 70, -0.5, 1) AS weight'
rows 'a weight in words' 'rowid 70 .*not a number' \
    "user_id, item_id, created_at, iif(rowid = 70, 'many', 1) AS weight"
rows 'an id that is NULL' 'rowid 70 .*user_id is NULL' \
    'iif(rowid = 70, NULL, user_id) AS user_id, item_id, created_at'
rows 'text among whole ids' 'rowid 70 .*TEXT' \
    "iif(rowid = 70, 'u7', user_id) AS user_id, item_id, created_at"
rows 'a whole number among text ids' 'rowid 70 .*INTEGER' \
    "user_id, iif(rowid = 70, item_id, 'i' || item_id) AS item_id, created_at"
rows 'a time that is none' 'rowid 70 ' \
    "user_id, item_id, iif(rowid = 70, 'yesterday', created_at) AS created_at"
query 'milliseconds declared as seconds' 65 'looks like milliseconds' \
    'SELECT user_id, item_id, created_at * 1000 AS created_at FROM events' \
    --set stages.interactions.time_unit=seconds
query 'milliseconds from some row on' 65 'milliseconds' \
    'SELECT user_id, item_id, iif(rowid < 70, 1, 1000) * created_at AS created_at FROM events'
query 'more bad rows than are allowed' 65 'max_bad_rows (5)' \
    'SELECT user_id, item_id, created_at, -1 AS weight FROM events' \
    --set stages.interactions.max_bad_rows=5

# nothing left
refused 'no rows' 65 'gives no rows' 'sql "DELETE FROM events"'
refused 'a filter takes all rows' 65 'since took 7600' : \
    --set stages.interactions.since=2100-01-01
refused 'the k-core takes all rows' 65 'min_item_interactions: 100000 took all' : \
    --set stages.interactions.min_item_interactions=100000

# the command line, the gate
refused 'a stage that is not there' 64 'no stage "trian".*train' : --from trian
refused 'an unknown flag' 64 'unknown option "--frobnicate"' : --frobnicate
refused 'the gate' 79 'ndcg@20 is' : --set 'stages.evaluate.gate={ndcg@20: {min: 1}}'
end_of_tests
