"""Sets prepared by TensorFlow Datasets, read as `array_record`: no TensorFlow, no network."""

import contextlib
import difflib
import importlib
import importlib.util
import io
import os
import pathlib
import re
import tempfile

import numpy as np

from overfit.data import grouping, kinds
from overfit.data.read import images, pillow
from overfit.data.source import Source

NAME = re.compile(r'(?P<set_name>[a-z]\w*)(?:/(?P<config>[\w.+-]+))?(?::(?P<version>[\d.]+))?')


def data_dir() -> pathlib.Path:
    """Where TFDS keeps its sets: `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    return pathlib.Path(os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets').expanduser()


def read_digits(*, image_size: int | None = None) -> Source:
    """Reads the built-in set, preparing it on first use; if that cannot be kept, for this run only."""
    from overfit.data.read import digits

    try:
        return read_folder(digits.prepare(data_dir()), image_size=image_size)
    except OSError as error:
        with tempfile.TemporaryDirectory() as folder:
            source = read_folder(digits.prepare(pathlib.Path(folder)), image_size=image_size)
        note = (
            f'{data_dir()} cannot be used ({error.strerror or error}): digits were prepared for this run only'
        )
        return source._replace(notes=(*source.notes, note))


def read(
    name: str,
    *,
    label: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
) -> Source:
    """Reads a prepared set.

    Args:
        name: TFDS's, `set`, `set/config`, `set:version` or `set/config:version`.
        label: the feature that holds the label, if it is not the set's own.
        group: the feature that holds the group, a number or a text.
        image_size: pixels of an image's longer side, 8 to 128; `None`: `images.default_size`.
        minutes: the study's budget, for the size.

    Returns:
        Images or vectors, with the set's test (or validation) split if it has one.

    Raises:
        ValueError: if the name is unknown, the set is not prepared, or is not of images or vectors.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(f'data={name} is neither a file or folder that exists nor a name of TFDS.')
    folder = _find(**match.groupdict())
    if folder is None:
        _explain_unprepared(name, **match.groupdict(), label=label)
    if not any(folder.glob('*.array_record*')):
        raise ValueError(
            f'{folder} is not prepared as array_record, the one format that is read without TensorFlow: '
            f'set TFDS_DATA_DIR to another folder and prepare the set there with {_command(name)}.'
        )
    return read_folder(folder, label=label, group=group, image_size=image_size, minutes=minutes)


def read_folder(
    folder: pathlib.Path,
    *,
    label: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
) -> Source:
    """Reads one prepared version: the folder that holds `dataset_info.json`. For the rest see `read`."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder, file_format='array_record')
    x_key, y_key = _keys(builder.info, label)
    group_key = _group_key(builder.info, group, x_key) if group else y_key
    available = builder.info.splits
    test = next((split for split in ('test', 'validation') if split in available), None)
    if 'train' not in available:
        raise ValueError(f'{builder.info.name} has no split named train: it has {", ".join(available)}.')
    used = ['train', test] if test else ['train']
    rows = {split: _rows(builder, split, x_key, y_key, group_key) for split in used}
    feature = builder.info.features[x_key]
    notes = [f'split {split} is not used' for split in sorted(set(available) - set(used))]
    flat = [x for split in used for x, *_ in rows[split]]
    if isinstance(feature, tfds.features.Image):
        found = [pillow.look(x, f'{builder.info.name}, image {i}') for i, x in enumerate(flat)]
        x, reading, remarks, origin = images.stack(found, image_size=image_size, minutes=minutes)
        kind, notes = kinds.image, [*notes, *remarks]
    else:
        if image_size is not None:
            raise ValueError(f'image_size={image_size} is for images: leave it out for {builder.info.name}.')
        kind, reading, origin = kinds.vector, {}, ''
        x = np.array(flat, np.float32)
        if not np.isfinite(x).all():
            raise ValueError(
                f'{builder.info.name}: feature {x_key} holds NaN or infinity: use a set without them.'
            )
    y = np.array([label for split in used for _, label, _ in rows[split]], np.int64)
    if y.min() < 0:
        raise ValueError(
            f'{builder.info.name}: the labels of {" or ".join(used)} are hidden (-1), so it cannot be used.'
        )
    n = len(rows['train'])
    names = tuple(builder.info.features[y_key].names)
    source = Source(x[:n], y[:n], kind, names=names, notes=tuple(notes), reading=reading, origin=origin)
    if test:
        source = source._replace(x_test=x[n:], y_test=y[n:], how=f"the set's own split {test}")
    if group:
        codes = np.array([one for split in used for *_, one in rows[split]])
        codes = grouping.clean(codes, f'{builder.info.name}: feature {group} for group={group}', len(y))
        source = source._replace(groups=codes[:n], groups_test=codes[n:] if test else None)
    return source


def _rows(builder, split, x_key, y_key, group_key):
    """The raw input (encoded bytes for an image), the label and the group of each example."""
    import tensorflow_datasets as tfds

    encoded = isinstance(builder.info.features[x_key], tfds.features.Image)
    decoders = {x_key: tfds.decode.SkipDecoding()} if encoded else None
    records = builder.as_data_source(split, decoders=decoders, file_format='array_record')
    try:
        rows = records.__getitems__(range(len(records)))
    except RuntimeError:
        folder = builder.data_dir
        raise ValueError(
            f'{folder} is damaged: delete this folder, so that the set is prepared again.'
        ) from None
    return [(row[x_key], int(row[y_key]), row[group_key]) for row in rows]


def _keys(info, label):
    """Names of the features that hold the input and the label."""
    import tensorflow_datasets as tfds

    features = dict(info.features.items()) if isinstance(info.features, tfds.features.FeaturesDict) else {}
    listed = (
        ', '.join(f'{key} ({type(feature).__name__})' for key, feature in features.items()) or 'none by name'
    )
    own = info.supervised_keys or ()
    own_x, own_y = own if len(own) == 2 else (None, None)
    usable = [key for key, feature in features.items() if _usable(feature)]
    classes = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    if not usable and any(isinstance(feature, tfds.features.Text) for feature in features.values()):
        raise ValueError(
            f'{info.name} is a set of texts, and text is not supported yet: use images or vectors.'
        )
    x_key = own_x if own_x in features else usable[0] if len(usable) == 1 else None
    if x_key not in usable:
        raise ValueError(f'{info.name} has no single image or vector as its input; its features: {listed}.')
    y_key = label or (own_y if own_y in classes else classes[0] if len(classes) == 1 else None)
    if y_key not in classes:
        asked = f'has no classes in a feature {label}' if label else 'does not say which feature is the label'
        raise ValueError(f'{info.name} {asked}: give a ClassLabel as label=...; its features: {listed}.')
    return x_key, y_key


def _group_key(info, group, x_key):
    features = dict(info.features.items())
    if group not in features or group == x_key or features[group].shape != ():
        listed = ', '.join(f'{key} ({type(feature).__name__})' for key, feature in features.items())
        raise ValueError(
            f'{info.name} has no single number or text in a feature {group} for group={group}; '
            f'its features: {listed}.'
        )
    return group


def _usable(feature):
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.Image):
        return feature.np_dtype == np.uint8
    return (
        type(feature) is tfds.features.Tensor
        and len(feature.shape) == 1
        and np.dtype(feature.np_dtype).kind in 'uif'
    )


def _find(set_name, config, version):
    """The newest prepared folder of a set, or `None`."""
    root = data_dir() / set_name / (config or '')
    found = _versions(root, version)
    if not found and config is None and root.is_dir():
        variants = {folder.name: _versions(folder, version) for folder in sorted(root.iterdir())}
        variants = {name: folders for name, folders in variants.items() if folders}
        if len(variants) > 1:
            listed = ', '.join(variants)
            raise ValueError(
                f'{set_name} is prepared as {listed}: say which, as in {set_name}/{min(variants)}.'
            )
        found = next(iter(variants.values()), [])
    return max(found, key=lambda folder: [int(part) for part in folder.name.split('.')], default=None)


def _versions(root, version):
    """Prepared versions below `root`; a version that is being written has another name."""
    folders = [file.parent for file in root.glob('*/dataset_info.json')]
    return [f for f in folders if re.fullmatch(r'\d+(\.\d+)*', f.name) and f.name == (version or f.name)]


def _explain_unprepared(name, set_name, config, version, label):
    """Raises with what would make the set readable, or with the names nearest to it."""
    import tensorflow_datasets as tfds

    for room in ('structured', 'text'):  # which TFDS leaves out where h5py is missing
        with contextlib.suppress(ImportError):
            importlib.import_module(f'tensorflow_datasets.{room}')
    known = tfds.list_builders(with_community_datasets=False)
    if set_name not in known:
        prepared = [folder.name for folder in data_dir().glob('*/')] if data_dir().is_dir() else []
        near = difflib.get_close_matches(set_name, {'digits', *known, *prepared}, 3, 0.6)
        hint = f'did you mean {" or ".join(near)}?' if near else 'try digits, mnist or fashion_mnist.'
        raise ValueError(f'data={name} is neither a file or folder that exists nor a set of TFDS: {hint}')
    configs = list(tfds.builder_cls(set_name).builder_configs)
    if config and config not in configs:
        near = difflib.get_close_matches(config, configs, 3, 0.0)
        hint = f'it has {", ".join(near)}' if near else 'it has none'
        raise ValueError(f'{set_name} has no variant {config}: {hint}.')
    with tempfile.TemporaryDirectory() as empty:
        info = None
        # some sets need TensorFlow even to say what they are, and TFDS prints a banner
        banner = io.StringIO()
        with (
            contextlib.suppress(ImportError),
            contextlib.redirect_stdout(banner),
            contextlib.redirect_stderr(banner),
        ):
            info = tfds.builder(f'{set_name}/{config}' if config else set_name, data_dir=empty).info
    if info is not None:
        _keys(info, label)
        if version and version != str(info.version):
            raise ValueError(f'{set_name} has no version {version} here: this TFDS prepares {info.version}.')
    install = '' if importlib.util.find_spec('tensorflow') else 'pip install -e ".[tfds]", then '
    raise ValueError(
        f'{name} is not prepared in {data_dir()}: run {install}{_command(name)} (it downloads the set).'
    )


def _command(name):
    prepare = f"tfds.builder('{name}', file_format='array_record').download_and_prepare()"
    return f'python -c "import tensorflow_datasets as tfds; {prepare}"'
