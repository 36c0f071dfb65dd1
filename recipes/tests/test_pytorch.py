"""Modules of PyTorch: what exporters drop, rename or fold is here."""

import numpy as np
import pytest

from recipes.tests.harness import hold, input_names, load, verdict, PROGRAM

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from recipes import pytorch  # noqa: E402


class Transformer(nn.Module):
    """Embeddings, one causal layer, logits by the tied embedding."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(11, 8), nn.Embedding(5, 8)
        self.layer = nn.TransformerEncoderLayer(
            8, 2, 16, dropout=0, activation="gelu", batch_first=True,
            norm_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens):
        length = tokens.shape[1]
        h = self.wte(tokens) + self.wpe(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(
            length, dtype=h.dtype)
        h = self.layer(h, src_mask=mask, is_causal=True)
        return self.head(self.norm(h)).transpose(1, 2)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(3, 4, num_layers=2, bidirectional=True,
                         batch_first=True)
        self.out = nn.Linear(8, 5)

    def forward(self, x):
        return self.out(self.cell(x)[0][:, -1])


class Branching(nn.Module):
    """Control flow that depends on values: torch.export gives up."""

    def __init__(self):
        super().__init__()
        self.inner, self.cell = nn.Linear(3, 5), nn.LSTM(5, 5)

    def forward(self, x):
        h = self.inner(x)
        return self.cell(torch.tanh(h) if float(h.mean()) > -100 else h)[0]


class Attention(nn.Module):
    """Two heads of 3 numbers: no power of two is the scale."""

    def __init__(self, **options):
        super().__init__()
        self.qkv, self.out = nn.Linear(6, 18), nn.Linear(6, 5)
        self.options = options

    def forward(self, x):
        q, k, v = self.qkv(x).reshape(2, 4, 3, 2, 3).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, **self.options)
        return self.out(h.transpose(1, 2).reshape(2, 4, 6).mean(1))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(16, 5))


def perceptron():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5))


def numbers(*shape):
    return torch.randn(shape)


def labels(count, *shape):
    return torch.randint(0, count, shape)


MODULES = {
    "perceptron": lambda: (perceptron(), numbers(2, 3), labels(5, 2)),
    "batch statistics": lambda: (convolutional(), numbers(2, 3, 8, 8),
                                 labels(5, 2)),
    "running statistics": lambda: (convolutional().eval(),
                                   numbers(2, 3, 8, 8), labels(5, 2)),
    "leaky": lambda: (nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.LeakyReLU(), nn.Flatten(), nn.Linear(16, 5),
        nn.Dropout(0.5)).eval(), numbers(2, 3, 6), labels(5, 2)),
    "transformer, tied": lambda: (Transformer(), labels(11, 2, 4),
                                  labels(11, 2, 4)),
    "attention": lambda: (Attention(is_causal=True), numbers(2, 4, 6),
                          labels(5, 2)),
    "attention, masked": lambda: (
        Attention(attn_mask=torch.rand(4, 4) > 0.2, scale=0.3),
        numbers(2, 4, 6), labels(5, 2)),
    "attention, biased": lambda: (
        Attention(attn_mask=torch.rand(4, 4).double()), numbers(2, 4, 6),
        labels(5, 2)),
    "LSTM": lambda: (Recurrent(nn.LSTM), numbers(2, 3, 3), labels(5, 2)),
    "GRU": lambda: (Recurrent(nn.GRU), numbers(2, 3, 3), labels(5, 2)),
    "traced": lambda: (Branching(), numbers(2, 3), labels(5, 2)),
}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", MODULES)
def test_modules(name, tmp_path):
    module, x, y = MODULES[name]()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    files = pytorch.export(module, F.cross_entropy, x, y, tmp_path)
    assert input_names(files) == [
        "x", "y", *(key for key, _ in module.named_parameters())]
    assert all(torch.equal(value, before[key])
               for key, value in module.state_dict().items())
    hold(files)


@pytest.mark.parametrize("smoothing", [0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weight", [None, torch.rand(5) + 0.1])
@pytest.mark.parametrize("target", [
    torch.tensor([0, 3, -100, 2]), torch.rand(4, 5).softmax(1)],
    ids=["indices", "probabilities"])
def test_cross_entropies(target, weight, reduction, smoothing, tmp_path):
    loss = nn.CrossEntropyLoss(weight, reduction=reduction,
                               label_smoothing=smoothing)
    hold(pytorch.export(perceptron(), loss, numbers(4, 3), target, tmp_path))


def test_single_precision(tmp_path):
    files = pytorch.export(perceptron(), F.mse_loss, numbers(2, 3),
                           numbers(2, 5), tmp_path, double=False)
    assert {value.dtype for value in load(files.gradient).values()} \
        == {np.dtype(np.float32)}
    hold(files)


def test_numbers_in_the_code_keep_their_digits(tmp_path):
    files = pytorch.export(
        perceptron(), lambda z, y: ((0.1 * z + 0.3) / 0.7 - y).square().mean(),
        numbers(2, 3), numbers(2, 5), tmp_path)
    from onnx import numpy_helper

    from recipes.tests.harness import model_of
    stored = {float(numpy_helper.to_array(tensor).ravel()[0])
              for tensor in model_of(files).graph.initializer}
    assert {0.1, 0.3, 0.7} <= stored
    hold(files)


def test_gradient_of_a_training_loop(tmp_path):
    module, x, y = perceptron(), numbers(2, 3), labels(5, 2)
    F.cross_entropy(module(x), y).backward()
    files = pytorch.export(module, F.cross_entropy, x, y, tmp_path,
                           gradients="grad")
    assert np.array_equal(load(files.gradient)["0.weight"],
                          module[0].weight.grad.numpy())
    hold(files)
    module[2].bias.grad = None
    with pytest.warns(UserWarning, match="2.bias: no gradient is held"):
        files = pytorch.export(module, F.cross_entropy, x, y, tmp_path,
                               gradients="grad")
    if PROGRAM:
        assert verdict(files)[0] == 1


def test_gradient_written_by_hand(tmp_path):
    module, x, y = nn.Linear(3, 5), numbers(2, 3), numbers(2, 5)
    dz = 2 / 10 * (module(x) - y).detach()
    gradients = {"weight": (dz.T @ x).numpy(), "bias": dz.sum(0)}
    hold(pytorch.export(module, F.mse_loss, x, y, tmp_path,
                        gradients=gradients))


def test_half_precision_gradient(tmp_path):
    module, x, y = nn.Linear(3, 5).bfloat16(), numbers(2, 3), numbers(2, 5)
    F.mse_loss(module(x.bfloat16()), y.bfloat16()).backward()
    files = pytorch.export(module, F.mse_loss, x.bfloat16(), y.bfloat16(),
                           tmp_path, gradients="grad")
    assert load(files.gradient)["weight"].dtype.name == "bfloat16"
    if PROGRAM:
        # Right, as far as a gradient of three digits can be told.
        status, said = verdict(files)
        assert status in (0, 3), said


def test_several_inputs_penalty_and_frozen_parameters(tmp_path):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.x, self.b = nn.Parameter(numbers(3, 5)), nn.Linear(3, 5)
            self.frozen = nn.Parameter(numbers(5), requires_grad=False)

        def forward(self, x, scale):
            return x @ self.x * scale + self.b(x) * self.frozen

    files = pytorch.export(
        Sum(), F.mse_loss, {"x": numbers(2, 3), "scale": numbers(1)},
        numbers(2, 5), tmp_path,
        penalty=lambda p: 0.05 * p["b.weight"].square().sum())
    # The module has a parameter called x.
    assert input_names(files) == ["x_", "scale", "y", "x", "b.weight",
                                  "b.bias"]
    hold(files)


def test_loss_with_parameters(tmp_path):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([2.0, 3.0]))

        def forward(self, output, target):
            return (self.scale[0] * output - target).square().mean() \
                * self.scale[1]

    files = pytorch.export(nn.Linear(3, 5), Scaled(), numbers(2, 3),
                           numbers(2, 5), tmp_path)
    assert input_names(files)[2:] == ["weight", "bias", "loss.scale"]
    hold(files)


def test_parameter_that_the_cost_ignores(tmp_path):
    files = pytorch.export_cost(
        lambda p, b: (b["x"] @ p["W"]).square().mean(),
        {"W": numbers(3, 2), "spare": numbers(2)}, {"x": numbers(4, 3)},
        tmp_path)
    assert input_names(files) == ["x", "W", "spare"]
    assert not load(files.gradient)["spare"].any()
    hold(files)


def test_dropout_kept_open(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 5))
    hold(pytorch.export(module, F.cross_entropy, numbers(2, 3), labels(5, 2),
                        tmp_path, dropout="keep-all"))
    assert module[1].p == 0.5


LINEAR = nn.Linear(3, 5)
REFUSALS = {
    "'1' drops at random": dict(
        module=nn.Sequential(LINEAR, nn.Dropout(0.5))),
    "not handed to it": dict(loss=lambda z, y: F.cross_entropy(z, y) + sum(
        p.square().sum() for p in LINEAR.parameters())),
    "asked again": dict(
        loss=lambda z, y: F.cross_entropy(F.dropout(z, 0.5), y)),
    r"is \[4, 5\], expected one number": dict(loss=lambda z, y: z),
    "call your backward": dict(gradients="grad"),
    'is "gradient"; expected "grad"': dict(gradients="gradient"),
    "did you mean 'weight'": dict(
        gradients={"weights": np.zeros((5, 3)), "bias": np.zeros(5)}),
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text, tmp_path):
    given = {"module": LINEAR, "loss": F.cross_entropy, **REFUSALS[text]}
    with pytest.raises(ValueError, match=text):
        pytorch.export(inputs=numbers(4, 3), targets=labels(5, 4),
                       folder=tmp_path, **given)
