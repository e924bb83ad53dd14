/* The switch. One transaction writes the history rows and points all views at a generation, so a
 * reader sees the whole old one or the whole new one. */
#include "publishing/generation.h"
#include "publishing/publish_parts.h"

#include "base/clock.h"
#include "store/migrate.h"

enum column_role {
    ROLE_NONE, /* ends a list */
    ROLE_PLAIN,
    ROLE_USER,
    ROLE_ITEM,
    ROLE_ITEM_CODE, /* an item that nobody searches by */
    ROLE_SOURCE,
    ROLE_GENERATION
};

struct view_column {
    const char *name;   /* in the view */
    const char *column; /* in the generation's table */
    enum column_role role;
};

enum { VIEW_COLUMNS_MAX = 8 };

/* The output contract: what people query. */
static const struct view {
    enum publish_table table; /* gives the view its name, too */
    struct view_column columns[VIEW_COLUMNS_MAX];
} views[] = {
    {TABLE_RECOMMENDATIONS,
     {{"user_id", "\"user\"", ROLE_USER},
      {"rank", "rank", ROLE_PLAIN},
      {"item_id", "item", ROLE_ITEM},
      {"score", "score", ROLE_PLAIN},
      {"source", "source", ROLE_SOURCE},
      {"generation", "", ROLE_GENERATION}}},
    {TABLE_REASONS,
     {{"user_id", "\"user\"", ROLE_USER},
      {"rank", "rank", ROLE_PLAIN},
      {"item_id", "item", ROLE_ITEM_CODE},
      {"place", "place", ROLE_PLAIN},
      {"because_item_id", "because", ROLE_ITEM_CODE},
      {"contribution", "contribution", ROLE_PLAIN}}},
    {TABLE_PARTS,
     {{"user_id", "\"user\"", ROLE_USER},
      {"rank", "rank", ROLE_PLAIN},
      {"part", "part", ROLE_PLAIN},
      {"value", "value", ROLE_PLAIN},
      {"weight", "weight", ROLE_PLAIN}}},
    {TABLE_POPULAR_ITEMS,
     {{"rank", "rank", ROLE_PLAIN},
      {"item_id", "item", ROLE_ITEM},
      {"score", "score", ROLE_PLAIN}}},
    {TABLE_SEGMENT_POPULAR,
     {{"segment", "segment", ROLE_PLAIN},
      {"rank", "rank", ROLE_PLAIN},
      {"item_id", "item", ROLE_ITEM},
      {"score", "score", ROLE_PLAIN}}},
    {TABLE_SIMILAR_ITEMS,
     {{"item_id", "item", ROLE_ITEM},
      {"rank", "rank", ROLE_PLAIN},
      {"similar_item_id", "similar", ROLE_ITEM_CODE},
      {"score", "score", ROLE_PLAIN}}},
    {TABLE_TRENDING_ITEMS,
     {{"category", "category", ROLE_PLAIN},
      {"days", "days", ROLE_PLAIN},
      {"rank", "rank", ROLE_PLAIN},
      {"item_id", "item", ROLE_ITEM},
      {"users", "users", ROLE_PLAIN}}},
    {TABLE_SIMILAR_USERS,
     {{"user_id", "\"user\"", ROLE_USER},
      {"rank", "rank", ROLE_PLAIN},
      {"similar_user_id", "similar", ROLE_USER},
      {"score", "score", ROLE_PLAIN}}},
    {TABLE_USER_EMBEDDINGS,
     {{"user_id", "\"user\"", ROLE_USER},
      {"embedding", "embedding", ROLE_PLAIN},
      {"source", "source", ROLE_SOURCE}}},
    {TABLE_ITEM_EMBEDDINGS,
     {{"item_id", "item", ROLE_ITEM},
      {"embedding", "embedding", ROLE_PLAIN},
      {"bias", "bias", ROLE_PLAIN},
      {"source", "source", ROLE_SOURCE}}},
};
enum { N_VIEWS = sizeof views / sizeof views[0] };
_Static_assert(N_VIEWS == TABLE_ITEM_EMBEDDINGS - TABLE_RECOMMENDATIONS + 1, "a view for each");

/* What a generation's views depend on. */
struct view_ids {
    struct publish_form form;
    bool lacks[N_TABLES]; /* made before there was such a table */
    int64_t generation;
};

/* The dictionary that the view joins, which only generations of an older nightjar need; else
 * N_TABLES. */
static enum publish_table find_joined(const struct view_ids *ids, enum column_role role)
{
    const struct publish_form *form = &ids->form;
    if (role == ROLE_USER && form->has_users && !form->users_are_text) {
        return TABLE_USERS;
    }
    return role == ROLE_ITEM && form->has_items && !form->items_are_text ? TABLE_ITEMS : N_TABLES;
}

/* "expression AS name"; a joined dictionary is the alias d<i> of column i. */
static void add_column(struct buf *sql, const char *prefix, const struct view_ids *ids,
                       const struct view_column *column, int index)
{
    if (find_joined(ids, column->role) != N_TABLES) {
        buf_addf(sql, "d%d.id", index);
    } else if (column->role == ROLE_ITEM_CODE && ids->form.has_items) {
        buf_add_text(sql, "(SELECT id FROM ");
        publish_add_name(sql, prefix, publish_tables[TABLE_ITEMS].name, ids->generation);
        buf_addf(sql, " AS d WHERE d.code = t.%s)", column->column);
    } else if (column->role == ROLE_SOURCE) {
        buf_addf(sql, "CASE t.%s", column->column);
        for (int i = 0; i < PUBLISH_N_SOURCES; i++) {
            buf_addf(sql, " WHEN %d THEN '%s'", i, publish_source_names[i]);
        }
        buf_add_text(sql, " END");
    } else if (column->role == ROLE_GENERATION) {
        buf_addf(sql, "%lld", (long long)ids->generation);
    } else {
        buf_addf(sql, "t.%s", column->column);
    }
    buf_addf(sql, " AS %s", column->name);
}

/* What a view shows of a generation. */
static void add_select(struct buf *sql, const char *prefix, const struct view_ids *ids,
                       const struct view *view)
{
    buf_add_text(sql, "SELECT ");
    for (int i = 0; view->columns[i].role != ROLE_NONE; i++) {
        buf_add_text(sql, i > 0 ? ", " : "");
        add_column(sql, prefix, ids, &view->columns[i], i);
    }
    buf_add_text(sql, " FROM ");
    publish_add_name(sql, prefix, publish_tables[view->table].name, ids->generation);
    buf_add_text(sql, " AS t");
    for (int i = 0; view->columns[i].role != ROLE_NONE; i++) {
        const struct view_column *column = &view->columns[i];
        const enum publish_table dictionary = find_joined(ids, column->role);
        if (dictionary != N_TABLES) {
            buf_add_text(sql, " JOIN ");
            publish_add_name(sql, prefix, publish_tables[dictionary].name, ids->generation);
            buf_addf(sql, " AS d%d ON d%d.code = t.%s", i, i, column->column);
        }
    }
}

/* Generations of an older nightjar have no such table: then the view is empty. */
static bool may_lack(const struct view *view)
{
    return view->table == TABLE_REASONS || view->table == TABLE_PARTS ||
           view->table == TABLE_SEGMENT_POPULAR || view->table == TABLE_TRENDING_ITEMS ||
           view->table == TABLE_SIMILAR_USERS;
}

/* Its columns, and never a row. */
static void add_empty_select(struct buf *sql, const struct view *view)
{
    buf_add_text(sql, "SELECT ");
    for (int i = 0; view->columns[i].role != ROLE_NONE; i++) {
        buf_addf(sql, "%sNULL AS %s", i > 0 ? ", " : "", view->columns[i].name);
    }
    buf_add_text(sql, " WHERE 0");
}

static enum status_code replace_views(struct db *db, const char *prefix, const struct view_ids *ids,
                                      struct status *status)
{
    struct buf sql = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < N_VIEWS; i++) {
        const char *name = publish_tables[views[i].table].name;
        buf_clear(&sql);
        buf_add_text(&sql, "DROP VIEW IF EXISTS ");
        publish_add_name(&sql, prefix, name, 0);
        TRY(db_exec_buf(db, &sql, status));
        buf_clear(&sql);
        buf_add_text(&sql, "CREATE VIEW ");
        publish_add_name(&sql, prefix, name, 0);
        buf_add_text(&sql, " AS ");
        if (ids->lacks[views[i].table]) {
            add_empty_select(&sql, &views[i]);
        } else {
            add_select(&sql, prefix, ids, &views[i]);
        }
        TRY(db_exec_buf(db, &sql, status));
        TRY(publish_record(db, prefix, "view", name, 0, status));
    }
done:
    buf_release(&sql);
    return code;
}

/* Another publisher with our prefix may take an unfinished generation for remains. */
static enum status_code check_tables_are_there(const struct publish_target *target,
                                               const struct publish_content *content,
                                               int64_t generation, struct status *status)
{
    enum status_code code;
    int64_t n_tables = 0, n_found = 0;
    bool found;
    for (int table = 0; table < N_TABLES; table++) {
        n_tables += publish_has_table(content, (enum publish_table)table);
    }
    TRY(publish_get_int64(target->db, target->prefix,
                          "SELECT count(*) FROM $nightjar_objects JOIN sqlite_schema"
                          " USING (name, type) WHERE generation = ?1",
                          generation, &n_found, &found, status));
    if (n_found != n_tables) {
        TRY(status_set_at(status, STATUS_BUSY, db_path(target->db), 0, 0,
                          "tables of generation %lld vanished while it was built: does another "
                          "pipeline publish here with the same output.prefix?",
                          (long long)generation));
    }
done:
    return code;
}

/* Under the write lock: whether the one that we replace is still the one that the run began with.
 */
static enum status_code check_fence(const struct publish_target *target, struct status *status)
{
    struct published_info latest;
    enum status_code code = STATUS_OK;
    if (target->expected_latest == NULL) {
        return code;
    }
    TRY(publish_latest(target->db, target->prefix, &latest, status));
    if (latest.generation != *target->expected_latest) {
        code =
            status_set(status, STATUS_BUSY,
                       "generation %lld was published after this run began (it found %lld), by a "
                       "run that does not share its lock: two pipelines with one output.prefix, "
                       "or two machines; nothing is replaced",
                       (long long)latest.generation, (long long)*target->expected_latest);
    }
done:
    return code;
}

enum status_code publish_switch(const struct publish_target *target,
                                const struct publish_content *content,
                                const int64_t counts[N_COUNTS], int64_t generation,
                                const char *checksum, int64_t build_started, struct status *status)
{
    enum status_code code;
    TRY(db_begin_write(target->db, status));
    TRY(check_fence(target, status));
    /* again, under the lock: the build took its time */
    TRY(publish_check_names(target->db, target->prefix, status));
    TRY(check_tables_are_there(target, content, generation, status));
    TRY(publish_write_history(target, content, counts, generation, checksum, build_started,
                              status));
    struct view_ids ids = {.generation = generation};
    TRY(publish_read_form(target->db, target->prefix, generation, &ids.form, status));
    TRY(replace_views(target->db, target->prefix, &ids, status));
    TRY(db_commit(target->db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(target->db);
    }
    return code;
}

/* A generation of an older nightjar may lack a column that the views now show. */
static enum status_code check_views(struct db *db, const char *prefix, int64_t generation,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0};
    struct db_query *query = NULL;
    for (size_t i = 0; i < N_VIEWS && code == STATUS_OK; i++) {
        struct status lacking = {0};
        buf_clear(&sql);
        buf_add_text(&sql, "SELECT * FROM ");
        publish_add_name(&sql, prefix, publish_tables[views[i].table].name, 0);
        TRY(buf_check(&sql, status));
        if (db_prepare(db, buf_text(&sql), &query, &lacking) != STATUS_OK) {
            code = status_set_at(
                status, STATUS_DATA, db_path(db), 0, 0,
                "generation %lld was made by an older nightjar and cannot be shown "
                "by the views of this one: %.*s",
                (long long)generation, (int)strcspn(lacking.message, ";"), lacking.message);
        }
        db_finalize(query);
        query = NULL;
    }
done:
    buf_release(&sql);
    return code;
}

/* The form of a generation whose tables are kept; else STATUS_NO_INPUT. */
static enum status_code read_ids(struct db *db, const char *prefix, int64_t generation,
                                 struct view_ids *ids, struct status *status)
{
    enum status_code code;
    ids->generation = generation;
    TRY(publish_read_form(db, prefix, generation, &ids->form, status));
    for (size_t i = 0; i < N_VIEWS; i++) {
        bool found;
        const char *name = publish_tables[views[i].table].name;
        TRY(publish_table_exists(db, prefix, name, generation, &found, status));
        if (!found && may_lack(&views[i])) {
            ids->lacks[views[i].table] = true;
        } else if (!found) {
            TRY(status_set_at(
                status, STATUS_NO_INPUT, db_path(db), 0, 0,
                "generation %lld is not kept: it has no table of %s; output.keep says "
                "how many are",
                (long long)generation, name));
        }
    }
done:
    return code;
}

const char *publish_view_name(size_t index)
{
    return index < N_VIEWS ? publish_tables[views[index].table].name : NULL;
}

enum status_code publish_select(struct db *db, const char *prefix, const char *view,
                                int64_t generation, struct buf *sql, struct status *status)
{
    struct view_ids ids = {0};
    enum status_code code;
    TRY(read_ids(db, prefix, generation, &ids, status));
    for (size_t i = 0; i < N_VIEWS; i++) {
        if (strcmp(publish_tables[views[i].table].name, view) != 0) {
            continue;
        }
        if (ids.lacks[views[i].table]) {
            add_empty_select(sql, &views[i]);
        } else {
            add_select(sql, prefix, &ids, &views[i]);
        }
    }
    TRY(buf_check(sql, status));
done:
    return code;
}

enum status_code publish_rollback(struct db *db, const char *prefix, int64_t generation,
                                  struct status *status)
{
    enum status_code code;
    struct view_ids ids = {0};
    TRY(publish_migrate(db, prefix, status));
    TRY(db_begin_write(db, status));
    TRY(publish_check_names(db, prefix, status));
    TRY(read_ids(db, prefix, generation, &ids, status));
    TRY(publish_set_current(db, prefix, generation, true, status));
    TRY(replace_views(db, prefix, &ids, status));
    TRY(check_views(db, prefix, generation, status));
    TRY(db_commit(db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(db);
    }
    return code;
}
