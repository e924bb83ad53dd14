/* The log with all that decides what was a choice, and the lists of an evening against it. */
#include "commands/backtest_judge.h"

#include "base/mem.h"
#include "base/clock.h"
#include "evaluation/evaluation.h"
#include "events/interactions_options.h"
#include "events/source_database.h"

#include <stdlib.h>

/* What a row of the log is. */
enum { CHOICE = PART_TRAIN, DISLIKE = PART_VALID, ONLY_SEEN = PART_TEST };
/* What an item is to a user on an evening. */
enum { HAD = 1, ASKED = 2 };

/* A list of item codes per model, -1 for an item that the log does not have. */
struct lists {
    const struct backtest_log *log;
    int64_t time;
    size_t longest; /* the greatest k */
    size_t top;     /* of the longest published list: no baseline is longer */
    uint8_t *marks; /* (n_items) HAD, ASKED; of the user at hand */
    int64_t *keys;  /* (n_items) of the ranking by popularity */
    int32_t *ranked[N_BACKTEST_MODELS];
    size_t n_ranked[N_BACKTEST_MODELS];
};

/* Adds rows that are no choices to the log, of which they say what was had and what was last. */
static enum status_code merge(struct event_log *log, const struct event_log *others, uint8_t part,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t e = 0; e < others->n; e++) {
        const struct row_id user = vocabulary_id(&others->users, (size_t)others->user_codes[e]);
        const struct row_id item = vocabulary_id(&others->items, (size_t)others->item_codes[e]);
        int32_t u, i;
        TRY(vocabulary_add(&log->users, &user, &u, status));
        TRY(vocabulary_add(&log->items, &item, &i, status));
        TRY(event_log_add(log, u, i, 1, others->times[e], (enum event_part)part, status));
    }
done:
    return code;
}

enum status_code backtest_log_read(const struct plan *plan, const struct forgotten *forgotten,
                                   const struct watch *watch, struct backtest_log *out,
                                   struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    struct extract_request request;
    struct extraction extraction = {0};
    struct db *source = NULL;
    double share;
    bool found;
    enum status_code code;
    TRY(interactions_request(interactions_options_of(plan), &settings->source,
                             (uint64_t)settings->seed, &request, status));
    request.rules.forgotten = forgotten;
    TRY(source_database_open(plan, &source, status));
    TRY(extract_read(source, &request, watch, &extraction, status));
    if (!extraction.log.has_times) {
        TRY(status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                          "the log has no column created_at: it has no evenings"));
    }
    TRY(event_log_sort(&extraction.log, DUPLICATES_LAST, status));
    TRY(split_repeats(&request.split, &extraction.log, &out->repeats, &share, status));
    mem_free(extraction.log.user_start); /* to be sorted again */
    extraction.log.user_start = NULL;
    TRY(merge(&extraction.log, &extraction.dislikes, DISLIKE, status));
    TRY(merge(&extraction.log, &extraction.seen, ONLY_SEEN, status));
    TRY(event_log_sort(&extraction.log, DUPLICATES_LAST, status));
    out->newest = event_log_newest(&extraction.log, CHOICE, &found);
    out->events = extraction.log;
    out->events.dislikes = out->events.seen = NULL;
    extraction.log = (struct event_log){0};
done:
    db_close(source);
    extraction_release(&extraction);
    return code;
}

/* The items of a prepared query, from its first step on: at most `most`. */
static enum status_code read_items(const struct vocabulary *items, struct db_query *query,
                                   size_t most, int32_t *out, size_t *n, struct status *status)
{
    bool has_row = true;
    enum status_code code = STATUS_OK;
    for (*n = 0; *n < most;) {
        struct row_id id;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        out[(*n)++] = row_id_read(query, 0, &id) == ROW_ID_SOUND ? vocabulary_find(items, &id) : -1;
    }
    TRY(db_reset(query, status));
done:
    return code;
}

static int compare_keys(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* By how many users had chosen an item before the evening, at equal numbers by id. */
static void rank_by_popularity(struct lists *lists)
{
    const struct event_log *log = &lists->log->events;
    const int64_t n_items = (int64_t)log->items.n;
    for (int64_t i = 0; i < n_items; i++) {
        lists->keys[i] = i;
    }
    for (size_t e = 0, end; e < log->n; e = end) {
        bool chosen = false;
        end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            chosen = chosen || (log->parts[i] == CHOICE && log->times[i] < lists->time);
        }
        lists->keys[log->item_codes[e]] -= chosen ? n_items : 0;
    }
    qsort(lists->keys, log->items.n, sizeof *lists->keys, compare_keys);
    for (int64_t i = 0; i < n_items && lists->keys[i] < 0; i++) {
        lists->ranked[POPULARITY][lists->n_ranked[POPULARITY]++] =
            (int32_t)(((lists->keys[i] % n_items) + n_items) % n_items);
    }
}

/* Marks a user's items; how many are asked. A pair whose last word is a dislike is none. */
static size_t mark_items(struct lists *lists, size_t user)
{
    const struct event_log *log = &lists->log->events;
    size_t n = 0;
    for (size_t e = (size_t)log->user_start[user], end; e < (size_t)log->user_start[user + 1];
         e = end) {
        bool had = false, chosen = false, disliked = false;
        end = event_log_pair_end(log, e);
        int64_t last = INT64_MIN;
        for (size_t i = e; i < end; i++) {
            const int64_t time = log->times[i];
            had = had || time < lists->time;
            if (log->parts[i] != ONLY_SEEN) {
                chosen = chosen || (log->parts[i] == CHOICE && time >= lists->time &&
                                    time - lists->time < CLOCK_DAY);
                disliked = log->parts[i] == DISLIKE || (disliked && time == last);
                last = time;
            }
        }
        const bool asked = chosen && !disliked && (lists->log->repeats || !had);
        lists->marks[log->item_codes[e]] = (uint8_t)((had ? HAD : 0) | (asked ? ASKED : 0));
        n += asked;
    }
    return n;
}

/* Adds what the lists of a user are worth who is asked for n items. */
static void judge_user(const struct lists *lists, size_t n, const struct backtest_column *columns,
                       size_t n_columns, double *sums)
{
    uint8_t hits[N_BACKTEST_MODELS][METRIC_K_MAX] = {{0}};
    for (size_t m = 0; m < N_BACKTEST_MODELS; m++) {
        const size_t most =
            m == NIGHTJAR || lists->top > lists->longest ? lists->longest : lists->top;
        for (size_t i = 0, rank = 0; i < lists->n_ranked[m] && rank < most; i++) {
            const int32_t item = lists->ranked[m][i];
            const uint8_t mark = item < 0 ? 0 : lists->marks[item];
            if (m == NIGHTJAR || lists->log->repeats || (mark & HAD) == 0) {
                hits[m][rank++] = (mark & ASKED) != 0;
            }
        }
    }
    for (size_t c = 0; c < n_columns; c++) {
        const struct backtest_column *column = &columns[c];
        sums[c] += column->metric->of_user(hits[column->model], column->k, n);
    }
}

enum status_code backtest_judge(const struct backtest_log *backtest, const char *database,
                                int64_t time, const struct backtest_column *columns,
                                size_t n_columns, double *means, size_t *n_users,
                                struct status *status)
{
    const struct event_log *log = &backtest->events;
    struct lists lists = {.log = backtest, .time = time};
    struct db *db = NULL;
    struct db_query *popular = NULL, *of_user = NULL;
    int64_t top = 0;
    bool found;
    enum status_code code;
    for (size_t c = 0; c < n_columns; c++) {
        lists.longest = columns[c].k > lists.longest ? columns[c].k : lists.longest;
        means[c] = 0;
    }
    *n_users = 0;
    TRY(MEM_NEW(&lists.marks, log->items.n, status));
    TRY(MEM_NEW(&lists.keys, log->items.n, status));
    TRY(MEM_NEW(&lists.ranked[NIGHTJAR], lists.longest, status));
    TRY(MEM_NEW(&lists.ranked[RECENT_POPULARITY], log->items.n, status));
    TRY(MEM_NEW(&lists.ranked[POPULARITY], log->items.n, status));
    TRY(db_open(database, DB_READ, 5, &db, status));
    TRY(db_get_int64(db, "SELECT max(rank) FROM recommendations", &top, &found, status));
    TRY(db_prepare(db, "SELECT item_id FROM popular_items ORDER BY rank", &popular, status));
    TRY(db_prepare(db, "SELECT item_id FROM recommendations WHERE user_id = ?1 ORDER BY rank",
                   &of_user, status));
    lists.top = (size_t)top;
    TRY(read_items(&log->items, popular, log->items.n, lists.ranked[RECENT_POPULARITY],
                   &lists.n_ranked[RECENT_POPULARITY], status));
    rank_by_popularity(&lists);
    for (size_t u = 0; u < log->users.n; u++) {
        const struct row_id id = vocabulary_id(&log->users, u);
        const size_t n_asked = mark_items(&lists, u);
        if (n_asked > 0) {
            TRY(row_id_bind(of_user, 1, &id, status));
            TRY(read_items(&log->items, of_user, lists.longest, lists.ranked[NIGHTJAR],
                           &lists.n_ranked[NIGHTJAR], status));
        }
        if (n_asked > 0 && lists.n_ranked[NIGHTJAR] > 0) {
            judge_user(&lists, n_asked, columns, n_columns, means);
            (*n_users)++;
        }
        for (int64_t e = log->user_start[u]; e < log->user_start[u + 1]; e++) {
            lists.marks[log->item_codes[e]] = 0;
        }
    }
    for (size_t c = 0; c < n_columns; c++) {
        means[c] /= (double)(*n_users > 0 ? *n_users : 1);
    }
done:
    db_finalize(popular);
    db_finalize(of_user);
    db_close(db);
    mem_free(lists.marks);
    mem_free(lists.keys);
    for (size_t m = 0; m < N_BACKTEST_MODELS; m++) {
        mem_free(lists.ranked[m]);
    }
    return code;
}
