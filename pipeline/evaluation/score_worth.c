/* All settings in one pass over the products. */
#include "evaluation/score_worth.h"

#include "base/mem.h"
#include "search/paired.h"

/* What all else is multiplied by to leave the cosine out: it then decides between equals alone. */
static const double beyond_cosine = 1000;

/* The settings to measure: the weights, then these without one part each. */
struct variants {
    size_t n;
    struct score_weights weights[1 + SCORE_TERMS_MAX];
    char names[1 + SCORE_TERMS_MAX][sizeof((struct score_term *)NULL)->name];
};

static struct score_weights *add(struct variants *variants, const struct score_term *term)
{
    struct score_weights *added = &variants->weights[variants->n];
    *added = variants->weights[0];
    memcpy(variants->names[variants->n++], term->name, sizeof term->name);
    return added;
}

/* In the order of score_terms. */
static void list_variants(const struct score_weights *weights, double temperature,
                          struct variants *variants)
{
    struct score_term terms[SCORE_TERMS_MAX];
    const size_t n_terms = score_terms(weights, temperature, terms); /* the last one: boost */
    size_t t = 0;
    *variants = (struct variants){.n = 1, .weights = {*weights}};
    if (weights->beta == 0 && n_terms == 3) {
        return;
    }
    struct score_weights *other = add(variants, &terms[t++]);
    other->beta *= beyond_cosine;
    other->gamma *= beyond_cosine;
    for (size_t p = 0; p < weights->n_parts; p++) {
        other->parts[p].weight *= beyond_cosine;
    }
    if (weights->beta != 0) {
        add(variants, &terms[t])->beta = 0;
    }
    t++;
    if (weights->gamma > 0) {
        add(variants, &terms[t++])->gamma = 0;
    }
    for (size_t p = 0; p < weights->n_parts; p++) {
        if (weights->parts[p].weight > 0) {
            add(variants, &terms[t++])->parts[p].weight = 0;
        }
    }
}

enum status_code score_worth_measure(const struct exam *exam, const struct exam_scoring *scoring,
                                     const struct score_weights *weights, struct pool *pool,
                                     struct exam_progress *progress, double *values,
                                     struct score_worth *out, struct status *status)
{
    const size_t n_users = exam->n_users;
    struct variants *variants = NULL;
    double *all = NULL; /* (variants, n_users) */
    enum status_code code;
    TRY(MEM_NEW(&variants, 1, status));
    list_variants(weights, scoring->embeddings->temperature, variants);
    TRY(MEM_NEW(&all, variants->n * n_users, status));
    TRY(exam_measure(exam, scoring, variants->weights, variants->n, pool, progress, all, status));
    memcpy(values, all, n_users * sizeof *values);
    *out = (struct score_worth){.n = variants->n - 1};
    for (size_t v = 0; v < out->n; v++) {
        memcpy(out->parts[v].name, variants->names[v + 1], sizeof out->parts[v].name);
        out->parts[v].without = paired_mean(all + (v + 1) * n_users, n_users);
    }
done:
    mem_free(variants);
    mem_free(all);
    return code;
}
