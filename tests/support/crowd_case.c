/* Random histories with times, three parts, and vectors. */
#include "tests/support/crowd_case.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"
#include "tests/support/random_matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { TRAINED = 1700000000, DAY = 86400 };

static struct vocabulary ids;
static int32_t everybody[CROWD_USERS];

static void name_everybody(void)
{
    struct status status = {0};
    int32_t code;
    for (int32_t u = 0; u < CROWD_USERS && ids.n < CROWD_USERS; u++) {
        assert_int_equal(vocabulary_add_integer(&ids, 1000 + 7 * (int64_t)u, &code, &status),
                         STATUS_OK);
        everybody[u] = u;
    }
}

static void *keep(struct crowd_case *c, void *memory)
{
    assert_true(c->n_memory < sizeof c->memory / sizeof *c->memory);
    return c->memory[c->n_memory++] = memory;
}

static void *new_array(struct crowd_case *c, size_t n, size_t size)
{
    struct status status = {0};
    char *made = NULL;
    assert_int_equal(MEM_NEW(&made, n * size + 1, &status), STATUS_OK);
    return keep(c, made);
}

static void keep_sparse(struct crowd_case *c, struct sparse *m)
{
    keep(c, m->offsets);
    keep(c, m->columns);
    keep(c, m->values);
}

/* A third of the pairs each: all = train, valid and test, of which train has most. */
static void draw_parts(struct crowd_case *c, struct rng *rng, struct dataset *set)
{
    struct status status = {0};
    struct history *parts[] = {&set->train, &set->valid, &set->test};
    struct sparse all = random_sparse(rng, CROWD_USERS, CROWD_ITEMS, 0.15, true);
    for (size_t p = 0; p < 3; p++) {
        const size_t n = sparse_entries(&all);
        assert_int_equal(sparse_init(&parts[p]->matrix, CROWD_USERS, CROWD_ITEMS, n, true, &status),
                         STATUS_OK);
        keep_sparse(c, &parts[p]->matrix);
        parts[p]->times = new_array(c, n, sizeof *parts[p]->times);
    }
    for (size_t u = 0; u < CROWD_USERS; u++) {
        for (int64_t e = all.offsets[u]; e < all.offsets[u + 1]; e++) {
            const size_t p = rng_below(rng, 10) < 7 ? 0 : 1 + (size_t)rng_below(rng, 2);
            const int64_t days = (int64_t)rng_below(rng, p == 0 ? 20 : CROWD_DAYS);
            const int64_t at = parts[p]->matrix.offsets[u + 1]++;
            parts[p]->matrix.columns[at] = all.columns[e];
            parts[p]->matrix.values[at] = all.values[e];
            parts[p]->times[at] = TRAINED + (p == 0 ? -days * DAY : 1 + days * DAY);
        }
        for (size_t p = 0; p < 3; p++) {
            if (u + 1 < CROWD_USERS) {
                parts[p]->matrix.offsets[u + 2] = parts[p]->matrix.offsets[u + 1];
            }
        }
    }
    sparse_release(&all);
}

static struct history take(struct crowd_case *c, const struct history *all, const int32_t *rows,
                           size_t n)
{
    struct status status = {0};
    struct history taken = {0};
    assert_int_equal(sparse_gather(&all->matrix, rows, n, &taken.matrix, &status), STATUS_OK);
    keep_sparse(c, &taken.matrix);
    taken.times = new_array(c, sparse_entries(&taken.matrix), sizeof *taken.times);
    for (size_t r = 0; r < n; r++) {
        memcpy(taken.times + taken.matrix.offsets[r], all->times + all->matrix.offsets[rows[r]],
               sparse_row_length(&taken.matrix, r) * sizeof *taken.times);
    }
    return taken;
}

static void list_events(struct crowd_case *c, struct crowd_part *part)
{
    const struct dataset *set = &part->interactions.basis[BASIS_FIT];
    const size_t most = sparse_entries(&set->valid.matrix);
    int32_t *users = new_array(c, most, sizeof *users), *items = new_array(c, most, sizeof *items);
    int64_t *times = new_array(c, most, sizeof *times);
    float *weights = new_array(c, most, sizeof *weights);
    uint8_t *parts = new_array(c, most, sizeof *parts);
    for (size_t u = 0; u < set->n_users; u++) {
        for (int64_t e = set->valid.matrix.offsets[u]; e < set->valid.matrix.offsets[u + 1]; e++) {
            users[e] = set->users[u];
            items[e] = set->items[set->valid.matrix.columns[e]];
            times[e] = set->valid.times[e];
            weights[e] = set->valid.matrix.values[e];
            parts[e] = PART_VALID;
        }
    }
    part->events =
        (struct late_events){most, users, items, times, weights, parts, TRAINED + CROWD_DAYS * DAY};
}

void crowd_case_init(struct crowd_case *c, struct ranks *ranks, uint64_t seed)
{
    struct status status = {0};
    struct rng rng;
    struct crowd_part *alone = &c->part[CROWD_ALONE], *here = &c->part[CROWD_HERE];
    struct dataset *all = &alone->interactions.basis[BASIS_FIT];
    int32_t *codes, *items;
    memset(c, 0, sizeof *c);
    name_everybody();
    rng_init(&rng, seed, "test.crowd", 0, 0);
    codes = new_array(c, CROWD_USERS, sizeof *codes);
    items = new_array(c, CROWD_ITEMS, sizeof *items);
    for (int32_t i = 0; i < CROWD_ITEMS; i++) {
        items[i] = i;
    }
    *all = (struct dataset){
        .n_users = CROWD_USERS, .n_items = CROWD_ITEMS, .users = everybody, .items = items};
    draw_parts(c, &rng, all);
    alone->interactions.users = ids;
    alone->interactions.items.n = CROWD_ITEMS;
    alone->interactions.has_times = true;
    alone->crowd = (struct crowd){NULL, &ids, everybody};
    float *users = keep(c, random_matrix(&rng, CROWD_USERS, CROWD_DIMENSION, true));
    float *vectors = keep(c, random_matrix(&rng, CROWD_ITEMS, CROWD_DIMENSION, true));
    alone->embeddings =
        (struct embeddings){.users = const_matrix_of(users, CROWD_USERS, CROWD_DIMENSION),
                            .items = const_matrix_of(vectors, CROWD_ITEMS, CROWD_DIMENSION),
                            .basis = BASIS_FIT,
                            .temperature = 0.2,
                            .alpha = 0.5};
    *here = *alone;
    struct dataset *own = &here->interactions.basis[BASIS_FIT];
    own->n_users = 0;
    own->users = codes;
    for (size_t u = 0; u < CROWD_USERS; u++) {
        if (ranks_owner(ranks, shard_of_key(crowd_key(&alone->crowd, u))) == ranks_mine(ranks)) {
            codes[own->n_users++] = (int32_t)u;
        }
    }
    here->crowd = (struct crowd){ranks, &ids, codes};
    own->train = take(c, &all->train, codes, own->n_users);
    own->valid = take(c, &all->valid, codes, own->n_users);
    own->test = take(c, &all->test, codes, own->n_users);
    assert_int_equal(dataset_add_up(ranks, own, &status), STATUS_OK);
    keep(c, (void *)own->totals.counts);
    float *own_users = new_array(c, own->n_users * CROWD_DIMENSION, sizeof *own_users);
    matrix_gather(alone->embeddings.users, codes, own->n_users, own_users);
    here->embeddings.users = const_matrix_of(own_users, own->n_users, CROWD_DIMENSION);
    list_events(c, alone);
    list_events(c, here);
}

void crowd_case_release(struct crowd_case *c)
{
    for (size_t m = 0; m < c->n_memory; m++) {
        mem_free(c->memory[m]);
    }
    memset(c, 0, sizeof *c);
}
