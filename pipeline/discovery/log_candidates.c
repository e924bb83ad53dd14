/* Scores of columns, and the best ones put together. */
#include "discovery/log_candidates.h"

#include <stdlib.h>
#include <strings.h>

enum { ITEMS_MAX = 4 }; /* item columns of one table that are looked at */

static const struct log_field nothing = {SCHEMA_NONE, SCHEMA_NONE};

/* ---- columns ---- */

static const struct schema_table *referred(const struct schema *schema,
                                           const struct schema_column *column)
{
    return column->table < 0 ? NULL : &schema->tables[column->table];
}

/* A row's own id says nothing of another thing, and neither does a reference to its like. */
static bool is_about_itself(const struct schema *schema, int t, int c)
{
    return schema->tables[t].key == c || schema->tables[t].columns[c].table == t;
}

/* People who stand for something else, such as the actors of a film, do so without a time. */
static int user_score(const struct schema *schema, int t, int c, bool has_time)
{
    const struct schema_column *column = &schema->tables[t].columns[c];
    const struct schema_table *other = referred(schema, column);
    const int by_name = words_user(&column->words);
    if (is_about_itself(schema, t, c)) {
        return 0;
    }
    if (other != NULL && other->is_people) {
        return by_name == 3 ? 3 : has_time ? 2 : 1;
    }
    return other != NULL && words_are_items(&other->words) ? 0 : by_name;
}

/* Of a column, without a look at what the table that it refers to stands for. */
static int plain_item_score(const struct schema *schema, int t, int c)
{
    const struct schema_column *column = &schema->tables[t].columns[c];
    const struct schema_table *other = referred(schema, column);
    const int by_name = words_item(&column->words);
    if (is_about_itself(schema, t, c) || words_user(&column->words) >= CANDIDATE_SCORE_SURE) {
        return 0;
    }
    if (other == NULL) {
        return by_name;
    }
    if (other->is_people || (by_name == 0 && words_are_no_items(&other->words))) {
        return 0;
    }
    if (words_are_items(&other->words)) {
        return 3;
    }
    return other->title >= 0 && by_name < 2 ? by_name + 1 : by_name;
}

/* The item that a row of the table stands for: the book of a copy; SCHEMA_NONE. */
static int stands_for(const struct schema *schema, int t, int *score)
{
    int best = SCHEMA_NONE;
    *score = 0;
    for (size_t c = 0; c < schema->tables[t].n_columns; c++) {
        const int value = plain_item_score(schema, t, (int)c);
        if (value > *score && value >= CANDIDATE_SCORE_SURE) {
            *score = value;
            best = (int)c;
        }
    }
    return words_stand_for_item(&schema->tables[t].words) ? best : SCHEMA_NONE;
}

static int item_score(const struct schema *schema, int t, int c)
{
    const struct schema_column *column = &schema->tables[t].columns[c];
    int score;
    return !is_about_itself(schema, t, c) && column->table >= 0 &&
                   stands_for(schema, column->table, &score) >= 0
               ? score
               : plain_item_score(schema, t, c);
}

static int time_score(const struct schema_column *column)
{
    static const char *const types[] = {"DATETIME", "TIMESTAMP", "DATE"};
    const int by_name = words_time(&column->words);
    for (size_t i = 0; i < sizeof types / sizeof *types && by_name == 0; i++) {
        if (strcasecmp(column->type, types[i]) == 0) {
            return 1;
        }
    }
    return by_name > 0 ? by_name : 0;
}

static int event_score(const struct schema_column *column)
{
    return words_event(&column->words);
}

static int rating_score(const struct schema_column *column)
{
    return words_rating(&column->words);
}

static int count_score(const struct schema_column *column)
{
    return words_count(&column->words);
}

static int quantity_score(const struct schema_column *column)
{
    return words_quantity(&column->words);
}

/* The first of the best columns of a table; *ties: others that are as good. */
static struct log_field best_column(const struct schema *schema, int t,
                                    int (*score)(const struct schema_column *), size_t *ties)
{
    const struct schema_table *table = &schema->tables[t];
    struct log_field best = nothing;
    int most = 0;
    *ties = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        const int value = table->columns[c].table >= 0 ? 0 : score(&table->columns[c]);
        *ties = value > most ? 0 : *ties + (value == most && value > 0);
        if (value > most) {
            most = value;
            best = (struct log_field){t, (int)c};
        }
    }
    return best;
}

static struct log_field best_user(const struct schema *schema, int t, int *score)
{
    struct log_field best = nothing;
    size_t ties;
    bool is_known = false; /* of two as good: the customer, whom there is a table of, and not the
                              visitor */
    const bool has_time = best_column(schema, t, time_score, &ties).column >= 0;
    *score = 0;
    for (size_t c = 0; c < schema->tables[t].n_columns; c++) {
        const int value = user_score(schema, t, (int)c, has_time);
        const struct schema_table *other = referred(schema, &schema->tables[t].columns[c]);
        const bool knows = other != NULL && other->is_people;
        if (value > *score || (value > 0 && value == *score && knows && !is_known)) {
            *score = value;
            is_known = knows;
            best = (struct log_field){t, (int)c};
        }
    }
    return best;
}

/* ---- tables ---- */

/* The user of a row's parent, of the order that a line belongs to. */
static void find_parent(const struct schema *schema, struct log_candidate *candidate)
{
    const struct schema_table *table = &schema->tables[candidate->table];
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct schema_column *column = &table->columns[c];
        const struct schema_table *parent = referred(schema, column);
        int score;
        if (parent == NULL || parent->key != column->column || column->table == candidate->table ||
            parent->is_people || words_are_items(&parent->words) ||
            (int)c == candidate->item.column) {
            continue;
        }
        const struct log_field user = best_user(schema, column->table, &score);
        if (score > candidate->user_score) {
            candidate->user = user;
            candidate->user_score = score;
            candidate->parent = (int)c;
        }
    }
}

/* loans(copy_id) -> copies(book_id): the book is meant. */
static void follow_stand_in(const struct schema *schema, struct log_candidate *candidate)
{
    const struct schema_column *column =
        &schema->tables[candidate->item.table].columns[candidate->item.column];
    int score;
    const int item = column->table < 0 || schema->tables[column->table].key != column->column
                         ? SCHEMA_NONE
                         : stands_for(schema, column->table, &score);
    if (item >= 0) {
        candidate->stand_in = candidate->item.column;
        candidate->item = (struct log_field){column->table, item};
    }
}

static void rate(const struct schema *schema, struct log_candidate *candidate)
{
    static const char unlikely[] =
        "recommendation price stock inventory shipment refund return permission archive old temp "
        "tmp backup staging draft preference setting similar related embedding map mapping";
    static const char held_out[] = "test valid validation holdout sample";
    const struct schema_table *table = &schema->tables[candidate->table];
    const struct schema_column *item =
        &schema->tables[candidate->item.table].columns[candidate->item.column];
    const struct schema_column *user =
        &schema->tables[candidate->user.table].columns[candidate->user.column];
    int score = 2 * (candidate->user_score + candidate->item_score);
    score += candidate->time.column >= 0 ? 2 : 0;
    score += words_event_name(&table->words)[0] != '\0' ? 2 : 0;
    score += (item->table >= 0) + (user->table >= 0);
    score += (candidate->event.column >= 0) + (candidate->rating.column >= 0);
    /* a thing with its owner is no event: articles(id, title, author_id, topic_id) */
    score -= words_are_items(&table->words) ? (table->title >= 0 ? 4 : 1) : 0;
    for (size_t w = 0; w < table->words.n; w++) {
        score -= word_in(table->words.text[w], unlikely) ? 20 : 0;
    }
    /* parts of a log that somebody holds out */
    score -= table->words.n == 1 && word_in(table->words.text[0], held_out) ? 20 : 0;
    candidate->score = score;
    candidate->user_table = user->table;
    candidate->item_table = item->table;
}

/* The table as a log of that item column; false: nobody acts there. */
static bool make(const struct schema *schema, int t, int item, int score,
                 struct log_candidate *candidate)
{
    size_t ties, ignored;
    *candidate = (struct log_candidate){.table = t,
                                        .user = nothing,
                                        .item = {t, item},
                                        .item_score = score,
                                        .parent = SCHEMA_NONE,
                                        .stand_in = SCHEMA_NONE};
    candidate->user = best_user(schema, t, &candidate->user_score);
    if (candidate->user_score < CANDIDATE_SCORE_SURE) {
        find_parent(schema, candidate);
    }
    if (candidate->user.column < 0 ||
        (candidate->user.table == t && candidate->user.column == item)) {
        return false;
    }
    follow_stand_in(schema, candidate);
    candidate->time = best_column(schema, t, time_score, &ties);
    if (candidate->time.column < 0 && candidate->parent >= 0) {
        candidate->time = best_column(schema, candidate->user.table, time_score, &ties);
    }
    candidate->other_time = ties > 0;
    candidate->event = best_column(schema, t, event_score, &ignored);
    candidate->rating = best_column(schema, t, rating_score, &ignored);
    candidate->count = best_column(schema, t, count_score, &ignored);
    candidate->quantity = best_column(schema, t, quantity_score, &ignored);
    rate(schema, candidate);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct log_candidate *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->table != y->table
               ? (x->table < y->table ? -1 : 1)
               : (x->item.column > y->item.column) - (x->item.column < y->item.column);
}

bool log_candidate_is_sure(const struct log_candidate *candidate)
{
    return candidate->user_score >= CANDIDATE_SCORE_SURE &&
           candidate->item_score >= CANDIDATE_SCORE_SURE && candidate->score > 8;
}

enum status_code log_candidates_find(struct schema *schema, struct log_candidates *candidates,
                                     struct status *status)
{
    struct log_candidates found = {0};
    enum status_code code;
    TRY(arena_new(&schema->arena, schema->n_tables * ITEMS_MAX + 1, sizeof *found.list,
                  (void **)&found.list, status));
    for (size_t t = 0; t < schema->n_tables; t++) {
        size_t n = 0;
        for (size_t c = 0; c < schema->tables[t].n_columns && n < ITEMS_MAX; c++) {
            const int score = item_score(schema, (int)t, (int)c);
            n += score > 0 && make(schema, (int)t, (int)c, score, &found.list[found.n + n]);
        }
        found.n += n;
    }
    qsort(found.list, found.n, sizeof *found.list, compare);
    *candidates = found;
done:
    return code;
}

/* ---- names and SQL ---- */

static const struct schema_column *column_of(const struct schema *schema, struct log_field field)
{
    return &schema->tables[field.table].columns[field.column];
}

static bool same_things(const struct schema *schema, int table_a, struct log_field a, int table_b,
                        struct log_field b)
{
    return table_a >= 0 || table_b >= 0 ? table_a == table_b
                                        : words_same(words_noun(&column_of(schema, a)->words),
                                                     words_noun(&column_of(schema, b)->words));
}

bool log_candidates_agree(const struct schema *schema, const struct log_candidate *a,
                          const struct log_candidate *b)
{
    return same_things(schema, a->item_table, a->item, b->item_table, b->item) &&
           same_things(schema, a->user_table, a->user, b->user_table, b->user);
}

static const char *name_of(const struct schema *schema, int table, struct log_field field)
{
    return table >= 0 ? schema->tables[table].name : column_of(schema, field)->name;
}

const char *log_candidate_items(const struct schema *schema, const struct log_candidate *candidate)
{
    return name_of(schema, candidate->item_table, candidate->item);
}

const char *log_candidate_users(const struct schema *schema, const struct log_candidate *candidate)
{
    return name_of(schema, candidate->user_table, candidate->user);
}

void log_candidate_add_field(const struct schema *schema, const struct log_candidate *candidate,
                             struct log_field field, struct buf *sql)
{
    if (candidate->parent >= 0 || candidate->stand_in >= 0) {
        db_quote_lightly(sql, schema->tables[field.table].name);
        buf_add_char(sql, '.');
    }
    db_quote_lightly(sql, column_of(schema, field)->name);
}

static void add_join(const struct schema *schema, int t, int by, struct buf *sql)
{
    const struct schema_column *column = by < 0 ? NULL : &schema->tables[t].columns[by];
    if (column == NULL) {
        return;
    }
    const struct schema_table *other = &schema->tables[column->table];
    buf_add_text(sql, "\n  JOIN ");
    db_quote_lightly(sql, other->name);
    buf_add_text(sql, " ON ");
    db_quote_lightly(sql, other->name);
    buf_add_char(sql, '.');
    db_quote_lightly(sql, other->columns[column->column].name);
    buf_add_text(sql, " = ");
    db_quote_lightly(sql, schema->tables[t].name);
    buf_add_char(sql, '.');
    db_quote_lightly(sql, column->name);
}

void log_candidate_add_from(const struct schema *schema, const struct log_candidate *candidate,
                            struct buf *sql)
{
    db_quote_lightly(sql, schema->tables[candidate->table].name);
    add_join(schema, candidate->table, candidate->parent, sql);
    add_join(schema, candidate->table, candidate->stand_in, sql);
}
