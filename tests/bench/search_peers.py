"""The search of `auto` beside other ways to find settings, and beside EASE and ALS, on random splits.

    NIGHTJAR_DATA=folder PROGRAM=build/release/nightjar python3 tests/bench/search_peers.py

SETS (ml retail), SPLITS (5), TRIALS (200; 0: none), PEERS (ease als): a fifth of each user's different
items is the test part, seeded by the split's number. Each choice is made on a fifth of the train part;
the test part is read once. auto is configs/best.yaml; a random trial is a whole training with settings
drawn over the ranges below, and the best of them on validation goes the same way as auto's.
"""

import csv
import gzip
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BEST = os.path.join(HERE, '..', '..', 'configs', 'best.yaml')
PROGRAM = os.path.abspath(os.environ['PROGRAM'])
FILES = {'ml': 'ml-100k.ratings.csv.gz', 'retail': 'retail.events.csv.gz'}
# What best.yaml leaves to nightjar, as numbers, so that a trial sets each of them.
HAND = ['pairs.item_item={weighting: cosine, top: 5}', 'pairs.evidence={top: 500}', 'pairs.ridge={}',
        'negatives.strategy=all', 'train.dimension=128', 'train.optimizer=adamw',
        'train.batch_users=256', 'train.co_interaction.share=0.5', 'train.co_interaction.samples=10']
RANGES = {
    'train.temperature': lambda r: round(0.06 * (0.4 / 0.06) ** r.random(), 3),
    'negatives.alpha': lambda r: r.choice([0, 0.15, 0.3, 0.5, 0.7, 1]),
    'train.degree_exponent': lambda r: r.choice([0, 0.2, 0.35, 0.5, 0.7]),
    'train.co_interaction.weight': lambda r: r.choice([0, 0.05, 0.1, 0.2, 0.4]),
    'train.learning_rate': lambda r: r.choice([0.005, 0.007, 0.01, 0.014, 0.02, 0.03]),
    'train.epochs': lambda r: r.choice([10, 18, 30, 45, 70]),
    'train.propagation.hops': lambda r: r.choice([0, 1]),
    'train.t2': lambda r: r.choice([1, 1.1, 1.25]),
    'negatives.hard.count': lambda r: r.choice([0, 16]),
    'train.weight_decay': lambda r: r.choice([0, 0.1, 0.3]),
}


def pairs_of(name):
    """Different (user, item) pairs as two arrays of codes."""
    with gzip.open(os.path.join(os.environ['NIGHTJAR_DATA'], FILES[name]), 'rt') as file:
        found = sorted({(row['user_id'], row['item_id']) for row in csv.DictReader(file)})
    users = {u: n for n, u in enumerate(sorted({u for u, _ in found}))}
    items = {i: n for n, i in enumerate(sorted({i for _, i in found}))}
    return np.array([(users[u], items[i]) for u, i in found])


def cut(pairs, seed, share=0.2):
    """Whether each pair is held out: of every user that share, rounded."""
    held = np.zeros(len(pairs), bool)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs))
    order = order[np.argsort(pairs[order, 0], kind='stable')]
    starts = np.flatnonzero(np.r_[True, np.diff(pairs[order, 0]) != 0, True])
    for a, b in zip(starts, starts[1:]):
        held[order[a:a + round(share * (b - a))]] = True
    return held


def matrix(pairs, shape):
    x = np.zeros(shape, np.float32)
    x[pairs[:, 0], pairs[:, 1]] = 1
    return x


def judge(scores, train, test, k=20):
    """Recall@k and NDCG@k, means over users with test items; own train items are no candidates."""
    scores = np.where(train > 0, -np.inf, scores)
    top = np.argsort(-scores, axis=1, kind='stable')[:, :k]
    hits = np.take_along_axis(test, top, 1) > 0
    n = test.sum(1).astype(int)
    gain = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.r_[0, np.cumsum(gain)][np.minimum(n, k)]
    asked = n > 0
    return np.array([(hits.sum(1)[asked] / n[asked]).mean(),
                     ((hits * gain).sum(1)[asked] / ideal[asked]).mean()])


def ease(x, ridge):
    """Steck 2019 (WWW), equation 8."""
    g = (x.T @ x).astype(np.float64)
    g[np.diag_indices_from(g)] += ridge
    p = np.linalg.inv(g)
    b = p / -np.diag(p)
    np.fill_diagonal(b, 0)
    return x @ b.astype(np.float32)


def als(x, ridge, weight, d=64, rounds=10):
    """Hu, Koren and Volinsky 2008 (ICDM): a seen pair weighs 1 + weight, another one 1."""
    rng = np.random.default_rng(0)
    sides = [rng.normal(0, 0.01, (n, d)) for n in x.shape]

    def solve(rows, other):
        gram = other.T @ other + ridge * np.eye(d)
        return np.array([np.linalg.solve(gram + weight * other[i].T @ other[i],
                                         (1 + weight) * other[i].sum(0))
                         for i in (np.flatnonzero(row) for row in rows)])

    for _ in range(rounds):
        sides[0] = solve(x, sides[1])
        sides[1] = solve(x.T, sides[0])
    return (sides[0] @ sides[1].T).astype(np.float32)


PEERS = {'ease': (ease, [(r,) for r in (100, 200, 300, 500, 1000)]),
         'als': (als, [(r, w) for r in (10, 30, 100) for w in (2, 8)])}


def peer(name, pairs, held, seed, shape):
    make, grid = PEERS[name]
    train, test = pairs[~held], matrix(pairs[held], shape)
    late = cut(train, seed + 1000)
    x, valid = matrix(train[~late], shape), matrix(train[late], shape)
    chosen = max(grid, key=lambda g: judge(make(x, *g), x, valid)[1])
    x = matrix(train, shape)
    return judge(make(x, *chosen), x, test)


def write(path, pairs):
    with gzip.open(path, 'wt') as file:
        file.write('user_id,item_id\n')
        file.writelines('%d,%d\n' % tuple(p) for p in pairs)


def nightjar(folder, *settings):
    """A run of best.yaml; the work database that it leaves, and its CPU seconds."""
    command = ['nice', PROGRAM, 'run', BEST, '--quiet']
    for text in settings:
        command += ['--set', text]
    env = dict(os.environ, NIGHTJAR_DATA=folder, NIGHTJAR_OUT=folder, NIGHTJAR_SET='set')
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode not in (0, 65):
        sys.exit(done.stderr)
    work = sqlite3.connect(os.path.join(folder, 'best.work.db'))
    run, seconds = work.execute('SELECT run, sum(cpu_seconds) FROM stage_run'
                                ' WHERE run = (SELECT max(run) FROM run)').fetchone()
    return work, run, seconds


def figures(work, run):
    query = "SELECT value FROM run_metric WHERE run = ? AND model = 'nightjar' AND grp = 'all' AND name = ?"
    return np.array([work.execute(query, (run, m)).fetchone()[0] for m in ('recall@20', 'ndcg@20')])


def draw(rng):
    return ['stages.' + t for t in HAND] + ['stages.%s=%s' % (k, f(rng)) for k, f in RANGES.items()]


def random_search(folder, seed, n):
    """The settings of the best of n trials by train's validation value, and all CPU seconds."""
    rng, best, spent = random.Random(seed), (-1.0, None), 0.0
    # nothing behind train: its own validation is what the trials are told apart by
    text = open(BEST).read()
    with open(os.path.join(folder, 'trial.yaml'), 'w') as file:
        file.write(text[:text.index('  - calibrate')])
    for _ in range(n):
        settings = draw(rng)
        command = ['nice', PROGRAM, 'run', os.path.join(folder, 'trial.yaml'), '--quiet']
        for t in settings:
            command += ['--set', t]
        env = dict(os.environ, NIGHTJAR_DATA=folder, NIGHTJAR_OUT=folder, NIGHTJAR_SET='set')
        if subprocess.run(command, env=env, capture_output=True).returncode != 0:
            continue  # it diverged
        work = sqlite3.connect(os.path.join(folder, 'best.work.db'))
        value, seconds = work.execute(
            'SELECT (SELECT max(validation) FROM training_curve WHERE run = r), sum(cpu_seconds)'
            ' FROM stage_run, (SELECT max(run) AS r FROM run) WHERE run = r').fetchone()
        spent += seconds
        if value is not None and value > best[0]:
            best = (value, settings)
    return best[1], spent


def main():
    n_splits, n_trials = (int(os.environ.get(*d)) for d in (('SPLITS', 5), ('TRIALS', 200)))
    print('| set | by | Recall@20 | NDCG@20 | NDCG@20 against auto | CPU seconds |\n|---|---|---|---|---|---|')
    for name in os.environ.get('SETS', 'ml retail').split():
        pairs = pairs_of(name)
        shape = tuple(pairs.max(0) + 1)
        found = {}
        for seed in range(n_splits):
            held = cut(pairs, seed)
            print('%s, split %d' % (name, seed), file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                write(os.path.join(folder, 'set.train.csv.gz'), pairs[~held])
                write(os.path.join(folder, 'set.test.csv.gz'), pairs[held])
                work, run, seconds = nightjar(folder)
                found.setdefault('auto', []).append((*figures(work, run), seconds))
                for p in os.environ.get('PEERS', 'ease als').split():
                    started = time.process_time()
                    value = peer(p, pairs, held, seed, shape)
                    found.setdefault(p, []).append((*value, time.process_time() - started))
                if n_trials > 0:
                    settings, spent = random_search(folder, seed, n_trials)
                    work, run, seconds = nightjar(folder, *settings)
                    by = 'best of %d random trials' % n_trials
                    found.setdefault(by, []).append((*figures(work, run), spent + seconds))
        auto = np.array(found['auto'])
        for by, rows in found.items():
            rows = np.array(rows)
            gap = rows[:, 1] - auto[:, 1]
            error = gap.std(ddof=1) / len(gap) ** 0.5 if len(gap) > 1 else float('nan')
            print('| %s | %s | %.4f | %.4f | %+.4f (%.4f) | %.0f |'
                  % (name, by, *rows[:, :2].mean(0), gap.mean(), error, rows[:, 2].mean()), flush=True)


main()
