/* Paired differences. */
#include "search/paired.h"

#include <math.h>

double paired_mean(const double *values, size_t n_users)
{
    double sum = 0.0;
    size_t n = 0;
    for (size_t u = 0; u < n_users; u++) {
        if (!isnan(values[u])) {
            sum += values[u];
            n++;
        }
    }
    return n == 0 ? 0.0 : sum / (double)n;
}

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
    return mean > PAIRED_CLEAR * error;
}

size_t paired_choose(const double *values, size_t n, size_t n_users)
{
    double most = 0.0;
    size_t best = 0;
    for (size_t t = 0; t < n; t++) {
        const double mean = paired_mean(values + t * n_users, n_users);
        best = t == 0 || mean > most ? t : best;
        most = best == t ? mean : most;
    }
    return paired_clearly_better(values + best * n_users, values, n_users) ? best : 0;
}
