"""A file's bytes, once and in order: into a digest, and into the statistics of its tensors."""

from __future__ import annotations

import hashlib
import math
import queue
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from credenza.artifact import Dtype, OpenFile, Region, Tensor, from_region
from credenza.errors import CredenzaError, InputError
from credenza.scan.weights.statistics import MOST_LINES, Accumulator, Statistics

_CHUNK: Final = 1 << 21
"""Bytes that are read at once; a few chunks are on their way to the digest at a time."""
_AHEAD: Final = 3
_MOST_TENSORS: Final = 1 << 15
"""In a file: the largest mixtures of experts have half as many, in many files."""
_MOST_HELD: Final = 1 << 26
"""In bytes: a tensor that is not laid out in order is held whole, up to this."""
_BLOCKS_AT_ONCE: Final = 1 << 17
"""In bytes: blocks of several elements become up to 20 times as large when they are numbers."""
_FLOATS: Final = frozenset(
    {
        *(Dtype.F64, Dtype.F32, Dtype.F16, Dtype.BF16, Dtype.C64, Dtype.C128),
        *(Dtype.F8_E5M2, Dtype.F8_E4M3, Dtype.F8_E4M3FNUZ, Dtype.F8_E5M2FNUZ),
    }
)

Progress: TypeAlias = Callable[[int], None]
"""Told how many bytes of the file were read since it was told the last time."""


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """Why there are no statistics of a tensor."""

    why: str


Outcome: TypeAlias = Statistics | Failed
Found: TypeAlias = Callable[[Tensor, Outcome], None]
"""Told each tensor's statistics, or why it has none, which are not held any longer."""


def is_weights(tensor: Tensor) -> bool:
    """Whether its elements are numbers to be summed up: floats, or blocks that stand for them."""
    return tensor.dtype in _FLOATS or tensor.dtype.block > 1


def matrix(tensor: Tensor) -> tuple[int, int]:
    """Rows and columns of a tensor as `statistics` sees it; a complex number is two columns."""
    double = 2 if tensor.dtype in (Dtype.C64, Dtype.C128) else 1
    if len(tensor.shape) < 2:
        return 1, max(1, tensor.size * double)
    return tensor.shape[0], max(1, math.prod(tensor.shape[1:]) * double)


def read(
    file: OpenFile,
    tensors: Iterable[Tensor],
    found: Found,
    *,
    digest: bool,
    progress: Progress | None = None,
) -> str:
    """Sum up each tensor, and return the file's SHA-256 in hex if asked for.

    The tensors are of this file, and `is_weights` of each. Every byte is read once, and in order.
    Tensors that view the same bytes are each looked at, as long as all that is looked at stays
    within four times the file and 64 MiB.

    Raises `InputError` where the file cannot be read.
    """
    regions = _by_region(file, tensors, found)
    with _Digest(digest) as hasher:
        at = 0
        for region in sorted(regions, key=lambda r: (r.start, r.stop)):
            if region.start < at:  # readers give regions that are the same or disjoint
                for tensor in regions[region]:
                    found(tensor, Failed("its bytes overlap those of others"))
                continue
            _between(file, at, region.start, hasher, progress)
            chunks = _chunks(file, region.start, region.stop, hasher, progress)
            _take(region, chunks, _takers(regions[region]), found)
            at = region.stop
        _between(file, at, file.size, hasher, progress)
        return hasher.hexdigest()


def _by_region(
    file: OpenFile, tensors: Iterable[Tensor], found: Found
) -> dict[Region, list[Tensor]]:
    """The tensors that are looked at, by where their bytes are."""
    regions: dict[Region, list[Tensor]] = defaultdict(list)
    left = 4 * file.size + _MOST_HELD
    for count, tensor in enumerate(tensors):
        left -= tensor.size
        if count >= _MOST_TENSORS:
            found(tensor, Failed("more tensors than are looked at in a file"))
        elif left < 0:
            found(tensor, Failed("it repeats bytes of others beyond what is looked at"))
        elif tensor.region.stop > file.size:
            found(tensor, Failed("the file ends before it"))
        else:
            regions[tensor.region].append(tensor)
    return regions


def _between(
    file: OpenFile, start: int, stop: int, hasher: _Digest, progress: Progress | None
) -> None:
    """Bytes that no tensor has: only a digest wants them."""
    if hasher.wanted:
        for _ in _chunks(file, start, stop, hasher, progress):
            pass
    elif progress is not None and stop > start:
        progress(stop - start)


def _chunks(
    file: OpenFile, start: int, stop: int, hasher: _Digest, progress: Progress | None
) -> Iterator[memoryview]:
    for at in range(start, stop, _CHUNK):
        buffer = memoryview(hasher.buffer())[: min(_CHUNK, stop - at)]
        file.fill(buffer, at)
        hasher.update(buffer)
        yield buffer
        if progress is not None:
            progress(len(buffer))


@final
class _Digest:
    """SHA-256 in a thread of its own: hashlib and numpy both let others run meanwhile.

    ``buffer`` is memory that nobody reads any more; what is given to ``update`` is read until
    three others were.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self._hash = hashlib.sha256()
        self._todo: queue.Queue[memoryview | None] = queue.Queue(_AHEAD)
        # one is being filled and looked at, one hashed, _AHEAD wait
        self._buffers = [bytearray(_CHUNK) for _ in range(_AHEAD + 2 if wanted else 1)]
        self._next = 0
        self._thread = threading.Thread(target=self._work, daemon=True) if wanted else None

    def buffer(self) -> bytearray:
        self._next = (self._next + 1) % len(self._buffers)
        return self._buffers[self._next]

    def update(self, data: memoryview) -> None:
        if self.wanted:
            self._todo.put(data)

    def hexdigest(self) -> str:
        """The digest of all that was given; empty where none is wanted. Ends it."""
        self._end()
        return self._hash.hexdigest() if self.wanted else ""

    def _work(self) -> None:
        while (data := self._todo.get()) is not None:
            self._hash.update(data)

    def _end(self) -> None:
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> _Digest:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def _take(
    region: Region, chunks: Iterable[memoryview], takers: Sequence[_Taker], found: Found
) -> None:
    """Show all bytes of a region to each that takes them."""
    inflater = None if region.encoding == "raw" else _Inflater(region)
    for chunk in chunks:
        for piece in (chunk,) if inflater is None else inflater.pieces(chunk):
            for taker in takers:
                taker.take(piece)
    failed = None if inflater is None else inflater.finish()
    for taker in takers:
        found(taker.tensor, failed or taker.finish())


class _Taker(Protocol):
    """Takes the bytes of a tensor's region, in order."""

    @property
    def tensor(self) -> Tensor: ...

    def take(self, chunk: memoryview) -> None: ...

    def finish(self) -> Outcome: ...


def _takers(tensors: Iterable[Tensor]) -> list[_Taker]:
    """One for each tensor of a region; they may together hold so much, and no more."""
    lines, held = 2 * MOST_LINES, _MOST_HELD
    takers: list[_Taker] = []
    for tensor in tensors:
        taker: _Taker = _Not(tensor, Failed("it views bytes that too many others view"))
        lines -= sum(n for n in matrix(tensor) if n <= MOST_LINES)
        if _in_order(tensor):
            if lines >= 0:
                taker = _InOrder(tensor)
        else:
            held -= tensor.region.nbytes + tensor.nbytes
            taker = _Not(tensor, Failed("it lies apart, and is too large to be held whole"))
            if held >= 0 and lines >= 0:
                taker = _Whole(tensor)
        takers.append(taker)
    return takers


def _in_order(tensor: Tensor) -> bool:
    """Whether its elements lie in the order in which they are counted, in whole bytes."""
    contiguous = tuple(math.prod(tensor.shape[i + 1 :]) for i in range(len(tensor.shape)))
    unpacked = tensor.dtype.bits % 8 == 0
    return unpacked and tensor.strides in ((), contiguous)


@final
class _InOrder:
    """A tensor whose elements come by as its bytes do."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._sums = Accumulator(*matrix(tensor))
        self._unit = tensor.dtype.bits // 8
        self._skip = tensor.offset
        self._left = tensor.nbytes
        self._rest = b""
        self._failed: Failed | None = None

    def take(self, chunk: memoryview) -> None:
        if self._failed is not None:
            return
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        data: memoryview | bytes = chunk[skipped : skipped + self._left]
        self._left -= len(data)
        if self._rest:
            data = self._rest + data
        whole = len(data) // self._unit * self._unit
        self._rest = bytes(data[whole:])
        if whole:
            self._feed(memoryview(data)[:whole])

    def finish(self) -> Outcome:
        if self._failed is None and (self._left or self._rest):
            self._failed = Failed("its bytes end before it does")
        return self._failed or self._sums.finish()

    def _feed(self, data: memoryview) -> None:
        step = len(data)
        if self.tensor.dtype.block > 1:
            step = _BLOCKS_AT_ONCE // self._unit * self._unit
        try:
            for at in range(0, len(data), step):
                self._sums.feed(elements(self.tensor, data[at : at + step]))
        except CredenzaError as e:
            self._failed = Failed(str(e))


@final
class _Whole:
    """A tensor whose elements lie apart, or in an order of their own: held until it is whole."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._data = bytearray()

    def take(self, chunk: memoryview) -> None:
        self._data += chunk

    def finish(self) -> Outcome:
        try:
            values = from_region(self.tensor, self._data)
        except CredenzaError as e:
            return Failed(str(e))
        rows, columns = matrix(self.tensor)
        sums = Accumulator(rows, columns)
        by_row = _floating(np.ascontiguousarray(values)).reshape(-1)
        sums.feed(by_row)
        return sums.finish()


@final
class _Not:
    def __init__(self, tensor: Tensor, outcome: Failed) -> None:
        self.tensor = tensor
        self._outcome = outcome

    def take(self, chunk: memoryview) -> None:
        pass

    def finish(self) -> Outcome:
        return self._outcome


@final
class _Inflater:
    """A region that is a DEFLATE stream (RFC 1951), which all of its tensors read."""

    def __init__(self, region: Region) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = region.nbytes
        self._failed: Failed | None = None

    def pieces(self, chunk: memoryview) -> Iterator[memoryview]:
        """What a chunk inflates to, up to what the region claims."""
        data: bytes | memoryview = chunk
        more = True  # the stream may hold a little that it has not given, and no more to read
        while self._failed is None and (data or more) and not self._stream.eof:
            try:
                inflated = self._stream.decompress(data, _CHUNK)
            except zlib.error:
                self._failed = Failed("its bytes are no deflate stream")
                return
            self._left -= len(inflated)
            if self._left < 0:
                self._failed = Failed("it inflates to more than it claims")
            elif inflated:
                yield memoryview(inflated)
            data, more = self._stream.unconsumed_tail, len(inflated) == _CHUNK

    def finish(self) -> Failed | None:
        """Why it did not come to what it claims, if so."""
        if self._failed is None and self._left:
            return Failed("it inflates to less than it claims")
        return self._failed


def elements(tensor: Tensor, data: memoryview) -> NDArray[np.floating[Any]]:
    """The values of some elements of ``tensor``, one after the other, in float32 or float64.

    Raises as `from_region` does.
    """
    count = len(data) * 8 // tensor.dtype.bits * tensor.dtype.block
    run = replace(
        tensor,
        shape=(count,),
        strides=(),
        offset=0,
        region=Region(start=0, stop=len(data), nbytes=len(data)),
    )
    return _floating(from_region(run, data))


def _floating(values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Halves in single precision, and complex numbers as two numbers each."""
    if values.dtype.kind == "c":
        return values.view(values.real.dtype)
    if values.dtype.itemsize < 4:
        return values.astype(np.float32)
    if values.dtype.kind != "f":
        raise InputError(f"{values.dtype} is no type of floats")
    return values
