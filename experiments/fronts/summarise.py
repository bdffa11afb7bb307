"""Tables of experiments/fronts from the lines that front_study prints: python3 summarise.py FILE.csv…"""

import csv
import statistics
import sys
from collections import defaultdict


def cell(values: list[float]) -> str:
    return f"{statistics.fmean(values):.2f} ({min(values):.2f})" if values else "–"


def print_table(head: str, columns: list[str], rows: list[tuple[str, list[list[float]]]]) -> None:
    print(f"| {head} | " + " | ".join(columns) + " |")
    print("|---|" + "--:|" * len(columns))
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cell(values) for values in cells) + " |")
    print()


def main() -> None:
    shares = defaultdict(list)
    for path in sys.argv[1:]:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key = (row["trade_off"], row["strategy"], int(row["evaluations"]))
                shares[key].append(100.0 * float(row["share"]))
    trade_offs = list(dict.fromkeys(key[0] for key in shares))
    strategies = list(dict.fromkeys(key[1] for key in shares))
    evaluations = sorted({key[2] for key in shares})

    print("Mean (worst) of all runs after so many evaluations\n")
    print_table("strategy", [f"{count:,}" for count in evaluations],
                [(name, [[share for trade_off in trade_offs for share in shares[trade_off, name, count]]
                         for count in evaluations]) for name in strategies])
    if len(trade_offs) == 1:
        return
    common = max(count for count in evaluations
                 if all(shares[trade_offs[0], name, count] for name in strategies))
    print(f"Each trade-off after {common:,}: mean (worst seed)\n")
    print_table("trade-off", strategies,
                [(trade_off, [shares[trade_off, name, common] for name in strategies])
                 for trade_off in trade_offs])


if __name__ == "__main__":
    main()
