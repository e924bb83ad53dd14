/* Cutting texts into words and lists into their parts. */
#ifndef NIGHTJAR_FEATURES_FEATURE_WORDS_H
#define NIGHTJAR_FEATURES_FEATURE_WORDS_H

#include "base/buf.h"

/* The next word of `text` from *at on, in small letters, into `word` (replaced); *at moves behind
 * it. False when there is none left. A word is a run of letters and digits; whatever is not ASCII
 * counts as a letter, except the spaces and the punctuation of Latin-1, of U+2000..206F and of
 * U+3000..303F. Latin, Greek and Cyrillic capitals become small, other letters stay as they are. A
 * script without spaces gives one word a phrase. Bytes that are not UTF-8 count as letters. Out of
 * memory shows in buf_check(word). */
bool feature_word_next(const char *text, size_t length, size_t *at, struct buf *word);

/* The next part between separators, without blanks at its ends; empty ones are left out.
 * `separator` has at least one byte. */
bool feature_part_next(const char *text, size_t length, const char *separator, size_t *at,
                       const char **part, size_t *part_length);

#endif
