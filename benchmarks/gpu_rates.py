"""What a GPU reaches on its own, by PyTorch."""

import time


def rates(seconds):
    """FLOP/s of products of 8192 x 8192 matrices in float64 and float32, true
    float32 without TF32, and bytes a second, read and written, of a copy."""
    try:
        import torch
    except ImportError:
        raise RuntimeError("not installed: torch") from None
    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
    torch.backends.cuda.matmul.allow_tf32 = False
    side, length = 8192, 1 << 28

    def best(work):
        work()
        torch.cuda.synchronize()
        shortest, began = float("inf"), time.perf_counter()
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            work()
            torch.cuda.synchronize()
            shortest = min(shortest, time.perf_counter() - start)
        return shortest

    found = {"device": torch.cuda.get_device_name(),
             "torch": torch.__version__}
    for name, kind in (("f64", torch.float64), ("f32", torch.float32)):
        a, b = (torch.randn(side, side, dtype=kind, device="cuda")
                for _ in range(2))
        out = torch.empty_like(a)
        found[name] = 2 * side ** 3 / best(lambda: torch.mm(a, b, out=out))
    source = torch.zeros(length, device="cuda")
    target = torch.empty_like(source)
    found["bytes"] = 2 * 4 * length / best(lambda: target.copy_(source))
    return found
