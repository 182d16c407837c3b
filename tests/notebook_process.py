"""Runs the code of a notebook in a process of its own, as Jupyter would, with other settings.

    python tests/notebook_process.py colab/populations.ipynb '{"SEEDS": 4}'
    python tests/notebook_process.py colab/techniques.ipynb '{"SEEDS": 2}' Dropout 'Batch size'

With headings, only the sections below them run, after the cells that stand before any section.

Prints JSON: for each cell that ran its source, its pictures, the length of what its last expression shows,
and its seconds.
"""

import ast
import io
import json
import pathlib
import re
import sys
import time
import types

INSTALL, SETTINGS = 'install', 'settings'  # tags of cells


def cells(path: pathlib.Path) -> list[dict]:
    """Cells of a notebook: `source` is one text, `tags` a set, `section` the `##` heading above or `None`."""
    found, section = [], None
    for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown':
            section = ([section] + re.findall(r'^## (.*)', source, re.MULTILINE))[-1]
        tags = set(cell['metadata'].get('tags', ()))
        found.append(cell | {'source': source, 'tags': tags, 'section': section})
    return found


def run(source: str, names: dict) -> str:
    """Executes a cell; what Jupyter would show of its last expression, or nothing."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, '<cell>', 'exec'), names)
    value = None
    if last is not None:
        value = eval(compile(ast.Expression(last.value), '<cell>', 'eval'), names)
    if value is None:
        return ''
    return value._repr_html_() if hasattr(value, '_repr_html_') else repr(value)


def pictures() -> int:
    """Draws every open figure, so that whatever is wrong with it is raised; closes them and counts them."""
    from matplotlib import pyplot

    numbers = pyplot.get_fignums()
    for number in numbers:
        figure = pyplot.figure(number)
        if not any(axes.has_data() for axes in figure.axes):
            raise ValueError(f'figure {number} shows no data')
        figure.savefig(io.BytesIO(), format='png', dpi=40)
    pyplot.close('all')
    return len(numbers)


def spare_effort() -> None:
    """Studies compare the last of their techniques alone, with one setting, on three labelled sets."""
    import overfit

    def squeeze(*arguments, techniques, **options):
        from overfit import door  # not before: a notebook says first how many devices JAX has

        how = {} if 'x_test' in options else {'test': 'holdout'}
        little = {'techniques': techniques[-1:], 'trials': 1, 'labelled_sets': 3}
        return door.squeeze(*arguments, **options, **little, **how)

    overfit.squeeze = squeeze


def main(path: str, settings: str, *headings: str) -> None:
    """Runs all cells but the install cell in one namespace; given settings follow those of the notebook."""
    given = json.loads(settings)
    module = types.ModuleType('__main__')  # where a class of a cell says that it is from
    sys.modules['__main__'] = module
    names, told = vars(module), []
    spare_effort()
    for cell in cells(pathlib.Path(path)):
        asked = not headings or cell['section'] in (None, *headings)
        if cell['cell_type'] != 'code' or INSTALL in cell['tags'] or not asked:
            continue
        before, began = set(names), time.monotonic()
        shown = run(cell['source'], names)
        if SETTINGS in cell['tags']:
            own = {name: names[name] for name in set(names) - before if not name.startswith('__')}
            if set(own) != set(given) or not all(isinstance(value, int | float) for value in own.values()):
                raise ValueError(f'the settings are {own}, but {given} is given for them')
            names.update(given)
        seconds = round(time.monotonic() - began, 1)
        told.append(
            {'source': cell['source'], 'pictures': pictures(), 'shown': len(shown), 'seconds': seconds}
        )
    sys.stdout.write('\n' + json.dumps(told) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
