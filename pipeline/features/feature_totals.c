/* Each value is counted by one rank, which its hash chooses. */
#include "features/feature_totals.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

static size_t counter_of(const struct ranks *ranks, uint64_t hash)
{
    return ranks_owner(ranks, (size_t)(hash >> 32) % SHARDS);
}

/* ---- how many different ones ---- */

/* Sorts, and leaves one of each; returns how many there are. */
static size_t leave_one(uint64_t *hashes, size_t n)
{
    size_t kept = 0;
    if (n > 1) {
        qsort(hashes, n, sizeof *hashes, num_compare_uint64);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || hashes[kept - 1] != hashes[i]) {
            hashes[kept++] = hashes[i];
        }
    }
    return kept;
}

enum status_code feature_count_distinct(struct ranks *ranks, uint64_t *hashes, size_t n,
                                        size_t *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(ranks);
    struct ranks_bytes mine = {0};
    size_t first[RANKS_MAX + 1] = {0}, at[RANKS_MAX] = {0};
    uint64_t *by_counter = NULL; /* (n) */
    n = leave_one(hashes, n);
    TRY(MEM_NEW(&by_counter, n, status));
    for (size_t i = 0; i < n; i++) {
        first[counter_of(ranks, hashes[i]) + 1] += sizeof *hashes;
    }
    for (size_t r = 0; r < n_ranks; r++) {
        first[r + 1] += first[r];
        at[r] = first[r] / sizeof *hashes;
    }
    for (size_t i = 0; i < n; i++) {
        by_counter[at[counter_of(ranks, hashes[i])]++] = hashes[i];
    }
    TRY(ranks_exchange(ranks, by_counter, first, &mine, status));
    *out = leave_one((void *)mine.data, mine.first[n_ranks] / sizeof *hashes);
    TRY(ranks_sum_count(ranks, out, status));
done:
    mem_free(by_counter);
    ranks_bytes_release(&mine);
    return code;
}

/* ---- values and their counts ---- */

/* A value on its way: this, then its bytes. */
struct record {
    int64_t count, length;
};

static void put_record(char *to, int64_t count, const char *text, size_t length)
{
    const struct record record = {count, (int64_t)length};
    memcpy(to, &record, sizeof record);
    memcpy(to + sizeof record, text, length);
}

/* The record at *at, which moves behind it. */
static struct record next_record(const char *data, size_t *at, const char **text)
{
    struct record record;
    memcpy(&record, data + *at, sizeof record);
    *text = data + *at + sizeof record;
    *at += sizeof record + (size_t)record.length;
    return record;
}

/* To each rank the values that it counts. */
static enum status_code send_values(struct ranks *ranks, const struct vocabulary *values,
                                    const int64_t *counts, struct ranks_bytes *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(ranks);
    size_t first[RANKS_MAX + 1] = {0}, at[RANKS_MAX] = {0}, length;
    char *send = NULL;
    for (size_t i = 0; i < values->n; i++) {
        const char *text = strings_get(&values->texts, i, &length);
        first[counter_of(ranks, hash_bytes64(text, length)) + 1] += sizeof(struct record) + length;
    }
    for (size_t r = 0; r < n_ranks; r++) {
        first[r + 1] += first[r];
        at[r] = first[r];
    }
    TRY(MEM_NEW(&send, first[n_ranks], status));
    for (size_t i = 0; i < values->n; i++) {
        const char *text = strings_get(&values->texts, i, &length);
        const size_t r = counter_of(ranks, hash_bytes64(text, length));
        put_record(send + at[r], counts[i], text, length);
        at[r] += sizeof(struct record) + length;
    }
    TRY(ranks_exchange(ranks, send, first, out, status));
done:
    mem_free(send);
    return code;
}

/* Of what came, the frequent values: records in `out`. */
static enum status_code count_values(const char *data, size_t n_bytes, int64_t min_count,
                                     char **out, size_t *n_out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct vocabulary seen = {0};
    int64_t *totals = NULL;
    const char *text;
    char *made = NULL;
    size_t n = 0, length;
    for (size_t at = 0; at < n_bytes; n++) {
        (void)next_record(data, &at, &text);
    }
    TRY(MEM_NEW(&totals, n, status));
    TRY(MEM_NEW(&made, n_bytes, status));
    for (size_t at = 0; at < n_bytes;) {
        const struct record record = next_record(data, &at, &text);
        int32_t value;
        TRY(vocabulary_add_text(&seen, text, (size_t)record.length, &value, status));
        totals[value] += record.count;
    }
    *n_out = 0;
    for (size_t i = 0; i < seen.n; i++) {
        text = strings_get(&seen.texts, i, &length);
        if (totals[i] >= min_count) {
            put_record(made + *n_out, totals[i], text, length);
            *n_out += sizeof(struct record) + length;
        }
    }
    *out = made;
    made = NULL;
done:
    mem_free(made);
    mem_free(totals);
    vocabulary_release(&seen);
    return code;
}

enum status_code feature_frequent_values(struct ranks *ranks, const struct vocabulary *values,
                                         const int64_t *counts, int64_t min_count,
                                         struct vocabulary *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(ranks);
    struct ranks_bytes bytes = {0};
    char *mine = NULL;
    int32_t *new_code = NULL, ignored;
    size_t n_mine = 0;
    TRY(send_values(ranks, values, counts, &bytes, status));
    TRY(count_values(bytes.data, bytes.first[n_ranks], min_count, &mine, &n_mine, status));
    TRY(ranks_gather(ranks, mine, n_mine, &bytes, status));
    for (size_t at = 0; at < bytes.first[n_ranks];) {
        const char *text;
        const struct record record = next_record(bytes.data, &at, &text);
        TRY(vocabulary_add_text(out, text, (size_t)record.length, &ignored, status));
    }
    TRY(MEM_NEW(&new_code, out->n, status));
    TRY(vocabulary_sort(out, new_code, status));
done:
    mem_free(new_code);
    mem_free(mine);
    ranks_bytes_release(&bytes);
    return code;
}

/* ---- what is told of a column ---- */

struct first_bad {
    int64_t number; /* of the row in the query; INT64_MAX: none */
    char text[sizeof((struct feature_block *)0)->first_bad];
};

enum status_code feature_block_add_up(struct ranks *ranks, struct feature_block *block,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t counts[] = {(int64_t)block->n_missing, (int64_t)block->n_bare, (int64_t)block->n_bad};
    struct first_bad mine = {.number = block->n_bad > 0 ? block->first_bad_number : INT64_MAX};
    struct ranks_bytes all = {0};
    snprintf(mine.text, sizeof mine.text, "%s", block->first_bad);
    TRY(ranks_sum_int64(ranks, counts, sizeof counts / sizeof *counts, status));
    TRY(ranks_gather(ranks, &mine, sizeof mine, &all, status));
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        struct first_bad theirs;
        memcpy(&theirs, all.data + r * sizeof theirs, sizeof theirs);
        mine = theirs.number < mine.number ? theirs : mine;
    }
    block->n_missing = (size_t)counts[0];
    block->n_bare = (size_t)counts[1];
    block->n_bad = (size_t)counts[2];
    snprintf(block->first_bad, sizeof block->first_bad, "%s", mine.text);
done:
    ranks_bytes_release(&all);
    return code;
}
