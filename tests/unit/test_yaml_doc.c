/* yaml_doc: what is read, what is refused, and where. */
#include "config/yaml_doc.h"
#include "tests/support/config_support.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* A document, and what was said of it. */
struct reading {
    struct arena arena;
    struct mistakes mistakes;
    struct doc_node *root;
    uint64_t hash;
    struct status status;
};

static struct reading read_text(const char *text, size_t length)
{
    struct reading r = {0};
    assert_int_equal(yaml_doc_parse(text, length, NULL, &r.arena, &r.mistakes, &r.root, &r.status),
                     STATUS_OK);
    return r;
}

static void release(struct reading *r)
{
    arena_release(&r->arena);
    mistakes_release(&r->mistakes);
}

/* The text has exactly one mistake, there, whose message holds `part`. */
static void assert_refused(const char *text, size_t length, size_t line, size_t column,
                           const char *part)
{
    struct reading r = read_text(text, length);
    assert_int_equal(r.mistakes.n, 1);
    const struct mistake *m = &r.mistakes.items[0];
    if (strstr(m->text, part) == NULL || m->place.line != line || m->place.column != column) {
        fail_msg("%zu:%zu: %s; expected %zu:%zu: ...%s...", m->place.line, m->place.column, m->text,
                 line, column, part);
    }
    release(&r);
}

static void maps_lists_and_scalars_keep_their_positions(void **state)
{
    static const char text[] = "a: 1\nb:\n  - x\n  - 'y'\n  - {c: \"d\", e: }\n";
    struct reading r = read_text(text, strlen(text));
    (void)state;

    assert_int_equal(r.mistakes.n, 0);
    assert_int_equal(r.root->kind, DOC_MAP);
    assert_int_equal(r.root->n, 2);
    const struct doc_node *a = doc_find(r.root, "a", 1);
    assert_string_equal(a->text, "1");
    assert_false(a->quoted);
    assert_int_equal(a->key_place.column, 1);
    assert_int_equal(a->place.line, 1);
    assert_int_equal(a->place.column, 4);
    const struct doc_node *b = doc_find(r.root, "b", 1);
    assert_int_equal(b->kind, DOC_LIST);
    assert_int_equal(b->n, 3);
    assert_true(b->first->next->quoted);
    assert_int_equal(b->first->next->place.line, 4);
    const struct doc_node *inner = b->last;
    assert_int_equal(inner->kind, DOC_MAP);
    assert_string_equal(doc_find(inner, "c", 1)->text, "d");
    assert_true(doc_is_null(doc_find(inner, "e", 1)));
    assert_null(doc_find(inner, "f", 1));
    release(&r);
}

static void columns_count_characters_not_bytes(void **state)
{
    static const char text[] = "{\xc3\xa9: 1, \xc3\xa9: 2}\n";
    (void)state;
    assert_refused(text, strlen(text), 1, 8, "given twice");
}

static void a_duplicate_key_names_both_lines(void **state)
{
    static const char text[] = "a: 1\nb: 2\n\na: 3\n";
    (void)state;
    assert_refused(text, strlen(text), 4, 1, "\"a\" is given twice: in line 1 and in line 4");
}

static void every_duplicate_key_is_told(void **state)
{
    static const char text[] = "a: 1\na: {b: 1, b: 2}\na: 3\n";
    struct reading r = read_text(text, strlen(text));
    (void)state;
    assert_int_equal(r.mistakes.n, 3);
    release(&r);
}

static void anchors_aliases_and_tags_are_refused_at_their_place(void **state)
{
    static const char anchor[] = "a: &x 1\n";
    static const char tag[] = "a: !!python/object:os.system x\n";
    static const char alias[] = "a: &x [1]\nb: *x\n";
    struct reading r = read_text(alias, strlen(alias));
    (void)state;
    assert_refused(anchor, strlen(anchor), 1, 4, "anchor \"x\"");
    assert_refused(tag, strlen(tag), 1, 4, "tags are not allowed");
    assert_int_equal(r.mistakes.n, 2);
    assert_int_equal(r.mistakes.items[1].place.line, 2);
    assert_int_equal(r.mistakes.items[1].place.column, 4);
    assert_non_null(strstr(r.mistakes.items[1].text, "alias \"x\""));
    release(&r);
}

static void a_second_document_is_refused(void **state)
{
    static const char text[] = "a: 1\n---\nb: 2\n";
    (void)state;
    assert_refused(text, strlen(text), 2, 1, "a second document");
}

static void a_tab_that_indents_is_told_as_such(void **state)
{
    static const char below_key[] = "a:\n\tb: 1\n";
    static const char below_list[] = "a:\n  - b\n  \t- c: 1\n";
    static const char after_value[] = "a: 1\n\tb: 2\n";
    (void)state;
    assert_refused(below_key, strlen(below_key), 2, 1, "a tab cannot indent");
    assert_refused(below_list, strlen(below_list), 3, 3, "a tab cannot indent");
    assert_refused(after_value, strlen(after_value), 2, 1, "a tab cannot indent");
}

static void broken_syntax_has_its_position(void **state)
{
    static const char text[] = "a: 1\nb: [1, 2\nc: 3\n";
    static const char quote[] = "a: \"open\n";
    static const char variable[] = "a: {b: ${C}}\n";
    (void)state;
    assert_refused(variable, strlen(variable), 1, 9, "a ${VARIABLE} needs quotes");
    assert_refused(text, strlen(text), 3, 2, "not valid YAML");
    assert_refused(quote, strlen(quote), 2, 1, "not valid YAML");
}

static void encoding_errors_are_counted_from_the_bytes(void **state)
{
    static const char invalid[] = "a: 1\nb: \xc3\xa9x\xff\n";
    static const char control[] = "a: 1\nbc: \x01\n";
    static const char nul[] = "a: 1\n\0b: 2\n";
    static const char escaped_nul[] = "a: \"x\\0\"\n";
    (void)state;
    assert_refused(invalid, strlen(invalid), 2, 6, "UTF-8");
    assert_refused(control, strlen(control), 2, 5, "UTF-8");
    assert_refused(nul, sizeof nul - 1, 2, 1, "UTF-8");
    assert_refused(escaped_nul, strlen(escaped_nul), 1, 4, "NUL");
}

static void keys_must_be_single_names(void **state)
{
    static const char list[] = "{[a, b]: 1}\n";
    static const char map[] = "? {a: 1}\n: 2\n";
    (void)state;
    assert_refused(list, strlen(list), 1, 2, "a key must be a single name, not a list");
    assert_refused(map, strlen(map), 1, 3, "a key must be a single name, not a map");
}

static void depth_is_limited_for_flow_and_block_style(void **state)
{
    char text[3 * DOC_BYTES_MAX / 2];
    (void)state;

    memset(text, '[', 40000);
    assert_refused(text, 40000, 1, DOC_DEPTH_MAX + 1, "nested more than 32 levels");
    for (size_t i = 0; i < 40000; i += 2) {
        memcpy(text + i, "- ", 2);
    }
    assert_refused(text, 40000, 1, 2 * DOC_DEPTH_MAX + 1, "nested more than 32 levels");

    memset(text, '[', DOC_DEPTH_MAX);
    memset(text + DOC_DEPTH_MAX, ']', DOC_DEPTH_MAX);
    struct reading r = read_text(text, 2 * DOC_DEPTH_MAX);
    assert_int_equal(r.mistakes.n, 0);
    assert_non_null(r.root);
    release(&r);
}

static void the_number_of_values_is_limited(void **state)
{
    struct buf text = {0};
    (void)state;
    buf_add_text(&text, "a: [");
    for (int i = 0; i < DOC_NODES_MAX; i++) {
        buf_add_text(&text, "1,");
    }
    buf_add_text(&text, "]\n");
    /* the root, the key and the list count, too */
    assert_refused(buf_text(&text), text.length, 1, 5 + 2 * (DOC_NODES_MAX - 3),
                   "more than 20000 values");
    buf_release(&text);
}

static void many_keys_of_one_map_are_compared_quickly(void **state)
{
    struct buf text = {0};
    (void)state;
    for (int i = 0; i < DOC_NODES_MAX / 2 - 2; i++) {
        buf_addf(&text, "key%05d: 1\n", i);
    }
    buf_add_text(&text, "key00000: 2\n");
    assert_refused(buf_text(&text), text.length, DOC_NODES_MAX / 2 - 1, 1,
                   "in line 1 and in line 9999");
    buf_release(&text);
}

/* Reads a file whose top level must be refused with one mistake. */
static void assert_file_refused(void **state, const char *text, size_t length, size_t line,
                                size_t column, const char *part)
{
    struct reading r = {0};
    struct doc_node untouched;
    r.root = &untouched;
    const char *file = config_write(state, text, length);
    assert_int_equal(yaml_doc_read(file, NULL, &r.arena, &r.mistakes, &r.root, &r.hash, &r.status),
                     STATUS_OK);
    assert_null(r.root);
    assert_int_equal(r.mistakes.n, 1);
    assert_non_null(strstr(r.mistakes.items[0].text, part));
    assert_int_equal(r.mistakes.items[0].place.line, line);
    assert_int_equal(r.mistakes.items[0].place.column, column);
    release(&r);
}

static void an_empty_file_is_a_mistake(void **state)
{
    assert_file_refused(state, "", 0, 1, 1, "empty");
    assert_file_refused(state, "# only this\n\n", 13, 1, 1, "empty");
}

static void the_top_level_must_be_a_map(void **state)
{
    assert_file_refused(state, "\n- a\n", 5, 2, 1, "the top level is a list");
    assert_file_refused(state, "text\n", 5, 1, 1, "the top level is a single value");
}

static void a_file_over_the_limit_is_refused_unread(void **state)
{
    char *text = malloc(DOC_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, '#', DOC_BYTES_MAX + 1);
    assert_file_refused(state, text, DOC_BYTES_MAX + 1, 1, 1, "more than 256 KiB");
    assert_file_refused(state, text, DOC_BYTES_MAX, 1, 1, "empty");
    free(text);
}

static void a_missing_file_or_a_folder_is_no_input(void **state)
{
    char path[CONFIG_PATH_MAX];
    struct reading r = {0};
    struct doc_node untouched;
    r.root = &untouched;

    config_path(state, "none.yaml", path);
    assert_int_equal(yaml_doc_read(path, NULL, &r.arena, &r.mistakes, &r.root, &r.hash, &r.status),
                     STATUS_NO_INPUT);
    assert_non_null(strstr(r.status.file, "none.yaml"));
    status_clear(&r.status);
    assert_int_equal(
        yaml_doc_read(*state, NULL, &r.arena, &r.mistakes, &r.root, &r.hash, &r.status),
        STATUS_NO_INPUT);
    assert_ptr_equal(r.root, &untouched);
    assert_int_equal(r.mistakes.n, 0);
    release(&r);
}

static void shown_texts_are_escaped_and_cut_between_characters(void **state)
{
    char out[SHOWN_TEXT_MAX];
    char text[200];
    (void)state;
    assert_string_equal(shown_text("a\x1b[1m\n", 6, out), "\"a\\x1b[1m\\n\"");
    assert_string_equal(shown_text("\xc2\x9b \xff", 4, out), "\"\\x9b \\xff\"");
    for (size_t i = 0; i < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    (void)shown_text(text, sizeof text, out);
    size_t length = strlen(out);
    assert_in_range(length, 60, SHOWN_TEXT_MAX - 1);
    assert_string_equal(out + length - 6, "\xc3\xa9\"...");
    (void)shown_text(text + 1, sizeof text - 1, out);
    assert_string_equal(out + strlen(out) - 6, "\xc3\xa9\"...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lists_and_scalars_keep_their_positions),
        cmocka_unit_test(columns_count_characters_not_bytes),
        cmocka_unit_test(a_duplicate_key_names_both_lines),
        cmocka_unit_test(every_duplicate_key_is_told),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused_at_their_place),
        cmocka_unit_test(a_second_document_is_refused),
        cmocka_unit_test(a_tab_that_indents_is_told_as_such),
        cmocka_unit_test(broken_syntax_has_its_position),
        cmocka_unit_test(encoding_errors_are_counted_from_the_bytes),
        cmocka_unit_test(keys_must_be_single_names),
        cmocka_unit_test(depth_is_limited_for_flow_and_block_style),
        cmocka_unit_test(the_number_of_values_is_limited),
        cmocka_unit_test(many_keys_of_one_map_are_compared_quickly),
        cmocka_unit_test_setup_teardown(an_empty_file_is_a_mistake, config_folder_setup,
                                        config_folder_teardown),
        cmocka_unit_test_setup_teardown(the_top_level_must_be_a_map, config_folder_setup,
                                        config_folder_teardown),
        cmocka_unit_test_setup_teardown(a_file_over_the_limit_is_refused_unread,
                                        config_folder_setup, config_folder_teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_or_a_folder_is_no_input, config_folder_setup,
                                        config_folder_teardown),
        cmocka_unit_test(shown_texts_are_escaped_and_cut_between_characters),
    };
    return cmocka_run_group_tests_name("yaml_doc", tests, NULL, NULL);
}
