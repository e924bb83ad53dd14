/* base/output_file and io/whole_file: links planted in the place of a file, FIFOs, rights, what a
 * killed run left. */
#include "base/output_file.h"

#include "io/whole_file.h"
#include "tests/support/store_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_content(const char *path, const char *expected)
{
    char text[64] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    (void)!fread(text, 1, sizeof text - 1, file);
    fclose(file);
    assert_string_equal(text, expected);
}

static int mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    return (int)(info.st_mode & 0777);
}

static void assert_refused(const char *path, enum output_kind kind, const char *why)
{
    struct status status = {0};
    int fd = -1;
    assert_int_equal(output_file_open(path, kind, OUTPUT_PRIVATE, "the log file", &fd, &status),
                     STATUS_CANNOT_CREATE);
    assert_int_equal(fd, -1);
    assert_string_equal(status.file, path);
    assert_non_null(strstr(status.message, "the log file"));
    assert_non_null(strstr(status.message, why));
}

static void a_link_is_not_followed(void **state)
{
    char victim[STORE_PATH_MAX], link[STORE_PATH_MAX];
    struct status status = {0};
    int fd = -1;
    store_path(state, "victim", victim);
    store_path(state, "link", link);
    store_write_file(victim, "precious", 8);
    assert_int_equal(symlink(victim, link), 0);
    assert_refused(link, OUTPUT_APPEND, "symbolic link");
    assert_refused(link, OUTPUT_UPDATE, "symbolic link");
    assert_int_equal(output_file_open(link, OUTPUT_NEW, OUTPUT_PRIVATE, "it", &fd, &status),
                     STATUS_OK);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    assert_int_equal(mode_of(link), 0600);
    assert_content(victim, "precious");
}

static void a_fifo_is_refused_without_waiting(void **state)
{
    char fifo[STORE_PATH_MAX];
    struct status status = {0};
    struct buf text = {0};
    store_path(state, "fifo", fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(fifo, OUTPUT_APPEND, "FIFO");
    assert_refused(fifo, OUTPUT_UPDATE, "regular"); /* which is its own reader */
    assert_int_equal(whole_file_write(fifo, OUTPUT_SHARED, &text, &status), STATUS_CANNOT_CREATE);
    const int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_refused(fifo, OUTPUT_APPEND, "regular");
    close(reader);
}

static void devices_are_written_to_and_stay(void **state)
{
    (void)state;
    struct status status = {0};
    struct buf text = {0};
    struct stat info;
    buf_add_text(&text, "x");
    assert_int_equal(whole_file_write("/dev/null", OUTPUT_SHARED, &text, &status), STATUS_OK);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_true(output_file_is_device("/dev/stdout"));
    assert_int_equal(whole_file_write("/dev/full", OUTPUT_SHARED, &text, &status), STATUS_IO);
    buf_release(&text);
}

static void a_whole_file_keeps_its_rights_and_follows_no_planted_partial(void **state)
{
    char path[STORE_PATH_MAX], partial[STORE_PATH_MAX], victim[STORE_PATH_MAX];
    struct status status = {0};
    struct buf text = {0};
    store_path(state, "page", path);
    store_path(state, "page.partial", partial);
    store_path(state, "victim", victim);
    store_write_file(victim, "precious", 8);
    assert_int_equal(symlink(victim, partial), 0);
    buf_add_text(&text, "new");
    assert_int_equal(whole_file_write(path, OUTPUT_PRIVATE, &text, &status), STATUS_OK);
    assert_int_equal(mode_of(path), 0600);
    assert_content(path, "new");
    assert_content(victim, "precious");
    assert_int_equal(chmod(path, 0640), 0);
    store_write_file(partial, "of a killed run", 15);
    assert_int_equal(whole_file_write(path, OUTPUT_PRIVATE, &text, &status), STATUS_OK);
    assert_int_equal(mode_of(path), 0640);
    assert_int_equal(access(partial, F_OK), -1);
    buf_release(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_link_is_not_followed),
        TEST(a_fifo_is_refused_without_waiting),
        TEST(devices_are_written_to_and_stay),
        TEST(a_whole_file_keeps_its_rights_and_follows_no_planted_partial),
    };
    return cmocka_run_group_tests_name("output_file", tests, NULL, NULL);
}
