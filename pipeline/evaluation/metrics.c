/* Metrics as rows of two tables: per user against held-out items, and per catalogue. Ranking itself
 * is ranking.c's and baselines.c's business; who belongs to which group the evaluate stage's. */
#include "evaluation/metrics.h"

#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <math.h>

static size_t count_hits(const uint8_t *hits, size_t k)
{
    size_t n = 0;
    for (size_t r = 0; r < k; r++) {
        n += hits[r];
    }
    return n;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Recall@k = hits / n_relevant. The denominator is all of the user's held-out items, also where
 * k < n_relevant, as in the LightGCN family's evaluation (He et al., SIGIR 2020). */
static double recall(const uint8_t *hits, size_t k, size_t n_relevant)
{
    return (double)count_hits(hits, k) / (double)n_relevant;
}

/* NDCG@k with binary gains: DCG = sum over hits of 1 / log2(1 + rank) (Jarvelin and Kekalainen,
 * TOIS 2002), divided by the DCG of a list whose first min(k, n_relevant) items are all hits. */
static double ndcg(const uint8_t *hits, size_t k, size_t n_relevant)
{
    double gain = 0.0, ideal = 0.0;
    size_t n_ideal = smaller(k, n_relevant);
    for (size_t r = 0; r < k; r++) {
        double discount = 1.0 / log2((double)(r + 2));
        gain += hits[r] ? discount : 0.0;
        ideal += r < n_ideal ? discount : 0.0;
    }
    return gain / ideal;
}

/* Hit rate@k: 1 when at least one of the first k is relevant (Deshpande and Karypis, TOIS 2004). */
static double hit(const uint8_t *hits, size_t k, size_t n_relevant)
{
    (void)n_relevant;
    return count_hits(hits, k) > 0 ? 1.0 : 0.0;
}

/* Precision@k = hits / k. The denominator is k also when the list is shorter or n_relevant < k. */
static double precision(const uint8_t *hits, size_t k, size_t n_relevant)
{
    (void)n_relevant;
    return (double)count_hits(hits, k) / (double)k;
}

/* MRR@k = 1 / rank of the first hit, 0 when there is none among the first k (Voorhees, TREC-8). */
static double mrr(const uint8_t *hits, size_t k, size_t n_relevant)
{
    (void)n_relevant;
    for (size_t r = 0; r < k; r++) {
        if (hits[r]) {
            return 1.0 / (double)(r + 1);
        }
    }
    return 0.0;
}

/* MAP@k = sum over hits of precision@rank, divided by min(k, n_relevant), so that 1 can be reached
 * (the cut-off form of average precision, as in the Million Song Dataset Challenge, 2012). */
static double map(const uint8_t *hits, size_t k, size_t n_relevant)
{
    double sum = 0.0;
    size_t n = 0;
    for (size_t r = 0; r < k; r++) {
        if (hits[r]) {
            n++;
            sum += (double)n / (double)(r + 1);
        }
    }
    return sum / (double)smaller(k, n_relevant);
}

#define ROW(name) {#name, name},

const struct metric metric_table[] = {METRICS(ROW, ROW){NULL, NULL}};

/* Splits "name@k"; *name_length is what stands before the @. */
static bool parse_at(const char *text, size_t length, size_t *name_length, size_t *k)
{
    const char *at = memchr(text, '@', length);
    int64_t value;
    if (at == NULL) {
        return false;
    }
    *name_length = (size_t)(at - text);
    if (!num_parse_int64(at + 1, length - *name_length - 1, &value) || value < 1 ||
        value > METRIC_K_MAX) {
        return false;
    }
    *k = (size_t)value;
    return true;
}

static bool same_name(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

bool metric_parse(const char *text, size_t length, const struct metric **metric, size_t *k)
{
    size_t name_length, parsed;
    if (!parse_at(text, length, &name_length, &parsed)) {
        return false;
    }
    for (const struct metric *row = metric_table; row->name != NULL; row++) {
        if (same_name(row->name, text, name_length)) {
            *metric = row;
            *k = parsed;
            return true;
        }
    }
    return false;
}

void metric_per_user(const struct metric *metric, size_t k, const int32_t *lists, size_t list_k,
                     const int32_t *rows, size_t n_rows, const struct sparse *held_out,
                     const int32_t *unknown, double *out)
{
    uint8_t hits[METRIC_K_MAX];
    assert(k >= 1 && k <= METRIC_K_MAX);
    for (size_t a = 0; a < n_rows; a++) {
        size_t row = rows == NULL ? a : (size_t)rows[a];
        size_t n_relevant = sparse_row_length(held_out, row);
        n_relevant += unknown == NULL ? 0 : (size_t)unknown[row];
        if (n_relevant == 0) {
            out[a] = (double)NAN;
            continue;
        }
        const int32_t *list = lists + a * list_k;
        bool ended = false;
        for (size_t r = 0; r < k; r++) {
            ended = ended || r >= list_k || list[r] < 0;
            hits[r] = !ended && sparse_has(held_out, row, list[r]) ? 1 : 0;
        }
        out[a] = metric->of_user(hits, k, n_relevant);
    }
}

void metric_mean_error(const double *values, size_t step, size_t n, double *mean, double *error)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i * step];
    }
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double off = values[i * step] - *mean;
        squares += off * off;
    }
    *error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : (double)NAN;
}

/* Catalogue coverage@k: share of the items that at least one list shows (Ge et al., RecSys 2010).
 */
static double coverage(const struct exposure *exposure)
{
    size_t shown = 0;
    for (size_t i = 0; i < exposure->n_items; i++) {
        shown += exposure->shown[i] > 0 ? 1 : 0;
    }
    return exposure->n_items == 0 ? 0.0 : (double)shown / (double)exposure->n_items;
}

/* Gini coefficient of exposure over all n items, shown or not: 0 when every item is shown equally
 * often, towards 1 when a few get everything. With exposures x_1 <= ... <= x_n:
 * G = sum_i (2 i - n - 1) x_i / (n sum_i x_i) (Fleder and Hosanagar, Management Science 2009). */
static double gini(const struct exposure *exposure)
{
    double weighted = 0.0, total = 0.0;
    double n = (double)exposure->n_items;
    for (size_t i = 0; i < exposure->n_items; i++) {
        double x = (double)exposure->ascending[i];
        weighted += (2.0 * (double)(i + 1) - n - 1.0) * x;
        total += x;
    }
    return total > 0.0 ? weighted / (n * total) : 0.0;
}

/* Novelty@k: mean of -log2(n_i / n_users) over everything shown, the self-information of an item
 * (Zhou et al., PNAS 2010). An item without train users counts as one with a single user. */
static double novelty(const struct exposure *exposure)
{
    double sum = 0.0, shown = 0.0;
    for (size_t i = 0; i < exposure->n_items; i++) {
        double users = (double)(exposure->counts[i] > 0 ? exposure->counts[i] : 1);
        sum += (double)exposure->shown[i] * log2((double)exposure->n_users / users);
        shown += (double)exposure->shown[i];
    }
    return shown > 0.0 ? sum / shown : 0.0;
}

/* Mean n_i over everything shown. */
static double popularity(const struct exposure *exposure)
{
    double sum = 0.0, shown = 0.0;
    for (size_t i = 0; i < exposure->n_items; i++) {
        sum += (double)exposure->shown[i] * (double)exposure->counts[i];
        shown += (double)exposure->shown[i];
    }
    return shown > 0.0 ? sum / shown : 0.0;
}

const struct list_measure list_measure_table[] = {LIST_MEASURES(ROW){NULL, NULL}};

bool list_measure_parse(const char *text, size_t length, const struct list_measure **measure,
                        size_t *k)
{
    size_t name_length, parsed;
    if (!parse_at(text, length, &name_length, &parsed)) {
        return false;
    }
    for (const struct list_measure *row = list_measure_table; row->name != NULL; row++) {
        if (same_name(row->name, text, name_length)) {
            *measure = row;
            *k = parsed;
            return true;
        }
    }
    return false;
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum status_code exposure_init(struct exposure *exposure, const int64_t *counts, size_t n_items,
                               size_t n_users, struct status *status)
{
    struct exposure made = {.n_items = n_items, .n_users = n_users, .counts = counts};
    enum status_code code;
    TRY(MEM_NEW(&made.shown, n_items, status));
    TRY(MEM_NEW(&made.ascending, n_items, status));
    *exposure = made;
done:
    if (code != STATUS_OK) {
        exposure_release(&made);
    }
    return code;
}

void exposure_add(struct exposure *exposure, const int32_t *lists, size_t list_k, size_t n_rows,
                  size_t k)
{
    for (size_t a = 0; a < n_rows; a++) {
        const int32_t *list = lists + a * list_k;
        for (size_t r = 0; r < smaller(k, list_k) && list[r] >= 0; r++) {
            exposure->shown[list[r]]++;
        }
    }
}

void exposure_finish(struct exposure *exposure)
{
    memcpy(exposure->ascending, exposure->shown, exposure->n_items * sizeof *exposure->shown);
    qsort(exposure->ascending, exposure->n_items, sizeof *exposure->ascending, compare_int64);
}

void exposure_release(struct exposure *exposure)
{
    mem_free(exposure->shown);
    mem_free(exposure->ascending);
    *exposure = (struct exposure){0};
}
