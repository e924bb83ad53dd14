/* What a name of a table or column may mean, by its words: "CustomerID" is customer and id. The
 * lists of words are at the top of column_words.c. */
#ifndef NIGHTJAR_DISCOVERY_COLUMN_WORDS_H
#define NIGHTJAR_DISCOVERY_COLUMN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORDS_MAX = 8, WORD_MAX = 32 };

/* A name in words of small letters, cut where they are longer or more. */
struct words {
    size_t n;
    char text[WORDS_MAX][WORD_MAX];
    size_t noun;   /* what it is about: the last word, but for one such as id; n: there is none */
    bool is_id;    /* such a word follows the noun */
    bool is_label; /* and it is one such as email or name, which may not be unique */
};

void words_split(const char *name, struct words *words);
/* "" where there is none. */
const char *words_noun(const struct words *words);
/* Equal but for the plural: category and categories. */
bool words_same(const char *a, const char *b);
/* Whether one of the words of `list` (by blanks) is the same. */
bool word_in(const char *word, const char *list);

/* How much the name looks like that of a column of ids of whoever acts, and of what is chosen: 0
 * not at all, 3 much. */
int words_user(const struct words *words);
int words_item(const struct words *words);
/* The same of the noun of a table: is it one of people, or of things that people choose? */
bool words_are_people(const struct words *words);
bool words_are_items(const struct words *words);
/* Things that nobody is recommended: branches, tags, addresses. */
bool words_are_no_items(const struct words *words);
/* A thing that stands for an item of another table: a copy, a variant. */
bool words_stand_for_item(const struct words *words);

/* Columns of other roles, 0 to 3. A time's best is when something happened, not when it was changed
 * or is due, which is -1. */
int words_time(const struct words *words);
int words_event(const struct words *words);
int words_rating(const struct words *words);
int words_count(const struct words *words);
bool words_quantity(const struct words *words);
int words_title(const struct words *words);
int words_category(const struct words *words);
/* A property of items, or of users, that says what they may like; nobody's age or name. */
bool words_are_side_data(const struct words *words, bool of_items);
/* Whether a number above 0 says that an item can be had (above 0) or that it cannot (below); the
 * farther from 0, the plainer. 0: no word of it, or more than is understood. */
int words_availability(const struct words *words);

/* What a row of a table so called is: "purchase" of orders, "view" of page_views; "" unknown. */
const char *words_event_name(const struct words *words);
/* Whether an event so called says that somebody does not want an item; or that nobody chose
 * anything by it (it was shown, given back, or is none of an item). */
bool word_is_dislike(const char *event);
bool word_is_no_choice(const char *event);

#endif
