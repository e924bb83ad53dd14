#!/bin/sh
# `make bench-scale`: the whole run at growing sizes, stage by stage: seconds of CPU and on the clock, the
# process's peak memory by the end of each, and the exponent b of time ~ events^b, fitted over the
# sizes; the CPU seconds as a plot in BUILD/growth.svg, too. EVENTS lists the sizes in thousands
# (default: 300 1000 3000 10000); a fiftieth of them are users, a hundredth items. VARY=users, items or
# dimension holds the events at the first size and lets that grow instead, by 1, 2, 4 and 8. EPOCHS of
# training (default: 10). KEEP=FOLDER keeps the databases. BUILD is the build to measure.
set -u
: "${BUILD:?}" "${EVENTS:=300 1000 3000 10000}" "${VARY:=events}" "${KEEP:=}" "${EPOCHS:=10}"
export EPOCHS
program=$(cd "$BUILD" && pwd)/nightjar
tools=$(cd "$BUILD" && pwd)/tests/bench
if [ -n "$KEEP" ]; then
    mkdir -p "$KEEP"
    box=$(cd "$KEEP" && pwd)
else
    box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-scale.XXXXXX") || exit 1
    trap 'rm -rf "$box"' EXIT
fi
trap 'exit 129' HUP INT TERM

cat >"$box/scale.yaml" <<'YAML'
pipeline: scale
source:
  database: ${SCALE_SHOP}
  interactions: SELECT user_id, item_id, event, created_at FROM events
  fingerprint: SELECT (SELECT max(event_id) FROM events), (SELECT count(*) FROM events)
work: {database: "${SCALE_SHOP}.work"}
output: {database: "${SCALE_SHOP}.out"}
stages:
  - interactions:
      event_weights: {view: 1, cart: 2, purchase: 4}
      min_user_interactions: 2
      min_item_interactions: 3
      split: {by: time, valid: 7d, test: 7d}
  - pairs: {item_item: {window: 7d, top: 50}, evidence: {top: 200}, queryable: false}
  - negatives: {strategy: mixed, count: 8192, alpha: 0.5}
  - train: {dimension: "${SCALE_DIMENSION}", epochs: "${EPOCHS}", patience: 0, optimizer: rowwise_adam, co_interaction: {weight: 0.1}}
  - calibrate: {}
  - evaluate: {metrics: [recall@20, ndcg@20]}
  - refit: {}
  - recommend: {top: 50, similar: 20}
  - publish: {}
YAML

# one_size THOUSANDS USERS ITEMS DIMENSION WHAT: adds "WHAT STAGE CPU CLOCK MIB" lines to box/rows
one_size() {
    SCALE_SHOP=$box/shop.$1.$2.$3.db
    SCALE_DIMENSION=$4
    export SCALE_SHOP SCALE_DIMENSION
    [ -f "$SCALE_SHOP" ] ||
        "$program" generate "$SCALE_SHOP" --until 2026-01-01 --events "${1}000" --users "$2" --items "$3" --days 365 --quiet || exit 1
    rm -f "$SCALE_SHOP".work* "$SCALE_SHOP".out*
    used=$("$tools/bench_command" "$program" run "$box/scale.yaml") || exit 1
    sqlite3 -batch -separator ' ' "$SCALE_SHOP.work" "SELECT '$5', label, cpu_seconds, seconds,
        peak_rss / 1048576 FROM stage_run WHERE run = 1 ORDER BY position" >>"$box/rows"
    echo "$5 total $used" >>"$box/rows"
    again=$("$tools/bench_command" "$program" run "$box/scale.yaml") || exit 1
    echo "$5 unchanged $again" >>"$box/rows"
    [ -n "$KEEP" ] || rm -f "$SCALE_SHOP"*
}

: >"$box/rows"
first=${EVENTS%% *}
case $VARY in
events)
    for events in $EVENTS; do
        one_size "$events" $((events * 20)) $((events * 10)) 64 "$events"
    done
    ;;
users) for n in 1 2 4 8; do one_size "$first" $((first * 20 * n)) $((first * 10)) 64 $((first * 20 * n)); done ;;
items) for n in 1 2 4 8; do one_size "$first" $((first * 20)) $((first * 10 * n)) 64 $((first * 10 * n)); done ;;
dimension) for n in 1 2 4 8; do one_size "$first" $((first * 20)) $((first * 10)) $((32 * n)) $((32 * n)); done ;;
*)
    echo "VARY is \"$VARY\"; allowed: events, users, items, dimension" >&2
    exit 64
    ;;
esac

echo "$("$program" version | head -n 1); $(nproc) cores; $VARY grow$([ "$VARY" = events ] && echo ' (thousands)')"
echo
awk -v vary="$VARY" '
{
    if (!($1 in seen)) {seen[$1] = 1; sizes[++n] = $1}
    if (!($2 in known)) {known[$2] = 1; stages[++m] = $2}
    cpu[$1, $2] = $3; clock[$1, $2] = $4; memory[$1, $2] = $5
}
function exponent(stage, values,    i, x, y, sx, sy, sxx, sxy, k) {
    for (i = 1; i <= n; i++) {
        if (values[sizes[i], stage] <= 0) continue
        x = log(sizes[i]); y = log(values[sizes[i], stage])
        sx += x; sy += y; sxx += x * x; sxy += x * y; k++
    }
    return k > 1 ? sprintf("%.2f", (k * sxy - sx * sy) / (k * sxx - sx * sx)) : ""
}
function table(head, format, values,    i, s) {
    printf "| %s |", head; for (i = 1; i <= n; i++) printf " %s |", sizes[i]; print " exponent |"
    printf "|---|"; for (i = 1; i <= n; i++) printf "---|"; print "---|"
    for (s = 1; s <= m; s++) {
        printf "| %s |", stages[s]
        for (i = 1; i <= n; i++) printf format, values[sizes[i], stages[s]]
        print " " exponent(stages[s], values) " |"
    }
    print ""
}
END {
    table("CPU seconds", " %.2f |", cpu)
    table("seconds on the clock", " %.2f |", clock)
    table("MiB by the end of", " %.0f |", memory)
}' "$box/rows"
awk -v title="CPU seconds by $VARY$([ "$VARY" = events ] && echo ' (thousands)'), each stage; dots: in proportion" \
    -f "$(dirname "$0")/growth.awk" "$box/rows" >"$BUILD/growth.svg"
echo "the plot: $BUILD/growth.svg"
