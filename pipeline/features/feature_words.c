/* Words and parts of lists. The rules for letters are a few ranges on purpose: tables of all of
 * Unicode would bring little more to hashed words. */
#include "features/feature_words.h"

#include "base/utf8.h"

#include <assert.h>

struct range {
    uint32_t first, last;
};

/* Capitals and the distance to their small letters; with step 2 every other one is a capital. */
struct capitals {
    uint32_t first, last, step, distance;
};

static const struct range separators[] = {{0x80, 0xa9},     {0xab, 0xb4},    {0xb6, 0xb9},
                                          {0xbb, 0xbf},     {0xd7, 0xd7},    {0xf7, 0xf7},
                                          {0x2000, 0x206f}, {0x3000, 0x303f}};

static const struct capitals capitals[] = {
    {0xc0, 0xd6, 1, 32},   {0xd8, 0xde, 1, 32},   {0x100, 0x12e, 2, 1}, {0x132, 0x136, 2, 1},
    {0x139, 0x147, 2, 1},  {0x14a, 0x176, 2, 1},  {0x179, 0x17d, 2, 1}, {0x391, 0x3a1, 1, 32},
    {0x3a3, 0x3a9, 1, 32}, {0x410, 0x42f, 1, 32}, {0x400, 0x40f, 1, 80}};

static bool is_separator(uint32_t point)
{
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        if (point >= separators[i].first && point <= separators[i].last) {
            return true;
        }
    }
    return false;
}

static uint32_t to_small(uint32_t point)
{
    for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++) {
        const struct capitals *c = &capitals[i];
        if (point >= c->first && point <= c->last && (point - c->first) % c->step == 0) {
            return point + c->distance;
        }
    }
    return point;
}

/* Adds the letter at `text` to `word`, small; *is_letter false when it is a separator. Returns the
 * bytes that it takes. */
static size_t take_character(const char *text, size_t left, struct buf *word, bool *is_letter)
{
    const unsigned char *bytes = (const unsigned char *)text;
    const unsigned char c = bytes[0];
    *is_letter = true;
    if (c < 0x80) {
        const bool is_capital = c >= 'A' && c <= 'Z';
        *is_letter = is_capital || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (*is_letter) {
            buf_add_char(word, (char)(is_capital ? c - 'A' + 'a' : c));
        }
        return 1;
    }
    const size_t length = utf8_sequence_length(text, left);
    if (length == 2) {
        const uint32_t point = (uint32_t)(c & 0x1f) << 6 | (bytes[1] & 0x3f);
        *is_letter = !is_separator(point);
        if (*is_letter) {
            const uint32_t small = to_small(point); /* never leaves the two-byte range */
            buf_add_char(word, (char)(0xc0 | small >> 6));
            buf_add_char(word, (char)(0x80 | (small & 0x3f)));
        }
        return 2;
    }
    if (length == 3) {
        *is_letter = !is_separator((uint32_t)(c & 0x0f) << 12 | (uint32_t)(bytes[1] & 0x3f) << 6 |
                                   (bytes[2] & 0x3f));
    }
    if (*is_letter) {
        buf_add(word, text, length == 0 ? 1 : length);
    }
    return length == 0 ? 1 : length;
}

bool feature_word_next(const char *text, size_t length, size_t *at, struct buf *word)
{
    bool is_letter = true;
    buf_clear(word);
    while (*at < length && (is_letter || word->length == 0)) {
        *at += take_character(text + *at, length - *at, word, &is_letter);
    }
    return word->length > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where `separator` stands in text[from, length), or length. */
static size_t find_separator(const char *text, size_t length, size_t from, const char *separator,
                             size_t separator_length)
{
    for (size_t i = from; i + separator_length <= length; i++) {
        if (memcmp(text + i, separator, separator_length) == 0) {
            return i;
        }
    }
    return length;
}

bool feature_part_next(const char *text, size_t length, const char *separator, size_t *at,
                       const char **part, size_t *part_length)
{
    const size_t separator_length = strlen(separator);
    assert(separator_length > 0);
    while (*at < length) {
        size_t first = *at;
        size_t end = find_separator(text, length, first, separator, separator_length);
        *at = end == length ? length : end + separator_length;
        while (first < end && is_blank(text[first])) {
            first++;
        }
        while (end > first && is_blank(text[end - 1])) {
            end--;
        }
        if (end > first) {
            *part = text + first;
            *part_length = end - first;
            return true;
        }
    }
    return false;
}
