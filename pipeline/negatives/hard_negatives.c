/* Lists of hard negatives and thresholds out of one exact ranking, draws from them, and their way
 * through a checkpoint. When they are used and as what is the batch's business. */
#include "negatives/hard_negatives.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/workspace.h"
#include "math/vec.h"
#include "ranking/ranking.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Users ranked at a time: bounds the memory of a refresh and the wait for a stop request. A
 * multiple of the ranking's own block, so that no block of it is padded but the last. */
enum { USERS_PER_PASS = 4096, USERS_PER_BLOCK = 64 };

static const char items_slot[] = "hard.items";
static const char thresholds_slot[] = "hard.thresholds";

enum status_code hard_negatives_init(struct hard_negatives *hard,
                                     const struct hard_settings *settings, size_t n_users,
                                     size_t n_items, size_t top_k, struct status *status)
{
    struct hard_negatives made = {
        .settings = *settings, .n_users = n_users, .n_items = n_items, .top_k = top_k};
    size_t n = 0;
    enum status_code code = STATUS_OK;
    made.settings.pool = settings->pool < n_items ? settings->pool : n_items;
    if (settings->count > 0) {
        if (!num_multiply(n_users, made.settings.pool, &n)) {
            n = SIZE_MAX; /* refused by MEM_NEW */
        }
        TRY(MEM_NEW(&made.items, n, status));
    }
    if (top_k > 0) {
        TRY(MEM_NEW(&made.thresholds, n_users, status));
    }
    *hard = made;
    made = (struct hard_negatives){0};
done:
    hard_negatives_release(&made);
    return code;
}

void hard_negatives_release(struct hard_negatives *hard)
{
    mem_free(hard->items);
    mem_free(hard->thresholds);
    *hard = (struct hard_negatives){0};
}

bool hard_negatives_due(const struct hard_negatives *hard, size_t epochs_done)
{
    const struct hard_settings *settings = &hard->settings;
    if ((hard->items == NULL && hard->thresholds == NULL) ||
        epochs_done + 1 < settings->from_epoch) {
        return false;
    }
    const size_t since = epochs_done + 1 - settings->from_epoch;
    return settings->every == 0 ? since == 0 : since % settings->every == 0;
}

/* ---- a refresh ---- */

struct refresh {
    struct hard_negatives *hard;
    const struct hard_scores *scores;
    size_t first_user, n_users, k; /* of the pass */
    int32_t *lists;                /* (n_users, k) best non-excluded items */
    float *list_scores;            /* (n_users, k) */
    int32_t *exclude_rows;         /* (n_users) */
    float *excluded_scores;        /* (workers, longest) */
    size_t longest;                /* row of excluded */
};

static int compare_descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* K-th best of the list (n, best first) and the excluded items' scores (n_excluded, best first)
 * together; with fewer the worst. No item at all: 0, which nobody has to beat. */
static float kth_of_both(const float *list, size_t n, const float *excluded, size_t n_excluded,
                         size_t k)
{
    size_t a = 0, b = 0;
    float value = 0;
    for (size_t rank = 0; rank < k && a + b < n + n_excluded; rank++) {
        const bool take_list = b == n_excluded || (a < n && list[a] >= excluded[b]);
        value = take_list ? list[a++] : excluded[b++];
    }
    return value;
}

static float find_threshold(const struct refresh *refresh, size_t slot, float *excluded_scores)
{
    const struct hard_scores *scores = refresh->scores;
    const struct sparse *excluded = scores->excluded;
    const size_t user = refresh->first_user + slot, d = scores->users.columns;
    const int32_t *list = refresh->lists + slot * refresh->k;
    const float *anchor = matrix_row(scores->users, user);
    size_t n = 0, n_excluded = 0;
    while (n < refresh->k && list[n] >= 0) {
        n++;
    }
    for (int64_t e = excluded->offsets[user]; e < excluded->offsets[user + 1]; e++) {
        const size_t item = (size_t)excluded->columns[e];
        const float *candidate = matrix_row(scores->items, item);
        const float bias = scores->bias == NULL ? 0.0f : scores->bias[item];
        excluded_scores[n_excluded++] = scores->scale * vec_ops()->dot(anchor, candidate, d) + bias;
    }
    qsort(excluded_scores, n_excluded, sizeof *excluded_scores, compare_descending);
    return kth_of_both(refresh->list_scores + slot * refresh->k, n, excluded_scores, n_excluded,
                       refresh->hard->top_k);
}

/* What the ranking of a pass gave goes where it belongs. */
static void keep_task(void *data, size_t block, size_t worker)
{
    struct refresh *refresh = data;
    struct hard_negatives *hard = refresh->hard;
    const size_t pool = hard->settings.pool, skip = hard->settings.skip;
    const size_t left = refresh->n_users - block * USERS_PER_BLOCK;
    const size_t end = block * USERS_PER_BLOCK + (left < USERS_PER_BLOCK ? left : USERS_PER_BLOCK);
    for (size_t slot = block * USERS_PER_BLOCK; slot < end; slot++) {
        const size_t user = refresh->first_user + slot;
        const int32_t *list = refresh->lists + slot * refresh->k;
        for (size_t r = 0; hard->items != NULL && r < pool; r++) {
            hard->items[user * pool + r] = skip + r < refresh->k ? list[skip + r] : -1;
        }
        if (hard->thresholds != NULL) {
            hard->thresholds[user] =
                find_threshold(refresh, slot, refresh->excluded_scores + worker * refresh->longest);
        }
    }
}

/* Names the memory of the passes. */
static void refresh_memory(struct refresh *refresh, size_t n_workers, struct workspace *workspace)
{
    const struct hard_negatives *hard = refresh->hard;
    const struct sparse *excluded = refresh->scores->excluded;
    const size_t list = hard->items != NULL ? hard->settings.skip + hard->settings.pool : 0;
    const size_t most = hard->n_users < USERS_PER_PASS ? hard->n_users : USERS_PER_PASS;
    refresh->k = list > hard->top_k ? list : hard->top_k;
    refresh->k = refresh->k < hard->n_items ? refresh->k : hard->n_items;
    for (size_t user = 0; user < hard->n_users; user++) {
        const size_t length = sparse_row_length(excluded, user);
        refresh->longest = length > refresh->longest ? length : refresh->longest;
    }
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &refresh->lists, most * refresh->k);
    WORKSPACE_ADD(workspace, &refresh->list_scores, most * refresh->k);
    WORKSPACE_ADD(workspace, &refresh->exclude_rows, most);
    WORKSPACE_ADD(workspace, &refresh->excluded_scores, n_workers * refresh->longest);
}

static enum status_code run_pass(struct refresh *refresh, struct pool *pool, struct status *status)
{
    const struct hard_scores *scores = refresh->scores;
    const float *biases[1] = {scores->bias};
    for (size_t slot = 0; slot < refresh->n_users; slot++) {
        refresh->exclude_rows[slot] = (int32_t)(refresh->first_user + slot);
    }
    const struct ranking ranking = {
        .anchors = matrix_rows(scores->users, refresh->first_user, refresh->n_users),
        .candidates = scores->items,
        .scale = scores->scale,
        .n_biases = scores->bias != NULL,
        .biases = biases,
        .exclude = scores->excluded,
        .exclude_rows = refresh->exclude_rows,
        .k = refresh->k,
    };
    const enum status_code code =
        ranking_run(&ranking, pool, refresh->lists, refresh->list_scores, status);
    if (code == STATUS_OK) {
        pool_run(pool, (refresh->n_users + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK, keep_task,
                 refresh);
    }
    return code;
}

enum status_code hard_negatives_refresh(struct hard_negatives *hard,
                                        const struct hard_scores *scores, struct pool *pool,
                                        struct status *status)
{
    struct refresh refresh = {.hard = hard, .scores = scores};
    struct workspace workspace = {0};
    enum status_code code = STATUS_OK;
    assert(scores->users.rows == hard->n_users && scores->items.rows == hard->n_items);
    assert(scores->excluded->n_rows == hard->n_users && hard->n_users <= INT32_MAX);
    if (hard->items == NULL && hard->thresholds == NULL) {
        return STATUS_OK;
    }
    refresh_memory(&refresh, pool_threads(pool), &workspace);
    TRY(workspace_reserve(&workspace, status));
    for (; refresh.first_user < hard->n_users; refresh.first_user += USERS_PER_PASS) {
        const size_t left = hard->n_users - refresh.first_user;
        refresh.n_users = left < USERS_PER_PASS ? left : USERS_PER_PASS;
        TRY(watch_check(&scores->watch, status));
        TRY(run_pass(&refresh, pool, status));
    }
    hard->is_ready = true;
done:
    workspace_release(&workspace);
    return code;
}

/* ---- draws ---- */

/* Selection sampling (Knuth, The Art of Computer Programming 3.4.2, algorithm S): every set of
 * `count` is equally likely, in one walk and without memory. */
size_t hard_negatives_draw(const struct hard_negatives *hard, uint64_t seed, size_t epoch,
                           size_t user, uint64_t key, int32_t *items)
{
    const size_t pool = hard->settings.pool;
    size_t n = 0, n_drawn = 0;
    struct rng rng;
    if (!hard->is_ready || hard->items == NULL) {
        return 0;
    }
    const int32_t *list = hard->items + user * pool;
    while (n < pool && list[n] >= 0) {
        n++;
    }
    const size_t count = hard->settings.count < n ? hard->settings.count : n;
    rng_init(&rng, seed, "train.hard", epoch, key);
    for (size_t r = 0; n_drawn < count; r++) {
        if (rng_below(&rng, n - r) < count - n_drawn) {
            items[n_drawn++] = list[r];
        }
    }
    return n_drawn;
}

float hard_negatives_offset(const struct hard_negatives *hard, const struct sampler *sampler,
                            int32_t item, size_t n_drawn)
{
    const double n_items = (double)hard->n_items;
    const double pool = fmin((double)hard->settings.pool, n_items);
    const double mass = isnan(hard->settings.share) ? pool : hard->settings.share * n_items;
    return (float)(sampler->target[item] + log(mass / (double)n_drawn));
}

/* ---- checkpoints ---- */

enum status_code hard_negatives_save(const struct hard_negatives *hard, struct artifact *artifact,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    if (hard->is_ready && hard->items != NULL) {
        TRY(artifact_copy(artifact, items_slot, ARRAY_I32, hard->n_users, hard->settings.pool,
                          hard->items, status));
    }
    if (hard->is_ready && hard->thresholds != NULL) {
        TRY(artifact_copy(artifact, thresholds_slot, ARRAY_F32, hard->n_users, 1, hard->thresholds,
                          status));
    }
done:
    return code;
}

/* The array `name` when it is there (else *data NULL); of another shape it is refused. */
static enum status_code get_array(const struct artifact *artifact, const char *name,
                                  enum array_type type, size_t rows, size_t columns,
                                  const void **data, struct status *status)
{
    *data = NULL;
    return artifact_find(artifact, name) == NULL
               ? STATUS_OK
               : artifact_get_sized(artifact, name, type, rows, columns, data, status);
}

static enum status_code check_items(const int32_t *items, size_t n, size_t n_items,
                                    const struct artifact *artifact, struct status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i] < -1 || (items[i] >= 0 && (size_t)items[i] >= n_items)) {
            return status_set(status, STATUS_DATA,
                              "artifact %s: array %s has item %" PRId32 ", allowed: -1 to %zu; the "
                              "work database is damaged and can be deleted",
                              artifact->name, items_slot, items[i], n_items - 1);
        }
    }
    return STATUS_OK;
}

enum status_code hard_negatives_load(struct hard_negatives *hard, const struct artifact *artifact,
                                     struct status *status)
{
    const void *items = NULL, *thresholds = NULL;
    const size_t n = hard->items != NULL ? hard->n_users * hard->settings.pool : 0;
    enum status_code code = STATUS_OK;
    if (hard->items != NULL) {
        TRY(get_array(artifact, items_slot, ARRAY_I32, hard->n_users, hard->settings.pool, &items,
                      status));
    }
    if (items != NULL) {
        TRY(check_items(items, n, hard->n_items, artifact, status));
    }
    if (hard->thresholds != NULL) {
        TRY(get_array(artifact, thresholds_slot, ARRAY_F32, hard->n_users, 1, &thresholds, status));
    }
    hard->is_ready = (items != NULL) == (hard->items != NULL) &&
                     (thresholds != NULL) == (hard->thresholds != NULL);
    if (hard->is_ready && items != NULL) {
        memcpy(hard->items, items, n * sizeof *hard->items);
    }
    if (hard->is_ready && thresholds != NULL) {
        memcpy(hard->thresholds, thresholds, hard->n_users * sizeof *hard->thresholds);
    }
done:
    return code;
}
