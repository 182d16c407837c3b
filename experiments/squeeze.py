"""Which techniques help on your data, what each is worth in labels, and the best model.

    python -m experiments.squeeze
    python -m experiments.squeeze --data=my_images/ --budget_minutes=15
    python -m experiments.squeeze --data=table.csv --label=species --train_size=200

Without flags: the built-in digits with 200 labels, 5 to 6 minutes on 2 cores. Writes `results.json`,
`report.html` and the model `best/` into `--workdir`; `overfit.load('<workdir>/best').predict(x)` uses it.
"""

import contextlib
import datetime
import os
import pathlib
import shlex
import sys

from absl import app, flags, logging

from experiments import provenance
from experiments.shared_flags import DATA, LABELLED_SETS, SEED, as_flags, train_size_of

LABEL = flags.DEFINE_string('label', None, 'Column of a .csv that holds the class.')
GROUP = flags.DEFINE_string(
    'group',
    None,
    'Column, array or feature of which one value is never on both sides, as a patient; folder: the folders '
    'between class and image.',
)
TEST = flags.DEFINE_enum(
    'test',
    None,
    ['cross-fitted', 'holdout'],
    'How data without a test set are tested: every example by nets that have not seen it (the default), or '
    '30 % held out.',
)
VALIDATION = flags.DEFINE_float(
    'validation', 0.2, 'Fraction of the labelled examples that is held out, 0.1 to 0.3.'
)
TRIALS = flags.DEFINE_integer(
    'trials',
    None,
    'Settings tried of an arm on a labelled set; as the budget allows where not given.',
    lower_bound=1,
)
TECHNIQUES = flags.DEFINE_list(
    'techniques',
    None,
    'Techniques to compare, comma-separated; standard and all stand for many. Where not given: standard, or '
    'all where --budget_minutes pays for them.',
)
IMAGE_SIZE = flags.DEFINE_integer(
    'image_size',
    None,
    'Pixels of the longer side that images are brought to, 8 to 128; else by the set and the budget.',
)
MODEL = flags.DEFINE_enum('model', 'mlp', ['mlp', 'cnn'], "The baseline's model.")
WORKDIR = flags.DEFINE_string('workdir', None, 'Where results go; runs/<data>-<date> where not given.')
BUDGET_MINUTES = flags.DEFINE_float(
    'budget_minutes',
    None,
    'Minutes on 2 cores that settings, labelled sets and steps are scaled to; else the standard effort.',
    lower_bound=0.1,
)
DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Print what would run, and stop.')


def workdir_for(name: str) -> pathlib.Path:
    """Makes the folder for the results; says so in one sentence where it cannot."""
    now = datetime.datetime.now().strftime('%Y-%m-%d-%H%M%S')
    path = pathlib.Path(WORKDIR.value or f'runs/{name}-{now}')
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, 'no permission to write')
    except OSError as error:
        raise ValueError(
            f'--workdir={path} cannot be written to ({error.strerror}): name another folder'
        ) from error
    return path


def keep_programs() -> None:
    """Keeps compiled programs in the user's cache folder, so that the next run need not compile them.

    In `$XDG_CACHE_HOME/overfit`, else `~/.cache/overfit` (about 2 MB a study); `JAX_COMPILATION_CACHE_DIR`
    names another folder. Where there is neither, every run compiles.
    """
    import jax

    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    if jax.config.jax_compilation_cache_dir is None and os.path.isabs(cache):
        jax.config.update('jax_compilation_cache_dir', os.path.join(cache, 'overfit'))
        jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)


def main(arguments: list[str]) -> None:
    """Runs the study that the flags describe."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --data=digits')
    logging.set_verbosity(logging.WARNING)
    import jax

    if 'xla_force_host_platform_device_count' not in os.environ.get('XLA_FLAGS', ''):
        jax.config.update('jax_num_cpu_devices', provenance.cores())
    keep_programs()
    partial = None
    try:
        try:
            study = prepared()
            workdir = None if DRY_RUN.value else workdir_for(study.splits.name)
        except ValueError as error:
            print(f'squeeze: {as_flags(str(error))}', file=sys.stderr)
            sys.exit(1)
        if workdir is not None:
            partial = workdir / 'partial.json'  # stays where the run ends early
            partial.unlink(missing_ok=True)  # of an earlier run
            run(study, workdir, partial)
    except KeyboardInterrupt:
        measured = partial is not None and partial.exists()
        left = f'the arms measured so far are in {partial}' if measured else 'nothing was measured yet'
        print(f'\nsqueeze: interrupted; {left}', file=sys.stderr)
        sys.exit(130)


def prepared():
    """Loads the data and plans the study; prints what was understood of both."""
    from overfit.data import load
    from overfit.study import requests

    splits = load.load(
        DATA.value,
        label=LABEL.value,
        group=GROUP.value,
        test=TEST.value,
        image_size=IMAGE_SIZE.value,
        minutes=BUDGET_MINUTES.value,
    )
    print(as_flags(load.describe(splits)), flush=True)
    baseline = baseline_of(splits.train)
    request = requests.Request(
        train_size=train_size_of(len(splits.train.y)),
        validation=VALIDATION.value,
        techniques=techniques_of(baseline, splits.train.kind),
        baseline=baseline,
        minutes=BUDGET_MINUTES.value,
        trials=TRIALS.value,
        labelled_sets=LABELLED_SETS.value,
        seed=SEED.value,
    )
    study = requests.prepare(splits, request)
    print(as_flags(requests.describe(study)), flush=True)
    return study


def baseline_of(examples):
    """The baseline that `--model` names."""
    from overfit.data import kinds
    from overfit.study import baselines

    if MODEL.value == 'cnn' and examples.kind != kinds.image:
        raise ValueError(
            f'model=cnn needs images, and these are of the kind {examples.kind.name}: use model=mlp'
        )
    nets = {'mlp': baselines.mlp, 'cnn': baselines.cnn}
    return baselines.baseline(nets[MODEL.value](len(examples.classes)), examples.kind)


def techniques_of(baseline, kind):
    """The techniques that `--techniques` names; `None`: all of the standard ones that apply."""
    from overfit.study import techniques

    if TECHNIQUES.value is None:
        return None
    many, known = {'standard': techniques.STANDARD, 'all': techniques.ALL}, words()
    possible = [word for word, one in known.items() if one.applies(baseline.recipe, kind)]
    if not TECHNIQUES.value:
        raise ValueError(f'techniques= is empty; choose among standard, all, {", ".join(possible)}')
    chosen = []
    for word in TECHNIQUES.value:
        if word in many:
            chosen += [one for one in many[word] if one.applies(baseline.recipe, kind)]
        elif word in possible:
            chosen.append(known[word])
        else:
            raise ValueError(
                f'techniques={word} does not apply here; these do: standard, all, {", ".join(possible)}'
            )
    return chosen


def words():
    """The technique for each word that `--techniques` takes: its name in `overfit.techniques`."""
    from overfit.study import techniques
    from overfit.study.arms import Technique

    named = {word: one for word, one in vars(techniques).items() if isinstance(one, Technique)}
    return named | {'ensemble': techniques.ensemble(5)}


def run(study, workdir: pathlib.Path, partial: pathlib.Path) -> None:
    """Runs the study, prints the table, writes everything and says where it is.

    Args:
        study: what to run.
        workdir: where results go.
        partial: what is measured so far goes there, until all is.
    """
    from overfit.report import page, wording
    from overfit.study import squeeze as study_lib
    from overfit.study import tables
    from overfit.study.progress import Progress

    about = {
        'command': shlex.join(['python', '-m', 'experiments.squeeze', *sys.argv[1:]]),
        'versions': provenance.versions(),
        'git': provenance.git_hash(),
        'machine': provenance.machine(),
    }
    plan = study.design.plan
    with contextlib.closing(Progress(plan.seconds, compiling=plan.compiling)) as progress:
        found = study_lib.run(
            study, progress, about=about, keep=lambda results: page.write_json(results, partial)
        )
    results = found.results._replace(best=found.results.best._replace(path='best'))
    print('\n' + wording.table(results), flush=True)  # first of all: what fails from here on costs no table
    page.write_json(results, workdir / 'results.json')
    note = {
        'recipe': results.squeezed.technique,
        'hyper': dict(results.squeezed.hyper),
        'train_size': results.best.train,
        'command': about['command'],
    }
    found.model.save(workdir / 'best', note)
    tables.write(found.tables, workdir / 'tables.npz')
    test, classes = study.splits.test, study.splits.train.classes
    tables.write_probabilities(found.probabilities, test.reveal(), classes, workdir / 'oof.csv')
    page.write_html(results, found.material, workdir / 'report.html')
    partial.unlink()
    print(f'\n{workdir}/results.json, {workdir}/report.html')
    print('tables.npz, oof.csv: every mistake and probability, to compute with')
    print(f"overfit.load('{workdir}/best').predict(x) classifies new examples.")


if __name__ == '__main__':
    app.run(main)
