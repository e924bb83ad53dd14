/* The progress bar: one terminal line, redrawn in place, shared with the log. */
#include "io/progress.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"

#include <math.h>

#define WIPE "\r\033[K"

enum { BAR_CELLS = 16 };

static const double redraw_seconds = 0.1;
/* Before this much time has gone by, a rate is an accident and the time left a guess. */
static const double settle_seconds = 0.5;

static FILE *stream_of(const struct progress *progress)
{
    return progress->log != NULL && progress->log->stream != NULL ? progress->log->stream : stderr;
}

/* "950", "12.3k", "4.56M": three or four digits at any size. */
static void format_count(double value, char out[NUM_TEXT_MAX])
{
    static const struct {
        double scale;
        const char *suffix;
    } steps[] = {{1e9, "G"}, {1e6, "M"}, {1e4, "k"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (value >= steps[i].scale) {
            double shown = value / (steps[i].scale == 1e4 ? 1e3 : steps[i].scale);
            snprintf(out, NUM_TEXT_MAX, "%.*f%s", shown < 10 ? 2 : 1, shown, steps[i].suffix);
            return;
        }
    }
    bool is_whole = value == floor(value);
    snprintf(out, NUM_TEXT_MAX, "%.*f", is_whole || value >= 100 ? 0 : 1, value);
}

void progress_start(struct progress *progress, const char *label, const char *unit, double total)
{
    if (!progress->enabled) {
        return;
    }
    snprintf(progress->label, sizeof progress->label, "%s", label);
    snprintf(progress->unit, sizeof progress->unit, "%s", unit);
    progress->total = total;
    progress->started = clock_monotonic();
    progress->drawn = progress->started - redraw_seconds;
}

void progress_format(const struct progress *progress, double done, double elapsed, const char *note,
                     char out[PROGRESS_LINE_MAX])
{
    char text[NUM_TEXT_MAX];
    struct buf line = {0};
    buf_addf(&line, "%.20s ", progress->label);
    if (progress->total > 0) {
        double share = fmin(fmax(done / progress->total, 0), 1);
        char bar[BAR_CELLS + 1];
        size_t filled = (size_t)(share * BAR_CELLS);
        memset(bar, '-', BAR_CELLS);
        memset(bar, '#', filled);
        bar[BAR_CELLS] = '\0';
        buf_addf(&line, "[%s] %3d%% ", bar, (int)(share * 100));
    }
    format_count(done, text);
    buf_addf(&line, "%s %s", text, progress->unit);
    double rate = elapsed >= settle_seconds ? done / elapsed : 0;
    if (rate > 0) {
        format_count(rate, text);
        buf_addf(&line, ", %s/s", text);
    }
    if (rate > 0 && progress->total > done) {
        num_format_duration((progress->total - done) / rate, text);
        buf_addf(&line, ", %s left", text);
    }
    if (note != NULL) {
        buf_addf(&line, "  %s", note);
    }
    size_t length = line.length;
    if (length >= PROGRESS_LINE_MAX) { /* whole words only */
        length = PROGRESS_LINE_MAX - 1;
        while (length > 0 && buf_text(&line)[length] != ' ') {
            length--;
        }
        while (length > 0 && strchr(" ,", buf_text(&line)[length - 1]) != NULL) {
            length--;
        }
    }
    snprintf(out, PROGRESS_LINE_MAX, "%.*s", (int)length, buf_text(&line));
    buf_release(&line);
    for (char *at = out; *at != '\0'; at++) { /* a file's name must not drive the terminal */
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    }
}

void progress_update(struct progress *progress, double done, const char *note)
{
    if (!progress->enabled) {
        return;
    }
    double now = clock_monotonic();
    if (now - progress->drawn < redraw_seconds) {
        return;
    }
    char line[PROGRESS_LINE_MAX];
    progress_format(progress, done, now - progress->started, note, line);
    FILE *stream = stream_of(progress);
    fprintf(stream, WIPE "%s", line);
    fflush(stream);
    progress->drawn = now;
    if (progress->log != NULL) {
        progress->log->progress_on_line = true;
    }
}

void progress_finish(struct progress *progress)
{
    /* after a message of the log the line holds no bar: nothing to wipe, no stray escape */
    bool is_drawn = progress->log != NULL ? progress->log->progress_on_line
                                          : progress->drawn >= progress->started;
    if (!progress->enabled || !is_drawn) {
        return;
    }
    FILE *stream = stream_of(progress);
    fputs(WIPE, stream);
    fflush(stream);
    if (progress->log != NULL) {
        progress->log->progress_on_line = false;
    }
}
