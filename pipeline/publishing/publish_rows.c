/* The content of a generation as rows in key order: the same rows are inserted, counted and
 * checksummed. Leaves the database to publish_build.c. */
#include "publishing/publish_parts.h"

const char *const publish_source_names[PUBLISH_N_SOURCES] = {[PUBLISH_MODEL] = "model",
                                                             [PUBLISH_COLD] = "cold",
                                                             [PUBLISH_POPULAR] = "popular",
                                                             [PUBLISH_RELAXED] = "relaxed"};

/* "user" and "item" hold the id itself, so that the view over the table has no join and SQLite puts
 * it into any query as if it were the table. "because", "similar" and the item of a reason, by
 * which nobody searches, hold the INTEGER id or the code of a TEXT id in `items`: the view looks
 * that up row by row. Narrow rows live in the key's B-tree; rows with BLOBs in one by rowid. */
const struct publish_table_info publish_tables[N_TABLES] = {
    [TABLE_USERS] = {"users", NULL, 2, "code", "code", 1, true, NULL, NULL, NULL},
    [TABLE_ITEMS] = {"items", "(code INTEGER PRIMARY KEY, id TEXT NOT NULL)", 2, "code", "code", 1,
                     false, NULL, NULL, NULL},
    [TABLE_RECOMMENDATIONS] = {"recommendations",
                               "(\"user\" $user NOT NULL, rank INTEGER NOT NULL,"
                               " item $item NOT NULL, score REAL NOT NULL,"
                               " source INTEGER NOT NULL, PRIMARY KEY (\"user\", rank))"
                               " WITHOUT ROWID",
                               5, "\"user\"", "\"user\", rank", 2, true, NULL,
                               "recommendations_item", "item"},
    [TABLE_REASONS] = {"recommendation_reasons",
                       "(\"user\" $user NOT NULL, rank INTEGER NOT NULL,"
                       " place INTEGER NOT NULL, item INTEGER NOT NULL,"
                       " because INTEGER NOT NULL, contribution REAL NOT NULL,"
                       " PRIMARY KEY (\"user\", rank, place)) WITHOUT ROWID",
                       6, "\"user\"", "\"user\", rank, place", 3, true, NULL, NULL, NULL},
    [TABLE_PARTS] = {"recommendation_parts",
                     "(\"user\" $user NOT NULL, rank INTEGER NOT NULL,"
                     " place INTEGER NOT NULL, part TEXT NOT NULL,"
                     " value REAL NOT NULL, weight REAL NOT NULL,"
                     " PRIMARY KEY (\"user\", rank, place)) WITHOUT ROWID",
                     6, "\"user\"", "\"user\", rank, place", 3, true, NULL, NULL, NULL},
    [TABLE_POPULAR_ITEMS] = {"popular_items",
                             "(rank INTEGER PRIMARY KEY, item $item NOT NULL,"
                             " score REAL NOT NULL)",
                             3, "rank", "rank", 1, false, NULL, NULL, NULL},
    [TABLE_SEGMENT_POPULAR] = {"segment_popular_items",
                               "(segment TEXT NOT NULL, rank INTEGER NOT NULL,"
                               " item $item NOT NULL, score REAL NOT NULL,"
                               " PRIMARY KEY (segment, rank)) WITHOUT ROWID",
                               4, "segment", "segment, rank", 2, false, NULL, NULL, NULL},
    [TABLE_SIMILAR_ITEMS] = {"similar_items",
                             "(item $item NOT NULL, rank INTEGER NOT NULL,"
                             " similar INTEGER NOT NULL, score REAL NOT NULL,"
                             " PRIMARY KEY (item, rank)) WITHOUT ROWID",
                             4, "item", "item, rank", 2, false, NULL, NULL, NULL},
    [TABLE_TRENDING_ITEMS] = {"trending_items",
                              "(category TEXT NOT NULL, days INTEGER NOT NULL,"
                              " rank INTEGER NOT NULL, item $item NOT NULL,"
                              " users INTEGER NOT NULL, PRIMARY KEY (category, days, rank))"
                              " WITHOUT ROWID",
                              5, "category", "category, days, rank", 3, false, NULL, NULL, NULL},
    [TABLE_SIMILAR_USERS] = {"similar_users",
                             "(\"user\" $user NOT NULL, rank INTEGER NOT NULL,"
                             " similar $user NOT NULL, score REAL NOT NULL,"
                             " PRIMARY KEY (\"user\", rank)) WITHOUT ROWID",
                             4, "\"user\"", "\"user\", rank", 2, true, "similar", NULL, NULL},
    [TABLE_USER_EMBEDDINGS] = {"user_embeddings",
                               "(\"user\" $user PRIMARY KEY NOT NULL, embedding BLOB NOT NULL,"
                               " source INTEGER NOT NULL)",
                               3, "\"user\"", "\"user\"", 1, true, NULL, NULL, NULL},
    [TABLE_ITEM_EMBEDDINGS] = {"item_embeddings",
                               "(item $item PRIMARY KEY NOT NULL, embedding BLOB NOT NULL,"
                               " bias REAL NOT NULL, source INTEGER NOT NULL)",
                               4, "item", "item", 1, false, NULL, NULL, NULL},
    /* behind nightjar_recommend: arrays of int32 (candidates, the code of score_items), float32 and
       int64 (Unix seconds); the id of pairs is their kind times 2^32 and the candidate */
    [TABLE_SCORE_FACTS] = {"score_facts",
                           "(place INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)",
                           3, "place", "place", 1, false, NULL, NULL, NULL},
    [TABLE_SCORE_ITEMS] = {"score_items",
                           "(code INTEGER PRIMARY KEY, item $item NOT NULL,"
                           " users INTEGER NOT NULL, boost REAL NOT NULL,"
                           " eligible BLOB NOT NULL)",
                           5, "code", "code", 1, false, NULL, NULL, NULL},
    [TABLE_SCORE_PAIRS] = {"score_pairs",
                           "(id INTEGER PRIMARY KEY, items BLOB NOT NULL, weights BLOB NOT NULL)",
                           3, "id", "id", 1, false, NULL, NULL, NULL},
    [TABLE_SCORE_USERS] = {"score_users",
                           "(\"user\" $user PRIMARY KEY NOT NULL, segment INTEGER NOT NULL,"
                           " items BLOB NOT NULL, weights BLOB NOT NULL, times BLOB NOT NULL,"
                           " barred BLOB NOT NULL)",
                           6, "\"user\"", "\"user\"", 1, true, NULL, NULL, NULL},
};

bool publish_has_table(const struct publish_content *content, enum publish_table table)
{
    if (table >= TABLE_SCORE_FACTS) {
        return content->n_score_items > 0;
    }
    return table != TABLE_USERS && (table != TABLE_ITEMS || content->items.is_text);
}

/* The id of a code. */
static struct batch_cell id_cell(const struct publish_ids *ids, int32_t code)
{
    if (!ids->is_text) {
        return batch_integer(ids->integers[code]);
    }
    const int64_t start = ids->text_offsets[code];
    return batch_text(ids->text_bytes + start, (size_t)(ids->text_offsets[code + 1] - start));
}

/* What stands for it where nobody searches by it. */
static struct batch_cell code_cell(const struct publish_ids *ids, int32_t code)
{
    return batch_integer(ids->is_text ? code : ids->integers[code]);
}

/* SQLite stores whole numbers of a REAL column as integers, which have no -0: adding 0 makes it +0
 * before the checksum sees it. */
static struct batch_cell real_cell(double value)
{
    return batch_real(value + 0.0);
}

static struct batch_cell vector_cell(const float *vectors, size_t index, size_t dimension)
{
    return (struct batch_cell){
        .type = DB_BLOB, .bytes = vectors + index * dimension, .length = dimension * sizeof(float)};
}

/* Row `code` of a dictionary. */
static bool dictionary_row(const struct publish_ids *ids, size_t *position,
                           struct batch_cell *cells)
{
    size_t code = (*position)++;
    if (!ids->is_text || code >= ids->n) {
        return false;
    }
    cells[0] = batch_integer((int64_t)code);
    cells[1] = id_cell(ids, (int32_t)code);
    return true;
}

bool publish_seek_entry(const int32_t *entries, size_t n_lists, size_t top, size_t *position)
{
    while (*position < n_lists * top) {
        if (entries[*position] >= 0) {
            return true;
        }
        *position = (*position / top + 1) * top;
    }
    return false;
}

static bool recommendation_row(const struct publish_content *content, size_t *position,
                               struct batch_cell *cells)
{
    if (!publish_seek_entry(content->rec_items, content->n_served, content->top, position)) {
        return false;
    }
    size_t i = (*position)++;
    cells[0] = id_cell(&content->users, content->served[i / content->top]);
    cells[1] = batch_integer((int64_t)(i % content->top + 1));
    cells[2] = id_cell(&content->items, content->rec_items[i]);
    cells[3] = real_cell((double)content->rec_scores[i]);
    cells[4] = batch_integer((int64_t)(content->rec_sources[i]));
    return true;
}

/* Reasons stand behind the entries of lists, so both may end early. */
static bool reason_row(const struct publish_content *content, size_t *position,
                       struct batch_cell *cells)
{
    const size_t n = content->n_reasons;
    if (!publish_seek_entry(content->reason_items, content->n_served * content->top, n, position)) {
        return false;
    }
    const size_t i = (*position)++, entry = i / n;
    cells[0] = id_cell(&content->users, content->served[entry / content->top]);
    cells[1] = batch_integer((int64_t)(entry % content->top + 1));
    cells[2] = batch_integer((int64_t)(i % n + 1));
    cells[3] = code_cell(&content->items, content->rec_items[entry]);
    cells[4] = code_cell(&content->items, content->reason_items[i]);
    cells[5] = real_cell((double)content->reason_scores[i]);
    return true;
}

static bool part_row(const struct publish_content *content, size_t *position,
                     struct batch_cell *cells)
{
    const size_t n = content->n_parts, end = content->n_served * content->top * n;
    while (*position < end && content->part_values[*position] == 0) {
        ++*position;
    }
    if (*position >= end) {
        return false;
    }
    const size_t i = (*position)++, entry = i / n;
    const struct publish_part *part = &content->parts[i % n];
    cells[0] = id_cell(&content->users, content->served[entry / content->top]);
    cells[1] = batch_integer((int64_t)(entry % content->top + 1));
    cells[2] = batch_integer((int64_t)(i % n + 1));
    cells[3] = batch_text(part->name, strlen(part->name));
    cells[4] = real_cell((double)content->part_values[i]);
    cells[5] = real_cell(part->weight);
    return true;
}

static bool similar_row(const struct publish_content *content, size_t *position,
                        struct batch_cell *cells)
{
    size_t top = content->similar_top;
    if (!publish_seek_entry(content->similar_items, content->n_similar_anchors, top, position)) {
        return false;
    }
    size_t i = (*position)++;
    cells[0] = id_cell(&content->items, content->similar_anchors[i / top]);
    cells[1] = batch_integer((int64_t)(i % top + 1));
    cells[2] = code_cell(&content->items, content->similar_items[i]);
    cells[3] = real_cell((double)content->similar_scores[i]);
    return true;
}

/* A name of those that stand one behind the other. */
static struct batch_cell name_cell(const int64_t *offsets, const uint8_t *bytes, int32_t code)
{
    return batch_text((const char *)bytes + offsets[code],
                      (size_t)(offsets[code + 1] - offsets[code]));
}

static bool segment_row(const struct publish_content *content, size_t *position,
                        struct batch_cell *cells)
{
    const size_t i = (*position)++;
    if (i >= content->n_segment_rows) {
        return false;
    }
    cells[0] =
        name_cell(content->segment_offsets, content->segment_bytes, content->segment_codes[i]);
    cells[1] = batch_integer(content->segment_ranks[i]);
    cells[2] = id_cell(&content->items, content->segment_items[i]);
    cells[3] = real_cell((double)content->segment_scores[i]);
    return true;
}

static bool trending_row(const struct publish_content *content, size_t *position,
                         struct batch_cell *cells)
{
    const size_t i = (*position)++;
    if (i >= content->n_trending) {
        return false;
    }
    const int32_t category = content->trending_categories[i];
    cells[0] = category < 0
                   ? batch_text("", 0)
                   : name_cell(content->category_offsets, content->category_bytes, category);
    cells[1] = batch_integer(content->trending_days[i]);
    cells[2] = batch_integer(content->trending_ranks[i]);
    cells[3] = id_cell(&content->items, content->trending_items[i]);
    cells[4] = batch_integer(content->trending_users[i]);
    return true;
}

static bool similar_user_row(const struct publish_content *content, size_t *position,
                             struct batch_cell *cells)
{
    const size_t top = content->similar_users_top;
    if (!publish_seek_entry(content->similar_users, content->n_similar_users, top, position)) {
        return false;
    }
    const size_t i = (*position)++;
    cells[0] = id_cell(&content->users, content->similar_user_anchors[i / top]);
    cells[1] = batch_integer((int64_t)(i % top + 1));
    cells[2] = id_cell(&content->users, content->similar_users[i]);
    cells[3] = real_cell((double)content->similar_user_scores[i]);
    return true;
}

static bool popular_row(const struct publish_content *content, size_t *position,
                        struct batch_cell *cells)
{
    size_t i = (*position)++;
    if (i >= content->n_popular) {
        return false;
    }
    cells[0] = batch_integer((int64_t)(i + 1));
    cells[1] = id_cell(&content->items, content->popular_items[i]);
    cells[2] = real_cell((double)content->popular_scores[i]);
    return true;
}

static bool user_vector_row(const struct publish_content *content, size_t *position,
                            struct batch_cell *cells)
{
    size_t i = (*position)++;
    if (i >= content->n_user_vectors) {
        return false;
    }
    cells[0] = id_cell(&content->users, content->user_vector_codes[i]);
    cells[1] = vector_cell(content->user_vectors, i, content->dimension);
    cells[2] = batch_integer((int64_t)(content->user_vector_sources[i]));
    return true;
}

static bool item_vector_row(const struct publish_content *content, size_t *position,
                            struct batch_cell *cells)
{
    size_t i = (*position)++;
    if (i >= content->n_item_vectors) {
        return false;
    }
    cells[0] = id_cell(&content->items, content->item_vector_codes[i]);
    cells[1] = vector_cell(content->item_vectors, i, content->dimension);
    cells[2] = real_cell((double)content->item_bias[i]);
    cells[3] = batch_integer((int64_t)(content->item_vector_sources[i]));
    return true;
}

static struct batch_cell bytes_cell(const void *bytes, size_t first, size_t n, size_t size)
{
    return (struct batch_cell){.type = DB_BLOB,
                               .bytes = n == 0 ? "" : (const char *)bytes + first * size,
                               .length = n * size};
}

static bool fact_row(const struct publish_content *content, size_t *position,
                     struct batch_cell *cells)
{
    static const char *const names[PUBLISH_N_FACTS] = {[FACT_KNOWN] = "known",
                                                       [FACT_TIME] = "time",
                                                       [FACT_HAS_TIMES] = "has_times",
                                                       [FACT_REPEATS] = "repeats"};
    const size_t i = (*position)++;
    if (i >= PUBLISH_N_FACTS || content->n_score_items == 0) {
        return false;
    }
    cells[0] = batch_integer((int64_t)i);
    cells[1] = batch_text(names[i], strlen(names[i]));
    cells[2] = real_cell(content->score_facts[i]);
    return true;
}

static bool score_item_row(const struct publish_content *content, size_t *position,
                           struct batch_cell *cells)
{
    const size_t i = (*position)++, width = content->n_segments;
    if (i >= content->n_score_items) {
        return false;
    }
    cells[0] = batch_integer((int64_t)i);
    cells[1] = id_cell(&content->items, content->score_item_codes[i]);
    cells[2] = batch_integer(content->score_item_users[i]);
    cells[3] = real_cell((double)content->score_item_boosts[i]);
    cells[4] = bytes_cell(content->score_eligible, i * width, width, 1);
    return true;
}

static bool pair_row(const struct publish_content *content, size_t *position,
                     struct batch_cell *cells)
{
    size_t row = (*position)++;
    for (size_t kind = 0; kind < PUBLISH_N_PAIRS; kind++) {
        if (row < content->n_pair_rows[kind]) {
            const int64_t *offsets = content->pair_offsets[kind] + row;
            const size_t first = (size_t)offsets[0], n = (size_t)(offsets[1] - offsets[0]);
            cells[0] = batch_integer((int64_t)kind << 32 | (int64_t)row);
            cells[1] = bytes_cell(content->pair_items[kind], first, n, sizeof(int32_t));
            cells[2] = bytes_cell(content->pair_weights[kind], first, n, sizeof(float));
            return true;
        }
        row -= content->n_pair_rows[kind];
    }
    return false;
}

static bool score_user_row(const struct publish_content *content, size_t *position,
                           struct batch_cell *cells)
{
    const size_t u = (*position)++;
    if (u >= content->n_score_users) {
        return false;
    }
    const size_t own = (size_t)content->history_offsets[u];
    const size_t n_own = (size_t)content->history_offsets[u + 1] - own;
    const size_t barred = (size_t)content->barred_offsets[u];
    cells[0] = id_cell(&content->users, content->score_user_codes[u]);
    cells[1] = batch_integer(content->score_user_segments[u]);
    cells[2] = bytes_cell(content->history_items, own, n_own, sizeof(int32_t));
    cells[3] = bytes_cell(content->history_weights, own, n_own, sizeof(float));
    cells[4] = bytes_cell(content->history_times, own, n_own, sizeof(int64_t));
    cells[5] = bytes_cell(content->barred_items, barred,
                          (size_t)content->barred_offsets[u + 1] - barred, sizeof(int32_t));
    return true;
}

bool publish_next_row(const struct publish_content *content, enum publish_table table,
                      size_t *position, struct batch_cell cells[CELLS_MAX])
{
    switch (table) {
    case TABLE_ITEMS:
        return dictionary_row(&content->items, position, cells);
    case TABLE_RECOMMENDATIONS:
        return recommendation_row(content, position, cells);
    case TABLE_REASONS:
        return reason_row(content, position, cells);
    case TABLE_PARTS:
        return part_row(content, position, cells);
    case TABLE_POPULAR_ITEMS:
        return popular_row(content, position, cells);
    case TABLE_SEGMENT_POPULAR:
        return segment_row(content, position, cells);
    case TABLE_SIMILAR_ITEMS:
        return similar_row(content, position, cells);
    case TABLE_TRENDING_ITEMS:
        return trending_row(content, position, cells);
    case TABLE_SIMILAR_USERS:
        return similar_user_row(content, position, cells);
    case TABLE_USER_EMBEDDINGS:
        return user_vector_row(content, position, cells);
    case TABLE_ITEM_EMBEDDINGS:
        return item_vector_row(content, position, cells);
    case TABLE_SCORE_FACTS:
        return fact_row(content, position, cells);
    case TABLE_SCORE_ITEMS:
        return score_item_row(content, position, cells);
    case TABLE_SCORE_PAIRS:
        return pair_row(content, position, cells);
    case TABLE_SCORE_USERS:
        return score_user_row(content, position, cells);
    default:
        return false;
    }
}

uint64_t publish_row_hash(const struct batch_cell *cells, size_t n)
{
    int64_t numbers[CELLS_MAX] = {0};
    for (size_t i = 0; i < n; i++) {
        if (cells[i].type == DB_FLOAT) {
            memcpy(&numbers[i], &cells[i].real, sizeof numbers[i]);
        } else if (cells[i].type == DB_INTEGER) {
            numbers[i] = cells[i].integer;
        } else {
            numbers[i] = (int64_t)hash_bytes64(cells[i].bytes, cells[i].length);
        }
    }
    return hash_bytes64(numbers, n * sizeof numbers[0]);
}
