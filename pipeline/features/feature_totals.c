/* Each value is counted by one rank, which its hash chooses. */
#include "features/feature_totals.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "ranks/outbox.h"

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
    struct outbox outbox = {0};
    n = leave_one(hashes, n);
    for (size_t i = 0; i < n; i++) {
        buf_add(&outbox.to[counter_of(ranks, hashes[i])], &hashes[i], sizeof hashes[i]);
    }
    TRY(outbox_deliver(&outbox, ranks, status));
    *out = leave_one((void *)outbox.data, outbox.n / sizeof *hashes);
    TRY(ranks_sum_count(ranks, out, status));
done:
    outbox_release(&outbox);
    return code;
}

/* ---- values and their counts ---- */

/* A value on its way: this, then its bytes. */
struct record {
    int64_t count, length;
};

static void put_record(struct buf *to, int64_t count, const char *text, size_t length)
{
    const struct record record = {count, (int64_t)length};
    buf_add(to, &record, sizeof record);
    buf_add(to, text, length);
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

/* Of what came, the frequent values: records in `out`. */
static enum status_code count_values(const char *data, size_t n_bytes, int64_t min_count,
                                     struct buf *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct vocabulary seen = {0};
    int64_t *totals = NULL;
    const char *text;
    size_t n = 0, length;
    for (size_t at = 0; at < n_bytes; n++) {
        (void)next_record(data, &at, &text);
    }
    TRY(MEM_NEW(&totals, n, status));
    for (size_t at = 0; at < n_bytes;) {
        const struct record record = next_record(data, &at, &text);
        int32_t value;
        TRY(vocabulary_add_text(&seen, text, (size_t)record.length, &value, status));
        totals[value] += record.count;
    }
    for (size_t i = 0; i < seen.n; i++) {
        text = strings_get(&seen.texts, i, &length);
        if (totals[i] >= min_count) {
            put_record(out, totals[i], text, length);
        }
    }
    TRY(buf_check(out, status));
done:
    mem_free(totals);
    vocabulary_release(&seen);
    return code;
}

/* To each rank go the values that it counts; those that are frequent then to all. */
enum status_code feature_frequent_values(struct ranks *ranks, const struct vocabulary *values,
                                         const int64_t *counts, int64_t min_count,
                                         struct vocabulary *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct outbox outbox = {0};
    struct ranks_bytes all = {0};
    struct buf mine = {0};
    int32_t *new_code = NULL, ignored;
    for (size_t i = 0; i < values->n; i++) {
        size_t length;
        const char *text = strings_get(&values->texts, i, &length);
        put_record(&outbox.to[counter_of(ranks, hash_bytes64(text, length))], counts[i], text,
                   length);
    }
    TRY(outbox_deliver(&outbox, ranks, status));
    TRY(count_values(outbox.data, outbox.n, min_count, &mine, status));
    TRY(ranks_gather(ranks, buf_text(&mine), mine.length, &all, status));
    for (size_t at = 0; at < all.first[ranks_n(ranks)];) {
        const char *text;
        const struct record record = next_record(all.data, &at, &text);
        TRY(vocabulary_add_text(out, text, (size_t)record.length, &ignored, status));
    }
    TRY(MEM_NEW(&new_code, out->n, status));
    TRY(vocabulary_sort(out, new_code, status));
done:
    mem_free(new_code);
    buf_release(&mine);
    ranks_bytes_release(&all);
    outbox_release(&outbox);
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
