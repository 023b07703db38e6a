#!/usr/bin/env python3
"""LightGBM on rows drawn like those of `cargo bench -p touchstone-benches --bench classifier`: 100,000 x 60, one value in ten missing.

usage: boosting_speed.py    needs: numpy, lightgbm
Prints seconds of one training (300 trees of 24 leaves, step 0.05, 64 bins, one and two threads) and rows scored a second by one thread.
"""
import time

import lightgbm
import numpy as np

rng = np.random.default_rng(42)
n_rows, n_features = 100_000, 60
labels = (rng.random(n_rows) < 0.33).astype(int)
rows = rng.random((n_rows, n_features))
rows[:, ::3] += 0.15 * labels[:, None]
rows[rng.random(rows.shape) < 0.1] = np.nan
for n_jobs in (1, 2):
    model = lightgbm.LGBMClassifier(
        n_estimators=300, num_leaves=24, learning_rate=0.05, max_bin=64, subsample=0.8, subsample_freq=1, colsample_bytree=0.4,
        n_jobs=n_jobs, verbose=-1,
    )
    started = time.perf_counter()
    model.fit(rows, labels)
    print(f"fit, {n_jobs} threads: {time.perf_counter() - started:.2f} s")
started = time.perf_counter()
model.predict_proba(rows, num_threads=1)
print(f"score, 1 thread: {n_rows / (time.perf_counter() - started):.0f} rows/s")
one = rows[:1]
started = time.perf_counter()
for _ in range(200):
    model.predict_proba(one, num_threads=1)
print(f"score, one row: {(time.perf_counter() - started) / 200 * 1e6:.0f} us")
