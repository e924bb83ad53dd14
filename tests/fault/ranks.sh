#!/bin/sh
# Several ranks on one plan: the exchanges by themselves, and what must be refused. Skipped where there is no
# MPI; with NIGHTJAR_SOAK under MPICH, too.
set -u
. "$(dirname "$0")/../support/tap.sh"
# as root, on fewer processors than ranks
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
# a program that has ended with an error is not waited for two seconds more
export OMPI_MCA_odls_base_sigkill_timeout=0
plain=$PROGRAM
cd "$root" || exit 1

# with MPI: the program and the tests for several ranks linked with that library; sets ranked, tests and
# launcher. Of Debian's names for mpirun the one that belongs to it.
with() {
    case $1 in
    mpi) launcher=mpirun ;;
    mpich) launcher=mpirun.mpich ;;
    esac
    ranked=$BUILD-$1/nightjar tests=$BUILD-$1/tests/unit
    "${MAKE:-make}" --no-print-directory -s BUILD="$BUILD" MPI="$1" "$ranked" "$tests/test_ranks" \
        "$tests/test_shared_reading" "$tests/test_crowd" "$tests/test_serving_ranks" "$tests/test_publish_ranks" \
        "$tests/test_item_rows" "$tests/test_checkpoint_parts" "$tests/test_shared_features" "$tests/test_row_order" \
        "$tests/test_auto_trial" >"$box/err" 2>&1 &&
        ranked=$root/$ranked tests=$root/$tests
}

# ranks N PROGRAM [ARGUMENTS]: sets code, leaves out and err
ranks() {
    n=$1
    shift
    code=0
    (cd "$box" && timeout -k 10 120 "$launcher" -n "$n" "$@" >out 2>err) || code=$?
}

# refused NAME CODE PATTERN: how the last ended; each line of ours once
refused() {
    if [ "$code" -eq "$2" ] && [ "$(grep -c -E "$3" "$box/err")" -eq 1 ]; then
        pass "$1"
    else
        echo "exit $code, not $2; /$3/" >"$box/why"
        fail "$1" "$box/why" "$box/err"
    fi
}

# holds NAME TEST N...: the test as so many ranks
holds() {
    name=$1 test=$2
    shift 2
    for n in "$@"; do
        ranks "$n" "$tests/$test"
        if [ "$code" -eq 0 ]; then
            pass "$name $n ranks"
        else
            fail "$name $n ranks" "$box/out" "$box/err"
        fi
    done
}

refusals() {
    ranks 3 "$ranked" version
    refused 'three ranks' 64 'the nearest are 2 and 4$'
    ranks 2 "$plain" version
    refused 'a build without MPI' 64 'built without MPI: each of the 2 processes that mpirun'
    ranks 2 "$ranked" runs shop.yaml
    refused 'a command for one process' 64 '^nightjar: runs works in one process, and 2 were started'
    ranks 2 "$ranked" run shop.yaml --set seed=x
    refused 'a mistake is told once' 64 '^nightjar: --set seed=x: '
    ranks 1 "$ranked" run shop.yaml : -n 1 "$ranked" run shop.yaml --set seed=2
    refused 'two configurations' 78 '^nightjar: shop.yaml: rank 1 on .* has another configuration than rank 0'
    sed 's/min_item_interactions: 2/min_item_interactions: "1${RANK}"/' "$box/shop.yaml" >"$box/values.yaml"
    ranks 2 "$ranked" run values.yaml
    refused 'a value that is another to each rank' 78 '^nightjar: values.yaml: rank 1 on .* reads other values in it'
    cp "$box/shop.db" "$box/behind.db"
    sqlite3 "$box/behind.db" 'DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events)'
    sed 's/shop.db/"${WHERE}.db"/' "$box/shop.yaml" >"$box/two.yaml"
    ranks 1 env WHERE=shop "$ranked" run two.yaml : -n 1 env WHERE=behind "$ranked" run two.yaml
    refused 'two sources' 78 '^nightjar: shop.db: rank 1 on .* sees another source than rank 0'
    sqlite3 "$box/behind.db" 'UPDATE events SET created_at = created_at + 100000000 WHERE event_id % 9 = 0'
    sed -e 's/shop.db/behind.db/' -e '$a\' -e '  - checks' "$box/shop.yaml" >"$box/ahead.yaml"
    alone "$plain" run ahead.yaml
    said=$(grep -o '^nightjar: [0-9]* pairs' "$box/err")
    ranks 2 "$ranked" run ahead.yaml
    refused 'events in the future, of all users' 79 "${said:-nothing was said of} of user and item have events in the future"
    sed 's/min: 10/min: 1000000/' "$box/full.yaml" >"$box/gated.yaml"
    ranks 2 "$ranked" run gated.yaml
    refused 'the gate decides for all' 79 '^nightjar: nothing is published: gate: '
    afresh
}

# alone PROGRAM [ARGUMENTS]: the same in one process
alone() {
    code=0
    (cd "$box" && timeout 120 "$@" >out 2>err) || code=$?
}

# afresh: nothing has been made of the shop
afresh() {
    rm -rf "$box"/work.db* "$box"/out.db*
}

# published: a digest of every published row, the generation's number left out; nothing where they cannot be read
published() {
    [ -f "$box/out.db" ] && sqlite3 -batch -bail "$box/out.db" "
        SELECT user_id, rank, item_id, quote(score), source FROM recommendations ORDER BY 1, 2;
        SELECT item_id, rank, similar_item_id, quote(score) FROM similar_items ORDER BY 1, 2;
        SELECT rank, item_id, quote(score) FROM popular_items ORDER BY 1;
        SELECT user_id, hex(embedding) FROM user_embeddings ORDER BY 1;
        SELECT item_id, hex(embedding), quote(bias) FROM item_embeddings ORDER BY 1;
        SELECT name, model, \"group\", quote(value) FROM nightjar_metrics
            WHERE generation = (SELECT max(generation) FROM nightjar_generations) ORDER BY 1, 2, 3;
        SELECT chosen FROM nightjar_generations ORDER BY generation DESC LIMIT 1;" \
        >"$box/rows" && sha256sum <"$box/rows" | cut -d' ' -f1
}

# same NAME: the last ended well and published what one process does
same() {
    if [ "$code" -eq 0 ] && [ -n "$expected" ] && [ "$(published)" = "$expected" ]; then
        pass "$1"
    else
        echo "exit $code, published $(published), not $expected" >"$box/why"
        fail "$1" "$box/why" "$box/err"
    fi
}

# stage_rows: how many each stage of the last run says
stage_rows() {
    sqlite3 -batch "$box/work.db" "SELECT label, n_rows FROM stage_run WHERE run = (SELECT max(run) FROM run)
        ORDER BY position" 2>&1
}

same_rows() {
    afresh
    alone "$plain" run full.yaml
    of_one=$(stage_rows)
    for n in "$@"; do
        afresh
        ranks "$n" "$ranked" run full.yaml
        same "$n ranks publish what one process does"
        [ "$(stage_rows)" = "$of_one" ] || fail "$n ranks count the rows of all"
    done
    ranks "$n" "$ranked" run full.yaml --verbose
    refused 'the same once more does nothing new' 0 ' [0-9]* unchanged, in '
}

# narrow N: what is sent is rounded; so is it by one process, which publishes other rows than without
narrow() {
    of_full=$expected
    sed 's/- train: {/&wire: bfloat16, /' "$box/full.yaml" >"$box/narrow.yaml"
    afresh
    alone "$plain" run narrow.yaml
    expected=$(published)
    [ "$expected" != "$of_full" ] || fail 'one process rounds, too'
    afresh
    ranks "$1" "$ranked" run narrow.yaml
    same "$1 ranks that send bfloat16 publish what one process does"
    expected=$of_full
}

# searches: settings that are left open; the next night starts at those of the last
searches() {
    of_full=$expected
    afresh
    ranks 8 "$ranked" run open.yaml
    refused 'more ranks than such a file is for' 78 '^open.yaml:11:5: train.batch_users: .*`batch_users: 512`'
    alone "$plain" run open.yaml
    expected=$(published)
    same 'one process chooses settings'
    cp "$box/out.db" "$box/night.db"
    if [ "$(sqlite3 "$box/work.db" 'SELECT max(fold) > 1 FROM search_trial')" != 1 ]; then
        fail 'they are judged on several draws'
    fi
    for n in "$@"; do
        afresh
        ranks "$n" "$ranked" run open.yaml
        same "$n ranks choose them, too"
    done
    sed 's/budget: 0.05/&, start: recipes/' "$box/open.yaml" >"$box/anew.yaml"
    [ -z "$NIGHTJAR_SOAK" ] || kills 20 anew.yaml
    for n in 0 "$@"; do
        afresh
        cp "$box/night.db" "$box/out.db"
        if [ "$n" -eq 0 ]; then
            alone "$plain" run open.yaml --verbose
            expected=$(published)
        else
            ranks "$n" "$ranked" run open.yaml --verbose
            same "$n ranks start where the generation before was"
        fi
        grep -q 'the search starts where generation 1 was' "$box/err" || fail "the second night over $n ranks" "$box/err"
    done
    expected=$of_full
}

# readings: a range of keys each, what a query says, a file each; and a row that is wrong
readings() {
    rows='SELECT user_id, item_id, event, created_at FROM events'
    sed 's/table: events.*time: created_at}/interactions: "'"$rows"' WHERE event_id % :ranks = :rank"}/' \
        "$box/full.yaml" >"$box/bound.yaml"
    sed -e 's/"SELECT.*"/"'"$rows"'"/' -e 's/shop.db/"part-${RANK}.db"/' "$box/bound.yaml" >"$box/files.yaml"
    for r in 0 1; do # one of them has no rows at all
        cp "$box/shop.db" "$box/part-$r.db"
    done
    sqlite3 "$box/part-1.db" 'DELETE FROM events'
    for reading in 'full.yaml --set source.key=event_id' bound.yaml files.yaml; do
        afresh
        # shellcheck disable=SC2086 # words
        ranks 2 "$ranked" run $reading
        same "two ranks read $reading"
    done
    sqlite3 "$box/part-0.db" 'UPDATE events SET created_at = 12 WHERE event_id = 5000'
    ranks 2 "$ranked" run full.yaml --set source.key=event_id --set source.database=part-0.db \
        --set stages.interactions.on_bad_row=fail
    refused 'a wrong row is told once' 65 'rank 1 on .*rowid 5000 of source.table: time is outside 1980..2200: 12$'
}

# troubles: in one rank alone; nothing is published, and the next run has what it needs
troubles() {
    for trouble in 'ulimit -f 200:74:a full disk' 'ulimit -v 300000:71:too little memory'; do
        afresh
        limit=${trouble%%:*} name=${trouble##*:} expected_code=${trouble#*:}
        ranks 1 "$ranked" run full.yaml : -n 1 sh -c "$limit && exec $ranked run full.yaml"
        refused "$name on one of two ranks" "${expected_code%%:*}" "rank 1 on .*(full|disk|memory)"
    done
    ranks 4 "$ranked" run full.yaml
    same 'then a run over four'

}

# side_data N...: categories, numbers, words and vectors of items and users, some of whom have no event; by one
# process and by so many ranks
side_data() {
    of_full=$expected
    sqlite3 "$box/shop.db" "
        CREATE TABLE side AS SELECT user_id, segment, country, created_at AS since, CASE WHEN user_id % 13 <> 5 THEN
            (SELECT '[' || group_concat(printf('%.3f', user_id * j * 7919 % 101 / 50.0 - 1)) || ']'
             FROM (SELECT 1 AS j UNION SELECT 2 UNION SELECT 3 UNION SELECT 5 UNION SELECT 7)) END AS face FROM users;
        INSERT INTO side SELECT 100000 + user_id, segment, country, since, face FROM side WHERE user_id <= 40;
        CREATE TABLE goods AS SELECT * FROM items;
        INSERT INTO goods SELECT 100000 + item_id, title, category, price, created_at, image FROM items
            WHERE item_id <= 20;"
    sed -e '/- checks/a\
  - features:\
      items: {query: "SELECT item_id, title, category, price, image FROM goods", columns: {image: {components: 8}}}\
      users: {query: "SELECT * FROM side", columns: {face: {components: 3}}}' -e 's/7d, test: 7d/&, cold_items: 0.1/' \
        -e 's/dimension: 16/&, id_dropout: 0.3/' -e 's/similar: 5/&, cold_items: true/' \
        -e 's/- refit/&: {warm_start: true}/' "$box/full.yaml" >"$box/side.yaml"
    afresh
    alone "$plain" run side.yaml
    cp "$box/out.db" "$box/night.db"
    rm -f "$box"/work.db*
    alone "$plain" run side.yaml
    expected=$(published)
    same 'side data and the night before by one process'
    for n in "$@"; do
        afresh
        cp "$box/night.db" "$box/out.db"
        ranks "$n" "$ranked" run side.yaml
        same "$n ranks publish the same with side data, from the night before"
    done
    sed 's/FROM side"/FROM side WHERE user_id % :ranks = :rank"/' "$box/side.yaml" >"$box/behind.yaml"
    ranks 2 "$ranked" run behind.yaml
    refused 'a part of the side data' 78 'users.query: every rank reads all rows of side data'
    sqlite3 "$box/shop.db" "UPDATE side SET since = '12 o''clock' WHERE rowid = 100"
    ranks 4 "$ranked" run side.yaml --set stages.features.users.columns.since.type=numeric
    refused 'a wrong value is told once' 65 'rank . on .*features.users.query, row 100: since is '
    sqlite3 "$box/shop.db" "UPDATE side SET since = NULL WHERE rowid = 100"
    expected=$of_full
}

# rank_of N: says which process each rank is, and becomes it
cat >"$box/rank" <<'SH'
#!/bin/sh
echo $$ >"pid.${OMPI_COMM_WORLD_RANK-$PMI_RANK}"
exec "$@"
SH
chmod +x "$box/rank"

# stopped SIGNAL RANK N MOMENT FILE: a run over N of which one gets the signal then; sets code, and took, seconds
stopped() {
    rm -f "$box"/pid.*
    (cd "$box" && OMPI_MCA_odls_base_sigkill_timeout=1 exec timeout -k 10 120 "$launcher" -n "$3" ./rank "$ranked" \
        run "$5" >out 2>err) & # the others have time to end by themselves
    job=$!
    sleep "$4"
    kill "-$1" "$(cat "$box/pid.$2" 2>/dev/null || echo $job)" 2>/dev/null
    code=0
    wait "$job" 2>/dev/null || code=$?
}

# kills N FILE: as many times one rank is killed, and the next run goes on with another number of ranks
kills() {
    began=$(date +%s%N)
    afresh
    ranks 4 "$ranked" run "$2"
    ns=$(($(date +%s%N) - began))
    for seed in $(seq "$1"); do
        [ $((seed % 5)) -ne 1 ] || afresh # else the night goes on from wherever the one before was
        n=$((2 << seed % 2))
        moment=$(awk -v seed="$seed" -v ns="$ns" 'BEGIN {srand(seed * 7919); rand(); printf "%.2f", rand() * ns / 1e9}')
        stopped KILL $((seed % n)) "$n" "$moment" "$2"
        [ "$code" -ne 124 ] || fail "rank $((seed % n)) of $n killed after $moment s: no end" "$box/err"
        ranks $((seed % 3 == 0 ? 1 : 6 - n)) "$ranked" run "$2"
        [ "$code" -eq 0 ] && [ "$(published)" = "$expected" ] ||
            same "after rank $((seed % n)) of $n was killed after $moment s"
    done
    same "$1 times a rank is killed in $2, and another number of ranks goes on"
}

"$plain" generate "$box/shop.db" --until 2026-01-01 --users 300 --items 150 --events 8000 --days 60 --vectors 24 \
    --quiet
cat >"$box/shop.yaml" <<'YAML'
pipeline: shop
source: {database: shop.db, table: events, user: user_id, item: item_id, time: created_at}
output: {database: out.db}
stages:
  - interactions: {min_item_interactions: 2, split: {by: time, valid: 7d, test: 7d}}
YAML

cat >"$box/full.yaml" <<'YAML'
pipeline: full
source: {database: shop.db, table: events, user: user_id, item: item_id, event: event, time: created_at}
work: {database: work.db}
output: {database: out.db}
threads: 1
stages:
  - interactions: {min_item_interactions: 2, split: {by: time, valid: 7d, test: 7d}}
  - checks
  - pairs: {item_item: {window: 7d, weighting: cosine, top: 20}, evidence: {top: 50}}
  - negatives: {strategy: mixed, count: 64, alpha: 0.5}
  - train: {dimension: 16, epochs: 6, patience: 0, checkpoint_every: 0s, co_interaction: {weight: 0.1}}
  - calibrate
  - evaluate: {metrics: [ndcg@20]}
  - refit
  - recommend: {top: 10, similar: 5}
  - gate: {rules: {users: {min: 10}}}
  - publish
  - report: {path: report.html}
YAML

sed -e 's/by: time, valid: 7d, test: 7d/by: random, valid: 0.2, test: 0.1/' -e 's/min_item/half_life: auto, min_item/' \
    -e 's/- pairs:.*/- pairs/' -e 's/- negatives:.*/- negatives/' -e 's/pipeline: full/pipeline: open/' \
    -e 's/- train:.*/- train: {checkpoint_every: 0s, search: {budget: 0.05}}/' "$box/full.yaml" >"$box/open.yaml"

two=${NIGHTJAR_SOAK:+2} # what four ranks show, two need not, most days
if command -v mpirun >/dev/null && pkg-config --exists mpi && with mpi; then
    holds 'every exchange and sum between' test_ranks $two 4
    holds 'pairs, weights and metrics of the users of' test_crowd $two 4
    holds 'vectors and gradients of the items of' test_item_rows $two 4
    holds 'what any number of ranks has kept is taken on by' test_checkpoint_parts $two 4 ${NIGHTJAR_SOAK:+8}
    holds 'a trial of settings of' test_auto_trial $two 4
    holds 'the lists of one out of those of' test_serving_ranks $two 4
    holds 'one generation out of the rows of' test_publish_ranks $two 4
    holds 'one log out of what is read by' test_shared_reading $two 4
    holds 'the side data of all people out of those of' test_shared_features $two 4
    holds 'gradients of tokens along the tree of' test_row_order $two 4
    refusals
    alone "$plain" run full.yaml
    expected=$(published)
    same 'one process'
    same_rows 1 4 $two ${NIGHTJAR_SOAK:+8}
    narrow 4
    searches $two 4
    readings
    troubles
    kills $([ -z "$NIGHTJAR_SOAK" ] && echo 2 || echo 100) full.yaml
    side_data 4 ${NIGHTJAR_SOAK:+1 2 8}
else
    skip 'no MPI (sh .ci/packages.sh tests)'
fi
if [ -z "$NIGHTJAR_SOAK" ]; then
    :
elif command -v mpirun.mpich >/dev/null && pkg-config --exists mpich && with mpich; then
    holds 'every exchange and sum between' test_ranks 2 4 8
    holds 'pairs, weights and metrics of the users of' test_crowd 2 4 8
    holds 'vectors and gradients of the items of' test_item_rows 2 4 8
    holds 'what any number of ranks has kept is taken on by' test_checkpoint_parts 2 4 8
    holds 'a trial of settings of' test_auto_trial 2 4 # more want larger batches
    holds 'the lists of one out of those of' test_serving_ranks 2 4 8
    holds 'one generation out of the rows of' test_publish_ranks 2 4 8
    holds 'one log out of what is read by' test_shared_reading 2 4 8 16
    holds 'the side data of all people out of those of' test_shared_features 2 4 8
    holds 'gradients of tokens along the tree of' test_row_order 2 4 8
    refusals
    same_rows 2 4
    searches 4
    kills 10 full.yaml
    side_data 2 4
else
    skip 'no MPICH (sh .ci/packages.sh soak)'
fi
end_of_tests
