#!/bin/sh
# `make bench-night`: a full night and, with one day's events more, a small one, stage by stage: seconds
# of CPU and on the clock, and the small night's share. EVENTS is the size of the log in thousands (default: 3000);
# a fiftieth of them are users, a hundredth items, and the log has a year of days. The small night's
# events are those of the log's last day. MEMORY is the memory_limit to hold to (default: none). KEEP=FOLDER
# keeps the databases. BUILD is the build to measure.
set -u
: "${BUILD:?}" "${EVENTS:=3000}" "${USERS:=$((EVENTS * 20))}" "${ITEMS:=$((EVENTS * 10))}" "${KEEP:=}"
: "${EPOCHS:=10}" "${MEMORY:=0}"
program=$(cd "$BUILD" && pwd)/nightjar
if [ -n "$KEEP" ]; then
    mkdir -p "$KEEP"
    box=$(cd "$KEEP" && pwd)
else
    box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-night.XXXXXX") || exit 1
    trap 'rm -rf "$box"' EXIT
fi
trap 'exit 129' HUP INT TERM
NIGHT_SHOP=$box/night.$EVENTS.$USERS.$ITEMS.db
export NIGHT_SHOP EPOCHS MEMORY

cat >"$box/night.yaml" <<'YAML'
pipeline: night
memory_limit: ${MEMORY}
source:
  database: ${NIGHT_SHOP}
  interactions: SELECT event_id, user_id, item_id, event, created_at FROM events WHERE event_id <= (SELECT last FROM tonight)
  key: event_id
work: {database: "${NIGHT_SHOP}.work"}
output: {database: "${NIGHT_SHOP}.out"}
stages:
  - interactions:
      event_weights: {view: 1, cart: 2, purchase: 4}
      min_user_interactions: 2
      min_item_interactions: 3
      refresh: 7d
      split: {by: time, valid: 7d, test: 7d}
  - pairs: {item_item: {window: 7d, top: 50}, evidence: {top: 200}, queryable: false}
  - negatives: {strategy: mixed, count: 8192, alpha: 0.5}
  - train: {dimension: 64, epochs: "${EPOCHS}", patience: 0, optimizer: rowwise_adam, co_interaction: {weight: 0.1}}
  - calibrate: {}
  - evaluate: {metrics: [recall@20, ndcg@20]}
  - refit: {}
  - catch_up: {}
  - recommend: {top: 50, similar: 0}
  - publish: {}
YAML

# last ROWS: the log as people see it ends with this row
last() {
    sqlite3 -batch "$NIGHT_SHOP" "CREATE TABLE IF NOT EXISTS tonight (last INTEGER);
        DELETE FROM tonight; INSERT INTO tonight VALUES ($1)"
}

[ -f "$NIGHT_SHOP" ] ||
    "$program" generate "$NIGHT_SHOP" --until 2026-01-01 --events "$((EVENTS * 1000))" --users "$USERS" --items "$ITEMS" \
        --days 365 --quiet || exit 1
rm -f "$NIGHT_SHOP".work* "$NIGHT_SHOP".out*
rows=$(sqlite3 -batch "$NIGHT_SHOP" "SELECT max(event_id) FROM events")
new=$((rows * 3 / 1000))
last $((rows - new))
"$program" run "$box/night.yaml" || exit 1
last "$rows"
"$program" run "$box/night.yaml" || exit 1

echo "$("$program" version | head -n 1); $(nproc) cores; $rows events, $new of them new; $USERS users, $ITEMS items"
echo
echo "| CPU seconds (clock) | full night | small night | share of the CPU seconds |"
echo "|---|---|---|---|"
sqlite3 -batch -separator ' ' "$NIGHT_SHOP.work" "SELECT label, total(cpu_seconds) FILTER (WHERE run = 1),
    total(seconds) FILTER (WHERE run = 1), total(cpu_seconds) FILTER (WHERE run = 2),
    total(seconds) FILTER (WHERE run = 2) FROM stage_run GROUP BY label ORDER BY min(position)" |
    awk '
    function line(label, a, b, c, d) {printf "| %s | %.2f (%.2f) | %.2f (%.2f) | %.3f |\n", label, a, b, c, d, (a > 0 ? c / a : 0)}
    {line($1, $2, $3, $4, $5); a += $2; b += $3; c += $4; d += $5}
    END {line("all", a, b, c, d)}'
echo
sqlite3 -batch -separator ' ' "$NIGHT_SHOP.out" "SELECT name || ': ' || value FROM nightjar_metrics
    WHERE generation = 2 AND name LIKE 'news_%' ORDER BY name"
sqlite3 -batch -separator ' ' "$NIGHT_SHOP.work" "SELECT 'peak memory of run ' || run || ', MiB: ' || (max(peak_rss) / 1048576)
    FROM stage_run GROUP BY run ORDER BY run"
