/* What tables of items and users say of them: titles and categories for people who look at the
 * report, side data for training, and what can be had. */
#include "discovery/proposal_parts.h"

#include <stdlib.h>
#include <strings.h>

void proposal_add_as(struct buf *part, const char *name, bool is_first)
{
    if (is_first && strcmp(buf_text(part), name) != 0) {
        buf_addf(part, " AS %s", name);
    }
}

static const struct schema_column *category_of(const struct schema_table *table)
{
    const struct schema_column *best = NULL;
    for (size_t c = 0; c < table->n_columns; c++) {
        /* a bare number tells nobody anything */
        const bool says = !table->columns[c].words.is_id || table->columns[c].table >= 0;
        if (words_category(&table->columns[c].words) >
                (best != NULL ? words_category(&best->words) : 0) &&
            table->title != (int)c && says) {
            best = &table->columns[c];
        }
    }
    return best;
}

void proposal_add_items_query(const struct proposal *proposal, struct buf *sql)
{
    const struct log_candidate *candidate = proposal->logs[0].candidate;
    const struct schema_column *item =
        &proposal->schema.tables[candidate->item.table].columns[candidate->item.column];
    if (item->table < 0 || proposal->schema.tables[item->table].title < 0) {
        return;
    }
    const struct schema_table *table = &proposal->schema.tables[item->table];
    const struct schema_column *category = category_of(table);
    const struct schema_table *other =
        category != NULL && category->table >= 0 && category->table != item->table
            ? &proposal->schema.tables[category->table]
            : NULL;
    const struct schema_column *shown = category;
    if (other != NULL) {
        shown = other->title >= 0 ? &other->columns[other->title] : NULL;
    }
    struct buf part = {0};
    const struct {
        const struct schema_table *table;
        const struct schema_column *column;
        const char *name;
    } columns[] = {{table, &table->columns[item->column], "item_id"},
                   {table, &table->columns[table->title], "title"},
                   {other != NULL ? other : table, shown, "category"}};
    for (size_t i = 0; i < sizeof columns / sizeof *columns && columns[i].column != NULL; i++) {
        buf_clear(&part);
        if (other != NULL && shown != NULL) {
            db_quote_lightly(&part, columns[i].table->name);
            buf_add_char(&part, '.');
        }
        db_quote_lightly(&part, columns[i].column->name);
        proposal_add_as(&part, columns[i].name, true);
        buf_addf(sql, "%s%s", i == 0 ? "SELECT " : ", ", buf_text(&part));
    }
    buf_addf(sql, "%sFROM ", other != NULL && shown != NULL ? "\n" : " ");
    db_quote_lightly(sql, table->name);
    if (other != NULL && shown != NULL) {
        buf_add_text(sql, " LEFT JOIN ");
        db_quote_lightly(sql, other->name);
        buf_add_text(sql, " ON ");
        db_quote_lightly(sql, other->name);
        buf_add_char(sql, '.');
        db_quote_lightly(sql, other->columns[category->column].name);
        buf_add_text(sql, " = ");
        db_quote_lightly(sql, table->name);
        buf_add_char(sql, '.');
        db_quote_lightly(sql, category->name);
    }
    buf_release(&part);
}

/* What a key of a table of kinds (GenreId) stands for there, as `genre`: the number itself would be
 * taken as one. Nothing where that table has no name for it. */
static bool add_kind(const struct proposal *proposal, const struct schema_table *table,
                     const struct schema_column *key, struct buf *part)
{
    const struct schema_table *other =
        key->table >= 0 ? &proposal->schema.tables[key->table] : NULL;
    if (other == NULL || other == table || other->title < 0 || words_category(&key->words) < 2) {
        return false;
    }
    struct buf name = {0};
    buf_add_text(part, ",\n  (SELECT ");
    db_quote_lightly(part, other->columns[other->title].name);
    buf_add_text(part, " FROM ");
    db_quote_lightly(part, other->name);
    buf_add_text(part, " WHERE ");
    db_quote_lightly(part, other->name);
    buf_add_char(part, '.');
    db_quote_lightly(part, other->columns[key->column].name);
    buf_add_text(part, " = ");
    db_quote_lightly(part, table->name);
    buf_add_char(part, '.');
    db_quote_lightly(part, key->name);
    buf_add_text(part, ") AS ");
    for (size_t w = 0; w < key->words.n; w++) {
        if (strcmp(key->words.text[w], "id") != 0) {
            buf_addf(&name, "%s%s", name.length > 0 ? "_" : "", key->words.text[w]);
        }
    }
    db_quote_lightly(part, buf_text(&name));
    part->failed = part->failed || name.failed;
    buf_release(&name);
    return true;
}

void proposal_add_side_query(const struct proposal *proposal, bool of_items, struct buf *sql)
{
    enum { MOST = 6 };
    const struct log_candidate *candidate = proposal->logs[0].candidate;
    const struct log_field field = of_items ? candidate->item : candidate->user;
    const struct schema_column *id = &proposal->schema.tables[field.table].columns[field.column];
    size_t n = 0;
    if (id->table < 0) {
        return;
    }
    const struct schema_table *table = &proposal->schema.tables[id->table];
    struct buf part = {0};
    db_quote_lightly(&part, table->columns[id->column].name);
    proposal_add_as(&part, of_items ? "item_id" : "user_id", true);
    for (size_t c = 0; c < table->n_columns && n < MOST; c++) {
        const struct schema_column *column = &table->columns[c];
        if ((int)c != id->column && (int)c != table->title &&
            words_are_side_data(&column->words, of_items)) {
            buf_add_text(&part, ", ");
            db_quote_lightly(&part, column->name);
            n++;
        } else if (of_items && (int)c != id->column) {
            n += add_kind(proposal, table, column, &part);
        }
    }
    if (n > 0) {
        buf_addf(sql, "SELECT %s%sFROM ", buf_text(&part),
                 strchr(buf_text(&part), '\n') != NULL ? "\n" : " ");
        db_quote_lightly(sql, table->name);
    }
    sql->failed = sql->failed || part.failed;
    buf_release(&part);
}

/* As declared: text says in words whether an item is there, a time since when. */
static bool holds_number(const struct schema_column *column)
{
    static const char *const kinds[] = {"INT", "BOOL", "REAL", "NUM", "DEC", "FLOAT", "DOUBLE"};
    bool found = false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        found = found || strncasecmp(column->type, kinds[k], strlen(kinds[k])) == 0;
    }
    return found && !word_in(words_noun(&column->words), "at date time on since until");
}

void proposal_add_eligible_query(const struct proposal *proposal, struct buf *sql)
{
    const struct log_field field = proposal->logs[0].candidate->item;
    const struct schema_column *id = &proposal->schema.tables[field.table].columns[field.column];
    const struct schema_column *best = NULL;
    int most = 0;
    struct buf name = {0};
    if (id->table < 0) {
        return;
    }
    const struct schema_table *table = &proposal->schema.tables[id->table];
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct schema_column *column = &table->columns[c];
        const int says = holds_number(column) ? words_availability(&column->words) : 0;
        if (abs(says) > abs(most)) {
            best = column;
            most = says;
        }
    }
    if (best != NULL) {
        db_quote_lightly(&name, table->columns[id->column].name);
        proposal_add_as(&name, "item_id", true);
        buf_addf(sql, "SELECT %s FROM ", buf_text(&name));
        db_quote_lightly(sql, table->name);
        buf_clear(&name);
        db_quote_lightly(&name, best->name);
        buf_addf(sql, " WHERE coalesce(%s, 0) %s 0", buf_text(&name), most > 0 ? ">" : "=");
    }
    sql->failed = sql->failed || name.failed;
    buf_release(&name);
}
