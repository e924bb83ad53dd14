/* A JSON tree that is built, printed and dropped: the wrapper around cJSON. */
#ifndef NIGHTJAR_IO_JSON_TREE_H
#define NIGHTJAR_IO_JSON_TREE_H

#include "base/buf.h"
#include "base/strings.h"

struct json; /* one value, owned by its tree */

/* Zero-initialise. Additions return NULL once memory has run out, accept NULL as their parent, and
 * the tree remembers it for json_tree_print: callers check once, at the end. */
struct json_tree {
    struct json *root;
    bool failed;
};

/* Adds a value to `parent`: under `name` to an object, with name NULL to the end of an array. The
 * first value is added with parent NULL and name NULL and becomes the root. */
struct json *json_add_object(struct json_tree *tree, struct json *parent, const char *name);
struct json *json_add_array(struct json_tree *tree, struct json *parent, const char *name);
/* `text` is UTF-8, copied. */
struct json *json_add_text(struct json_tree *tree, struct json *parent, const char *name,
                           const char *text);
/* Whole numbers up to 2^53 and 15 digits of others; see json_add_raw for more. */
struct json *json_add_number(struct json_tree *tree, struct json *parent, const char *name,
                             double value);
struct json *json_add_bool(struct json_tree *tree, struct json *parent, const char *name,
                           bool value);
/* `text` is JSON already, say a number with all its digits. */
struct json *json_add_raw(struct json_tree *tree, struct json *parent, const char *name,
                          const char *text);
/* The member of an object, or NULL. */
struct json *json_member(const struct json *object, const char *name);

/* Adds the tree as text, indented with tabs when `pretty`; no final newline. */
MUST_CHECK enum status_code json_tree_print(const struct json_tree *tree, bool pretty,
                                            struct buf *out, struct status *status);
void json_tree_release(struct json_tree *tree);

/* Reads a JSON array of texts, numbers and booleans: each element is added to `out` as text (a
 * number in its shortest form), nulls are left out. *is_such false, and nothing added, when `text`
 * is anything else. */
MUST_CHECK enum status_code json_read_texts(const char *text, size_t length, struct strings *out,
                                            bool *is_such, struct status *status);

#endif
