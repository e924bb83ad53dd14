/* Names, makes, checks and puts in place the file that a search ends in. */
#include "commands/tuned_file.h"

#include "base/path.h"
#include "tuning/plan_edit.h"
#include "io/whole_file.h"
#include "config/yaml_doc.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark[] = "# Written by `nightjar tune`";

/* Everything up to the last slash, "." without one. */
static void add_folder(struct buf *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        buf_add_char(out, '.');
    } else {
        buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
    }
}

static enum status_code check_folder(const char *config, const char *path, struct status *status)
{
    enum status_code code;
    struct buf ours = {0}, theirs = {0};
    add_folder(&ours, path);
    add_folder(&theirs, config);
    TRY(buf_check(&ours, status));
    TRY(buf_check(&theirs, status));
    if (!path_same_file(buf_text(&ours), buf_text(&theirs))) {
        code = status_set(status, STATUS_USAGE,
                          "tune: --output %s is not in the folder of %s, where the file's relative "
                          "paths start; name a file in %s",
                          path, config, buf_text(&theirs));
    } else if (path_same_file(path, config)) {
        code = status_set(status, STATUS_USAGE,
                          "tune: --output %s is the configuration itself; name another file", path);
    }
done:
    buf_release(&ours);
    buf_release(&theirs);
    return code;
}

/* Only what tune has written may be replaced. */
static enum status_code check_present(const char *path, struct status *status)
{
    char start[sizeof mark] = "";
    struct stat info = {0};
    if (lstat(path, &info) != 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    FILE *file = S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    size_t got = file != NULL ? fread(start, 1, sizeof mark - 1, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (got == sizeof mark - 1 && memcmp(start, mark, got) == 0) {
        return STATUS_OK;
    }
    return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                         "the file exists and was not written by tune; move it away, or name "
                         "another one with --output");
}

enum status_code tuned_file_name(const struct plan *plan, const char *asked, struct buf *out,
                                 struct status *status)
{
    enum status_code code;
    size_t length = strlen(plan->file);
    if (asked != NULL) {
        buf_add_text(out, asked);
    } else {
        if (length > 5 && strcmp(plan->file + length - 5, ".yaml") == 0) {
            length -= 5;
        } else if (length > 4 && strcmp(plan->file + length - 4, ".yml") == 0) {
            length -= 4;
        }
        buf_add(out, plan->file, length);
        buf_add_text(out, ".tuned.yaml");
    }
    TRY(buf_check(out, status));
    TRY(check_folder(plan->file, buf_text(out), status));
    TRY(check_present(buf_text(out), status));
done:
    return code;
}

static enum status_code read_text(const char *path, struct buf *text, struct status *status)
{
    enum status_code code = STATUS_OK;
    char block[4096];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return status_set_at(status, STATUS_NO_INPUT, path, 0, 0, "cannot open: %s",
                             strerror(errno));
    }
    for (;;) {
        size_t got = fread(block, 1, sizeof block, file);
        if (got == 0) {
            break;
        }
        buf_add(text, block, got);
    }
    if (ferror(file)) {
        code = status_set_at(status, STATUS_NO_INPUT, path, 0, 0, "cannot read the file");
    }
    (void)fclose(file);
    return code == STATUS_OK ? buf_check(text, status) : code;
}

static void add_header(const struct tune_request *request, const struct tune_result *result,
                       struct buf *out)
{
    const struct tune_trial *winner = &result->trials[result->winner];
    const struct tune_trial *baseline = &result->trials[result->baseline];
    const char *slash = strrchr(request->plan->file, '/');
    const char *name = slash != NULL ? slash + 1 : request->plan->file;
    char shown[SHOWN_TEXT_MAX];
    buf_addf(out, "%s: %s with\n", mark, shown_text(name, strlen(name), shown));
    for (size_t i = 0; i < winner->n_settings; i++) {
        buf_addf(out, "#   %s\n", winner->settings[i]);
    }
    buf_addf(out, "# %s on the validation part: %.5f before, %.5f now", result->metric,
             baseline->value, winner->value);
    if (baseline->value > 0) {
        buf_addf(out, " (%+.1f %%)", 100 * (winner->value / baseline->value - 1));
    }
    buf_addf(out,
             ", each after %zu epoch%s.\n# Best of %zu trials, drawn with seed %llu. It was chosen "
             "for this very figure: expect\n# somewhat less on other data.\n",
             winner->epochs, winner->epochs == 1 ? "" : "s", result->n_trials,
             (unsigned long long)request->seed);
}

/* A byte order mark stays the first thing of the file. */
static size_t bom_length(const struct buf *text)
{
    return text->length >= 3 && memcmp(buf_text(text), "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static void print_plan(const struct plan *plan, struct buf *out)
{
    option_print(plan_options, &plan->settings, out);
    for (size_t i = 0; i < plan->n_stages; i++) {
        buf_addf(out, "[%s]\n", plan->stages[i].label);
        option_print(plan->stages[i].stage->options, plan->stages[i].options, out);
    }
}

/* What the file says must be what was measured. */
static enum status_code check_text(const struct tune_request *request,
                                   const struct tune_trial *winner, const char *path,
                                   struct status *status)
{
    enum status_code code;
    struct plan *wanted = NULL, *got = NULL;
    struct buf wanted_text = {0}, got_text = {0};
    TRY(plan_load(request->plan->file, request->registry, winner->settings, winner->n_settings,
                  &wanted, status));
    TRY(plan_load(path, request->registry, NULL, 0, &got, status));
    print_plan(wanted, &wanted_text);
    print_plan(got, &got_text);
    TRY(buf_check(&wanted_text, status));
    TRY(buf_check(&got_text, status));
    if (strcmp(buf_text(&wanted_text), buf_text(&got_text)) != 0) {
        code = status_set(status, STATUS_INTERNAL,
                          "tune: the settings could not be written into the text of %s; put them "
                          "in by hand",
                          request->plan->file);
    }
done:
    plan_free(wanted);
    plan_free(got);
    buf_release(&wanted_text);
    buf_release(&got_text);
    return code;
}

enum status_code tuned_file_write(const struct tune_request *request,
                                  const struct tune_result *result, const char *path,
                                  struct status *status)
{
    enum status_code code;
    const struct tune_trial *winner = &result->trials[result->winner];
    struct buf text = {0}, made = {0}, partial = {0};
    bool is_made = false;
    buf_addf(&partial, "%s.partial", path);
    TRY(buf_check(&partial, status));
    TRY(read_text(request->plan->file, &text, status));
    TRY(plan_edit(&text, request->plan->file, winner->settings, winner->n_settings, status));
    buf_add(&made, buf_text(&text), bom_length(&text));
    add_header(request, result, &made);
    buf_add_text(&made, buf_text(&text) + bom_length(&text));
    TRY(buf_check(&made, status));
    is_made = true;
    TRY(whole_file_put(buf_text(&partial), &made, status));
    TRY(check_text(request, winner, buf_text(&partial), status));
    if (rename(buf_text(&partial), path) != 0) {
        code = status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "cannot create: %s",
                             strerror(errno));
        goto done;
    }
    is_made = false;
done:
    if (is_made) {
        (void)unlink(buf_text(&partial));
    }
    buf_release(&text);
    buf_release(&made);
    buf_release(&partial);
    return code;
}
