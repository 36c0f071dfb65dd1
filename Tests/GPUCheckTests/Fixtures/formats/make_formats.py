#!/usr/bin/env python3
"""Writes the archives beside this script: python3 make_formats.py (NumPy; the same bytes every time
with the same NumPy and zlib)."""

import io
import pathlib
import struct
import zipfile

import numpy

HERE = pathlib.Path(__file__).parent
ARRAYS = {
    "W1": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4,
    "layer/b1": numpy.array([-1, 0, 2**53], dtype=numpy.int64),
    "zeros": numpy.asfortranarray(numpy.zeros((20, 30))),
    "scalar": numpy.float16(-1.5),
}


def npy(array, version=None):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, numpy.asanyarray(array), version=version)
    return file.getvalue()


def archive(members, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip of (name, contents) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, contents in members:
            target.writestr(zipfile.ZipInfo(name), contents, compression)
    return bytearray(file.getvalue())


def write(name, contents):
    (HERE / name).write_bytes(contents)


def main():
    numpy.savez(HERE / "stored.npz", **ARRAYS)
    numpy.savez_compressed(HERE / "deflated.npz", **ARRAYS)

    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 16
    write("zip64.npz", archive((f"{k}.npy", npy(v)) for k, v in ARRAYS.items()))
    zipfile.ZIP64_LIMIT = limit

    for version in (1, 2, 3):
        write(f"version{version}.npy", npy(ARRAYS["W1"], (version, 0)))
    write("pickle.npy", npy_of_objects())
    write("structured.npy", npy(numpy.zeros(2, dtype=[("a", "<f8"), ("b", "<i4")])))

    write("lzma.npz", archive([("W1.npy", npy(ARRAYS["W1"]))], zipfile.ZIP_LZMA))
    write("empty.npz", archive([]))
    # One member each; the tests change bytes of them.
    write("one-stored.npz", archive([("W1.npy", npy(ARRAYS["W1"]))], zipfile.ZIP_STORED))
    write("one-deflated.npz", archive([("W1.npy", npy(ARRAYS["W1"]))]))
    write("not-an-array.npz", archive([("notes.txt", b"hello")]))
    write("checkpoint.pt", archive([("archive/data.pkl", b"\x80\x02."), ("archive/version", b"3")]))
    write("two.npz", archive([("A.npy", npy(1.0)), ("B.npy", npy(2.0))]))

    bomb = archive([("W1.npy", npy(numpy.zeros(4)))])
    directory = bomb.rindex(b"PK\x01\x02")
    struct.pack_into("<I", bomb, directory + 24, 2**31)
    write("implausible.npz", bomb)
    write("overlap.npz", overlap())
    # The archive and the header of the array agree, the compressed bytes are others.
    write("short.npz", lying((2, 4)))
    write("long.npz", lying((2, 2)))


def lying(shape):
    """An archive whose W1 is announced with a shape other than that of its (2, 3) values."""
    real = npy(ARRAYS["W1"])
    contents = real.replace(b"(2, 3)", str(shape).encode())
    data = archive([("W1.npy", contents)])
    size = len(real) + 4 * (shape[0] * shape[1] - 6)
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, size)
    return data


def overlap():
    """A.npy holds, among its stored bytes, the whole of B.npy."""
    inner = archive([("B.npy", npy(2.0))])
    inner = bytes(inner[: inner.rindex(b"PK\x01\x02")])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as target:
        target.writestr(zipfile.ZipInfo("A.npy"), inner)
        nested = zipfile.ZipInfo("B.npy")
        (nested.CRC, nested.compress_size, nested.file_size) = struct.unpack_from("<III", inner, 14)
        nested.compress_type = zipfile.ZIP_DEFLATED
        nested.header_offset = file.getvalue().index(inner)
        target.filelist.append(nested)
        target.NameToInfo["B.npy"] = nested
    return file.getvalue()


def npy_of_objects():
    file = io.BytesIO()
    numpy.save(file, numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
