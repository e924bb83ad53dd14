/* The trainer on planted data: two groups of users, each interested in one half of the catalogue.
 * Every negative strategy must separate them; the same seed must give the same bytes, with any
 * number of threads and across a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "math/blas.h"
#include "pairs/item_pairs.h"
#include "training/train_options.h"
#include "training/trainer.h"
#include "tests/support/random_matrix.h"
#include "tests/support/store_support.h"

#include <float.h>
#include <math.h>

enum { USERS = 120, ITEMS = 80, SEEN = 10 };

struct fixture {
    struct history train;
    int64_t counts[ITEMS];
    struct sparse pairs;
    struct trainer_settings settings;
    struct negative_settings negatives;
    struct trainer_input input;
    struct artifact checkpoint; /* the last one saved */
    size_t stop_at;             /* check_stop answers STATUS_SIGNAL at this call; 0: never */
    size_t n_calls;
    bool offer; /* checkpoint_load gives the checkpoint */
};

static void fixture_init(struct fixture *f)
{
    struct status status = {0};
    struct rng rng;
    memset(f, 0, sizeof *f);
    rng_init(&rng, 11, "test.trainer", 0, 0);
    assert_int_equal(sparse_init(&f->train.matrix, USERS, ITEMS, USERS * SEEN, true, &status),
                     STATUS_OK);
    for (size_t u = 0; u < USERS; u++) {
        size_t half = u % 2 * (ITEMS / 2);
        for (size_t j = 0; j < SEEN; j++) {
            f->train.matrix.columns[u * SEEN + j] = (int32_t)(half + 4 * j + rng_below(&rng, 4));
            f->train.matrix.values[u * SEEN + j] = 1.0f;
        }
        f->train.matrix.offsets[u + 1] = (int64_t)((u + 1) * SEEN);
    }
    sparse_column_counts(&f->train.matrix, f->counts);
    struct pair_settings pairs = {
        .window = PAIR_WHOLE_HISTORY, .min_count = 1, .top = 10, .max_user_items = 1000};
    assert_int_equal(pairs_item_item(&f->train, &pairs, NULL, &f->pairs, &status), STATUS_OK);
    f->settings = (struct trainer_settings){
        .dimension = 8,
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = 0.2,
        .learning_rate = 0.05,
        .schedule = {.shape = SCHEDULE_COSINE, .final_rate = 0.05},
        .epochs = 12,
        .batch_users = 32,
        .init_scale = 0.1,
        .co_items = {.temperature = 0.2, .share = 1.0, .samples = 3},
        .strip_bytes = 1 << 20};
    f->negatives = (struct negative_settings){.strategy = NEGATIVES_ALL,
                                              .count = 20,
                                              .shared = true,
                                              .exclude_own = true,
                                              .correct = true};
    f->input = (struct trainer_input){.settings = &f->settings,
                                      .negatives = &f->negatives,
                                      .train = &f->train,
                                      .item_counts = f->counts,
                                      .item_pairs = &f->pairs,
                                      .stop_after = 12,
                                      .seed = 5};
}

static void fixture_release(struct fixture *f)
{
    sparse_release(&f->train.matrix);
    sparse_release(&f->pairs);
    artifact_release(&f->checkpoint);
}

static struct trainer_result train(struct fixture *f, size_t threads)
{
    struct status status = {0};
    struct pool *pool = NULL;
    struct trainer_hooks none = {0};
    struct trainer_result result = {0};
    assert_int_equal(pool_new(threads, &pool, &status), STATUS_OK);
    assert_int_equal(trainer_run(&f->input, &none, pool, &result, &status), STATUS_OK);
    pool_free(pool);
    return result;
}

/* Mean cosine of users with the items of their own half, less that with the other half. */
static double separation(const struct trainer_result *r)
{
    double sum = 0.0;
    for (size_t u = 0; u < r->n_users; u++) {
        for (size_t i = 0; i < r->n_items; i++) {
            double dot = 0.0;
            for (size_t j = 0; j < r->dimension; j++) {
                dot += (double)r->vectors[SIDE_USERS][u * r->dimension + j] *
                       r->vectors[SIDE_ITEMS][i * r->dimension + j];
            }
            sum += (u % 2 == i / (ITEMS / 2)) ? dot : -dot;
        }
    }
    return sum / (double)(r->n_users * r->n_items) * 2.0;
}

static void assert_separates(struct fixture *f)
{
    f->settings.epochs = f->input.stop_after = 40;
    struct trainer_result result = train(f, 1);
    assert_true(separation(&result) > 0.5);
    assert_true(result.curve[result.n_curve - 1].loss < result.curve[0].loss);
    trainer_result_release(&result);
}

static void every_negative_strategy_learns_the_planted_groups(void **state)
{
    (void)state;
    const enum negative_strategy strategies[] = {NEGATIVES_ALL, NEGATIVES_UNIFORM,
                                                 NEGATIVES_POPULARITY, NEGATIVES_IN_BATCH,
                                                 NEGATIVES_MIXED};
    for (size_t s = 0; s < sizeof strategies / sizeof strategies[0]; s++) {
        struct fixture f;
        fixture_init(&f);
        f.negatives.strategy = strategies[s];
        f.negatives.alpha = 0.5;
        assert_separates(&f);
        fixture_release(&f);
    }
}

static void negatives_per_positive_and_stored_ones_learn_them_too(void **state)
{
    (void)state;
    struct fixture f;
    int32_t stored[USERS * SEEN * 6];
    struct rng rng;
    fixture_init(&f);
    f.negatives.strategy = NEGATIVES_UNIFORM;
    f.negatives.shared = false;
    f.negatives.count = 8;
    assert_separates(&f);
    rng_init(&rng, 2, "test.stored", 0, 0);
    for (size_t i = 0; i < USERS * SEEN * 6; i++) {
        stored[i] = (int32_t)rng_below(&rng, ITEMS);
    }
    f.input.stored_negatives = stored;
    f.input.n_stored = 6;
    assert_separates(&f);
    fixture_release(&f);
}

static void the_item_contrast_pulls_co_interacted_items_together(void **state)
{
    (void)state;
    const bool own_lists[] = {false, true};
    for (size_t s = 0; s < 2; s++) {
        struct fixture f;
        fixture_init(&f);
        f.settings.co_items.weight = 1.0;
        f.negatives.strategy = NEGATIVES_UNIFORM;
        f.negatives.shared = !own_lists[s];
        assert_separates(&f);
        fixture_release(&f);
    }
}

static void assert_same_result(const struct trainer_result *x, const struct trainer_result *y)
{
    assert_int_equal(x->best_epoch, y->best_epoch);
    assert_memory_equal(x->vectors[SIDE_USERS], y->vectors[SIDE_USERS],
                        x->n_users * x->dimension * sizeof(float));
    assert_memory_equal(x->vectors[SIDE_ITEMS], y->vectors[SIDE_ITEMS],
                        x->n_items * x->dimension * sizeof(float));
}

static void one_and_two_threads_give_the_same_bytes_and_seeds_differ(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.settings.co_items.weight = 0.3;
    f.negatives.strategy = NEGATIVES_MIXED;
    struct trainer_result one = train(&f, 1), two = train(&f, 2);
    assert_same_result(&one, &two);
    f.input.seed = 6;
    struct trainer_result other = train(&f, 1);
    assert_memory_not_equal(one.vectors[SIDE_ITEMS], other.vectors[SIDE_ITEMS],
                            one.n_items * one.dimension * sizeof(float));
    trainer_result_release(&one);
    trainer_result_release(&two);
    trainer_result_release(&other);
    fixture_release(&f);
}

/* Steps of towers of ids are taken on the way back, clipped ones once everything is gathered. */
static void a_clip_out_of_reach_changes_no_byte_with_any_optimizer(void **state)
{
    (void)state;
    for (int rule = 0; optimizer_names[rule] != NULL; rule++) {
        struct fixture f;
        fixture_init(&f);
        f.settings.optimizer =
            (struct optimizer_settings){.rule = rule, .weight_decay = 0.01, .momentum = 0.5};
        f.settings.co_items.weight = 0.3;
        f.settings.learn_bias = true;
        f.negatives.strategy = NEGATIVES_MIXED;
        f.negatives.count = 4;                              /* rows come and go */
        f.settings.batch_users = rule % 2 == 0 ? 8 : USERS; /* more rows than a task takes */
        struct trainer_result at_once = train(&f, 2);
        f.settings.clip = 1e30;
        struct trainer_result gathered = train(&f, 2);
        assert_same_result(&at_once, &gathered);
        trainer_result_release(&at_once);
        trainer_result_release(&gathered);
        fixture_release(&f);
    }
}

static enum status_code stop_sometimes(void *data, struct status *status)
{
    struct fixture *f = data;
    f->n_calls++;
    return f->stop_at != 0 && f->n_calls >= f->stop_at
               ? status_set(status, STATUS_SIGNAL, "stopped by the test")
               : STATUS_OK;
}

static bool always_due(void *data)
{
    (void)data;
    return true;
}

static enum status_code keep_checkpoint(void *data, const struct artifact *artifact,
                                        struct status *status)
{
    struct fixture *f = data;
    return store_copy_artifact(artifact, &f->checkpoint, status);
}

static enum status_code give_checkpoint(void *data, struct artifact *out, bool *found,
                                        struct status *status)
{
    struct fixture *f = data;
    *found = f->offer;
    return f->offer ? store_copy_artifact(&f->checkpoint, out, status) : STATUS_OK;
}

static void a_run_stopped_anywhere_and_resumed_gives_the_same_bytes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.settings.co_items.weight = 0.3;
    f.negatives.strategy = NEGATIVES_MIXED;
    struct trainer_result whole = train(&f, 1);
    const struct trainer_hooks hooks = {&f,
                                        {.check_stop = stop_sometimes, .data = &f},
                                        NULL,
                                        always_due,
                                        keep_checkpoint,
                                        give_checkpoint,
                                        NULL,
                                        NULL,
                                        NULL};
    for (size_t stop = 5; stop < 48; stop += 7) {
        struct status status = {0};
        struct trainer_result result = {0};
        f.stop_at = stop;
        f.n_calls = 0;
        f.offer = false;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &result, &status), STATUS_SIGNAL);
        assert_null(result.vectors[SIDE_USERS]);
        status_clear(&status);
        f.stop_at = 0;
        f.offer = true;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &result, &status), STATUS_OK);
        assert_same_result(&whole, &result);
        assert_memory_equal(&whole.curve[3], &result.curve[3], sizeof whole.curve[3]);
        trainer_result_release(&result);
    }
    trainer_result_release(&whole);
    fixture_release(&f);
}

/* ---- switches of the toolbox: each alone on top of the fixture ---- */

static void with_learned_bias(struct fixture *f)
{
    f->settings.learn_bias = true;
}

static void with_learned_temperature(struct fixture *f)
{
    f->settings.temperature_mode = TEMPERATURE_LEARNED;
    f->settings.temperature_rate = 0.02;
}

static void with_noise_views(struct fixture *f)
{
    f->settings.views = (struct view_settings){true, 0.3, 0.2, VIEW_NOISE, 0.2};
}

static void with_a_graph_and_edge_views(struct fixture *f)
{
    f->settings.propagation = (struct propagation_settings){true, 2, 0.5, PROPAGATE_BOTH};
    f->settings.views = (struct view_settings){true, 0.3, 0.2, VIEW_EDGES, 0.3};
}

static void with_hidden_layers_and_dropout(struct fixture *f)
{
    f->settings.hidden.layers = 1;
    f->settings.hidden.units = 16;
    f->settings.learning_rate = 0.01;
    f->settings.epochs = f->input.stop_after = 80;
    f->settings.dropout = 0.2;
}

static void with_hard_negatives(struct fixture *f)
{
    f->negatives.hard =
        (struct hard_settings){.count = 3, .pool = 6, .from_epoch = 2, .every = 2, .share = 0.2};
}

static void with_slk_and_clip(struct fixture *f)
{
    f->settings.loss = 3; /* slk */
    f->settings.loss_settings.slk_width = 2.0;
    f->settings.slk_top_k = 5;
    f->settings.clip = 5.0;
    f->negatives.hard = (struct hard_settings){.from_epoch = 2, .every = 2};
}

static void with_a_queue(struct fixture *f)
{
    f->negatives.strategy = NEGATIVES_QUEUE;
}

static void (*const switches[])(struct fixture *) = {
    with_learned_bias,
    with_learned_temperature,
    with_noise_views,
    with_a_graph_and_edge_views,
    with_hidden_layers_and_dropout,
    with_hard_negatives,
    with_slk_and_clip,
    with_a_queue,
};

static void every_switch_learns_and_gives_the_same_bytes_with_threads_and_after_a_stop(void **state)
{
    (void)state;
    assert_string_equal(loss_names[3], "slk");
    for (size_t s = 0; s < sizeof switches / sizeof switches[0]; s++) {
        struct status status = {0};
        struct fixture f;
        struct trainer_result resumed = {0};
        fixture_init(&f);
        switches[s](&f);
        const struct trainer_hooks hooks = {&f,
                                            {.check_stop = stop_sometimes, .data = &f},
                                            NULL,
                                            always_due,
                                            keep_checkpoint,
                                            give_checkpoint,
                                            NULL,
                                            NULL,
                                            NULL};
        struct trainer_result one = train(&f, 1), three = train(&f, 3);
        assert_same_result(&one, &three);
        f.stop_at = 23;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &resumed, &status), STATUS_SIGNAL);
        status_clear(&status);
        f.stop_at = 0;
        f.offer = true;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &resumed, &status), STATUS_OK);
        assert_same_result(&one, &resumed);
        assert_true(one.temperature == resumed.temperature);
        assert_true(separation(&one) > 0.3);
        trainer_result_release(&one);
        trainer_result_release(&three);
        trainer_result_release(&resumed);
        fixture_release(&f);
    }
}

static void a_hidden_history_alone_is_what_a_step_asks_for_and_new_users_are_encoded(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    struct token_source rows = {0}, cold = {0};
    fixture_init(&f);
    f.settings.history = (struct history_settings){.given = true, .newest = 100, .hide = 0.4};
    f.settings.id_dropout = 0.5;
    f.settings.epochs = f.input.stop_after = 40;
    assert_int_equal(token_source_history(&rows, &f.train, &f.settings.history, &status),
                     STATUS_OK);
    assert_int_equal(token_source_history(&cold, &f.train, &f.settings.history, &status),
                     STATUS_OK);
    f.input.sources[SIDE_USERS] =
        (struct tower_sources){.n = 1, .rows = &rows, .cold = &cold, .n_cold = USERS};
    struct trainer_result result = train(&f, 1), planned_ahead = train(&f, 2);
    assert_true(separation(&result) > 0.5);
    assert_memory_equal(result.vectors[SIDE_USERS], planned_ahead.vectors[SIDE_USERS],
                        result.n_users * result.dimension * sizeof(float));
    trainer_result_release(&planned_ahead);
    /* the same histories without ids point the same way */
    double sum = 0.0;
    for (size_t i = 0; i < result.n_users * result.dimension; i++) {
        sum += (double)result.vectors[SIDE_USERS][i] * result.cold[SIDE_USERS][i];
    }
    assert_true(sum / (double)result.n_users > 0.5);
    trainer_result_release(&result);
    token_source_release(&rows);
    token_source_release(&cold);
    fixture_release(&f);
}

static void vectors_that_become_one_point_end_training_with_the_reason(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    struct trainer_hooks none = {0};
    struct trainer_result result = {0};
    fixture_init(&f);
    /* all start as one point, and nothing moves them from it */
    float *same = NULL;
    uint8_t *known = NULL;
    assert_int_equal(MEM_NEW(&same, USERS * f.settings.dimension, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&known, USERS, &status), STATUS_OK);
    for (size_t u = 0; u < USERS; u++) {
        same[u * f.settings.dimension] = 1.0f;
        known[u] = 1;
    }
    struct warm_start warm = {same, known};
    f.input.warm[SIDE_USERS] = f.input.warm[SIDE_ITEMS] = &warm;
    f.settings.learning_rate = 1e-6;
    assert_int_equal(trainer_run(&f.input, &none, NULL, &result, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "collapsed in epoch 1"));
    assert_null(result.vectors[SIDE_USERS]);
    status_clear(&status);
    mem_free(same);
    mem_free(known);
    fixture_release(&f);
}

static void a_diverging_loss_names_epoch_and_batch(void **state)
{
    (void)state;
    struct fixture f;
    struct status status = {0};
    struct trainer_hooks none = {0};
    struct trainer_result result = {0};
    fixture_init(&f);
    f.settings.learning_rate = 1e38;
    assert_int_equal(trainer_run(&f.input, &none, NULL, &result, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "epoch 1, batch"));
    assert_null(result.vectors[SIDE_USERS]);
    fixture_release(&f);
}

static void settings_and_curves_survive_an_artifact(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    struct trainer_settings loaded = {0};
    struct curve_point point = {.epoch = 3, .loss = 1.5, .rate = 0.01, .metric = NAN},
                       *curve = NULL;
    size_t n = 0;
    fixture_init(&f);
    artifact_init(&f.checkpoint, "test");
    assert_int_equal(trainer_settings_save(&f.settings, &f.checkpoint, &status), STATUS_OK);
    assert_int_equal(curve_save(&point, 1, &f.checkpoint, &status), STATUS_OK);
    assert_int_equal(trainer_settings_load(&loaded, &f.checkpoint, &status), STATUS_OK);
    assert_int_equal(curve_load(&curve, &n, &f.checkpoint, &status), STATUS_OK);
    assert_memory_equal(&loaded, &f.settings, sizeof loaded);
    assert_int_equal(n, 1);
    assert_int_equal(curve[0].epoch, 3);
    assert_true(curve[0].loss == 1.5 && isnan(curve[0].metric));
    mem_free(curve);
    fixture_release(&f);
}

/* ---- validation ---- */

/* Held-out items of the fixture's users: those of the own half that are not in train, two each. */
struct held_out {
    struct dataset dataset;
    struct validation validation;
};

static void held_out_init(struct held_out *h, struct fixture *f, size_t validate_every,
                          size_t patience)
{
    struct status status = {0};
    *h = (struct held_out){.dataset = {.n_users = USERS, .n_items = ITEMS, .train = f->train}};
    struct sparse *valid = &h->dataset.valid.matrix;
    assert_int_equal(sparse_init(valid, USERS, ITEMS, USERS * 2, true, &status), STATUS_OK);
    for (size_t u = 0; u < USERS; u++) {
        int64_t n = valid->offsets[u];
        for (size_t j = (u * 7) % 20; n < valid->offsets[u] + 2; j++) {
            int32_t item = (int32_t)(u % 2 * (ITEMS / 2) + j);
            if (!sparse_has(&f->train.matrix, u, item)) {
                valid->columns[n] = item;
                valid->values[n++] = 1.0f;
            }
        }
        valid->offsets[u + 1] = n;
    }
    assert_int_equal(
        validation_init(&h->validation, &h->dataset, NULL, "ndcg@5", USERS, 1, &status), STATUS_OK);
    f->input.validation = &h->validation;
    f->input.validate_every = validate_every;
    f->input.patience = patience;
    f->settings.epochs = f->input.stop_after = 30;
}

static void held_out_release(struct held_out *h)
{
    validation_release(&h->validation);
    sparse_release(&h->dataset.valid.matrix);
}

static void early_stopping_keeps_the_towers_of_the_best_epoch(void **state)
{
    (void)state;
    struct fixture f;
    struct held_out h;
    fixture_init(&f);
    held_out_init(&h, &f, 1, 3);
    struct trainer_result result = train(&f, 1);
    assert_int_equal(result.n_curve, result.best_epoch + 3);
    assert_true(result.best_epoch > 0 && result.n_curve < 30);
    for (size_t e = 0; e < result.n_curve; e++) {
        assert_int_equal(result.curve[e].epoch, e + 1);
        assert_true(e + 1 < result.best_epoch ? result.curve[e].metric < result.best_metric
                                              : result.curve[e].metric <= result.best_metric);
    }
    assert_true(result.curve[result.best_epoch - 1].metric == result.best_metric);
    /* looking at validation draws nothing: the same epochs without it give the same towers */
    f.input.validation = NULL;
    f.input.stop_after = result.best_epoch;
    struct trainer_result plain = train(&f, 1);
    assert_same_result(&result, &plain);
    assert_true(isnan(plain.best_metric));
    trainer_result_release(&result);
    trainer_result_release(&plain);
    held_out_release(&h);
    fixture_release(&f);
}

static void without_patience_all_epochs_are_run_and_the_last_is_validated(void **state)
{
    (void)state;
    struct fixture f;
    struct held_out h;
    fixture_init(&f);
    held_out_init(&h, &f, 4, 0);
    struct trainer_result result = train(&f, 1);
    assert_int_equal(result.n_curve, 30);
    for (size_t e = 1; e <= 30; e++) {
        assert_int_equal(isnan(result.curve[e - 1].metric), e % 4 != 0 && e != 30);
    }
    assert_true(result.best_epoch % 4 == 0 || result.best_epoch == 30);
    trainer_result_release(&result);
    held_out_release(&h);
    fixture_release(&f);
}

static void a_resumed_run_stops_where_the_whole_one_does(void **state)
{
    (void)state;
    struct fixture f;
    struct held_out h;
    fixture_init(&f);
    held_out_init(&h, &f, 1, 3);
    struct trainer_result whole = train(&f, 1);
    const struct trainer_hooks hooks = {&f,
                                        {.check_stop = stop_sometimes, .data = &f},
                                        NULL,
                                        always_due,
                                        keep_checkpoint,
                                        give_checkpoint,
                                        NULL,
                                        NULL,
                                        NULL};
    /* in the first epoch behind the best one, and in the last */
    const size_t stop_epochs[] = {whole.best_epoch + 1, whole.n_curve};
    for (size_t s = 0; s < 2; s++) {
        struct status status = {0};
        struct trainer_result result = {0};
        f.stop_at = stop_epochs[s] * 4; /* batches an epoch */
        f.n_calls = 0;
        f.offer = false;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &result, &status), STATUS_SIGNAL);
        status_clear(&status);
        f.stop_at = 0;
        f.offer = true;
        assert_int_equal(trainer_run(&f.input, &hooks, NULL, &result, &status), STATUS_OK);
        assert_same_result(&whole, &result);
        assert_int_equal(result.n_curve, whole.n_curve);
        assert_true(result.best_metric == whole.best_metric);
        trainer_result_release(&result);
    }
    trainer_result_release(&whole);
    held_out_release(&h);
    fixture_release(&f);
}

static bool after_five_epochs(void *data, size_t epochs_done)
{
    (void)data;
    return epochs_done == 5;
}

static void training_cut_short_validates_and_goes_on_from_there(void **state)
{
    (void)state;
    struct fixture f;
    struct held_out h;
    fixture_init(&f);
    held_out_init(&h, &f, 4, 0); /* validates every fourth epoch; never out of patience */
    struct trainer_result whole = train(&f, 1), cut = {0}, resumed = {0};
    struct status status = {0};
    struct trainer_hooks hooks = {
        &f, {0}, NULL, NULL, keep_checkpoint, give_checkpoint, after_five_epochs, NULL, NULL};
    assert_false(whole.is_cut_short);
    assert_int_equal(trainer_run(&f.input, &hooks, NULL, &cut, &status), STATUS_OK);
    assert_true(cut.is_cut_short);
    assert_int_equal(cut.n_curve, 5);
    assert_true(cut.curve[4].metric >= 0.0); /* out of turn, for there is no other epoch */
    hooks.time_is_up = NULL;
    f.offer = true;
    assert_int_equal(trainer_run(&f.input, &hooks, NULL, &resumed, &status), STATUS_OK);
    assert_int_equal(resumed.n_curve, whole.n_curve);
    assert_false(resumed.is_cut_short);
    trainer_result_release(&cut);
    trainer_result_release(&resumed);
    trainer_result_release(&whole);
    held_out_release(&h);
    fixture_release(&f);
}

/* ---- odd batches ---- */

static void some_positives_without_a_negative_do_not_end_training(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.negatives.strategy = NEGATIVES_UNIFORM;
    f.negatives.shared = false;
    f.negatives.count = 1; /* an eighth of the draws are own positives */
    assert_separates(&f);
    fixture_release(&f);
}

static void users_who_have_everything_end_training_with_a_reason(void **state)
{
    (void)state;
    const bool shared[] = {true, false};
    for (size_t s = 0; s < 2; s++) {
        struct fixture f;
        struct status status = {0};
        struct trainer_hooks none = {0};
        struct trainer_result result = {0};
        fixture_init(&f);
        f.train.matrix.n_columns = SEEN;
        for (size_t e = 0; e < USERS * SEEN; e++) {
            f.train.matrix.columns[e] = (int32_t)(e % SEEN);
        }
        f.negatives.strategy = NEGATIVES_UNIFORM;
        f.negatives.shared = shared[s];
        assert_int_equal(trainer_run(&f.input, &none, NULL, &result, &status), STATUS_DATA);
        assert_non_null(strstr(status.message, "no user has a negative"));
        assert_null(result.vectors[SIDE_USERS]);
        fixture_release(&f);
    }
}

static void own_lists_of_item_anchors_leave_out_the_item_and_its_partners(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    const struct pair_settings all_pairs = {
        .window = PAIR_WHOLE_HISTORY, .min_count = 1, .top = ITEMS, .max_user_items = 1000};
    struct status status = {0};
    sparse_release(&f.pairs);
    f.train.matrix.n_columns = SEEN; /* everybody has every item: all are partners */
    for (size_t e = 0; e < USERS * SEEN; e++) {
        f.train.matrix.columns[e] = (int32_t)(e % SEEN);
    }
    assert_int_equal(pairs_item_item(&f.train, &all_pairs, NULL, &f.pairs, &status), STATUS_OK);
    f.negatives.strategy = NEGATIVES_UNIFORM;
    f.negatives.shared = false;
    f.negatives.exclude_own = false;
    f.settings.loss_settings.denominators = DENOMINATORS_INFONCE;
    f.settings.batch_users = USERS;
    f.input.stop_after = 1;
    struct trainer_result alone = train(&f, 1);
    f.settings.co_items.weight = 1.0;
    struct trainer_result beside = train(&f, 1);
    assert_true(alone.curve[0].loss == beside.curve[0].loss);
    trainer_result_release(&alone);
    trainer_result_release(&beside);
    fixture_release(&f);
}

static void weights_that_decayed_to_the_smallest_float_train_like_any_others(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    for (size_t e = 0; e < USERS * SEEN; e++) {
        f.train.matrix.values[e] = FLT_MIN;
    }
    f.settings.degree_exponent = 1.0;
    assert_separates(&f);
    fixture_release(&f);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_negative_strategy_learns_the_planted_groups),
        cmocka_unit_test(negatives_per_positive_and_stored_ones_learn_them_too),
        cmocka_unit_test(the_item_contrast_pulls_co_interacted_items_together),
        cmocka_unit_test(one_and_two_threads_give_the_same_bytes_and_seeds_differ),
        cmocka_unit_test(a_clip_out_of_reach_changes_no_byte_with_any_optimizer),
        cmocka_unit_test(a_run_stopped_anywhere_and_resumed_gives_the_same_bytes),
        cmocka_unit_test(
            every_switch_learns_and_gives_the_same_bytes_with_threads_and_after_a_stop),
        cmocka_unit_test(a_hidden_history_alone_is_what_a_step_asks_for_and_new_users_are_encoded),
        cmocka_unit_test(vectors_that_become_one_point_end_training_with_the_reason),
        cmocka_unit_test(a_diverging_loss_names_epoch_and_batch),
        cmocka_unit_test(settings_and_curves_survive_an_artifact),
        cmocka_unit_test(early_stopping_keeps_the_towers_of_the_best_epoch),
        cmocka_unit_test(without_patience_all_epochs_are_run_and_the_last_is_validated),
        cmocka_unit_test(a_resumed_run_stops_where_the_whole_one_does),
        cmocka_unit_test(training_cut_short_validates_and_goes_on_from_there),
        cmocka_unit_test(some_positives_without_a_negative_do_not_end_training),
        cmocka_unit_test(users_who_have_everything_end_training_with_a_reason),
        cmocka_unit_test(own_lists_of_item_anchors_leave_out_the_item_and_its_partners),
        cmocka_unit_test(weights_that_decayed_to_the_smallest_float_train_like_any_others),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
