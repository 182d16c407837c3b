"""Saves a trained model, one net or the average of several, and loads it where nothing else is known.

`config.json` describes the nets and their inputs, `variables/` (Orbax) holds the weights.
"""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data.read import images, table
from overfit.nn import activations, models
from overfit.train import predict, step
from overfit.train.engine import population

MODELS = {'MLP': models.MLP, 'CNN': models.CNN}
ACTIVATIONS = {'relu': activations.relu, 'tanh': activations.tanh, 'sigmoid': activations.sigmoid}


class Predictor(NamedTuple):
    """A saved model in use.

    Attributes:
        model: linen module of each net.
        nets: trained nets; their probabilities are averaged.
        classes: names of the classes, in the order of the columns of `predict_proba`.
        kind: `'image'` or `'vector'`.
        shape: of one input, as the nets take it.
        columns: of the table that it was trained on, if it was.
        whole: labels are whole numbers.
    """

    model: object
    nets: Sequence[population.Trained]
    classes: tuple[str, ...]
    kind: str
    shape: tuple[int, ...]
    columns: tuple[table.Column, ...] = ()
    whole: bool = False

    def predict_proba(self, x: np.ndarray | str | os.PathLike) -> np.ndarray:
        """Returns class probabilities.

        Args:
            x: `[N, H, W, C]` or `[N, H, W]` images as in the training data (larger ones are reduced in
                the same way), or `[N, F]` vectors. If they came from a table, also the path of another
                one with the same columns, in any order; others (the label) are ignored. There a category
                unknown in training counts as none of the known ones, and a missing number becomes the
                median.

        Returns:
            `[N, classes]` float32, rows sum to 1.

        Raises:
            ValueError: inputs of another shape, or not finite; a table that lacks columns or has a text
                in a numeric one.
        """
        x = self._prepared(x)
        return np.exp(predict.predict(self.model, self.nets, x)).mean(0)

    def predict(self, x: np.ndarray | str | os.PathLike) -> np.ndarray:
        """Returns the most probable class of each input: whole numbers where the labels were, else names.

        Args and errors as of `predict_proba`.

        Returns:
            `[N]` labels, as in the training data.
        """
        return self.labels[self.predict_proba(x).argmax(-1)]

    @property
    def labels(self) -> np.ndarray:
        """`[classes]` labels as in the training data."""
        return np.array([int(name) for name in self.classes] if self.whole else self.classes)

    def _prepared(self, x):
        if isinstance(x, str | os.PathLike):
            if not self.columns:
                raise ValueError(
                    f'the model was not made from a table, so it cannot read {x}: '
                    f'give an array of shape [N, {", ".join(map(str, self.shape))}]'
                )
            x = table.read_inputs(pathlib.Path(x).expanduser(), self.columns)
        x = np.asarray(x)
        given = x.shape
        if self.kind == 'image' and x.ndim == 3:
            x = x[..., None]
        if self.kind == 'image' and x.ndim == 4:
            x = images.shrink(x)
        if x.ndim < 2 or x.shape[1:] != self.shape or x.dtype.kind not in 'biuf':
            raise ValueError(
                f'the model takes numbers of shape [N, {", ".join(map(str, self.shape))}]; '
                f'got {x.dtype} of shape {list(given)}'
            )
        if not np.isfinite(x).all():
            raise ValueError('the inputs hold NaN or infinite values; remove or replace them')
        return x if x.dtype == np.uint8 else x.astype(np.float32)


def save(
    path: str | os.PathLike,
    model,
    nets: Sequence[population.Trained],
    examples: base.Examples,
    about: dict | None = None,
) -> None:
    """Saves nets of one model.

    Args:
        path: a folder; what an earlier save left there is replaced.
        model: an `MLP` or a `CNN`.
        nets: trained, with variables.
        examples: what they were trained on; gives names, kind, shape and columns.
        about: anything worth keeping beside it, as JSON.
    """
    import orbax.checkpoint as ocp

    path = pathlib.Path(path).absolute()
    path.mkdir(parents=True, exist_ok=True)
    name = next(name for name, module in MODELS.items() if type(model) is module)
    fields = {
        'classes': model.classes,
        'widths': model.widths,
        'batch_norm': model.batch_norm,
        'activation': activation_name(model.activation),
    }
    if name == 'CNN':
        fields |= {'channels': model.channels, 'kernel': model.kernel}
    config = {
        'model': name,
        'fields': fields,
        'nets': len(nets),
        'classes': examples.classes,
        'kind': examples.kind,
        'shape': examples.x.shape[1:],
        'whole': examples.whole,
        'columns': [column._asdict() for column in examples.columns],
        'about': about or {},
    }
    (path / 'config.json').write_text(json.dumps(config, indent=1))
    stacked = jax.tree.map(lambda *a: np.stack(a), *[(t.variables, t.moments._asdict()) for t in nets])
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path / 'variables', {'variables': stacked[0], 'moments': stacked[1]}, force=True)


def load(path: str | os.PathLike) -> Predictor:
    """Loads what `save` saved.

    Args:
        path: its folder.

    Returns:
        A `Predictor`.

    Raises:
        ValueError: no model is saved there.
    """
    import orbax.checkpoint as ocp

    path = pathlib.Path(path).absolute()
    if not (path / 'config.json').is_file():
        raise ValueError(
            f'{path} holds no saved model: pass the folder "best" of a run of experiments.squeeze'
        )
    config = json.loads((path / 'config.json').read_text())
    fields = {f: tuple(v) if isinstance(v, list) else v for f, v in config['fields'].items()}
    model = MODELS[config['model']](**fields | {'activation': _activation(fields['activation'])})
    shape, count = tuple(config['shape']), config['nets']
    variables = {'batch_stats': {}} | dict(step.shapes_of(model, shape)[1])
    moments = dict.fromkeys(base.Moments._fields, jax.ShapeDtypeStruct(shape[-1:], jnp.float32))
    target = jax.tree.map(
        lambda a: np.zeros((count, *a.shape), a.dtype), {'variables': variables, 'moments': moments}
    )
    with ocp.StandardCheckpointer() as checkpointer:
        saved = jax.tree.map(np.asarray, checkpointer.restore(path / 'variables', target))
    nets = []
    for number in range(count):
        own = jax.tree.map(lambda a, number=number: a[number], saved)
        unknown = float('nan')
        nets.append(
            population.Trained(
                own['variables'],
                base.Moments(**own['moments']),
                unknown,
                unknown,
                0,
                0,
                True,
                np.zeros((0, 5)),
            )
        )
    columns = tuple(
        table.Column(**c | {'categories': c['categories'] and tuple(c['categories'])})
        for c in config['columns']
    )
    return Predictor(model, nets, tuple(config['classes']), config['kind'], shape, columns, config['whole'])


def activation_name(activation: base.Activation) -> str:
    """The name under which an activation is saved."""
    names = [name for name, known in ACTIVATIONS.items() if known == activation]
    return names[0] if names else f'maxout {activation.pieces}'


def _activation(name):
    if name.startswith('maxout '):
        return activations.maxout(int(name.removeprefix('maxout ')))
    return ACTIVATIONS[name]
