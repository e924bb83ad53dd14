#!/bin/sh
# Equal bytes for equal input, and no work for unchanged input.
set -u
. "$(dirname "$0")/lib.sh"

# rows_with NAME OPTIONS...: publishes from scratch; the digest must be that of the run before
reference=""
rows_with() {
    name=$1
    shift
    rm -f "$SHOP"[.-]*
    cp "$box/bare.db" "$SHOP"
    nightjar run "$@"
    expect 'exit code' [ "$code" -eq 0 ]
    rows=$(published)
    expect 'published rows' [ "$rows" = "${reference:-$rows}" ]
    reference=$rows
    verdict "$name"
}

same_bytes() {
    reference=""
    "$program" generate "$box/bare.db" --until 2026-01-01 --users 500 --items 200 --events 12000 --force --quiet "$@"
    rows_with "one thread ($*)" --set threads=1
    rows_with "two threads publish what one does ($*)" --set threads=2
    rows_with "two threads publish the same again ($*)" --set threads=2
    if [ -n "$NIGHTJAR_SOAK" ]; then
        for threads in 3 4 7 16; do
            rows_with "$threads threads publish what one does ($*)" --set threads=$threads
        done
    fi
    nightjar run --set seed=2 --set threads=1
    expect 'published rows' [ "$(published)" != "$reference" ]
    verdict "another seed publishes something else ($*)"
}

# reruns NAME STAGES GENERATIONS OPTIONS...: of the stages exactly these run again (interactions
# has to read the rows to know that they are unchanged: there is no source.fingerprint)
reruns() {
    name=$1 stages=$2 generations=$3
    shift 3
    copy_of first
    nightjar run "$@"
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'stages that ran' [ "$(stages_of_last_run done)" = "$stages" ]
    expect 'generations' [ "$(n_generations)" -eq "$generations" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict "$name"
}

unchanged_input() {
    copy_of first
    before=$(digest "$SHOP")
    nightjar run
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'stages that ran' [ "$(stages_of_last_run done)" = interactions ]
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    expect 'what cron mails' [ ! -s "$box/err" -a ! -s "$box/out" ]
    verdict 'unchanged rows: they are read, all else is skipped, nothing is written'

    fingerprint='source.fingerprint=SELECT max(event_id), count(*) FROM events'
    nightjar run --set "$fingerprint" # of another configuration: published under its hash
    before=$(digest "$SHOP")
    nightjar run --set "$fingerprint"
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'stages that ran' [ -z "$(stages_of_last_run done)" ]
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    verdict 'an unchanged fingerprint: the rows are not even read'
    sql 'INSERT INTO events SELECT * FROM later'
    nightjar run --set "$fingerprint"
    expect 'stages that ran' [ "$(stages_of_last_run done | cut -d" " -f1-4)" = \
        'interactions pairs negatives train' ]
    expect 'generations' [ "$(n_generations)" -eq 3 ]
    verdict 'a changed fingerprint: the rows are read'

    all='interactions pairs negatives train calibrate evaluate refit recommend publish'
    reruns '--force runs every stage again' "$all" 2 --force
    expect 'published rows' [ "$(published)" = "$yesterday" ]
    verdict '--force publishes the same rows as a new generation'
    reruns '--from runs a stage and those behind it' 'interactions recommend publish' 2 \
        --from recommend
    reruns '--only runs one stage' evaluate 1 --only evaluate
    # train's output reaches publish through refit, so all behind it must follow
    reruns 'a changed option runs its stage and what depends on it' \
        'interactions train calibrate evaluate refit recommend publish' 2 \
        --set stages.train.epochs=7
    copy_of next
    nightjar run
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'stages that ran' [ "$(stages_of_last_run done)" = "$all" ]
    expect 'published rows' [ "$(published)" != "$yesterday" ]
    expect 'the same rows again' [ "$(published)" = "$this_morning" ]
    verdict 'new events run every stage again'

    copy_of next
    rm "$SHOP.work"
    nightjar run
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    verdict 'a deleted work file changes no published byte'

    copy_of next
    rm "$SHOP.work"
    before=$(digest "$SHOP")
    nightjar run --only recommend
    expect 'exit code' [ "$code" -eq 64 ]
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    verdict '--only without what it needs is refused'
}

same_bytes
same_bytes --text-ids
unchanged_input
end_of_tests
