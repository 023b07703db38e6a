#!/usr/bin/env python3
"""Five simulated markets judged by one model: mean and spread of every figure, and what each stage is worth.

    tools/market/five_seeds.py --catalog FILE --photos DIR --model FILE --work DIR [--config FILE] [--seeds 1 2 3 4 5]
                               [--listings N] [--without text image classifier]

Markets that stand in the work folder are used again. `touchstone` is taken from target/release. Prints a table in Markdown.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

TOUCHSTONE = Path(__file__).resolve().parents[2] / "target/release/touchstone"


def market(args, seed, wrong_labels):
    folder = args.work / f"market-{seed}-{wrong_labels}"
    if not (folder / "labels.csv").exists():
        command = [TOUCHSTONE, "simulate", "--seed", str(seed), "--listings", str(args.listings), "--out", folder]
        command += ["--wrong-labels", str(wrong_labels), "--catalog", args.catalog, "--photos", args.photos]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return folder


def figures(args, folder, *more):
    command = [TOUCHSTONE, "eval", "listings", folder, "--json", "--from-week", "5", "--model", args.model, *more]
    if args.config:
        command += ["--config", args.config]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
    return found["metrics"]


def table(title, runs):
    print(f"\n### {title}\n\n| figure | mean | least | most |\n|---|---|---|---|")
    for name in sorted({name for run in runs for name in run}):
        values = [run[name] for run in runs if name in run]
        shown = (statistics.mean(values), min(values), max(values))
        decimals = 0 if name in ("listings", "automatic.n") or name.endswith("_per_s") else 4
        print(f"| `{name}` | " + " | ".join(f"{value:.{decimals}f}" for value in shown) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--catalog", "--photos", "--model", "--work"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--listings", type=int, default=121_000)
    parser.add_argument("--wrong-labels", type=float, default=0.0)
    parser.add_argument("--without", nargs="*", default=[])
    args = parser.parse_args()
    folders = [market(args, seed, args.wrong_labels) for seed in args.seeds]
    table(f"{len(folders)} markets, wrong labels {args.wrong_labels}", [figures(args, folder) for folder in folders])
    for stage in args.without:
        table(f"without {stage}", [figures(args, folder, "--without", stage) for folder in folders])


if __name__ == "__main__":
    main()
