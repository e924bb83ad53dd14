#!/usr/bin/env python3
"""NDCG of what was published on some evenings of a living shop, as a share of the oracle's.

usage: judge_evenings.py SHOP.db [--repeats] EVENING OUTPUT.db [EVENING OUTPUT.db]...

SHOP.db is the whole shop, of `nightjar generate --kind living --oracle 20` (or more); EVENING is one
of the column `evening` of its table oracle; OUTPUT.db has the view `recommendations` as published on
that evening, from the events before it. Judged are the users with an event before the evening, on the
distinct items of their events of the day that begins with it. Without --repeats what a user had before
counts neither as a target nor as a place of a list. Prints `evening EVENING users N ndcg@20 VALUE
oracle VALUE share VALUE` for each evening, and at the end the same for the mean of the evenings.
"""

import math
import sqlite3
import sys

K = 20
GAINS = [1 / math.log2(position + 2) for position in range(K)]


def ndcg(ranked, wanted):
    """Binary gains, ideal over min(K, wanted)."""
    gained = sum(gain for gain, item in zip(GAINS, ranked) if item in wanted)
    return gained / sum(GAINS[: len(wanted)])


def lists_of(database, query, parameters=()):
    """{user_id: [item_id, ...]} of (user_id, item_id) rows."""
    lists = {}
    for user, item in database.execute(query, parameters):
        lists.setdefault(user, []).append(item)
    return lists


def judge(shop, evening, output, repeats):
    """Users, NDCG of the published lists and of the oracle's."""
    had = lists_of(shop, "SELECT DISTINCT user_id, item_id FROM events WHERE created_at < ?", (evening,))
    chosen = lists_of(shop, """SELECT DISTINCT user_id, item_id FROM events
        WHERE created_at BETWEEN ? AND ?""", (evening, evening + 86399))
    best = lists_of(shop, """SELECT user_id, item_id FROM oracle WHERE evening = ? AND repeats = ?
        ORDER BY user_id, rank""", (evening, repeats))
    published = lists_of(output, "SELECT user_id, item_id FROM recommendations ORDER BY user_id, rank")
    if not best:
        sys.exit(f"judge_evenings: the oracle has no evening {evening}")
    own, oracle = [], []
    for user in had.keys() & chosen.keys():
        hidden = set() if repeats else set(had[user])
        wanted = set(chosen[user]) - hidden
        if wanted:
            own.append(ndcg([item for item in published.get(user, ()) if item not in hidden], wanted))
            oracle.append(ndcg(best.get(user, ()), wanted))
    n = len(own)
    return n, math.fsum(own) / max(n, 1), math.fsum(oracle) / max(n, 1)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--repeats"]
    repeats = int("--repeats" in sys.argv)
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        sys.exit(__doc__)
    shop = sqlite3.connect(f"file:{arguments[0]}?mode=ro", uri=True)
    results = []
    for evening, path in zip(arguments[1::2], arguments[2::2]):
        output = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        results.append(judge(shop, int(evening), output, repeats))
        output.close()
        show(evening, *results[-1])
    means = [math.fsum(column) / len(results) for column in zip(*results)]
    show("mean", *means)


def show(evening, n, own, oracle):
    share = own / oracle if oracle else 0
    print(f"evening {evening} users {n:g} ndcg@{K} {own:.5f} oracle {oracle:.5f} share {share:.4f}")


if __name__ == "__main__":
    main()
