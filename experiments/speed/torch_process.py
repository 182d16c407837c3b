"""Begins a PyTorch column in its process; importing this loads neither JAX nor PyTorch."""

import os
import warnings
from typing import Any

from experiments.speed.torch_task import Task


def build(task: Task, column: str) -> Any:
    """Makes one of `torch_task.COLUMNS`; PyTorch is loaded only here, in the process of the column."""
    os.environ['TORCHINDUCTOR_FORCE_DISABLE_CACHES'] = '1'  # compile time is measured
    warnings.filterwarnings('ignore', 'dynamo_pgo force disabled')
    from experiments.speed import torch_columns

    if column == 'vmap':
        return torch_columns.Stacked(task)
    return torch_columns.Eager(task, loader=column == 'dataloader', compiled=column == 'compile')
