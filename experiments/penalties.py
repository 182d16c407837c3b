"""Which penalty on the weights helps: L1, L2, decoupled decay, max-norm?

    python -m experiments.penalties
    python -m experiments.penalties --data=usps.npz --train_size=100 --json=penalties.json

Each is tuned with as many settings as the baseline, on 20 labelled sets. Prints errors and differences with
intervals.
"""

from absl import app

from experiments.question import comparison, intervals, picture, start


def ask() -> start.Answer:
    """Compares the penalties."""
    from overfit.study import techniques as t

    splits, size = comparison.data()
    found = comparison.compare(splits, size, [t.l1, t.l2, t.weight_decay, t.max_norm])
    results = found.results
    where = f'{results.data.name}, {results.data.train:,} labels'
    findings = [
        intervals.finding(
            'L2 penalty',
            f'test error minus the baseline, {where}',
            results.arms[1].difference,
            source='Krogh & Hertz 1991',
            published='a penalty improves generalisation',
        )
    ]
    return start.Answer(
        comparison.table(results),
        comparison.record(results) | {'findings': findings},
        lambda figure: picture.differences(figure.subplots(), results),
    )


if __name__ == '__main__':
    app.run(start.binary('penalties', ask))
