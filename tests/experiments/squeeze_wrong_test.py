"""What the command says to wrong input: a sentence, and nothing is written."""

import contextlib
import pathlib
import tempfile

import chex
from absl.testing import parameterized

from tests.experiments import binary

WRONG = {
    'an unknown name': (['--data=digtis'], ['--data=digtis', 'digits']),
    'a missing file': (['--data=lost.npz'], ['lost.npz', 'no such file']),
    'no labels': (['--data=unlabelled.npz'], ['unlabelled.npz', 'no labels']),
    'labels that are quantities': (
        ['--data=quantity.npz'],
        ['quantity.npz', '0.5', 'whole numbers or names'],
    ),
    'one class': (['--data=one_class.npz'], ['one_class.npz', 'only one class']),
    'nan': (['--data=nan.npz'], ['nan.npz', 'NaN', 'example 7']),
    'a folder with a class of one image': (['--data=sizes'], ['sizes', 'class first has 1 example']),
    'a size that images cannot have': (
        ['--data=digits', '--image_size=200'],
        ['--image_size=200', '8 to 128'],
    ),
    'a size for vectors': (['--data=good.npz', '--image_size=20'], ['--image_size=20 is for images']),
    'a label of a folder': (['--data=sizes', '--label=kind'], ['--label=kind', 'leave it out']),
    'not data': (['--data=words.txt'], ['words.txt', '.npz']),
    'a class smaller than the folds': (
        ['--data=rare.npz', '--budget_minutes=60', '--techniques=l2'],
        ['class cat has 2 labelled examples, fewer than the 5 folds of --validation=0.2'],
    ),
    'more than there is': (['--data=good.npz', '--train_size=91'], ['--train_size=91', '90']),
    'less than two a class': (
        ['--data=good.npz', '--train_size=5'],
        ['squeeze: --train_size=5 does not fit this data', '6'],
    ),
    'no examples': (['--data=good.npz', '--train_size=0'], ['--train_size=0']),
    'an unknown technique': (
        ['--data=good.npz', '--techniques=l2,dropuot'],
        ['--techniques=dropuot', 'dropout'],
    ),
    'a technique for images': (['--data=good.npz', '--techniques=flip'], ['--techniques=flip', 'dropout']),
    'validation of nearly all': (
        ['--data=good.npz', '--validation=0.9', *binary.QUICK],
        ['--validation=0.9', '0.3'],
    ),
    'validation that is no number': (['--validation=much'], ['--validation=much']),
    'no trials': (['--trials=0'], ['--trials=0']),
    'two labelled sets': (['--labelled_sets=2'], ['--labelled_sets=2']),
    'labelled sets that are no number': (['--labelled_sets=few'], ['--labelled_sets=few']),
    'no whole round of cross-fitting': (
        ['--data=alone.npz', '--labelled_sets=7', *binary.QUICK],
        ['squeeze: --labelled_sets=7 is no multiple of 5', 'give 5 or 10'],
    ),
    'an unknown way to test': (['--test=once'], ['--test=once', 'cross-fitted', 'holdout']),
    'a test set that is there already': (
        ['--data=good.npz', '--test=holdout'],
        ['squeeze: --test=holdout is for data without a test set', 'good.npz'],
    ),
    'groups that are not there': (
        ['--data=alone.npz', '--group=speaker'],
        ['alone.npz has no array speaker', '--group=speaker', 'patient'],
    ),
    'a column of groups that is not there': (
        ['--data=table.csv', '--label=kind', '--group=patent'],
        ['table.csv has no column "patent" for --group=patent', 'did you mean patient'],
    ),
    'groups of a column of a stock set': (['--data=digits', '--group=writer'], ['--group=writer', 'digits']),
    'a folder is no column': (['--data=sizes', '--group=kind'], ['--group=kind', '--group=folder']),
    'a group that is a class': (
        ['--data=alone.npz', '--group=kind', *binary.QUICK],
        ['alone.npz', 'class ape has 1 group'],
    ),
    'no technique': (['--data=good.npz', '--techniques='], ['--techniques', 'dropout']),
    'no time': (['--budget_minutes=0'], ['--budget_minutes=0']),
    'an unknown model': (['--model=rnn'], ['--model=rnn', 'mlp', 'cnn']),
    'a model for images': (['--data=good.npz', '--model=cnn'], ['--model=cnn', 'image']),
    'a negative seed': (['--seed=-1'], ['--seed=-1']),
    'an unknown flag': (['--epochs=3'], ['epochs']),
    'a word without a flag': (['digits'], ["'digits'", '--data=digits']),
    'a label column that is not there': (
        ['--data=table.csv', '--label=species'],
        ['table.csv', 'species', 'kind'],
    ),
    'a folder that cannot be': (
        ['--data=good.npz', '--workdir=words.txt/runs', *binary.QUICK],
        ['--workdir=words.txt/runs'],
    ),
}


class WrongInputTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        binary.write(cls.folder)
        cls.enterClassContext(contextlib.chdir(cls.folder))

    @parameterized.named_parameters(*[(name, *case) for name, case in WRONG.items()])
    def test_wrong_input_is_answered_in_a_sentence(self, flags, words):
        before = sorted(self.folder.rglob('*'))
        code, _, told = binary.run(*flags)
        self.assertIn(code, (1, 2))
        lines = [line for line in told.splitlines() if line.strip()]
        self.assertBetween(len(lines), 1, 2, told)
        self.assertNotIn('Traceback', told)
        for word in words:
            self.assertIn(word, told)
        self.assertEqual(sorted(self.folder.rglob('*')), before)
