#!/bin/sh
# Makes the databases of tests/fault/landed.sh anew: sh make.sh PROGRAM SOURCES, in this folder, with a
# program and its sources. They are to be of a version that people have: for the day after a release.
#     shop.db        the source, with a table `later` of what comes after the first run
#     shop.db.out    two published generations
#     shop.db.work   a full run and a small night
#     shop.db.cut    the work database of a full run that was stopped while it trained
#     versions       STAGE VERSION lines
set -eu
program=$1
sed -n "s/^    \.name = \"\([a-z_]*\)\".*/\1/p; s/^    \.version = \([0-9]*\),/\1/p" "$2"/stages/*.c |
    paste -d " " - - >versions
SHOP=$(pwd)/shop.db
export SHOP
rm -f shop.db*
"$program" generate shop.db --until 2026-01-01 --users 25 --items 12 --events 450 --days 60 --quiet
sqlite3 shop.db 'CREATE TABLE later AS SELECT * FROM events WHERE event_id > 400;
    DELETE FROM events WHERE event_id > 400'
"$program" run landed.yaml
sqlite3 shop.db 'INSERT INTO events SELECT * FROM later WHERE event_id <= 425'
"$program" run landed.yaml
[ "$(sqlite3 shop.db.work "SELECT state FROM stage_run WHERE run = 2 AND label = 'interactions'")" = skipped ]
mv shop.db.work kept.work
mv shop.db.out kept.out
sed 's/epochs: 3, patience/epochs: 150, patience/' landed.yaml >cut.yaml
"$program" run cut.yaml --verbose 2>cut.err &
until [ "$(sqlite3 shop.db.work "SELECT count(*) FROM artifact WHERE slot LIKE 'checkpoint/%'" 2>&1)" = 1 ]; do
    sleep 0.01
done
kill -TERM $!
wait $! || true
mv shop.db.work shop.db.cut
rm -f shop.db.out cut.yaml
mv kept.work shop.db.work
mv kept.out shop.db.out
for file in shop.db shop.db.out shop.db.work shop.db.cut; do
    sqlite3 "$file" 'PRAGMA journal_mode = DELETE; VACUUM' >cut.err
    gzip -9nf "$file"
done
rm -f cut.err shop.db.*-* shop.db-* *.lock
