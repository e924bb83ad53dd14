/* CSV reading: every way in which real files are broken, with true lines and columns, in bounded
 * memory, and a comparison with a naive reader on random input. */
#include "io/csv_reader.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "tests/support/csv_files.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LATIN1 "; is it Latin-1? iconv -f LATIN1 -t UTF-8"

/* A literal that may hold NULs, and its length. */
#define BYTES(literal) literal, sizeof literal - 1

static const struct csv_settings plain = {',', '"', 1024 * 1024, false, NULL};

/* Everything the reader gives, one record a line: "LINE+N_LINES [a][b]" or "LINE+N_LINES !problem
 * @line:column". An error ends it: "error CODE line:column message". */
static void read_all(const char *path, const struct csv_settings *settings, struct buf *out)
{
    struct status status = {0};
    struct csv_reader *reader = NULL;
    struct csv_row row;
    bool has_row = false;
    enum status_code code = csv_reader_open(path, settings, &reader, &status);
    if (code == STATUS_OK) {
        code = csv_reader_next(reader, &row, &has_row, &status);
    }
    while (code == STATUS_OK && has_row) {
        buf_addf(out, "%zu+%zu ", row.line, row.n_lines);
        if (row.problem != NULL) {
            buf_addf(out, "!%s @%zu:%zu", row.problem, row.problem_line, row.problem_column);
        }
        for (size_t i = 0; row.problem == NULL && i < row.n_fields; i++) {
            buf_add_char(out, '[');
            buf_add(out, row.fields[i], row.lengths[i]);
            buf_add_char(out, ']');
        }
        buf_add_char(out, '\n');
        code = csv_reader_next(reader, &row, &has_row, &status);
    }
    if (code != STATUS_OK) {
        buf_addf(out, "error %d %zu:%zu %s\n", (int)code, status.line, status.column,
                 status.message);
        assert_string_equal(status.file, path);
    }
    csv_reader_close(reader);
}

static void expect_bytes(void **state, const char *bytes, size_t length,
                         const struct csv_settings *settings, const char *expected)
{
    char path[CSV_PATH_MAX];
    struct buf seen = {0};
    csv_write(state, "t.csv", bytes, length, path);
    read_all(path, settings, &seen);
    assert_string_equal(buf_text(&seen), expected);
    buf_release(&seen);
}

static void expect(void **state, const char *text, const char *expected)
{
    expect_bytes(state, text, strlen(text), &plain, expected);
}

static void plain_rows_come_with_their_lines(void **state)
{
    expect(state, "a,b\n1,2\n3,4\n", "2+1 [1][2]\n3+1 [3][4]\n");
    expect(state, "a,b\n1,2\n3,4", "2+1 [1][2]\n3+1 [3][4]\n");
    expect(state, "a,b\r\n1,2\r\n,\r\n", "2+1 [1][2]\n3+1 [][]\n");
}

static void spaces_belong_to_fields(void **state)
{
    expect(state, "a,b\n 1 ,\t2\n", "2+1 [ 1 ][\t2]\n");
    expect(state, "a\n  \n", "2+1 [  ]\n");
}

static void quoted_fields_may_hold_everything(void **state)
{
    expect(state, "a,b\n\"x,\"\"y\"\"\",\"\"\n", "2+1 [x,\"y\"][]\n");
    expect(state, "a,b\n\"x\ny\r\nz\",1\n2,\"\n\"\n3,4\n",
           "2+3 [x\ny\r\nz][1]\n5+2 [2][\n]\n7+1 [3][4]\n");
}

static void blank_lines_are_skipped_but_counted(void **state)
{
    expect(state, "\n\na,b\n\n1,2\n\r\n\n3\n", "5+1 [1][2]\n8+1 !1 field, the header has 2 @8:0\n");
}

static void a_bom_is_no_part_of_the_first_name(void **state)
{
    char path[CSV_PATH_MAX];
    struct status status = {0};
    struct csv_reader *reader = NULL;
    csv_write(state, "t.csv", BYTES("\xef\xbb\xbfname,b\n"), path);
    assert_int_equal(csv_reader_open(path, &plain, &reader, &status), STATUS_OK);
    assert_int_equal(csv_reader_n_columns(reader), 2);
    assert_string_equal(csv_reader_column(reader, 0), "name");
    assert_string_equal(csv_reader_column(reader, 1), "b");
    csv_reader_close(reader);
}

static void ragged_rows_are_named(void **state)
{
    expect(state, "a,b\n1\n1,2,3\n1,2\n",
           "2+1 !1 field, the header has 2 @2:0\n3+1 !3 fields, the header has 2 @3:0\n"
           "4+1 [1][2]\n");
}

static void nul_bytes_are_named_with_their_column(void **state)
{
    expect_bytes(state, BYTES("a,b\n1,x\0y\n3,4\n"), &plain,
                 "2+1 !a NUL byte in field 2 @2:4\n3+1 [3][4]\n");
    expect_bytes(state, BYTES("a\0,b\n1,2\n"), &plain,
                 "error 65 1:2 header: a NUL byte in field 1\n");
}

static void invalid_utf8_is_named_with_its_column(void **state)
{
    expect(state,
           "a,b\n\xc3\xa4,\xe2\x82\xac\n1,a\xff\n\xc0\x80,1\n\xed\xa0\x80,1\n\xf5,2\n1,\xc3\n",
           "2+1 [\xc3\xa4][\xe2\x82\xac]\n3+1 !invalid UTF-8 in field 2" LATIN1 " @3:4\n"
           "4+1 !invalid UTF-8 in field 1" LATIN1 " @4:1\n5+1 !invalid UTF-8 in field 1" LATIN1
           " @5:1\n"
           "6+1 !invalid UTF-8 in field 1" LATIN1 " @6:1\n7+1 !invalid UTF-8 in field 2" LATIN1
           " @7:3\n");
    expect(state, "a,b\n\"x\ny\xff\",2\n", "2+2 !invalid UTF-8 in field 1" LATIN1 " @3:2\n");
    expect(state, "a\xff\n", "error 65 1:2 header: invalid UTF-8 in field 1" LATIN1 "\n");
}

static void quotes_in_the_wrong_place_end_one_row_only(void **state)
{
    expect(state, "a,b\n1,x\"y\n2,\"z\"z\n3,4\n",
           "2+1 !a quote inside field 2, which does not start with one; quote the field and double "
           "the quote @2:4\n3+1 !text after the closing quote of field 2 @3:6\n4+1 [3][4]\n");
}

static void an_unterminated_quote_is_named_where_it_opens(void **state)
{
    expect(state, "a,b\n1,2\n3,\"4\n5,6\n",
           "2+1 [1][2]\n3+2 !unterminated quote: the file ends before it closes @3:3\n");
    expect(state, "a,b\n\"x\ny\",\"4\n5,6",
           "2+3 !unterminated quote: the file ends before it closes @3:4\n");
    /* the next quoted field closes it, and text follows: the record that began it is to blame */
    expect(state, "a,b\n1,\"2\n3,4\n5,\"6\"\n7,8\n",
           "2+3 !unterminated quote: the next one, at 4:3, is followed by text @2:3\n"
           "5+1 [7][8]\n");
    expect(state, "a,\"b\n",
           "error 65 1:3 header: unterminated quote: the file ends before it "
           "closes\n");
}

static void a_bare_carriage_return_is_no_line_end_in_a_file_of_line_feeds(void **state)
{
    expect(state, "a,b\n1,2\r3,4\n5,6\n",
           "2+1 !a carriage return without a line feed, outside quotes @2:4\n3+1 [5][6]\n");
    expect(state, "a,b\n\"1\r1\",2\n3,4\n", "2+1 [1\r1][2]\n3+1 [3][4]\n");
}

static void a_file_of_carriage_returns_only_is_read(void **state)
{
    expect(state, "a,b\r1,2\r\"3\r\",4\r5\r",
           "2+1 [1][2]\n3+2 [3\r][4]\n5+1 !1 field, the header has 2 @5:0\n");
}

static void long_fields_are_bad_rows(void **state)
{
    struct csv_settings settings = {',', '"', 4, false, NULL};
    expect_bytes(state, BYTES("a,b\n1234,5\n1,12345\n\"1\"\"4\",\"12\n456\"\n7,8\n"), &settings,
                 "2+1 [1234][5]\n3+1 !field 2 is longer than 4 bytes @3:0\n"
                 "4+2 !field 2 is longer than 4 bytes @4:0\n6+1 [7][8]\n");
}

static void other_dialects_are_read(void **state)
{
    struct csv_settings tabs = {'\t', '\0', 1024, false, NULL};
    struct csv_settings semicolons = {';', '\'', 1024, false, NULL};
    expect_bytes(state, BYTES("a\tb\n\"x\ty\"z\n'\t1,2\n"), &tabs,
                 "2+1 [\"x][y\"z]\n3+1 ['][1,2]\n");
    expect_bytes(state, BYTES("a\tb\nx\0\ty\n1\t2\n"), &tabs,
                 "2+1 !a NUL byte in field 1 @2:2\n3+1 [1][2]\n");
    expect_bytes(state, BYTES("a;b\n'x;y';z\n"), &semicolons, "2+1 [x;y][z]\n");
}

static void a_header_alone_has_no_rows(void **state)
{
    expect(state, "a,b\n", "");
    expect(state, "a,b", "");
    expect(state, "a,b\n\n\n", "");
}

static void files_that_are_no_csv_are_errors(void **state)
{
    expect(state, "",
           "error 65 1:0 the file is empty; a header with the names of the columns is needed\n");
    expect(state, "\n\r\n",
           "error 65 1:0 the file is empty; a header with the names of the columns is needed\n");
    expect_bytes(state,
                 "\xff\xfe"
                 "a\0",
                 4, &plain,
                 "error 65 1:1 the file is UTF-16; convert it to UTF-8 first: iconv -f UTF-16 -t "
                 "UTF-8\n");
    char path[CSV_PATH_MAX];
    struct buf seen = {0};
    csv_write(state, "plain.csv.gz", BYTES("a,b\n"), path);
    read_all(path, &plain, &seen);
    assert_string_equal(buf_text(&seen),
                        "error 65 0:0 the name ends with .gz, but the contents are not gzip\n");
    buf_release(&seen);
}

static void missing_files_and_folders_are_no_input(void **state)
{
    char path[CSV_PATH_MAX];
    struct buf seen = {0};
    csv_path(state, "none.csv", path);
    read_all(path, &plain, &seen);
    read_all(*state, &plain, &seen);
    assert_string_equal(buf_text(&seen),
                        "error 66 0:0 cannot open the file: No such file or directory\n"
                        "error 66 0:0 cannot open the file: it is a folder\n");
    buf_release(&seen);
}

static void too_many_columns_are_refused(void **state)
{
    struct buf header = {0};
    for (size_t i = 0; i < 3000; i++) {
        buf_add_text(&header, "x,");
    }
    buf_add_text(&header, "y\n");
    expect(state, buf_text(&header),
           "error 65 1:0 header: 3001 columns, at most 2000 are allowed\n");
    buf_release(&header);
}

static void gzip_is_read_and_damage_is_found(void **state)
{
    char path[CSV_PATH_MAX], cut[CSV_PATH_MAX];
    struct buf seen = {0};
    csv_write_gzip(state, "t.csv.gz", BYTES("a,b\n1,2\n"), 1, path);
    read_all(path, &plain, &seen);
    assert_string_equal(buf_text(&seen), "2+1 [1][2]\n");

    /* rows enough that the file's first half is whole */
    struct rng rng;
    struct buf rows = {0};
    rng_init(&rng, 1, "test.csv", 0, 0);
    buf_add_text(&rows, "id,n\n");
    for (size_t i = 0; i < 100000; i++) {
        buf_addf(&rows, "%llu,1\n", (unsigned long long)rng_below(&rng, 1000000000));
    }
    csv_write_gzip(state, "t.csv.gz", buf_text(&rows), rows.length, 1, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, rows.length);
    size_t length = fread(bytes, 1, rows.length, file);
    fclose(file);
    csv_write(state, "cut.csv.gz", bytes, length / 2, cut);
    buf_clear(&seen);
    read_all(cut, &plain, &seen);
    const char *error = strstr(buf_text(&seen), "error 65 0:0 the gzip data are damaged or cut");
    assert_non_null(error);
    bytes[length / 2] = (char)~bytes[length / 2];
    csv_write(state, "bad.csv.gz", bytes, length, cut);
    buf_clear(&seen);
    read_all(cut, &plain, &seen);
    assert_non_null(strstr(buf_text(&seen), "error 65 0:0 the gzip data are damaged or cut"));
    free(bytes);
    buf_release(&rows);
    buf_release(&seen);
}

/* Lines much longer than the input buffer, UTF-8 sequences and line ends on its border. */
static void long_lines_are_the_same_in_pieces(void **state)
{
    struct csv_settings settings = {',', '"', 64 * 1024 * 1024, false, NULL};
    for (size_t shift = 0; shift < 4; shift++) {
        struct buf text = {0}, expected = {0}, seen = {0};
        char path[CSV_PATH_MAX];
        buf_add_text(&text, "a,b\n");
        buf_add(&text, "xxxx", shift);
        buf_add_text(&expected, "2+1 [");
        buf_add(&expected, "xxxx", shift);
        for (size_t i = 0; i < 300000; i++) {
            buf_add_text(&text, "\xe2\x82\xac");
            buf_add_text(&expected, "\xe2\x82\xac");
        }
        buf_add_text(&text, ",1\r\n3,4\r\n");
        buf_add_text(&expected, "][1]\n3+1 [3][4]\n");
        csv_write(state, "t.csv", buf_text(&text), text.length, path);
        read_all(path, &settings, &seen);
        assert_int_equal(seen.length, expected.length);
        assert_memory_equal(buf_text(&seen), buf_text(&expected), seen.length);
        buf_release(&text);
        buf_release(&expected);
        buf_release(&seen);
    }
}

static void an_endless_field_takes_constant_memory(void **state)
{
    enum { BLOCK = 1 << 20 };
    size_t n_blocks = getenv("NIGHTJAR_SOAK") != NULL ? 2048 : 128;
    char path[CSV_PATH_MAX], head_path[CSV_PATH_MAX];
    char *block = malloc(BLOCK);
    assert_non_null(block);
    memset(block, 'a', BLOCK);
    csv_write_gzip(state, "body.gz", block, BLOCK, n_blocks, path);
    /* gzip members one after the other are one file */
    csv_write_gzip(state, "t.csv.gz", BYTES("a,b\n1,\""), 1, head_path);
    FILE *out = fopen(head_path, "ab"), *in = fopen(path, "rb");
    assert_non_null(out);
    assert_non_null(in);
    for (size_t got = fread(block, 1, BLOCK, in); got > 0; got = fread(block, 1, BLOCK, in)) {
        assert_int_equal(fwrite(block, 1, got, out), got);
    }
    fclose(in);
    csv_write_gzip(state, "tail.gz", BYTES("\n\"\n3,4\n"), 1, path);
    in = fopen(path, "rb");
    assert_non_null(in);
    size_t got = fread(block, 1, BLOCK, in);
    assert_int_equal(fwrite(block, 1, got, out), got);
    fclose(in);
    fclose(out);
    free(block);

    struct buf seen = {0};
    int64_t before = clock_peak_rss();
    read_all(head_path, &plain, &seen);
    int64_t grown = clock_peak_rss() - before;
    assert_string_equal(buf_text(&seen),
                        "2+2 !field 2 is longer than 1048576 bytes @2:0\n4+1 [3][4]\n");
    /* the sanitizers keep what was freed for a while */
    assert_in_range(grown < 0 ? 0 : grown, 0, 64 << 20);
    buf_release(&seen);
}

/* A reader of well-formed text in the plainest way: one character at a time. */
static void naive(const char *text, size_t length, size_t n_columns, struct buf *out)
{
    size_t line = 1, start = 1, n_fields = 0, records = 0;
    bool quoted = false, begun = false;
    struct buf record = {0};
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool is_end = c == '\n' && !quoted;
        line += c == '\n' ? 1 : 0;
        if (is_end && !begun) {
            start = line;
            continue;
        }
        if (!begun) {
            begun = true;
            n_fields = 1;
            buf_clear(&record);
            buf_add_char(&record, '[');
        }
        if (c == '"' && quoted && i + 1 < length && text[i + 1] == '"') {
            buf_add_char(&record, '"');
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            buf_add_text(&record, "][");
            n_fields++;
        } else if (is_end) {
            begun = false;
            records++;
            size_t n_lines = line - start;
            if (records > 1 && n_fields == n_columns) {
                buf_addf(out, "%zu+%zu %s]\n", start, n_lines, buf_text(&record));
            } else if (records > 1) {
                buf_addf(out, "%zu+%zu !%zu field%s, the header has %zu @%zu:0\n", start, n_lines,
                         n_fields, n_fields == 1 ? "" : "s", n_columns, start);
            }
            start = line;
        } else {
            buf_add_char(&record, c);
        }
    }
    buf_release(&record);
}

static void random_text_is_read_as_by_a_naive_reader(void **state)
{
    static const char *const plain_parts[] = {"a", "", "b c", "\xc3\xa4", "12"};
    static const char *const quoted_parts[] = {"\"\"",   "\"x,y\"",  "\"a\"\"b\"",
                                               "\"\n\"", "\"\"\"\"", "\"q\n\n,\"\"\n\""};
    struct rng rng;
    rng_init(&rng, 7, "test.csv", 1, 0);
    for (size_t round = 0; round < 300; round++) {
        struct buf text = {0}, expected = {0}, seen = {0};
        char path[CSV_PATH_MAX];
        buf_add_text(&text, "h,\"i\nj\",k\n");
        for (size_t row = 0; row < 20; row++) {
            size_t n = 2 + rng_below(&rng, 3);
            for (size_t i = 0; i < n; i++) {
                buf_add_text(&text, i > 0 ? "," : "");
                buf_add_text(&text, rng_below(&rng, 3) > 0 ? plain_parts[rng_below(&rng, 5)]
                                                           : quoted_parts[rng_below(&rng, 6)]);
            }
            buf_add_text(&text, rng_below(&rng, 5) > 0 ? "\n" : "\n\n");
        }
        csv_write(state, "t.csv", buf_text(&text), text.length, path);
        naive(buf_text(&text), text.length, 3, &expected);
        read_all(path, &plain, &seen);
        assert_string_equal(buf_text(&seen), buf_text(&expected));
        buf_release(&text);
        buf_release(&expected);
        buf_release(&seen);
    }
}

static void any_bytes_are_survived_line_by_line(void **state)
{
    static const char alphabet[] = {'a', ',', '"', '\n', '\r', '\0', (char)0xc3, (char)0xa4, ' '};
    struct rng rng;
    rng_init(&rng, 8, "test.csv", 2, 0);
    for (size_t round = 0; round < 2000; round++) {
        char path[CSV_PATH_MAX], bytes[80] = "a,b\n";
        for (size_t i = 4; i < sizeof bytes; i++) {
            bytes[i] = alphabet[rng_below(&rng, sizeof alphabet)];
        }
        csv_write(state, "t.csv", bytes, sizeof bytes, path);
        struct status status = {0};
        struct csv_reader *reader = NULL;
        struct csv_row row;
        bool has_row = true;
        size_t past = 2; /* records lie on lines of their own, in order */
        assert_int_equal(csv_reader_open(path, &plain, &reader, &status), STATUS_OK);
        assert_int_equal(csv_reader_next(reader, &row, &has_row, &status), STATUS_OK);
        while (has_row) {
            assert_true(row.line >= past && row.n_lines >= 1);
            past = row.line + row.n_lines;
            for (size_t i = 0; row.problem == NULL && i < row.n_fields; i++) {
                assert_int_equal(utf8_valid_length(row.fields[i], row.lengths[i]), row.lengths[i]);
                assert_null(memchr(row.fields[i], '\0', row.lengths[i]));
            }
            assert_int_equal(csv_reader_next(reader, &row, &has_row, &status), STATUS_OK);
        }
        csv_reader_close(reader);
    }
}

static void a_bad_row_shows_its_text_and_its_fields_have_columns(void **state)
{
    char path[CSV_PATH_MAX];
    struct status status = {0};
    struct csv_reader *reader = NULL;
    struct csv_row row;
    bool has_row = false;
    const char *text = "a,b,c\n\"x,y\",12,zz\r\n1,\"p\nq\",3,4\n";
    csv_write(state, "t.csv", text, strlen(text), path);
    assert_int_equal(csv_reader_open(path, &plain, &reader, &status), STATUS_OK);
    assert_int_equal(csv_reader_next(reader, &row, &has_row, &status), STATUS_OK);
    assert_int_equal(csv_reader_field_column(reader, &row, 0), 1);
    assert_int_equal(csv_reader_field_column(reader, &row, 1), 7);
    assert_int_equal(csv_reader_field_column(reader, &row, 2), 10);
    assert_int_equal(csv_reader_next(reader, &row, &has_row, &status), STATUS_OK);
    assert_string_equal(row.problem, "4 fields, the header has 3");
    assert_int_equal(row.text_length, 11);
    assert_memory_equal(row.text, "1,\"p\nq\",3,4", 11);
    assert_int_equal(csv_reader_field_column(reader, &row, 1), 3);
    assert_int_equal(csv_reader_field_column(reader, &row, 2), 0);
    csv_reader_close(reader);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, csv_folder_make, csv_folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(plain_rows_come_with_their_lines),
        CASE(spaces_belong_to_fields),
        CASE(quoted_fields_may_hold_everything),
        CASE(blank_lines_are_skipped_but_counted),
        CASE(a_bom_is_no_part_of_the_first_name),
        CASE(ragged_rows_are_named),
        CASE(nul_bytes_are_named_with_their_column),
        CASE(invalid_utf8_is_named_with_its_column),
        CASE(quotes_in_the_wrong_place_end_one_row_only),
        CASE(an_unterminated_quote_is_named_where_it_opens),
        CASE(a_bare_carriage_return_is_no_line_end_in_a_file_of_line_feeds),
        CASE(a_file_of_carriage_returns_only_is_read),
        CASE(long_fields_are_bad_rows),
        CASE(other_dialects_are_read),
        CASE(a_header_alone_has_no_rows),
        CASE(files_that_are_no_csv_are_errors),
        CASE(missing_files_and_folders_are_no_input),
        CASE(too_many_columns_are_refused),
        CASE(gzip_is_read_and_damage_is_found),
        CASE(long_lines_are_the_same_in_pieces),
        CASE(an_endless_field_takes_constant_memory),
        CASE(random_text_is_read_as_by_a_naive_reader),
        CASE(any_bytes_are_survived_line_by_line),
        CASE(a_bad_row_shows_its_text_and_its_fields_have_columns),
    };
    return cmocka_run_group_tests_name("csv_reader", tests, NULL, NULL);
}
