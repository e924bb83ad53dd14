/* Publishing a generation. What people query are views; PREFIX stands before every name:
 *
 *      recommendations (user_id, rank, item_id, score, source, generation)    rank from 1
 *      recommendation_reasons (user_id, rank, item_id, place, because_item_id, contribution)
 *      recommendation_parts   (user_id, rank, part, value, weight)    their sum is the score
 *      popular_items   (rank, item_id, score)            for users that are not in the list above
 *      segment_popular_items  (segment, rank, item_id, score)    the same by segment
 *      similar_items   (item_id, rank, similar_item_id, score)
 *      trending_items  (category, days, rank, item_id, users)    category '': of all items
 *      similar_users   (user_id, rank, similar_user_id, score)
 *      user_embeddings (user_id, embedding, source)      float32, little-endian, unit length
 *      item_embeddings (item_id, embedding, bias, source)
                                        score = cosine / tau + bias + further parts
 *      nightjar_generations, nightjar_runs, nightjar_metrics, nightjar_current     tables
 *
 * Behind them stand the tables of each generation N (publish_rows.c):
 *
 *      NAME_gN for each view NAME, and items_gN (code, id) where ids of items are TEXT
 *
 *      and, where they were asked for, score_facts_gN, score_items_gN, score_pairs_gN and
 *      score_users_gN, which nightjar.so scores with
 *
 * The order: check the content -> make the fixed tables -> drop remains -> build and verify in
 * short transactions -> switch in one transaction -> drop what is beyond `keep`. Before the switch
 * any error leaves the views as they were. */
#include "publishing/generation.h"

#include "base/clock.h"
#include "publishing/publish_parts.h"

#include <assert.h>

enum { DROP_ROWS = 10000 };

/* Empties a table from the front in short transactions: dropping it at once would wipe all of its
 * pages under one lock, and in rollback-journal mode readers would wait for that. */
static enum status_code empty_table(struct db *db, const char *table, const char *key,
                                    struct status *status)
{
    struct buf many = {0}, delete = {0};
    enum status_code code;
    int64_t is_many;
    bool found;
    buf_add_text(&many, "SELECT 1 FROM ");
    db_quote(&many, table);
    buf_addf(&many, " LIMIT 1 OFFSET %d", DROP_ROWS);
    buf_add_text(&delete, "DELETE FROM ");
    db_quote(&delete, table);
    buf_addf(&delete, " WHERE %s <= (SELECT %s FROM ", key, key);
    db_quote(&delete, table);
    buf_addf(&delete, " ORDER BY %s LIMIT 1 OFFSET %d)", key, DROP_ROWS);
    TRY(buf_check(&many, status));
    for (;;) {
        TRY(db_get_int64(db, buf_text(&many), &is_many, &found, status));
        if (!found) {
            break;
        }
        TRY(db_begin_write(db, status));
        TRY(db_exec_buf(db, &delete, status));
        TRY(db_commit(db, status));
    }
done:
    buf_release(&many);
    buf_release(&delete);
    return code;
}

static const struct publish_table_info *find_table_info(const char *kind)
{
    for (int table = 0; table < N_TABLES; table++) {
        if (strcmp(publish_tables[table].name, kind) == 0) {
            return &publish_tables[table];
        }
    }
    return NULL;
}

/* Drops one table of ours and forgets it. Tables with user ids leave no trace in the file. */
static enum status_code drop_table(const struct publish_target *target, const char *name,
                                   const char *kind, struct status *status)
{
    struct db *db = target->db;
    const struct publish_table_info *info = find_table_info(kind);
    struct buf sql = {0}, type = {0};
    struct db_query *query = NULL;
    enum status_code code;
    bool wipe = info == NULL || info->has_users; /* a kind of another version: to be safe */
    TRY(db_exec(db, wipe ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = FAST", status));
    TRY(db_object_type(db, name, &type, status));
    bool is_there = strcmp(buf_text(&type), "table") == 0;
    if (is_there && wipe && info != NULL) {
        TRY(empty_table(db, name, info->key, status));
    }
    TRY(db_begin_write(db, status));
    if (is_there) {
        buf_add_text(&sql, "DROP TABLE IF EXISTS ");
        db_quote(&sql, name);
        TRY(db_exec_buf(db, &sql, status));
    }
    TRY(publish_prepare(db, target->prefix, "DELETE FROM $nightjar_objects WHERE name = ?1", &query,
                        status));
    TRY(db_bind_string(query, 1, name, status));
    TRY(db_run(query, status));
    TRY(db_commit(db, status));
done:
    db_finalize(query);
    buf_release(&sql);
    buf_release(&type);
    return code;
}

/* User tables come first, so that a failure on the way leaves the others. */
#define IN_ORDER                                                                                   \
    " ORDER BY generation, kind NOT IN ('users', 'recommendations', 'similar_users',"              \
    "  'score_users', 'user_embeddings') LIMIT 1"

/* The next table to drop: of a generation that was never finished, or is neither current nor among
 * the newest `keep`; with keep 0 of any, whatever the history says or lacks. */
static enum status_code find_stale(const struct publish_target *target, struct buf *name,
                                   struct buf *kind, bool *found, struct status *status)
{
    static const char any[] =
        "SELECT name, kind FROM $nightjar_objects WHERE generation > ?1" IN_ORDER;
    static const char stale[] =
        "SELECT name, kind FROM $nightjar_objects WHERE generation > 0"
        " AND generation NOT IN (SELECT generation FROM $nightjar_current)"
        " AND generation NOT IN (SELECT DISTINCT generation FROM $nightjar_objects"
        "  WHERE generation IN (SELECT generation FROM $nightjar_generations)"
        "  ORDER BY generation DESC LIMIT ?1)" IN_ORDER;
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(target->db, target->prefix, target->keep > 0 ? stale : any, &query,
                        status));
    TRY(db_bind_int64(query, 1, target->keep, status));
    TRY(db_step(query, found, status));
    if (*found) {
        buf_clear(name);
        buf_clear(kind);
        buf_add_text(name, db_column_text(query, 0, NULL));
        buf_add_text(kind, db_column_text(query, 1, NULL));
        TRY(buf_check(name, status));
        TRY(buf_check(kind, status));
    }
done:
    db_finalize(query);
    return code;
}

static enum status_code drop_old_groups(const struct publish_target *target, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(target->db, target->prefix,
                        "DELETE FROM $nightjar_metrics WHERE generation <="
                        " (SELECT max(generation) FROM $nightjar_generations) - ?1"
                        " AND (\"group\" GLOB 'users:*' OR \"group\" GLOB 'items:*' OR"
                        "  \"group\" GLOB 'evening:*')",
                        &query, status));
    TRY(db_bind_int64(query, 1, NIGHTS_WITH_GROUPS, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code publish_prune(const struct publish_target *target, struct status *status)
{
    struct buf name = {0}, kind = {0};
    enum status_code code;
    bool found;
    for (;;) {
        TRY(find_stale(target, &name, &kind, &found, status));
        if (!found) {
            break;
        }
        TRY(drop_table(target, buf_text(&name), buf_text(&kind), status));
    }
    if (target->keep > 0) {
        TRY(drop_old_groups(target, status));
    }
    TRY(db_exec(target->db, "PRAGMA secure_delete = ON", status));
done:
    if (code != STATUS_OK) {
        db_rollback(target->db);
        status_add_context(status, "dropping old generations");
    }
    buf_release(&name);
    buf_release(&kind);
    return code;
}

/* Before the switch: nobody has failed meanwhile, nor been asked to stop, which who waits for the
 * first rank can say only when it has come. */
static enum status_code agree_to_switch(const struct publish_target *target, struct status *status)
{
    enum status_code code;
    TRY(ranks_agree(target->ranks, status));
    TRY(watch_check(&target->watch, status));
    TRY(ranks_agree(target->ranks, status));
done:
    return code;
}

enum status_code publish_generation(const struct publish_target *target,
                                    const struct publish_content *content, int64_t *generation,
                                    struct status *status)
{
    enum status_code code;
    struct status drop_status = {0};
    int64_t counts[N_COUNTS], built = 0, build_started = clock_unix();
    char checksum[HASH_TEXT_MAX];
    assert(target->keep >= 1);
    TRY(publish_check_content(content, target->ranks, counts, status));
    if (!ranks_is_first(target->ranks)) {
        TRY(publish_send_rows(target, content, status));
        TRY(agree_to_switch(target, status));
        TRY(ranks_share(target->ranks, generation, sizeof *generation, status));
        goto done;
    }
    TRY(publish_migrate(target->db, target->prefix, status));
    TRY(publish_prune(target, status));
    TRY(publish_build(target, content, counts, &built, checksum, status));
    TRY(agree_to_switch(target, status));
    TRY(publish_switch(target, content, counts, built, checksum, build_started, status));
    *generation = built;
    TRY(ranks_share(target->ranks, generation, sizeof *generation, status));
done:
    /* After the switch nothing is an error any more; after a failure the half-built tables go. What
       cannot be dropped now is found again by the next publish. */
    if (built > 0) {
        if (publish_prune(target, &drop_status) != STATUS_OK && target->drop_status != NULL) {
            *target->drop_status = drop_status;
        }
    }
    return code;
}

enum status_code publish_decisions(struct db *db, const char *prefix, int64_t keep,
                                   struct db_query **query, struct status *status)
{
    enum status_code code;
    TRY(publish_prepare(
        db, prefix,
        "WITH keep(n) AS (SELECT ?1), there AS (SELECT DISTINCT o.generation, g.published, "
        "c.generation AS shown, c.instead_of"
        " FROM $nightjar_objects AS o LEFT JOIN $nightjar_generations AS g USING (generation)"
        " LEFT JOIN $nightjar_current AS c WHERE o.generation > 0), reasons AS ("
        "SELECT generation, published, CASE"
        " WHEN published IS NULL THEN ''"
        " WHEN generation = shown THEN 'the views show it'"
        " WHEN generation IN (SELECT generation FROM there WHERE published NOT NULL"
        "  ORDER BY generation DESC LIMIT (SELECT n FROM keep))"
        "  THEN 'one of the newest ' || (SELECT n FROM keep) || iif(generation = instead_of,"
        "   ', a rollback has put it away', '') END AS why FROM there)"
        " SELECT generation, datetime(published, 'unixepoch') AS published,"
        " iif(why != '', 'keep', 'drop') AS decision, CASE WHEN why != '' THEN why"
        " WHEN published IS NULL THEN 'left by an unfinished run'"
        " ELSE 'older than the newest ' || (SELECT n FROM keep) END AS why"
        " FROM reasons ORDER BY generation DESC",
        query, status));
    TRY(db_bind_int64(*query, 1, keep > 1 ? keep : 1, status));
done:
    return code;
}

enum status_code publish_describe_takeover(struct db *db, const char *prefix, const char *pipeline,
                                           struct buf *line, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    bool has_row = false;
    TRY(publish_table_exists(db, prefix, "nightjar_current", 0, &has_row, status));
    if (!has_row) {
        goto done;
    }
    TRY(publish_prepare(db, prefix,
                        "SELECT pipeline FROM $nightjar_generations JOIN $nightjar_current"
                        " USING (generation) WHERE pipeline <> ?1",
                        &query, status));
    TRY(db_bind_string(query, 1, pipeline, status));
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        buf_addf(line,
                 "the views (%srecommendations and so on) show what pipeline %s published, and "
                 "%s takes them over; two pipelines in one file need an output.prefix each",
                 prefix, db_column_text(query, 0, NULL), pipeline);
        TRY(buf_check(line, status));
    }
done:
    db_finalize(query);
    return code;
}
