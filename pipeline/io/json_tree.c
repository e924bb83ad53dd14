/* Building, printing and reading JSON through cJSON. `struct json` is cJSON's own value under our
 * name. */
#include "io/json_tree.h"

#include "base/num.h"

#include <cjson/cJSON.h>

static struct json *add(struct json_tree *tree, struct json *parent, const char *name, cJSON *value)
{
    bool added = false;
    if (value != NULL && !tree->failed) {
        if (parent == NULL && tree->root == NULL) {
            tree->root = (struct json *)value;
            added = true;
        } else if (parent != NULL && name != NULL) {
            added = cJSON_AddItemToObject((cJSON *)parent, name, value);
        } else if (parent != NULL) {
            added = cJSON_AddItemToArray((cJSON *)parent, value);
        }
    }
    if (!added) {
        cJSON_Delete(value);
        tree->failed = true;
        return NULL;
    }
    return (struct json *)value;
}

struct json *json_add_object(struct json_tree *tree, struct json *parent, const char *name)
{
    return add(tree, parent, name, cJSON_CreateObject());
}

struct json *json_add_array(struct json_tree *tree, struct json *parent, const char *name)
{
    return add(tree, parent, name, cJSON_CreateArray());
}

struct json *json_add_text(struct json_tree *tree, struct json *parent, const char *name,
                           const char *text)
{
    return add(tree, parent, name, cJSON_CreateString(text));
}

struct json *json_add_number(struct json_tree *tree, struct json *parent, const char *name,
                             double value)
{
    return add(tree, parent, name, cJSON_CreateNumber(value));
}

struct json *json_add_bool(struct json_tree *tree, struct json *parent, const char *name,
                           bool value)
{
    return add(tree, parent, name, cJSON_CreateBool(value));
}

struct json *json_add_raw(struct json_tree *tree, struct json *parent, const char *name,
                          const char *text)
{
    return add(tree, parent, name, cJSON_CreateRaw(text));
}

struct json *json_member(const struct json *object, const char *name)
{
    return (struct json *)cJSON_GetObjectItemCaseSensitive((const cJSON *)object, name);
}

enum status_code json_tree_print(const struct json_tree *tree, bool pretty, struct buf *out,
                                 struct status *status)
{
    char *text = NULL;
    if (!tree->failed && tree->root != NULL) {
        const cJSON *root = (const cJSON *)tree->root;
        text = pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
    }
    if (text == NULL) {
        return status_set(status, STATUS_NO_MEMORY, "out of memory while making JSON");
    }
    buf_add_text(out, text);
    cJSON_free(text);
    return buf_check(out, status);
}

void json_tree_release(struct json_tree *tree)
{
    cJSON_Delete((cJSON *)tree->root);
    *tree = (struct json_tree){0};
}

static enum status_code add_element(const cJSON *element, struct strings *out,
                                    struct status *status)
{
    char number[NUM_TEXT_MAX] = "";
    if (cJSON_IsString(element)) {
        return strings_add(out, element->valuestring, strlen(element->valuestring), status);
    }
    if (cJSON_IsNumber(element)) {
        return strings_add(out, number, num_format_double(element->valuedouble, number), status);
    }
    if (cJSON_IsBool(element)) {
        const char *word = cJSON_IsTrue(element) ? "true" : "false";
        return strings_add(out, word, strlen(word), status);
    }
    return STATUS_OK;
}

enum status_code json_read_texts(const char *text, size_t length, struct strings *out,
                                 bool *is_such, struct status *status)
{
    enum status_code code = STATUS_OK;
    const char *end = NULL;
    cJSON *array = cJSON_ParseWithLengthOpts(text, length, &end, false);
    const cJSON *element = NULL;
    bool is_fine = cJSON_IsArray(array);
    while (is_fine && end < text + length) {
        is_fine = strchr(" \t\r\n", *end) != NULL && *end != '\0';
        end++;
    }
    if (is_fine) {
        cJSON_ArrayForEach(element, array)
        {
            is_fine = is_fine && !cJSON_IsArray(element) && !cJSON_IsObject(element);
        }
    }
    if (is_fine) {
        cJSON_ArrayForEach(element, array)
        {
            TRY(add_element(element, out, status));
        }
    }
    *is_such = is_fine;
done:
    cJSON_Delete(array);
    return code;
}
