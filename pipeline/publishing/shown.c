/* Queries over the history of published generations and over their views. */
#include "publishing/shown.h"

#include "base/mem.h"
#include "publishing/generation.h"
#include "publishing/publish_parts.h"

static const char kept_generations[] =
    "SELECT generation, run_started, n_users FROM $nightjar_generations WHERE generation IN"
    " (SELECT generation FROM $nightjar_objects WHERE kind = 'recommendations')"
    " ORDER BY generation";
static const char all_switches[] = "SELECT switched, generation FROM $nightjar_switches"
                                   " ORDER BY switched, switch";
/* Of a database from before there were such rows; as 0008_output_switches.sql fills them. */
static const char known_switches[] =
    "SELECT published AS switched, generation FROM $nightjar_generations UNION ALL"
    " SELECT switched, generation FROM $nightjar_current WHERE instead_of NOT NULL ORDER BY 1";

/* Rows that people write hold anything: what is so far away counts alike, and the time between two
 * can be told. */
static int64_t sound_time(int64_t time)
{
    const int64_t far = INT64_C(1) << 60;
    return time > far ? far : time < -far ? -far : time;
}

static enum status_code read_switches(struct db *db, const char *prefix, struct shown *out,
                                      struct status *status)
{
    struct db_query *query = NULL;
    bool found = false;
    enum status_code code;
    TRY(publish_table_exists(db, prefix, "nightjar_switches", 0, &found, status));
    TRY(publish_prepare(db, prefix, found ? all_switches : known_switches, &query, status));
    for (;;) {
        TRY(db_step(query, &found, status));
        if (!found) {
            break;
        }
        TRY(MEM_RESIZE(&out->switches, out->n_switches, out->n_switches + 1, status));
        out->switches[out->n_switches++] =
            (struct shown_switch){sound_time(db_column_int64(query, 0)), db_column_int64(query, 1)};
    }
done:
    db_finalize(query);
    return code;
}

enum status_code shown_read(struct db *db, const char *prefix, struct shown *out,
                            struct status *status)
{
    struct db_query *query = NULL;
    struct shown made = {0};
    bool found = false;
    enum status_code code;
    TRY(publish_table_exists(db, prefix, "nightjar_current", 0, &found, status));
    if (found) {
        TRY(read_switches(db, prefix, &made, status));
        TRY(publish_prepare(db, prefix, kept_generations, &query, status));
    }
    while (found) {
        TRY(db_step(query, &found, status));
        if (found) {
            TRY(MEM_RESIZE(&made.kept, made.n, made.n + 1, status));
            made.kept[made.n++] =
                (struct shown_generation){.generation = db_column_int64(query, 0),
                                          .run_started = db_column_int64(query, 1),
                                          .n_users = db_column_int64(query, 2)};
        }
    }
    *out = made;
    made = (struct shown){0};
done:
    shown_release(&made);
    db_finalize(query);
    return code;
}

int64_t shown_at(const struct shown *shown, int64_t time)
{
    size_t low = 0, high = shown->n_switches; /* the first switch behind the time */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (shown->switches[middle].time <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? 0 : shown->switches[low - 1].generation;
}

enum status_code shown_since(struct db *db, const char *prefix, int64_t *since,
                             struct status *status)
{
    bool found = false;
    enum status_code code;
    *since = INT64_MAX;
    TRY(publish_table_exists(db, prefix, "nightjar_current", 0, &found, status));
    if (found) {
        TRY(publish_get_int64(db, prefix,
                              "SELECT min(min(run_started, published)) FROM $nightjar_generations"
                              " WHERE generation >= ?1 AND generation IN"
                              " (SELECT generation FROM $nightjar_objects"
                              "  WHERE kind = 'recommendations')",
                              0, since, &found, status));
    }
done:
    return code;
}

void shown_release(struct shown *shown)
{
    mem_free(shown->kept);
    mem_free(shown->switches);
    *shown = (struct shown){0};
}

/* "SELECT columns FROM (the view as it is over the generation)" and the rest. */
static enum status_code prepare(struct db *db, const char *prefix, int64_t generation,
                                const char *view, const char *columns, const char *rest,
                                struct db_query **query, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    buf_addf(&sql, "SELECT %s FROM (", columns);
    TRY(publish_select(db, prefix, view, generation, &sql, status));
    buf_addf(&sql, ") %s ORDER BY rank", rest);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), query, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code shown_prepare_list(struct db *db, const char *prefix, int64_t generation,
                                    struct db_query **query, struct status *status)
{
    return prepare(db, prefix, generation, "recommendations", "rank, item_id, source",
                   "WHERE user_id = ?1", query, status);
}

enum status_code shown_prepare_popular(struct db *db, const char *prefix, int64_t generation,
                                       struct db_query **query, struct status *status)
{
    return prepare(db, prefix, generation, "popular_items", "item_id", "", query, status);
}

static const char trial[] =
    "WITH part AS (SELECT g.generation, g.published, g.pipeline,"
    "  (SELECT value FROM $nightjar_metrics AS m WHERE m.generation = g.generation"
    "   AND m.name = ?2 AND m.\"group\" = ?1) AS share,"
    "  (SELECT value FROM $nightjar_metrics AS m WHERE m.generation = g.generation"
    "   AND m.name = ?3 AND m.\"group\" = ?1) AS start FROM $nightjar_generations AS g),"
    " newest AS (SELECT * FROM part ORDER BY generation DESC LIMIT 1)"
    " SELECT coalesce(min(p.published), 0), n.pipeline FROM newest AS n JOIN part AS p"
    " WHERE n.share NOT NULL AND p.generation > coalesce((SELECT max(o.generation) FROM part AS o"
    "  WHERE o.share IS NOT n.share OR o.start IS NOT n.start), 0) AND p.generation IN"
    "  (SELECT generation FROM $nightjar_objects WHERE kind = 'recommendations')";

enum status_code shown_read_trial(struct db *db, const char *prefix, const char *of,
                                  const char *share, const char *start, struct shown_trial *out,
                                  struct status *status)
{
    const char *const texts[] = {of, share, start};
    struct db_query *query = NULL;
    bool found = false;
    enum status_code code;
    *out = (struct shown_trial){0};
    TRY(publish_table_exists(db, prefix, "nightjar_current", 0, &found, status));
    if (!found) {
        goto done;
    }
    TRY(publish_prepare(db, prefix, trial, &query, status));
    for (int t = 0; t < 3; t++) {
        TRY(db_bind_string(query, t + 1, texts[t], status));
    }
    TRY(db_step(query, &found, status));
    if (found && db_column_type(query, 1) == DB_TEXT) {
        out->since = db_column_int64(query, 0);
        snprintf(out->pipeline, sizeof out->pipeline, "%s", db_column_text(query, 1, NULL));
    }
done:
    db_finalize(query);
    return code;
}
