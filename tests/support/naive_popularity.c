/* One sum in the order of entries. */
#include "tests/support/naive_popularity.h"

#include <math.h>
#include <string.h>

void naive_popularity(const struct history *history, double half_life_days, double *popularity)
{
    const struct sparse *m = &history->matrix;
    const size_t n = sparse_entries(m);
    const bool decays = half_life_days > 0 && history->times != NULL;
    const int64_t newest = decays ? history_newest(history) : INT64_MIN;
    memset(popularity, 0, m->n_columns * sizeof *popularity);
    for (size_t e = 0; e < n; e++) {
        const double days = decays ? (double)(newest - history->times[e]) / 86400.0 : 0;
        popularity[m->columns[e]] += decays ? exp2(-days / half_life_days) : 1.0;
    }
}
