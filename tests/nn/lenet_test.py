"""LeNet-5 against SciPy's correlation, and its published number of weights."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import signal

from overfit.nn import lenet


def convolved(image, kernel, bias, mode):
    out = [
        sum(signal.correlate2d(image[..., c], kernel[..., c, o], mode) for c in range(image.shape[-1]))
        for o in range(kernel.shape[-1])
    ]
    out = np.stack(out, -1) + bias
    rows, columns = out.shape[0] // 2, out.shape[1] // 2
    out = out[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1).max((1, 3))
    return np.maximum(out, 0)


class LeNetTest(chex.TestCase):
    def test_weights_as_published(self):
        net = lenet.LeNet5(10)
        shapes = jax.eval_shape(
            lambda k: net.init(k, jnp.zeros((1, 28, 28, 1)), train=False), jax.random.key(0)
        )
        self.assertEqual(sum(leaf.size for leaf in jax.tree.leaves(shapes)), 61_706)

    def test_against_scipy(self):
        x = np.random.default_rng(0).normal(size=(2, 17, 14, 2)).astype(np.float32)
        net = lenet.LeNet5(3)
        variables = jax.tree.map(lambda a: a + 0.1, net.init(jax.random.key(1), jnp.asarray(x), train=False))
        found = net.apply(variables, x, train=False)
        w = jax.tree.map(np.asarray, variables['params'])
        for n, image in enumerate(x):
            image = convolved(image, w['kernel_0'], w['bias_0'], 'same')
            hidden = convolved(image, w['kernel_1'], w['bias_1'], 'valid').reshape(-1)
            for layer in ('Dense_0', 'Dense_1'):
                hidden = np.maximum(hidden @ w[layer]['kernel'] + w[layer]['bias'], 0)
            np.testing.assert_allclose(found.features[n], hidden, rtol=1e-3, atol=1e-3)
            logits = hidden @ w['logits']['kernel'] + w['logits']['bias']
            np.testing.assert_allclose(found.logits[n], logits, rtol=1e-3, atol=1e-3)

    def test_dropout_acts_in_training_alone(self):
        x, net = jnp.ones((1, 12, 12, 1)), lenet.LeNet5(3)
        variables = net.init(jax.random.key(0), x, train=False)

        def said(train, **rates):
            rngs = {'dropout': jax.random.key(2)}
            return net.apply(variables, x, train=train, rngs=rngs, **rates).logits

        for rates in ({'dropout': 0.5}, {'input_dropout': 0.5}):
            self.assertGreater(np.abs(said(True, **rates) - said(True)).max(), 1e-4)
            np.testing.assert_array_equal(said(False, **rates), said(False))

    def test_images_too_small_are_refused(self):
        with self.assertRaisesRegex(ValueError, '12 pixels a side or more'):
            lenet.LeNet5(3).init(jax.random.key(0), jnp.ones((1, 8, 8, 1)), train=False)
