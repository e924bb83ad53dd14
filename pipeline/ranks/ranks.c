/* Agreement, exchanges and sums over the wire. */
#include "ranks/ranks.h"

#include "base/bfloat16.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ranks/wire.h"

#include <unistd.h>

struct ranks {
    size_t n, mine;
    bool has_failed;       /* everybody knows it */
    struct status failure; /* the first one's */
    struct ranks_traffic traffic;
    struct ranks_bytes scratch; /* of ranks_tree_sum and ranks_tree_scatter */
};

const char *const ranks_floats_names[] = {"float32", "bfloat16", NULL};

/* ---- who is here ---- */

enum status_code ranks_check_number(size_t n, struct status *status)
{
    size_t below = 1;
    while (below * 2 <= n && below < RANKS_MAX) {
        below *= 2;
    }
    if (n == below) {
        return STATUS_OK;
    }
    if (n > RANKS_MAX) {
        return status_set(
            status, STATUS_USAGE,
            "%zu ranks are more than there are shards: at most %d, and a power of two", n,
            RANKS_MAX);
    }
    return status_set(status, STATUS_USAGE,
                      "%zu ranks: their number must be a power of two, so that it changes no "
                      "result; the nearest are %zu and %zu",
                      n, below, below * 2);
}

enum status_code ranks_open(struct ranks **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = NULL;
    size_t n, mine;
    TRY(wire_open(&n, &mine, status));
    if (n > 0) {
        TRY(MEM_NEW(&ranks, 1, status));
        *ranks = (struct ranks){.n = n, .mine = mine};
        TRY(ranks_check_number(n, status));
    }
    *out = ranks;
    ranks = NULL;
done:
    ranks_close(ranks);
    return code;
}

void ranks_close(struct ranks *ranks)
{
    if (ranks != NULL) {
        wire_close();
        ranks_bytes_release(&ranks->scratch);
        mem_free(ranks);
    }
}

const char *ranks_library(void)
{
    return wire_library();
}

size_t ranks_n(const struct ranks *ranks)
{
    return ranks == NULL ? 1 : ranks->n;
}

size_t ranks_mine(const struct ranks *ranks)
{
    return ranks == NULL ? 0 : ranks->mine;
}

bool ranks_is_first(const struct ranks *ranks)
{
    return ranks_mine(ranks) == 0;
}

size_t ranks_owner(const struct ranks *ranks, size_t shard)
{
    return shard * ranks_n(ranks) / SHARDS;
}

size_t ranks_first_shard(const struct ranks *ranks, size_t rank)
{
    return rank * SHARDS / ranks_n(ranks);
}

struct ranks_traffic ranks_traffic(const struct ranks *ranks)
{
    static const struct ranks_traffic none = {0};
    return ranks == NULL ? none : ranks->traffic;
}

void ranks_host(char out[RANKS_HOST_MAX])
{
    memset(out, 0, RANKS_HOST_MAX);
    if (gethostname(out, RANKS_HOST_MAX - 1) != 0) {
        out[0] = '\0';
    }
}

enum status_code ranks_sum_up(struct ranks *ranks, struct ranks_summary *out, struct status *status)
{
    struct {
        struct ranks_traffic traffic;
        char host[RANKS_HOST_MAX];
    } mine = {.traffic = ranks_traffic(ranks)}, *all;
    struct ranks_bytes gathered = {0};
    const size_t n = ranks_n(ranks);
    enum status_code code;
    ranks_host(mine.host);
    TRY(ranks_gather(ranks, &mine, sizeof mine, &gathered, status));
    all = (void *)gathered.data;
    *out = (struct ranks_summary){0};
    for (size_t r = 0; r < n; r++) {
        out->bytes += all[r].traffic.bytes;
        out->slowest = all[r].traffic.waited < all[out->slowest].traffic.waited ? r : out->slowest;
    }
    memcpy(out->host, all[out->slowest].host, sizeof out->host);
    for (size_t r = 0; r < n && n > 1; r++) {
        out->waited += (all[r].traffic.waited - all[out->slowest].traffic.waited) / (double)(n - 1);
    }
done:
    ranks_bytes_release(&gathered);
    return code;
}

/* ---- agreement ---- */

static bool is_alone(const struct ranks *ranks)
{
    return ranks == NULL || ranks->n == 1;
}

static enum status_code failed(const struct ranks *ranks, struct status *status)
{
    if (status->code == STATUS_OK) {
        *status = ranks->failure;
    }
    return status->code;
}

/* `mine`: what this rank has to say; NULL: it is well. */
static enum status_code agree(struct ranks *ranks, const struct status *mine, struct status *status)
{
    const double started = clock_monotonic();
    const int64_t first = wire_min(mine == NULL ? (int64_t)ranks->n : (int64_t)ranks->mine);
    ranks->traffic.waited += clock_monotonic() - started;
    ranks->traffic.calls++;
    if (first == (int64_t)ranks->n) {
        return STATUS_OK;
    }
    ranks->has_failed = true;
    int64_t failed_now = mine != NULL;
    wire_sum(&failed_now, 1);
    if (first == (int64_t)ranks->mine) {
        ranks->failure = *mine;
        /* what all say is of no one machine, nor is a verdict that the first rank gives for all */
        if (failed_now < (int64_t)ranks->n && mine->code != STATUS_REFUSED) {
            char host[RANKS_HOST_MAX];
            ranks_host(host);
            status_add_context(&ranks->failure, "rank %zu on %s", ranks->mine, host);
        }
    }
    wire_share(&ranks->failure, sizeof ranks->failure, (size_t)first);
    return failed(ranks, status);
}

enum status_code ranks_agree(struct ranks *ranks, struct status *status)
{
    if (is_alone(ranks)) {
        return STATUS_OK;
    }
    return ranks->has_failed ? failed(ranks, status) : agree(ranks, NULL, status);
}

enum status_code ranks_leave(struct ranks *ranks, struct status *status)
{
    if (!is_alone(ranks) && !ranks->has_failed && status->code != STATUS_OK) {
        struct status first = {0};
        (void)agree(ranks, status, &first);
        *status = first; /* several may fail at once: all of them say the same */
    }
    return status->code;
}

enum status_code ranks_settle(struct ranks *ranks, enum status_code code, struct status *status)
{
    return code == STATUS_OK ? ranks_agree(ranks, status) : ranks_leave(ranks, status);
}

void ranks_go_on(struct ranks *ranks)
{
    if (ranks != NULL) {
        ranks->has_failed = false;
    }
}

/* ---- exchanges ---- */

void ranks_bytes_release(struct ranks_bytes *bytes)
{
    mem_free(bytes->data);
    *bytes = (struct ranks_bytes){0};
}

enum status_code ranks_bytes_reserve(struct ranks_bytes *bytes, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (n > bytes->capacity || bytes->data == NULL) {
        mem_free(bytes->data);
        bytes->data = NULL;
        bytes->capacity = 0;
        TRY(MEM_NEW(&bytes->data, n, status));
        bytes->capacity = n;
    }
done:
    return code;
}

static enum status_code copy_alone(const void *mine, size_t n, struct ranks_bytes *out,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(ranks_bytes_reserve(out, n, status));
    if (n > 0) {
        memcpy(out->data, mine, n);
    }
    out->first[0] = 0;
    out->first[1] = n;
done:
    return code;
}

enum status_code ranks_share(struct ranks *ranks, void *data, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (is_alone(ranks)) {
        goto done;
    }
    TRY(ranks_agree(ranks, status));
    wire_share(data, n, 0);
    if (ranks->mine == 0) {
        ranks->traffic.bytes += (int64_t)(n * (ranks->n - 1));
    }
done:
    return code;
}

/* What to[] bytes each rank will send is told to the others first; then room is made, which may
 * fail, and only when all have room are the bytes sent. */
static enum status_code send_all(struct ranks *ranks, const void *send, const size_t from[],
                                 struct ranks_bytes *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t counts[RANKS_MAX], theirs[RANKS_MAX];
    size_t eight[RANKS_MAX + 1];
    const size_t n = ranks->n;
    double started;
    for (size_t r = 0; r <= n; r++) {
        eight[r] = r * sizeof *counts;
    }
    for (size_t r = 0; r < n; r++) {
        counts[r] = (int64_t)(from[r + 1] - from[r]);
        ranks->traffic.bytes += r == ranks->mine ? 0 : counts[r];
    }
    TRY(ranks_agree(ranks, status));
    wire_all(counts, eight, theirs, eight);
    out->first[0] = 0;
    for (size_t r = 0; r < n; r++) {
        out->first[r + 1] = out->first[r] + (size_t)theirs[r];
    }
    code = ranks_bytes_reserve(out, out->first[n], status);
    TRY(ranks_settle(ranks, code, status));
    started = clock_monotonic();
    wire_all(send, from, out->data, out->first);
    ranks->traffic.waited += clock_monotonic() - started;
done:
    return code;
}

enum status_code ranks_exchange(struct ranks *ranks, const void *send, const size_t first[],
                                struct ranks_bytes *out, struct status *status)
{
    if (is_alone(ranks)) {
        return copy_alone(send, first[1], out, status);
    }
    return send_all(ranks, send, first, out, status);
}

enum status_code ranks_gather(struct ranks *ranks, const void *mine, size_t n,
                              struct ranks_bytes *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t counts[RANKS_MAX] = {0};
    if (is_alone(ranks)) {
        TRY(copy_alone(mine, n, out, status));
        goto done;
    }
    counts[ranks->mine] = (int64_t)n;
    TRY(ranks_sum_int64(ranks, counts, ranks->n, status));
    out->first[0] = 0;
    for (size_t r = 0; r < ranks->n; r++) {
        out->first[r + 1] = out->first[r] + (size_t)counts[r];
    }
    code = ranks_bytes_reserve(out, out->first[ranks->n], status);
    TRY(ranks_settle(ranks, code, status));
    if (n > 0) {
        memcpy(out->data + out->first[ranks->mine], mine, n);
    }
    for (size_t r = 0; r < ranks->n; r++) {
        wire_share(out->data + out->first[r], (size_t)counts[r], r);
    }
    ranks->traffic.bytes += (int64_t)(n * (ranks->n - 1));
done:
    return code;
}

enum status_code ranks_beside(struct ranks *ranks, uint64_t which, size_t *n, struct status *status)
{
    struct place {
        uint64_t which;
        char host[RANKS_HOST_MAX];
    } mine = {.which = which};
    struct ranks_bytes all = {0};
    enum status_code code;
    ranks_host(mine.host);
    TRY(ranks_gather(ranks, &mine, sizeof mine, &all, status));
    *n = 0;
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        *n += memcmp(all.data + all.first[r], &mine, sizeof mine) == 0;
    }
done:
    ranks_bytes_release(&all);
    return code;
}

enum status_code ranks_collect(struct ranks *ranks, const void *mine, size_t n,
                               struct ranks_bytes *out, struct status *status)
{
    size_t from[RANKS_MAX + 1] = {0};
    if (is_alone(ranks)) {
        return copy_alone(mine, n, out, status);
    }
    for (size_t r = 1; r <= ranks->n; r++) {
        from[r] = n; /* all of it to rank 0 */
    }
    return send_all(ranks, mine, from, out, status);
}

/* ---- sums ---- */

static enum status_code reduce(struct ranks *ranks, void (*wire)(int64_t *, size_t),
                               int64_t *values, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    double started;
    if (is_alone(ranks)) {
        goto done;
    }
    TRY(ranks_agree(ranks, status));
    started = clock_monotonic();
    wire(values, n);
    ranks->traffic.waited += clock_monotonic() - started;
    ranks->traffic.bytes += (int64_t)(n * sizeof *values);
done:
    return code;
}

enum status_code ranks_sum_int64(struct ranks *ranks, int64_t *values, size_t n,
                                 struct status *status)
{
    return reduce(ranks, wire_sum, values, n, status);
}

enum status_code ranks_max_int64(struct ranks *ranks, int64_t *values, size_t n,
                                 struct status *status)
{
    return reduce(ranks, wire_max, values, n, status);
}

/* Neighbours first, then pairs of neighbours: the upper part of the tree of the shards. Both sides
 * of a pair add the same two numbers, and a + b = b + a. */
enum status_code ranks_tree_sum(struct ranks *ranks, double *values, size_t n,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    if (is_alone(ranks)) {
        goto done;
    }
    code = ranks_bytes_reserve(&ranks->scratch, n * sizeof *values, status);
    TRY(ranks_settle(ranks, code, status));
    for (size_t bit = 1; bit < ranks->n; bit *= 2) {
        double *theirs = (void *)ranks->scratch.data;
        wire_swap(ranks->mine ^ bit, values, n * sizeof *values, theirs, n * sizeof *values);
        for (size_t i = 0; i < n; i++) {
            values[i] += theirs[i];
        }
        ranks->traffic.bytes += (int64_t)(n * sizeof *values);
    }
done:
    return code;
}

void ranks_floats_pack(enum ranks_floats floats, const float *from, void *to, size_t n)
{
    if (floats == RANKS_BFLOAT16) {
        bfloat16_pack(from, to, n);
    } else if (n > 0) {
        memcpy(to, from, n * sizeof *from);
    }
}

void ranks_floats_unpack(enum ranks_floats floats, const void *from, float *to, size_t n)
{
    if (floats == RANKS_BFLOAT16) {
        bfloat16_unpack(from, to, n);
    } else if (n > 0) {
        memcpy(to, from, n * sizeof *to);
    }
}

/* Adds what came; where it was rounded, so is what it is added to. */
static void add_received(enum ranks_floats floats, const char *received, float *values, size_t n)
{
    if (floats == RANKS_BFLOAT16) {
        const uint16_t *theirs = (const void *)received;
        for (size_t i = 0; i < n; i++) {
            values[i] = bfloat16_round(values[i]) + bfloat16_value(theirs[i]);
        }
    } else {
        const float *theirs = (const void *)received;
        for (size_t i = 0; i < n; i++) {
            values[i] += theirs[i];
        }
    }
}

/* Recursive halving along the same tree: of the rows that a rank still holds sums for, those of
 * ranks that differ from it in `bit` go to its partner, and the partner's for it are added. What it
 * holds are the ranks that agree with it in all smaller bits. */
enum status_code ranks_tree_scatter(struct ranks *ranks, float *values, const size_t first[],
                                    size_t width, enum ranks_floats floats, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (is_alone(ranks)) {
        goto done;
    }
    const size_t size = ranks_float_size(floats), half = first[ranks->n] * width * size;
    code = ranks_bytes_reserve(&ranks->scratch, 2 * half, status);
    TRY(ranks_settle(ranks, code, status));
    char *const away = ranks->scratch.data;
    for (size_t bit = 1; bit < ranks->n; bit *= 2) {
        const size_t below = ranks->mine & (bit - 1);
        char *theirs = away + half;
        size_t n_away = 0, n_theirs = 0;
        for (size_t r = below; r < ranks->n; r += bit) {
            const size_t n = (first[r + 1] - first[r]) * width;
            if ((r & bit) != (ranks->mine & bit)) {
                ranks_floats_pack(floats, values + first[r] * width, away + n_away * size, n);
                n_away += n;
            } else {
                n_theirs += n;
            }
        }
        const double started = clock_monotonic();
        wire_swap(ranks->mine ^ bit, away, n_away * size, theirs, n_theirs * size);
        ranks->traffic.waited += clock_monotonic() - started;
        ranks->traffic.bytes += (int64_t)(n_away * size);
        for (size_t r = below + (ranks->mine & bit); r < ranks->n; r += 2 * bit) {
            const size_t n = (first[r + 1] - first[r]) * width;
            add_received(floats, theirs, values + first[r] * width, n);
            theirs += n * size;
        }
    }
done:
    return code;
}
