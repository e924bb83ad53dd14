/* Two groups, two models. A group says who is judged on what and how a block of its users is
 * ranked; what follows is the same for all: lists of a block, values per user, sums in user order,
 * shard by shard. */
#include "evaluation/evaluation_cold.h"

#include "base/mem.h"
#include "base/rng.h"
#include "ranking/score.h"
#include "evaluation/baselines.h"
#include "evaluation/evaluation_internal.h"
#include "ranking/ranking.h"

#include <assert.h>

enum { USER_BLOCK = 8192 };

struct cold_evaluation {
    const struct evaluation_cold_request *request;
    struct pool *pool;
    size_t n_asked, max_k;
    struct asked *asked;    /* (n_asked) metrics */
    struct shard_sums sums; /* (n_asked) of the model at work */
    double *totals;
    /* of the group at work */
    struct crowd crowd;     /* whose rows held_out has */
    size_t n_judged, block; /* block: most users ranked at once */
    double n_all;           /* judged on all ranks */
    int32_t *judged;        /* (n_judged) rows of held_out with something to ask, ascending */
    const struct sparse *held_out;
    const int32_t *unknown;
    size_t n_candidates;
    uint32_t *tie_rank; /* (n_candidates) */
    struct score score; /* the score of cold users */
    int32_t *order;     /* (n_candidates) by popularity, or by chance; best first */
    int32_t *vector_of; /* (cold users or cold items) row of the towers' cold vectors, or -1 */
    float *anchors;     /* (block, d) */
    int32_t *lists;     /* (block, max_k) columns of held_out */
    int32_t *fallback;  /* the same shape */
    float *scores;      /* the same shape */
    double *values;     /* (block) */
};

/* ---- preparation ---- */

/* Measures of whole lists are taken of everybody else only. */
static enum status_code parse_metrics(struct cold_evaluation *evaluation, struct status *status)
{
    const struct evaluation_cold_request *request = evaluation->request;
    size_t n = 0;
    enum status_code code;
    TRY(evaluation_parse(request->metrics, request->n_metrics, &evaluation->asked, &n, status));
    for (size_t m = 0; m < n; m++) {
        const struct asked asked = evaluation->asked[m];
        if (asked.metric != NULL) {
            evaluation->asked[evaluation->n_asked++] = asked;
            evaluation->max_k = asked.k > evaluation->max_k ? asked.k : evaluation->max_k;
        }
    }
    TRY(shard_sums_init(&evaluation->sums, evaluation->n_asked, status));
    TRY(MEM_NEW(&evaluation->totals, evaluation->n_asked, status));
done:
    return code;
}

static void release_group(struct cold_evaluation *evaluation)
{
    mem_free(evaluation->judged);
    mem_free(evaluation->tie_rank);
    score_release(&evaluation->score);
    mem_free(evaluation->order);
    mem_free(evaluation->vector_of);
    mem_free(evaluation->anchors);
    mem_free(evaluation->lists);
    mem_free(evaluation->fallback);
    mem_free(evaluation->scores);
    mem_free(evaluation->values);
    *evaluation = (struct cold_evaluation){.request = evaluation->request,
                                           .pool = evaluation->pool,
                                           .n_asked = evaluation->n_asked,
                                           .max_k = evaluation->max_k,
                                           .asked = evaluation->asked,
                                           .sums = evaluation->sums,
                                           .totals = evaluation->totals};
}

/* The rows of held_out, users with these codes, that are asked anything. A part that is not there
 * has no rows. */
static enum status_code collect_judged(struct cold_evaluation *evaluation,
                                       const struct sparse *held_out, const int32_t *codes,
                                       const int32_t *unknown, struct status *status)
{
    enum status_code code;
    evaluation->crowd = evaluation->request->crowd;
    evaluation->crowd.codes = codes;
    evaluation->held_out = held_out;
    evaluation->unknown = unknown;
    TRY(MEM_NEW(&evaluation->judged, held_out->n_rows, status));
    for (size_t row = 0; row < held_out->n_rows; row++) {
        if (sparse_row_length(held_out, row) + (unknown != NULL ? (size_t)unknown[row] : 0) > 0) {
            evaluation->judged[evaluation->n_judged++] = (int32_t)row;
        }
    }
    size_t n_all = evaluation->n_judged;
    TRY(ranks_sum_count(evaluation->crowd.ranks, &n_all, status));
    evaluation->n_all = (double)n_all;
done:
    return code;
}

static enum status_code prepare_group(struct cold_evaluation *evaluation, size_t n_candidates,
                                      const char *tie_purpose, struct status *status)
{
    const struct evaluation_cold_request *request = evaluation->request;
    struct rng rng;
    enum status_code code;
    evaluation->n_candidates = n_candidates;
    evaluation->block = evaluation->n_judged < USER_BLOCK ? evaluation->n_judged : USER_BLOCK;
    TRY(MEM_NEW(&evaluation->tie_rank, n_candidates, status));
    TRY(MEM_NEW(&evaluation->order, n_candidates, status));
    TRY(MEM_NEW(&evaluation->anchors, evaluation->block * request->embeddings->items.columns,
                status));
    TRY(MEM_NEW(&evaluation->lists, evaluation->block * evaluation->max_k, status));
    TRY(MEM_NEW(&evaluation->fallback, evaluation->block * evaluation->max_k, status));
    TRY(MEM_NEW(&evaluation->scores, evaluation->block * evaluation->max_k, status));
    TRY(MEM_NEW(&evaluation->values, evaluation->block, status));
    rng_init(&rng, request->seed, tie_purpose, 0, 0);
    rng_permutation(&rng, n_candidates, evaluation->tie_rank);
done:
    return code;
}

/* vector_of (n_codes) = where each of the ascending codes stands among the ascending tower codes.
 */
static enum status_code match_codes(const int32_t *codes, size_t n_codes,
                                    const int32_t *tower_codes, size_t n_towers,
                                    int32_t **vector_of, struct status *status)
{
    size_t t = 0;
    enum status_code code;
    TRY(MEM_NEW(vector_of, n_codes, status));
    for (size_t c = 0; c < n_codes; c++) {
        while (t < n_towers && tower_codes[t] < codes[c]) {
            t++;
        }
        (*vector_of)[c] = t < n_towers && tower_codes[t] == codes[c] ? (int32_t)t : -1;
    }
done:
    return code;
}

/* ---- cold users: each model fills lists (count, max_k) for the judged from `first` on ---- */

/* Into `lists`: the first of the popular items, or of cold ones in the order of chance. */
static void list_in_order(struct cold_evaluation *evaluation, const struct sparse *exclude,
                          size_t first, size_t count, int32_t *lists)
{
    const struct order_request request = {.order = evaluation->order,
                                          .n_items = evaluation->n_candidates,
                                          .exclude = exclude,
                                          .rows = evaluation->judged + first,
                                          .n_rows = count,
                                          .k = evaluation->max_k};
    baseline_in_order(&request, evaluation->pool, lists);
}

static const struct sparse *barred_users(const struct cold_evaluation *evaluation)
{
    const struct cold_part *cold = &evaluation->request->dataset->cold;
    return cold->barred.n_rows > 0 ? &cold->barred : &cold->history.matrix;
}

/* Whoever has no vector keeps the list by popularity. */
static enum status_code rank_users_by_towers(struct cold_evaluation *evaluation, size_t first,
                                             size_t count, struct status *status)
{
    const struct embeddings *embeddings = evaluation->request->embeddings;
    const int32_t *judged = evaluation->judged + first;
    size_t d = embeddings->items.columns, k = evaluation->max_k;
    enum status_code code;
    list_in_order(evaluation, barred_users(evaluation), first, count, evaluation->fallback);
    memset(evaluation->anchors, 0, count * d * sizeof *evaluation->anchors);
    for (size_t a = 0; a < count; a++) {
        int32_t vector = evaluation->vector_of[judged[a]];
        if (vector >= 0) {
            matrix_gather(embeddings->cold_users, &vector, 1, evaluation->anchors + a * d);
        }
    }
    struct ranking ranking = {
        .anchors = const_matrix_of(evaluation->anchors, count, d),
        .candidates = embeddings->items,
        .exclude = barred_users(evaluation),
        .exclude_rows = judged,
        .tie_rank = evaluation->tie_rank,
        .k = k,
    };
    score_apply(&evaluation->score, judged, &ranking);
    TRY(ranking_run(&ranking, evaluation->pool, evaluation->lists, evaluation->scores, status));
    for (size_t a = 0; a < count; a++) {
        if (evaluation->vector_of[judged[a]] < 0) {
            memcpy(evaluation->lists + a * k, evaluation->fallback + a * k,
                   k * sizeof *evaluation->lists);
        }
    }
done:
    return code;
}

static enum status_code list_users_by_popularity(struct cold_evaluation *evaluation, size_t first,
                                                 size_t count, struct status *status)
{
    (void)status;
    list_in_order(evaluation, barred_users(evaluation), first, count, evaluation->lists);
    return STATUS_OK;
}

static enum status_code prepare_cold_users(struct cold_evaluation *evaluation,
                                           struct status *status)
{
    const struct evaluation_cold_request *request = evaluation->request;
    const struct dataset *dataset = request->dataset;
    const struct embeddings *embeddings = request->embeddings;
    double *popularity = NULL;
    enum status_code code;
    TRY(collect_judged(evaluation, &dataset->cold.held_out, dataset->cold.users,
                       dataset->cold.unknown, status));
    /* the permutation of the evaluation of everybody else */
    TRY(prepare_group(evaluation, dataset->n_items, "evaluation.ties", status));
    TRY(match_codes(dataset->cold.users, dataset->cold.n_users, embeddings->cold_user_codes,
                    embeddings->cold_users.rows, &evaluation->vector_of, status));
    TRY(MEM_NEW(&popularity, dataset->n_items, status));
    TRY(crowd_popularity(&request->crowd, &dataset->train, 0, popularity, status));
    TRY(score_init(&evaluation->score, &request->crowd, embeddings, dataset, &request->sources,
                   &dataset->cold.history, &request->weights, status));
    TRY(baseline_order(popularity, evaluation->tie_rank, dataset->n_items, evaluation->order,
                       status));
done:
    mem_free(popularity);
    return code;
}

/* ---- cold items ---- */

/* Cosines with the cold items; those without a vector are not eligible. */
static enum status_code list_items_by_towers(struct cold_evaluation *evaluation, size_t first,
                                             size_t count, struct status *status)
{
    const struct embeddings *embeddings = evaluation->request->embeddings;
    size_t d = embeddings->items.columns;
    float *vectors = NULL; /* (n_candidates, d), zeros where there is none */
    uint8_t *eligible = NULL;
    enum status_code code;
    TRY(MEM_NEW(&vectors, evaluation->n_candidates * d, status));
    TRY(MEM_NEW(&eligible, evaluation->n_candidates, status));
    for (size_t i = 0; i < evaluation->n_candidates; i++) {
        int32_t vector = evaluation->vector_of[i];
        eligible[i] = vector >= 0;
        if (vector >= 0) {
            matrix_gather(embeddings->cold_items, &vector, 1, vectors + i * d);
        }
    }
    matrix_gather(embeddings->users, evaluation->judged + first, count, evaluation->anchors);
    struct ranking ranking = {
        .anchors = const_matrix_of(evaluation->anchors, count, d),
        .candidates = const_matrix_of(vectors, evaluation->n_candidates, d),
        .scale = 1.0f, /* one bias for all, n_i = 0, and any temperature keep the order */
        .exclude = &evaluation->request->dataset->cold.item_seen,
        .exclude_rows = evaluation->judged + first,
        .eligible = eligible,
        .tie_rank = evaluation->tie_rank,
        .k = evaluation->max_k,
    };
    TRY(ranking_run(&ranking, evaluation->pool, evaluation->lists, evaluation->scores, status));
done:
    mem_free(vectors);
    mem_free(eligible);
    return code;
}

static enum status_code list_items_by_chance(struct cold_evaluation *evaluation, size_t first,
                                             size_t count, struct status *status)
{
    (void)status;
    list_in_order(evaluation, &evaluation->request->dataset->cold.item_seen, first, count,
                  evaluation->lists);
    return STATUS_OK;
}

static enum status_code prepare_cold_items(struct cold_evaluation *evaluation,
                                           struct status *status)
{
    const struct cold_part *cold = &evaluation->request->dataset->cold;
    const struct embeddings *embeddings = evaluation->request->embeddings;
    enum status_code code;
    TRY(collect_judged(evaluation, &cold->item_held_out, evaluation->request->dataset->users, NULL,
                       status));
    TRY(prepare_group(evaluation, cold->n_items, "evaluation.cold_ties", status));
    TRY(match_codes(cold->items, cold->n_items, embeddings->cold_item_codes,
                    embeddings->cold_items.rows, &evaluation->vector_of, status));
    for (size_t i = 0; i < cold->n_items; i++) {
        evaluation->order[evaluation->tie_rank[i]] = (int32_t)i;
    }
done:
    return code;
}

/* ---- groups and models ---- */

enum { N_MODELS = 2 };

struct cold_model {
    const char *name;
    enum status_code (*list)(struct cold_evaluation *evaluation, size_t first, size_t count,
                             struct status *status);
};

struct cold_group {
    const char *name;
    enum status_code (*prepare)(struct cold_evaluation *evaluation, struct status *status);
    struct cold_model models[N_MODELS];
};

static const struct cold_group groups[] = {
    {"cold_users",
     prepare_cold_users,
     {{"nightjar", rank_users_by_towers}, {"popularity", list_users_by_popularity}}},
    {"cold_items",
     prepare_cold_items,
     {{"nightjar", list_items_by_towers}, {"popularity", list_items_by_chance}}},
};

static enum status_code evaluate_model(struct cold_evaluation *evaluation, const char *group,
                                       const struct cold_model *model, struct metric_rows *rows,
                                       struct status *status)
{
    const struct evaluation_cold_request *request = evaluation->request;
    enum status_code code = STATUS_OK;
    shard_sums_clear(&evaluation->sums);
    for (size_t first = 0; first < evaluation->n_judged; first += evaluation->block) {
        size_t left = evaluation->n_judged - first;
        size_t count = left < evaluation->block ? left : evaluation->block;
        TRY(watch_check(&request->watch, status));
        TRY(model->list(evaluation, first, count, status));
        for (size_t m = 0; m < evaluation->n_asked; m++) {
            const struct asked *asked = &evaluation->asked[m];
            metric_per_user(asked->metric, asked->k, evaluation->lists, evaluation->max_k,
                            evaluation->judged + first, count, evaluation->held_out,
                            evaluation->unknown, evaluation->values);
            /* every judged user has something relevant, so every value counts */
            for (size_t a = 0; a < count; a++) {
                const size_t row = (size_t)evaluation->judged[first + a];
                const size_t shard = shard_of_key(crowd_key(&evaluation->crowd, row));
                shard_sums_of(&evaluation->sums, shard)[m] += evaluation->values[a];
            }
        }
    }
    TRY(shard_sums_total(&evaluation->sums, evaluation->crowd.ranks, evaluation->totals, status));
    for (size_t m = 0; m < evaluation->n_asked; m++) {
        TRY(metric_rows_add(rows, evaluation->asked[m].name, model->name, group,
                            evaluation->totals[m] / evaluation->n_all, status));
    }
done:
    return code;
}

static enum status_code evaluate_group(struct cold_evaluation *evaluation,
                                       const struct cold_group *group, struct metric_rows *rows,
                                       struct status *status)
{
    enum status_code code;
    TRY(group->prepare(evaluation, status));
    if (evaluation->n_all > 0) {
        for (size_t m = 0; m < N_MODELS; m++) {
            TRY(evaluate_model(evaluation, group->name, &group->models[m], rows, status));
        }
        TRY(metric_rows_add(rows, "users", "data", group->name, evaluation->n_all, status));
    }
done:
    release_group(evaluation);
    return code;
}

enum status_code evaluation_cold_run(const struct evaluation_cold_request *request,
                                     struct pool *pool, struct metric_rows *rows,
                                     struct status *status)
{
    struct cold_evaluation evaluation = {.request = request, .pool = pool};
    enum status_code code;
    assert(request->embeddings->users.rows == request->dataset->n_users);
    assert(request->embeddings->items.rows == request->dataset->n_items);
    TRY(parse_metrics(&evaluation, status));
    if (evaluation.n_asked > 0) {
        for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
            TRY(evaluate_group(&evaluation, &groups[g], rows, status));
        }
    }
done:
    mem_free(evaluation.asked);
    shard_sums_release(&evaluation.sums);
    mem_free(evaluation.totals);
    return code;
}
