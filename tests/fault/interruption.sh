#!/bin/sh
# Runs that are killed, stopped and started again.
set -u
. "$(dirname "$0")/lib.sh"

n_hit=0 n_journals=0

# kill_at SEED SHARE [PATTERN]: a run, kill -9 at a random moment (counted from when it has said PATTERN)
kill_at() {
    moment=$(random_moment "$1" "$full_run_ns" "$2")
    start_run
    [ $# -lt 3 ] || wait_for "$3"
    sleep "$moment"
    kill -9 "$pid" 2>/dev/null
    end_run
    expect "killed after $moment s" [ "$code" -eq 137 -o "$code" -eq 0 ]
    if [ "$code" -eq 137 ]; then
        n_hit=$((n_hit + 1))
    else # runs are quicker than the first one was
        full_run_ns=$((full_run_ns * 3 / 4))
    fi
    [ ! -s "$SHOP-journal" ] || n_journals=$((n_journals + 1))
}

# kill_four SEED LOOK: kills anywhere and behind recommend, which a run that goes on is at soon; LOOK is called
# after each
kill_four() {
    kill_at "$1.1" 1
    "$2"
    kill_at "$1.2" 0.1 '^  recommend'
    "$2"
    kill_at "$1.3" 0.3
    "$2"
    kill_at "$1.4" 0.1 '^  recommend'
    "$2"
}

# A reader looks every hundredth of a second as long as box/reading is there: a line "GENERATION|MIN|MAX|ROWS"
# for every look at what is served.
start_reader() {
    : >"$box/reading"
    python3 - "$SHOP" "$box/reading" >"$box/seen" 2>&1 <<'PYTHON' &
import os, sqlite3, sys, time
path, flag = sys.argv[1:]
while os.path.exists(flag):
    db = sqlite3.connect(path, timeout=5)
    look = db.execute('SELECT (SELECT generation FROM nightjar_current), min(generation), max(generation),'
                      ' count(*) FROM recommendations').fetchone()
    print(*look, sep='|', flush=True)
    db.close()
    time.sleep(0.01)
PYTHON
    reader=$!
}

# reader_saw_whole_generations [-1]: one at a time, never no rows, never an older one than before. -1: but for the
# last line, of which a part may be in the file as yet
reader_saw_whole_generations() {
    head -n "${1:--0}" "$box/seen" | awk -F '|' 'NF != 4 || $2 != $3 || $1 != $2 || $4 < 1 || $1 < last \
        {print; bad = 1} {last = $1} END {exit bad}'
}

stop_reader() {
    rm -f "$box/reading"
    wait "$reader"
    expect 'looks' [ "$(wc -l <"$box/seen")" -gt 3 ]
    expect 'what was read' reader_saw_whole_generations
}

look() {
    expect "served after $moment s" served
    expect "what was read meanwhile" reader_saw_whole_generations -1
}

# killed SEED: four kills, then a run to the end. With even seeds nobody looks in between: a reader would play
# back what a killed run has left of its journal.
killed() {
    copy_of next
    own=$(own_rows)
    if [ $(($1 % 2)) -eq 1 ]; then
        start_reader
        kill_four "$1" look
    else
        kill_four "$1" :
    fi
    # shellcheck disable=SC2086
    nightjar run $long_run
    [ $(($1 % 2)) -eq 0 ] || stop_reader
    expect 'exit code of the run after' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$undisturbed" ]
    expect 'own rows' [ "$(own_rows)" = "$own" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    expect 'remains of dead generations' [ "$(sql "SELECT count(*) FROM nightjar_objects WHERE
        generation NOT IN (SELECT generation FROM nightjar_generations UNION SELECT 0)")" -eq 0 ]
    verdict "kill -9 with seed $1, then a plain run"
}

# stopped SIGNAL CODE: a signal in mid-training ends the run in good order
stopped() {
    copy_of next
    before=$(digest "$SHOP")
    start_run --set stages.train.epochs=100000 --set stages.train.patience=0
    wait_for '^  negatives'
    sleep 0.2
    kill "-$1" "$pid"
    end_run
    expect 'exit code' [ "$code" -eq "$2" ]
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    expect 'published rows' [ "$(published)" = "$yesterday" ]
    expect 'record' [ "$(on_record)" = "interrupted $2" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    # shellcheck disable=SC2086
    nightjar run $long_run
    expect 'exit code of the run after' [ "$code" -eq 0 ]
    expect 'published rows of the run after' [ "$(published)" = "$undisturbed" ]
    verdict "SIG$1 ends a run with $2"
}

# A run that was killed goes on from the rows that it had read, not from what came later.
source_changes_meanwhile() {
    copy_of next
    start_run
    wait_for '^  negatives'
    kill -9 "$pid" 2>/dev/null
    end_run
    sql 'DELETE FROM events WHERE event_id % 2 = 0'
    # the kill may have left a journal beside the work file: have it played back before the copy
    sqlite3 "$SHOP.work" 'SELECT count(*) FROM run' >"$box/err"
    cp "$SHOP" "$box/changed.db"
    cp "$SHOP.work" "$box/changed.db.work"
    # shellcheck disable=SC2086
    nightjar run $long_run
    expect 'published rows' [ "$(published)" = "$undisturbed" ]
    verdict 'a killed run goes on from the rows it had read'

    copy_of changed
    # shellcheck disable=SC2086
    nightjar run $long_run --set resume_within=0s
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" != "$undisturbed" ]
    verdict 'resume_within: 0s reads the rows anew'
}

# Two runs at once: one does the work, the other says who does.
second_run_meanwhile() {
    copy_of next
    start_run --set stages.train.epochs=100000 --set stages.train.patience=0
    first=$pid
    wait_for '^  negatives'
    cp "$box/err" "$box/err.first"
    nightjar run
    expect 'exit code' [ "$code" -eq 75 ]
    expect 'the message names the holder' grep -q "pid $first" "$box/err"
    kill -9 "$first" 2>/dev/null
    end_run
    verdict 'a second run at the same time is told to wait'
}

undisturbed_run
# four kills each
n_seeds=8
[ -z "$sanitized" ] || n_seeds=2
[ -z "$NIGHTJAR_SOAK" ] || n_seeds=500
seed=1
while [ "$seed" -le "$n_seeds" ]; do
    killed "$seed"
    seed=$((seed + 1))
done
expect "kills that met a run: $n_hit" [ "$n_hit" -ge "$n_seeds" ]
[ -z "$NIGHTJAR_SOAK" ] || expect "journals left: $n_journals" [ "$n_journals" -gt 0 ]
verdict 'kills meet runs'
stopped TERM 143
stopped HUP 129
stopped INT 130
source_changes_meanwhile
second_run_meanwhile
end_of_tests
