/* item_rows: steps whose rows are wherever they are against the same steps of one table that has
 * them all. One rank, which exchanges nothing, when started by itself; tests/fault/ranks.sh starts
 * it as several. */
#include "training/item_rows.h"

#include "base/bfloat16.h"
#include "base/mem.h"
#include "math/vec.h"
#include "ranks/shards.h"
#include "tests/support/ranked.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { D = 5, LEAVES = 8, STEPS = 4, ITEMS_MAX = 300 };

static enum ranks_floats wire;

/* As it is sent. */
static float sent(float x)
{
    return wire == RANKS_BFLOAT16 ? bfloat16_round(x) : x;
}

/* What leaf l of step t takes of an item: nothing, or a gradient to whose entries `value` adds. */
static bool takes(size_t step, size_t leaf, size_t item, size_t which)
{
    return (step * 31 + leaf * 17 + item * 7 + which * 3) % 11 < 2;
}

static float value_of(size_t step, size_t leaf, size_t item, size_t which, size_t j)
{
    return (float)((step * 131 + leaf * 7919 + item * 104729 + which * 577 + j * 37) % 1009) / 97.f;
}

static bool is_shared(size_t step, size_t item)
{
    return (item * 5 + step) % 4 == 0;
}

/* The sum over leaves [first, first + n) of an item's dense gradient `which`, along the tree. */
static float tree_of(size_t step, size_t first, size_t n, size_t item, size_t which, size_t j)
{
    return n == 1 ? value_of(step, first, item, 10 + which, j)
                  : sent(tree_of(step, first, n / 2, item, which, j)) +
                        sent(tree_of(step, first + n / 2, n / 2, item, which, j));
}

/* Shared negatives of all ranks, then what the leaves [first, last) take besides. */
static void fill_set(struct candidate_set *set, size_t step, size_t first, size_t last)
{
    set->n = set->n_negatives = 0;
    for (size_t s = 0; s < SHARDS; s++) {
        for (size_t i = s; i < set->n_items; i += SHARDS) {
            set->column_of[i] = -1;
            if (is_shared(step, i)) {
                set->column_of[i] = (int32_t)set->n;
                set->items[set->n++] = (int32_t)i;
            }
        }
    }
    set->n_negatives = set->n;
    for (size_t leaf = first; leaf < last; leaf++) {
        for (size_t i = set->n_items; i-- > 0;) {
            for (size_t which = 0; which < 3; which++) {
                if (takes(step, leaf, i, which)) {
                    (void)candidate_set_add(set, (int32_t)i);
                }
            }
        }
    }
}

/* The sparse gradients `which` of the leaves. */
static size_t fill_parts(const struct candidate_set *set, size_t step, size_t first, size_t last,
                         size_t which, int32_t *columns, float *values)
{
    size_t n = 0;
    for (size_t leaf = first; leaf < last; leaf++) {
        for (size_t i = 0; i < set->n_items; i++) {
            if (takes(step, leaf, i, which)) {
                for (size_t j = 0; j < D; j++) {
                    values[n * D + j] = value_of(step, leaf, i, which, j);
                }
                columns[n++] = set->column_of[i];
            }
        }
    }
    return n;
}

/* One contrast's gradient, or two and that of anchors. */
static void take_all(struct item_rows *rows, size_t step, size_t first, size_t last)
{
    static float dense[ITEMS_MAX * D], values[LEAVES * ITEMS_MAX * D];
    static int32_t columns[LEAVES * ITEMS_MAX];
    const struct candidate_set *set = rows->request->set;
    struct status status = {0};
    const size_t n_dense = 1 + step % 2;
    for (size_t which = 0; which < n_dense; which++) {
        for (size_t c = 0; c < set->n_negatives; c++) {
            for (size_t j = 0; j < D; j++) {
                dense[c * D + j] =
                    tree_of(step, first, last - first, (size_t)set->items[c], which, j);
            }
        }
        const struct contrast_parts parts = {
            .n = fill_parts(set, step, first, last, which, columns, values),
            .columns = columns,
            .values = values};
        assert_int_equal(item_rows_take(rows, dense, &parts, &status), STATUS_OK);
    }
    if (n_dense > 1) {
        const size_t n = fill_parts(set, step, first, last, 2, columns, values);
        assert_int_equal(item_rows_take_rows(rows, columns, values, n, &status), STATUS_OK);
    }
}

/* What all ranks took of an item, by itself. */
static void naive_gradient(size_t step, size_t item, float out[D])
{
    const size_t n_dense = 1 + step % 2;
    for (size_t j = 0; j < D; j++) {
        out[j] = 0.0f;
        for (size_t which = 0; which < (n_dense > 1 ? 3u : 1u); which++) {
            if (which < n_dense && is_shared(step, item)) {
                out[j] += tree_of(step, 0, LEAVES, item, which, j);
            }
            for (size_t leaf = 0; leaf < LEAVES; leaf++) {
                if (takes(step, leaf, item, which)) {
                    out[j] += sent(value_of(step, leaf, item, which, j));
                }
            }
        }
    }
}

static void make_encoder(struct encoder *encoder, size_t n, const uint64_t *keys)
{
    struct status status = {0};
    const struct tower_settings settings = {.dimension = D, .init_scale = 0.5, .keys = keys};
    *encoder = (struct encoder){0};
    assert_int_equal(tower_init(&encoder->towers[SIDE_ITEMS], n, &settings, NULL, 0, 7,
                                "tower.item", NULL, &status),
                     STATUS_OK);
}

static void set_init(struct candidate_set *set, size_t n_items)
{
    struct status status = {0};
    *set = (struct candidate_set){.n_items = n_items};
    assert_int_equal(MEM_NEW(&set->column_of, n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&set->items, n_items, &status), STATUS_OK);
}

/* A training whose rows are wherever they are, and the same of one table. */
struct pair {
    struct item_rows rows;
    struct encoder mine, whole;
    struct tower_pass pass; /* of the one table */
    struct candidate_set sets[2], all;
};

static void pair_init(struct pair *p, size_t n_items)
{
    struct status status = {0};
    *p = (struct pair){0};
    assert_int_equal(item_rows_init(&p->rows, ranks, n_items, D, wire, &status), STATUS_OK);
    assert_true(item_rows_are_spread(&p->rows) == (ranks_n(ranks) > 1));
    make_encoder(&p->mine, p->rows.n_own, p->rows.keys);
    make_encoder(&p->whole, n_items, NULL);
    set_init(&p->sets[0], n_items);
    set_init(&p->sets[1], n_items);
    set_init(&p->all, n_items);
}

static void pair_release(struct pair *p)
{
    candidate_set_release(&p->sets[0]);
    candidate_set_release(&p->sets[1]);
    candidate_set_release(&p->all);
    tower_pass_release(&p->pass);
    item_rows_release(&p->rows);
    encoder_release(&p->mine);
    encoder_release(&p->whole);
}

/* A row of the one table's pass. */
static size_t place_of(const struct pair *p, size_t item)
{
    assert_true(p->all.column_of[item] >= 0);
    return (size_t)p->all.column_of[item];
}

/* gradient: that of the one table, (all, D). */
static void compare_gradients(const struct pair *p, const float *gradient)
{
    for (size_t i = 0; i < p->rows.n_pass; i++) {
        const size_t item = (size_t)p->rows.keys[p->rows.pass_rows[i]];
        assert_memory_equal(p->rows.gradient + i * D, gradient + place_of(p, item) * D,
                            D * sizeof *gradient);
    }
}

static void run_step(struct pair *p, size_t step)
{
    static float gradient[ITEMS_MAX * D], own[ITEMS_MAX * D];
    struct status status = {0};
    const struct encoder_view view = {.is_only = true};
    const size_t n = ranks_n(ranks), first = ranks_mine(ranks) * LEAVES / n;
    const size_t last = first + LEAVES / n;
    struct candidate_set *set = &p->sets[step % 2], *next = &p->sets[(step + 1) % 2];
    fill_set(&p->all, step, 0, LEAVES);
    fill_set(set, step, first, last);
    assert_int_equal(item_rows_ask(&p->rows, set, &status), STATUS_OK);
    assert_int_equal(item_rows_fetch(&p->rows, &p->mine, &view, 0.1, NULL, &status), STATUS_OK);
    assert_int_equal(encoder_forward(&p->whole, SIDE_ITEMS, &view, p->all.items, p->all.n, 0.1,
                                     &p->pass, NULL, &status),
                     STATUS_OK);
    for (size_t c = 0; c < set->n; c++) {
        const float *whole = p->pass.vectors + place_of(p, (size_t)set->items[c]) * D;
        for (size_t j = 0; j < D; j++) {
            assert_true(p->rows.vectors[c * D + j] == sent(whole[j]));
        }
    }
    for (size_t c = 0; c < p->all.n; c++) {
        naive_gradient(step, (size_t)p->all.items[c], gradient + c * D);
    }
    if (n > 1) {
        take_all(&p->rows, step, first, last);
        fill_set(next, step + 1, first, last);
        /* every second time the next step's are asked for with it */
        assert_int_equal(item_rows_push(&p->rows, step % 4 < 2 ? next : NULL, &status), STATUS_OK);
        compare_gradients(p, gradient);
    } else { /* who takes it writes it himself */
        memcpy(own, gradient, p->all.n * D * sizeof *own);
        p->rows.gradient = own;
    }
    tower_step_back(&p->mine.towers[SIDE_ITEMS], &p->rows.pass, p->rows.gradient, 0.1, NULL);
    tower_step_back(&p->whole.towers[SIDE_ITEMS], &p->pass, gradient, 0.1, NULL);
}

static void compare(size_t n_items)
{
    static float own[ITEMS_MAX * D], gathered[ITEMS_MAX * D], all[ITEMS_MAX * D];
    struct status status = {0};
    struct pair p;
    pair_init(&p, n_items);
    for (size_t step = 0; step < STEPS; step++) {
        run_step(&p, step);
    }
    encoder_settle(&p.mine, 0.1, NULL);
    encoder_settle(&p.whole, 0.1, NULL);
    memcpy(own, p.mine.towers[SIDE_ITEMS].ids.weights, p.rows.n_own * D * sizeof *own);
    memcpy(all, p.whole.towers[SIDE_ITEMS].ids.weights, n_items * D * sizeof *all);
    assert_int_equal(item_rows_gather(&p.rows, own, gathered, &status), STATUS_OK);
    assert_memory_equal(ranks_n(ranks) > 1 ? gathered : own, all, n_items * D * sizeof *all);
    for (size_t i = 0; i < n_items; i++) {
        const int32_t row = item_rows_row(&p.rows, (int32_t)i);
        const bool is_mine = ranks_owner(ranks, shard_of_item(i)) == ranks_mine(ranks);
        assert_true(is_mine ? (size_t)row < p.rows.n_own : row == -1);
        assert_true(!is_mine || p.rows.keys == NULL || p.rows.keys[row] == i);
    }
    pair_release(&p);
}

static void steps_of_spread_rows_are_those_of_one_table(void **state)
{
    (void)state;
    for (wire = RANKS_FLOAT32; wire <= RANKS_BFLOAT16; wire++) {
        compare(ITEMS_MAX);
        compare(130);
    }
}

static void ranks_without_any_item_take_part(void **state)
{
    (void)state;
    for (wire = RANKS_FLOAT32; wire <= RANKS_BFLOAT16; wire++) {
        compare(20);
        compare(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_of_spread_rows_are_those_of_one_table),
        cmocka_unit_test(ranks_without_any_item_take_part),
    };
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
