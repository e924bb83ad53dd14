/* The tables of the options, and what is wrong with them. */
#include "features/features_options.h"

#include "features/feature_reader.h"

#include <string.h>

static const char *const bad_value_names[] = {"reject", "impute", NULL};

const struct option features_column_table[] = {
    OPT_CHOICE(
        feature_rule, "type", type, "auto", feature_type_names,
        "what a cell holds: one category, several (a list), a number, words or a vector (a BLOB of "
        "little-endian float32, or a JSON array of numbers). `auto` goes by the cells: vector "
        "where "
        "most are BLOBs or arrays of numbers with fractions, numeric where more are numbers than "
        "texts, multi where every text is a JSON array, categorical where three rows or more share "
        "a text on average, else text"),
    OPT_TEXT(feature_rule, "separator", separator, ",",
             "what stands between the parts of a `multi` cell; a cell that begins with [ is read "
             "as a JSON array instead"),
    OPT_INT(feature_rule, "min_count", min_count, "2", 1, 1e9,
            "a category or a part of a list that fewer rows have gets no embedding of its own: it "
            "shares one of `buckets`, by its hash",
            .unit = "rows"),
    OPT_INT(feature_rule, "buckets", buckets, "0", 0, 16777216,
            "embeddings shared by hash: of the words of a `text` column, of the rare values of a "
            "categorical or multi one. 0 takes 16384 for words and 256 for values",
            .unit = "embeddings"),
    OPT_INT(feature_rule, "dimension", dimension, "0", 0, VECTOR_NUMBERS_MAX,
            "numbers that every vector of a `vector` column must have. 0: as many as the first one",
            .unit = "numbers"),
    OPT_INT(feature_rule, "components", components, "64", 0, VECTOR_NUMBERS_MAX,
            "principal components that are kept of a `vector` column. 0 keeps all numbers as they "
            "are: 8 bytes of memory each, a row",
            .unit = "numbers"),
    OPT_END};

static const struct option side_table[] = {
    OPT_TEXT(side_options, "query", query, NULL,
             "one SELECT with one row an id: the id (`item_id` or `user_id`) and the columns that "
             "describe it. Ids that the interactions do not have may be among them",
             .required = true),
    OPT_GROUPS(side_options, "columns", columns, features_column_table, feature_rule,
               "how to read a column of the query, such as `tags: {type: multi}`; columns that are "
               "not listed are read as `auto`"),
    OPT_END};

const struct option features_options_table[] = {
    OPT_GROUP(features_options, "items", side[FEATURE_ITEMS], side_table, "side data of items"),
    OPT_GROUP(features_options, "users", side[FEATURE_USERS], side_table, "side data of users"),
    OPT_CHOICE(features_options, "on_bad_value", on_bad_value, "reject", bad_value_names,
               "a value that does not fit its column (infinite, a BLOB, no number where numbers "
               "are meant, a broken JSON array) ends the run with its row and id, or counts as "
               "missing and is reported"),
    OPT_TEXT(features_options, "fingerprint", fingerprint, NULL,
             "a SELECT whose result changes whenever the side data do, say `SELECT "
             "max(updated_at), count(*) FROM products`. Without it the rows are read every time; "
             "what follows is redone only when they differ"),
    OPT_END};

void features_validate(const void *options, struct option_report *report)
{
    const struct features_options *o = options;

    if (!o->side[FEATURE_ITEMS].given && !o->side[FEATURE_USERS].given) {
        option_mistake(report, "",
                       "neither items nor users are given: there is nothing to read; give one of "
                       "them a query, or leave the stage out");
    }
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct option_groups *columns = &o->side[s].columns;
        const struct feature_rule *listed = columns->values;
        for (size_t c = 0; c < columns->n; c++) {
            char path[256];
            if (listed[c].separator == NULL || listed[c].separator[0] != '\0') {
                continue;
            }
            (void)snprintf(path, sizeof path, "%s.columns.%s.separator", feature_side_names[s],
                           columns->names[c]);
            option_mistake(report, path, "a separator must have at least one character");
        }
    }
}

/* Every rank reads all rows and keeps what it needs of them. */
void features_validate_plan(const struct plan *plan, const struct plan_stage *self,
                            struct option_report *report)
{
    const struct features_options *o = self->options;
    const char *interactions = plan->settings.source.interactions;
    if (plan->rank.n <= 1) {
        return;
    }
    if (plan->source_by_rank && (interactions == NULL || strstr(interactions, ":rank") == NULL)) {
        option_mistake(report, "",
                       "each rank has a source of its own, and side data are read from one that "
                       "all see: leave ${RANK} out of source.database, or run in one process");
    }
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        if (o->side[s].given && strstr(o->side[s].query, ":rank") != NULL) {
            option_mistake(report, s == FEATURE_ITEMS ? "items.query" : "users.query",
                           "every rank reads all rows of side data and keeps those of its own "
                           "users: leave :rank out");
        }
    }
}
