#!/usr/bin/env python3
"""Means over the seeds of what active_search_study printed, as Markdown tables.

usage: summarise.py RESULTS.csv...
"""
import collections
import csv
import sys


def main(paths):
    shares = collections.defaultdict(list)
    for path in paths:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                key = (row["gain"], row["strategy"], row["cost"], int(row["evaluations"]))
                shares[key].append(float(row["share"]))
    evaluations = sorted({key[3] for key in shares})
    for gain, strategy in sorted({key[:2] for key in shares}):
        print(f"\n{gain}, {strategy}\n")
        print("| cost | seeds | " + " | ".join(map(str, evaluations)) + " | worst seed |")
        print("|---|--:|" + "--:|" * (len(evaluations) + 1))
        means = collections.defaultdict(list)
        for cost in sorted({key[2] for key in shares if key[:2] == (gain, strategy)}):
            runs = [shares[gain, strategy, cost, count] for count in evaluations]
            for count, run in zip(evaluations, runs):
                means[count].append(sum(run) / len(run))
            cells = [f"{100 * sum(run) / len(run):.2f}" for run in runs]
            print(f"| {cost} | {len(runs[-1])} | {' | '.join(cells)} | {100 * min(runs[-1]):.2f} |")
        cells = [f"{100 * sum(means[count]) / len(means[count]):.2f}" for count in evaluations]
        print(f"| mean | | {' | '.join(cells)} | |")


if __name__ == "__main__":
    main(sys.argv[1:])
