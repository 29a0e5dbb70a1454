"""Labelled samples in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from credenza.dataset import Dataset
from credenza.errors import CredenzaError, InputError

BYTES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([2, 0, 1])


def test_bytes_are_pixels_and_images_get_their_channel(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=BYTES, labels=LABELS.astype(np.uint8))
    data = Dataset.read(tmp_path / "d.npz")
    assert data.inputs.shape == (3, 1, 4, 5)
    np.testing.assert_array_equal(data.inputs[:, 0], (BYTES / np.float32(255)).astype(np.float32))
    np.testing.assert_array_equal(data.labels, LABELS)


def test_floats_stay_as_they_are_in_any_format(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).random((3, 2, 4, 5))
    save_file({"inputs": inputs, "labels": LABELS}, tmp_path / "d.safetensors")
    data = Dataset.read(tmp_path / "d.safetensors")
    np.testing.assert_array_equal(data.inputs, inputs.astype(np.float32))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": BYTES}, "no tensor 'labels'"),
        ({"inputs": BYTES, "labels": LABELS[:2]}, "one label an input expected"),
        ({"inputs": BYTES, "labels": LABELS / 2}, "labels that are integers expected"),
        ({"inputs": BYTES.astype(np.int32), "labels": LABELS}, "inputs of bytes or floats"),
        ({"inputs": BYTES, "labels": LABELS[:, None]}, "one label an input expected"),
    ],
)
def test_anything_else_is_refused(
    tmp_path: Path, arrays: dict[str, NDArray[Any]], message: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)  # type: ignore[arg-type]  # its keywords are arrays
    with pytest.raises(InputError, match=message):
        Dataset.read(tmp_path / "d.npz")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    np.savez(tmp_path / "d.npz", inputs=np.array([Payload()], object), labels=LABELS)
    with pytest.raises(CredenzaError):
        Dataset.read(tmp_path / "d.npz")
    assert not marker.exists()


def test_rows_are_taken_in_the_order_asked_for() -> None:
    data = Dataset(BYTES.astype(np.float32), LABELS)
    taken = data.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.labels, [1, 2])
    assert len(data.take(LABELS > 0)) == 2


def test_types_are_held_to() -> None:
    with pytest.raises(InputError, match="float32 inputs and int64 labels expected"):
        Dataset(BYTES, LABELS)  # type: ignore[arg-type]  # as an untyped caller would
