#!/usr/bin/env python3
"""Once-for-All's evolutionary search as a good Python program would run it.

The operators and settings are the reference's: population 100, 500 generations, the best quarter as
parents, half of the children by mutation (a block's kernel and expansion together, a depth, the
resolution, each with probability 0.1), half by uniform crossover, each repeated until it keeps the
latency. What costs time there is made fast here: the latency tables are arrays, the predictor runs in
PyTorch on all new networks of a generation, and a network that comes again is not predicted again.

Two styles: `loop` makes one child after another, as the reference does; `arrays` draws and checks all
children of a generation at once in numpy.

Prints one JSON line per seed: predicted top-1, latency, distinct networks, seconds.
"""

import argparse
import json
import pathlib
import random
import time

import numpy
import torch
import yaml

RESOLUTIONS = (160, 176, 192, 208, 224)
KERNELS = (3, 5, 7)
EXPANDS = (3, 4, 6)
WIDTHS = (24, 32, 48, 96, 136, 192)
STRIDES = (2, 2, 2, 1, 2)
SQUEEZE = (0, 1, 0, 1, 1)
SWISH = (0, 0, 1, 1, 1)
BLOCKS = 20


def half(pixels):
    return (pixels - 1) // 2 + 1


def block_key(pixels, inner, outer, middle, kernel, stride, skip, squeeze, swish):
    out = half(pixels) if stride == 2 else pixels
    return (f"expanded_conv-input:{pixels}x{pixels}x{inner}-output:{out}x{out}x{outer}-expand:{middle}"
            f"-kernel:{kernel}-stride:{stride}-idskip:{skip}-se:{squeeze}-hs:{swish}")


def read_tables(folder):
    """Fixed milliseconds [resolution] and those of blocks [resolution, block, kernel, expansion]."""
    fixed = numpy.zeros(len(RESOLUTIONS))
    blocks = numpy.zeros((len(RESOLUTIONS), BLOCKS, len(KERNELS), len(EXPANDS)))
    for r, resolution in enumerate(RESOLUTIONS):
        with open(folder / f"{resolution}_lookup_table.yaml", encoding="utf-8") as file:
            table = {key: entry["mean"] for key, entry in yaml.load(file, yaml.CSafeLoader).items()}
        pixels = half(resolution)
        fixed[r] += table[f"Conv-input:{resolution}x{resolution}x3-output:{pixels}x{pixels}x24"]
        fixed[r] += table[block_key(pixels, 24, 24, 24, 3, 1, 1, 0, 0)]
        for stage in range(5):
            for position in range(4):
                first = position == 0
                inner = WIDTHS[stage] if first else WIDTHS[stage + 1]
                stride = STRIDES[stage] if first else 1
                for k, kernel in enumerate(KERNELS):
                    for e, expand in enumerate(EXPANDS):
                        key = block_key(pixels, inner, WIDTHS[stage + 1], round(inner * expand), kernel,
                                        stride, 0 if first else 1, SQUEEZE[stage], SWISH[stage])
                        blocks[r, 4 * stage + position, k, e] = table[key]
                pixels = half(pixels) if stride == 2 else pixels
        fixed[r] += table[f"Conv_1-input:{pixels}x{pixels}x192-output:{pixels}x{pixels}x1152"]
        fixed[r] += table[f"AvgPool2D-input:{pixels}x{pixels}x1152-output:1x1x1152"]
        fixed[r] += table["Conv_2-input:1x1x1152-output:1x1x1536"]
        fixed[r] += table["Logits-input:1x1x1536-output:1000"]
    return fixed, blocks


class Predictor:
    def __init__(self, path):
        state = torch.load(path, map_location="cpu")
        layers = []
        for index in (0, 2, 4, 6):
            weight = state[f"{index}.weight"].float()
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data = weight
            layer.bias.data = state[f"{index}.bias"].float()
            layers += [layer, torch.nn.ReLU()]
        self.network = torch.nn.Sequential(*layers[:-1]).eval()

    def __call__(self, genes):
        active = active_blocks(genes)
        rows = numpy.arange(len(genes))
        features = numpy.zeros((len(genes), 128), numpy.float32)
        row, block = numpy.nonzero(active)
        features[row, 3 * block + genes[row, 1 + block]] = 1
        features[row, 60 + 3 * block + genes[row, 21 + block]] = 1
        features[rows, 120 + 3 + genes[:, 0]] = 1  # 160 pixels stand in column 3 of 112, 128, …
        with torch.inference_mode():
            return self.network(torch.from_numpy(features)).numpy()[:, 0]


# Genes of a network: resolution, 20 kernels, 20 expansions, 5 depths (0 to 2 beyond two blocks).
CHOICES = numpy.array([len(RESOLUTIONS)] + [3] * 45)
POSITION = numpy.tile(numpy.arange(4), 5)


def active_blocks(genes):
    return POSITION < 2 + numpy.repeat(genes[:, 41:46], 4, axis=1)


def latencies(genes, fixed, blocks):
    of_blocks = blocks[genes[:, :1], numpy.arange(BLOCKS), genes[:, 1:21], genes[:, 21:41]]
    return fixed[genes[:, 0]] + (of_blocks * active_blocks(genes)).sum(axis=1)


def until_feasible(count, draw, fixed, blocks, budget):
    """`count` networks from draw(indices) within the budget, drawing anew those beyond it."""
    genes = draw(numpy.arange(count))
    missing = numpy.flatnonzero(latencies(genes, fixed, blocks) > budget)
    while missing.size:
        genes[missing] = draw(missing)
        missing = missing[latencies(genes[missing], fixed, blocks) > budget]
    return genes


def search_by_arrays(predictor, fixed, blocks, budget, seed, options):
    generator = numpy.random.default_rng(seed)
    known = {}

    def scores(genes):
        canonical = genes.astype(numpy.uint8)
        active = active_blocks(genes)
        canonical[:, 1:21][~active] = 0
        canonical[:, 21:41][~active] = 0
        keys = [row.tobytes() for row in canonical]
        new = {}
        for index, key in enumerate(keys):
            if key not in known:
                new.setdefault(key, index)
        if new:
            predicted = predictor(genes[list(new.values())])
            known.update(zip(new.keys(), predicted.tolist()))
        return numpy.array([known[key] for key in keys])

    def random_genes(indices):
        return generator.integers(0, CHOICES, (len(indices), len(CHOICES)))

    size = options.population
    mutants = size // 2
    population = until_feasible(size, random_genes, fixed, blocks, budget)
    fitness = scores(population)
    best, best_genes = -1.0, None
    for _ in range(options.generations):
        order = numpy.argsort(fitness, kind="stable")[::-1][:size // 4]
        parents, parent_fitness = population[order], fitness[order]
        if parent_fitness[0] > best:
            best, best_genes = parent_fitness[0], parents[0]
        origin = parents[generator.integers(0, len(parents), mutants)]

        def mutate(indices):
            drawn = random_genes(indices)
            anew = generator.random((len(indices), 26)) < 0.1
            mask = numpy.concatenate([anew[:, :1], anew[:, 1:21], anew[:, 1:21], anew[:, 21:]], axis=1)
            return numpy.where(mask, drawn, origin[indices])

        pairs = generator.integers(0, len(parents), (2, size - mutants))

        def cross(indices):
            coins = generator.random((len(indices), len(CHOICES))) < 0.5
            return numpy.where(coins, parents[pairs[0, indices]], parents[pairs[1, indices]])

        children = numpy.concatenate([until_feasible(mutants, mutate, fixed, blocks, budget),
                                      until_feasible(size - mutants, cross, fixed, blocks, budget)])
        population = numpy.concatenate([parents, children])
        fitness = numpy.concatenate([parent_fitness, scores(children)])
    return best, float(latencies(best_genes[None], fixed, blocks)[0]), len(known)


def search_by_loop(predictor, fixed, blocks, budget, seed, options):
    draw = random.Random(seed)
    chance, choice = draw.random, draw.randrange
    fixed_ms, block_ms = fixed.tolist(), blocks.tolist()
    known = {}

    def latency(genes):
        table = block_ms[genes[0]]
        total = fixed_ms[genes[0]]
        for stage in range(5):
            for block in range(4 * stage, 4 * stage + 2 + genes[41 + stage]):
                total += table[block][genes[1 + block]][genes[21 + block]]
        return total

    def canonical(genes):
        genes = list(genes)
        for stage in range(5):
            for block in range(4 * stage + 2 + genes[41 + stage], 4 * stage + 4):
                genes[1 + block] = genes[21 + block] = 0
        return tuple(genes)

    def scored(individuals):
        keys = [canonical(genes) for genes in individuals]
        new = [key for key in dict.fromkeys(keys) if key not in known]
        if new:
            known.update(zip(new, predictor(numpy.array(new)).tolist()))
        return [(known[key], genes) for key, genes in zip(keys, individuals)]

    def random_genes():
        return [choice(len(RESOLUTIONS))] + [choice(3) for _ in range(45)]

    def mutant(parent):
        child = list(parent)
        if chance() < 0.1:
            child[0] = choice(len(RESOLUTIONS))
        for block in range(BLOCKS):
            if chance() < 0.1:
                child[1 + block] = choice(3)
                child[21 + block] = choice(3)
        for stage in range(5):
            if chance() < 0.1:
                child[41 + stage] = choice(3)
        return child

    def crossed(mother, father):
        return [draw.choice(pair) for pair in zip(mother, father)]

    def within_budget(make, *origin):
        while True:
            genes = make(*origin)
            if latency(genes) <= budget:
                return genes

    size = options.population
    mutants = size // 2
    population = scored([within_budget(random_genes) for _ in range(size)])
    best, best_genes = -1.0, None
    for _ in range(options.generations):
        parents = sorted(population, key=lambda one: one[0], reverse=True)[:size // 4]
        if parents[0][0] > best:
            best, best_genes = parents[0]
        children = [within_budget(mutant, draw.choice(parents)[1]) for _ in range(mutants)]
        children += [within_budget(crossed, draw.choice(parents)[1], draw.choice(parents)[1])
                     for _ in range(size - mutants)]
        population = parents + scored(children)
    return best, latency(best_genes), len(known)


STYLES = {"loop": search_by_loop, "arrays": search_by_arrays}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=pathlib.Path, help="folder with acc_predictor.pth and note10/")
    parser.add_argument("--budget", type=float, default=25.0, help="milliseconds")
    parser.add_argument("--style", choices=STYLES, default="loop")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--population", type=int, default=100)
    parser.add_argument("--generations", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    predictor = Predictor(options.data / "acc_predictor.pth")
    fixed, blocks = read_tables(options.data / "note10")
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        start = time.perf_counter()
        top1, latency, distinct = STYLES[options.style](predictor, fixed, blocks, options.budget, seed, options)
        print(json.dumps({"seed": seed, "top1": float(top1), "latency_ms": latency, "distinct": distinct,
                          "seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
