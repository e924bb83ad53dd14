/* A line at a time, as a terminal gives them. */
#include "commands/ask.h"

#include "base/input_file.h"
#include "base/num.h"

#include <strings.h>
#include <unistd.h>

enum { ANSWER_MAX = 80 };

bool ask_is_possible(const struct command_environment *environment)
{
    return environment->err_is_terminal && isatty(STDIN_FILENO) == 1;
}

/* The next line without its blanks at both ends, cut where it is too long. *at_end: there is none.
 */
static enum status_code read_line(const struct command_environment *environment,
                                  char answer[ANSWER_MAX], bool *at_end, struct status *status)
{
    const struct watch watch = {.check_stop = command_check_waiting, .data = &environment};
    size_t length = 0, got = 1;
    char c = '\0';
    enum status_code code;
    fflush(environment->err);
    for (;;) {
        TRY(input_file_read(STDIN_FILENO, "standard input", &watch, &c, 1, &got, status));
        if (got == 0 || c == '\n') {
            break;
        }
        if (length + 1 < ANSWER_MAX && (length > 0 || (c != ' ' && c != '\t'))) {
            answer[length++] = c;
        }
    }
    while (length > 0 && strchr(" \t\r", answer[length - 1]) != NULL) {
        length--;
    }
    answer[length] = '\0';
    *at_end = got == 0;
done:
    return code;
}

enum status_code ask_choice(const struct command_environment *environment, const char *question,
                            const char *const *choices, size_t n, size_t *answer, bool *at_end,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    char text[ANSWER_MAX];
    *at_end = false;
    command_print(environment->err, "%s\n", question);
    for (size_t i = 0; i < n; i++) {
        command_print(environment->err, "  %zu) %s\n", i + 1, choices[i]);
    }
    while (!*at_end) {
        int64_t number = 0;
        fprintf(environment->err, "1 to %zu [%zu]: ", n, *answer + 1);
        TRY(read_line(environment, text, at_end, status));
        if (text[0] == '\0') {
            break;
        }
        if (num_parse_int64(text, strlen(text), &number) && number >= 1 && (size_t)number <= n) {
            *answer = (size_t)number - 1;
            break;
        }
    }
    if (*at_end) {
        fputc('\n', environment->err);
    }
done:
    return code;
}

enum status_code ask_yes(const struct command_environment *environment, const char *question,
                         bool *yes, struct status *status)
{
    char text[ANSWER_MAX];
    bool at_end;
    command_print(environment->err, "%s [y/N]: ", question);
    enum status_code code = read_line(environment, text, &at_end, status);
    *yes = code == STATUS_OK && (strcasecmp(text, "y") == 0 || strcasecmp(text, "yes") == 0);
    return code;
}
