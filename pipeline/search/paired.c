/* Paired differences. */
#include "search/paired.h"

#include <math.h>

bool paired_clearly_better(const double *a, const double *b, size_t n_users)
{
    double sum = 0.0, squares = 0.0, n = 0.0, n_of_a = 0.0;
    for (size_t u = 0; u < n_users; u++) {
        n_of_a += isnan(a[u]) ? 0.0 : 1.0;
        if (!isnan(a[u]) && !isnan(b[u])) {
            double difference = a[u] - b[u];
            sum += difference;
            squares += difference * difference;
            n += 1.0;
        }
    }
    if (n < 2.0) {
        return n > 0.0 ? sum > 0.0 : n_of_a > 0.0;
    }
    double mean = sum / n;
    double variance = fmax(squares / n - mean * mean, 0.0) * n / (n - 1.0);
    return mean > sqrt(variance / n);
}
