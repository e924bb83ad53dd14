/* Columns by their names, and what stands in them. */
#include "discovery/log_undone.h"

#include "discovery/yaml_text.h"

#include <string.h>

static const char taken_back[] = "cancelled canceled cancel refunded refund voided void";
/* of what is bought: an application that somebody rejects was made all the same */
static const char never_sold[] = "returned return failed declined rejected chargeback abandoned";

static bool any_word(const struct words *words, const char *list)
{
    bool any = false;
    for (size_t w = 0; w < words->n; w++) {
        any = any || word_in(words->text[w], list);
    }
    return any;
}

/* What the name alone promises. */
static enum log_undone_how how_of(const struct words *words)
{
    const char *last = words->n > 0 ? words->text[words->n - 1] : "";
    if (word_in(last, "status state")) {
        return LOG_UNDONE_STATES;
    }
    if (!any_word(words, taken_back)) {
        return LOG_UNDONE_NONE;
    }
    return word_in(last, "at on date time timestamp") ? LOG_UNDONE_TIME : LOG_UNDONE_FLAG;
}

/* The states of the column that say so. */
static enum status_code read_states(struct db *db, const struct schema *schema,
                                    const struct log_candidate *candidate, bool returns,
                                    struct log_undone *undone, struct status *status)
{
    struct db_query *query = NULL;
    struct buf sql = {0};
    bool has_row = true;
    size_t n_kinds = 0;
    enum status_code code;
    buf_add_text(&sql, "SELECT ");
    log_candidate_add_field(schema, candidate, undone->field, &sql);
    buf_add_text(&sql, ", count(*) FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    buf_addf(&sql, " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %d", LOG_EVENTS_MAX + 1);
    TRY(log_facts_first_row(db, &sql, &query, status));
    for (; query != NULL && has_row; n_kinds++) {
        size_t length = 0;
        const char *state =
            db_column_type(query, 0) == DB_TEXT ? db_column_text(query, 0, &length) : NULL;
        struct words words;
        words_split(state != NULL ? state : "", &words);
        const bool is_undone =
            any_word(&words, taken_back) || (returns && any_word(&words, never_sold));
        if (is_undone && length < LOG_EVENT_NAME_MAX && strlen(state) == length &&
            yaml_can_hold(state) && undone->n_states < LOG_UNDONE_MAX) {
            memcpy(undone->states[undone->n_states++], state, length + 1);
            undone->n_rows += db_column_double(query, 1);
        }
        TRY(db_step(query, &has_row, status));
    }
    if (n_kinds > LOG_EVENTS_MAX) { /* free text */
        undone->n_states = 0;
        undone->n_rows = 0;
    }
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

/* Rows that the condition would leave out, and whether the column is what its name says. */
static enum status_code count_marked(struct db *db, const struct schema *schema,
                                     const struct log_candidate *candidate,
                                     struct log_undone *undone, struct status *status)
{
    struct buf sql = {0}, field = {0};
    double found[2] = {0, 0};
    bool known;
    enum status_code code;
    log_candidate_add_field(schema, candidate, undone->field, &field);
    buf_addf(&sql,
             undone->how == LOG_UNDONE_FLAG ? "SELECT total(%s = 1), total(%s NOT IN (0, 1)) FROM "
                                            : "SELECT total(%s IS NOT NULL), total(%s = '') FROM ",
             buf_text(&field), buf_text(&field));
    log_candidate_add_from(schema, candidate, &sql);
    TRY(log_facts_numbers(db, &sql, found, 2, &known, status));
    undone->n_rows = known && found[1] == 0.0 ? found[0] : 0;
done:
    buf_release(&sql);
    buf_release(&field);
    return code;
}

enum status_code log_undone_find(struct db *db, const struct schema *schema,
                                 const struct log_candidate *candidate, bool returns,
                                 struct log_undone *out, struct status *status)
{
    const struct schema_table *own = &schema->tables[candidate->table];
    const int tables[] = {candidate->table, candidate->parent >= 0
                                                ? own->columns[candidate->parent].table
                                                : SCHEMA_NONE};
    enum status_code code = STATUS_OK;
    for (size_t t = 0; t < 2 && tables[t] >= 0; t++) {
        const struct schema_table *table = &schema->tables[tables[t]];
        for (size_t c = 0; c < table->n_columns && out->how == LOG_UNDONE_NONE; c++) {
            struct log_undone tried = {.how = how_of(&table->columns[c].words),
                                       .field = {tables[t], (int)c}};
            if (tried.how == LOG_UNDONE_STATES) {
                TRY(read_states(db, schema, candidate, returns, &tried, status));
            } else if (tried.how != LOG_UNDONE_NONE) {
                TRY(count_marked(db, schema, candidate, &tried, status));
            }
            if (tried.n_rows > 0) {
                *out = tried;
            }
        }
    }
done:
    return code;
}

void log_undone_add(const struct schema *schema, const struct log_candidate *candidate,
                    const struct log_undone *undone, struct buf *sql)
{
    buf_add_text(sql, undone->how == LOG_UNDONE_TIME ? "" : "coalesce(");
    log_candidate_add_field(schema, candidate, undone->field, sql);
    if (undone->how != LOG_UNDONE_STATES) {
        buf_add_text(sql, undone->how == LOG_UNDONE_FLAG ? ", 0) = 0" : " IS NULL");
        return;
    }
    for (size_t s = 0; s < undone->n_states; s++) {
        buf_add_text(sql, s == 0 ? ", '') NOT IN (" : ", ");
        log_facts_add_text(undone->states[s], sql);
    }
    buf_add_char(sql, ')');
}
