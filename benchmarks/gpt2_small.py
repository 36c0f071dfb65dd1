"""A Transformer of the shape of GPT-2 small (Radford et al. 2019) with random
weights: causal attention, tied embeddings, mean cross-entropy of the next
token. Parameters are called, and laid out, as in the released weights,
124,439,808 of them."""

from dataclasses import dataclass

import numpy as np

from onnx_graph import Graph

EPSILON = 1e-5
# GELU's tanh form, with √(2/π) as a float32 model stores it.
GELU_SCALE, GELU_CUBIC = float(np.float32(np.sqrt(2 / np.pi))), 0.044715


@dataclass(frozen=True)
class GPT2Small:
    """Its sizes; others than these make a network of the same kind."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 50257
    positions: int = 1024
    tokens: int = 64

    name = "gpt2-small"

    @property
    def row(self):
        """Where one row of the wrong gradient is wrong."""
        return f"h.{self.layers // 2}.mlp.c_fc.weight", 5

    @property
    def zero(self):
        """What the other wrong gradient leaves out."""
        return f"h.{self.layers // 4}.ln_2.bias"

    def parameters(self, rng):
        """Random parameters by name, float32. Products are x·W."""
        n, theta = self.width, {}

        def normal(name, *shape, mean=0.0, scale=0.02):
            theta[name] = np.float32(mean) + np.float32(scale) \
                * rng.standard_normal(shape, np.float32)

        normal("wte.weight", self.vocabulary, n)
        normal("wpe.weight", self.positions, n, scale=0.01)
        for layer in range(self.layers):
            h = f"h.{layer}"
            for norm in ("ln_1", "ln_2"):
                normal(f"{h}.{norm}.weight", n, mean=1)
                normal(f"{h}.{norm}.bias", n)
            for name, n_in, n_out in [
                    ("attn.c_attn", n, 3 * n), ("attn.c_proj", n, n),
                    ("mlp.c_fc", n, 4 * n), ("mlp.c_proj", 4 * n, n)]:
                last = name.endswith("c_proj")
                normal(f"{h}.{name}.weight", n_in, n_out,
                       scale=0.02 / np.sqrt(2 * self.layers) if last else 0.02)
                normal(f"{h}.{name}.bias", n_out)
        normal("ln_f.weight", n, mean=1)
        normal("ln_f.bias", n)
        return theta

    def data(self, rng):
        """Tokens x `[1, tokens]`, and y, each one's next."""
        text = rng.integers(0, self.vocabulary, self.tokens + 1)
        return {"x": text[None, :-1], "y": text[None, 1:].copy()}

    def model(self, theta, batch):
        """The cost as an ONNX model."""
        g, n, t = Graph(self.name), self.width, self.tokens
        for name, array in {**batch, **theta}.items():
            g.input(name, array)
        mask = g.constant(np.triu(np.full((1, 1, t, t), -np.inf), 1))

        def normalisation(h, name):
            return g.add("LayerNormalization", h, f"{name}.weight",
                         f"{name}.bias", axis=-1, epsilon=EPSILON)

        def linear(h, name):
            return g.add("Add", g.add("MatMul", h, f"{name}.weight"),
                         f"{name}.bias")

        def split_heads(h):
            h = g.add("Reshape", h, g.integers(1, t, self.heads, -1))
            return g.add("Transpose", h, perm=[0, 2, 1, 3])

        def attention(h, name):
            q, k, v = map(split_heads, g.add(
                "Split", linear(h, f"{name}.c_attn"), g.integers(n, n, n),
                outputs=3, axis=2))
            scores = g.add("MatMul", q, g.add("Transpose", k,
                                              perm=[0, 1, 3, 2]))
            scale = g.constant((n // self.heads) ** -0.5)
            scores = g.add("Add", g.add("Mul", scores, scale), mask)
            h = g.add("MatMul", g.add("Softmax", scores, axis=-1), v)
            h = g.add("Transpose", h, perm=[0, 2, 1, 3])
            h = g.add("Reshape", h, g.integers(1, t, n))
            return linear(h, f"{name}.c_proj")

        def gelu(h):
            cube = g.add("Mul", g.add("Pow", h, g.constant(3)),
                         g.constant(GELU_CUBIC))
            inner = g.add("Mul", g.add("Add", h, cube),
                          g.constant(GELU_SCALE))
            outer = g.add("Add", g.add("Tanh", inner), g.constant(1))
            return g.add("Mul", g.add("Mul", h, g.constant(0.5)), outer)

        h = g.add("Add", g.add("Gather", "wte.weight", "x"), g.add(
            "Gather", "wpe.weight", g.constant(np.arange(t)[None], np.int64)))
        for layer in range(self.layers):
            name = f"h.{layer}"
            inner = attention(normalisation(h, f"{name}.ln_1"),
                              f"{name}.attn")
            h = g.add("Add", h, inner)
            inner = gelu(linear(normalisation(h, f"{name}.ln_2"),
                                f"{name}.mlp.c_fc"))
            h = g.add("Add", h, linear(inner, f"{name}.mlp.c_proj"))
        z = g.add("MatMul", normalisation(h, "ln_f"),
                  g.add("Transpose", "wte.weight", perm=[1, 0]))
        z = g.add("Reshape", z, g.integers(-1, self.vocabulary))
        y = g.add("Reshape", "y", g.integers(-1))
        return g.model(g.add("SoftmaxCrossEntropyLoss", z, y))

    def cost(self, p, batch):
        """The cost in PyTorch, of tensors by name."""
        import torch
        from torch.nn import functional as F

        n, t = self.width, self.tokens

        def normalisation(h, name):
            return F.layer_norm(h, (n,), p[f"{name}.weight"],
                                p[f"{name}.bias"], EPSILON)

        def linear(h, name):
            return h @ p[f"{name}.weight"] + p[f"{name}.bias"]

        h = p["wte.weight"][batch["x"]] + p["wpe.weight"][:t]
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        for layer in range(self.layers):
            name = f"h.{layer}"
            q, k, v = (part.reshape(1, t, self.heads, -1).transpose(1, 2)
                       for part in linear(normalisation(h, f"{name}.ln_1"),
                                          f"{name}.attn.c_attn").split(n, 2))
            scores = q @ k.mT / (n // self.heads) ** 0.5
            weights = scores.masked_fill(future, -torch.inf).softmax(-1)
            h = h + linear((weights @ v).transpose(1, 2).reshape(1, t, n),
                           f"{name}.attn.c_proj")
            a = linear(normalisation(h, f"{name}.ln_2"), f"{name}.mlp.c_fc")
            a = a / 2 * (1 + torch.tanh(
                GELU_SCALE * (a + GELU_CUBIC * a ** 3)))
            h = h + linear(a, f"{name}.mlp.c_proj")
        z = normalisation(h, "ln_f") @ p["wte.weight"].T
        return F.cross_entropy(z.flatten(0, 1), batch["y"].flatten())
