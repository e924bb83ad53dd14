/* One line a message, as text or as a JSON object. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const level_prefixes[] = {"debug: ", "", "warning: ", "error: "};
static const char *const level_colors[] = {"\033[2m", "", "\033[33m", "\033[31m"};

/* Control characters would let a table or file name drive the reader's terminal. */
static void add_plain_text(struct buf *line, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        const size_t sequence = utf8_sequence_length(text, left);
        if (*text == '\n' || *text == '\t') {
            buf_add_char(line, ' ');
        } else if (sequence == 0 || utf8_is_control(text, sequence)) {
            buf_add_char(line, '?');
        } else {
            buf_add(line, text, sequence);
        }
        text += sequence > 0 ? sequence : 1;
        left -= sequence > 0 ? sequence : 1;
    }
}

/* Writes one line. Out of memory cuts it short: there is nobody to tell. */
static void write_line(FILE *file, const struct log *log, enum log_level level, const char *text)
{
    const bool is_shown = file == log->stream;
    const bool color = is_shown && log->color && level_colors[level][0] != '\0';
    struct buf line = {0};
    char now[CLOCK_TEXT_MAX];
    clock_format(clock_unix(), now);
    if (log->json) {
        buf_addf(&line, "{\"time\":\"%s\",\"level\":\"%s\",", now, level_names[level]);
        if (log->ranks > 1) {
            buf_addf(&line, "\"rank\":%zu,", log->rank);
        }
        buf_add_text(&line, "\"message\":\"");
        utf8_add_json(&line, text, strlen(text), false);
        buf_add_text(&line, "\"}\n");
    } else {
        if (!is_shown) {
            buf_addf(&line, "%s ", now);
        } else if (log->progress_on_line) {
            buf_add_text(&line, "\r\033[K");
        }
        buf_add_text(&line, color ? level_colors[level] : "");
        buf_add_text(&line,
                     level == LOG_INFO && log->mark != NULL ? log->mark : level_prefixes[level]);
        add_plain_text(&line, text);
        buf_add_text(&line, color ? "\033[0m\n" : "\n");
    }
    (void)fwrite(buf_text(&line), 1, line.length, file);
    (void)fflush(file);
    buf_release(&line);
}

enum { LOG_MESSAGE_MAX = 4096 };

/* What outlives the rows that the message is about. */
static void keep(struct log *log, enum log_level level, const char *text)
{
    char kept[LOG_MESSAGE_MAX];
    struct status ignored = {0}; /* out of memory: there is nobody to tell */
    (void)snprintf(kept, sizeof kept, "%s", text);
    private_hide(kept);
    if (log->file != NULL) {
        write_line(log->file, log, level, kept);
    }
    if (log->warnings != NULL && level == LOG_WARNING) {
        (void)!strings_add(log->warnings, kept, strlen(kept), &ignored);
    }
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    char text[LOG_MESSAGE_MAX];
    va_list arguments;
    if (log == NULL) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (level >= LOG_INFO && level < LOG_SILENT) {
        keep(log, level, text);
    }
    if (log->stream != NULL && level >= log->level && level < LOG_SILENT) {
        private_show(text);
        write_line(log->stream, log, level, text);
        log->progress_on_line = false;
    }
}
