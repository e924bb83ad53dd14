/* The processes that carry out one plan together: the ranks of an MPI program, or this process
 * alone. The only door to MPI: ranks_mpi.c is behind it in a build with MPI=1, ranks_one.c in any
 * other. `ranks` NULL is one rank wherever it is taken, and costs nothing.
 *
 * Every rank runs the same program on the same plan and makes the same calls of the functions
 * below, in the same order. Each call begins with an agreement: a rank that has failed since the
 * last one makes ranks_leave in place of its next call, and all others get its status from theirs,
 * which says where it was unless all failed at once or one refused for all (STATUS_REFUSED).
 * So an error anywhere ends every rank the same way, and cleaning up needs nobody's help: after a
 * failure every call returns it at once. Called by the main thread alone.
 *
 *     struct ranks *ranks = NULL;
 *     TRY(ranks_open(&ranks, status));
 *     ... code = the work ...
 *     if (code != STATUS_OK) { code = ranks_leave(ranks, status); }
 *     ranks_close(ranks);
 *
 * What is whose: entities are cut into SHARDS shards (shards.h), of which rank r of n has
 * [r * SHARDS / n, (r + 1) * SHARDS / n). n is a power of two. Floats are summed over one binary
 * tree of the shards, so the number of ranks changes no result: no rank ever adds what it gets in
 * the order in which it comes. */
#ifndef NIGHTJAR_RANKS_RANKS_H
#define NIGHTJAR_RANKS_RANKS_H

#include "base/status.h"

enum { SHARDS = 64, RANKS_MAX = SHARDS };

struct ranks;

/* As what floats are sent. */
enum ranks_floats { RANKS_FLOAT32, RANKS_BFLOAT16 };
extern const char *const ranks_floats_names[]; /* NULL-terminated, in enum order */
static inline size_t ranks_float_size(enum ranks_floats floats)
{
    return floats == RANKS_BFLOAT16 ? sizeof(uint16_t) : sizeof(float);
}
/* n floats to what is sent, which may lie anywhere, and from it. */
void ranks_floats_pack(enum ranks_floats floats, const float *from, void *to, size_t n);
void ranks_floats_unpack(enum ranks_floats floats, const void *from, float *to, size_t n);

/* Joins the ranks that a launcher has started; NULL when there is none. Errors: STATUS_USAGE for a
 * number of ranks that is not a power of two up to RANKS_MAX, for a launcher that another MPI than
 * ours belongs to, for several processes of a build without MPI. */
MUST_CHECK enum status_code ranks_open(struct ranks **out, struct status *status);
/* STATUS_USAGE when n is no number of ranks; it names the two nearest that are. */
MUST_CHECK enum status_code ranks_check_number(size_t n, struct status *status);
/* Waits for the others; NULL allowed. */
void ranks_close(struct ranks *ranks);
/* What the library is called: "Open MPI 4.1.4"; "none" in a build without. */
const char *ranks_library(void);

size_t ranks_n(const struct ranks *ranks);
size_t ranks_mine(const struct ranks *ranks); /* [0, n) */
bool ranks_is_first(const struct ranks *ranks);
/* Whose shard it is. */
size_t ranks_owner(const struct ranks *ranks, size_t shard);
/* Shards of rank r: [ranks_first_shard(r), ranks_first_shard(r + 1)). */
size_t ranks_first_shard(const struct ranks *ranks, size_t rank);

/* The machine's name, for messages. */
enum { RANKS_HOST_MAX = 64 };
void ranks_host(char out[RANKS_HOST_MAX]);

/* What this rank has sent to others, and seconds that it has waited for them, so far. */
struct ranks_traffic {
    int64_t bytes, calls;
    double waited;
};
struct ranks_traffic ranks_traffic(const struct ranks *ranks);

/* The same of all: the bytes together; the rank that waited least, whom the others wait for, and
 * how long they did so on average beyond it. */
struct ranks_summary {
    int64_t bytes;
    size_t slowest;
    char host[RANKS_HOST_MAX];
    double waited;
};
MUST_CHECK enum status_code ranks_sum_up(struct ranks *ranks, struct ranks_summary *out,
                                         struct status *status);

/* ---- agreement ---- */

/* All ranks are here and well; STATUS_OK or the status of the first that is not. */
MUST_CHECK enum status_code ranks_agree(struct ranks *ranks, struct status *status);
/* Tells the others that this rank ends with `status`; returns its code. Does nothing where the
 * failure is another rank's already. */
enum status_code ranks_leave(struct ranks *ranks, struct status *status);
/* Whichever of the two `code`, this rank's own, asks for: all go on, or none. */
MUST_CHECK enum status_code ranks_settle(struct ranks *ranks, enum status_code code,
                                         struct status *status);
/* After a failure that all ranks have heard of and that none of them ends for. */
void ranks_go_on(struct ranks *ranks);

/* ---- exchanges ---- */

/* Bytes by rank: those of rank r are data[first[r]] to data[first[r + 1]]. Zero-initialise; used
 * again from call to call, and then what stood there is overwritten. */
struct ranks_bytes {
    char *data;
    size_t capacity;
    size_t first[RANKS_MAX + 1];
};
void ranks_bytes_release(struct ranks_bytes *bytes);
/* Room for n bytes; what stood there is gone where it was too small. */
MUST_CHECK enum status_code ranks_bytes_reserve(struct ranks_bytes *bytes, size_t n,
                                                struct status *status);

/* data (n bytes) of rank 0 to all. */
MUST_CHECK enum status_code ranks_share(struct ranks *ranks, void *data, size_t n,
                                        struct status *status);
/* `mine` (n bytes) of every rank to all, in the order of ranks. */
MUST_CHECK enum status_code ranks_gather(struct ranks *ranks, const void *mine, size_t n,
                                         struct ranks_bytes *out, struct status *status);
/* *n ranks on this machine, this one among them, that may use the same cores: those who give the
 * same `which` (pool_cores). */
MUST_CHECK enum status_code ranks_beside(struct ranks *ranks, uint64_t which, size_t *n,
                                         struct status *status);
/* The same to rank 0 alone; to the others nothing. */
MUST_CHECK enum status_code ranks_collect(struct ranks *ranks, const void *mine, size_t n,
                                          struct ranks_bytes *out, struct status *status);
/* To rank r the bytes [first[r], first[r + 1]) of `send`; out: from every rank what it had for this
 * one. */
MUST_CHECK enum status_code ranks_exchange(struct ranks *ranks, const void *send,
                                           const size_t first[], struct ranks_bytes *out,
                                           struct status *status);

/* ---- sums ---- */

/* In place, over all ranks; integers, so exact. */
MUST_CHECK enum status_code ranks_sum_int64(struct ranks *ranks, int64_t *values, size_t n,
                                            struct status *status);
MUST_CHECK enum status_code ranks_max_int64(struct ranks *ranks, int64_t *values, size_t n,
                                            struct status *status);
/* The same of one number: a count; whether any rank says so; and the greatest of doubles, none of
 * them NAN. */
MUST_CHECK enum status_code ranks_sum_count(struct ranks *ranks, size_t *n, struct status *status);
MUST_CHECK enum status_code ranks_any(struct ranks *ranks, bool *any, struct status *status);
MUST_CHECK enum status_code ranks_max_double(struct ranks *ranks, double *value,
                                             struct status *status);
/* In place: values (n) are the sum over this rank's shards, taken along the tree; afterwards that
 * over all, on every rank. */
MUST_CHECK enum status_code ranks_tree_sum(struct ranks *ranks, double *values, size_t n,
                                           struct status *status);
/* The same of floats, of which each rank gets its own rows: of values (first[n], width) rank r's
 * are the rows [first[r], first[r + 1]); afterwards they hold the sum, the others nothing of use.
 * As bfloat16 both sides of every sum are rounded, the sum of all is not. */
MUST_CHECK enum status_code ranks_tree_scatter(struct ranks *ranks, float *values,
                                               const size_t first[], size_t width,
                                               enum ranks_floats floats, struct status *status);

#endif
