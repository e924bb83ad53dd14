/* nightjar generate: a made-up shop's database. */
#include "commands/command_list.h"

#include "base/clock.h"
#include "base/num.h"
#include "shop/shop_database.h"

#include <string.h>

static const struct command_flag flags[] = {
    {"--kind", "steady|living", false,
     "steady (default), or living: with trends of hours and days, seasons and weekdays, items that "
     "leave (items.left_at), complements after a purchase, and things that are bought again"},
    {"--users", "N", false, "users (default: 2000)"},
    {"--items", "N", false, "items (default: 1500)"},
    {"--events", "N", false, "events: views, carts, purchases (default: 160000)"},
    {"--days", "N", false, "length of the log (default: 90)"},
    {"--until", "DATE", false,
     "the log ends before this day (default: today, "
     "UTC): give the same one to make the same shop on another day"},
    {"--seed", "N", false, "equal seeds, numbers and days give equal shops (default: 1)"},
    {"--text-ids", NULL, false, "ids are TEXT (u1, i1) instead of INTEGER"},
    {"--vectors", "N", false,
     "items have a column image: a vector of N numbers (float32) that tells, with noise, what the "
     "item is like"},
    {"--oracle", "K", false,
     "also write the table oracle: each user's K best items for the last 7 days by the model that "
     "made the shop"},
    {"--oracle-evenings", "N", false,
     "of a living shop the table oracle has lists for the day after each of the last N evenings "
     "(default: 14)"},
    {"--force", NULL, false, "replace the file when it exists"},
    {"--quiet", NULL, false, "no progress bar, no summary"},
    {NULL, NULL, false, NULL}};

static enum status_code read_kind(const struct command_line *line, enum shop_kind *kind,
                                  struct status *status)
{
    const char *text = command_flag_value(line, "--kind");
    if (text == NULL || strcmp(text, "steady") == 0) {
        return STATUS_OK;
    }
    if (strcmp(text, "living") != 0) {
        return status_set(status, STATUS_USAGE, "generate: --kind %s is neither steady nor living",
                          text);
    }
    *kind = SHOP_LIVING;
    return STATUS_OK;
}

/* A midnight of UTC: of the day that is given, say by `date -I`, or the last one, so that the log
 * is as young as one that is read at night. */
static enum status_code read_until(const struct command_line *line, int64_t *until,
                                   struct status *status)
{
    const char *text = command_flag_value(line, "--until");
    int64_t time = clock_unix() / CLOCK_DAY * CLOCK_DAY;
    if (text != NULL &&
        (!num_parse_iso8601(text, strlen(text), &time) || time <= 0 || time % CLOCK_DAY != 0)) {
        return status_set(status, STATUS_USAGE, "generate: --until %s is no day such as 2026-11-23",
                          text);
    }
    *until = time;
    return STATUS_OK;
}

static enum status_code read_options(const struct command_line *line,
                                     struct shop_database_options *options, struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t n_users = 2000;
    int64_t n_items = 1500;
    int64_t n_events = 160000;
    int64_t n_days = 90;
    int64_t seed = 1;
    int64_t oracle_k = 0;
    int64_t vector_numbers = 0;
    int64_t oracle_evenings = 14;

    TRY(command_flag_int64(line, "--users", 1, INT32_MAX, &n_users, status));
    TRY(command_flag_int64(line, "--items", 1, INT32_MAX, &n_items, status));
    TRY(command_flag_int64(line, "--events", 0, INT64_C(1) << 40, &n_events, status));
    TRY(command_flag_int64(line, "--days", 1, SHOP_DAYS_MAX, &n_days, status));
    TRY(command_flag_int64(line, "--seed", 0, INT64_MAX, &seed, status));
    TRY(command_flag_int64(line, "--vectors", 1, 8192, &vector_numbers, status));
    TRY(command_flag_int64(line, "--oracle", 1, 1000000, &oracle_k, status));
    TRY(command_flag_int64(line, "--oracle-evenings", 1, SHOP_DAYS_MAX, &oracle_evenings, status));
    options->shop = (struct shop_options){.n_users = (size_t)n_users,
                                          .n_items = (size_t)n_items,
                                          .n_events = n_events,
                                          .n_days = n_days,
                                          .seed = (uint64_t)seed};
    TRY(read_until(line, &options->shop.until, status));
    TRY(read_kind(line, &options->shop.kind, status));
    options->oracle_evenings = oracle_evenings;
    options->oracle_k = (size_t)oracle_k;
    options->vector_numbers = (size_t)vector_numbers;
    options->text_ids = command_flag_count(line, "--text-ids") > 0;
    options->force = command_flag_count(line, "--force") > 0;
done:
    return code;
}

static enum status_code check_stop(void *data, struct status *status)
{
    const struct command_environment *environment =
        *(const struct command_environment *const *)data;
    return command_check_stop(environment, "generate", "nothing was written", status);
}

static enum status_code run(const struct command_environment *environment,
                            const struct command_line *line, struct status *status)
{
    enum status_code code = STATUS_OK;
    const char *path = line->arguments[0];
    bool is_quiet = command_flag_count(line, "--quiet") > 0;
    struct log log = {.stream = environment->err, .level = LOG_INFO};
    struct progress progress = {.log = &log, .enabled = environment->err_can_draw && !is_quiet};
    struct shop_database_options options = {
        .watch = {.check_stop = check_stop, .data = &environment}};

    TRY(read_options(line, &options, status));
    TRY(shop_database_write(path, &options, &progress, status));
    if (environment->err_is_terminal && !is_quiet) {
        char until[CLOCK_TEXT_MAX];
        clock_format(options.shop.until, until);
        log_write(&log, LOG_INFO, "%zu users, %zu items and %lld events until %.10s written to %s",
                  options.shop.n_users, options.shop.n_items, (long long)options.shop.n_events,
                  until, path);
    }
done:
    return code;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "make up a shop: users, items and events in a new SQLite database",
    .usage = "DATABASE [options]",
    .description =
        "Writes DATABASE with the tables users(user_id, segment, country, created_at), "
        "items(item_id, title, category, price, created_at) and events(event_id, user_id, item_id, "
        "event, created_at), from a model of interests, tastes, popularity, drift and sessions "
        "that pipeline/shop/shop.c describes (with --kind living shop_living.c beside it). Times "
        "are Unix seconds; events come roughly in the "
        "order of time.\n\n"
        "Any number of events takes no more memory than the users and items do. The database is "
        "made under the name DATABASE.partial and moved into place when it is complete; an "
        "existing file is left alone (exit 73) unless --force is given.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run,
};
