#!/bin/sh
# The queries that applications write (queries.sql) are index searches, with INTEGER and with TEXT ids: no
# view of ours is materialised, nothing of ours is scanned but what a query counts as a whole. In the linked
# SQLite; in the soak also in the newest one, which npm brings (better-sqlite3), where there is npm and a
# Node of version 20 or later. NIGHTJAR_NODE_MODULES names a folder that has it already.
set -u
. "$(dirname "$0")/../support/tap.sh"
queries=$(cd "$(dirname "$0")" && pwd)/queries.sql

# make_shop TYPE PREFIX: $box/TYPE.reco.db, published, and TYPE.app.db, the application's own tables
make_shop() {
    cat >"$box/$1.yaml" <<YAML
pipeline: $1
source: {database: shop.db, interactions: "SELECT $2 user_id AS user_id, $2 item_id AS item_id, created_at FROM events"}
output: {database: $1.reco.db}
work: {database: $1.work.db}
stages:
  - interactions: {}
  - pairs: {evidence: {}}
  - negatives: {strategy: all}
  - train: {dimension: 8, epochs: 1}
  - recommend: {top: 10, explain: 2, parts: true, similar_users: 5}
  - publish: {}
YAML
    "$PROGRAM" run "$box/$1.yaml" --quiet --set threads=1 || return 1
    sqlite3 "$box/$1.app.db" "CREATE TABLE users (id $1 PRIMARY KEY, name TEXT);
        CREATE INDEX users_name ON users (name);
        CREATE TABLE items (id $1 PRIMARY KEY, title TEXT, price REAL);
        CREATE TABLE events (user_id $1, item_id $1);
        CREATE INDEX events_user ON events (user_id);
        ATTACH '$box/$1.reco.db' AS reco;
        INSERT INTO users SELECT user_id, 'name ' || user_id FROM reco.user_embeddings;
        INSERT INTO items SELECT item_id, 'title ' || item_id, 10 FROM reco.item_embeddings"
}

# search_all NAME COMMAND...: COMMAND prints the plan of the query that it is given
search_all() {
    name=$1
    shift
    while IFS= read -r query; do
        allowed=$(printf '%s' "$query" | sed -n 's,^/\* scan \([a-z_0-9]*\) \*/.*,\1,p')
        "$@" "$query" >"$box/plan" 2>&1 || echo failed >>"$box/plan"
        walks=$(grep -E 'MATERIALIZE|AUTOMATIC|SCAN|failed' "$box/plan" |
            grep -vE "SCAN (\\(subquery|CONSTANT|(${allowed:-none}|mine)( |\$))")
        [ -s "$box/plan" ] && [ -z "$walks" ] || {
            echo "$query"
            cat "$box/plan"
        }
    done <"$queries" >"$box/walks"
    check "$name" sh -c 'cat "$0"; [ ! -s "$0" ]' "$box/walks"
}

shell_plan() {
    sqlite3 "$box/$type.app.db" "ATTACH '$box/$type.reco.db' AS reco" "EXPLAIN QUERY PLAN $1"
}

node_plan() {
    NODE_PATH=$modules node -e '
        const db = new (require("better-sqlite3"))(process.argv[1], {readonly: true});
        db.exec(`ATTACH "${process.argv[2]}" AS reco`);
        const blank = {user: null, other: null, item: null, name: null};
        for (const row of db.prepare("EXPLAIN QUERY PLAN " + process.argv[3]).all(blank)) console.log(row.detail);
    ' "$box/$type.app.db" "$box/$type.reco.db" "$1"
}

"$PROGRAM" generate "$box/shop.db" --until 2026-01-01 --users 60 --items 40 --events 1500 --seed 5 --quiet
make_shop INTEGER '' || exit 1
make_shop TEXT "'id-' ||" || exit 1
for type in INTEGER TEXT; do
    search_all "queries are searches with $type ids" shell_plan
done

modules=${NIGHTJAR_NODE_MODULES:-}
if [ -z "$modules" ] && [ -n "${NIGHTJAR_SOAK:-}" ] && command -v npm >/dev/null &&
    node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'; then
    mkdir "$box/npm" && (cd "$box/npm" && npm install --silent --no-audit --no-fund better-sqlite3@12) >/dev/null 2>&1 &&
        modules=$box/npm/node_modules
fi
if [ -z "$modules" ]; then
    skip 'the newest SQLite: in the soak, where npm brings better-sqlite3 to a Node of 20 or later'
else
    for type in INTEGER TEXT; do
        search_all "queries are searches with $type ids in the newest SQLite" node_plan
    done
fi
end_of_tests
