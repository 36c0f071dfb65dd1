"""The ONNX models of the benchmarks: a LeNet, a ResNet-20 and a small GPT.

    python3 benchmarks/models.py NAME OUT

LeNet      61,706 parameters, 28 x 28, batch 32
ResNet-20  272,474 parameters, 32 x 32, batch 2, the batch's statistics
GPT        118,528 parameters, 2 layers of width 64, 32 tokens, tied embeddings

Writes the files of large_models.py, the gradient in float64. Needs numpy,
onnx and torch. Exit status 3: one of them is not installed.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

PACKAGES = ("numpy", "onnx", "torch")


def networks():
    """The networks by name."""
    from gpt2_small import GPT2Small
    from lenet import LeNet
    from resnet18 import ResNet20
    return {"LeNet": LeNet(), "ResNet-20": ResNet20(),
            "GPT": GPT2Small(layers=2, width=64, heads=4, vocabulary=256,
                             positions=32, tokens=32)}


NAMES = ("LeNet", "ResNet-20", "GPT")
TITLES = {"LeNet": "LeNet-5 on 28 × 28, batch 32",
          "ResNet-20": "ResNet-20 on 32 × 32, batch 2",
          "GPT": "2 layers of width 64, 32 tokens"}


def missing():
    """The packages that are not installed."""
    return [name for name in PACKAGES
            if importlib.util.find_spec(name) is None]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    if missing():
        print(f"not installed: {', '.join(missing())}", file=sys.stderr)
        sys.exit(3)
    import large_models
    large_models.write(networks()[args.name], args.out, float64=True)


if __name__ == "__main__":
    main()
