/* User by user through the new events: of each generation the user's list is looked up by its key,
 * so that lists of users who did nothing are never read. */
#include "evaluation/outcome.h"

#include "base/mem.h"
#include "publishing/shown.h"

#include <math.h>
#include <string.h>

enum { N_RANKS = 5, N_HISTORIES = 4 };
/* Groups: all, then by rank, source and the length of the user's history. */
enum {
    BY_RANK = 1,
    BY_SOURCE = BY_RANK + N_RANKS,
    BY_HISTORY = BY_SOURCE + PUBLISH_N_SOURCES,
    N_OUTCOME_GROUPS = BY_HISTORY + N_HISTORIES
};
static const char *const group_names[N_OUTCOME_GROUPS] = {
    [0] = "all",
    [BY_RANK] = "ranks:1-5",
    "ranks:6-10",
    "ranks:11-20",
    "ranks:21-50",
    "ranks:51+",
    [BY_SOURCE + PUBLISH_MODEL] = "source:model",
    [BY_SOURCE + PUBLISH_COLD] = "source:cold",
    [BY_SOURCE + PUBLISH_POPULAR] = "source:popular",
    [BY_SOURCE + PUBLISH_RELAXED] = "source:relaxed",
    [BY_HISTORY] = "users:1-4",
    "users:5-19",
    "users:20-99",
    "users:100+"};
static const int64_t rank_ends[N_RANKS - 1] = {5, 10, 20, 50};
static const int64_t history_ends[N_HISTORIES - 1] = {4, 19, 99};

/* From this share of rows on that their users had before, lists are not without such items: of
 * those that are, events which came into the log late make some few. */
static const double had_share = 0.02;

enum { LISTS, POPULAR_NEW, POPULAR_ALL, N_LISTS };

struct tally {
    int64_t rows[N_OUTCOME_GROUPS], hits[N_OUTCOME_GROUPS];
    int64_t hit_users;
};

/* A generation that is judged. */
struct judged {
    struct shown_generation shown;
    int64_t seconds; /* that people have seen it */
    struct db_query *list;
    int32_t *popular; /* (n_popular) item codes by rank, -1: not in the log any more */
    size_t n_popular;
    struct tally tallies[N_LISTS];
    int64_t n_users, n_had; /* users judged; rows of items that they had before */
    double squares;         /* of the users' numbers of rows that came true */
    /* how many more they were than of the popular items, by which these are */
    double more[N_LISTS], more_squares[N_LISTS];
};

/* A user's events, by item. */
struct user_events {
    const struct new_events *events;
    const struct interactions *interactions;
    const int64_t *seen; /* (events) the generation that people saw then */
    int32_t user;
    size_t first, end;
};

static int group_of(int64_t value, const int64_t *ends, int n)
{
    int group = 0;
    while (group < n - 1 && value > ends[group]) {
        group++;
    }
    return group;
}

/* The user's new events with the item: [*first, *end). */
static void find_item(const struct user_events *of, int32_t item, size_t *first, size_t *end)
{
    size_t low = of->first, high = of->end;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (of->events->items[middle] < item) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *first = low;
    while (low < of->end && of->events->items[low] == item) {
        low++;
    }
    *end = low;
}

static bool came_true(const struct user_events *of, int64_t generation, int32_t item)
{
    size_t first, end;
    bool is_true = false;
    find_item(of, item, &first, &end);
    for (size_t e = first; e < end; e++) {
        is_true = is_true || of->seen[e] == generation;
    }
    return is_true;
}

/* Whether the user has an event with the item before that time: the log knows when it was last,
 * the new events whether there was one before them. */
static bool had_before(const struct user_events *of, int64_t time, int32_t item)
{
    const struct history *log = &of->interactions->log;
    size_t n, first, end;
    const int32_t *items = sparse_row(&log->matrix, (size_t)of->user, &n);
    const size_t at = columns_find(items, n, item);
    if (at == n) {
        return false;
    }
    bool had = log->times[log->matrix.offsets[of->user] + (int64_t)at] < time;
    find_item(of, item, &first, &end);
    for (size_t e = first; e < end; e++) {
        had = had || of->events->had[e] != 0 || of->events->times[e] < time;
    }
    return had;
}

static void count_row(struct tally *tally, int64_t rank, int source, int history, bool is_true)
{
    const int groups[] = {0, BY_RANK + group_of(rank, rank_ends, N_RANKS), BY_HISTORY + history,
                          source < 0 ? -1 : BY_SOURCE + source};
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        if (groups[g] >= 0) {
            tally->rows[groups[g]]++;
            tally->hits[groups[g]] += is_true;
        }
    }
}

static int source_of(struct db_query *query, int column)
{
    const char *name = db_column_text(query, column, NULL);
    int source = -1;
    for (int s = 0; name != NULL && s < PUBLISH_N_SOURCES; s++) {
        source = strcmp(publish_source_names[s], name) == 0 ? s : source;
    }
    return source;
}

/* *n_rows 0: the user has no list. */
static enum status_code judge_list(struct judged *judged, const struct user_events *of, int history,
                                   int64_t *n_rows, int64_t *n_true, struct status *status)
{
    const struct row_id user = vocabulary_id(&of->interactions->users, (size_t)of->user);
    enum status_code code;
    bool has_row;
    *n_rows = *n_true = 0;
    TRY(row_id_bind(judged->list, 1, &user, status));
    for (;;) {
        struct row_id id;
        TRY(db_step(judged->list, &has_row, status));
        if (!has_row) {
            break;
        }
        const int32_t item = row_id_read(judged->list, 1, &id) == ROW_ID_SOUND
                                 ? vocabulary_find(&of->interactions->items, &id)
                                 : -1;
        const bool is_true = item >= 0 && came_true(of, judged->shown.generation, item);
        count_row(&judged->tallies[LISTS], db_column_int64(judged->list, 0),
                  source_of(judged->list, 2), history, is_true);
        judged->n_had += item >= 0 && had_before(of, judged->shown.run_started, item);
        *n_rows += 1;
        *n_true += is_true;
    }
    TRY(db_reset(judged->list, status));
done:
    return code;
}

/* As many of the popular items as the list has rows. */
static void judge_popular(struct judged *judged, const struct user_events *of, int history,
                          int64_t n_rows, int64_t n_list_true, int which)
{
    struct tally *tally = &judged->tallies[which];
    int64_t rank = 0, n_true = 0;
    for (size_t i = 0; i < judged->n_popular && rank < n_rows; i++) {
        const int32_t item = judged->popular[i];
        if (which == POPULAR_NEW && item >= 0 && had_before(of, judged->shown.run_started, item)) {
            continue;
        }
        const bool is_true = item >= 0 && came_true(of, judged->shown.generation, item);
        count_row(tally, ++rank, -1, history, is_true);
        n_true += is_true;
    }
    const double more = (double)(n_list_true - n_true);
    tally->hit_users += n_true > 0;
    judged->more[which] += more;
    judged->more_squares[which] += more * more;
}

/* *n_true: of rows of the user, over all generations. */
static enum status_code judge_user(struct judged *judged, size_t n, const struct user_events *of,
                                   int64_t *n_true, struct status *status)
{
    const int history =
        group_of((int64_t)sparse_row_length(&of->interactions->log.matrix, (size_t)of->user),
                 history_ends, N_HISTORIES);
    enum status_code code = STATUS_OK;
    *n_true = 0;
    for (size_t g = 0; g < n; g++) {
        struct judged *one = &judged[g];
        bool was_there = false;
        int64_t n_rows, n_hits;
        for (size_t e = of->first; e < of->end && !was_there; e++) {
            was_there = of->seen[e] == one->shown.generation;
        }
        if (!was_there) {
            continue;
        }
        TRY(judge_list(one, of, history, &n_rows, &n_hits, status));
        if (n_rows > 0) {
            one->n_users++;
            one->tallies[LISTS].hit_users += n_hits > 0;
            one->squares += (double)n_hits * (double)n_hits;
            judge_popular(one, of, history, n_rows, n_hits, POPULAR_NEW);
            judge_popular(one, of, history, n_rows, n_hits, POPULAR_ALL);
            *n_true += n_hits;
        }
    }
done:
    return code;
}

/* ---- which generations ---- */

static enum status_code read_popular(struct db *db, const char *prefix,
                                     const struct vocabulary *items, struct judged *judged,
                                     struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(shown_prepare_popular(db, prefix, judged->shown.generation, &query, status));
    for (size_t n = 0;; n++) {
        struct row_id id;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (n % 256 == 0) {
            TRY(MEM_RESIZE(&judged->popular, n, n + 256, status));
        }
        judged->popular[n] =
            row_id_read(query, 0, &id) == ROW_ID_SOUND ? vocabulary_find(items, &id) : -1;
        judged->n_popular = n + 1;
    }
done:
    db_finalize(query);
    return code;
}

/* Since when people saw the generation, INT64_MAX: not from `since` on; and how long by `newest`.
 */
static void measure(const struct shown *shown, int64_t generation, int64_t since, int64_t newest,
                    int64_t *first, int64_t *seconds)
{
    *first = INT64_MAX;
    *seconds = 0;
    for (size_t s = 0; s < shown->n_switches; s++) {
        const struct shown_switch *of = &shown->switches[s];
        const int64_t from = of->time > since ? of->time : since;
        const int64_t until = s + 1 == shown->n_switches ? INT64_MAX : of[1].time;
        if (of->generation == generation && from < until) {
            const int64_t end = until < newest ? until : newest;
            *first = from < *first ? from : *first;
            *seconds += end > from ? end - from : 0;
        }
    }
}

/* Which generation people saw at each event; 0: none, or before `since`. */
static enum status_code find_seen(const struct shown *shown, const struct new_events *events,
                                  int64_t since, int64_t **seen, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(seen, events->n, status));
    for (size_t e = 0; e < events->n; e++) {
        (*seen)[e] = events->times[e] >= since ? shown_at(shown, events->times[e]) : 0;
    }
done:
    return code;
}

/* Those whose whole time the events cover, or from `since` on. */
static enum status_code open_generations(struct db *db, const char *prefix,
                                         const struct outcome_truth *truth,
                                         const struct shown *shown, int64_t since,
                                         struct judged **out, size_t *n, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(out, shown->n, status));
    for (size_t s = 0; s < shown->n; s++) {
        const int64_t generation = shown->kept[s].generation;
        int64_t first, seconds;
        measure(shown, generation, since, truth->interactions->newest_time, &first, &seconds);
        if (first < truth->events->since || first == INT64_MAX) {
            continue;
        }
        struct judged *one = &(*out)[*n];
        one->shown = shown->kept[s];
        one->seconds = seconds;
        (*n)++;
        TRY(shown_prepare_list(db, prefix, generation, &one->list, status));
        TRY(read_popular(db, prefix, &truth->interactions->items, one, status));
    }
done:
    return code;
}

static void close_generations(struct judged *judged, size_t n)
{
    for (size_t g = 0; g < n; g++) {
        db_finalize(judged[g].list);
        mem_free(judged[g].popular);
    }
    mem_free(judged);
}

/* ---- what is said ---- */

static enum status_code add(struct outcome *out, const struct shown_generation *shown,
                            const char *name, const char *model, const char *group, double value,
                            struct status *status)
{
    enum status_code code;
    TRY(MEM_RESIZE(&out->rows, out->n, out->n + 1, status));
    out->rows[out->n++] = (struct publish_outcome){
        shown->generation, shown->run_started, {name, model, group, value, 0}};
done:
    return code;
}

static enum status_code add_shares(struct outcome *out, const struct judged *judged, int which,
                                   const char *model, struct status *status)
{
    const struct tally *tally = &judged->tallies[which];
    enum status_code code = STATUS_OK;
    for (int g = 0; g < N_OUTCOME_GROUPS; g++) {
        if (tally->rows[g] > 0) {
            TRY(add(out, &judged->shown, "outcome_share", model, group_names[g],
                    (double)tally->hits[g] / (double)tally->rows[g], status));
        }
    }
    TRY(add(out, &judged->shown, "outcome_hit", model, "all",
            (double)tally->hit_users / (double)judged->n_users, status));
done:
    return code;
}

void outcome_mean(double sum, double squares, int64_t n, double *mean, double *error)
{
    const double count = (double)n;
    *mean = sum / count;
    *error = n > 1 ? sqrt(fmax(squares - sum * *mean, 0) / (count - 1) / count) : 0;
}

static enum status_code tell(struct outcome *out, const struct judged *judged,
                             struct status *status)
{
    const struct shown_generation *shown = &judged->shown;
    const struct tally *tally = &judged->tallies[LISTS];
    const int popular =
        (double)judged->n_had > had_share * (double)tally->rows[0] ? POPULAR_ALL : POPULAR_NEW;
    const double hours = (double)judged->seconds / 3600.0;
    double mean, error;
    enum status_code code;
    outcome_mean((double)tally->hits[0], judged->squares, shown->n_users, &mean, &error);
    TRY(add_shares(out, judged, LISTS, "lists", status));
    TRY(add_shares(out, judged, popular, "popularity", status));
    TRY(add(out, shown, "outcome_per_user", "lists", "all", mean, status));
    TRY(add(out, shown, "outcome_per_user_error", "lists", "all", error, status));
    outcome_mean(judged->more[popular], judged->more_squares[popular], judged->n_users, &mean,
                 &error);
    TRY(add(out, shown, "outcome_over_popular", "lists", "all", mean, status));
    TRY(add(out, shown, "outcome_over_popular_error", "lists", "all", error, status));
    TRY(add(out, shown, "outcome_users", "lists", "all", (double)judged->n_users, status));
    TRY(add(out, shown, "outcome_rows", "lists", "all", (double)tally->rows[0], status));
    TRY(add(out, shown, "outcome_hours", "lists", "all", hours, status));
done:
    return code;
}

/* What is counted for a generation, one number behind the other. */
struct sums {
    struct tally tallies[N_LISTS];
    int64_t n_users, n_had, squares, more[N_LISTS], more_squares[N_LISTS];
};

/* Over all ranks: whole numbers, so in any order. */
static enum status_code add_up(struct ranks *ranks, struct judged *judged, size_t n,
                               struct outcome_total *total, struct status *status)
{
    enum status_code code;
    int64_t totals[] = {(int64_t)total->sum, (int64_t)total->squares};
    for (size_t g = 0; g < n; g++) {
        struct judged *one = &judged[g];
        struct sums sums = {
            .n_users = one->n_users, .n_had = one->n_had, .squares = (int64_t)one->squares};
        memcpy(sums.tallies, one->tallies, sizeof sums.tallies);
        for (int l = 0; l < N_LISTS; l++) {
            sums.more[l] = (int64_t)one->more[l];
            sums.more_squares[l] = (int64_t)one->more_squares[l];
        }
        TRY(ranks_sum_int64(ranks, (int64_t *)&sums, sizeof sums / sizeof(int64_t), status));
        memcpy(one->tallies, sums.tallies, sizeof sums.tallies);
        one->n_users = sums.n_users;
        one->n_had = sums.n_had;
        one->squares = (double)sums.squares;
        for (int l = 0; l < N_LISTS; l++) {
            one->more[l] = (double)sums.more[l];
            one->more_squares[l] = (double)sums.more_squares[l];
        }
    }
    TRY(ranks_sum_int64(ranks, totals, 2, status));
    total->sum = (double)totals[0];
    total->squares = (double)totals[1];
done:
    return code;
}

enum status_code outcome_judge(struct db *db, const char *prefix, const struct outcome_truth *truth,
                               int64_t since, const struct watch *watch, struct outcome *out,
                               struct status *status)
{
    enum { USERS_A_LOOK = 1024 };
    const struct new_events *events = truth->events;
    struct shown shown = {0};
    struct judged *judged = NULL;
    int64_t *seen = NULL;
    size_t n = 0, n_users = 0;
    enum status_code code;
    TRY(shown_read(db, prefix, &shown, status));
    TRY(find_seen(&shown, events, since, &seen, status));
    TRY(open_generations(db, prefix, truth, &shown, since, &judged, &n, status));
    struct user_events of = {.events = events, .interactions = truth->interactions, .seen = seen};
    for (; n > 0 && of.first < events->n; of.first = of.end) {
        int64_t n_true;
        of.user = events->users[of.first];
        for (of.end = of.first; of.end < events->n && events->users[of.end] == of.user;) {
            of.end++;
        }
        TRY(judge_user(judged, n, &of, &n_true, status));
        out->total.sum += (double)n_true;
        out->total.squares += (double)n_true * (double)n_true;
        if (n_users++ % USERS_A_LOOK == 0) {
            TRY(watch_check(watch, status));
        }
    }
    TRY(add_up(truth->ranks, judged, n, &out->total, status));
    for (size_t g = 0; g < n; g++) {
        const int64_t n_served = judged[g].shown.n_users;
        if (judged[g].n_users > 0) {
            TRY(tell(out, &judged[g], status));
        }
        out->total.n_users = n_served > out->total.n_users ? n_served : out->total.n_users;
    }
done:
    close_generations(judged, n);
    mem_free(seen);
    shown_release(&shown);
    return code;
}

void outcome_release(struct outcome *outcome)
{
    mem_free(outcome->rows);
    *outcome = (struct outcome){0};
}
