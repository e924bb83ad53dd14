/* Artifacts: named sets of typed arrays, the only form in which data moves between stages. Kept in
 * memory during a run and in the work database between runs, in chunks of CHUNK_BYTES.
 *
 *     artifact_init(&artifact, "prices");
 *     TRY(artifact_copy(&artifact, "cents", ARRAY_I64, n, 1, cents, status));
 *     TRY(artifact_save(work, "shop/prices", &artifact, status));
 *     artifact_release(&artifact);
 *
 * and in another stage, or another run:
 *
 *     TRY(artifact_load(work, "shop/prices", &artifact, &found, status));
 *     TRY(artifact_get(&artifact, "cents", ARRAY_I64, &cents, &n, NULL, status));
 */
#ifndef NIGHTJAR_STORE_ARTIFACT_H
#define NIGHTJAR_STORE_ARTIFACT_H

#include "base/hash.h"
#include "base/strings.h"
#include "store/db.h"

enum array_type { ARRAY_F32, ARRAY_F64, ARRAY_I32, ARRAY_I64, ARRAY_U8 };

enum { ARRAY_N_TYPES = ARRAY_U8 + 1 };

struct array_type_info {
    const char *name; /* as stored */
    size_t size;      /* bytes an element */
};
extern const struct array_type_info array_types[ARRAY_N_TYPES];

enum { ARTIFACT_NAME_MAX = 64, ARTIFACT_CHUNK_BYTES = 4 << 20 };

/* (rows, columns), row-major, little-endian in the file. */
struct array {
    char name[ARTIFACT_NAME_MAX];
    enum array_type type;
    size_t rows, columns;
    void *data; /* owned by the artifact (mem_free), unless it is lent */
    bool is_lent;
};

size_t array_bytes(const struct array *array);
/* spill_rest for an array of the artifact's own; what is lent may begin anywhere in a block. */
void array_rest(const struct array *array);

/* Zero-initialise. */
struct artifact {
    char name[ARTIFACT_NAME_MAX];
    size_t n_arrays;
    struct array *arrays;
};

/* Starts an empty artifact. */
void artifact_init(struct artifact *artifact, const char *name);
void artifact_release(struct artifact *artifact);

/* Takes over `data` (a mem_new block of rows * columns elements), also when it fails. Array names
 * are unique in an artifact, e.g. "fit.train.offsets". */
MUST_CHECK enum status_code artifact_take(struct artifact *artifact, const char *name,
                                          enum array_type type, size_t rows, size_t columns,
                                          void *data, struct status *status);
/* Copies instead. */
MUST_CHECK enum status_code artifact_copy(struct artifact *artifact, const char *name,
                                          enum array_type type, size_t rows, size_t columns,
                                          const void *data, struct status *status);
/* Neither: the data stay the caller's and outlive the artifact, which only reads them; for what is
 * saved and let go. */
MUST_CHECK enum status_code artifact_lend(struct artifact *artifact, const char *name,
                                          enum array_type type, size_t rows, size_t columns,
                                          const void *data, struct status *status);
/* A number (1 x 1 F64), and a list of texts (two arrays: NAME.offsets, NAME.bytes; copied). */
MUST_CHECK enum status_code artifact_set_number(struct artifact *artifact, const char *name,
                                                double value, struct status *status);
MUST_CHECK enum status_code artifact_set_strings(struct artifact *artifact, const char *name,
                                                 const struct strings *strings,
                                                 struct status *status);
/* The same, after which `strings` is a view over the copy. */
MUST_CHECK enum status_code artifact_move_strings(struct artifact *artifact, const char *name,
                                                  struct strings *strings, struct status *status);

/* "PREFIX.SUFFIX", the name of an array; must be short enough. */
struct artifact_part {
    char text[ARTIFACT_NAME_MAX];
};
struct artifact_part artifact_part(const char *prefix, const char *suffix);

/* NULL when there is none. */
const struct array *artifact_find(const struct artifact *artifact, const char *name);
/* The array's data after checking its type; missing or of another type is STATUS_INTERNAL (the
 * work database is of another version or damaged; the message says to delete it). rows and columns
 * may be NULL. */
MUST_CHECK enum status_code artifact_get(const struct artifact *artifact, const char *name,
                                         enum array_type type, const void **data, size_t *rows,
                                         size_t *columns, struct status *status);
/* STATUS_DATA, for an artifact that does not look as this program writes it: of another version, or
 * damaged. Loaders check what they would else trust: extents, offsets, codes. */
enum status_code artifact_misfit(const struct artifact *artifact, const char *name,
                                 const char *problem, struct status *status);
/* The same of an array that must be (rows, columns); another shape is the same error. */
MUST_CHECK enum status_code artifact_get_sized(const struct artifact *artifact, const char *name,
                                               enum array_type type, size_t rows, size_t columns,
                                               const void **data, struct status *status);
MUST_CHECK enum status_code artifact_get_number(const struct artifact *artifact, const char *name,
                                                double *value, struct status *status);
/* A number that is a count, from 0 to `most`; else artifact_misfit. */
MUST_CHECK enum status_code artifact_get_count(const struct artifact *artifact, const char *name,
                                               size_t most, size_t *count, struct status *status);
/* A view: *strings points into the artifact and is not released. */
MUST_CHECK enum status_code artifact_get_strings(const struct artifact *artifact, const char *name,
                                                 struct strings *strings, struct status *status);

/* 32 hex digits over names, types, shapes and bytes. */
MUST_CHECK enum status_code artifact_hash(const struct artifact *artifact, char out[HASH_TEXT_MAX],
                                          struct status *status);
size_t artifact_bytes(const struct artifact *artifact);
/* What of that is in memory, not in files (base/mem.h). */
size_t artifact_memory(const struct artifact *artifact);

/* "LABEL/NAME": the slot of an output of a stage. */
void artifact_slot_name(const char *label, const char *name, struct buf *out);
/* In the work database, under a slot name (stage label and artifact name, or a checkpoint's). Save
 * replaces what the slot held, in short transactions, the old content staying until the last one;
 * its content hash is stored. Load checks the hash: damage is STATUS_DATA. */
MUST_CHECK enum status_code artifact_save(struct db *work, const char *slot,
                                          const struct artifact *artifact, struct status *status);
/* *found false when the slot is empty; `out` must be zeroed. */
MUST_CHECK enum status_code artifact_load(struct db *work, const char *slot, struct artifact *out,
                                          bool *found, struct status *status);
/* The same without the arrays whose names begin with one of `without` (NULL-terminated), numbers
 * excepted; damage to what is left out goes unseen. Results of earlier versions are loaded whole.
 */
MUST_CHECK enum status_code artifact_load_without(struct db *work, const char *slot,
                                                  const char *const *without, struct artifact *out,
                                                  bool *found, struct status *status);
MUST_CHECK enum status_code artifact_saved_hash(struct db *work, const char *slot,
                                                char out[HASH_TEXT_MAX], bool *found,
                                                struct status *status);
MUST_CHECK enum status_code artifact_delete(struct db *work, const char *slot,
                                            struct status *status);

#endif
