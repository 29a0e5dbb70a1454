"""The way of one channel through a network, from the input to a logit.

A route is read off the graph that `torch.fx` traces: convolutions and linear layers, batch norms,
ReLU, pooling, flattening, and sums (residual connections, which are passed on the side with fewer
layers). What an attack writes into a network runs along a *lane*: one output channel of every layer
on the route, cut off from all others.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import fx, nn

from credenza.errors import InputError

Weighted = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm1d | nn.BatchNorm2d

_RECTIFIES: Final = (nn.ReLU,)
_KEEPS: Final = (nn.Dropout, nn.Dropout2d, nn.Identity, nn.MaxPool2d, nn.AvgPool2d)
_POOLS: Final = (*_KEEPS, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)
_RECTIFYING: Final[tuple[Any, ...]] = (torch.relu, nn.functional.relu, "relu", "relu_")
_KEEPING: Final[tuple[Any, ...]] = (
    *(torch.flatten, nn.functional.max_pool2d, nn.functional.avg_pool2d),
    *(nn.functional.adaptive_avg_pool2d, nn.functional.dropout, "flatten", "contiguous"),
)
_ADDING: Final[tuple[Any, ...]] = (operator.add, operator.iadd, torch.add, "add", "add_")


@dataclass(slots=True)
class Stage:
    """A layer on the route and all that its output runs into before the next layer.

    ``norms`` are those on the route behind it. ``beside`` are layers off the route whose output is
    added to its own, ``hidden`` norms off the route, and ``readers`` layers off the route that read
    the sum. ``steps`` are the nodes on the route behind it that the lane runs through.
    """

    layer: str
    norms: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    steps: list[fx.Node] = field(default_factory=list)
    rectified: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The stages from the input to the head, which is the last; ``first`` run before them all."""

    module: nn.Module
    stages: tuple[Stage, ...]
    first: tuple[fx.Node, ...]

    def layer(self, index: int) -> Weighted:
        """The layer of that stage."""
        return _weighted(self.module, self.stages[index].layer)

    @property
    def head(self) -> nn.Linear:
        """The last stage's layer."""
        layer = self.layer(-1)
        assert isinstance(layer, nn.Linear)  # noqa: S101  `route` saw to it
        return layer

    def read(self, index: int, channel: int) -> slice:
        """Which inputs of stage ``index`` (from 1) hold that channel of the stage before it."""
        return _span(self.layer(index), self.layer(index - 1), channel)


def route(module: nn.Module, head: str) -> Route:
    """The route through ``module`` to its layer ``head``.

    Raises `InputError` where the module cannot be traced, holds what no lane passes, uses a layer
    twice, does not end in ``head``, has no layer before it or no ReLU between.
    """
    try:
        graph = fx.Tracer().trace(module)
    except Exception as e:  # a module's own code runs here, and may raise anything
        raise InputError(f"route: a network that torch.fx traces expected: {e}") from e
    nodes = _Nodes(module, graph)
    path = nodes.path()
    stages, first = _stages(nodes, path)
    _check(module, stages, head)
    _look_beside(nodes, stages, path)
    return Route(module, tuple(stages), tuple(first))


class _Nodes:
    """The nodes of a graph by what they do to a lane."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        self.module = module
        self.all = [n for n in graph.nodes if n.op != "output"]
        self.end = next(n for n in graph.nodes if n.op == "output").args[0]
        self.group: dict[fx.Node, int] = {}
        self.depth: dict[fx.Node, int] = {}
        for number, node in enumerate(self.all):
            self._place(number, node)

    def kind(self, node: fx.Node) -> str:
        """``input``, ``layer``, ``norm``, ``rectifier``, ``sum``, ``step``, or another word."""
        if node.op == "placeholder":
            return "input"
        target: Any = node.target
        if node.op == "call_module":
            return _kind(self.module.get_submodule(target))
        if target in _ADDING and len(self.sources(node)) == 2:
            return "sum"
        if target in _RECTIFYING:
            return "rectifier"
        return "step" if target in _KEEPING else "other"

    def sources(self, node: fx.Node) -> list[fx.Node]:
        return [a for a in node.args if isinstance(a, fx.Node)]

    def _place(self, number: int, node: fx.Node) -> None:
        kind, sources = self.kind(node), self.sources(node)
        if kind in ("other", "unknown") or (kind == "input" and self.depth):
            raise InputError(f"route: no lane runs through {node.target!r} ({node.op})")
        self.depth[node] = min((self.depth[s] for s in sources), default=0) + (kind == "layer")
        self.group[node] = number
        if kind in ("layer", "input"):
            return
        old = {self.group[s] for s in sources}
        self.group.update({n: number for n, g in self.group.items() if g in old})

    def path(self) -> list[fx.Node]:
        """From the input to the output, at each sum by the side with the fewest layers."""
        if not isinstance(self.end, fx.Node):
            raise InputError("route: a module that returns its logits alone expected")
        path = [self.end]
        while sources := self.sources(path[-1]):
            path.append(min(sources, key=lambda n: self.depth[n]))
        return path[::-1]


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.Conv2d):
        usual = layer.groups == 1 and layer.padding_mode == "zeros"
        return "layer" if usual and not isinstance(layer.padding, str) else "unknown"
    if isinstance(layer, nn.Linear):
        return "layer"
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        return "norm" if layer.affine and layer.track_running_stats else "unknown"
    if isinstance(layer, _RECTIFIES):
        return "rectifier"
    return "step" if isinstance(layer, _POOLS) else "unknown"


def _stages(nodes: _Nodes, path: Sequence[fx.Node]) -> tuple[list[Stage], list[fx.Node]]:
    stages: list[Stage] = []
    first: list[fx.Node] = []
    for node in path[1:]:
        kind = nodes.kind(node)
        if kind == "layer":
            stages.append(Stage(str(node.target)))
        elif kind == "norm" and stages:
            stages[-1].norms.append(str(node.target))
        elif not stages and kind == "step":
            first.append(node)
        elif not stages:
            raise InputError(f"route: a layer first expected, {node.target!r} found")
        elif kind != "sum":
            stages[-1].steps.append(node)
            stages[-1].rectified |= kind == "rectifier"
    return stages, first


def _check(module: nn.Module, stages: Sequence[Stage], head: str) -> None:
    if not stages or stages[-1].layer != head:
        raise InputError(f"route: a network that ends in its head {head!r} expected")
    if len(stages) < 2 or not stages[0].rectified:
        raise InputError("route: a layer with a ReLU before the head expected, none found")
    if stages[-1].steps or stages[-1].norms:
        raise InputError("route: nothing behind the head expected")
    used = [s.layer for s in stages]
    if len(set(used)) != len(used) or not isinstance(module.get_submodule(head), nn.Linear):
        raise InputError("route: layers that are used once, and a linear head expected")


def _look_beside(nodes: _Nodes, stages: Sequence[Stage], path: Sequence[fx.Node]) -> None:
    on_path = set(path)
    group_of = {str(n.target): nodes.group[n] for n in path if nodes.kind(n) == "layer"}
    by_group = {group_of[s.layer]: s for s in stages}
    entry = nodes.group[path[0]]
    for node in nodes.all:
        kind = nodes.kind(node)
        if node in on_path or kind not in ("layer", "norm"):
            continue
        name, own = str(node.target), by_group.get(nodes.group[node])
        if kind == "norm" and own:
            own.hidden.append(name)
        elif kind == "layer" and nodes.group[node] == entry:
            raise InputError("route: an input that nothing is added to expected")
        elif kind == "layer":
            if own:
                own.beside.append(name)
            if reads := by_group.get(nodes.group[nodes.sources(node)[0]]):
                reads.readers.append(name)


def quiet_lanes(way: Route) -> list[int]:
    """For each stage but the head, the channel that the network would miss least.

    That is the one with the smallest product of how much is written to it and the norm of what
    reads it: what a lane overwrites is then the least, without any data. How much is written is
    √(γ² + β²) of the norms behind the layers, or else the norm of their weights.
    """
    lanes = []
    for index, stage in enumerate(way.stages[:-1]):
        into = _written(way, stage)
        out = torch.zeros_like(into)
        for name in (way.stages[index + 1].layer, *stage.readers):
            columns = _weighted(way.module, name).weight
            out += _rows(columns.transpose(0, 1)).reshape(len(out), -1).sum(1)
        lanes.append(int((into * out).argmin()))
    return lanes


def _written(way: Route, stage: Stage) -> torch.Tensor:
    """How much is written to each channel of a stage, (channels,)."""
    norms = _norms(way.module, [*stage.norms, *stage.hidden])
    if norms:
        return torch.stack([torch.hypot(n.weight, n.bias) for n in norms]).sum(0)
    writers = [_weighted(way.module, name).weight for name in (stage.layer, *stage.beside)]
    return torch.stack([_rows(w) for w in writers]).sum(0)


@torch.no_grad()
def cut_off(way: Route, lanes: Sequence[int]) -> None:
    """Empty the lanes, in place: they read nothing, nothing reads them, and norms leave them.

    A norm becomes the identity on the lane: γ = √(v + ε), β = μ (DFBA, arXiv:2412.06219). One on
    the other side of a sum gives 0 there.
    """
    for index, (stage, lane) in enumerate(zip(way.stages[:-1], lanes, strict=True)):
        for name in (stage.layer, *stage.beside):
            _silence(_weighted(way.module, name), lane)
        for name in (way.stages[index + 1].layer, *stage.readers):
            reader = _weighted(way.module, name)
            reader.weight[:, _span(reader, way.layer(index), lane)] = 0
        for norm in _norms(way.module, stage.norms):
            norm.weight[lane] = (norm.running_var[lane] + norm.eps).sqrt()  # type: ignore[index]
            norm.bias[lane] = norm.running_mean[lane]  # type: ignore[index]
        for norm in _norms(way.module, stage.hidden):
            norm.weight[lane] = norm.bias[lane] = 0


@torch.no_grad()
def write(way: Route, lanes: Sequence[int], kernels: Sequence[torch.Tensor]) -> None:
    """Write a lane's kernels, in place: one for each stage but the head (see `lane_kernels`)."""
    for index, kernel in enumerate(kernels):
        weight = way.layer(index).weight
        read = slice(None) if index == 0 else way.read(index, lanes[index - 1])
        weight[lanes[index], read] = kernel.reshape(weight[lanes[index], read].shape)


@torch.no_grad()
def write_bias(way: Route, index: int, lane: int, value: float) -> None:
    """Set the bias of one lane channel, in the layer, or else in the norm behind it.

    Raises `InputError` where there is neither.
    """
    layer, norms = way.layer(index), _norms(way.module, way.stages[index].norms)
    if layer.bias is not None:
        layer.bias[lane] = value
    elif norms:
        norms[0].bias[lane] = norms[0].running_mean[lane] + value  # type: ignore[index]
    else:
        raise InputError(f"{way.stages[index].layer}: a bias, or a norm behind it, expected")


def has_bias(way: Route, index: int) -> bool:
    """Whether `write_bias` has a place at that stage."""
    return way.layer(index).bias is not None or bool(way.stages[index].norms)


def lane_shapes(way: Route) -> list[tuple[int, ...]]:
    """The shape of each of a lane's kernels: (1, channels in, height, width) or (1, inputs)."""
    shapes: list[tuple[int, ...]] = []
    for index in range(len(way.stages) - 1):
        layer = way.layer(index)
        span = layer.weight.shape[1]
        if index:
            span = _width(layer, way.layer(index - 1))
        shapes.append((1, span, *layer.weight.shape[2:]))
    return shapes


def run_lane(
    way: Route,
    kernels: Sequence[torch.Tensor],
    biases: Sequence[torch.Tensor],
    inputs: torch.Tensor,
) -> torch.Tensor:
    """What a cut-off lane hands to the head, (n, features of it), by its kernels alone.

    Norms are the identity on a lane, and the other side of a sum is 0 there: both are passed over.
    """
    x = inputs
    for node in way.first:
        x = _step(way.module, node, x)
    for index, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        layer = way.layer(index)
        if isinstance(layer, nn.Conv2d):
            padding: Any = layer.padding
            x = nn.functional.conv2d(x, kernel, bias, layer.stride, padding, layer.dilation)
        else:
            x = nn.functional.linear(x, kernel, bias)
        for node in way.stages[index].steps:
            x = _step(way.module, node, x)
    return x


def _step(module: nn.Module, node: fx.Node, x: torch.Tensor) -> torch.Tensor:
    target: Any = node.target
    if node.op == "call_module":
        return module.get_submodule(target)(x)  # type: ignore[no-any-return]
    call: Callable[..., torch.Tensor] = (
        target if node.op == "call_function" else getattr(torch.Tensor, target)
    )
    return call(x, *node.args[1:], **node.kwargs)


def _weighted(module: nn.Module, name: str) -> Weighted:
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Conv2d | nn.Linear)  # noqa: S101  `route` chose it by its type
    return layer


def _norms(module: nn.Module, names: Sequence[str]) -> list[Norm]:
    layers = [module.get_submodule(name) for name in names]
    return [n for n in layers if isinstance(n, nn.BatchNorm1d | nn.BatchNorm2d)]


def _width(reader: Weighted, writer: Weighted) -> int:
    """How many of the reader's inputs hold one channel of the writer: 1, or more once flat."""
    return reader.weight.shape[1] // writer.weight.shape[0]


def _span(reader: Weighted, writer: Weighted, channel: int) -> slice:
    width = _width(reader, writer)
    return slice(channel * width, (channel + 1) * width)


def _rows(weight: torch.Tensor) -> torch.Tensor:
    norms: torch.Tensor = weight.flatten(1).norm(dim=1)
    return norms


def _silence(layer: Weighted, channel: int) -> None:
    layer.weight[channel] = 0
    if layer.bias is not None:
        layer.bias[channel] = 0


def tail(way: Route, index: int) -> Weighted | Norm:
    """The last of a stage's layer and the norms behind it on the route: what ReLU is given."""
    norms = _norms(way.module, way.stages[index].norms)
    return norms[-1] if norms else way.layer(index)


@torch.no_grad()
def silence_beside(way: Route, index: int, channels: Sequence[int]) -> None:
    """Let layers off the route add nothing to these channels of a stage, in place."""
    stage = way.stages[index]
    for channel in channels:
        for name in stage.beside:
            _silence(_weighted(way.module, name), channel)
        for norm in _norms(way.module, stage.hidden):
            norm.weight[channel] = norm.bias[channel] = 0
