/* model/warm_vectors: which published vectors a training starts from, and which it does not. */
#include "training/warm_vectors.h"

#include "base/mem.h"
#include "publishing/generation.h"
#include "store/migrate.h"
#include "tests/support/publish_support.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Published: users -20, -10, 0, 10 or "user-0" ..., items 100, 101, 102 or "item-0" ..., every
 * vector (.5, .5, .5, .5). Today: five users, the second of which is below the k-core, and three
 * items, one of them new. */
static const struct sample_shape integers = {.n_users = 4, .n_items = 3, .top = 2};
static const struct sample_shape texts = {
    .n_users = 4, .n_items = 3, .top = 2, .users_are_text = true, .items_are_text = true};
static const int64_t users_today[] = {-20, -10, 0, 7, 10};
static const char *const text_users_today[] = {"user-0", "user-1", "user-2", "user-77", "user-3"};
static const int64_t items_today[] = {101, 102, 555};
static const char *const text_items_today[] = {"item-1", "item-2", "item-555"};
static int32_t user_codes[] = {0, 2, 3, 4}, item_codes[] = {0, 1, 2};

enum { USERS = 4, ITEMS = 3, D = SAMPLE_DIMENSION };

struct fixture {
    struct db *db;
    struct interactions interactions;
    struct published_info info;
    struct warm_vectors vectors;
    struct buf why;
};

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void publish(struct db *db, const char *prefix, struct sample_shape shape)
{
    struct status status = {0};
    struct sample sample;
    const struct publish_target target = {.db = db, .prefix = prefix, .keep = 2};
    int64_t generation = 0;
    sample_init(&sample, shape, 0.5f);
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    assert_int_equal(generation, 1);
    sample_release(&sample);
}

static void setup(struct fixture *f, void **state, const char *prefix, struct sample_shape shape,
                  bool text_today)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    int32_t code;
    memset(f, 0, sizeof *f);
    store_path(state, "out.db", path);
    f->db = store_open(path, DB_CREATE);
    publish(f->db, prefix, shape);
    assert_ok(publish_current(f->db, prefix, &f->info, &status), &status);
    struct vocabulary *users = &f->interactions.users, *items = &f->interactions.items;
    for (size_t i = 0; i < 5; i++) {
        assert_ok(text_today ? vocabulary_add_text(users, text_users_today[i],
                                                   strlen(text_users_today[i]), &code, &status)
                             : vocabulary_add_integer(users, users_today[i], &code, &status),
                  &status);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        assert_ok(text_today ? vocabulary_add_text(items, text_items_today[i],
                                                   strlen(text_items_today[i]), &code, &status)
                             : vocabulary_add_integer(items, items_today[i], &code, &status),
                  &status);
    }
    f->interactions.basis[BASIS_ALL] = (struct dataset){
        .n_users = USERS, .n_items = ITEMS, .users = user_codes, .items = item_codes};
}

static void teardown(struct fixture *f)
{
    db_close(f->db);
    vocabulary_release(&f->interactions.users);
    vocabulary_release(&f->interactions.items);
    warm_vectors_release(&f->vectors);
    buf_release(&f->why);
}

/* As a training with one component of sequences beside `dimension`; published are vectors with
 * `sequence` of them. */
static void read_parts(struct fixture *f, const char *prefix, int64_t sequence, size_t dimension)
{
    struct status status = {0};
    const struct warm_request request = {.db = f->db,
                                         .prefix = prefix,
                                         .width = f->info.dimension,
                                         .sequence = sequence,
                                         .interactions = &f->interactions,
                                         .basis = BASIS_ALL,
                                         .dimension = dimension,
                                         .sequence_dimension = 1};
    assert_ok(warm_vectors_read(&request, &f->vectors, &f->why, &status), &status);
}

static void read_vectors(struct fixture *f, const char *prefix, size_t dimension)
{
    read_parts(f, prefix, -1, dimension);
}

/* Which rows are known, as a text of 0 and 1. */
static void assert_known(const struct warm_side *side, const char *expected)
{
    assert_int_equal(side->n, strlen(expected));
    for (size_t i = 0; i < side->n; i++) {
        assert_int_equal(side->is_known[i], expected[i] - '0');
    }
}

static void assert_vector(const struct warm_side *side, size_t row, float first, float others)
{
    for (size_t c = 0; c < D; c++) {
        assert_true(side->warm.vectors[row * D + c] == (c == 0 ? first : others));
    }
}

static void the_history_says_what_is_published(void **state)
{
    struct status status = {0};
    struct fixture f;
    setup(&f, state, "", integers, false);
    assert_int_equal(f.info.generation, 1);
    assert_int_equal(f.info.dimension, D);
    assert_int_equal(f.info.run_started, 1700000000);
    assert_int_equal(strlen(f.info.checksum), 32);
    assert_ok(publish_current(f.db, "other_", &f.info, &status), &status);
    assert_int_equal(f.info.generation, 0);
    assert_string_equal(f.info.checksum, "");
    teardown(&f);
}

static void integer_ids_find_their_rows(void **state)
{
    struct fixture f;
    setup(&f, state, "shop_", integers, false);
    store_exec(f.db, "UPDATE shop_user_embeddings_g1 SET embedding ="
                     " x'0000803f000000000000000000000000' WHERE \"user\" = 10");
    read_vectors(&f, "shop_", D);
    assert_int_equal(f.why.length, 0);
    assert_known(&f.vectors.side[SIDE_USERS], "1101"); /* ids -20, 0, 7, 10 */
    assert_known(&f.vectors.side[SIDE_ITEMS], "110");
    assert_int_equal(f.vectors.side[SIDE_USERS].n_matched, 3);
    assert_int_equal(f.vectors.side[SIDE_ITEMS].n_matched, 2);
    assert_int_equal(f.vectors.side[SIDE_USERS].n_bad, 0);
    assert_vector(&f.vectors.side[SIDE_USERS], 0, 0.5f, 0.5f);
    assert_vector(&f.vectors.side[SIDE_USERS], 2, 0.0f, 0.0f); /* new */
    assert_vector(&f.vectors.side[SIDE_USERS], 3, 1.0f, 0.0f);
    assert_ptr_equal(f.vectors.side[SIDE_ITEMS].warm.is_known, f.vectors.side[SIDE_ITEMS].is_known);
    teardown(&f);
}

static void text_ids_find_their_rows(void **state)
{
    struct fixture f;
    setup(&f, state, "", texts, true);
    read_vectors(&f, "", D);
    assert_int_equal(f.why.length, 0);
    assert_known(&f.vectors.side[SIDE_USERS], "1101");
    assert_known(&f.vectors.side[SIDE_ITEMS], "110");
    teardown(&f);
}

static void ids_of_another_type_match_nothing(void **state)
{
    struct fixture f;
    setup(&f, state, "", texts, false);
    read_vectors(&f, "", D);
    assert_string_equal(buf_text(&f.why), "it knows 0 of the 4 users, fewer than half");
    teardown(&f);
}

static void another_dimension_is_said_with_both_figures(void **state)
{
    struct fixture f;
    setup(&f, state, "", integers, false);
    read_vectors(&f, "", 16);
    assert_string_equal(buf_text(&f.why),
                        "its vectors have dimension 4, today's have 16, and 1 from sequences");
    assert_null(f.vectors.side[SIDE_USERS].vectors);
    teardown(&f);
}

static void the_part_of_ids_is_taken_of_vectors_that_read_sequences(void **state)
{
    struct fixture f;
    setup(&f, state, "", integers, false);
    read_vectors(&f, "", D - 1);
    assert_int_equal(f.why.length, 0);
    assert_known(&f.vectors.side[SIDE_USERS], "1101");
    for (size_t c = 0; c < D - 1; c++) { /* (.5, .5, .5) of (.5, .5, .5, .5) */
        const float value = f.vectors.side[SIDE_USERS].warm.vectors[c];
        assert_true(fabsf(value - 1.0f / sqrtf((float)(D - 1))) < 1e-6f);
    }
    teardown(&f);
}

/* The sum alone would take a part of ids for all of them, or the other way round. */
static void vectors_of_the_same_width_that_have_other_parts_are_none(void **state)
{
    struct status status = {0};
    int64_t sequence;
    struct fixture f;
    setup(&f, state, "", integers, false);
    assert_ok(publish_current_sequence(f.db, "", &sequence, &status), &status);
    assert_int_equal(sequence, 0);
    read_parts(&f, "", sequence, D - 1);
    assert_string_equal(buf_text(&f.why),
                        "its vectors have dimension 4, today's have 3, and 1 from sequences");
    buf_clear(&f.why);
    store_exec(f.db, "UPDATE nightjar_generations SET sequence_dimension = 2");
    assert_ok(publish_current_sequence(f.db, "", &sequence, &status), &status);
    read_parts(&f, "", sequence, D);
    assert_string_equal(buf_text(&f.why), "its vectors have dimension 4, 2 of it from sequences, "
                                          "today's have 4, and 1 from sequences");
    buf_clear(&f.why);
    read_parts(&f, "", sequence, D - 2); /* the same ids, however many components are beside them */
    assert_int_equal(f.why.length, 0);
    assert_known(&f.vectors.side[SIDE_USERS], "1101");
    teardown(&f);
}

static void bad_vectors_count_as_new(void **state)
{
    /* a byte short, NaN, all zeros, no BLOB; id -10 is not asked for, whatever it holds */
    static const char *const bad[] = {"x'0000003f0000003f0000003f000000'",
                                      "x'0000c07f000000000000000000000000'",
                                      "x'00000000000000000000000000000000'", "'0.5,0.5,0.5,0.5'"};
    struct fixture f;
    struct buf sql = {0};
    setup(&f, state, "", integers, false);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_clear(&sql);
        buf_addf(&sql, "UPDATE user_embeddings_g1 SET embedding = %s WHERE \"user\" IN (-10, 0)",
                 bad[i]);
        store_exec(f.db, buf_text(&sql));
        read_vectors(&f, "", D);
        assert_int_equal(f.why.length, 0);
        assert_known(&f.vectors.side[SIDE_USERS], "1001");
        assert_vector(&f.vectors.side[SIDE_USERS], 1, 0.0f, 0.0f);
        assert_int_equal(f.vectors.side[SIDE_USERS].n_bad, 1);
        assert_string_equal(buf_text(&f.vectors.side[SIDE_USERS].first_bad), "0");
        warm_vectors_release(&f.vectors);
    }
    buf_release(&sql);
    teardown(&f);
}

static void a_view_that_is_gone_is_said(void **state)
{
    struct fixture f;
    setup(&f, state, "", integers, false);
    store_exec(f.db, "DROP VIEW item_embeddings");
    read_vectors(&f, "", D);
    assert_string_equal(buf_text(&f.why), "the view item_embeddings is gone");
    teardown(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_history_says_what_is_published),
        TEST(integer_ids_find_their_rows),
        TEST(text_ids_find_their_rows),
        TEST(ids_of_another_type_match_nothing),
        TEST(another_dimension_is_said_with_both_figures),
        TEST(the_part_of_ids_is_taken_of_vectors_that_read_sequences),
        TEST(vectors_of_the_same_width_that_have_other_parts_are_none),
        TEST(bad_vectors_count_as_new),
        TEST(a_view_that_is_gone_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
