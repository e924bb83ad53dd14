#!/usr/bin/env python3
"""The peer of `make bench-sequence`: SASRec (Kang and McAuley 2018) in PyTorch.

usage: sequence_torch.py LOG.csv --epochs 40 [settings]

Causal self-attention over the newest items of each user, learned positions, layer norms before each
half of a layer, tied item vectors; every place foretells the next item against the same number of
drawn items and a cross-entropy (sampled softmax with logQ), which is what lifted SASRec in later
work. The last event of each user is left alone, the one before it is validation, as nightjar's
`split: {by: leave_last, valid: 1, test: 1}` has it. Defaults are nightjar's own where both have
the setting.

LOG.csv: user, item, time by commas, no header. Prints a line of tabs for each epoch: epoch, CPU
seconds so far (training and validation), NDCG@20 on validation.
"""

import argparse
import csv
import math
import resource

import numpy as np
import torch
from torch import nn

TOP = 20


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read_sequences(path):
    """Items of each user in order, numbered from 1, without the last; and the one held out."""
    users, items = {}, {}
    with open(path, newline="", encoding="utf-8") as file:
        for place, (user, item, time) in enumerate(csv.reader(file)):
            users.setdefault(user, {})[item] = (float(time), place)
    train, valid = [], []
    for history in users.values():
        order = [item for _, item in sorted((when, item) for item, when in history.items())]
        held = order[-2] if len(order) > 2 else None
        order = order[:-2] if len(order) > 2 else order
        train.append([items.setdefault(item, len(items) + 1) for item in order])
        valid.append(held)
    return train, [items.get(item, 0) for item in valid], len(items)


class Layer(nn.Module):
    def __init__(self, d, heads, dropout):
        super().__init__()
        self.before, self.between = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = nn.MultiheadAttention(d, heads, dropout=dropout, batch_first=True)
        self.wide, self.narrow = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, later, missing):
        h = self.before(x)
        h, _ = self.attention(h, h, h, attn_mask=later, key_padding_mask=missing, need_weights=False)
        x = x + self.dropout(h)
        return x + self.dropout(self.narrow(nn.functional.gelu(self.wide(self.between(x)))))


class SasRec(nn.Module):
    def __init__(self, n_items, o):
        super().__init__()
        self.length = o.length
        self.items = nn.Embedding(n_items + 1, o.dimension, padding_idx=0)
        self.places = nn.Embedding(o.length, o.dimension)
        nn.init.normal_(self.items.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)
        self.layers = nn.ModuleList(Layer(o.dimension, o.heads, o.dropout) for _ in range(o.layers))
        self.last, self.dropout = nn.LayerNorm(o.dimension), nn.Dropout(o.dropout)

    def forward(self, items):
        """items (users, n), newest last, 0: none; out (users, n, d)."""
        n = items.shape[1]
        x = self.dropout(self.items(items) + self.places.weight[self.length - n :])
        later = torch.ones(n, n, dtype=torch.bool).triu(1)
        for layer in self.layers:
            # a place without a step attends to itself, or it would be a mean of nothing
            x = layer(x, later, None).masked_fill((items == 0)[..., None], 0.0)
        return self.last(x)


def pack(sequences, length):
    """(users, n) padded in front to the longest, the newest `length` of each."""
    n = min(length, max(map(len, sequences)))
    out = np.zeros((len(sequences), n), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        newest = sequence[-n:]
        out[row, n - len(newest) :] = newest
    return torch.from_numpy(out)


def validate(model, train, valid, o):
    asked = [user for user, item in enumerate(valid) if item > 0]
    gained = 0.0
    model.eval()
    with torch.no_grad():
        for first in range(0, len(asked), 256):
            part = asked[first : first + 256]
            states = model(pack([train[user] for user in part], o.length))[:, -1]
            scores = states @ model.items.weight.T
            for row, user in enumerate(part):
                scores[row, train[user]] = -math.inf
            scores[:, 0] = -math.inf
            wanted = torch.tensor([valid[user] for user in part])
            ranks = (scores > scores.gather(1, wanted[:, None])).sum(1)
            gained += sum(1 / math.log2(rank + 2) for rank in ranks.tolist() if rank < TOP)
    model.train()
    return gained / len(asked)


def train_epoch(model, optimizer, train, o, epoch, random):
    users = [user for user, sequence in enumerate(train) if len(sequence) > 1]
    order = random.permutation(len(users))
    steps = math.ceil(len(users) / o.batch)
    n_items = model.items.num_embeddings - 1
    for step in range(steps):
        turn = 0.5 + 0.5 * math.cos(math.pi * (epoch + step / steps) / o.epochs)
        optimizer.param_groups[0]["lr"] = o.learning_rate * (0.05 + 0.95 * turn)
        chosen = [train[users[i]] for i in order[step * o.batch : (step + 1) * o.batch]]
        items = pack(chosen, o.length + 1)
        inputs, targets = items[:, :-1], items[:, 1:]
        asked = (inputs > 0) & (targets > 0)
        states, wanted = model(inputs)[asked], targets[asked]
        drawn = torch.from_numpy(random.choice(n_items, min(o.negatives, n_items), replace=False) + 1)
        logits = states @ model.items(drawn).T
        logits = logits + math.log(n_items / len(drawn))
        logits = logits.masked_fill(drawn[None, :] == wanted[:, None], -math.inf)
        own = (states * model.items(wanted)).sum(1, keepdim=True)
        loss = (torch.logsumexp(torch.cat([own, logits], 1), 1) - own[:, 0]).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def main():
    parser = argparse.ArgumentParser(usage="see the head of the file")
    parser.add_argument("log")
    parser.add_argument("--epochs", type=int, required=True)
    for name, value in (("dimension", 64), ("layers", 1), ("heads", 1), ("length", 50)):
        parser.add_argument("--" + name, type=int, default=value)
    for name, value in (("batch", 64), ("negatives", 512), ("seed", 1), ("threads", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    train, valid, n_items = read_sequences(o.log)
    model = SasRec(n_items, o)
    optimizer = torch.optim.AdamW(model.parameters(), lr=o.learning_rate, weight_decay=o.weight_decay)
    random = np.random.default_rng(o.seed)
    began = cpu_seconds()
    for epoch in range(o.epochs):
        train_epoch(model, optimizer, train, o, epoch, random)
        value = validate(model, train, valid, o)
        print(f"{epoch + 1}\t{cpu_seconds() - began:.1f}\t{value:.4f}", flush=True)


if __name__ == "__main__":
    main()
