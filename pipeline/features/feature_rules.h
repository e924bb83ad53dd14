/* What the configuration says of the columns of side data. */
#ifndef NIGHTJAR_FEATURES_FEATURE_RULES_H
#define NIGHTJAR_FEATURES_FEATURE_RULES_H

#include "base/watch.h"
#include "config/option.h"

enum bad_value { BAD_VALUE_REJECT, BAD_VALUE_IMPUTE };

/* What the configuration says of one column; the group struct of the stage's `columns`. */
struct feature_rule {
    bool given;
    int type;              /* enum feature_type */
    const char *separator; /* of a multi column; at least one byte */
    int64_t min_count;     /* entities that a value needs for a token of its own */
    int64_t buckets;       /* tokens shared by hash; 0: 256, for words 16384 */
    int64_t dimension;     /* numbers of a vector; 0: as the first row has */
    int64_t components;    /* of a vector that are kept; 0: all */
};

struct feature_rules {
    struct option_groups columns;     /* name -> struct feature_rule */
    const struct feature_rule *other; /* of columns that are not listed */
    const char *what;                 /* "features.items.columns", for messages */
    enum bad_value on_bad_value;
    const struct watch *watch; /* NULL: nobody is told */
};

#endif
