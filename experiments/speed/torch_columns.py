"""The columns in PyTorch: what people write, and the fastest ways that PyTorch offers for many small nets."""

import math
import time
from collections.abc import Iterable

import torch
from torch import func
from torch.utils import data

from experiments.speed.torch_task import Task

TESTED_NETS = 3  # trained one after another for the test error
TRIAL = 0.2  # seconds of the runs by which the number of threads is chosen


def network(task: Task) -> torch.nn.Sequential:
    """The net of a task; pooling before the activation is the same function, and less work."""
    nn = torch.nn
    layers = [nn.Dropout(task.input_dropout)] if task.input_dropout else []
    inputs = task.x.shape[1]
    for out in task.channels:
        convolution = nn.Conv2d(inputs, out, task.kernel, padding=task.kernel // 2)
        layers += [convolution, nn.MaxPool2d(2), nn.ReLU()]
        inputs = out
    if task.channels:
        layers.append(nn.Flatten())
        inputs *= math.prod(side // 2 ** len(task.channels) for side in task.x.shape[2:])
    for width in task.widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        layers += [nn.Dropout(task.dropout)] if task.dropout else []
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, task.classes)).to(task.device)


@torch.no_grad()
def initialise(weights: Iterable[torch.Tensor], *, stacked: bool = False) -> None:
    """Draws weights `[out, in, ...]` from `N(0, 2 / fan_in)` and sets biases to 0, in place."""
    for weight in weights:
        shape = weight.shape[1:] if stacked else weight.shape
        weight.zero_() if len(shape) == 1 else weight.normal_(0, math.sqrt(2 / math.prod(shape[1:])))


class _Column:
    """What all columns have: the data on the device, and the choice of threads."""

    def __init__(self, task: Task):
        if task.device == 'cuda':
            torch.set_float32_matmul_precision('high')  # TensorFloat-32, as JAX's default
        self.task = task
        self.x, self.y, self.x_test, self.y_test = (
            torch.from_numpy(a).to(task.device) for a in (task.x, task.y, task.x_test, task.y_test)
        )
        self.net = network(task)
        self.threads = None

    def choose_threads(self) -> None:
        """Takes one thread where all of them are slower, as they are for small nets; on a CPU only."""
        if self.task.device != 'cpu':
            return
        most, steps, seconds = torch.get_num_threads(), 2, {}
        torch.set_num_threads(1)
        self.run(steps)
        while self._run_seconds(steps) < TRIAL:
            steps *= 2
        for threads in sorted({1, most}):
            torch.set_num_threads(threads)
            self.run(2)
            seconds[threads] = self._run_seconds(steps)
        self.threads = min(seconds, key=seconds.get)
        torch.set_num_threads(self.threads)

    def run(self, steps: int) -> None:
        """Trains fresh nets: one, or all of them, each on batches of its own."""
        initialise(self.trained(), stacked=self.stacked)
        optimizer, batches = self.optimizer(), self._batches()
        self.net.train()
        for _ in range(steps):
            self.step(optimizer, *next(batches))
        self._wait()

    def optimizer(self) -> torch.optim.Optimizer:
        """SGD on the weights, its momenta still empty."""
        return torch.optim.SGD(self.trained(), self.task.learning_rate, self.task.momentum)

    def settle(self, steps: int) -> int:
        """Takes any number of steps, at least one."""
        return max(1, steps)

    def peak_memory_mb(self) -> float | None:
        """Of the GPU, MB; `None` on a CPU."""
        return torch.cuda.max_memory_allocated() / 2**20 if self.task.device == 'cuda' else None

    def _run_seconds(self, steps):
        begin = time.perf_counter()
        self.run(steps)
        return time.perf_counter() - begin

    def _wait(self):
        if self.task.device == 'cuda':
            torch.cuda.synchronize()


class Eager(_Column):
    """One net after another, a step at a time.

    Args:
        task: what to train.
        loader: draw batches with a `DataLoader`, else by a permutation of the tensor in memory.
        compiled: `torch.compile` the net.
    """

    members, stacked = 1, False

    def __init__(self, task: Task, *, loader: bool = False, compiled: bool = False):
        super().__init__(task)
        self.compiles = compiled
        self._forward = self.net
        self._linear = [layer.weight for layer in self.net if isinstance(layer, torch.nn.Linear)]
        self._loader = None
        if loader:
            dataset = data.TensorDataset(torch.from_numpy(task.x), torch.from_numpy(task.y))
            self._loader = data.DataLoader(dataset, task.batch_size, shuffle=True, drop_last=True)
        self.choose_threads()
        if compiled:
            self._forward = torch.compile(self.net, fullgraph=True)

    def trained(self) -> list[torch.Tensor]:
        """The net's weights."""
        return list(self.net.parameters())

    def step(self, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Trains on one batch; returns the loss before."""
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self._forward(x), y)
        loss.backward()
        optimizer.step()
        if self.task.max_norm:
            with torch.no_grad():
                for weight in self._linear:
                    weight.renorm_(2, 0, self.task.max_norm)
        return loss.detach()

    def test_error(self) -> float:
        """Percent, mean over `TESTED_NETS` nets."""
        errors = []
        for _ in range(TESTED_NETS):
            self.run(self.task.steps)
            self.net.eval()
            with torch.no_grad():
                errors.append((self.net(self.x_test).argmax(1) != self.y_test).float().mean().item())
        return 100 * sum(errors) / TESTED_NETS

    def _batches(self):
        device, size = self.task.device, self.task.batch_size
        while True:
            if self._loader is not None:
                for x, y in self._loader:
                    yield x.to(device), y.to(device)
                continue
            order = torch.randperm(len(self.x), device=device)
            for begin in range(0, len(order) - size + 1, size):
                rows = order[begin : begin + size]
                yield self.x[rows], self.y[rows]


class Stacked(_Column):
    """All nets at once: `vmap` of the gradient over stacked weights."""

    compiles, stacked = False, True

    def __init__(self, task: Task):
        super().__init__(task)
        self.members = task.members
        self.net.requires_grad_(False)
        shapes = {name: p.shape for name, p in self.net.named_parameters()}
        self.weights = {
            name: torch.empty(task.members, *shape, device=task.device) for name, shape in shapes.items()
        }

        def loss(weights, x, y):
            return torch.nn.functional.cross_entropy(func.functional_call(self.net, weights, (x,)), y)

        self._gradient = func.vmap(func.grad(loss), randomness='different')
        self.choose_threads()

    def trained(self) -> list[torch.Tensor]:
        """The weights of all nets, stacked."""
        return list(self.weights.values())

    def step(self, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
        """Trains on batches `[members, B, ...]`."""
        gradient = self._gradient(self.weights, x, y)
        for name, weight in self.weights.items():
            weight.grad = gradient[name]
        optimizer.step()
        if self.task.max_norm:
            for weight in self.weights.values():
                if weight.ndim == 3:
                    norm = weight.norm(dim=2, keepdim=True)
                    weight.mul_((self.task.max_norm / norm.clamp_min(1e-12)).clamp_max(1))

    def test_error(self) -> float:
        """Percent, mean over all nets."""
        self.run(self.task.steps)
        self.net.eval()

        def predict(weights):
            return func.functional_call(self.net, weights, (self.x_test,)).argmax(1)

        predicted = func.vmap(predict, chunk_size=8)(self.weights)
        return 100 * (predicted != self.y_test).float().mean().item()

    def _batches(self):
        size = self.task.batch_size
        while True:
            order = torch.rand(self.members, len(self.x), device=self.task.device).argsort(1)
            for begin in range(0, len(self.x) - size + 1, size):
                rows = order[:, begin : begin + size]
                yield self.x[rows], self.y[rows]
