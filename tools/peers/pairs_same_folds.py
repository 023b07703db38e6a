#!/usr/bin/env python3
"""The peer of the pair matcher, on folds that both are given.

Makes five stratified folds of train + valid for each seed (repeated pairs in one fold), writes them down as one JSON object a line,
trains the peer's LightGBM on them and prints its F1 (threshold from the other folds). The peer itself is not copied: it is read from
the file named first, which must hold `load`, `features`, `tokens`, `best` and `MODELS`. The example `pairs_vs_peer` of touchstone-eval
reads the folds and the peer's figures, and prints both side by side.

usage: pairs_same_folds.py PEER.py OUT.jsonl SEEDS DIR…
needs: what PEER.py needs
"""
import collections
import importlib.util
import json
import pathlib
import sys

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold


def peer(path):
    """The peer's module, without letting it read our arguments as its own."""
    spec = importlib.util.spec_from_file_location("peer", path)
    module = importlib.util.module_from_spec(spec)
    arguments, sys.argv = sys.argv, [path]
    spec.loader.exec_module(module)
    sys.argv = arguments
    return module


def folds(pairs, seed):
    """The fold of each pair: stratified, equal records on both sides never parted."""
    key = [json.dumps([a, b], sort_keys=True) for a, b, _ in pairs]
    first = {}
    for i, k in enumerate(key):
        first.setdefault(k, i)
    unique = list(first.values())
    labels = [pairs[i][2] for i in unique]
    fold_of = {}
    for fold, (_, held) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(unique, labels)):
        fold_of.update((key[unique[i]], fold) for i in held)
    return np.array([fold_of[k] for k in key])


def main():
    path, out, n_seeds, *folders = sys.argv[1:]
    p = peer(path)
    with open(out, "w", encoding="utf8") as lines:
        for folder in map(pathlib.Path, folders):
            pairs = p.load(folder / "train.jsonl") + p.load(folder / "valid.jsonl")
            df = collections.Counter(t for a, b, _ in pairs for r in (a, b) for t in set(p.tokens(" ".join(r.values()))))
            x = np.array([p.features(a, b, df, 2 * len(pairs)) for a, b, _ in pairs])
            y = np.array([label for *_, label in pairs])
            for seed in range(1, int(n_seeds) + 1):
                fold = folds(pairs, seed)
                score = np.zeros(len(y))
                for k in range(5):
                    model = p.MODELS["lightgbm"]().set_params(random_state=seed, n_jobs=1)
                    score[fold == k] = model.fit(x[fold != k], y[fold != k]).predict_proba(x[fold == k])[:, 1]
                hit = np.zeros(len(y), bool)
                for k in range(5):
                    hit[fold == k] = score[fold == k] >= p.best(y[fold != k], score[fold != k])
                f1 = 100 * f1_score(y, hit)
                print(folder.name, seed, round(f1, 2), flush=True)
                lines.write(json.dumps({"set": folder.name, "seed": seed, "peer_f1": f1, "fold": fold.tolist()}) + "\n")
                lines.flush()


main()
