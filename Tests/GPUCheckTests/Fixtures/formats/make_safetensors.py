#!/usr/bin/env python3
"""Writes the Safetensors files beside this script: python3 make_safetensors.py (NumPy and the
package safetensors, whose own writer makes them)."""

import pathlib
import struct

import numpy
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
TYPES = ["float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16"]
TYPES += ["uint32", "uint64", "bool"]


def main():
    # One tensor of every type that NumPy has: 0, 1 and the like, named after the type.
    tensors = {name: numpy.array([[0, 1, 0], [1, 1, 0]]).astype(name) for name in TYPES}
    tensors["scalar"] = numpy.array(-1.5)
    tensors["none"] = numpy.zeros((0, 4), dtype=numpy.float32)
    tensors["layer/ß"] = numpy.array([0.1, -numpy.inf, numpy.nan])
    save_file(tensors, HERE / "types.safetensors", metadata={"format": "np", "by": "a \"test\""})

    # NumPy has no bfloat16: its bits are written as uint16, and the header is told so.
    values = numpy.array([1.0, -2.5, 3.140625, numpy.inf], dtype=numpy.float32)
    path = HERE / "bfloat16.safetensors"
    save_file({"W1": (values.view(numpy.uint32) >> 16).astype(numpy.uint16)}, path)
    data = path.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header = data[8 : 8 + length].replace(b'"U16"', b'"BF16"').rstrip()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])


if __name__ == "__main__":
    main()
