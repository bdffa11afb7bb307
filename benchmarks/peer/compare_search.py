#!/usr/bin/python3
"""Seconds of the reference's evolution: omnifit's preset against two Python programs.

Runs `released_search_study --search reference` and `ofa_search.py` in both styles in turn, each on
one thread and the same core, over the same budgets and seeds. A ratio is taken inside a round, of the
seconds that all runs of the round took, so that what else the machine does falls on all of them.
What is timed is the search alone: neither reading files nor starting a program. Checks that all find
archs of the same quality.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
STYLES = ("loop", "arrays")
# Means over the seeds of a round: what different random numbers leave.
QUALITY_TOLERANCE = 0.006
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(command, core):
    environment = {**os.environ, **ONE_THREAD}
    pin = (lambda: os.sched_setaffinity(0, {core})) if core >= 0 else None
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, preexec_fn=pin)
    return [json.loads(line) for line in output.stdout.splitlines()]


def commands(arguments, budget, first_seed):
    common = [f"--budget={budget}", f"--seeds={arguments.seeds}", f"--first-seed={first_seed}"]
    # The study runs the reference twice per seed.
    own = [str(arguments.study), "--data", str(arguments.data), "--search", "reference", "--threads", "1", "--json",
           f"--budget={budget}", f"--seeds={(arguments.seeds + 1) // 2}", f"--first-seed={first_seed}"]
    peer = ["/usr/bin/python3", str(HERE / "ofa_search.py"), str(arguments.data), *common]
    return {"omnifit": own, **{style: [*peer, f"--style={style}"] for style in STYLES}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=pathlib.Path, help="path of released_search_study")
    parser.add_argument("data", type=pathlib.Path, help="folder with acc_predictor.pth and note10/")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4, help="of every budget in a round; even")
    parser.add_argument("--budgets", type=float, nargs="+", default=[15, 20, 25, 30, 35], help="milliseconds")
    parser.add_argument("--core", type=int, default=0, help="all programs run on it; -1: on any")
    arguments = parser.parse_args()
    if arguments.seeds % 2:
        parser.error("--seeds must be even")

    names = ("omnifit", *STYLES)
    seconds = {budget: {name: [] for name in names} for budget in arguments.budgets}
    rounds = {name: [0.0] * arguments.rounds for name in names}
    for number in range(arguments.rounds):
        for budget in arguments.budgets:
            quality = {}
            for name, command in commands(arguments, budget, 1 + number * arguments.seeds).items():
                runs = run(command, arguments.core)
                taken = [one["seconds"] for one in runs]
                seconds[budget][name] += taken
                rounds[name][number] += sum(taken)
                quality[name] = statistics.fmean(one["top1"] for one in runs)
            if max(quality.values()) - min(quality.values()) > QUALITY_TOLERANCE:
                sys.exit(f"{budget} ms: mean top-1 {quality}")
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

    print(f"{'budget':>8}" + "".join(f"{name:>10}" for name in names) + "   seconds of a search, medians")
    for budget, taken in seconds.items():
        print(f"{budget:8g}" + "".join(f"{statistics.median(taken[name]):10.3f}" for name in names))
    for style in STYLES:
        ratios = [peer / own for peer, own in zip(rounds[style], rounds["omnifit"])]
        print(f"{style}: {statistics.median(ratios):.2f} times omnifit's seconds; "
              f"rounds {' '.join(f'{ratio:.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
