#!/bin/sh
# `make demo`: generates a shop, runs configs/demo.yaml on it and shows what came out. PROGRAM is
# the program; everything is written below FOLDER (build/demo).
set -eu
: "${PROGRAM:?}"
folder=${FOLDER:-build/demo}
NIGHTJAR_DEMO=$PWD/$folder/shop.db
export NIGHTJAR_DEMO
mkdir -p "$folder"
rm -f "$NIGHTJAR_DEMO".work*

echo "== a generated shop: $PROGRAM generate $folder/shop.db"
"$PROGRAM" generate "$NIGHTJAR_DEMO" --until 2026-01-01 --force
echo
echo "== the pipeline: $PROGRAM run configs/demo.yaml"
"$PROGRAM" run configs/demo.yaml --verbose --force

query() {
    sqlite3 -batch "$NIGHTJAR_DEMO" "$1"
}

echo
echo "== five users: what they had last, and what is recommended to them"
for user in $(query "SELECT DISTINCT user_id FROM recommendations WHERE source = 'model'
                     ORDER BY user_id LIMIT 5"); do
    echo "user $user"
    query "SELECT '    had          ' || title || ' (' || category || ')' FROM events
           JOIN items USING (item_id) WHERE user_id = $user
           GROUP BY item_id ORDER BY max(events.created_at) DESC LIMIT 3"
    query "SELECT '    recommended  ' || rank || '. ' || title || ' (' || category || ')'
           FROM recommendations JOIN items USING (item_id)
           WHERE user_id = $user AND rank <= 5 ORDER BY rank"
done

echo
echo "== held-out week: nightjar beside baselines"
sqlite3 -batch -header -column "$NIGHTJAR_DEMO" "
    SELECT model, round(max(value) FILTER (WHERE name = 'recall@20'), 4) AS \"recall@20\",
           round(max(value) FILTER (WHERE name = 'ndcg@20'), 4) AS \"ndcg@20\"
    FROM nightjar_metrics
    WHERE generation = (SELECT max(generation) FROM nightjar_generations)
      AND \"group\" = 'all' AND name IN ('recall@20', 'ndcg@20')
    GROUP BY model ORDER BY 3 DESC"

echo
echo "== type next, or open $folder/shop.db.html"
echo "sqlite3 $folder/shop.db \"SELECT rank, title, score FROM recommendations JOIN items USING (item_id) WHERE user_id = 7 ORDER BY rank\""
