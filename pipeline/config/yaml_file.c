/* A pipeline's file read into a tree. libyaml is yaml_doc.c's. */
#include "config/yaml_doc.h"

#include "base/hash.h"
#include "base/input_file.h"
#include "base/utf8.h"

#include <unistd.h>

/* Hardly more than the limit, which is enough to know that it is passed. */
static enum status_code read_bytes(const char *file, const struct watch *watch, struct buf *out,
                                   struct status *status)
{
    char block[8192];
    int fd = -1;
    size_t n = 0;
    enum status_code code;
    code = input_file_open(file, "the pipeline file", &fd, status);
    if (code != STATUS_OK && access(file, F_OK) != 0) {
        status_add_line(status, "nightjar init DATABASE writes a first one");
    }
    TRY(code);
    do {
        TRY(input_file_read(fd, file, watch, block, sizeof block, &n, status));
        buf_add(out, block, n);
    } while (n > 0 && out->length <= DOC_BYTES_MAX);
    TRY(buf_check(out, status));
done:
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

enum status_code yaml_doc_read(const char *file, const struct watch *watch, struct arena *arena,
                               struct mistakes *mistakes, struct doc_node **root, uint64_t *hash,
                               struct status *status)
{
    struct buf bytes = {0};
    struct doc_node *found = NULL;
    const struct place start = {.line = 1, .column = 1};
    size_t n_before = mistakes->n;
    enum status_code code = STATUS_OK;

    TRY(read_bytes(file, watch, &bytes, status));
    *hash = hash_bytes64(buf_text(&bytes), bytes.length);
    const char *encoding = utf8_other_encoding(buf_text(&bytes), bytes.length);
    if (encoding != NULL) {
        mistakes_add(mistakes, start,
                     "the file is %s; convert it to UTF-8 first: iconv -f %s -t UTF-8", encoding,
                     encoding);
    } else if (bytes.length > DOC_BYTES_MAX) {
        mistakes_add(mistakes, start, "the file has more than %d KiB", DOC_BYTES_MAX / 1024);
    } else {
        TRY(yaml_doc_parse(buf_text(&bytes), bytes.length, NULL, arena, mistakes, &found, status));
    }
    if (found == NULL && mistakes->n == n_before) {
        mistakes_add(mistakes, start,
                     "the file is empty; a pipeline has at least \"pipeline:\" and \"stages:\"");
    } else if (found != NULL && found->kind != DOC_MAP) {
        if (!found->damaged) {
            mistakes_add(mistakes, found->place,
                         "the top level is %s; it must be a map with \"pipeline:\" and \"stages:\"",
                         doc_kind_name(found));
        }
        found = NULL;
    }
    *root = found;
done:
    buf_release(&bytes);
    return code;
}
