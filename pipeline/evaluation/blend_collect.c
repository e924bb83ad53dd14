/* What each choice is set against: the best few of every part and of the base, which are those that
 * could displace it in a list, and a sample of the others; and the values of them all. */
#include "evaluation/blend_internal.h"

#include "base/mem.h"
#include "base/rng.h"
#include "evaluation/blend_steps.h"
#include "math/topk.h"
#include "math/vec.h"

#include <string.h>

enum {
    BEST_OF_PART = 40, /* items of each part that a user's choices are set against */
    BEST_OF_SCORE = 60,
    SAMPLED = 200,
    MOST_CHOICES = STEP_CHOSEN_MAX, /* held-out items of a case */
    USERS_AT_ONCE = 16
};

/* best (cases of the sitting, BEST_OF_SCORE) by the base. */
static enum status_code find_best(const struct fitting *fitting, struct status *status)
{
    const struct blend_request *request = fitting->request;
    const struct exam_scoring scoring = scoring_of(request);
    const struct exam_sitting *sitting = fitting->sitting;
    struct score score = {0};
    float *anchors = NULL, *scores = NULL;
    enum status_code code;
    TRY(MEM_NEW(&anchors, sitting->n * request->embeddings->users.columns, status));
    TRY(MEM_NEW(&scores, sitting->n * BEST_OF_SCORE, status));
    TRY(exam_score(&fitting->exam, sitting, &scoring, &request->base, &score, status));
    struct ranking ranking =
        exam_ranking(&fitting->exam, sitting, request->embeddings, 0, sitting->n, anchors);
    ranking.k = BEST_OF_SCORE;
    score_apply(&score, sitting->rows, &ranking);
    TRY(ranking_run(&ranking, fitting->pool, fitting->best, scores, status));
done:
    score_release(&score);
    mem_free(anchors);
    mem_free(scores);
    return code;
}

/* ---- the values of a user's items ---- */

/* One thread's memory. */
struct collector {
    struct evidence_scratch scratch;
    struct evidence_entries {
        int32_t *columns; /* (n_items) */
        float *values;    /* (n_items) times the item's power */
        size_t n;
    } rows[1 + SCORE_PARTS_MAX]; /* of the user's history, by evidence */
    uint8_t *taken; /* (n_items) not to be taken (again): excluded, chosen, or in `items` */
    int32_t *items; /* (n_items) the choices, then what they are set against */
    int32_t *place; /* (n_items) of what is in `items` */
    struct topk heap;
    float best_scores[BEST_OF_PART];
    int32_t best[BEST_OF_PART];
    size_t n, n_choices, n_sure, n_barred; /* n_barred: never listed, or a choice too many */
};

struct collecting {
    struct fitting *fitting;
    struct collector *collectors; /* (threads) */
};

static void take(struct collector *c, int32_t item)
{
    if (!c->taken[item]) {
        c->taken[item] = 1;
        c->items[c->n++] = item;
    }
}

/* The choices of a row of the sitting, and what is never listed. */
static void take_choices(const struct fitting *fitting, struct collector *c, size_t row)
{
    const struct sparse *excluded = fitting->sitting->exclude;
    size_t n;
    const int32_t *items = sparse_row(&fitting->sitting->held_out->matrix, row, &n);
    c->n = 0;
    for (size_t e = 0; e < n && c->n < MOST_CHOICES; e++) {
        take(c, items[e]);
    }
    c->n_choices = c->n;
    c->n_barred = n - c->n;
    for (size_t e = 0; e < n; e++) {
        c->taken[items[e]] = 1;
    }
    for (int64_t e = excluded->offsets[row]; e < excluded->offsets[row + 1]; e++) {
        c->n_barred += c->taken[excluded->columns[e]] ? 0 : 1;
        c->taken[excluded->columns[e]] = 1;
    }
}

static void find_rows(const struct fitting *fitting, struct collector *c, size_t a)
{
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        const struct ranking_evidence *evidence = &fitting->ranking.evidence[t];
        struct evidence_entries *row = &c->rows[t];
        row->n = ranking_evidence_row(&fitting->ranking, evidence, &c->scratch, a, row->columns,
                                      row->values);
        for (size_t e = 0; e < row->n; e++) {
            row->values[e] *= evidence->powers[0][row->columns[e]];
        }
    }
}

static void take_best(struct collector *c, const struct evidence_entries *row)
{
    topk_init(&c->heap, BEST_OF_PART, c->best_scores, c->best, NULL);
    for (size_t e = 0; e < row->n; e++) {
        if (!c->taken[row->columns[e]]) {
            topk_offer(&c->heap, row->values[e], row->columns[e]);
        }
    }
    for (size_t b = 0; b < c->heap.n; b++) {
        take(c, c->best[b]);
    }
}

/* What the choices of case a are set against. */
static void take_others(const struct fitting *fitting, struct collector *c, size_t a)
{
    const size_t n_items = fitting->exam.dataset->n_items;
    const int32_t *best = fitting->best + a * BEST_OF_SCORE;
    struct rng rng;
    for (size_t r = 0; r < BEST_OF_SCORE && best[r] >= 0; r++) {
        take(c, best[r]);
    }
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        take_best(c, &c->rows[t]);
    }
    rng_init(&rng, fitting->request->seed, "blend.sample", 0, (uint64_t)fitting->sitting->cases[a]);
    c->n_sure = c->n;
    for (size_t s = 0; s < SAMPLED; s++) {
        take(c, (int32_t)rng_below(&rng, n_items));
    }
}

/* x (n, n_columns) of the items taken. */
static void fill_values(const struct fitting *fitting, struct collector *c, size_t a, float *x)
{
    const struct embeddings *embeddings = fitting->request->embeddings;
    const struct vec_ops *ops = vec_ops();
    const size_t n_columns = fitting->n_columns;
    const size_t user = (size_t)fitting->sitting->users[a];
    const float *vector = embeddings->users.data + user * embeddings->users.stride;
    for (size_t i = 0; i < c->n; i++) {
        const size_t item = (size_t)c->items[i];
        c->place[item] = (int32_t)i;
        x[i * n_columns + COSINE] =
            fitting->score.scale *
            ops->dot(vector, embeddings->items.data + item * embeddings->items.stride,
                     embeddings->items.columns);
        x[i * n_columns + POPULARITY] = fitting->score.bias[item];
        x[i * n_columns + BASE] = fitting->score.bias[item] + x[i * n_columns + COSINE];
    }
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        const struct ranking_evidence *evidence = &fitting->ranking.evidence[t];
        const struct evidence_entries *row = &c->rows[t];
        const float factor = (float)evidence->gammas[0] *
                             ranking_evidence_norm(&fitting->ranking, evidence, a, row->columns,
                                                   row->values, row->n, NULL);
        for (size_t e = 0; e < row->n; e++) {
            const int32_t place = c->place[row->columns[e]];
            if (place >= 0) {
                x[(size_t)place * n_columns + fitting->column_of[t]] += factor * row->values[e];
            }
        }
    }
    for (size_t i = 0; i < c->n; i++) {
        c->place[c->items[i]] = -1;
    }
}

static size_t relevant_items(const struct exam_sitting *sitting, size_t a)
{
    const size_t row = (size_t)sitting->rows[a];
    return sparse_row_length(&sitting->held_out->matrix, row) +
           (sitting->unknown == NULL ? 0 : (size_t)sitting->unknown[row]);
}

static void collect_block(void *data, size_t block, size_t worker)
{
    const struct collecting *job = data;
    struct fitting *fitting = job->fitting;
    const struct exam_sitting *sitting = fitting->sitting;
    struct collector *c = &job->collectors[worker];
    const size_t n_items = fitting->exam.dataset->n_items;
    size_t end = (block + 1) * USERS_AT_ONCE;
    end = end < sitting->n ? end : sitting->n;
    for (size_t a = block * USERS_AT_ONCE; a < end; a++) {
        struct status ignored = {0};
        struct logit_choice *choice = &fitting->logit.choices[sitting->cases[a]];
        memset(c->taken, 0, n_items);
        take_choices(fitting, c, (size_t)sitting->rows[a]);
        if (c->n_choices == 0) {
            continue;
        }
        find_rows(fitting, c, a);
        take_others(fitting, c, a);
        choice->n = c->n;
        if (MEM_NEW(&choice->x, c->n * fitting->n_columns, &ignored) != STATUS_OK) {
            continue; /* logit_ready says so */
        }
        choice->n_chosen = c->n_choices;
        choice->n_sure = c->n_sure;
        choice->n_relevant = relevant_items(sitting, a);
        choice->stands_for = (double)(n_items - c->n_sure - c->n_barred) /
                             (double)(c->n > c->n_sure ? c->n - c->n_sure : 1);
        fill_values(fitting, c, a, choice->x);
    }
}

static void collectors_release(struct collector *collectors, size_t n)
{
    for (size_t w = 0; collectors != NULL && w < n; w++) {
        evidence_scratch_release(&collectors[w].scratch);
        for (size_t t = 0; t <= SCORE_PARTS_MAX; t++) {
            mem_free(collectors[w].rows[t].columns);
            mem_free(collectors[w].rows[t].values);
        }
        mem_free(collectors[w].taken);
        mem_free(collectors[w].items);
        mem_free(collectors[w].place);
    }
    mem_free(collectors);
}

static enum status_code collectors_new(const struct fitting *fitting, struct collector **collectors,
                                       struct status *status)
{
    const size_t n_workers = pool_threads(fitting->pool);
    const size_t n_items = fitting->exam.dataset->n_items;
    const struct score_sources *sources = &fitting->request->sources;
    enum status_code code;
    TRY(MEM_NEW(collectors, n_workers, status));
    for (size_t w = 0; w < n_workers; w++) {
        struct collector *c = &(*collectors)[w];
        if (fitting->n_evidence > 0) {
            TRY(evidence_scratch_init(&c->scratch,
                                      score_source(sources, fitting->all.n_parts > 0
                                                                ? fitting->all.parts[0].kind
                                                                : SCORE_EVIDENCE),
                                      status));
        }
        for (size_t t = 0; t < fitting->n_evidence; t++) {
            TRY(MEM_NEW(&c->rows[t].columns, n_items, status));
            TRY(MEM_NEW(&c->rows[t].values, n_items, status));
        }
        TRY(MEM_NEW(&c->taken, n_items, status));
        TRY(MEM_NEW(&c->items, n_items, status));
        TRY(MEM_NEW(&c->place, n_items, status));
        memset(c->place, -1, n_items * sizeof *c->place);
    }
done:
    return code;
}

/* The choices of one sitting. */
static enum status_code collect(struct fitting *fitting, struct collector *collectors,
                                struct status *status)
{
    const struct blend_request *request = fitting->request;
    const struct exam_scoring scoring = scoring_of(request);
    const struct exam_sitting *sitting = fitting->sitting;
    struct collecting job = {fitting, collectors};
    enum status_code code;
    TRY(watch_check(&request->watch, status));
    score_release(&fitting->score);
    TRY(exam_score(&fitting->exam, sitting, &scoring, &fitting->all, &fitting->score, status));
    score_apply(&fitting->score, sitting->rows, &fitting->ranking);
    TRY(find_best(fitting, status));
    pool_run(fitting->pool, (sitting->n + USERS_AT_ONCE - 1) / USERS_AT_ONCE, collect_block, &job);
done:
    return code;
}

enum status_code blend_collect(struct fitting *fitting, struct status *status)
{
    struct collector *collectors = NULL;
    enum status_code code;
    TRY(MEM_NEW(&fitting->best, fitting->exam.n_cases * BEST_OF_SCORE, status));
    TRY(collectors_new(fitting, &collectors, status));
    for (size_t s = 0; s < fitting->exam.n_sittings; s++) {
        fitting->sitting = &fitting->exam.sittings[s];
        TRY(collect(fitting, collectors, status));
    }
done:
    collectors_release(collectors, pool_threads(fitting->pool));
    return code;
}
