#!/bin/sh
# `make bench-views`: what each random view of users and items (train.views) does to quality, beside
# the same towers without it. Validation NDCG@20 on a random tenth of the training interactions, the
# mean of SEEDS; never the test part. NIGHTJAR_DATA names the folder with the data; what is not there
# is skipped. PROGRAM is the nightjar to measure, SETS the data sets, THREADS its threads.
set -u
: "${PROGRAM:?}" "${NIGHTJAR_DATA:=}" "${SETS:=movielens gowalla}" "${SEEDS:=1 2 3}" "${THREADS:=2}"
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-views.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

# settings SET: the part of the configuration that is the same for every view
movielens() {
    cat <<YAML
pipeline: views
source:
  database: $box/data.db
  interactions: SELECT user_id, item_id, rating, timestamp FROM log
work: {database: $box/work.db}
stages:
  - interactions: {min_rating: 4, split: {by: random, valid: 0.1}}
  - pairs: {item_item: {weighting: cosine, top: 20}}
  - negatives: {strategy: all, alpha: 0.0}
  - train:
      dimension: 64
      temperature: 0.15
      degree_exponent: 0.5
      batch_users: 64
      epochs: 30
      validate_every: 3
      patience: 0
YAML
}
movielens_file=ml-100k.ratings.csv.gz

gowalla() {
    cat <<YAML
pipeline: views
source:
  database: $box/data.db
  interactions: SELECT user_id, item_id FROM log
work: {database: $box/work.db}
stages:
  - interactions: {split: {by: random, valid: 0.1}}
  - pairs: {item_item: {weighting: cosine, top: 5}}
  - negatives: {strategy: uniform, count: 2048, alpha: 0.7}
  - train:
      dimension: 64
      temperature: 0.1
      learning_rate: 0.014
      batch_users: 512
      epochs: 12
      validate_every: 3
      patience: 0
YAML
}
gowalla_file=gowalla.train.csv.gz

# best SEED OPTIONS...: the best validation value of one training
best() {
    seed=$1
    shift
    rm -f "$box"/work.db*
    "$PROGRAM" run "$box/views.yaml" --quiet --set "seed=$seed" --set "threads=$THREADS" "$@" \
        2>"$box/err" || {
        cat "$box/err" >&2
        return 1
    }
    sqlite3 -batch "$box/work.db" 'SELECT max(validation) FROM training_curve'
}

# row NAME OPTIONS...: one line of the table
row() {
    name=$1
    shift
    for seed in $SEEDS; do
        best "$seed" "$@" || exit 1
    done | awk -v name="$name" '
        {sum += $1; if (NR == 1 || $1 < low) low = $1; if (NR == 1 || $1 > high) high = $1}
        END {printf "| %s | %.4f | %.4f to %.4f |\n", name, sum / NR, low, high}'
}

# views TOWERS OPTIONS -- CHANGE STRENGTH...: towers without a view, then with each one
views() {
    towers=$1
    options=$2
    shift 2
    # shellcheck disable=SC2086 # options are several words
    row "$towers" $options
    while [ $# -gt 0 ]; do
        # shellcheck disable=SC2086
        row "$towers, view $1 $2" $options --set stages.train.views.change="$1" \
            --set stages.train.views.strength="$2"
        shift 2
    done
}

for set in $SETS; do
    eval "file=\$${set}_file"
    if [ ! -r "$NIGHTJAR_DATA/$file" ]; then
        echo "skipped: $set: no $file in the folder that NIGHTJAR_DATA names"
        continue
    fi
    rm -f "$box"/data.db*
    "$PROGRAM" import "$NIGHTJAR_DATA/$file" "$box/data.db" log --quiet || exit 1
    "$set" >"$box/views.yaml"
    printf '\n| %s | validation NDCG@20 | seeds |\n|---|---|---|\n' "$set"
    views 'ids' '' noise 0.1 noise 0.3 dropout 0.1
    views 'ids and history' '--set stages.train.history.pooling=mean' \
        crop 0.3 mask 0.3 substitute 0.3
    views 'ids and decayed history' '--set stages.train.history.pooling=decay' reorder 0.3
    views 'ids and one hop' '--set stages.train.propagation.hops=1' edges 0.1 nodes 0.1
done
