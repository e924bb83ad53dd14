/* Lists of flat JSON objects. Numbers are added as text: a JSON library that keeps them as doubles
 * would round large ids. */
#include "io/json_writer.h"

#include "base/num.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>

/* Moves the row that is being filled into the text. */
static void end_row(struct json_list *list)
{
    if (list->n_rows > 0) {
        struct status ignored = {0}; /* it can only be memory, and json_list_print says so */
        buf_add_text(&list->text, list->n_rows > 1 ? ",\n" : "\n");
        if (json_tree_print(&list->row, false, &list->text, &ignored) != STATUS_OK) {
            list->text.failed = true;
        }
        json_tree_release(&list->row);
    }
}

void json_list_row(struct json_list *list)
{
    end_row(list);
    list->n_rows++;
    json_add_object(&list->row, NULL, NULL);
}

void json_list_text(struct json_list *list, const char *name, const char *text, size_t length)
{
    struct buf quoted = {0}; /* by hand: cJSON ends a text at NUL and lets other controls through */
    buf_add_char(&quoted, '"');
    utf8_add_json(&quoted, text, length, false);
    buf_add_char(&quoted, '"');
    list->text.failed = list->text.failed || quoted.failed;
    json_add_raw(&list->row, list->row.root, name, buf_text(&quoted));
    buf_release(&quoted);
}

void json_list_int64(struct json_list *list, const char *name, int64_t value)
{
    char text[NUM_TEXT_MAX];
    snprintf(text, sizeof text, "%" PRId64, value);
    json_add_raw(&list->row, list->row.root, name, text);
}

void json_list_double(struct json_list *list, const char *name, double value)
{
    char text[NUM_TEXT_MAX] = "null";
    if (isfinite(value)) {
        num_format_double(value, text);
    }
    json_add_raw(&list->row, list->row.root, name, text);
}

void json_list_null(struct json_list *list, const char *name)
{
    json_add_raw(&list->row, list->row.root, name, "null");
}

enum status_code json_list_print(struct json_list *list, FILE *out, struct status *status)
{
    end_row(list);
    list->n_rows = 0;
    if (list->text.failed) {
        return status_set(status, STATUS_NO_MEMORY, "out of memory while making JSON");
    }
    fprintf(out, "[%s\n]\n", buf_text(&list->text));
    buf_clear(&list->text);
    return STATUS_OK;
}

void json_list_release(struct json_list *list)
{
    buf_release(&list->text);
    json_tree_release(&list->row);
    *list = (struct json_list){0};
}
