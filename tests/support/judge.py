#!/usr/bin/env python3
"""Recall and NDCG of what is published, computed a second time, from outside.

usage: judge.py OUTPUT.db TRAIN.csv[.gz] TEST.csv[.gz] [K]

Reads the view `recommendations` and the two CSV files (user_id,item_id, with a header), and
prints `recall@K VALUE ndcg@K VALUE`, means over the users with test items. Shares no code with the
evaluate stage, on purpose. Ends with 1 when a list holds a training item, an item twice, a gap in
its ranks, fewer than K items, or when a user with test items has no list.
"""

import csv
import gzip
import math
import sqlite3
import sys


def items_by_user(path):
    """{user_id: {item_id, ...}} of a CSV file."""
    opener = gzip.open if path.endswith(".gz") else open
    items = {}
    with opener(path, "rt", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            items.setdefault(int(row["user_id"]), set()).add(int(row["item_id"]))
    return items


def lists_by_user(path, k):
    """{user_id: [(rank, item_id), ...]} of the published view, by rank."""
    lists = {}
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    query = """SELECT user_id, rank, item_id FROM recommendations WHERE rank <= ?
               ORDER BY user_id, rank"""
    for user, rank, item in database.execute(query, (k,)):
        lists.setdefault(user, []).append((rank, item))
    database.close()
    return lists


def faults(user, ranked, seen, k):
    """What is wrong with one list, as sentences."""
    items = [item for _, item in ranked]
    if [rank for rank, _ in ranked] != list(range(1, k + 1)):
        yield f"user {user}: the ranks are not 1..{k}"
    if len(set(items)) < len(items):
        yield f"user {user}: an item stands twice"
    if not seen.isdisjoint(items):
        yield f"user {user}: training items {sorted(seen.intersection(items))} are recommended"


def recall_and_ndcg(ranked, wanted, k):
    """Recall over all wanted items; NDCG with binary gains, ideal over min(k, wanted)."""
    gains = [1 / math.log2(position + 1) for position in range(1, k + 1)]
    hits = [rank for rank, item in ranked if item in wanted]
    gained = sum(gains[rank - 1] for rank in hits)
    return len(hits) / len(wanted), gained / sum(gains[: len(wanted)])


def main():
    output, train_path, test_path = sys.argv[1:4]
    k = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    train, test = items_by_user(train_path), items_by_user(test_path)
    lists = lists_by_user(output, k)
    problems, recalls, ndcgs = [], [], []
    for user, held_out in test.items():
        seen = train.get(user, set())
        wanted = held_out - seen
        if not wanted:
            continue
        ranked = lists.get(user, [])
        problems.extend(faults(user, ranked, seen, k))
        if not problems:
            recall, ndcg = recall_and_ndcg(ranked, wanted, k)
            recalls.append(recall)
            ndcgs.append(ndcg)
    if problems:
        print("\n".join(problems[:10]), file=sys.stderr)
        return 1
    recall, ndcg = math.fsum(recalls) / len(recalls), math.fsum(ndcgs) / len(ndcgs)
    print(f"recall@{k} {recall:.5f} ndcg@{k} {ndcg:.5f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
