"""The classifier: trained at start on a labelled market, such as `touchstone simulate` writes."""

import csv
import json
import pathlib

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import photos
from features import features

KINDS = ("boosting", "logistic")


def train(judge, folder, kind="boosting"):
    """A model of the features that `judge` finds in the folder's listings and photos."""
    folder = pathlib.Path(folder)
    with open(folder / "labels.csv", encoding="utf8") as lines:
        labels = {
            (row["listing_id"], int(row["version"])): int(row["label"]) for row in csv.DictReader(lines)
        }
    with open(folder / "listings.jsonl", encoding="utf8") as lines:
        listings = [json.loads(line) for line in lines]
    rows, y = [], []
    for start in range(0, len(listings), 1000):
        batch = listings[start : start + 1000]
        for case in judge.cases(batch, [local_photos(folder, listing) for listing in batch]):
            rows.append(features(judge.catalog, case))
            y.append(labels[case.listing["listing_id"], case.listing.get("version") or 1])
    rows = np.array(rows, np.float64)
    rows[0, np.isnan(rows).all(axis=0)] = (
        0  # no kind takes a column without any value (a market without photos)
    )
    return new(kind).fit(rows, np.array(y))


def new(kind):
    if kind == "logistic":
        imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
        return make_pipeline(imputer, StandardScaler(), LogisticRegression(max_iter=5000))
    return HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=15, random_state=1
    )


def local_photos(folder, listing):
    """The photos of a listing that lie beside it."""
    found = []
    for image, source in enumerate(listing.get("images") or []):
        path = folder / (source.get("url") or "")
        if path.is_file():
            hashes, quality = photos.hash_photo(path.read_bytes())
            found.append(photos.Photo(image, None, hashes, quality, None))
    return found
