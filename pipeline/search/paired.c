/* Paired differences. */
#include "search/paired.h"

#include <math.h>

void paired_difference(const double *a, const double *b, size_t n_users, double *mean,
                       double *error)
{
    double sum = 0.0, squares = 0.0, n = 0.0;
    for (size_t u = 0; u < n_users; u++) {
        if (!isnan(a[u]) && !isnan(b[u])) {
            double difference = a[u] - b[u];
            sum += difference;
            squares += difference * difference;
            n += 1.0;
        }
    }
    *mean = n > 0.0 ? sum / n : NAN;
    double variance = fmax(squares / n - *mean * *mean, 0.0) * n / (n - 1.0);
    *error = n < 2.0 ? NAN : sqrt(variance / n);
}

bool paired_clearly_better(const double *a, const double *b, size_t n_users)
{
    double mean, error, n_of_a = 0.0;
    paired_difference(a, b, n_users, &mean, &error);
    for (size_t u = 0; u < n_users; u++) {
        n_of_a += isnan(a[u]) ? 0.0 : 1.0;
    }
    if (isnan(error)) {
        return isnan(mean) ? n_of_a > 0.0 : mean > 0.0;
    }
    return mean > error;
}

size_t paired_choose(const double *values, size_t n, size_t n_users)
{
    double most = 0.0;
    size_t best = 0;
    for (size_t t = 0; t < n; t++) {
        double sum = 0.0, counted = 0.0;
        for (size_t u = 0; u < n_users; u++) {
            const double value = values[t * n_users + u];
            sum += isnan(value) ? 0.0 : value;
            counted += isnan(value) ? 0.0 : 1.0;
        }
        const double mean = counted > 0.0 ? sum / counted : 0.0;
        if (t == 0 || mean > most) {
            most = mean;
            best = t;
        }
    }
    return paired_clearly_better(values + best * n_users, values, n_users) ? best : 0;
}
