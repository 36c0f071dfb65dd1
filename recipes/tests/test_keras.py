"""Models of Keras 3, on whichever of its backends is chosen."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from recipes.tests.harness import hold, input_names, load  # noqa: E402

BACKEND = os.environ["KERAS_BACKEND"]
pytest.importorskip(BACKEND)
pytest.importorskip({"torch": "onnxscript", "jax": "jax2onnx"}[BACKEND])
keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from recipes import keras as recipe  # noqa: E402

RNG = np.random.default_rng(0)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def labels(count, *shape):
    return RNG.integers(0, count, shape)


def perceptron():
    return keras.Sequential([
        keras.Input((5,)), layers.Dense(6, "tanh", name="hidden"),
        layers.Dense(4, name="output")], name="net")


def convolutional():
    return keras.Sequential([
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2"),
        layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(2),
        layers.Dropout(0.5), layers.Flatten(), layers.Dense(4)])


def transformer():
    tokens = keras.Input((5,), dtype="int32")
    h = layers.Embedding(7, 6)(tokens)
    h = h + layers.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True)
    h = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(h))
    return keras.Model(tokens, layers.Dense(4, activation="softmax")(h))


def recurrent(cell):
    return keras.Sequential([keras.Input((5, 2)), cell(4), layers.Dense(1)])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(5, "gelu"), layers.Dense(4)

    def call(self, x):
        return self.out(self.hidden(x))


def subclassed():
    model = Subclassed()
    model(numbers(1, 5))
    return model


MODELS = {
    "perceptron": (perceptron, CROSS_ENTROPY, numbers(3, 5), labels(4, 3)),
    "subclassed": (subclassed, CROSS_ENTROPY, numbers(3, 5), labels(4, 3)),
    "convolutional": (convolutional, CROSS_ENTROPY, numbers(3, 8, 8, 2),
                      labels(4, 3)),
    "transformer": (transformer, "sparse_categorical_crossentropy",
                    labels(7, 3, 5), labels(4, 3)),
    "LSTM": (lambda: recurrent(layers.LSTM), "mse", numbers(3, 5, 2),
             numbers(3, 1)),
    "GRU": (lambda: recurrent(layers.GRU), keras.losses.Huber(),
            numbers(3, 5, 2), numbers(3, 1)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_models(name, training, tmp_path):
    make, loss, x, y = MODELS[name]
    keras.utils.set_random_seed(0)
    model = make()
    files = recipe.export(model, loss, x, y, tmp_path, training=training,
                          dropout="keep-all")
    assert set(input_names(files)) == {"x", "y"} | {
        variable.path for variable in model.trainable_variables}
    # ONNX's evaluator knows no window of four axes, which JAX writes.
    hold(files, reference=(name, BACKEND) != ("convolutional", "jax"))
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert keras.config.floatx() == "float32"


def test_cost_is_that_of_training(tmp_path):
    model, (_, loss, x, y) = perceptron(), MODELS["perceptron"]
    model.compile("sgd", loss)
    files = recipe.export(model, None, x, y, tmp_path)
    assert files.cost == pytest.approx(model.evaluate(x, y, verbose=0),
                                       rel=1e-6)


def test_gradients_of_ones_own(tmp_path):
    model, (_, loss, x, y) = perceptron(), MODELS["perceptron"]
    right = load(recipe.export(model, loss, x, y, tmp_path).gradient)
    as_list = [right[variable.path].astype(np.float32)
               for variable in model.trainable_variables]
    files = recipe.export(model, loss, x, y, tmp_path / "list",
                          gradients=as_list)
    assert load(files.gradient)["net/hidden/kernel"].dtype == np.float32
    hold(files)
    with pytest.raises(ValueError, match="has 4 trainable weights"):
        recipe.export(model, loss, x, y, tmp_path, gradients=as_list[:2])


def test_dropout_is_refused(tmp_path):
    _, loss, x, y = MODELS["convolutional"]
    with pytest.raises(ValueError, match="drops at random, rate = 0.5"):
        recipe.export(convolutional(), loss, x, y, tmp_path)
