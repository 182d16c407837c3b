"""Snapshot ensembles: several nets from the steps of one, whose learning rate falls and jumps up again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from overfit import base
from overfit.train import start
from overfit.train.engine import population
from overfit.train.engine.population import Member, Trained


def train(
    members: Sequence[Member], examples: base.Examples, cycles: int, **options: Any
) -> list[list[Trained]]:
    """Trains members in cycles: in each the rate falls to 0 along half a cosine; each ends in a snapshot.

    A cycle goes on from the weights and running statistics of the last one, with an optimizer's state of
    its own (the rate is next to 0 there) and other random numbers. All cycles together take the steps of
    the member. Every snapshot holds the weights at its cycle's end, whatever validation says of them.

    Args:
        members: nets; `hyper.steps` are those of all cycles together.
        examples: as `population.train` takes them.
        cycles: M, snapshots of each member.
        options: of `population.train`.

    Returns:
        For each member its M snapshots, in order of time.

    Raises:
        ValueError: no cycle, a member without a number of steps, or one with an end of its own.

    Reference: Huang et al., "Snapshot ensembles: train 1, get M for free", ICLR 2017, eq. 2.
    """
    if cycles < 1:
        raise ValueError(f'cycles={cycles} leaves no snapshot: give 1 or more')
    for member in members:
        if not member.hyper.steps or member.stop_at is not None:
            raise ValueError(
                f'a member of steps={member.hyper.steps} and stop_at={member.stop_at} has no cycles: give '
                'it a number of steps, and no stop_at'
            )
    members = [
        member._replace(
            hyper=member.hyper.with_numbers(steps=member.hyper.steps / cycles, cosine=1.0),
            restore_best=False,
        )
        for member in members
    ]
    snapshots = [[] for _ in members]
    for cycle in range(cycles):
        found = population.train(
            [_in(m, cycle, s) for m, s in zip(members, snapshots, strict=True)], examples, **options
        )
        for of_member, one in zip(snapshots, found, strict=True):
            of_member.append(one)
    return snapshots


def _in(member, cycle, before):
    """A member as it begins a cycle."""
    if not cycle:
        return member
    seed = int(np.random.SeedSequence([member.seed, cycle]).generate_state(1)[0])
    begun = start.given(before[-1].variables, inputs=before[-1].inputs)
    return member._replace(
        recipe=member.recipe._replace(start=begun),
        seed=seed,
        hyper=member.hyper._replace(init_log2_scale=None),
    )
