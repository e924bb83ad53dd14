/* Measuring settings: many are ranked in one pass over the products and over the evidence, so a
 * grid costs little more than a look at every score for each setting. */
#include "evaluation/exam.h"

#include "base/mem.h"

#include <string.h>

enum { USER_BLOCK = 2048 }; /* cases ranked between two looks of the watch */

/* Memory of one pass. */
struct pass {
    const struct exam *exam;
    const struct exam_scoring *scoring;
    const struct score_weights *settings; /* (n) */
    size_t n;
    struct score_weights widest;  /* with every part that one of them has */
    struct score score;           /* of `widest`, in the sitting */
    float *arrays;                /* (n_arrays, n_items) distinct biases, then distinct powers */
    const float **biases;         /* (n) rows of arrays */
    const float **powers, **ones; /* (n) the same; of parts without */
    double *gammas;               /* (n_evidence, n) */
    struct ranking_evidence evidence[1 + SCORE_PARTS_MAX];
    float *anchors; /* (cases of a block, d) */
    int32_t *lists; /* (n, cases of a block, k) */
    float *scores;  /* the same shape */
};

static void pass_release(struct pass *pass)
{
    score_release(&pass->score);
    mem_free(pass->arrays);
    mem_free(pass->biases);
    mem_free(pass->powers);
    mem_free(pass->ones);
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
static size_t first_alike(const struct pass *pass, size_t v, bool by_popularity)
{
    size_t first = 0;
    while (!is_alike(&pass->settings[first], &pass->settings[v], by_popularity)) {
        first++;
    }
    return first;
}

/* The popularity terms of the settings with the half-life of settings[of], each written once, from
 * *next on; `terms` (n_items) is scratch. */
static enum status_code fill_biases(struct pass *pass, const struct exam_sitting *sitting,
                                    size_t of, double *terms, float **next, struct status *status)
{
    const double half_life = pass->settings[of].half_life;
    const size_t n_items = pass->exam->dataset->n_items;
    enum status_code code;
    TRY(exam_popularity(pass->exam, sitting, half_life, terms, status));
    score_popularity(pass->scoring->embeddings, half_life, n_items, terms);
    for (size_t v = of; v < pass->n; v++) {
        if (pass->settings[v].half_life != half_life) {
            continue;
        }
        size_t first = first_alike(pass, v, true);
        pass->biases[v] = first < v ? pass->biases[first] : *next;
        if (first == v) {
            score_popularity_weigh(terms, n_items, pass->settings[v].beta, *next);
            *next += n_items;
        }
    }
done:
    return code;
}

/* Of one sitting: one array for every popularity term and, with evidence, for every exponent that
 * differs. */
static enum status_code fill_arrays(struct pass *pass, const struct exam_sitting *sitting,
                                    struct status *status)
{
    const struct evidence *evidence = pass->scoring->sources.evidence;
    const size_t n_items = pass->exam->dataset->n_items;
    double *terms = NULL;
    float *next = pass->arrays;
    enum status_code code;
    TRY(MEM_NEW(&terms, n_items, status));
    for (size_t v = 0; v < pass->n; v++) {
        pass->biases[v] = NULL;
    }
    for (size_t v = 0; v < pass->n; v++) {
        if (pass->biases[v] == NULL) {
            TRY(fill_biases(pass, sitting, v, terms, &next, status));
        }
    }
    for (size_t v = 0; evidence != NULL && v < pass->n; v++) {
        size_t first = first_alike(pass, v, false);
        pass->powers[v] = first < v ? pass->powers[first] : next;
        if (first == v) {
            evidence_powers(evidence, pass->settings[v].exponent, next);
            next += n_items;
        }
    }
done:
    mem_free(terms);
    return code;
}

/* What the histories of a sitting say: the evidence of the widest setting, of which each takes what
 * it weighs. */
static enum status_code fill_evidence(struct pass *pass, const struct exam_sitting *sitting,
                                      struct status *status)
{
    const struct score_weights *widest = &pass->widest;
    size_t t = 0;
    enum status_code code;
    score_release(&pass->score);
    TRY(exam_score(pass->exam, sitting, pass->scoring, widest, &pass->score, status));
    for (size_t p = 0; p <= widest->n_parts; p++) { /* 0: what gamma weighs */
        const bool is_part = p > 0;
        if (!is_part ? widest->gamma == 0 : widest->parts[p - 1].weight == 0) {
            continue;
        }
        const bool has_power = !is_part || widest->parts[p - 1].kind == SCORE_EVIDENCE;
        pass->evidence[t] = pass->score.evidence[t];
        pass->evidence[t].gammas = pass->gammas + t * pass->n;
        pass->evidence[t].powers = has_power ? pass->powers : pass->ones;
        for (size_t v = 0; v < pass->n; v++) {
            pass->ones[v] = pass->score.power_rows[1];
            pass->gammas[t * pass->n + v] =
                is_part ? pass->settings[v].parts[p - 1].weight : pass->settings[v].gamma;
        }
        t++;
    }
done:
    return code;
}

static struct score_weights find_widest(const struct score_weights *settings, size_t n)
{
    struct score_weights widest = settings[0];
    for (size_t v = 1; v < n; v++) {
        widest.gamma = settings[v].gamma > widest.gamma ? settings[v].gamma : widest.gamma;
        for (size_t p = 0; p < widest.n_parts; p++) {
            const double weight = settings[v].parts[p].weight;
            widest.parts[p].weight =
                weight > widest.parts[p].weight ? weight : widest.parts[p].weight;
        }
    }
    return widest;
}

static enum status_code pass_init(struct pass *pass, struct status *status)
{
    const struct exam *exam = pass->exam;
    const size_t n = pass->n;
    size_t n_arrays = 0, n_users = 0;
    enum status_code code;
    for (size_t v = 0; v < n; v++) {
        n_arrays += first_alike(pass, v, true) == v ? 1 : 0;
        n_arrays += first_alike(pass, v, false) == v ? 1 : 0;
    }
    for (size_t s = 0; s < exam->n_sittings; s++) {
        n_users = exam->sittings[s].n > n_users ? exam->sittings[s].n : n_users;
    }
    n_users = n_users < USER_BLOCK ? n_users : USER_BLOCK;
    pass->widest = find_widest(pass->settings, n);
    TRY(MEM_NEW(&pass->arrays, n_arrays * exam->dataset->n_items, status));
    TRY(MEM_NEW(&pass->biases, n, status));
    TRY(MEM_NEW(&pass->powers, n, status));
    TRY(MEM_NEW(&pass->ones, n, status));
    TRY(MEM_NEW(&pass->gammas, (1 + pass->widest.n_parts) * n, status));
    TRY(MEM_NEW(&pass->anchors, n_users * pass->scoring->embeddings->users.columns, status));
    TRY(MEM_NEW(&pass->lists, n * n_users * exam_list_length(exam), status));
    TRY(MEM_NEW(&pass->scores, n * n_users * exam_list_length(exam), status));
done:
    return code;
}

/* Ranks cases [first, first + count) of a sitting under every setting and measures them. */
static enum status_code pass_block(struct pass *pass, const struct exam_sitting *sitting,
                                   size_t first, size_t count, struct pool *pool, double *values,
                                   struct status *status)
{
    const struct exam *exam = pass->exam;
    const size_t k = exam_list_length(exam);
    enum status_code code;
    struct ranking ranking =
        exam_ranking(exam, sitting, pass->scoring->embeddings, first, count, pass->anchors);
    score_apply(&pass->score, sitting->rows + first, &ranking);
    ranking.n_biases = pass->n;
    ranking.biases = pass->biases;
    ranking.evidence = pass->evidence;
    TRY(ranking_run(&ranking, pool, pass->lists, pass->scores, status));
    for (size_t v = 0; v < pass->n; v++) {
        exam_add(exam, sitting, first, count, pass->lists + v * count * k, k,
                 values + v * exam->n_users);
    }
done:
    return code;
}

enum status_code exam_measure(const struct exam *exam, const struct exam_scoring *scoring,
                              const struct score_weights *settings, size_t n, struct pool *pool,
                              struct exam_progress *progress, double *values, struct status *status)
{
    struct pass pass = {.exam = exam, .scoring = scoring, .settings = settings, .n = n};
    enum status_code code;
    TRY(pass_init(&pass, status));
    memset(values, 0, n * exam->n_users * sizeof *values);
    for (size_t s = 0; s < exam->n_sittings; s++) {
        const struct exam_sitting *sitting = &exam->sittings[s];
        TRY(fill_arrays(&pass, sitting, status));
        TRY(fill_evidence(&pass, sitting, status));
        for (size_t first = 0; first < sitting->n; first += USER_BLOCK) {
            size_t count = sitting->n - first < USER_BLOCK ? sitting->n - first : USER_BLOCK;
            TRY(pass_block(&pass, sitting, first, count, pool, values, status));
            progress->done += (double)count;
            TRY(watch_step(&progress->watch, progress->done, progress->total, status));
        }
    }
    TRY(crowd_join(&exam->crowd, values, n * exam->n_users, status));
done:
    pass_release(&pass);
    return code;
}
