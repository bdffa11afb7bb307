#!/usr/bin/python3
"""Rate of calibrating and validating subnets: omnifit against PyTorch in the reference's way.

Runs `evaluation_bench` and `ofa_evaluation.py` (NCHW and channels-last) in turn over the same
weights, images and subnets, checks that all found the same losses, and prints medians over the
rounds and both ratios. Rounds alternate, and a ratio is taken inside a round, so that what else
the machine does falls on all of them.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LAYOUTS = ("nchw", "channels_last")
# Batch statistics in another order of sums: what float32 leaves of a loss.
LOSS_TOLERANCE = 1e-4


def run_omnifit(arguments, exchange):
    """Seconds a subnet and the results."""
    command = [
        str(arguments.bench),
        f"--exchange={exchange}",
        f"--subnets={arguments.subnets}",
        f"--threads={arguments.threads}",
        f"--classes={arguments.classes}",
        f"--px={arguments.px}",
        "--benchmark_min_time=0",
        "--benchmark_format=json",
    ]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    (row,) = json.loads(output.stdout)["benchmarks"]
    results = json.loads((exchange / "results.json").read_text())
    return 60.0 / row["subnets_per_minute"], results


def run_peer(arguments, exchange, layout):
    command = [
        "/usr/bin/python3",
        str(HERE / "ofa_evaluation.py"),
        str(exchange),
        f"--layout={layout}",
        f"--threads={arguments.threads}",
    ]
    output = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return output["seconds"] / len(output["results"]), output["results"]


def check_equal(ours, theirs, layout):
    if len(ours) != len(theirs):
        sys.exit(f"{layout}: {len(theirs)} subnets, expected {len(ours)}")
    for index, (own, peer) in enumerate(zip(ours, theirs)):
        if not abs(own["loss"] - peer["loss"]) <= LOSS_TOLERANCE * abs(peer["loss"]):
            sys.exit(f"subnet {index}, {layout}: loss {own['loss']}, the peer's {peer['loss']}")


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    wide = "with" if "avx512f" in facts.get("flags", "").split() else "without"
    cores = text.count("processor\t")
    return f"{facts.get('model name', 'unknown processor')}, {cores} cores, {wide} AVX-512"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=pathlib.Path, help="path of evaluation_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subnets", type=int, default=6, help="of every program in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--px", type=int, default=64)
    arguments = parser.parse_args()

    seconds = {name: [] for name in ("omnifit", *LAYOUTS)}
    ratios = {layout: [] for layout in LAYOUTS}
    with tempfile.TemporaryDirectory() as folder:
        exchange = pathlib.Path(folder)
        for number in range(arguments.rounds):
            own_seconds, own_results = run_omnifit(arguments, exchange)
            seconds["omnifit"].append(own_seconds)
            for layout in LAYOUTS:
                peer_seconds, peer_results = run_peer(arguments, exchange, layout)
                check_equal(own_results, peer_results, layout)
                seconds[layout].append(peer_seconds)
                ratios[layout].append(peer_seconds / own_seconds)
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)

    print(machine())
    print(f"{'':24}{'subnets/min':>12}{'ratio':>8}   ratios of the rounds")
    print(f"{'omnifit':24}{60.0 / statistics.median(seconds['omnifit']):12.1f}")
    for layout in LAYOUTS:
        rate = 60.0 / statistics.median(seconds[layout])
        rounds = " ".join(f"{ratio:.2f}" for ratio in ratios[layout])
        ratio = statistics.median(ratios[layout])
        print(f"{'PyTorch, ' + layout:24}{rate:12.1f}{ratio:8.2f}   {rounds}")


if __name__ == "__main__":
    main()
