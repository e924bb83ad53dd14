/* The words of the made-up shop: categories, nouns, adjectives, countries. */
#ifndef NIGHTJAR_SHOP_SHOP_NAMES_H
#define NIGHTJAR_SHOP_SHOP_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum {
    SHOP_TOPICS = 24,
    SHOP_STYLES = 6,
    SHOP_TOPIC_NOUNS = 6,
    SHOP_STYLE_ADJECTIVES = 8,
    SHOP_FINISHES = 16,
    SHOP_COUNTRIES = 8
};

struct shop_topic {
    const char *category;
    double price; /* the middle of its price range, in whole currency units */
    const char *nouns[SHOP_TOPIC_NOUNS];
};

struct shop_country {
    const char *code;
    double share; /* of the users; shares add up to 1 */
};

extern const struct shop_topic shop_topics[SHOP_TOPICS];
extern const struct shop_country shop_countries[SHOP_COUNTRIES];

/* Title number `ordinal` of a topic and style: the first 768 are plain, later ones are numbered
 * models, so that no two are equal within a topic and style; adjectives belong to one style and
 * nouns to one topic, so no two are equal at all. Cut at capacity. */
void shop_title(size_t topic, size_t style, uint64_t ordinal, char *out, size_t capacity);

#endif
