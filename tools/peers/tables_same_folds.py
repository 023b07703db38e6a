#!/usr/bin/env python3
"""LightGBM and scikit-learn's logistic regression on the folds of `touchstone eval tables`.

usage: tables_same_folds.py DIR < folds     (folds: what the example table_folds prints)
needs: numpy, pandas, scikit-learn, lightgbm
Prints one JSON object a peer: means over the seeds of ROC-AUC, log loss and calibration error (ten bins of equal mass), held out.
"""
import json
import sys
import warnings

import lightgbm
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")


def peers(seed):
    return {
        "lightgbm": lightgbm.LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1),
        "lightgbm_300_lr0.05": lightgbm.LGBMClassifier(
            n_estimators=300, learning_rate=0.05, random_state=seed, n_jobs=1, verbose=-1
        ),
        "sklearn_logistic_regression": make_pipeline(
            SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression(max_iter=5000)
        ),
    }


def calibration_error(p, y):
    bins = np.array_split(np.argsort(p, kind="stable"), 10)
    return np.mean([abs(p[b].mean() - y[b].mean()) for b in bins if len(b)])


table = pd.read_csv(f"{sys.argv[1]}/train.csv")
y = table["label"].to_numpy()
X = table.drop(columns=["label", "group"], errors="ignore")
found = {}
for seed, line in enumerate(sys.stdin, 1):
    fold_of = np.array(json.loads(line))
    for name in peers(seed):
        p = np.zeros(len(y))
        for fold in np.unique(fold_of):
            out = fold_of == fold
            p[out] = peers(seed)[name].fit(X[~out], y[~out]).predict_proba(X[out])[:, 1]
        p = np.clip(p, 1e-6, 1 - 1e-6)
        found.setdefault(name, []).append([roc_auc_score(y, p), log_loss(y, p), calibration_error(p, y)])
for name, rows in found.items():
    auc, loss, error = np.mean(rows, axis=0)
    print(json.dumps({"peer": name, "seeds": len(rows), "roc_auc": round(auc, 4), "log_loss": round(loss, 4),
                      "calibration_error": round(error, 4)}))
