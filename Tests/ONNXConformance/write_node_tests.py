"""Writes ONNX's own node tests (onnx.backend.test.case.node) to a folder, one folder each:
model.onnx, and inputs.npz and outputs.npz by name. Tests of strings, sequences and the like, which
are no arrays of numbers, are left out. `python write_node_tests.py FOLDER`"""

import json
import pathlib
import sys
import warnings

import ml_dtypes
import numpy as np

warnings.simplefilter("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

NARROW = {np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")}


def storable(value):
    """The array as .npz holds it; None for what is no array of numbers."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return None
    value = np.asarray(value)
    if value.dtype in NARROW:
        return value.astype(np.float32)
    return value if value.dtype.kind in "fiub" else None


def main(folder):
    operators = {}
    cases = collect_testcases(None)
    for case in cases:
        if "_expanded" not in case.name:
            operators[case.name] = case.model.graph.node[-1].op_type
    written = 0
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        given, expected = case.data_sets[0]
        names = [i.name for i in case.model.graph.input], [o.name for o in case.model.graph.output]
        arrays = [[storable(v) for v in values] for values in (given, expected)]
        if any(a is None for side in arrays for a in side):
            continue
        path = folder / case.name
        path.mkdir(parents=True, exist_ok=True)
        (path / "model.onnx").write_bytes(case.model.SerializeToString())
        np.savez(path / "inputs.npz", **dict(zip(names[0], arrays[0])))
        np.savez(path / "outputs.npz", **dict(zip(names[1], arrays[1])))
        base = case.name.split("_expanded")[0]
        operator = operators.get(base) or case.model.graph.node[-1].op_type
        (path / "test.json").write_text(json.dumps({"operator": operator}))
        written += 1
    print(f"{written} of {len(cases)} tests")


main(pathlib.Path(sys.argv[1]))
