/* A YAML file as a tree with positions. The rest of the program sees this tree and never libyaml.
 *
 * The dialect is the part of YAML that reads the same to everybody: maps, lists and scalars.
 * Refused are duplicate keys, anchors and aliases, tags, a second document, keys that are not
 * scalars, more than DOC_DEPTH_MAX levels, DOC_BYTES_MAX bytes or DOC_NODES_MAX nodes. */
#ifndef NIGHTJAR_CONFIG_YAML_DOC_H
#define NIGHTJAR_CONFIG_YAML_DOC_H

#include "base/buf.h"
#include "base/watch.h"
#include "config/mistakes.h"

enum { DOC_DEPTH_MAX = 32, DOC_BYTES_MAX = 256 * 1024, DOC_NODES_MAX = 20000 };

enum doc_kind { DOC_SCALAR, DOC_LIST, DOC_MAP };

struct doc_node {
    enum doc_kind kind;
    bool quoted;  /* scalar in quotes or a block scalar: always text */
    bool raw;     /* scalar that may be of any type, whatever its form: from --set */
    bool damaged; /* its mistake is already told: nothing more is to be said about it */
    struct place place;
    const char *text; /* scalar: UTF-8 without NUL, zero-terminated; "" otherwise */
    size_t length;
    struct doc_node *first, *last, *next; /* children in file order; the next sibling */
    size_t n;                             /* children */
    const char *key;                      /* as a member of a map; NULL: not a usable key */
    size_t key_length;
    struct place key_place;
};

/* Reads a file; `watch` (may be NULL) is asked while it is a pipe that has nothing. Missing is
 * STATUS_NO_INPUT. What is wrong with it goes to `mistakes`;
 * when it cannot be read to its end or is not a map, *root is NULL. Nodes live in `arena`. *hash is
 * of its bytes. */
MUST_CHECK enum status_code yaml_doc_read(const char *file, const struct watch *watch,
                                          struct arena *arena, struct mistakes *mistakes,
                                          struct doc_node **root, uint64_t *hash,
                                          struct status *status);
/* The same for a text in memory, with any kind of root. `origin` goes into every place. */
MUST_CHECK enum status_code yaml_doc_parse(const char *text, size_t length, const char *origin,
                                           struct arena *arena, struct mistakes *mistakes,
                                           struct doc_node **root, struct status *status);

/* The member of a map, or NULL (also when `node` is NULL or not a map). */
struct doc_node *doc_find(const struct doc_node *node, const char *key, size_t length);
/* Nothing was written: an empty, `~` or `null` scalar without quotes. */
bool doc_is_null(const struct doc_node *node);
/* Adds a child at the end; a child of a map has its key set already. */
void doc_append(struct doc_node *parent, struct doc_node *child);
/* "a list", "a map", "a single value" */
const char *doc_kind_name(const struct doc_node *node);

#endif
