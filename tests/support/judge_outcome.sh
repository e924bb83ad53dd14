# What became of lists, by a judge in SQL who knows the log (events), the published tables and the table
# shown(g, began, a, b): generation g, whose run began then, was seen from a to b; several rows of a
# generation where a rollback has shown it again. agree G...: whether nightjar says the same of these.
cat >judge.sql <<'SQL'
CREATE INDEX IF NOT EXISTS log_of_user ON events (user_id, item_id, created_at);
CREATE TEMP VIEW seen_event AS SELECT user_id, item_id, g, n_users FROM events
    JOIN shown ON created_at >= a AND created_at < b
    JOIN nightjar_generations ON generation = g;
CREATE TEMP TABLE there AS SELECT g, u, count(*) AS n FROM list
    WHERE (u, g) IN (SELECT user_id, g FROM seen_event) GROUP BY g, u;
CREATE TEMP TABLE row_of AS SELECT 'lists' AS model, g, u, rank, i, source FROM list JOIN there USING (g, u)
    UNION ALL SELECT 'popularity', g, u, place, i, NULL FROM (SELECT g, u, i, n,
        row_number() OVER (PARTITION BY g, u ORDER BY rank) AS place FROM there JOIN popular USING (g)
        JOIN (SELECT DISTINCT g, began FROM shown) USING (g)
        WHERE NOT EXISTS (SELECT 1 FROM events WHERE user_id = u AND item_id = i AND created_at < began)) WHERE place <= n;
CREATE TEMP TABLE hit AS SELECT *, (u, i, g) IN (SELECT user_id, item_id, g FROM seen_event) AS h,
    (SELECT count(DISTINCT item_id) FROM events WHERE user_id = u) AS had,
    (SELECT n_users FROM nightjar_generations WHERE generation = g) AS n_users FROM row_of;
SELECT g, model, grp, printf('%.9f', avg(h)) FROM (SELECT g, model, 'all' AS grp, h FROM hit
    UNION ALL SELECT g, model, 'ranks:1-5', h FROM hit
    UNION ALL SELECT g, model, 'source:' || CASE source WHEN 0 THEN 'model' WHEN 1 THEN 'cold' WHEN 2 THEN 'popular' END, h
        FROM hit WHERE source NOT NULL
    UNION ALL SELECT g, model, CASE WHEN had < 5 THEN 'users:1-4' WHEN had < 20 THEN 'users:5-19' WHEN had < 100
        THEN 'users:20-99' ELSE 'users:100+' END, h FROM hit) GROUP BY g, model, grp;
SELECT g, model, 'hit', printf('%.9f', avg(m)) FROM (SELECT g, model, u, max(h) AS m FROM hit GROUP BY g, model, u)
    GROUP BY g, model;
SELECT g, count(DISTINCT u), count(*), printf('%.9f', 1.0 * sum(h) / n_users) FROM hit WHERE model = 'lists' GROUP BY g;
SELECT g, printf('%.9f', sqrt((sum(s * s) - sum(s) * sum(s) * 1.0 / n_users) / (n_users - 1) / n_users))
    FROM (SELECT g, u, n_users, sum(h) AS s FROM hit WHERE model = 'lists' GROUP BY g, u) GROUP BY g;
SELECT g, printf('%.9f', avg(d)), printf('%.9f', sqrt((sum(d * d) - sum(d) * avg(d)) / (count(*) - 1) / count(*)))
    FROM (SELECT g, u, sum(iif(model = 'lists', h, -h)) AS d FROM hit GROUP BY g, u) GROUP BY g;
SQL
cat >said.sql <<'SQL'
SELECT generation, model, "group", printf('%.9f', value) FROM nightjar_metrics WHERE name = 'outcome_share'
    ORDER BY generation, model, "group";
SELECT generation, model, 'hit', printf('%.9f', value) FROM nightjar_metrics WHERE name = 'outcome_hit'
    ORDER BY generation, model;
SELECT u.generation, CAST(u.value AS INTEGER), CAST(r.value AS INTEGER), printf('%.9f', p.value) FROM nightjar_metrics u
    JOIN nightjar_metrics r USING (generation) JOIN nightjar_metrics p USING (generation)
    WHERE u.name = 'outcome_users' AND r.name = 'outcome_rows' AND p.name = 'outcome_per_user' ORDER BY 1;
SELECT generation, printf('%.9f', value) FROM nightjar_metrics WHERE name = 'outcome_per_user_error' ORDER BY 1;
SELECT m.generation, printf('%.9f', m.value), printf('%.9f', e.value) FROM nightjar_metrics m
    JOIN nightjar_metrics e USING (generation, model) WHERE m.name = 'outcome_over_popular'
    AND e.name = 'outcome_over_popular_error' ORDER BY 1;
SQL
agree() {
    {
        echo 'CREATE TEMP TABLE list (g, u, rank, i, source); CREATE TEMP TABLE popular (g, rank, i);'
        for g in "$@"; do
            echo "INSERT INTO list SELECT $g, \"user\", rank, item, source FROM recommendations_g$g;
                INSERT INTO popular SELECT $g, rank, item FROM popular_items_g$g;"
        done
        cat judge.sql
    } | sqlite3 shop.db >judged
    sqlite3 shop.db <said.sql | diff - judged && echo "the judge says the same in $(wc -l <judged) figures"
}
