"""TFLite: operators that it does not bring, and what leads out of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

from credenza.artifact.model import Program
from credenza.artifact.tflite import MAGIC, SUFFIX, examined
from credenza.findings import Finding, Severity, Unread, Where
from credenza.scan.interface import Piece, Seen
from credenza.scan.kept import kept
from credenza.scan.rules import name_lists
from credenza.scan.rules.tensorflow import operator

_RULE: Final = "scan.tflite-operator"
_FLEX: Final = "Flex"
_KNOWN: Final = frozenset(
    re.findall(
        r"[\w-]+",
        """
    AudioMicrofrontend AudioSpectrogram Convolution2DTransposeBias edgetpu-custom-op Irfft2D
    LandmarksToTransformMatrix MaxPoolingWithArgmax2D MaxUnpooling2D Mfcc NGrams NumericVerify
    Resampler RFFT2D SentencepieceTokenizeOp SignalDelay SignalFft SignalFftAutoScale
    SignalFilterBank SignalFilterBankLog SignalFilterBankSpectralSubtraction
    SignalFilterBankSquareRoot SignalFramer SignalIrfft SignalOverlapAdd SignalPCAN SignalRfft
    SignalStacker SignalWindow TFLite_Detection_PostProcess TransformLandmarks
    TransformTensorBilinear WordPieceTokenize
    """,
    )
)
"""Custom operators that TensorFlow, MediaPipe and LiteRT for Microcontrollers themselves bring."""
_ACCUSES: Final = frozenset(
    {
        "artifact.external-path",
        "artifact.external-entry",
        "artifact.flatbuffer-shared",
        "artifact.tflite-duplicate-key",
        "artifact.tflite-overlap",
        "artifact.tflite-shape",
    }
)
"""What no writer does by mistake; the rest is a file that is cut short, damaged or newer."""
_BUFFER: Final = "artifact.tflite-buffer"
_OUTSIDE: Final = "artifact.flatbuffer-outside"
_MOST: Final = 50
_LARGEST: Final = 1 << 31
"""In bytes: what a flatbuffer can be, and how far an offset in it can honestly lead."""


@final
@dataclass(frozen=True, slots=True)
class Tflite:
    """A model, by its magic or its name."""

    name: str = "tflite"

    def claims(self, piece: Piece) -> bool:
        return piece.path.lower().endswith(SUFFIX) or piece.head(8)[4:] == MAGIC

    def examine(self, piece: Piece) -> Iterator[Seen]:
        programs, refused = examined(piece)
        yield from kept((f for program in programs for f in _operator(program)), _MOST)
        accusing = (f for f in refused if _speaks_of_intent(f, piece.size))
        yield from (replace(f, where=replace(f.where, file=None)) for f in kept(accusing, _MOST))
        for finding in refused[:_MOST]:
            yield Unread(where=replace(finding.where, file=None), why=finding.what)


def _operator(program: Program) -> Iterator[Finding]:
    name, at = program.name, program.start
    if name.startswith(_FLEX):
        own = name.removeprefix(_FLEX)
        if own in name_lists.tensorflow("computes"):
            what = "a model calls TensorFlow, which must be linked beside TFLite"
            yield _finding(Severity.LOW, what, name, at)
        yield from operator(own, at, _RULE)
    elif name not in _KNOWN:
        what = "a model calls an operator that TFLite does not bring"
        yield _finding(Severity.HIGH, what, name, at)


def _speaks_of_intent(finding: Finding, size: int) -> bool:
    """Whether no writer does such a thing by mistake.

    An offset may lead out of a file that was cut short, and no further than a whole one is long
    (CVE-2026-42627).
    """
    if finding.rule == _BUFFER:
        return "two" in finding.what
    far = (finding.where.start or 0) >= _LARGEST > 2 * size
    return finding.rule in _ACCUSES or (finding.rule == _OUTSIDE and far)


def _finding(severity: Severity, what: str, found: str, at: int) -> Finding:
    shown = ascii(found[:120])[1:-1]
    return Finding(rule=_RULE, severity=severity, what=what, where=Where(start=at), found=shown)
