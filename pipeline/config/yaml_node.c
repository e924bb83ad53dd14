/* What a tree of a pipeline's file is asked for, and how it grows. */
#include "config/yaml_doc.h"

struct doc_node *doc_find(const struct doc_node *node, const char *key, size_t length)
{
    if (node == NULL || node->kind != DOC_MAP) {
        return NULL;
    }
    for (struct doc_node *child = node->first; child != NULL; child = child->next) {
        if (child->key != NULL && child->key_length == length &&
            memcmp(child->key, key, length) == 0) {
            return child;
        }
    }
    return NULL;
}

bool doc_is_null(const struct doc_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != DOC_SCALAR || node->quoted || node->raw) {
        return false;
    }
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        if (strcmp(node->text, nulls[i]) == 0) {
            return true;
        }
    }
    return false;
}

void doc_append(struct doc_node *parent, struct doc_node *child)
{
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->n++;
}

const char *doc_kind_name(const struct doc_node *node)
{
    switch (node->kind) {
    case DOC_LIST:
        return "a list";
    case DOC_MAP:
        return "a map";
    case DOC_SCALAR:
        break;
    }
    return "a single value";
}
