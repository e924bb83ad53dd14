/* UTF-8 checks, fast for text that is mostly ASCII. */
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The ranges of the second byte are those of table 3-7 of the Unicode standard. */
size_t utf8_sequence_length(const char *start, size_t left)
{
    const unsigned char *text = (const unsigned char *)start;
    unsigned char first = text[0];
    unsigned char low = 0x80, high = 0xbf;
    size_t length;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (length > left || text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t utf8_valid_length(const char *text, size_t length)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t at = 0;
    while (at < length) {
        uint64_t word;
        while (length - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if ((word & high_bits) != 0) {
                break;
            }
            at += sizeof word;
        }
        if (at == length) {
            break;
        }
        size_t sequence = utf8_sequence_length(text + at, length - at);
        if (sequence == 0) {
            return at;
        }
        at += sequence;
    }
    return length;
}

const char *utf8_other_encoding(const char *text, size_t length)
{
    if (length >= 4 &&
        (memcmp(text, "\xff\xfe\0\0", 4) == 0 || memcmp(text, "\0\0\xfe\xff", 4) == 0)) {
        return "UTF-32";
    }
    return length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)
               ? "UTF-16"
               : NULL;
}

bool utf8_is_control(const char *text, size_t length)
{
    const unsigned char first = (unsigned char)text[0], second = (unsigned char)text[length - 1];
    return first < 0x20 || first == 0x7f || (length == 2 && first == 0xc2 && second < 0xa0);
}

void utf8_add_repaired(struct buf *out, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *here = text + at;
        const size_t sequence = utf8_sequence_length(here, length - at);
        if (sequence == 0 || (utf8_is_control(here, sequence) && *here != '\t' && *here != '\n')) {
            buf_add_text(out, REPLACEMENT);
        } else {
            buf_add(out, here, sequence);
        }
        at += sequence > 0 ? sequence : 1;
    }
}

void utf8_add_json(struct buf *out, const char *text, size_t length, bool is_document)
{
    for (size_t at = 0; at < length;) {
        const char *here = text + at;
        const size_t sequence = utf8_sequence_length(here, length - at);
        if (sequence == 0) {
            buf_add_text(out, "\\ufffd");
        } else if (utf8_is_control(here, sequence) && !(is_document && *here == '\n')) {
            buf_addf(out, "\\u%04x", (unsigned)(unsigned char)here[sequence - 1]);
        } else {
            buf_add_text(out, !is_document && (*here == '"' || *here == '\\') ? "\\" : "");
            buf_add(out, here, sequence);
        }
        at += sequence > 0 ? sequence : 1;
    }
}
