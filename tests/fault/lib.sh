# What the fault tests share: a shop with a published generation, and checks on copies of it. They are of the
# real program on real SQLite files, in trouble: killed, out of disk, given nonsense. Whatever happens, the user's
# rows stay as they were and the recommendations published before are served.
#
#   first.db   a shop whose recommendations are published: "yesterday"
#   next.db    the same files with another day of events: what a run finds "this morning"
#              (yesterday, this_morning: digests of what is published then)
#   shop.db    the copy that a test works on; SHOP, for shop.yaml; .work is its work file

. "$(dirname "$0")/../support/tap.sh"
here=$root/tests/fault
problems=""
SHOP=$box/shop.db
export SHOP
# a copy, so that a build at the same time does no harm; readable for the user nobody
program=$box/nightjar
cp "$PROGRAM" "$program"
cp "$here/shop.yaml" "$box/shop.yaml"
chmod 755 "$box"

# problem TEXT: the case under way has failed
problem() {
    problems="$problems
    $1"
}

# expect WHAT TEST...: a condition of the case under way
expect() {
    what=$1
    shift
    "$@" || problem "$what: $*"
}

# verdict NAME: ends a case
verdict() {
    if [ -z "$problems" ]; then
        pass "$1"
    else
        echo "$problems" >"$box/problems"
        fail "$1" "$box/problems" "$box/err"
    fi
    problems=""
}

sql() {
    sqlite3 -batch -cmd '.timeout 5000' "$SHOP" "$@"
}

digest() {
    sha256sum <"$1" | cut -d' ' -f1
}

# nightjar COMMAND [OPTIONS]: runs a command on shop.yaml; sets code, leaves out and err
nightjar() {
    command=$1
    shift
    code=0
    timeout 900 "$program" "$command" "$box/shop.yaml" "$@" >"$box/out" 2>"$box/err" || code=$?
}

# published [DATABASE]: a digest of every published row, the generation's number left out
published() {
    sqlite3 -batch -cmd ".timeout 5000" "${1:-$SHOP}" "
        SELECT user_id, rank, item_id, quote(score), source FROM recommendations ORDER BY 1, 2;
        SELECT item_id, rank, similar_item_id, quote(score) FROM similar_items ORDER BY 1, 2;
        SELECT rank, item_id, quote(score) FROM popular_items ORDER BY 1;
        SELECT user_id, hex(embedding) FROM user_embeddings ORDER BY 1;
        SELECT item_id, hex(embedding), quote(bias) FROM item_embeddings ORDER BY 1;" 2>&1 |
        sha256sum | cut -d' ' -f1
}

# own_rows: a digest of the application's own tables
own_rows() {
    sql '.dump users' '.dump items' '.dump events' | sha256sum | cut -d' ' -f1
}

n_generations() {
    sql 'SELECT count(*) FROM nightjar_generations'
}

# integrity: "ok ok" when SQLite finds both files sound
integrity() {
    echo "$(sql 'PRAGMA integrity_check') $(sqlite3 "$SHOP.work" 'PRAGMA integrity_check')"
}

# on_record: state and exit code of the last run, as `nightjar runs` shows them
on_record() {
    "$program" runs "$box/shop.yaml" --last 1 2>&1 | awk 'NR > 1 {print $2, $5}'
}

# stages_of_last_run STATE: the labels of the stages that ended so
stages_of_last_run() {
    sqlite3 "$SHOP.work" "SELECT group_concat(label, ' ') FROM (SELECT label FROM stage_run
        WHERE run = (SELECT max(run) FROM run) AND state = '$1' ORDER BY position)"
}

# copy_of NAME: makes shop.db a fresh copy of first.db or next.db
copy_of() {
    rm -rf "$SHOP" "$SHOP"[.-]*
    cp "$box/$1.db" "$SHOP"
    cp "$box/$1.db.work" "$SHOP.work"
}

# keep_as NAME
keep_as() {
    cp "$SHOP" "$box/$1.db"
    cp "$SHOP.work" "$box/$1.db.work"
}

# A run long enough to be hit in every stage; options are split at white space.
long_run="--set stages.train.epochs=60 --set stages.recommend.top=100
    --set stages.recommend.similar=100"

# start_run [OPTIONS]: a run of shop.db in the background; sets pid
start_run() {
    # a shell has its background jobs ignore SIGINT, nohup SIGHUP; the program leaves ignored signals ignored
    # shellcheck disable=SC2086
    env --default-signal=INT,HUP,TERM "$program" run "$box/shop.yaml" --verbose $long_run "$@" \
        >"$box/out" 2>"$box/err" &
    pid=$!
}

# end_run: waits for it; sets code
end_run() {
    code=0
    wait "$pid" 2>"$box/wait" || code=$?
    pid=""
}

# wait_for PATTERN: until the run in the background has said so
wait_for() {
    tries=0
    until grep -q "$1" "$box/err" || [ "$tries" -ge 9999 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
}

# undisturbed_run: once; sets undisturbed, what it publishes, and full_run_ns
undisturbed=""
undisturbed_run() {
    [ -z "$undisturbed" ] || return
    copy_of next
    began=$(date +%s%N)
    start_run
    end_run
    full_run_ns=$(($(date +%s%N) - began))
    expect 'exit code' [ "$code" -eq 0 ]
    undisturbed=$(published)
    verdict 'an undisturbed run'
}

# random_moment SEED NANOSECONDS [SHARE]: a time in seconds within that share (default: all) of them
random_moment() {
    awk -v seed="$1" -v ns="$2" -v share="${3:-1}" \
        'BEGIN {srand(seed * 7919); rand(); printf "%.3f", rand() * ns * share / 1e9}'
}

# served: whole generations only, yesterday's or, once the run was that far, today's
served() {
    rows=$(published)
    [ "$rows" = "$yesterday" ] || [ "$rows" = "$undisturbed" ]
}

make_shops() {
    "$program" generate "$SHOP" --until 2026-01-01 --users 300 --items 150 --events 8000 --days 60 --quiet ||
        problem "generate: exit $?"
    sql 'CREATE TABLE later AS SELECT * FROM events WHERE event_id > 7600;
         DELETE FROM events WHERE event_id > 7600'
    nightjar run
    expect 'the first run' [ "$code" -eq 0 ]
    keep_as first
    sql 'INSERT INTO events SELECT * FROM later'
    keep_as next
    yesterday=$(published)
    nightjar run
    expect 'the second run' [ "$code" -eq 0 ]
    this_morning=$(published)
    verdict 'a shop gets its first recommendations'
    [ "$n_failed" -eq 0 ]
}

make_shops || end_of_tests
