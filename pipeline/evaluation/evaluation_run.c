/* Evaluation block by block: a block of users is ranked by one model, judged in parallel into a
 * table of values per user, and added to the groups' sums in user order, shard by shard, so that
 * memory does not grow with the number of users and the sums are the same with any number of
 * threads and ranks. */
#include "evaluation/evaluation_internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dataset/dataset_ranks.h"
#include "evaluation/baselines.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

enum {
    USER_BLOCK = 8192,
    LEAST_BLOCK = 256,
    BLOCK_SCORES = 1 << 30, /* one to two seconds: so long does a stop wait */
    JUDGE_BLOCK = 64
};

static const char *const group_names[N_GROUPS] = {"all",          "users:1-4",  "users:5-19",
                                                  "users:20-99",  "users:100+", "items:head",
                                                  "items:middle", "items:tail"};
static const size_t user_group_ends[N_USER_GROUPS - 1] = {5, 20, 100};

/* ---- preparation ---- */

static size_t n_unknown(const struct evaluation_request *request, size_t row)
{
    return request->unknown == NULL ? 0 : (size_t)request->unknown[row];
}

static enum status_code collect_users(struct evaluation *evaluation, struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    enum status_code code;
    TRY(MEM_NEW(&evaluation->rows, request->dataset->n_users, status));
    for (size_t u = 0; u < request->dataset->n_users; u++) {
        if (sparse_row_length(&request->held_out->matrix, u) + n_unknown(request, u) > 0) {
            evaluation->rows[evaluation->n_rows++] = (int32_t)u;
        }
    }
    TRY(crowd_sample(&request->crowd, evaluation->rows, &evaluation->n_rows, request->max_users,
                     request->seed, "evaluation.users", status));
    TRY(MEM_NEW(&evaluation->places, evaluation->n_rows, status));
    TRY(crowd_places(&request->crowd, evaluation->rows, evaluation->n_rows, evaluation->places,
                     &evaluation->n_all, status));
done:
    return code;
}

/* An item belongs to the third of the interactions in which its own begin. */
static enum status_code group_items(struct evaluation *evaluation, struct status *status)
{
    size_t n_items = evaluation->request->dataset->n_items;
    double *popularity = NULL;
    int32_t *order = NULL;
    int64_t total = 0, before = 0;
    enum status_code code;
    TRY(MEM_NEW(&evaluation->item_group, n_items, status));
    TRY(MEM_NEW(&order, n_items, status));
    TRY(MEM_NEW(&popularity, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        popularity[i] = (double)evaluation->counts[i];
    }
    TRY(baseline_order(popularity, evaluation->tie_rank, n_items, order, status));
    for (size_t i = 0; i < n_items; i++) {
        total += evaluation->counts[i];
    }
    for (size_t i = 0; i < n_items; i++) {
        int64_t third = total == 0 ? 0 : before * N_ITEM_GROUPS / total;
        evaluation->item_group[order[i]] =
            (uint8_t)(third < N_ITEM_GROUPS ? third : N_ITEM_GROUPS - 1);
        before += evaluation->counts[order[i]];
    }
done:
    mem_free(popularity);
    mem_free(order);
    return code;
}

static enum status_code prepare_items(struct evaluation *evaluation, struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    size_t n_items = request->dataset->n_items;
    struct rng rng;
    enum status_code code;
    TRY(MEM_NEW(&evaluation->counts, n_items, status));
    TRY(MEM_NEW(&evaluation->tie_rank, n_items, status));
    dataset_item_counts(request->dataset, evaluation->counts);
    rng_init(&rng, request->seed, "evaluation.ties", 0, 0);
    rng_permutation(&rng, n_items, evaluation->tie_rank);
    TRY(group_items(evaluation, status));
    TRY(dataset_excluded(request->dataset, request->barred, &evaluation->joined, status));
    evaluation->exclude =
        evaluation->joined.n_rows > 0 ? &evaluation->joined : &request->dataset->train.matrix;
done:
    return code;
}

/* Whose values are kept user by user. */
static enum status_code prepare_judged(struct evaluation *evaluation, struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    enum status_code code = STATUS_OK;
    for (size_t m = 0; m < evaluation->n_asked; m++) {
        struct asked *asked = &evaluation->asked[m];
        size_t j = 0;
        while (j < request->n_judged && strcmp(asked->name, request->judged[j]) != 0) {
            j++;
        }
        if (asked->metric != NULL && j < request->n_judged) {
            TRY(MEM_NEW(&asked->own, evaluation->n_all, status));
            TRY(MEM_NEW(&asked->of_model, evaluation->n_all, status));
        }
    }
done:
    return code;
}

static enum status_code prepare_blocks(struct evaluation *evaluation, struct status *status)
{
    size_t n = BLOCK_SCORES / (evaluation->request->dataset->n_items + 1);
    n = n < LEAST_BLOCK ? LEAST_BLOCK : n;
    n = n < USER_BLOCK ? n : USER_BLOCK;
    n = n < evaluation->n_rows ? n : evaluation->n_rows;
    evaluation->block = n;
    size_t d = evaluation->request->embeddings->users.columns;
    enum status_code code;
    TRY(MEM_NEW(&evaluation->lists, n * evaluation->max_k, status));
    TRY(MEM_NEW(&evaluation->scores, n * evaluation->max_k, status));
    TRY(MEM_NEW(&evaluation->anchors, n * d, status));
    TRY(MEM_NEW(&evaluation->values, n * N_SETS * evaluation->n_asked, status));
    TRY(shard_sums_init(&evaluation->sums, N_GROUPS * (1 + evaluation->n_asked), status));
    TRY(MEM_NEW(&evaluation->groups, evaluation->sums.n, status));
    TRY(prepare_judged(evaluation, status));
done:
    return code;
}

static void evaluation_release(struct evaluation *evaluation)
{
    for (size_t m = 0; m < evaluation->n_asked; m++) {
        exposure_release(&evaluation->asked[m].exposure);
        mem_free(evaluation->asked[m].own);
        mem_free(evaluation->asked[m].of_model);
    }
    shard_sums_release(&evaluation->sums);
    mem_free(evaluation->groups);
    mem_free(evaluation->asked);
    mem_free(evaluation->rows);
    mem_free(evaluation->places);
    mem_free(evaluation->order);
    mem_free(evaluation->tie_rank);
    mem_free(evaluation->counts);
    mem_free(evaluation->item_group);
    score_release(&evaluation->score);
    sparse_release(&evaluation->joined);
    sparse_release(&evaluation->made_weights);
    mem_free(evaluation->entry_weights);
    mem_free(evaluation->lists);
    mem_free(evaluation->scores);
    mem_free(evaluation->anchors);
    mem_free(evaluation->values);
}

/* ---- judging ---- */

/* What one user's list hits, for each set of relevant items. */
struct judged {
    size_t n_relevant[N_SETS];
    uint8_t hits[N_SETS][METRIC_K_MAX];
};

static void judge_list(const struct evaluation *evaluation, size_t row, const int32_t *list,
                       struct judged *judged)
{
    const struct sparse *held_out = &evaluation->request->held_out->matrix;
    memset(judged, 0, sizeof *judged);
    judged->n_relevant[0] = n_unknown(evaluation->request, row);
    for (int64_t e = held_out->offsets[row]; e < held_out->offsets[row + 1]; e++) {
        judged->n_relevant[0]++;
        judged->n_relevant[1 + evaluation->item_group[held_out->columns[e]]]++;
    }
    for (size_t r = 0; r < evaluation->max_k && list[r] >= 0; r++) {
        if (sparse_has(held_out, row, list[r])) {
            judged->hits[0][r] = 1;
            judged->hits[1 + evaluation->item_group[list[r]]][r] = 1;
        }
    }
}

struct judge_job {
    const struct evaluation *evaluation;
    size_t first; /* of the block's rows */
};

/* values of users [begin, end) of the block */
static void judge_rows(void *data, size_t begin, size_t end)
{
    const struct judge_job *job = data;
    const struct evaluation *evaluation = job->evaluation;
    struct judged judged;
    for (size_t a = begin; a < end; a++) {
        double *values = evaluation->values + a * N_SETS * evaluation->n_asked;
        judge_list(evaluation, (size_t)evaluation->rows[job->first + a],
                   evaluation->lists + a * evaluation->max_k, &judged);
        for (size_t v = 0; v < N_SETS * evaluation->n_asked; v++) {
            const struct asked *asked = &evaluation->asked[v % evaluation->n_asked];
            size_t set = v / evaluation->n_asked;
            bool counts = asked->metric != NULL && judged.n_relevant[set] > 0;
            values[v] =
                counts ? asked->metric->of_user(judged.hits[set], asked->k, judged.n_relevant[set])
                       : (double)NAN;
        }
    }
}

static size_t user_group(const struct evaluation *evaluation, size_t row)
{
    size_t n = sparse_row_length(&evaluation->request->dataset->train.matrix, row);
    size_t group = 0;
    while (group < N_USER_GROUPS - 1 && n >= user_group_ends[group]) {
        group++;
    }
    return group;
}

/* Adds one user's values of one set to a group. Whether the user counts is the same for every
 * metric of a set, so the caller knows it. */
static void add_to_group(double *group, const struct asked *asked, size_t n_asked,
                         const double *values)
{
    group[0] += 1.0;
    for (size_t m = 0; m < n_asked; m++) {
        group[1 + m] += asked[m].metric != NULL ? values[m] : 0.0;
    }
}

static bool set_counts(const struct evaluation *evaluation, size_t row, size_t set)
{
    const struct sparse *held_out = &evaluation->request->held_out->matrix;
    for (int64_t e = held_out->offsets[row]; e < held_out->offsets[row + 1]; e++) {
        if (set == 0 || evaluation->item_group[held_out->columns[e]] == set - 1) {
            return true;
        }
    }
    return set == 0 && n_unknown(evaluation->request, row) > 0;
}

/* In user order: the sums do not depend on threads. */
static void add_block(struct evaluation *evaluation, size_t first, size_t count)
{
    size_t n = evaluation->n_asked;
    for (size_t a = 0; a < count; a++) {
        size_t row = (size_t)evaluation->rows[first + a];
        const double *values = evaluation->values + a * N_SETS * n;
        double *sums = shard_sums_of(&evaluation->sums,
                                     shard_of_key(crowd_key(&evaluation->request->crowd, row)));
        for (size_t m = 0; m < n; m++) {
            if (evaluation->asked[m].of_model != NULL) {
                evaluation->asked[m].of_model[evaluation->places[first + a]] = values[m];
            }
        }
        add_to_group(group_of(sums, 0, n), evaluation->asked, n, values);
        add_to_group(group_of(sums, 1 + user_group(evaluation, row), n), evaluation->asked, n,
                     values);
        for (size_t set = 1; set < N_SETS; set++) {
            if (set_counts(evaluation, row, set)) {
                add_to_group(group_of(sums, N_USER_GROUPS + set, n), evaluation->asked, n,
                             values + set * n);
            }
        }
    }
    for (size_t m = 0; m < n; m++) {
        if (evaluation->asked[m].measure != NULL) {
            exposure_add(&evaluation->asked[m].exposure, evaluation->lists, evaluation->max_k,
                         count, evaluation->asked[m].k);
        }
    }
}

/* ---- one model ---- */

static enum status_code start_model(struct evaluation *evaluation, struct status *status)
{
    const struct dataset *dataset = evaluation->request->dataset;
    enum status_code code = STATUS_OK;
    const size_t n_users = (size_t)dataset_totals(dataset).users;
    shard_sums_clear(&evaluation->sums);
    for (size_t m = 0; m < evaluation->n_asked; m++) {
        struct asked *asked = &evaluation->asked[m];
        if (asked->measure != NULL) {
            exposure_release(&asked->exposure);
            TRY(exposure_init(&asked->exposure, evaluation->counts, dataset->n_items, n_users,
                              status));
        }
        if (asked->of_model != NULL) {
            memset(asked->of_model, 0, evaluation->n_all * sizeof *asked->of_model);
        }
    }
done:
    return code;
}

static enum status_code add_row(const struct evaluation *evaluation, const char *name,
                                const char *model, size_t group, double value,
                                struct metric_rows *rows, struct status *status)
{
    struct buf full = {0};
    enum status_code code;
    buf_addf(&full, "%s%s", evaluation->request->prefix, name);
    TRY(buf_check(&full, status));
    TRY(metric_rows_add(rows, buf_text(&full), model, group_names[group], value, status));
done:
    buf_release(&full);
    return code;
}

/* The standard error of the row that was added last, a judged metric's; see evaluation_run. */
static void add_error(const struct asked *asked, const char *model, size_t n,
                      struct metric_rows *rows)
{
    double mean, error;
    if (strcmp(model, "nightjar") == 0) {
        memcpy(asked->own, asked->of_model, n * sizeof *asked->own);
        metric_mean_error(asked->own, 1, n, &mean, &error);
    } else {
        paired_difference(asked->own, asked->of_model, n, &mean, &error);
    }
    rows->errors[rows->n - 1] = isfinite(error) ? error : 0;
}

/* What all ranks have of the model. */
static enum status_code join_model(struct evaluation *evaluation, struct status *status)
{
    const struct crowd *crowd = &evaluation->request->crowd;
    enum status_code code;
    TRY(shard_sums_total(&evaluation->sums, crowd->ranks, evaluation->groups, status));
    for (size_t m = 0; m < evaluation->n_asked; m++) {
        struct asked *asked = &evaluation->asked[m];
        if (asked->of_model != NULL) {
            TRY(crowd_join(crowd, asked->of_model, evaluation->n_all, status));
        }
        if (asked->measure != NULL) {
            TRY(ranks_sum_int64(crowd->ranks, asked->exposure.shown, asked->exposure.n_items,
                                status));
        }
    }
done:
    return code;
}

static enum status_code finish_model(struct evaluation *evaluation, const char *name,
                                     struct metric_rows *rows, struct status *status)
{
    enum status_code code;
    TRY(join_model(evaluation, status));
    for (size_t g = 0; g < N_GROUPS; g++) {
        const double *group = group_of(evaluation->groups, g, evaluation->n_asked);
        for (size_t m = 0; group[0] > 0.0 && m < evaluation->n_asked; m++) {
            struct asked *asked = &evaluation->asked[m];
            if (asked->metric != NULL) {
                TRY(add_row(evaluation, asked->name, name, g, group[1 + m] / group[0], rows,
                            status));
                if (g == 0 && asked->own != NULL) {
                    add_error(asked, name, evaluation->n_all, rows);
                }
            } else if (g == 0) {
                exposure_finish(&asked->exposure);
                TRY(add_row(evaluation, asked->name, name, g,
                            asked->measure->of_exposure(&asked->exposure), rows, status));
            }
        }
    }
done:
    return code;
}

static enum status_code say_progress(struct evaluation *evaluation, double users,
                                     struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    evaluation->users_done += users;
    return watch_step(&request->watch, evaluation->users_done,
                      (double)(evaluation_models(request) * evaluation->n_rows), status);
}

static enum status_code evaluate_model(struct evaluation *evaluation, const struct model *model,
                                       struct metric_rows *rows, struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    enum status_code code;
    TRY(start_model(evaluation, status));
    TRY(model->start(evaluation, status));
    for (size_t first = 0; first < evaluation->n_rows; first += evaluation->block) {
        size_t left = evaluation->n_rows - first;
        size_t count = left < evaluation->block ? left : evaluation->block;
        struct judge_job job = {evaluation, first};
        TRY(model->rank(evaluation, first, count, status));
        if (request->take_lists != NULL) {
            TRY(request->take_lists(request, model->name, evaluation->rows + first, count,
                                    evaluation->lists, evaluation->max_k, status));
        }
        pool_run_rows(evaluation->pool, count, JUDGE_BLOCK, judge_rows, &job);
        add_block(evaluation, first, count);
        TRY(say_progress(evaluation, (double)count, status));
    }
    TRY(finish_model(evaluation, model->name, rows, status));
done:
    return code;
}

/* The groups' sizes, which are the same for every model. */
static enum status_code add_counts(const struct evaluation *evaluation, struct metric_rows *rows,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t g = 0; g < N_GROUPS; g++) {
        const double n_users = group_of(evaluation->groups, g, evaluation->n_asked)[0];
        if (g == 0 || n_users > 0.0) {
            TRY(add_row(evaluation, "users", "data", g, n_users, rows, status));
        }
    }
    if (evaluation->request->dataset->repeats) {
        TRY(add_row(evaluation, METRIC_REPEATS, "data", 0, 1, rows, status));
    }
    TRY(add_row(evaluation, "unknown_users", "data", 0, (double)evaluation->request->unknown_users,
                rows, status));
done:
    return code;
}

enum status_code evaluation_run(const struct evaluation_request *request, struct pool *pool,
                                struct metric_rows *rows, struct status *status)
{
    struct evaluation evaluation = {.request = request, .pool = pool};
    const struct watch stop_only = {.check_stop = request->watch.check_stop,
                                    .data = request->watch.data};
    enum status_code code;
    assert(request->held_out->matrix.n_rows == request->dataset->n_users);
    assert(request->embeddings->users.rows == request->dataset->n_users);
    assert(request->embeddings->items.rows == request->dataset->n_items);
    TRY(evaluation_parse(request->metrics, request->n_metrics, &evaluation.asked,
                         &evaluation.n_asked, status));
    for (size_t m = 0; m < evaluation.n_asked; m++) {
        const size_t k = evaluation.asked[m].k;
        evaluation.max_k = k > evaluation.max_k ? k : evaluation.max_k;
    }
    TRY(collect_users(&evaluation, status));
    TRY(prepare_items(&evaluation, status));
    TRY(prepare_blocks(&evaluation, status));
    TRY(say_progress(&evaluation, 0.0, status));
    evaluation.item_weights = request->item_weights;
    if (request->item_weights == NULL) {
        TRY(baseline_item_weights(request->dataset, &request->crowd, &stop_only, pool,
                                  &evaluation.made_weights, status));
        evaluation.item_weights = &evaluation.made_weights;
    }
    for (const struct model *model = evaluation_next_model(request, NULL); model != NULL;
         model = evaluation_next_model(request, model)) {
        TRY(evaluate_model(&evaluation, model, rows, status));
    }
    TRY(add_counts(&evaluation, rows, status));
done:
    evaluation_release(&evaluation);
    return code;
}
