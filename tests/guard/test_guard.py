from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from credenza.errors import AlteredError, InputError
from credenza.findings import Report
from credenza.guard import Guard, Incident, OnTamper, Pace, Sealed

from .models import Reader, flip, reader, sealed_of

NAMES = [n for n, t in sealed_of(reader()).items() if t.numel()]
INPUT = torch.linspace(-1, 1, 12).reshape(2, 6)
PATIENCE = 60.0  # seconds that a test waits for a thread before it fails; it takes milliseconds


def equal_bits(module: nn.Module, sealed: dict[str, torch.Tensor]) -> bool:
    state = module.state_dict()
    return state.keys() == sealed.keys() and all(
        state[n]
        .contiguous()
        .reshape(-1)
        .view(torch.uint8)
        .equal(v.contiguous().reshape(-1).view(torch.uint8))
        for n, v in sealed.items()
    )


class Ticks:
    """A clock that goes one second further each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 10_000), st.integers(0, 127))
def test_any_flipped_bit_is_found_and_restored_exactly(name: str, element: int, bit: int) -> None:
    module = reader()
    sealed = sealed_of(module)
    guard = Guard(module, sealed)
    address = module.state_dict()[name].data_ptr()
    flip(module.state_dict()[name], element % sealed[name].numel(), bit)

    swept = guard.sweep()

    assert {i.finding.rule for i in swept.incidents} == {"guard.parameter-changed"}
    figures = {f.name: f.value for f in swept.incidents[0].finding.figures}
    assert (figures["bytes changed"], figures["bits changed"]) == (1, 1)
    shared = {"head.weight": "head.weight, tied.weight", "tied.weight": "head.weight, tied.weight"}
    assert (swept.incidents[0].finding.where.tensor or "") in shared.get(name, name)
    assert swept.incidents[0].restored
    assert equal_bits(module, sealed)
    assert module.state_dict()[name].data_ptr() == address
    assert guard.sweep().incidents == ()


def test_a_finding_names_the_rows() -> None:
    module = reader()
    guard = Guard(module, sealed_of(module), name="reader", root="ab" * 32)
    with torch.no_grad():
        module.body.weight[[2, 5]] = module.body.weight[[5, 2]]

    swept = guard.sweep()

    assert swept.incidents[0].finding.where.rows == (2, 5)
    assert (swept.report.subject, swept.report.root) == ("reader", "ab" * 32)
    assert "buffer cache: not persistent, not sealed" in swept.report.uncovered


def test_nan_and_negative_zero_are_compared_and_restored_as_bits() -> None:
    module = reader()
    with torch.no_grad():
        module.body.bias[:] = torch.tensor([0.0, -0.0, torch.nan, torch.inf] * 2)
    sealed = sealed_of(module)
    guard = Guard(module, sealed)
    assert guard.sweep().incidents == ()

    with torch.no_grad():
        module.body.bias[0] = -0.0

    assert len(guard.sweep().incidents) == 1
    assert equal_bits(module, sealed)


def test_the_baseline_is_the_seal_and_not_what_is_there_at_the_start() -> None:
    module = reader()
    sealed = sealed_of(module)
    flip(module.body.weight, 3, 30)
    told: list[Report] = []

    with Guard(module, sealed, notify=told.append) as guard:
        assert [i.last_good for i in guard.incidents] == [None]

    assert len(told) == 1
    assert equal_bits(module, sealed)


@pytest.mark.parametrize("form", ["tensor", "array", "bytes"])
def test_sealed_values_come_as_tensors_arrays_or_bytes(form: str) -> None:
    module = nn.Linear(3, 2).eval()
    forms: dict[str, Callable[[torch.Tensor], object]] = {
        "tensor": lambda t: t.clone(),
        "array": lambda t: t.numpy().copy(),
        "bytes": lambda t: t.numpy().tobytes(),
    }
    sealed = {name: forms[form](value) for name, value in module.state_dict().items()}
    guard = Guard(module, sealed)  # type: ignore[arg-type]  # the form is one of the three
    before = module.weight.detach().clone()
    flip(module.weight, 4, 12)

    assert len(guard.sweep().incidents) == 1
    assert module.weight.detach().equal(before)


def test_sealed_values_that_share_the_modules_memory_are_copied() -> None:
    module = nn.Linear(3, 2).eval()
    before = module.weight.detach().clone()
    guard = Guard(module, module.state_dict())
    flip(module.weight, 4, 12)

    assert guard.sweep().incidents[0].restored
    assert module.weight.detach().equal(before)


def test_one_name_of_a_shared_tensor_need_be_sealed_and_each_is_kept() -> None:
    module = reader()
    sealed = sealed_of(module)
    del sealed["tied.weight"]
    guard = Guard(module, sealed)
    assert guard.sweep().incidents == ()

    module.tied.weight = nn.Parameter(module.head.weight.detach().clone())

    [incident] = guard.sweep().incidents
    assert incident.finding.rule == "guard.parameter-replaced"
    assert incident.finding.where.tensor == "tied.weight"
    assert module.tied.weight is module.head.weight


def replace_parameter(module: Reader) -> None:
    module.head.weight = nn.Parameter(module.head.weight.detach().clone())


def replace_buffer(module: Reader) -> None:
    module.register_buffer("table", module.state_dict()["table"].clone())


def replace_by_plain_tensor(module: Reader) -> None:
    weight = module.body.weight.detach().clone()
    del module.body.weight
    setattr(module.body, "weight", weight)  # noqa: B010  mypy knows it as a parameter


def move_storage(module: Reader) -> None:
    module.body.weight.data = module.body.weight.data.clone()


def change_type(module: Reader) -> None:
    module.body.weight.data = module.body.weight.data.double()


def change_strides(module: Reader) -> None:
    square = module.turned.data[:5, :5]
    module.turned.data = square.t()


def take_parameter_out(module: Reader) -> None:
    module.body.register_parameter("bias", None)


def take_buffer_out(module: Reader) -> None:
    del module.count


def add_parameter(module: Reader) -> None:
    module.body.register_parameter("adapter", nn.Parameter(torch.zeros(2)))


def add_hidden_buffer(module: Reader) -> None:
    module.register_buffer("adapter", torch.zeros(2), persistent=False)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (replace_parameter, "replaced"),
        (replace_buffer, "replaced"),
        (replace_by_plain_tensor, "missing"),
        (move_storage, "replaced"),
        (change_type, "replaced"),
        (change_strides, "replaced"),
        (take_parameter_out, "missing"),
        (take_buffer_out, "missing"),
        (add_parameter, "added"),
        (add_hidden_buffer, "added"),
    ],
)
def test_a_module_put_together_otherwise_is_found_and_put_right(
    change: Callable[[Reader], None], rule: str
) -> None:
    module = reader()
    sealed = sealed_of(module)
    expected = module(INPUT)
    held = dict(module.named_parameters()) | dict(module.named_buffers())
    guard = Guard(module, sealed)
    change(module)

    swept = guard.sweep()

    assert {i.finding.rule for i in swept.incidents} == {f"guard.parameter-{rule}"}
    assert all(i.restored for i in swept.incidents)
    now = dict(module.named_parameters()) | dict(module.named_buffers())
    assert now.keys() == held.keys()
    assert all(now[name] is held[name] for name in held)
    assert equal_bits(module, sealed)
    assert module(INPUT).equal(expected)
    assert guard.sweep().incidents == ()


def test_a_sealed_tensor_that_was_never_put_in_stops_the_model() -> None:
    module = nn.Linear(3, 2, bias=False).eval()
    guard = Guard(module, {"weight": module.weight.detach().clone(), "bias": b"\0" * 8})

    [incident] = guard.sweep().incidents

    assert incident.finding.rule == "guard.parameter-missing"
    assert not incident.restored
    with pytest.raises(AlteredError, match="bias was sealed and is not there"):
        module(torch.zeros(1, 3))


class Impostor(nn.Linear):
    """Holds the very parameters that were sealed, and computes something else with them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -super().forward(x)


@pytest.mark.parametrize("keeps_parameters", [True, False])
def test_another_submodule_in_place_of_the_sealed_one_stops_the_model(
    keeps_parameters: bool,
) -> None:
    module = reader()
    guard = Guard(module, sealed_of(module))
    impostor = Impostor(6, 8).eval()
    if keeps_parameters:
        impostor.weight, impostor.bias = module.body.weight, module.body.bias
    module.body = impostor

    swept = guard.sweep()

    assert {i.finding.where.tensor for i in swept.incidents} == {"body.weight", "body.bias"}
    assert "the submodule that holds body" in swept.incidents[0].finding.what
    assert not any(i.restored for i in swept.incidents)
    with pytest.raises(AlteredError):
        module(INPUT)


def test_a_sealed_copy_that_was_altered_too_is_never_written_back() -> None:
    module = reader()
    sealed = sealed_of(module)
    guard = Guard(module, sealed)
    flip(module.body.weight, 1, 1)
    flip(sealed["body.weight"], 2, 2)

    [incident] = guard.sweep().incidents

    assert not incident.restored
    assert guard.stopped
    with pytest.raises(AlteredError):
        module(INPUT)

    flip(sealed["body.weight"], 2, 2)
    assert guard.resolve().incidents[0].restored
    assert module(INPUT).shape == (2, 4)


def test_stop_touches_nothing_and_refuses_until_resolved() -> None:
    module = reader()
    sealed = sealed_of(module)
    expected = module(INPUT)
    guard = Guard(module, sealed, on_tamper=OnTamper.STOP)
    assert guard.sweep().incidents == ()
    assert module(INPUT).equal(expected)
    flip(module.body.weight, 0, 30)

    assert not guard.sweep().incidents[0].restored
    with pytest.raises(AlteredError, match=r"1 byte of body.weight changed in memory") as refused:
        module(INPUT)
    assert refused.value.report.findings[0].rule == "guard.parameter-changed"
    assert not equal_bits(module, sealed)

    assert guard.resolve().incidents[0].restored
    assert module(INPUT).equal(expected)
    assert not guard.stopped


def test_a_finding_stops_the_model_before_the_sweep_ends() -> None:
    module = reader()
    refused: list[bool] = []

    class Watching(dict[str, torch.Tensor]):
        """A source that, when a later tensor is read, tries to call the model."""

        def __getitem__(self, name: str) -> torch.Tensor:
            if name == "table" and guarded:
                with pytest.raises(AlteredError):
                    module(INPUT)
                refused.append(True)
            return super().__getitem__(name)

    guarded: list[Guard] = []
    guarded.append(Guard(module, Watching(sealed_of(module)), on_tamper=OnTamper.STOP))
    flip(module.body.weight, 0, 30)
    flip(module.state_dict()["table"], 0, 0)

    assert len(guarded[0].sweep().incidents) == 2
    assert refused == [True]


def test_an_incident_says_since_when_answers_are_in_doubt() -> None:
    module = reader()
    recorded: list[Incident] = []
    assert Guard(module, sealed_of(module)).last_good is None
    guard = Guard(module, sealed_of(module), clock=Ticks(), record=recorded.append)
    guard.sweep()
    guard.sweep()
    assert guard.last_good == 2.0
    flip(module.body.weight, 0, 0)

    [incident] = guard.sweep().incidents

    assert (incident.last_good, incident.found_at) == (2.0, 4.0)
    assert guard.last_good == 2.0  # a sweep that found something is not a good one
    guard.sweep()
    assert guard.last_good == 5.0
    assert recorded == [incident]
    assert guard.incidents == (incident,)


def test_the_background_sweep_finds_a_change() -> None:
    module = reader()
    sealed = sealed_of(module)
    found = threading.Event()

    with Guard(
        module, sealed, pace=Pace(period=0.01, share=0.5), notify=lambda _: found.set()
    ) as guard:
        flip(module.head.weight, 9, 22)
        assert found.wait(PATIENCE)

    assert equal_bits(module, sealed)
    assert guard.incidents[0].last_good is not None


def test_no_false_alarm_while_another_thread_infers() -> None:
    module = reader()
    guard = Guard(module, sealed_of(module))
    done = threading.Event()
    answers = []

    def serve() -> None:
        with torch.inference_mode():
            while not done.is_set():
                answers.append(module(INPUT))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert [guard.sweep().incidents for _ in range(300)] == [()] * 300
    finally:
        done.set()
        thread.join()
    assert all(answer.equal(answers[0]) for answer in answers)


@pytest.mark.parametrize("on_tamper", OnTamper)
def test_a_background_sweep_that_fails_is_an_incident_and_the_next_one_runs(
    on_tamper: OnTamper,
) -> None:
    module = reader()
    calls = threading.Semaphore(0)

    def broken(_: Report) -> None:
        calls.release()
        raise OSError("no route to the pager")

    guard = Guard(
        module, sealed_of(module), pace=Pace(period=0.01), notify=broken, on_tamper=on_tamper
    )
    with guard:
        flip(module.head.weight, 9, 22)
        assert calls.acquire(timeout=PATIENCE)
        if on_tamper is OnTamper.RESTORE:
            flip(module.head.weight, 9, 22)
            assert calls.acquire(timeout=PATIENCE)

    failed = [i for i in guard.incidents if i.finding.rule == "guard.sweep-failed"]
    assert "OSError: no route to the pager" in failed[0].finding.what
    assert guard.stopped == (on_tamper is OnTamper.STOP)


class Folder(Mapping[str, bytes]):
    """Sealed values in files, read each time that they are asked for."""

    def __init__(self, path: Path, sealed: dict[str, torch.Tensor]) -> None:
        self.path = path
        for name, value in sealed.items():
            bits = value.contiguous().reshape(-1).view(torch.uint8)
            (path / name).write_bytes(bits.numpy().tobytes())

    def __getitem__(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return (file.name for file in self.path.iterdir())

    def __len__(self) -> int:
        return len(list(self.path.iterdir()))


def test_sealed_values_are_read_from_their_source_when_they_are_needed(tmp_path: Path) -> None:
    module = reader()
    sealed = sealed_of(module)
    guard = Guard(module, Folder(tmp_path, sealed))
    flip(module.body.weight, 0, 30)

    assert guard.sweep().incidents[0].restored
    assert equal_bits(module, sealed)


def test_a_source_that_is_lost_stops_the_model(tmp_path: Path) -> None:
    module = reader()
    guard = Guard(module, Folder(tmp_path, sealed_of(module)))
    (tmp_path / "body.weight").unlink()
    assert guard.sweep().incidents == ()
    flip(module.body.weight, 0, 30)

    [incident] = guard.sweep().incidents

    assert incident.finding.what == "body.weight changed in memory, and its sealed value is lost"
    with pytest.raises(AlteredError):
        module(INPUT)


@pytest.mark.parametrize(
    ("sealed", "message"),
    [
        ({"weight": torch.zeros(2, 3, dtype=torch.float64)}, "torch.float64 of shape"),
        ({"weight": torch.zeros(3, 2)}, r"torch.float32 of shape \(3, 2\) in the seal"),
        ({"weight": np.zeros((2, 3))}, "48 bytes in the seal"),
        ({"weight": b"\0"}, "1 bytes in the seal"),
    ],
)
def test_a_sealed_value_of_another_kind_is_refused(sealed: Sealed, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Guard(nn.Linear(3, 2, bias=False).eval(), sealed)


def test_a_module_that_learns_is_refused() -> None:
    module = reader()
    module.body.train()

    with pytest.raises(InputError, match="evaluation mode"):
        Guard(module, sealed_of(module))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, device="meta"), "on the CPU expected, on meta given"),
        (torch.zeros(1).expand(3), "its elements share memory"),
        (torch.zeros(2, 2).to_sparse(), "plain layout expected"),
    ],
)
def test_memory_that_cannot_be_looked_at_is_refused(tensor: torch.Tensor, message: str) -> None:
    module = nn.Module().eval()
    module.register_buffer("x", tensor)

    with pytest.raises(InputError, match=message):
        Guard(module, {"x": b"\0" * 8})


def test_a_guard_is_entered_once() -> None:
    module = reader()
    with Guard(module, sealed_of(module)) as guard, pytest.raises(InputError, match="second time"):
        guard.__enter__()
