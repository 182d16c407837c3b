"""Saves a trained model, one net or the average of several, and loads it where nothing else is known.

`config.json` describes the nets and their inputs, `variables/` (Orbax) holds the weights.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from overfit import base
from overfit.data import kinds, views
from overfit.nn import describe
from overfit.objectives import losses
from overfit.train import optimizers, predict, predictions, start, step

FORMAT = 2  # of `config.json`
PREDICT = {None: None, 'nearest_center': predictions.nearest_center}  # by the name in `config.json`
VIEWS = {None: None, 'shifted': views.shifted, 'mirrored': views.mirrored}  # likewise
LABEL = {'int': int, 'bool': 'True'.__eq__, 'str': str}  # makes a label of the name of its class


class Predictor(NamedTuple):
    """A model in use.

    Attributes:
        recipe: of each net; model, `predict`, `prepare` and `views` matter here.
        nets: trained nets; their probabilities are averaged.
        classes: names of the classes, in the order of the columns of `predict_proba`.
        kind: of the data.
        shape: of one raw input, as training had it.
        dtype: of raw inputs, as training had it.
        reading: what `kind.accept` has to know of the training data.
        label_type: of the labels that `predict` returns: `int`, `bool` or `str`.
    """

    recipe: base.Recipe
    nets: Sequence[predict.Net]
    classes: tuple[str, ...]
    kind: kinds.Kind
    shape: tuple[int, ...]
    dtype: str = 'float32'
    reading: Mapping[str, Any] = {}
    label_type: str = 'str'

    @classmethod
    def of(cls, recipe: base.Recipe, nets: Sequence[Any], examples: base.Examples) -> 'Predictor':
        """Makes a model of nets that `population.train` trained, with variables, on these examples."""
        return cls(
            recipe,
            [predict.Net(net.variables, net.loss_state, net.inputs) for net in nets],
            examples.classes,
            examples.kind,
            examples.x.shape[1:],
            examples.x.dtype.name,
            examples.reading,
            examples.label_type,
        )

    def __repr__(self) -> str:
        shape = ', '.join(map(str, self.shape))
        return (
            f'<{len(self.nets)} × {type(self.recipe.model).__name__} for {self.kind.noun} [N, {shape}], '
            f'{len(self.classes)} classes>'
        )

    def predict_proba(self, x: Any) -> np.ndarray:
        """Returns class probabilities.

        Args:
            x: what the kind of the data accepts. Images: arrays `[N, H, W, C]` or `[N, H, W]` as in the
                training data, or paths: one file, a folder, a list of files. Vectors: arrays `[N, F]`; if
                they came from a table, also the path of another table with the same columns, in any order,
                where others (the label) are ignored, a category unknown in training counts as none of the
                known ones, and a missing number becomes the median. See `data.kinds`.

        Returns:
            `[N, classes]` float32, rows sum to 1.

        Raises:
            ValueError: inputs that cannot be of the kind that the model was trained on, or not finite; the
                message says what was given and what would work.
        """
        x = self.kind.accept(x, self.reading, self.shape)
        return np.exp(predict.predict(self.recipe, self.nets, x)).mean(0)

    def predict(self, x: Any) -> np.ndarray:
        """Returns the most probable class of each input: a whole number or a boolean where the labels were.

        Args and errors as of `predict_proba`.

        Returns:
            `[N]` labels, as in the training data.
        """
        return self.labels[self.predict_proba(x).argmax(-1)]

    @property
    def labels(self) -> np.ndarray:
        """`[classes]` labels as in the training data."""
        return np.array([LABEL[self.label_type](name) for name in self.classes])

    def save(self, path: str | os.PathLike, about: Mapping[str, Any] | None = None) -> None:
        """Saves the model, for `overfit.load`.

        Args:
            path: a folder; what an earlier save left there is replaced.
            about: anything worth keeping beside it, as JSON.
        """
        import orbax.checkpoint as ocp

        path = pathlib.Path(path).absolute()
        path.mkdir(parents=True, exist_ok=True)
        nets = [_leaves(net, self.recipe) for net in self.nets]
        stacked = jax.tree.map(lambda *a: np.stack(a), *nets)
        config = {
            'format': FORMAT,
            **describe.to_config(self.recipe.model),
            'predict': _name(self.recipe.predict),
            'views': _name(self.recipe.views),
            'nets': len(self.nets),
            'classes': self.classes,
            'kind': self.kind.name,
            'shape': self.shape,
            'dtype': self.dtype,
            'label_type': self.label_type,
            'reading': dict(self.reading),
            'variables': _forms(nets[0]['variables']),
            'leaves': {part: [_form(leaf) for leaf in nets[0][part]] for part in ('inputs', 'loss_state')},
            'about': dict(about or {}),
        }
        (path / 'config.json').write_text(json.dumps(config, indent=1))
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(path / 'variables', stacked, force=True)


def load(
    path: str | os.PathLike,
    *,
    recipe: base.Recipe | nn.Module | None = None,
    kind: kinds.Kind | None = None,
) -> Predictor:
    """Loads what `Predictor.save` saved.

    Args:
        path: its folder.
        recipe: the module of a model that is not part of this package; or, where what predicts or its views
            are not either, the recipe with which it was trained.
        kind: of the data, where it is not part of this package.

    Returns:
        The model.

    Raises:
        ValueError: no model is saved there, or one that needs another `recipe` or `kind`.
    """
    import orbax.checkpoint as ocp

    path = pathlib.Path(path).absolute()
    config = _config(path)
    if kind is None:
        kind = kinds.KINDS.get(config['kind'])
    if not isinstance(kind, kinds.Kind) or kind.name != config['kind']:
        raise ValueError(
            f'{path} was trained on data of the kind {config["kind"]}: give that as load(path, kind=...), a '
            'kinds.Kind of this name'
        )
    if recipe is not None and not isinstance(recipe, base.Recipe | nn.Module):
        raise ValueError(f'recipe is a {type(recipe).__name__}: give the linen module or the overfit.Recipe')
    if not isinstance(recipe, base.Recipe):
        recipe = _recipe(path, config, kind, recipe)
    if recipe.prepare is None:
        recipe = recipe._replace(prepare=kinds.prepare_slot(kind))
    shape, count = tuple(config['shape']), config['nets']
    dummy = np.zeros((2, *shape), config['dtype'])
    inputs_form = jax.tree.structure(kind.measure(dummy))
    leaves = {
        part: [np.zeros(shape, dtype) for shape, dtype in forms] for part, forms in config['leaves'].items()
    }
    example = step.example_of(dummy, jax.tree.unflatten(inputs_form, leaves['inputs']), recipe)
    outputs, variables = start.shapes_of(recipe.model, example)
    blank = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), {'params': {}} | dict(variables))
    target = jax.tree.map(lambda a: np.zeros((count, *a.shape), a.dtype), {'variables': blank, **leaves})
    if _forms(blank) != config['variables']:
        raise ValueError(
            f'the weights in {path} are not those of {describe.describe(recipe.model, shape)}: give the '
            'module with the fields that it was trained with'
        )
    with ocp.StandardCheckpointer() as checkpointer:
        saved = jax.tree.map(np.asarray, checkpointer.restore(path / 'variables', target))
    state = jax.eval_shape(lambda: recipe.loss.init(outputs.logits.shape[-1], outputs.features.shape[-1]))
    nets = []
    for number in range(count):
        net = jax.tree.map(lambda a, n=number: a[n], saved)
        nets.append(
            predict.Net(
                net['variables'],
                jax.tree.unflatten(jax.tree.structure(state), net['loss_state']) if net['loss_state'] else (),
                jax.tree.unflatten(inputs_form, net['inputs']),
            )
        )
    return Predictor(
        recipe,
        nets,
        tuple(config['classes']),
        kind,
        shape,
        config['dtype'],
        config['reading'],
        config['label_type'],
    )


def _config(path):
    if not (path / 'config.json').is_file():
        raise ValueError(
            f'{path} holds no saved model: pass the folder "best" of a run of experiments.squeeze'
        )
    try:
        config = json.loads((path / 'config.json').read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}/config.json is damaged ({error}): save the model again') from None
    if not isinstance(config, dict) or config.get('format') != FORMAT:
        raise ValueError(
            f'{path}/config.json is not of this version of overfit (format {FORMAT}): train the model again'
        )
    return config


def _recipe(path, config, kind, model):
    """What a model needs in order to predict; the rest of a recipe only trains."""
    shown = config.get('views')  # models that were saved before there were views have none
    for name, known in ((config['predict'], PREDICT), (shown, VIEWS)):
        if name not in known:
            raise ValueError(
                f'{path} predicts with {name}, which is not part of overfit: give the recipe it was '
                'trained with as load(path, recipe=...)'
            )
    rule = PREDICT[config['predict']]
    return base.Recipe(
        describe.from_config(config) if model is None else model,
        losses.softmax if rule is None else losses.center,
        optimizers.by_hyper(optimizers.sgd),
        start.own,
        predict=rule,
        views=VIEWS[shown],
        prepare=kinds.prepare_slot(kind),
    )


def _name(rule):
    return None if rule is None else getattr(rule, '__name__', type(rule).__name__)


def _leaves(net, recipe):
    """A net as plain containers; the state of a loss matters only where something predicts with it."""
    state = () if recipe.predict is None else net.loss_state
    return {
        'variables': jax.tree.map(np.asarray, dict(net.variables)),
        'inputs': [np.asarray(leaf) for leaf in jax.tree.leaves(net.inputs)],
        'loss_state': [np.asarray(leaf) for leaf in jax.tree.leaves(state)],
    }


def _forms(variables):
    """Shape and type of every variable by its path; Orbax fills another shape without a word."""
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {jax.tree_util.keystr(path): _form(leaf) for path, leaf in leaves}


def _form(leaf):
    return [list(leaf.shape), leaf.dtype.name]
