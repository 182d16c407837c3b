"""The whole study against the same nets in a plain loop."""

import collections
from unittest import mock

import numpy as np
from absl.testing import absltest

from experiments.speed import cold_start
from overfit.data import splits
from overfit.nn import models
from overfit.study import decide, race, requests, search, techniques
from overfit.study import results as results_lib
from overfit.study.course import Course
from overfit.study.progress import Progress
from overfit.train.engine import population
from tests import problems
from tests.experiments.speed import tiny
from tests.report import made_up


class Printed(Exception):
    pass


class FirstLine(Progress):
    """Ends with the first line that is printed."""

    def say(self, text):
        raise Printed(text)


def _study():
    test = problems.blobs(30, seed=1)
    data = splits.Splits(problems.blobs(60), splits.Holdout(test.x, test.y), 'blobs', 'given', (), 'abc')
    compared = [techniques.dropout, techniques.longer, techniques.refit, techniques.ensemble(2)]
    request = requests.Request(train_size=30, techniques=compared, textbook=(), trials=2, labelled_sets=3)
    return requests.prepare(data, request)


class StudyTest(absltest.TestCase):
    def test_the_first_line_of_a_study_is_a_first_result(self):
        study = _study()
        protocol = study.design.plan.protocol._replace(steps=10, eval_every=10)
        design = study.design._replace(plan=study.design.plan._replace(protocol=protocol))
        progress = FirstLine(design.plan.seconds, quiet=True)
        self.addCleanup(progress.close)
        with self.assertRaisesRegex(Printed, cold_start.FIRST_RESULT):
            course = Course(study.splits.train, design.sets, protocol, study.splits.test.x)
            decide.compare(course, design, progress)
        self.assertNotIn(cold_start.FIRST_RESULT, requests.describe(study))

    def test_nets_of_a_study(self):
        study = _study()
        steps = study.design.plan.protocol.steps
        members = cold_start.members_of_study(study)
        protocol, sets = study.design.plan.protocol, 3
        raced = race.nets(2, protocol.folds) * sets
        # Baseline and dropout search, refit and the average with the baseline; 24 of 30 labels. The average
        # takes its two nets from the folds; a refit takes all labels, for more steps.
        self.assertGreaterEqual(protocol.folds, 2)
        self.assertEqual(
            collections.Counter((len(member.train), round(member.limit)) for member in members),
            {
                (24, steps): 2 * raced,
                (24, 2 * steps): raced,
                (30, round(1.25 * steps)): protocol.folds * sets,
            },
        )
        self.assertLen({member.seed for member in members}, protocol.folds * sets)

    def test_members_are_those_of_the_study(self):
        study, trained = _study(), []

        def train(members, *_, **__):
            trained.extend(members)
            raise Printed

        design = study.design
        course = Course(study.splits.train, design.sets, design.plan.protocol, study.splits.test.x)
        with mock.patch.object(population, 'train', train), self.assertRaises(Printed):
            search.search(course, design.arms[:1], design.places.measured)

        def numbers(members):
            return {(m.seed, m.hyper.learning_rate, len(m.train), m.limit) for m in members}

        self.assertNotEmpty(trained)
        self.assertContainsSubset(numbers(trained), numbers(cold_start.members_of_study(study)))

    def test_rows(self):
        made = made_up.results()
        results = made._replace(
            baseline=made.baseline._replace(member_steps=100),
            arms=(made.arms[0]._replace(member_steps=200),),
            controls=(made.controls[0]._replace(member_steps=50),),
            squeezed=made.squeezed._replace(member_steps=250),
            seconds=results_lib.Seconds(total=20.0, compile=5.0, train=10.0),
        )
        row = cold_start.study_row('cold', 30.0, 4.0, results)
        self.assertEqual((row['member_steps'], row['member_steps_per_s']), (600, 20.0))
        self.assertEqual((row['compile_share'], row['first_result_s']), (0.25, 4.0))
        row = cold_start.plain_loop_row(cold_start.Sampled(10, 4, 8.0, 50, 2.0), 600)
        self.assertEqual((row['compile_s'], row['seconds']), (20.0, 44.0))

    def test_one_by_one(self):
        workload = tiny.workload(models.MLP(3, widths=(5,)))
        rows, hyper = np.arange(24), workload.hyper._replace(steps=3.0)
        members = [
            population.Member(workload.recipe, h, 0, rows, rows[:0]) for h in (hyper, hyper._replace(l2=0.1))
        ]
        sampled = cold_start.train_one_by_one([*members, members[0]], workload.examples)
        self.assertEqual((sampled.compiled, sampled.steps), (2, 9))


if __name__ == '__main__':
    absltest.main()
