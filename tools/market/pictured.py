#!/usr/bin/env python3
"""The products of a catalog that have a photo named after them, and their brands.

    tools/market/pictured.py CATALOG.jsonl PHOTOS > pictured.jsonl
"""

import json
import sys
from pathlib import Path

catalog, photos = map(Path, sys.argv[1:3])
pictured = {photo.stem for photo in photos.iterdir()}
lines = [line for line in catalog.read_text(encoding="utf-8").splitlines() if line.strip()]
records = [json.loads(line) for line in lines]
kept = [r["kind"] == "product" and r["product_id"] in pictured for r in records]
brands = {r["brand_id"] for r, keep in zip(records, kept) if keep}
for record, keep, line in zip(records, kept, lines):
    if keep or (record["kind"] == "brand" and record["brand_id"] in brands):
        print(line)
