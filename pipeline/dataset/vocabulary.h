/* Ids as they stand in the source (all INTEGER or all TEXT) against dense codes 0..n-1.
 *
 *     vocabulary_add, as ids come -> vocabulary_sort -> vocabulary_save
 *     vocabulary_load -> vocabulary_find, vocabulary_id, vocabulary_locate
 *
 * The ids 30, 10, 20, 10 get the codes 0, 1, 2, 1; vocabulary_sort makes 30 code 2, 10 code 0 and
 * 20 code 1: new_code is {2, 0, 1}. */
#ifndef NIGHTJAR_DATASET_VOCABULARY_H
#define NIGHTJAR_DATASET_VOCABULARY_H

#include "base/strings.h"
#include "store/artifact.h"
#include "store/row_id.h"

enum id_type { ID_NONE, ID_INTEGER, ID_TEXT };

/* Zero-initialise. */
struct vocabulary {
    enum id_type type; /* ID_NONE until the first id */
    size_t n;
    int64_t *integers;    /* (n), ID_INTEGER */
    struct strings texts; /* (n), ID_TEXT */
    /* the index (vocabulary_index.c), a power of two slots, of which one of the two is there */
    int32_t *slots;       /* (n_slots) of integers, NULL until needed */
    uint64_t *text_slots; /* (n_slots) of texts, NULL until needed */
    size_t n_slots;
    bool is_direct; /* integer id i has slots[i]; else they are hashed */
    size_t capacity;
    bool is_view; /* arrays belong to an artifact */
};

/* The code of the id, added when new. The caller has checked that the type fits. More than 2^31 - 2
 * ids is STATUS_DATA. */
MUST_CHECK enum status_code vocabulary_add(struct vocabulary *vocabulary, const struct row_id *id,
                                           int32_t *code, struct status *status);
MUST_CHECK enum status_code vocabulary_add_integer(struct vocabulary *vocabulary, int64_t id,
                                                   int32_t *code, struct status *status);
MUST_CHECK enum status_code vocabulary_add_text(struct vocabulary *vocabulary, const char *id,
                                                size_t length, int32_t *code,
                                                struct status *status);
/* Adds id `index` of `from` behind the others, without looking whether it is there; they are of one
 * type, and `ids` has room for integers. */
MUST_CHECK enum status_code vocabulary_append(struct vocabulary *ids, const struct vocabulary *from,
                                              size_t index, struct status *status);
/* -1 when unknown, as ids of another type are. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const struct row_id *id);
int32_t vocabulary_find_integer(const struct vocabulary *vocabulary, int64_t id);
int32_t vocabulary_find_text(const struct vocabulary *vocabulary, const char *id, size_t length);
/* The id of a code; a text lives as long as the vocabulary and nothing is added. */
struct row_id vocabulary_id(const struct vocabulary *vocabulary, size_t code);
/* What stands for an id in a random stream: the same whatever other ids there are. */
uint64_t vocabulary_key(const struct vocabulary *vocabulary, size_t code);
uint64_t vocabulary_key_of(const struct row_id *id); /* the same of an id that stands in a row */
/* For a view in which many ids will be looked for; does nothing where there is an index. */
MUST_CHECK enum status_code vocabulary_build_index(struct vocabulary *vocabulary,
                                                   struct status *status);
void vocabulary_drop_index(struct vocabulary *vocabulary);
/* Renumbers codes so that ids ascend (integers by value, texts by bytes): codes then do not depend
 * on the order of rows. new_code (n) maps old codes to new ones. Call before any view is made. */
MUST_CHECK enum status_code vocabulary_sort(struct vocabulary *vocabulary, int32_t *new_code,
                                            struct status *status);
/* map (from->n) = the code in `to` of each id of `from`, or -1. Both are sorted; ids of another
 * type are nowhere. Linear in both. */
void vocabulary_locate(const struct vocabulary *from, const struct vocabulary *to, int32_t *map);
/* < 0, 0 or > 0: id i of `a` in that order before, at or behind id j of `b`. */
int vocabulary_compare(const struct vocabulary *a, size_t i, const struct vocabulary *b, size_t j);
/* Of ids that are TEXT; 0 where they are INTEGER, or none. */
double vocabulary_mean_bytes(const struct vocabulary *vocabulary);
/* For messages and commands: the id as text. */
void vocabulary_format(const struct vocabulary *vocabulary, int32_t code, struct buf *out);

/* Arrays PREFIX.integers, or PREFIX.texts.offsets and PREFIX.texts.bytes. Save moves the arrays
 * into the artifact, leaving a view; load makes a view. */
MUST_CHECK enum status_code vocabulary_save(struct vocabulary *vocabulary,
                                            struct artifact *artifact, const char *prefix,
                                            struct status *status);
MUST_CHECK enum status_code vocabulary_load(struct vocabulary *vocabulary,
                                            const struct artifact *artifact, const char *prefix,
                                            struct status *status);
/* The same ids, without an index; the arrays stay the given one's. */
struct vocabulary vocabulary_view(const struct vocabulary *vocabulary);
void vocabulary_release(struct vocabulary *vocabulary);

#endif
