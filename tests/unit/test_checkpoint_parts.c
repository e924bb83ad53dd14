/* Trainings of several ranks, which go on from what another number of ranks has kept: they end with
 * the bytes of one process that was never stopped. One rank when started by itself;
 * tests/fault/ranks.sh starts it as several. */
#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "ranks/shards.h"
#include "training/trainer.h"
#include "tests/support/ranked.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { USERS = 700, ITEMS = 150, SEEN = 6, D = 4, EPOCHS = 4, KEPT = 2, NO_PART = 1000 };
enum { TOKENS = 30, COLD_USERS = 60, COLD_ITEMS = 10 };

struct kept {
    struct artifact whole; /* after KEPT epochs, of one rank */
    size_t n_parts;        /* that it is cut into */
    size_t missing;        /* one of them */
    bool is_damaged;       /* it is there, but cannot be read */
};

/* Users of some ranks. */
struct people {
    struct history train;
    uint64_t keys[USERS];
    int32_t rows[USERS]; /* among all */
    size_t n;
    uint64_t cold_keys[COLD_USERS]; /* of users that are not trained */
    int32_t cold_rows[COLD_USERS];
    size_t n_cold;
    struct token_source rows_read[N_SIDES], cold_read[N_SIDES]; /* side data */
};

static uint64_t key_of(size_t user)
{
    return user * 7919 + 3;
}

static uint64_t cold_key_of(size_t user)
{
    return user * 104729 + 5;
}

/* Tokens of entities (n; NULL: 0 to n - 1), drawn by their numbers. */
static void draw_tokens(struct token_source *out, const int32_t *entities, size_t n, uint64_t side)
{
    struct status status = {0};
    struct sparse *m = &out->matrix;
    assert_int_equal(sparse_init(m, n, TOKENS, n * TOKENS, true, &status), STATUS_OK);
    for (size_t row = 0; row < n; row++) {
        int64_t e = m->offsets[row];
        struct rng rng;
        rng_init(&rng, 13, "test.tokens", side, entities == NULL ? row : (uint64_t)entities[row]);
        for (int32_t t = 0; t < TOKENS; t++) {
            if (rng_below(&rng, 1 + (uint64_t)t) == 0) {
                m->columns[e] = t;
                m->values[e++] = (float)rng_normal(&rng);
            }
        }
        m->offsets[row + 1] = e;
    }
}

static void draw_side_data(struct people *people, size_t rank, size_t n)
{
    int32_t items[ITEMS];
    const size_t n_items = shard_items_below(n, rank, ITEMS);
    for (size_t i = 0; i < n_items; i++) {
        items[i] = (int32_t)shard_nth_item(n, rank, i);
    }
    draw_tokens(&people->rows_read[SIDE_USERS], people->rows, people->n, 0);
    draw_tokens(&people->cold_read[SIDE_USERS], people->cold_rows, people->n_cold, 1);
    draw_tokens(&people->rows_read[SIDE_ITEMS], items, n_items, 2);
    draw_tokens(&people->cold_read[SIDE_ITEMS], NULL, COLD_ITEMS, 3);
}

static void people_release(struct people *people)
{
    sparse_release(&people->train.matrix);
    for (size_t s = 0; s < N_SIDES; s++) {
        token_source_release(&people->rows_read[s]);
        token_source_release(&people->cold_read[s]);
    }
}

static bool is_within(uint64_t key, size_t part, size_t n)
{
    const size_t shard = shard_of_key(key);
    return shard >= part * SHARDS / n && shard < (part + 1) * SHARDS / n;
}

/* The users of rank `rank` of n. */
static void people_init(struct people *people, size_t rank, size_t n)
{
    struct status status = {0};
    *people = (struct people){0};
    for (size_t u = 0; u < USERS; u++) {
        if (is_within(key_of(u), rank, n)) {
            people->keys[people->n] = key_of(u);
            people->rows[people->n++] = (int32_t)u;
        }
    }
    for (size_t u = 0; u < COLD_USERS; u++) {
        if (is_within(cold_key_of(u), rank, n)) {
            people->cold_keys[people->n_cold] = cold_key_of(u);
            people->cold_rows[people->n_cold++] = (int32_t)u;
        }
    }
    draw_side_data(people, rank, n);
    struct sparse *m = &people->train.matrix;
    assert_int_equal(sparse_init(m, people->n, ITEMS, people->n * SEEN, true, &status), STATUS_OK);
    for (size_t row = 0; row < people->n; row++) {
        struct rng rng;
        rng_init(&rng, 11, "test.people", (uint64_t)people->rows[row], 0);
        for (size_t j = 0; j < SEEN; j++) {
            const size_t at = row * SEEN + j;
            m->columns[at] = (int32_t)(j * (ITEMS / SEEN) + rng_below(&rng, ITEMS / SEEN));
            m->values[at] = 1.0f;
        }
        m->offsets[row + 1] = (int64_t)((row + 1) * SEEN);
    }
}

static bool always_due(void *data)
{
    (void)data;
    return true;
}

static enum status_code keep(void *data, const struct artifact *artifact, struct status *status)
{
    struct kept *kept = data;
    return store_copy_artifact(artifact, &kept->whole, status);
}

/* What rank `part` of n would have kept: its users' rows and its items'. */
static enum status_code cut(const struct kept *kept, size_t part, size_t n, struct artifact *out,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    artifact_init(out, kept->whole.name);
    for (size_t i = 0; i < kept->whole.n_arrays && code == STATUS_OK; i++) {
        const struct array *a = &kept->whole.arrays[i];
        const bool of_items = strncmp(a->name, "item.", 5) == 0 && a->rows == ITEMS;
        const size_t size = a->columns * array_types[a->type].size;
        size_t rows = 0;
        char *data = malloc(a->rows * size + 1);
        for (size_t r = 0; r < a->rows; r++) {
            const size_t shard = r % SHARDS;
            if (of_items           ? shard >= part * SHARDS / n && shard < (part + 1) * SHARDS / n
                : a->rows == USERS ? is_within(key_of(r), part, n)
                : a->rows == COLD_USERS ? is_within(cold_key_of(r), part, n)
                                        : true) {
                memcpy(data + rows++ * size, (const char *)a->data + r * size, size);
            }
        }
        code = artifact_copy(out, a->name, a->type, rows, a->columns, data, status);
        free(data);
    }
    if (code == STATUS_OK) {
        memcpy(artifact_find(out, "ranks")->data, &(double){(double)n}, sizeof(double));
    }
    return code;
}

static enum status_code find(void *data, size_t rank, size_t n, size_t epochs,
                             struct artifact *artifact, bool *found, struct status *status)
{
    const struct kept *kept = data;
    if (kept->is_damaged && rank == kept->missing) {
        return status_set(status, STATUS_DATA, "no database");
    }
    *found = n == kept->n_parts && rank != kept->missing && epochs == KEPT;
    return *found ? cut(kept, rank, n, artifact, status) : STATUS_OK;
}

static enum status_code load(void *data, struct artifact *artifact, bool *found,
                             struct status *status)
{
    const struct kept *kept = data;
    return find(data, 0, kept->n_parts, KEPT, artifact, found, status);
}

/* ---- what is trained ---- */

static const struct kind {
    const char *name;
    int loss;
    struct propagation_settings propagation;
    double dropout, clip, learning_rate; /* 0: the usual one */
    struct hidden_settings hidden;
    double id_dropout;
    bool has_own_lists, has_side_data;
    enum ranks_floats wire;
} kinds[] = {
    {.name = "ids alone"},
    {.name = "a hop to items, dropout",
     .propagation = {true, 1, 0.5, PROPAGATE_ITEMS},
     .dropout = 0.3},
    {.name = "hops to both, short steps",
     .propagation = {true, 3, 0.5, PROPAGATE_BOTH},
     .clip = 1.0},
    {.name = "hops to users, a cut for each positive",
     .loss = LOSS_ROW_warp,
     .propagation = {true, 2, 0.5, PROPAGATE_USERS}},
    {.name = "one cut, negatives of each positive",
     .loss = LOSS_ROW_logistic,
     .has_own_lists = true},
    {.name = "hidden layers, short steps",
     .hidden = {true, 2, 70, ACTIVATION_GELU},
     .learning_rate = 0.002,
     .clip = 1.0},
    {.name = "side data", .id_dropout = 0.3, .has_side_data = true},
    {.name = "side data, hops to both, short steps",
     .propagation = {true, 2, 0.5, PROPAGATE_BOTH},
     .clip = 1.0,
     .has_side_data = true},
    {.name = "ids alone, rounded", .wire = RANKS_BFLOAT16},
    {.name = "negatives of each positive, hops to both, rounded",
     .propagation = {true, 2, 0.5, PROPAGATE_BOTH},
     .has_own_lists = true,
     .wire = RANKS_BFLOAT16},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const struct kind *kind = kinds;

/* As the ranks, or one of them by itself; stop_after epochs of EPOCHS. */
static struct trainer_result train(struct ranks *of, const struct people *people,
                                   const struct trainer_hooks *hooks, size_t stop_after)
{
    struct status status = {0};
    struct trainer_result result = {0};
    int64_t counts[ITEMS];
    const struct trainer_settings settings = {
        .dimension = D,
        .loss = kind->loss,
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED,
                          .t2 = 1.0,
                          .margin = 0.4,
                          .negative_weight = 10.0},
        .propagation = kind->propagation,
        .dropout = kind->dropout,
        .id_dropout = kind->id_dropout,
        .clip = kind->clip,
        .hidden = kind->hidden,
        .temperature = 0.2,
        .learning_rate = kind->learning_rate > 0.0 ? kind->learning_rate : 0.05,
        .schedule = {.shape = SCHEDULE_COSINE, .final_rate = 0.05},
        .epochs = EPOCHS,
        .batch_users = 512,
        .init_scale = 0.1,
        .wire = kind->wire,
        .strip_bytes = 1 << 20};
    const struct negative_settings negatives = {
        .strategy = kind->has_own_lists ? NEGATIVES_POPULARITY : NEGATIVES_MIXED,
        .count = 20,
        .alpha = 0.5,
        .shared = !kind->has_own_lists,
        .exclude_own = true,
        .correct = true};
    struct trainer_input input = {.settings = &settings,
                                  .negatives = &negatives,
                                  .train = &people->train,
                                  .item_counts = counts,
                                  .stop_after = stop_after,
                                  .seed = 5,
                                  .user_keys = people->keys,
                                  .ranks = of};
    for (size_t s = 0; s < N_SIDES && kind->has_side_data; s++) {
        const bool of_users = s == SIDE_USERS;
        input.sources[s] = (struct tower_sources){.n = 1,
                                                  .rows = &people->rows_read[s],
                                                  .cold = &people->cold_read[s],
                                                  .n_cold = of_users ? people->n_cold : COLD_ITEMS,
                                                  .cold_keys = of_users ? people->cold_keys : NULL};
    }
    sparse_column_counts(&people->train.matrix, counts);
    assert_int_equal(ranks_sum_int64(of, counts, ITEMS, &status), STATUS_OK);
    if (trainer_run(&input, hooks, NULL, &result, &status) != STATUS_OK) {
        fail_msg("%s: %s", kind->name, status.message);
    }
    return result;
}

/* Goes on from `kept`, which n_resumed epochs are found of, to the expected end. */
static void go_on(const struct kept *kept, const struct people *own,
                  const struct trainer_result *expected, size_t n_resumed)
{
    struct kept from = *kept;
    const struct trainer_hooks hooks = {
        .data = &from, .checkpoint_load = load, .checkpoint_find = find};
    struct trainer_result result = train(ranks, own, &hooks, EPOCHS);
    bool is_same = memcmp(result.vectors[SIDE_ITEMS], expected->vectors[SIDE_ITEMS],
                          sizeof(float[ITEMS * D])) == 0;
    assert_int_equal(result.n_resumed, n_resumed);
    assert_int_equal(result.n_lost, KEPT - n_resumed);
    assert_int_equal(result.lost.code, kept->is_damaged ? STATUS_DATA : STATUS_OK);
    for (size_t u = 0; u < own->n; u++) {
        is_same &= memcmp(result.vectors[SIDE_USERS] + u * D,
                          expected->vectors[SIDE_USERS] + (size_t)own->rows[u] * D,
                          D * sizeof(float)) == 0;
    }
    for (size_t u = 0; kind->has_side_data && u < own->n_cold; u++) {
        is_same &= memcmp(result.cold[SIDE_USERS] + u * D,
                          expected->cold[SIDE_USERS] + (size_t)own->cold_rows[u] * D,
                          D * sizeof(float)) == 0;
    }
    is_same &= !kind->has_side_data || memcmp(result.cold[SIDE_ITEMS], expected->cold[SIDE_ITEMS],
                                              sizeof(float[COLD_ITEMS * D])) == 0;
    if (!is_same) {
        fail_msg("%s, from %zu parts: other bytes", kind->name, kept->n_parts);
    }
    trainer_result_release(&result);
}

static void check_kind(const struct people *all, const struct people *own)
{
    struct kept kept = {.missing = NO_PART};
    const struct trainer_hooks none = {0};
    const struct trainer_hooks keeps = {
        .data = &kept, .checkpoint_due = always_due, .checkpoint_save = keep};
    struct trainer_result expected = train(NULL, all, &none, EPOCHS);
    struct trainer_result half = train(NULL, all, &keeps, KEPT);
    for (kept.n_parts = 1; kind == kinds && kept.n_parts <= RANKS_MAX; kept.n_parts *= 2) {
        go_on(&kept, own, &expected, KEPT);
    }
    kept.n_parts = ranks_n(ranks) == 4 ? 8 : 4;
    go_on(&kept, own, &expected, KEPT);
    kept.missing = kept.n_parts - 1;
    go_on(&kept, own, &expected, 0);
    kept.is_damaged = true;
    if (kind == kinds) {
        go_on(&kept, own, &expected, 0);
    }
    trainer_result_release(&expected);
    trainer_result_release(&half);
    artifact_release(&kept.whole);
}

static void another_number_of_ranks_goes_on_unless_a_part_is_missing(void **state)
{
    (void)state;
    const size_t mine = ranks_mine(ranks), n = ranks_n(ranks);
    struct people all, own;
    people_init(&all, 0, 1);
    people_init(&own, mine, n);
    for (size_t k = 0; k < N_KINDS; k++) {
        kind = &kinds[k];
        check_kind(&all, &own);
    }
    people_release(&all);
    people_release(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_number_of_ranks_goes_on_unless_a_part_is_missing),
    };
    blas_init();
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
