/* A counting sort by column. */
#include "math/by_column.h"

#include <string.h>

/* Runs of 2^bits columns. */
static size_t n_runs_of(const struct sparse *m, unsigned bits)
{
    return (m->n_columns + ((size_t)1 << bits) - 1) >> bits;
}

void by_column_memory(struct by_column *out, const struct sparse *m, unsigned bits,
                      struct workspace *workspace)
{
    size_t entries = sparse_entries(m);
    WORKSPACE_ADD(workspace, &out->first, n_runs_of(m, bits) + 2);
    WORKSPACE_ADD(workspace, &out->row, entries);
    WORKSPACE_ADD(workspace, &out->entry, entries);
}

void by_column_fill(struct by_column *out, const struct sparse *m, unsigned bits)
{
    size_t entries = sparse_entries(m), n_runs = n_runs_of(m, bits);
    int64_t *first = out->first;
    memset(first, 0, (n_runs + 2) * sizeof *first);
    for (size_t e = 0; e < entries; e++) {
        first[((size_t)m->columns[e] >> bits) + 2]++;
    }
    for (size_t c = 0; c < n_runs; c++) {
        first[c + 2] += first[c + 1];
    }
    /* first[c + 1] now moves from the start to the end of run c */
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            int64_t place = first[((size_t)m->columns[e] >> bits) + 1]++;
            out->row[place] = (int32_t)r;
            out->entry[place] = e;
        }
    }
}
