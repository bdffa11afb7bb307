#!/usr/bin/python3
"""Calibrates and validates subnets of an ofa_mbv3 supernet the way the reference does, with PyTorch.

Reads what `evaluation_bench --exchange DIR` wrote (weights, images, archs), runs the subnets one
after the other on `--threads` intra-op threads, and prints one JSON line: the seconds it took, and
top-1 and loss of every subnet. Loading is not timed, nor is the first subnet (a warm-up that is
then repeated).

The behaviour is the reference's: the supernet is copied, every batch norm of the copy normalises
with its batch's own mean and biased variance and collects both weighted by the number of images,
the averages are written into the leading channels of the supernet's running statistics, and the
supernet is then evaluated with sliced weights and those statistics, batch norm left unfolded.
"""

import argparse
import copy
import json
import pathlib
import time

import torch
import torch.nn.functional as F

DTYPES = {"F32": torch.float32, "I64": torch.int64}
STAGES = (  # width, stride, activation, squeeze-excite
    (24, 2, "relu", False),
    (40, 2, "relu", True),
    (80, 2, "h_swish", False),
    (112, 1, "h_swish", True),
    (160, 2, "h_swish", True),
)
MAX_DEPTH = 4
KERNEL_SIZES = (7, 5, 3)
NORM_EPS = 1e-5


def read_tensors(path):
    """The tensors of a safetensors file by name."""
    raw = bytearray(path.read_bytes())
    header_size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + header_size])
    data = memoryview(raw)[8 + header_size :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensor = torch.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]])
        tensors[name] = tensor.reshape(entry["shape"]).clone()
    return tensors


def make_divisible(value, divisor=8):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def activate(x, act):
    return F.relu(x, inplace=True) if act == "relu" else F.hardswish(x, inplace=True)


class RunningNorm:
    """Batch norm with the leading channels of the stored statistics."""

    def __init__(self, state):
        self.state = state

    def __call__(self, name, x):
        c = x.size(1)
        s = self.state
        return F.batch_norm(
            x,
            s[name + ".running_mean"][:c],
            s[name + ".running_var"][:c],
            s[name + ".weight"][:c],
            s[name + ".bias"][:c],
            False,
            0.1,
            NORM_EPS,
        )


class BatchNorm:
    """Batch norm with the batch's own statistics, collected per layer and weighted by images."""

    def __init__(self, state):
        self.state = state
        self.totals = {}

    def __call__(self, name, x):
        c = x.size(1)
        mean = x.mean(0, keepdim=True).mean(2, keepdim=True).mean(3, keepdim=True)
        variance = (x - mean) * (x - mean)
        variance = variance.mean(0, keepdim=True).mean(2, keepdim=True).mean(3, keepdim=True)
        mean, variance = mean.flatten(), variance.flatten()
        images = x.size(0)
        total = self.totals.setdefault(name, [0, 0.0, 0.0])
        total[0] += images
        total[1] = total[1] + mean * images
        total[2] = total[2] + variance * images
        s = self.state
        return F.batch_norm(
            x, mean, variance, s[name + ".weight"][:c], s[name + ".bias"][:c], False, 0.0, NORM_EPS
        )


class Supernet:
    """Weights by name; the subnet and the batch norm are arguments of forward()."""

    def __init__(self, state):
        self.state = state

    def depthwise_kernel(self, name, channels, size):
        weight = self.state[name + ".conv.weight"][:channels]
        for larger, smaller in zip(KERNEL_SIZES, KERNEL_SIZES[1:]):
            if weight.size(2) == size:
                break
            start = larger // 2 - smaller // 2
            window = weight[:, :, start : start + smaller, start : start + smaller]
            matrix = self.state[f"{name}.{larger}to{smaller}_matrix"]
            mapped = F.linear(window.reshape(channels, -1), matrix)
            weight = mapped.view(channels, 1, smaller, smaller)
        return weight

    def squeeze_excite(self, name, x):
        s = self.state
        c = x.size(1)
        mid = make_divisible(c // 4)
        y = x.mean(3, keepdim=True).mean(2, keepdim=True)
        y = F.conv2d(y, s[name + ".reduce.weight"][:mid, :c], s[name + ".reduce.bias"][:mid])
        y = F.relu(y, inplace=True)
        y = F.conv2d(y, s[name + ".expand.weight"][:c, :mid], s[name + ".expand.bias"][:c])
        return x * F.hardsigmoid(y, inplace=True)

    def block(self, name, x, out, mid, kernel_size, stride, act, se, norm):
        s = self.state
        h = x
        if mid is not None:
            weight = s[name + ".inverted_bottleneck.conv.conv.weight"][:mid, : x.size(1)]
            h = F.conv2d(h, weight.contiguous())
            h = activate(norm(name + ".inverted_bottleneck.bn.bn", h), act)
            weight = self.depthwise_kernel(name + ".depth_conv.conv", mid, kernel_size)
            h = F.conv2d(h, weight.contiguous(), None, stride, kernel_size // 2, 1, mid)
            h = activate(norm(name + ".depth_conv.bn.bn", h), act)
            if se:
                h = self.squeeze_excite(name + ".depth_conv.se.fc", h)
            weight = s[name + ".point_linear.conv.conv.weight"][:out, :mid]
            h = norm(name + ".point_linear.bn.bn", F.conv2d(h, weight.contiguous()))
        else:
            c = x.size(1)
            h = F.conv2d(h, s[name + ".depth_conv.conv.weight"], None, stride, 1, 1, c)
            h = activate(norm(name + ".depth_conv.bn", h), act)
            h = norm(name + ".point_linear.bn", F.conv2d(h, s[name + ".point_linear.conv.weight"]))
        return x + h if stride == 1 and x.size(1) == out else h

    def forward(self, x, arch, norm):
        s = self.state
        x = F.conv2d(x, s["first_conv.conv.weight"], None, 2, 1)
        x = activate(norm("first_conv.bn", x), "h_swish")
        x = self.block("blocks.0.conv", x, 16, None, 3, 1, "relu", False, norm)
        for stage, (width, stride, act, se) in enumerate(STAGES):
            for i in range(arch["d"][stage]):
                slot = stage * MAX_DEPTH + i
                x = self.block(
                    f"blocks.{1 + slot}.conv",
                    x,
                    width,
                    make_divisible(round(x.size(1) * arch["e"][slot])),
                    arch["ks"][slot],
                    stride if i == 0 else 1,
                    act,
                    se,
                    norm,
                )
        x = F.conv2d(x, s["final_expand_layer.conv.weight"])
        x = activate(norm("final_expand_layer.bn", x), "h_swish")
        x = x.mean(3, keepdim=True).mean(2, keepdim=True)
        x = activate(F.conv2d(x, s["feature_mix_layer.conv.weight"]), "h_swish")
        return F.linear(x.flatten(1), s["classifier.linear.weight"], s["classifier.linear.bias"])


def calibrate(net, arch, batches):
    """Writes averaged batch statistics into the leading channels of the running ones."""
    calibrated = Supernet(copy.deepcopy(net.state))
    norm = BatchNorm(calibrated.state)
    for batch in batches:
        calibrated.forward(batch, arch, norm)
    for name, (images, mean, variance) in norm.totals.items():
        channels = mean.numel()
        net.state[name + ".running_mean"][:channels].copy_(mean / images)
        net.state[name + ".running_var"][:channels].copy_(variance / images)


def validate(net, arch, batches):
    """Top-1 fraction and mean cross-entropy."""
    norm = RunningNorm(net.state)
    correct, loss, count = 0, 0.0, 0
    for images, labels in batches:
        logits = net.forward(images, arch, norm)
        correct += (logits.argmax(1) == labels).sum().item()
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        count += labels.numel()
    return correct / count, loss / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exchange", type=pathlib.Path, help="folder of evaluation_bench --exchange")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    channels_last = arguments.layout == "channels_last"
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    tensors = read_tensors(arguments.exchange / "images.safetensors")
    job = json.loads((arguments.exchange / "job.json").read_text())
    size = job["batch_size"]
    split = {
        name: tensors[name].contiguous(memory_format=memory_format).split(size)
        for name in ("calibration", "validation")
    }
    labelled = list(zip(split["validation"], tensors["labels"].split(size)))
    state = read_tensors(arguments.exchange / "weights.safetensors")
    if channels_last:
        for name, tensor in state.items():
            if tensor.dim() == 4:
                state[name] = tensor.contiguous(memory_format=memory_format)
    net = Supernet(state)
    archs = job["archs"]

    with torch.inference_mode():
        calibrate(net, archs[0], split["calibration"][:1])
        validate(net, archs[0], labelled[:1])
        results = []
        start = time.perf_counter()
        for arch in archs:
            calibrate(net, arch, split["calibration"])
            top1, loss = validate(net, arch, labelled)
            results.append({"top1": top1, "loss": loss})
        seconds = time.perf_counter() - start
    print(json.dumps({"layout": arguments.layout, "seconds": seconds, "results": results}))


if __name__ == "__main__":
    main()
