"""The exact top-k of faiss, for bench_topk: topk_faiss.py USERS ITEMS DIMENSION K prints "CPU-seconds
wall-seconds peak-MiB" of one search of all users in an IndexFlatIP, without a bias and without seen items. Exits
with 77 where faiss is missing (Debian: python3-faiss)."""
import resource
import sys
import time

try:
    import faiss
    import numpy
except ImportError:
    sys.exit(77)


def unit_rows(rng, rows, columns):
    matrix = rng.standard_normal((rows, columns), dtype=numpy.float32)
    return matrix / numpy.linalg.norm(matrix, axis=1, keepdims=True)


n_users, n_items, d, k = (int(argument) for argument in sys.argv[1:])
rng = numpy.random.default_rng(1)
users, items = unit_rows(rng, n_users, d), unit_rows(rng, n_items, d)
index = faiss.IndexFlatIP(d)
index.add(items)
index.search(users[:1000], k)  # threads are started, memory is there
cpu, wall = time.process_time(), time.monotonic()
index.search(users, k)
cpu, wall = time.process_time() - cpu, time.monotonic() - wall
print(f"{cpu:.3f} {wall:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}")
