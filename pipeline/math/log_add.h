/* Sums of numbers that are held by their logarithms. */
#ifndef NIGHTJAR_MATH_LOG_ADD_H
#define NIGHTJAR_MATH_LOG_ADD_H

#include <math.h>

/* log(exp(a) + exp(b)); either may be -INFINITY; NAN stays NAN. */
static inline double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    if (isnan(a) || isnan(b)) {
        return a + b;
    }
    return high == -INFINITY ? high : high + log1p(exp(low - high));
}

#endif
