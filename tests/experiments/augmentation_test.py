"""Augmentations compared on tiny settings: every row, the strengths, and what is said of them."""

from absl.testing import absltest

from tests.experiments import questions


class AugmentationTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        chosen = '--augmentations=shift_rotate,affine_elastic,flip,mixup'
        found = questions.ask('augmentation', *questions.TINY, chosen, '--elastic_strengths=0.03')
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        self.assertLen(rows, 5)
        for label in ('augmentation: left-right flip', 'mixup', 'elastic at 0.03'):
            self.assertIn(label, rows)
            self.assertIn(label, found.told)
        self.assertEqual(
            rows['elastic at 0.03']['numbers']['elastic_smoothness'], 0.14, rows['elastic at 0.03']
        )
        elastic = found.record['elastic']
        self.assertEqual(elastic['strengths'], [0.0, 0.03])
        self.assertAlmostEqual(elastic['errors'][0]['mean'], found.record['baseline']['error']['mean'], 3)
        self.assertAlmostEqual(elastic['errors'][1]['mean'], rows['elastic at 0.03']['error']['mean'], 3)
        told = {one['technique']: one for one in found.record['findings']}
        both, affine = (
            rows[f'augmentation: {more}shift, rotate, zoom']['error']['mean'] for more in ('elastic, ', '')
        )
        on_top = told['elastic fields on top of affine maps']
        self.assertAlmostEqual(on_top['mean'], both - affine, 2)
        self.assertIn(told['augmentation: left-right flip']['verdict'], ('yes', 'no', 'undecided'))
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_without_a_choice_there_are_all_and_what_is_none_is_told(self):
        for flag, message in {
            '--elastic_strengths=weak': 'elastic_strengths=weak: give numbers, as 0.02,0.04',
            '--augmentations=mixup,crop': 'augmentations=crop: there are shift, shift_rotate, shear, '
            'elastic, affine_elastic, flip, lighting, colour, cutout, mixup, cutmix, policy, shifted_views',
        }.items():
            found = questions.ask('augmentation', flag)
            self.assertEqual((found.code, found.complained), (1, f'augmentation: --{message}\n'))


if __name__ == '__main__':
    absltest.main()
