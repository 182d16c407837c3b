"""Which techniques help on your data, what each is worth in labels, and the best model.

    python -m experiments.squeeze
    python -m experiments.squeeze --data=my_images/ --budget_minutes=15
    python -m experiments.squeeze --data=table.csv --label=species --train_size=200

Without flags: the built-in digits with 200 labels, 2 to 3 minutes on 2 cores. Writes `results.json`,
`page.html` and the model `best/` into `--workdir`; `overfit.load('<workdir>/best').predict(x)` uses it.
"""

import contextlib
import datetime
import os
import pathlib
import shlex
import sys

from absl import app, flags, logging

from experiments import provenance
from experiments.shared_flags import DATA, SEED, SEEDS, TRAIN_SIZE

STOCK_TRAIN_SIZE = 200

LABEL = flags.DEFINE_string('label', None, 'Column of a .csv that holds the class.')
VALIDATION = flags.DEFINE_float(
    'validation', 0.2, 'Fraction of the labelled examples that is held out, 0.1 to 0.3.'
)
TRIALS = flags.DEFINE_integer(
    'trials', None, 'Settings tried an arm; as the budget allows where not given.', lower_bound=1
)
TECHNIQUES = flags.DEFINE_list(
    'techniques', None, 'Techniques to compare, comma-separated; all where not given.'
)
MODEL = flags.DEFINE_enum('model', 'mlp', ['mlp', 'cnn'], "The baseline's model.")
WORKDIR = flags.DEFINE_string('workdir', None, 'Where results go; runs/<data>-<date> where not given.')
BUDGET_MINUTES = flags.DEFINE_float(
    'budget_minutes',
    None,
    'Minutes on 2 cores that trials, replicates and steps are scaled to; else the standard effort.',
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
    try:
        study = prepared()
        workdir = None if DRY_RUN.value else workdir_for(study.splits.name)
    except ValueError as error:
        print(f'squeeze: {error}', file=sys.stderr)
        sys.exit(1)
    if workdir is not None:
        try:
            run(study, workdir)
        except KeyboardInterrupt:
            kept = workdir / 'partial.json'
            said = f'the arms measured so far are in {kept}' if kept.exists() else 'nothing was measured yet'
            print(f'\nsqueeze: interrupted; {said}', file=sys.stderr)
            sys.exit(130)


def prepared():
    """Loads the data and plans the study; says both."""
    from overfit.data import load
    from overfit.study import squeeze as study_lib

    splits = load.load(DATA.value, label=LABEL.value, seed=SEED.value)
    print(load.describe(splits), flush=True)
    size = TRAIN_SIZE.value
    if size is None and (DATA.value == 'digits' or not pathlib.Path(DATA.value).expanduser().exists()):
        size = min(STOCK_TRAIN_SIZE, len(splits.train.y))
    study = study_lib.prepare(
        splits,
        study_lib.Request(
            train_size=size,
            validation=VALIDATION.value,
            techniques=TECHNIQUES.value,
            model=MODEL.value,
            budget_minutes=BUDGET_MINUTES.value,
            trials=TRIALS.value,
            replicates=SEEDS.value,
            seed=SEED.value,
        ),
    )
    print(study_lib.describe_plan(study), flush=True)
    return study


def run(study, workdir: pathlib.Path) -> None:
    """Runs the study, prints the table and where everything is."""
    from overfit.report import page
    from overfit.study import squeeze as study_lib
    from overfit.study.progress import Progress

    about = {
        'command': shlex.join(['python', '-m', 'experiments.squeeze', *sys.argv[1:]]),
        'versions': provenance.versions(),
        'git': provenance.git_hash(),
        'machine': provenance.machine(),
    }
    with contextlib.closing(Progress(study.plan.seconds)) as progress:
        results = study_lib.run(study, workdir, about, progress)
    print('\n' + page.table(results))
    print(f'\n{workdir}/results.json, {workdir}/report.html')
    print(f"overfit.load('{workdir}/best').predict(x) classifies new examples.")


if __name__ == '__main__':
    app.run(main)
