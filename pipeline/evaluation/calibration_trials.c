/* Measuring settings: many are ranked in one pass over the products and over the evidence, so a
 * grid costs little more than a look at every score for each setting. */
#include "evaluation/calibration_trials.h"

#include "base/mem.h"
#include "ranking/ranking.h"
#include "ranking/score.h"

#include <math.h>

enum { USER_BLOCK = 2048 }; /* users ranked between two looks of the watch */

/* Memory of one pass. */
struct pass {
    size_t n, first;      /* settings, and the trial of the first one */
    float *arrays;        /* (n_arrays, n_items) distinct biases, then distinct powers */
    const float **biases; /* (n) rows of arrays */
    const float **powers; /* (n) the same */
    double *gammas;       /* (n) */
    float *anchors;       /* (users of a block, d) */
    int32_t *lists;       /* (n, users of a block, k) */
    float *scores;        /* the same shape */
};

void trials_release(struct trials *trials)
{
    mem_free(trials->weights);
    mem_free(trials->values);
    mem_free(trials->user_values);
    *trials = (struct trials){0};
}

static void pass_release(struct pass *pass)
{
    mem_free(pass->arrays);
    mem_free(pass->biases);
    mem_free(pass->powers);
    mem_free(pass->gammas);
    mem_free(pass->anchors);
    mem_free(pass->lists);
    mem_free(pass->scores);
}

static bool is_alike(const struct score_weights *a, const struct score_weights *b,
                     bool by_popularity)
{
    return by_popularity ? a->beta == b->beta && a->half_life == b->half_life
                         : a->exponent == b->exponent;
}

/* The first of settings [0, v] with the same popularity term, or with the same exponent. */
static size_t first_alike(const struct score_weights *settings, size_t v, bool by_popularity)
{
    size_t first = 0;
    while (!is_alike(&settings[first], &settings[v], by_popularity)) {
        first++;
    }
    return first;
}

/* The popularity terms of the settings with the half-life of settings[of], each written once, from
 * *next on; `terms` (n_items) is scratch. */
static void fill_biases(struct pass *pass, const struct trials *trials,
                        const struct score_weights *settings, size_t of, double *terms,
                        float **next)
{
    const struct calibration_request *request = trials->request;
    const struct dataset *dataset = request->validation->dataset;
    score_popularity(request->embeddings, dataset, settings[of].half_life, terms);
    for (size_t v = of; v < pass->n; v++) {
        if (settings[v].half_life != settings[of].half_life) {
            continue;
        }
        size_t first = first_alike(settings, v, true);
        pass->biases[v] = first < v ? pass->biases[first] : *next;
        if (first == v) {
            score_popularity_weigh(terms, dataset->n_items, settings[v].beta, *next);
            *next += dataset->n_items;
        }
    }
}

/* One array for every popularity term and, with evidence, for every exponent that differs. */
static enum status_code fill_arrays(struct pass *pass, const struct trials *trials,
                                    const struct score_weights *settings, struct status *status)
{
    const struct evidence *evidence = trials->request->sources.evidence;
    const size_t n_items = trials->request->validation->dataset->n_items;
    double *terms = NULL;
    float *next = pass->arrays;
    enum status_code code;
    TRY(MEM_NEW(&terms, n_items, status));
    for (size_t v = 0; v < pass->n; v++) {
        pass->gammas[v] = settings[v].gamma;
        if (pass->biases[v] == NULL) {
            fill_biases(pass, trials, settings, v, terms, &next);
        }
    }
    for (size_t v = 0; evidence != NULL && v < pass->n; v++) {
        size_t first = first_alike(settings, v, false);
        pass->powers[v] = first < v ? pass->powers[first] : next;
        if (first == v) {
            evidence_powers(evidence, settings[v].exponent, next);
            next += n_items;
        }
    }
done:
    mem_free(terms);
    return code;
}

/* Places of a list: there are no more than items. */
static size_t list_length(const struct validation *validation)
{
    const size_t n_items = validation->dataset->n_items;
    return validation->k < n_items ? validation->k : n_items;
}

static enum status_code pass_init(struct pass *pass, const struct trials *trials,
                                  const struct score_weights *settings, size_t n,
                                  struct status *status)
{
    const struct validation *validation = trials->request->validation;
    const size_t n_users = validation->n_users < USER_BLOCK ? validation->n_users : USER_BLOCK;
    const size_t n_lists = n * n_users * list_length(validation);
    size_t n_arrays = 0;
    enum status_code code;
    *pass = (struct pass){.n = n, .first = trials->n};
    for (size_t v = 0; v < n; v++) {
        n_arrays += first_alike(settings, v, true) == v ? 1 : 0;
        n_arrays += first_alike(settings, v, false) == v ? 1 : 0;
    }
    TRY(MEM_NEW(&pass->arrays, n_arrays * validation->dataset->n_items, status));
    TRY(MEM_NEW(&pass->biases, n, status));
    TRY(MEM_NEW(&pass->powers, n, status));
    TRY(MEM_NEW(&pass->gammas, n, status));
    TRY(MEM_NEW(&pass->anchors, n_users * trials->request->embeddings->users.columns, status));
    TRY(MEM_NEW(&pass->lists, n_lists, status));
    TRY(MEM_NEW(&pass->scores, n_lists, status));
    TRY(fill_arrays(pass, trials, settings, status));
done:
    return code;
}

/* Ranks validation users [first, first + count) under every setting and measures them. */
static enum status_code pass_block(struct pass *pass, struct trials *trials, size_t first,
                                   size_t count, struct status *status)
{
    const struct calibration_request *request = trials->request;
    const struct validation *validation = request->validation;
    const struct dataset *dataset = validation->dataset;
    const struct embeddings *embeddings = request->embeddings;
    const int32_t *users = validation->users + first;
    const size_t k = list_length(validation);
    enum status_code code;
    matrix_gather(embeddings->users, users, count, pass->anchors);
    const struct ranking_evidence evidence = {.evidence = request->sources.evidence,
                                              .of_all = dataset->repeats,
                                              .gammas = pass->gammas,
                                              .powers = pass->powers};
    struct ranking ranking = {
        .anchors = const_matrix_of(pass->anchors, count, embeddings->users.columns),
        .candidates = embeddings->items,
        .scale = (float)(1.0 / embeddings->temperature),
        .n_biases = pass->n,
        .biases = pass->biases,
        .n_evidence = request->sources.evidence == NULL ? 0 : 1,
        .evidence = &evidence,
        .histories = &dataset->train.matrix,
        .history_rows = users,
        .exclude = validation_excluded(validation),
        .exclude_rows = users,
        .tie_rank = validation->tie_rank,
        .k = k,
    };
    TRY(ranking_run(&ranking, trials->pool, pass->lists, pass->scores, status));
    for (size_t v = 0; v < pass->n; v++) {
        metric_per_user(validation->metric, validation->k, pass->lists + v * count * k, k, users,
                        count, &dataset->valid.matrix, dataset->valid_unknown,
                        trials->user_values + (pass->first + v) * validation->n_users + first);
    }
done:
    return code;
}

static enum status_code make_room(struct trials *trials, size_t n_more, struct status *status)
{
    size_t n_users = trials->request->validation->n_users;
    size_t n = trials->n, total = trials->n + n_more;
    enum status_code code;
    TRY(MEM_RESIZE(&trials->weights, n, total, status));
    TRY(MEM_RESIZE(&trials->values, n, total, status));
    TRY(MEM_RESIZE(&trials->user_values, n * n_users, total * n_users, status));
done:
    return code;
}

static bool is_tried(const struct trials *trials, size_t n_tried,
                     const struct score_weights *setting)
{
    for (size_t t = 0; t < n_tried; t++) {
        const struct score_weights *other = &trials->weights[t];
        if (is_alike(other, setting, true) && is_alike(other, setting, false) &&
            other->gamma == setting->gamma) {
            return true;
        }
    }
    return false;
}

enum status_code trials_measure(struct trials *trials, const struct score_weights *settings,
                                size_t n, struct status *status)
{
    size_t n_users = trials->request->validation->n_users, n_new = 0;
    struct pass pass = {0};
    enum status_code code;
    TRY(make_room(trials, n, status));
    for (size_t s = 0; s < n; s++) {
        if (!is_tried(trials, trials->n + n_new, &settings[s])) {
            trials->weights[trials->n + n_new++] = settings[s];
        }
    }
    TRY(pass_init(&pass, trials, trials->weights + trials->n, n_new, status));
    for (size_t first = 0; n_new > 0 && first < n_users; first += USER_BLOCK) {
        size_t count = n_users - first < USER_BLOCK ? n_users - first : USER_BLOCK;
        TRY(pass_block(&pass, trials, first, count, status));
        trials->progress->done += (double)count;
        TRY(watch_step(&trials->request->watch, trials->progress->done, trials->progress->total,
                       status));
    }
    for (size_t t = trials->n; t < trials->n + n_new; t++) {
        trials->values[t] = metric_mean(trials->user_values + t * n_users, n_users, NULL);
    }
    trials->n += n_new;
done:
    pass_release(&pass);
    return code;
}
