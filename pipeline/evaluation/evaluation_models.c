/* The models that are measured: nightjar, its parts alone, and what they have to beat. */
#include "evaluation/evaluation_internal.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"
#include "evaluation/baselines.h"

enum { OWN_HALF_LIFE = 90 };    /* days, of the model own */
enum { RECENT_HALF_LIFE = 30 }; /* days, of item_item_recent */

/* ---- by our score, with the weights that make it the model ---- */

static enum status_code rank_by_score(struct evaluation *evaluation, size_t first, size_t count,
                                      struct status *status)
{
    const struct embeddings *embeddings = evaluation->request->embeddings;
    const int32_t *rows = evaluation->rows + first;
    matrix_gather(embeddings->users, rows, count, evaluation->anchors);
    struct ranking ranking = {
        .anchors = const_matrix_of(evaluation->anchors, count, embeddings->users.columns),
        .candidates = embeddings->items,
        .exclude = evaluation->exclude,
        .exclude_rows = rows,
        .tie_rank = evaluation->tie_rank,
        .k = evaluation->max_k,
    };
    score_apply(&evaluation->score, rows, &ranking);
    return ranking_run(&ranking, evaluation->pool, evaluation->lists, evaluation->scores, status);
}

static enum status_code start_score(struct evaluation *evaluation,
                                    const struct score_weights *weights, struct status *status)
{
    score_release(&evaluation->score);
    const struct evaluation_request *request = evaluation->request;
    return score_init(&evaluation->score, &request->crowd, request->embeddings, request->dataset,
                      &request->sources, &request->dataset->train, weights, status);
}

static enum status_code start_nightjar(struct evaluation *evaluation, struct status *status)
{
    return start_score(evaluation, &evaluation->request->weights, status);
}

static enum status_code start_towers(struct evaluation *evaluation, struct status *status)
{
    const struct score_weights weights = {.beta = evaluation->request->towers_beta,
                                          .half_life = evaluation->request->towers_half_life};
    return start_score(evaluation, &weights, status);
}

/* Of weights without towers. */
static enum status_code start_part(struct evaluation *evaluation,
                                   const struct score_weights *weights, struct status *status)
{
    const enum status_code code = start_score(evaluation, weights, status);
    evaluation->score.scale = 0;
    return code;
}

static enum status_code start_evidence(struct evaluation *evaluation, struct status *status)
{
    const struct score_weights weights = {.gamma = 1,
                                          .exponent = evaluation->request->weights.exponent};
    return start_part(evaluation, &weights, status);
}

static enum status_code start_ridge(struct evaluation *evaluation, struct status *status)
{
    const struct score_weights weights = {.n_parts = 1, .parts = {{SCORE_RIDGE, 0, 0, 1}}};
    return start_part(evaluation, &weights, status);
}

/* What the user had, by decayed weight; behind it, and between equals, the popular items. */
static enum status_code start_own(struct evaluation *evaluation, struct status *status)
{
    const struct score_weights weights = {.beta = 1e-3,
                                          .half_life = evaluation->request->popular_half_life,
                                          .n_parts = 1,
                                          .parts = {{SCORE_OWN, OWN_HALF_LIFE, 0, 1}}};
    return start_part(evaluation, &weights, status);
}

/* A user's newest item alone, with the others of its second; behind what followed it, and between
 * equals, the popular items. */
static enum status_code start_transitions(struct evaluation *evaluation, struct status *status)
{
    const struct history *train = &evaluation->request->dataset->train;
    const struct score_weights weights = {.beta = 1e-3,
                                          .half_life = evaluation->request->popular_half_life,
                                          .n_parts = 1,
                                          .parts = {{SCORE_TRANSITIONS, 0, 1, 1}}};
    enum status_code code;
    TRY(start_part(evaluation, &weights, status));
    for (size_t u = 0; u < train->matrix.n_rows; u++) {
        int64_t newest = INT64_MIN;
        for (int64_t e = train->matrix.offsets[u]; e < train->matrix.offsets[u + 1]; e++) {
            newest = train->times[e] > newest ? train->times[e] : newest;
        }
        for (int64_t e = train->matrix.offsets[u]; e < train->matrix.offsets[u + 1]; e++) {
            evaluation->score.entry_weights[0][e] = train->times[e] == newest ? 1 : 0;
        }
    }
done:
    return code;
}

/* ---- baselines ---- */

/* The order of the items, by users of whom each loses half of its weight in half_life days. */
static enum status_code order_items(struct evaluation *evaluation, double half_life,
                                    struct status *status)
{
    const struct evaluation_request *request = evaluation->request;
    const size_t n_items = request->dataset->n_items;
    double *popularity = NULL;
    enum status_code code;
    mem_free(evaluation->order);
    evaluation->order = NULL;
    TRY(MEM_NEW(&evaluation->order, n_items, status));
    TRY(MEM_NEW(&popularity, n_items, status));
    TRY(crowd_popularity(&request->crowd, &request->dataset->train, half_life, popularity, status));
    TRY(baseline_order(popularity, evaluation->tie_rank, n_items, evaluation->order, status));
done:
    mem_free(popularity);
    return code;
}

static enum status_code start_popularity(struct evaluation *evaluation, struct status *status)
{
    return order_items(evaluation, 0, status);
}

static enum status_code start_recent(struct evaluation *evaluation, struct status *status)
{
    return order_items(evaluation, evaluation->request->popular_half_life, status);
}

static enum status_code rank_in_order(struct evaluation *evaluation, size_t first, size_t count,
                                      struct status *status)
{
    const struct order_request request = {.order = evaluation->order,
                                          .n_items = evaluation->request->dataset->n_items,
                                          .exclude = evaluation->exclude,
                                          .rows = evaluation->rows + first,
                                          .n_rows = count,
                                          .k = evaluation->max_k};
    (void)status;
    baseline_in_order(&request, evaluation->pool, evaluation->lists);
    return STATUS_OK;
}

static enum status_code start_item_item(struct evaluation *evaluation, struct status *status)
{
    (void)status;
    mem_free(evaluation->entry_weights);
    evaluation->entry_weights = NULL;
    return STATUS_OK;
}

static enum status_code start_item_item_recent(struct evaluation *evaluation, struct status *status)
{
    const struct dataset *dataset = evaluation->request->dataset;
    const struct score_part part = {.kind = SCORE_EVIDENCE, .half_life = RECENT_HALF_LIFE};
    enum status_code code;
    TRY(MEM_NEW(&evaluation->entry_weights, sparse_entries(&dataset->train.matrix), status));
    TRY(score_entry_weights(&part, &dataset->train, dataset_totals(dataset).newest,
                            evaluation->entry_weights, status));
done:
    return code;
}

static enum status_code rank_item_item(struct evaluation *evaluation, size_t first, size_t count,
                                       struct status *status)
{
    const struct baseline_request request = {.dataset = evaluation->request->dataset,
                                             .rows = evaluation->rows + first,
                                             .n_rows = count,
                                             .tie_rank = evaluation->tie_rank,
                                             .k = evaluation->max_k,
                                             .exclude = evaluation->exclude,
                                             .entry_weights = evaluation->entry_weights};
    return baseline_item_item(&request, evaluation->item_weights, evaluation->pool,
                              evaluation->lists, status);
}

/* ---- who takes part ---- */

static const struct model models[] = {
    {"nightjar", NEEDS_NOTHING, start_nightjar, rank_by_score},
    {"towers", NEEDS_PARTS, start_towers, rank_by_score},
    {"evidence", NEEDS_EVIDENCE, start_evidence, rank_by_score},
    {"ridge", NEEDS_RIDGE, start_ridge, rank_by_score},
    {"popularity", NEEDS_NOTHING, start_popularity, rank_in_order},
    {"recent_popularity", NEEDS_HALF_LIFE, start_recent, rank_in_order},
    {"item_item", NEEDS_NOTHING, start_item_item, rank_item_item},
    {"own", NEEDS_REPEATS, start_own, rank_by_score},
    {"item_item_recent", NEEDS_EVENING, start_item_item_recent, rank_item_item},
    {"transitions", NEEDS_TRANSITIONS, start_transitions, rank_by_score},
};
enum { N_MODELS = sizeof models / sizeof *models };

/* Parts stand by themselves only where they count beside the towers. */
static bool takes_part(const struct evaluation_request *request, const struct model *model)
{
    const struct score_weights *weights = &request->weights;
    bool has_parts = false;
    for (int kind = 0; kind < N_SCORE_PART_KINDS; kind++) {
        has_parts = has_parts || score_weighs(weights, (enum score_part_kind)kind);
    }
    return (model->needs != NEEDS_PARTS || has_parts) &&
           (model->needs != NEEDS_EVIDENCE || score_weighs(weights, SCORE_EVIDENCE)) &&
           (model->needs != NEEDS_RIDGE || score_weighs(weights, SCORE_RIDGE)) &&
           (model->needs != NEEDS_HALF_LIFE || request->popular_half_life > 0) &&
           (model->needs != NEEDS_REPEATS ||
            (request->dataset->repeats && request->sources.own != NULL)) &&
           (model->needs != NEEDS_EVENING || request->is_evening) &&
           (model->needs != NEEDS_TRANSITIONS ||
            (request->is_evening && request->sources.transitions != NULL));
}

const struct model *evaluation_next_model(const struct evaluation_request *request,
                                          const struct model *model)
{
    for (model = model == NULL ? models : model + 1; model < models + N_MODELS; model++) {
        if (takes_part(request, model)) {
            return model;
        }
    }
    return NULL;
}

size_t evaluation_models(const struct evaluation_request *request)
{
    size_t n = 0;
    for (size_t m = 0; m < N_MODELS; m++) {
        n += takes_part(request, &models[m]) ? 1 : 0;
    }
    return n;
}
