#!/usr/bin/env python3
"""The peer of `make bench-quality`: two embedding tables trained by PyTorch with in-batch softmax.

usage: quality_torch.py TRAIN.csv[.gz] TEST.csv[.gz] --epochs 1,2,4 [settings]
       quality_torch.py TRAIN.csv[.gz] - --epochs 8 [settings]       validation alone, for a search

The textbook two-tower training (Yi et al. 2019, RecSys): a batch of interactions, each item of
which is a negative of the other rows; cosine / temperature, less the logarithm of the item's share
of the interactions (logQ correction); a row's own positives are masked; SparseAdam on the rows of
the batch. Every length of the curve is trained twice, as nightjar does it: without a random tenth
of each user's items, on which its NDCG@20 is measured, then on everything, for the test part.

The defaults are the best of a grid on validation, NDCG@20 after 6 to 8 epochs: temperature 0.1, constant
rate 0.01 .1034; rate 0.02 .1028; temperature 0.15 .0950; cosine schedules to the same end .0968 (0.12),
.0939 (0.07), .0837 (0.2).

Prints a line of tabs for each number of epochs: epochs, CPU seconds of one training on everything,
CPU seconds of all (reading, both trainings, validation, lists of all users; not judging them on
test), NDCG@20 on validation, Recall@20 and NDCG@20 on test.
"""

import argparse
import csv
import gzip
import math
import resource
import sys

import numpy as np
import torch

TOP = 20


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_pairs(path):
    """(n, 2) user and item ids of a CSV file."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows)
        user, item = header.index("user_id"), header.index("item_id")
        return np.array([(int(row[user]), int(row[item])) for row in rows], dtype=np.int64)


class Interactions:
    """Different pairs of user and item, sorted by user, with where each user's begin."""

    def __init__(self, users, items, n_users, n_items):
        keys = np.unique(users * n_items + items)
        self.n_users, self.n_items = n_users, n_items
        self.keys = keys
        self.users, self.items = keys // n_items, keys % n_items
        self.start = np.searchsorted(self.users, np.arange(n_users + 1))

    def of(self, users):
        """Rows (places in `users`) and items of all pairs of these users."""
        lengths = self.start[users + 1] - self.start[users]
        rows = np.repeat(np.arange(len(users)), lengths)
        before = np.repeat(self.start[users] - (np.cumsum(lengths) - lengths), lengths)
        return rows, self.items[before + np.arange(len(rows))]

    def cut(self, share, seed):
        """The same less a random share of each user's items, and that share."""
        random = np.random.default_rng(seed).random(len(self.keys))
        order = np.lexsort((random, self.users))
        place = np.arange(len(order)) - self.start[self.users[order]]
        degree = np.diff(self.start)[self.users[order]]
        is_cut = place < np.floor(share * degree + 0.5)
        return [
            Interactions(self.users[chosen], self.items[chosen], self.n_users, self.n_items)
            for chosen in (order[~is_cut], order[is_cut])
        ]


class Trainer:
    """Two tables of vectors and the steps that move them."""

    def __init__(self, interactions, settings, epochs):
        torch.manual_seed(settings.seed)
        self.data, self.settings, self.epochs = interactions, settings, epochs
        self.random = np.random.default_rng(settings.seed + 1)
        shape = {"embedding_dim": settings.dimension, "sparse": True}
        self.users = torch.nn.Embedding(interactions.n_users, **shape)
        self.items = torch.nn.Embedding(interactions.n_items, **shape)
        for table in (self.users, self.items):
            torch.nn.init.normal_(table.weight, std=0.1)
        parameters = [self.users.weight, self.items.weight]
        self.optimizer = torch.optim.SparseAdam(parameters, lr=settings.learning_rate)
        share = np.bincount(interactions.items, minlength=interactions.n_items) / len(
            interactions.items
        )
        self.log_share = torch.from_numpy(np.log(np.maximum(share, 1e-12)).astype(np.float32))
        self.slots = np.full(interactions.n_items, -1, dtype=np.int64)
        self.steps_done = 0
        self.steps = epochs * math.ceil(len(interactions.items) / settings.batch)

    def own_positives(self, users, items):
        """(batch, batch): whether the row's user has the column's item; False on the diagonal."""
        different, column = np.unique(items, return_inverse=True)
        self.slots[different] = np.arange(len(different))
        rows, theirs = self.data.of(users)
        slot = self.slots[theirs]
        self.slots[different] = -1
        has = np.zeros((len(users), len(different)), dtype=bool)
        has[rows[slot >= 0], slot[slot >= 0]] = True
        mask = torch.from_numpy(has).index_select(1, torch.from_numpy(column))
        return mask.fill_diagonal_(False)

    def step(self, users, items):
        settings = self.settings
        if settings.schedule == "cosine":
            turn = 0.5 + 0.5 * math.cos(math.pi * self.steps_done / self.steps)
            self.optimizer.param_groups[0]["lr"] = settings.learning_rate * (0.05 + 0.95 * turn)
        self.steps_done += 1
        user_ids, item_ids = torch.from_numpy(users), torch.from_numpy(items)
        anchors = torch.nn.functional.normalize(self.users(user_ids))
        candidates = torch.nn.functional.normalize(self.items(item_ids))
        logits = torch.addmm(
            -self.log_share[item_ids], anchors / settings.temperature, candidates.T
        )
        logits.masked_fill_(self.own_positives(users, items), -math.inf)
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(users)))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def epoch(self):
        order = self.random.permutation(len(self.data.items))
        for first in range(0, len(order), self.settings.batch):
            rows = order[first : first + self.settings.batch]
            self.step(self.data.users[rows], self.data.items[rows])

    def top_lists(self):
        """(n_users, TOP) items by cosine, those of the training left out."""
        lists = []
        with torch.no_grad():
            users = torch.nn.functional.normalize(self.users.weight)
            items = torch.nn.functional.normalize(self.items.weight)
            for first in range(0, self.data.n_users, 1024):
                chunk = np.arange(first, min(first + 1024, self.data.n_users))
                scores = users[first : first + 1024] @ items.T
                rows, seen = self.data.of(chunk)
                scores[torch.from_numpy(rows), torch.from_numpy(seen)] = -math.inf
                lists.append(scores.topk(TOP).indices)
        return torch.cat(lists).numpy()


def judge(lists, wanted):
    """Mean Recall and NDCG (binary, ideal over min(TOP, wanted)) of users with wanted items."""
    n_users = len(lists)
    keys = np.arange(n_users)[:, None] * wanted.n_items + lists
    place = np.minimum(np.searchsorted(wanted.keys, keys), len(wanted.keys) - 1)
    hits = wanted.keys[place] == keys
    n_wanted = np.diff(wanted.start)
    gains = 1 / np.log2(np.arange(TOP) + 2)
    ideal = np.concatenate([[1], np.cumsum(gains)])[np.minimum(n_wanted, TOP)]
    judged = n_wanted > 0
    recall = hits.sum(axis=1)[judged] / n_wanted[judged]
    return recall.mean(), ((hits @ gains)[judged] / ideal[judged]).mean()


def curve(train, held_out, settings, epochs):
    """{epochs: (recall, ndcg, CPU seconds of training, of the lists)}; a cosine schedule knows its
    end, so each of its points is a training of its own."""
    points = {}
    runs = [epochs] if settings.schedule == "constant" else [[last] for last in epochs]
    for run in runs:
        trainer = Trainer(train, settings, run[-1])
        spent = 0.0
        for epoch in range(1, run[-1] + 1):
            began = cpu_seconds()
            trainer.epoch()
            spent += cpu_seconds() - began
            if epoch in run:
                began = cpu_seconds()
                lists = trainer.top_lists()
                points[epoch] = (*judge(lists, held_out), spent, cpu_seconds() - began)
    return points


def parse_arguments():
    parser = argparse.ArgumentParser(usage="see the head of the file")
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--epochs", required=True)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--temperature", type=float, default=0.1)
    parser.add_argument("--schedule", choices=["constant", "cosine"], default="constant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main():
    settings = parse_arguments()
    torch.set_num_threads(settings.threads)
    epochs = sorted(int(text) for text in settings.epochs.split(","))
    pairs = read_pairs(settings.train)
    users, user_codes = np.unique(pairs[:, 0], return_inverse=True)
    items, item_codes = np.unique(pairs[:, 1], return_inverse=True)
    everything = Interactions(user_codes, item_codes, len(users), len(items))
    begun = cpu_seconds()
    fit, valid = everything.cut(0.1, settings.seed)
    chosen = curve(fit, valid, settings, epochs)
    if settings.test == "-":
        for epoch, (_, ndcg, seconds, _) in chosen.items():
            print(f"{epoch}\t{seconds:.1f}\t\t{ndcg:.5f}\t\t", flush=True)
        return 0
    test = read_pairs(settings.test)
    known = np.isin(test[:, 0], users) & np.isin(test[:, 1], items)
    test = test[known]
    wanted = Interactions(
        np.searchsorted(users, test[:, 0]), np.searchsorted(items, test[:, 1]), len(users), len(items)
    )
    final = curve(everything, wanted, settings, epochs)
    for epoch in epochs:
        recall, ndcg, seconds, listing = final[epoch]
        whole = begun + seconds + listing + sum(chosen[epoch][2:])
        print(f"{epoch}\t{seconds:.1f}\t{whole:.1f}\t{chosen[epoch][1]:.5f}\t{recall:.5f}\t{ndcg:.5f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
