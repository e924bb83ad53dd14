/* For tests of single stages: a source database in the test's folder and runs of a pipeline over
 * it, with a list of stages that the test chooses. */
#ifndef NIGHTJAR_TESTS_STAGE_SUPPORT_H
#define NIGHTJAR_TESTS_STAGE_SUPPORT_H

#include "config/plan.h"
#include "store/artifact.h"
#include "tests/support/store_support.h"

/* Creates source.db in the folder (see store_folder_setup) by running `sql`. */
void stage_source(void **state, const char *sql);
/* Creates source.db in the folder: a generated shop of 30 days with text ids, seed 3. */
void stage_shop(void **state, size_t n_users, size_t n_items, size_t n_events);
/* Runs pipeline.yaml, made of the head below and `stages` (lines of its `stages:` list), from the
 * start: source.db, work.db, seed 7, `threads`. The query is "SELECT * FROM events". Returns the
 * code of the plan or the run, with its details in status. */
enum status_code stage_run(void **state, const struct stage *const *registry, const char *stages,
                           int threads, struct status *status);
/* Has another process run this test program as `run FOLDER`, which runs a pipeline, and kills it
 * when is_far_enough says so; one that was done before that is started anew. */
void stage_kill_when(void **state, bool (*is_far_enough)(void **state));
/* That a warning of the last stage_run has this text. */
void stage_assert_warned(void **state, const char *text);
/* work.db, to be closed. */
struct db *stage_work(void **state);
/* The artifact saved as SLOT ("pairs/evidence"); fails the test when there is none. */
struct artifact stage_artifact_of(void **state, const char *slot);
bool stage_has_artifact(void **state, const char *slot);
/* Its content hash, and one of its numbers. */
void stage_hash(void **state, const char *slot, char out[HASH_TEXT_MAX]);
double stage_number(void **state, const char *slot, const char *name);

#endif
