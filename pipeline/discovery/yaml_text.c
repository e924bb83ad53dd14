/* Plain where that is safe, else in double quotes, in which everything can be written. */
#include "discovery/yaml_text.h"

#include "base/utf8.h"
#include "discovery/column_words.h"

#include <string.h>

bool yaml_can_hold(const char *text)
{
    const size_t length = strlen(text);
    return utf8_valid_length(text, length) == length;
}

/* The code point of the UTF-8 sequence at `text`. */
static unsigned code_point(const char *text, size_t length)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned code = (unsigned char)text[0] & first_bits[length];
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | ((unsigned char)text[i] & 0x3fU);
    }
    return code;
}

/* What a YAML file cannot hold as it is, or reads as a line end. */
static bool is_odd(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff;
}

/* Of a value a dollar sign before another or a brace stands for something else. */
static bool is_variable(const char *text)
{
    return text[0] == '$' && (text[1] == '$' || text[1] == '{');
}

static void add_quoted(struct buf *yaml, const char *text, bool is_value)
{
    buf_add_char(yaml, '"');
    while (*text != '\0') {
        const size_t length = utf8_sequence_length(text, strlen(text));
        const unsigned code = code_point(text, length > 0 ? length : 1);
        if (*text == '\n') {
            buf_add_text(yaml, "\\n");
        } else if (is_odd(code)) {
            buf_addf(yaml, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        } else {
            buf_add_text(yaml, *text == '"' || *text == '\\' ? "\\" : "");
            buf_add_text(yaml, is_value && is_variable(text) ? "$" : "");
            buf_add(yaml, text, length > 0 ? length : 1);
        }
        text += length > 0 ? length : 1;
    }
    buf_add_char(yaml, '"');
}

static bool is_plain(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789./-";
    const bool is_letter = (text[0] >= 'a' && text[0] <= 'z') ||
                           (text[0] >= 'A' && text[0] <= 'Z') || text[0] == '/' || text[0] == '_';
    const bool is_word = word_in(text, "true false yes no on off null y n True False Yes No On Off "
                                       "Null TRUE FALSE YES NO ON OFF NULL Y N");
    return is_letter && !is_word && strspn(text, plain) == strlen(text);
}

void yaml_add_value(struct buf *yaml, const char *text)
{
    if (is_plain(text)) {
        buf_add_text(yaml, text);
    } else {
        add_quoted(yaml, text, true);
    }
}

void yaml_add_key(struct buf *yaml, const char *text)
{
    if (is_plain(text)) {
        buf_add_text(yaml, text);
    } else {
        add_quoted(yaml, text, false);
    }
}

/* Whether its lines can stand as they are, indented: the first tells how far. */
static bool is_block(const char *text)
{
    bool block = *text != ' ' && *text != '\n';
    for (size_t length; *text != '\0' && block; text += length) {
        length = utf8_sequence_length(text, strlen(text));
        block = length > 0 && (*text == '\n' || !is_odd(code_point(text, length)));
    }
    return block;
}

void yaml_add_lines(struct buf *yaml, const char *indent, const char *text)
{
    if (!is_block(text)) {
        add_quoted(yaml, text, true);
        buf_add_char(yaml, '\n');
        return;
    }
    buf_addf(yaml, "|\n%s", indent);
    for (; *text != '\0'; text++) {
        buf_add_text(yaml, is_variable(text) ? "$" : "");
        buf_add_char(yaml, *text);
        buf_add_text(yaml, *text == '\n' && text[1] != '\0' ? indent : "");
    }
    buf_add_text(yaml, text[-1] == '\n' ? "" : "\n");
}

/* What a comment cannot hold is replaced. */
static void add_repaired(struct buf *out, const char *text)
{
    for (size_t length; *text != '\0'; text += length) {
        length = utf8_sequence_length(text, strlen(text));
        if (length == 0 || (*text != '\n' && is_odd(code_point(text, length)))) {
            buf_add_text(out, "\xef\xbf\xbd");
            length = length > 0 ? length : 1;
        } else {
            buf_add(out, text, length);
        }
    }
}

void yaml_add_comment(struct buf *yaml, const char *indent, const char *text)
{
    struct buf repaired = {0};
    add_repaired(&repaired, text);
    for (text = buf_text(&repaired); *text != '\0';) {
        size_t column = strlen(indent) + 1;
        buf_addf(yaml, "%s#", indent);
        while (*text != '\0' && *text != '\n') {
            const size_t word = strcspn(text, " \n");
            if (column > strlen(indent) + 1 && column + 1 + word > YAML_COLUMNS) {
                break;
            }
            buf_add_char(yaml, ' ');
            buf_add(yaml, text, word);
            column += word + 1;
            text += word + (text[word] == ' ');
        }
        text += *text == '\n';
        buf_add_char(yaml, '\n');
    }
    yaml->failed = yaml->failed || repaired.failed;
    buf_release(&repaired);
}
