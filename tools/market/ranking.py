#!/usr/bin/env python3
"""The verdicts that rank highest and lowest, by row number, price ratio and reasons alone: nothing that names anybody.

    touchstone scan --all --catalog DIR/catalog.jsonl --listings DIR/listings.jsonl | tools/market/ranking.py [N]
"""

import json
import sys

n = int(sys.argv[1]) if len(sys.argv) > 1 else 20
verdicts = list(enumerate(json.loads(line) for line in sys.stdin))
verdicts.sort(key=lambda row: (-row[1].get("probability", 0.0), row[0]))
for title, part in (("highest", verdicts[:n]), ("lowest", verdicts[-n:])):
    print(f"\n| {title} | probability | decision | row of the table | price ratio | reasons |\n|---|---|---|---|---|---|")
    for idx, verdict in part:
        ratio = next((e["ratio"] for e in verdict["evidence"] if e["kind"] == "unit_price" and "ratio" in e), None)
        cells = [
            str(idx),
            f"{verdict.get('probability', 0.0):.3f}",
            verdict["decision"],
            str(verdict.get("row", "")),
            "" if ratio is None else f"{ratio:.2f}",
            ", ".join(verdict["reasons"]),
        ]
        print("| " + " | ".join(cells) + " |")
