"""Recipes that write a framework's model, batch and gradient as files for gpucheck.

    from recipes import pytorch        # or jax, keras, numpy
    pytorch.export(module, loss, x, y, "check")

The folder that holds `recipes` belongs on the Python path, not `recipes`
itself: its modules are called like the frameworks. See docs/recipes.md.
"""
