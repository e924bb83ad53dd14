/* nightjar_recommend(user, k, items): the list of a user as of now, by the published score.
 * `items`, a JSON array of ids, the newest last, is what the user did since: it is left out, and
 * moves the vector, transitions and evidence. Nobody of that id is a guest: with items by their
 * mean, else by the popular items. Rules on whole lists (caps, shares, diversity) are not kept. */
#include "extension/live_score.h"
#include "extension/table_function.h"

#include <math.h>

/* data: (items) scores; NaN is never taken. */
static void offer_scored(struct call *call, const void *data, int32_t item)
{
    topk_offer(&call->best, ((const float *)data)[item], item);
}

/* scores = those of a view's rows of item_id and score, NaN elsewhere; *n of them. */
static int read_list(struct call *call, const char *view, const char *text, float *scores,
                     size_t *n, char **error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_DONE;
    int code = catalogue_prepare(call->catalogue, call->db, view, text, &rows, error);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(rows) > 0) {
        code = sqlite3_bind_value(rows, 1, call->of);
    }
    *n = 0;
    for (size_t i = 0; i < call->catalogue->n; i++) {
        scores[i] = NAN;
    }
    while (code == SQLITE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        ++*n;
        const int32_t item = catalogue_find(call->catalogue, sqlite3_column_value(rows, 0));
        if (item >= 0) {
            scores[item] = (float)sqlite3_column_double(rows, 1);
        }
    }
    code = catalogue_end(code, step, call->db, error);
    sqlite3_finalize(rows);
    return code;
}

/* Of somebody without a vector: the published list, which is by popularity, else the popular items.
 */
static int read_popular(struct call *call, float *scores, char **error)
{
    size_t n = 0;
    int code = read_list(call, "recommendations", "SELECT item_id, score FROM $ WHERE user_id = ?1",
                         scores, &n, error);
    if (code == SQLITE_OK && n == 0) {
        code = read_list(call, "popular_items", "SELECT item_id, score FROM $", scores, &n, error);
    }
    return code;
}

/* scores (items of the catalogue) of the call's user. */
static int make_scores(struct call *call, float *scores, char **error)
{
    const struct live_items *live = NULL;
    struct live_user user = {0};
    int code = live_items_get(call->catalogue, call->db, &live, error);
    code = code == SQLITE_OK ? live_user_read(call->catalogue, live, call->db, call->of, &user,
                                              call->vector, error)
                             : code;
    if (code == SQLITE_OK && call->items != NULL &&
        sqlite3_value_type(call->items) != SQLITE_NULL) {
        code =
            live_user_add(call->catalogue, live, call->db, call->items, &user, call->vector, error);
    }
    if (code == SQLITE_OK && user.has_vector) {
        call->source = user.is_cold ? "cold" : "model";
        code = live_score(call->catalogue, live, call->db, &user, call->vector, scores, error);
    } else if (code == SQLITE_OK) {
        call->source = "popular";
        code = read_popular(call, scores, error);
    }
    live_user_release(&user);
    return code;
}

static int fill_recommend(struct call *call)
{
    float *scores = sqlite3_malloc64((call->catalogue->n + 1) * sizeof *scores);
    char *error = NULL;
    int code = scores == NULL ? SQLITE_NOMEM : make_scores(call, scores, &error);
    if (code == SQLITE_OK) {
        code = call_each_item(call, offer_scored, scores);
    } else if (error != NULL) {
        code = call_fail(call, error);
    }
    sqlite3_free(scores);
    return code;
}

/* As in the view: cold where the towers have a row for one of the two at most. */
static void show_source(const struct call *call, size_t row, sqlite3_context *context)
{
    const struct live_items *live = call->catalogue->live;
    const int32_t candidate = live->candidate_of[call->found[row]];
    const bool is_cold = call->source[0] == 'm' && (size_t)candidate >= live->n_known;
    sqlite3_result_text(context, is_cold ? "cold" : call->source, -1, SQLITE_STATIC);
}

int recommend_register(sqlite3 *db, struct catalogues *catalogues)
{
    static const struct function recommend = {
        .name = "nightjar_recommend",
        .argument = "user",
        .declaration = "CREATE TABLE nightjar_recommend(rank INTEGER, item_id, score REAL,"
                       " source TEXT, \"user\" HIDDEN, k HIDDEN, items HIDDEN,"
                       " \"database\" HIDDEN)",
        .takes_items = true,
        .fill = fill_recommend,
        .show_fourth = show_source};
    return table_function_register(db, &recommend, catalogues);
}
