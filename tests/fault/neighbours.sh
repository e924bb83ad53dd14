#!/bin/sh
# Other processes beside a run: who stops it by a signal and waits for it to go, many starts at once, a stopped
# holder, an old lock file, a writer that never rests, an application that changes its tables, another
# version of nightjar, another clock.
set -u
. "$(dirname "$0")/lib.sh"

# signalled SIGNAL CODE SEED: a signal at a random moment, also while it publishes; the run ends with the
# signal's code, or was done, and the next one ends with the same rows
signalled() {
    copy_of next
    start_run
    sleep "$(random_moment "$3" "$full_run_ns")"
    kill "-$1" "$pid" 2>/dev/null
    end_run
    expect 'exit code' [ "$code" -eq 0 -o "$code" -eq "$2" ]
    expect 'served' served
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    # shellcheck disable=SC2086
    nightjar run $long_run
    expect 'exit code of the run after' [ "$code" -eq 0 ]
    expect 'published rows of the run after' [ "$(published)" = "$undisturbed" ]
    verdict "SIG$1 with seed $3, then a plain run"
}

# Twenty starts at the same moment: one does the work, the others say so and leave.
twenty_starts() {
    copy_of next
    before=$(n_generations)
    start=1
    while [ "$start" -le 20 ]; do
        (
            code=0
            "$program" run "$box/shop.yaml" --set stages.train.epochs=40 >"$box/start.$start.out" \
                2>"$box/start.$start.err" || code=$?
            echo "$code" >"$box/start.$start.code"
        ) &
        start=$((start + 1))
    done
    wait
    expect 'that ran' [ "$(cat "$box"/start.*.code | grep -c '^0$')" -eq 1 ]
    expect 'told to try again' [ "$(cat "$box"/start.*.code | grep -c '^75$')" -eq 19 ]
    expect 'said who holds the lock' [ "$(grep -l 'pid [0-9]' "$box"/start.*.err | wc -l)" -eq 19 ]
    expect 'generations' [ "$(n_generations)" -eq $((before + 1)) ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    rm -f "$box"/start.*
    verdict 'twenty starts at once'
}

# A holder that is stopped still holds: the second start does not wait for it.
stopped_holder() {
    copy_of next
    start_run --set stages.train.epochs=100000 --set stages.train.patience=0
    wait_for '^  negatives'
    kill -STOP "$pid"
    cp "$box/err" "$box/err.first"
    nightjar run
    expect 'exit code' [ "$code" -eq 75 ]
    expect 'the message names the holder' grep -q "pid $pid" "$box/err"
    kill -9 "$pid"
    kill -CONT "$pid" 2>/dev/null
    end_run
    nightjar run
    expect 'exit code once it is gone' [ "$code" -eq 0 ]
    verdict 'a stopped holder'
}

# A lock file that names a living process of somebody else is no lock: the kernel knows who holds it.
stale_lock_file() {
    copy_of next
    printf 'pid %d since 2020-01-01T00:00:00Z\n' $$ >"$SHOP.work.lock"
    nightjar run
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    expect 'the lock file stays' [ -f "$SHOP.work.lock" ]
    verdict 'a lock file left with the pid of a living process'
}

# write_all_the_time MODE: a writer that never rests during a run; prints its longest wait in ms
write_all_the_time() {
    python3 - "$SHOP" "$box/writing" "$1" <<'PYTHON' &
import os, sqlite3, sys, time
path, flag, mode = sys.argv[1:]
db = sqlite3.connect(path, timeout=30, isolation_level=None)
db.execute('CREATE TABLE IF NOT EXISTS clicks (n INTEGER)')
open(flag, 'w').close()
waits, n = [], 0
while os.path.exists(flag):
    began = time.monotonic()
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO clicks VALUES (?)', (n,))
    db.execute('COMMIT')
    waits.append(time.monotonic() - began)
    n += 1
    time.sleep(0.002)
with open(flag + '.result', 'w') as out:
    print(n, int(1000 * max(waits)), db.execute('SELECT count(*) FROM clicks').fetchone()[0], file=out)
PYTHON
    writer=$!
    tries=0
    until [ -f "$box/writing" ] || [ "$tries" -ge 9999 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
}

# restless_writer MODE MOST: in that journal mode every write succeeds, and with NIGHTJAR_SOAK, on a machine that
# does nothing else, none waits longer than MOST ms for the run
restless_writer() {
    copy_of next
    sql "PRAGMA journal_mode = $1" >"$box/out"
    write_all_the_time "$1"
    # shellcheck disable=SC2086
    nightjar run $long_run
    rm -f "$box/writing"
    wait "$writer"
    expect 'exit code' [ "$code" -eq 0 ]
    read -r n_writes longest n_rows <"$box/writing.result"
    expect 'writes' [ "$n_writes" -gt 2 ]
    expect 'rows of the writer' [ "$n_rows" -eq "$n_writes" ]
    [ -z "$NIGHTJAR_SOAK" ] || expect "longest wait in ms ($1)" [ "$longest" -le "$2" ]
    expect 'published rows' [ "$(published)" = "$undisturbed" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    if [ -n "${KEEP_FIGURES:-}" ]; then
        echo "a writer in mode $1: $n_writes writes during a run, none waited longer than $longest ms" \
            >>"$KEEP_FIGURES"
    fi
    rm -f "$box"/writing*
    verdict "a writer that never rests, in mode $1"
}

# The application's tables change between two nights.
changed_schema() {
    copy_of next
    sql 'ALTER TABLE events ADD COLUMN device TEXT; ALTER TABLE items RENAME COLUMN title TO name'
    nightjar run
    expect 'exit code with more columns' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    copy_of next
    sql 'ALTER TABLE events RENAME COLUMN user_id TO customer'
    nightjar run
    expect 'exit code without the column' [ "$code" -eq 78 ]
    expect 'message' grep -q 'no such column: user_id' "$box/err"
    expect 'published rows stay' [ "$(published)" = "$yesterday" ]
    expect 'message tells so' grep -q 'stays in place' "$box/err"
    verdict 'tables of the application change between nights'
}

# What an older nightjar has left is taken on, what a newer one has left is not touched.
other_versions() {
    copy_of next
    sql "DROP TABLE nightjar_forgotten; DROP TABLE nightjar_forgotten_key;
         DELETE FROM nightjar_schema WHERE version = 4"
    nightjar run
    expect 'exit code after an older one' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    expect 'tables' [ "$(sql 'SELECT max(version) FROM nightjar_schema')" -ge 4 ]
    copy_of next
    sql "INSERT INTO nightjar_schema VALUES ('output', 99, '0099_output_future.sql', 0)"
    before=$(digest "$SHOP")
    nightjar run
    expect 'exit code after a newer one' [ "$code" -eq 78 ]
    expect 'message' grep -q 'newer' "$box/err"
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    verdict 'tables of an older and of a newer nightjar'
}

# clocked NAME SHIFT: a run by a clock that is shifted, then one by the right clock again
clocked() {
    copy_of first
    code=0
    faketime -f "$2" "$program" run "$box/shop.yaml" --force >"$box/out" 2>"$box/err" || code=$?
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$yesterday" ]
    expect 'generations' [ "$(n_generations)" -eq 2 ]
    nightjar run --force
    expect 'exit code by the right clock' [ "$code" -eq 0 ]
    expect 'published rows by the right clock' [ "$(published)" = "$yesterday" ]
    expect 'generation shown' [ "$(sql 'SELECT max(generation) FROM recommendations')" -eq 3 ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict "$1"
}

# cron gives no HOME, no PATH worth the name, no terminal.
cron_environment() {
    copy_of next
    code=0
    (cd / && env -i SHOP="$SHOP" setsid "$program" run "$box/shop.yaml") </dev/null \
        >"$box/out" 2>"$box/err" || code=$?
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'silence' [ ! -s "$box/out" -a ! -s "$box/err" ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    verdict "cron's empty environment"
}

undisturbed_run
n_signals=2
[ -z "$NIGHTJAR_SOAK" ] || n_signals=50
seed=1
while [ "$seed" -le "$n_signals" ]; do
    signalled TERM 143 "$seed"
    signalled HUP 129 "$seed"
    signalled INT 130 "$seed"
    seed=$((seed + 1))
done
twenty_starts
stopped_holder
stale_lock_file
# WAL: nobody waits for our transactions, but for the disk; rollback mode: rows are copied out in one
# read and written in short chunks
restless_writer wal 200
restless_writer delete 2000
changed_schema
other_versions
case $BUILD:$(command -v faketime) in
*asan*:* | *tsan*:*) skip 'clocks: a sanitizer and faketime both want to be loaded first' ;;
*:?*)
    clocked 'the clock set back by a day' '-1d'
    clocked 'the clock ten years ahead' '+10y'
    ;;
*) skip 'clocks: no faketime here (Debian: faketime)' ;;
esac
cron_environment
end_of_tests
