#!/usr/bin/env python3
"""The means over evenings of `evaluate: {roll: {lists: true}}`, computed a second time, from outside.

usage: judge_rolling.py SOURCE.db QUERY WORK.db TRAIN_END [--core USER_MIN ITEM_MIN] [--repeats]

QUERY gives user_id, item_id and Unix seconds of every event; those up to TRAIN_END were trained on,
of which --core names the least pairs of a user and of an item. WORK.db has the table evaluate_lists.
Judged are users that training knows, on the distinct items of the 24 hours behind an evening; without
--repeats what a user had before that evening is no target. Prints `MODEL recall@20 VALUE (ERROR)
ndcg@20 VALUE (ERROR)` for every model, means over evenings of the means over users, and `users N
evenings N`. Ends with 1 where a list is missing, holds what it must not, or an item twice, or has a
gap in its ranks; and where there is a list for somebody who is not asked.
"""

import math
import sqlite3
import sys

K, DAY = 20, 86400
GAINS = [1 / math.log2(position + 2) for position in range(K)]


def core(pairs, least):
    """Of (user, item) pairs those of users and items with enough of them, until all have."""
    while True:
        counts = ({}, {})
        for pair in pairs:
            for side in (0, 1):
                counts[side][pair[side]] = counts[side].get(pair[side], 0) + 1
        kept = {p for p in pairs if all(counts[side][p[side]] >= least[side] for side in (0, 1))}
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def mean_and_error(values):
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / max(len(values) - 1, 1) / len(values))


def judge_list(ranked, wanted):
    """Recall and NDCG with binary gains, ideal over min(K, wanted)."""
    gained = [gain for gain, item in zip(GAINS, ranked) if item in wanted]
    return len(gained) / len(wanted), math.fsum(gained) / math.fsum(GAINS[: len(wanted)])


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--repeats"]
    repeats, least = "--repeats" in sys.argv, (1, 1)
    if "--core" in arguments:
        at = arguments.index("--core")
        least = tuple(map(int, arguments[at + 1 : at + 3]))
        del arguments[at : at + 3]
    source, query, work, end = arguments
    events = sqlite3.connect(f"file:{source}?mode=ro", uri=True).execute(query).fetchall()
    known = {user for user, _ in core({(u, i) for u, i, t in events if t <= int(end)}, least)}
    lists, faults = {}, []
    for evening, model, user, rank, item in sqlite3.connect(f"file:{work}?mode=ro", uri=True).execute(
        "SELECT * FROM evaluate_lists ORDER BY evening, model, user_id, rank"
    ):
        ranked = lists.setdefault(evening, {}).setdefault(model, {}).setdefault(user, [])
        if rank != len(ranked) + 1 or item in ranked:
            faults.append(f"{evening} {model} user {user}: rank {rank} or an item twice")
        ranked.append(item)
    days, n_users = {}, 0
    for evening, models in lists.items():
        had, wanted = {}, {}
        for user, item, time in events:
            if time < evening:
                had.setdefault(user, set()).add(item)
        for user, item, time in events:
            if user in known and evening <= time < evening + DAY:
                if repeats or item not in had[user]:
                    wanted.setdefault(user, set()).add(item)
        n_users += len(wanted)
        for model, published in models.items():
            if published.keys() != wanted.keys():
                faults.append(f"{evening} {model}: lists of others than those who are asked")
            values = []
            for user, items in wanted.items():
                ranked = published.get(user, [])
                if not repeats and not had[user].isdisjoint(ranked):
                    faults.append(f"{evening} {model} user {user}: an item of before is listed")
                values.append(judge_list(ranked[:K], items))
            for column, name in enumerate(("recall@20", "ndcg@20")):
                mean = math.fsum(value[column] for value in values) / len(values)
                days.setdefault((model, name), []).append(mean)
    for model in sorted({model for model, _ in days}):
        line = [model]
        for name in ("recall@20", "ndcg@20"):
            line.append(f"{name} %.6f (%.6f)" % mean_and_error(days[model, name]))
        print(*line)
    print("users", n_users, "evenings", len(lists))
    print(*faults[:10], sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
