"""The rows of the table: what is measured against what, and which target it has."""

from __future__ import annotations

import compileall
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.ledger import killing

import credenza
from benchmarks.custody import models, tampering
from benchmarks.custody.worker import Worker
from benchmarks.environments import cache, environment, versions
from benchmarks.results import Bar, write
from benchmarks.turns import Turns, peak, process, seconds
from credenza.attest import new_key

HERE: Final = Path(__file__).parent
MB: Final = 1e6

TEXT: Final = """
Generated models of 1.5 GB (300 tensors of float32 in one safetensors file; the same tensors in 8
shards), of 2,000 files of 4 KiB, and of 10 MB. Each side works in turn with the other, on the same
files, which the page cache holds; one round is for warming up. *Whole process* is a command from
its start to its end, with compiled bytecode on both sides, as pip leaves it. All else is timed
inside a process of its own, one a side, which repeats the work and lets go of the result in
between: imports are not timed. A time is the median of the runs, from the least to the largest.
*Times as fast* is theirs over ours, of the medians; its interval is the 95 % of a bootstrap over
the rounds, which with few rounds says little more than how much the machine swayed.

model-signing runs as its command line does by default (SHA-256, an EC key), or by its API in the
configuration that was fastest when we tried them, as the row says. Private load: every tensor in
memory of its own, theirs by `load_file(backend="pread")`. Mapped load: tensors that are views of
the mapped file, of which every page is then read. tensorizer reads the same tensors, encrypted with
a random key, with as many readers as were fastest. *Memory* is the most that the process held
(resident, mapped pages of files included); that of a load is over what the same process held when
all was imported.

*Altered* and *honest* models are small ones of every format, as the tests make them
(`tests/seal/alterations.py` lists the alterations, and which error is the right one;
`tests/seal/honesty.py` what owners do to their models); an alteration counts as refused where both
`verify` and `load` raise that error. The intervals are exact (Clopper and Pearson).
"""


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where everything is, and how often it is measured."""

    models: models.Models
    peers: Path
    folder: Path
    runs: int

    @property
    def key(self) -> str:
        return str(self.folder / "key")

    @property
    def trust(self) -> str:
        return str(self.folder / "key.pub")

    def ours(self, name: str, **arguments: str) -> Worker:
        """A worker of our side."""
        return Worker(Path(sys.executable), "benchmarks.custody.ours", name, **arguments)

    def theirs(self, name: str, **arguments: str) -> Worker:
        """A worker of their side."""
        return Worker(self.peers, "benchmarks.custody.theirs", name, **arguments)

    def theirs_on(self, model: Path, name: str, **more: str) -> Worker:
        """A worker that verifies that model by model-signing."""
        where = {
            "model": str(self.models.twin(model)),
            "private": str(self.folder / "ec"),
            "public": str(self.folder / "ec.pub"),
            "scratch": str(self.folder),
        }
        return self.theirs(name, **where, **more)

    def in_turn(self, mine: Worker, theirs: Worker) -> Turns:
        """Both workers, in turn. They end."""
        with mine, theirs:
            return Turns.taken(mine.seconds, theirs.seconds, self.runs)


Rows = Callable[[_Bench], Iterator[Bar]]


def measure(*, full: bool) -> None:
    """All rows, and what they say."""
    compileall.compile_dir(Path(credenza.__file__).parent, quiet=1)  # as pip does when it installs
    bench = _prepared(runs=11 if full else 5)
    bars: list[Bar] = []
    for rows in ROWS:
        start = time.perf_counter()
        bars += list(rows(bench))
        print(f"  {rows.__name__[1:]}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    packages = ["credenza", "blake3", "cryptography", "torch"]
    peers = versions(bench.peers, ["model-signing", "tensorizer", "safetensors", "blake3", "torch"])
    told = ", ".join(f"{name} {version}" for name, version in peers.items())
    text = f"{TEXT}\nThe peers' environment: {told}.\n"
    write("custody", "Custody at the speed of reading", text, bars, packages)


def _prepared(runs: int) -> _Bench:
    """Models, keys and the peers' environment, made where they are not there yet."""
    folder = cache() / "custody"
    folder.mkdir(exist_ok=True)
    if not (folder / "ec.pub").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / "ec").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / "ec.pub").write_bytes(public)
    for name in ("key", "key.pub", "recipient", "recipient.pub"):
        (folder / name).unlink(missing_ok=True)
    for name in ("one.encrypted", *(f"ledger-{i}" for i in range(100))):  # of an earlier key
        shutil.rmtree(folder / name, ignore_errors=True)
    signer = new_key(folder / "key")
    made = models.make()
    for model in (made.one, made.shards, made.small, made.ten):
        credenza.seal(credenza.open(model), signer)
    return _Bench(made, environment(HERE / "peers.txt"), folder, runs)


def _command_lines(bench: _Bench) -> Iterator[Bar]:
    """Sealing and verifying, against the default command line of model-signing."""
    own = (sys.executable, "-m", "credenza")
    their = (str(bench.peers), "-m", "model_signing")
    for name, model in (("one file", bench.models.one), ("8 shards", bench.models.shards)):
        twin = str(bench.models.twin(model))
        signature = ("--signature", str(bench.folder / f"{model.name}.sig"))
        private, public = str(bench.folder / "ec"), str(bench.folder / "ec.pub")
        sealing = Turns.taken(
            process(*own, "seal", str(model), "--key", bench.key),
            process(*their, "sign", "key", twin, *signature, "--private_key", private),
            bench.runs,
        )
        peer = "model-signing's command line"
        yield from sealing.bars(f"seal 1.5 GB in {name}, whole process: {peer}", 5)
        verifying = Turns.taken(
            process(*own, "verify", str(model), "--trust", bench.trust),
            process(*their, "verify", "key", twin, *signature, "--public_key", public),
            bench.runs,
        )
        yield from verifying.bars(f"verify 1.5 GB in {name}, whole process: {peer}", 5)


def _against_the_api(bench: _Bench) -> Iterator[Bar]:
    """Verifying, against model-signing's API with the same hash."""
    for name, model in (("one file", bench.models.one), ("8 shards", bench.models.shards)):
        mine = bench.ours("verify", model=str(model), trust=bench.trust)
        theirs = bench.theirs_on(model, "verify", algorithm="blake3")
        peer = f"model-signing's API, {theirs.ready.note}"
        yield from bench.in_turn(mine, theirs).bars(f"verify 1.5 GB in {name}: {peer}", 1.1)


def _against_bare_hashing(bench: _Bench) -> Iterator[Bar]:
    """Verifying, against nothing but the hash function."""
    mine = bench.ours("verify", model=str(bench.models.one), trust=bench.trust)
    bare = bench.ours("bare", file=str(bench.models.file))
    what = "verify 1.5 GB in one file: bare BLAKE3 over the mapped file, all threads"
    yield from bench.in_turn(mine, bare).bars(what, 1.0)


def _private_loads(bench: _Bench) -> Iterator[Bar]:
    """Loading into private memory, against verifying and then loading."""
    for name, model in (("one file", bench.models.one), ("8 shards", bench.models.shards)):
        mine = bench.ours("load", model=str(model), trust=bench.trust)
        theirs = bench.theirs_on(model, "verify-and-load", algorithm="blake3", backend="pread")
        peer = f"model-signing's API, {theirs.ready.note}, then safetensors pread"
        what = f"verified private load of 1.5 GB in {name}: {peer}"
        yield from bench.in_turn(mine, theirs).bars(what, 1.8)


def _mapped_loads(bench: _Bench) -> Iterator[Bar]:
    """Loading as views of the mapped file, against verifying and then loading so."""
    mine = bench.ours("mapped", model=str(bench.models.one), trust=bench.trust)
    theirs = bench.theirs_on(
        bench.models.one, "verify-and-load", algorithm="blake3", backend="mmap"
    )
    peer = f"model-signing's API, {theirs.ready.note}, then safetensors mmap, every page read"
    what = f"verified mapped load of 1.5 GB in one file: {peer}"
    yield from bench.in_turn(mine, theirs).bars(what, 1.5)


def _small_files(bench: _Bench) -> Iterator[Bar]:
    """Verifying many small files, against model-signing's API in any configuration."""
    mine = bench.ours("verify", model=str(bench.models.small), trust=bench.trust)
    theirs = bench.theirs_on(bench.models.small, "verify", algorithm="")
    peer = f"model-signing's API, {theirs.ready.note}"
    yield from bench.in_turn(mine, theirs).bars(f"verify 2,000 files of 4 KiB: {peer}", 3)


def _encrypted_loads(bench: _Bench) -> Iterator[Bar]:
    """Loading what is encrypted, against tensorizer."""
    mine = bench.ours(
        "encrypted",
        model=str(bench.models.one),
        trust=bench.trust,
        encrypted=str(bench.folder / "one.encrypted"),
        key=str(bench.folder / "recipient"),
    )
    theirs = bench.theirs(
        "decrypt",
        model=str(bench.models.twin(bench.models.one)),
        encrypted=str(bench.folder / "one.tensors"),
    )
    peer = f"tensorizer, {theirs.ready.note}"
    yield from bench.in_turn(mine, theirs).bars(f"encrypted load of 1.5 GB: {peer}", 2)


def _one_tensor(bench: _Bench) -> Iterator[Bar]:
    """One tensor of a large model, in a process that has read nothing of it before."""
    model, name = str(bench.models.one), models.LARGE
    times = []
    for _ in range(bench.runs):
        with bench.ours("tensor", model=model, trust=bench.trust, tensor=name) as worker:
            times.append(worker.seconds())
    yield seconds(
        "one tensor of 8 MiB verified out of 1.5 GB, new process, without imports", times, 0.02
    )


def _ledger(bench: _Bench) -> Iterator[Bar]:
    """Durable appends by one writer, in batches."""
    entries = 20_000
    with bench.ours("append", folder=str(bench.folder), entries=str(entries)) as worker:
        rates = sorted(entries / worker.seconds() for _ in range(bench.runs))
    yield Bar(
        bar="durable ledger appends, batched, one writer",
        value=rates[len(rates) // 2],
        unit="/s",
        sense=">=",
        target=5_000,
        low=rates[0],
        high=rates[-1],
    )


def _kills(bench: _Bench) -> Iterator[Bar]:
    """A ledger's writer killed at random moments, one life after the other."""
    folder = bench.folder / "killed"  # its keys lie beside it, those of a run cut short as well
    shutil.rmtree(folder, ignore_errors=True)
    for key in bench.folder.glob("killed.*"):
        key.unlink()
    acknowledged = killing.run(folder, kills=1_000, seed=2026)  # raises where one is lost
    yield Bar(
        bar="entries acknowledged by a writer that was killed 1,000 times, all there",
        value=acknowledged,
        unit="entries",
        sense=">=",
        target=1_000,
    )


def _small_model(bench: _Bench) -> Iterator[Bar]:
    """What verifying costs where there is next to nothing to verify."""
    command = (sys.executable, "-m", "credenza", "verify")
    timed = process(*command, str(bench.models.ten), "--trust", bench.trust)
    timed()
    times = [timed() for _ in range(4 * bench.runs)]
    yield seconds("credenza verify of 10 MB, whole process", times, 0.25)


def _memory(bench: _Bench) -> Iterator[Bar]:
    """The most memory that verifying and loading hold."""
    for name, model in (("one file", bench.models.one), ("8 shards", bench.models.shards)):
        command = (sys.executable, "-m", "credenza", "verify", str(model), "--trust", bench.trust)
        yield Bar(
            bar=f"memory of credenza verify, 1.5 GB in {name}, whole process",
            value=peak(*command) / MB,
            unit="MB",
            target=150,
        )
        with bench.ours("load", model=str(model), trust=bench.trust) as worker:
            held = worker.run().peak - worker.ready.peak
        yield Bar(
            bar=f"memory of a private load, 1.5 GB in {name}, beyond the tensors",
            value=(held - bench.models.nbytes) / MB,
            unit="MB",
            target=64,
        )


def _tampering(_: _Bench) -> Iterator[Bar]:
    """What is refused, and what is not."""
    yield from tampering.bars()


ROWS: Final[tuple[Rows, ...]] = (
    _command_lines,
    _against_the_api,
    _against_bare_hashing,
    _private_loads,
    _mapped_loads,
    _small_files,
    _encrypted_loads,
    _one_tensor,
    _ledger,
    _kills,
    _small_model,
    _memory,
    _tampering,
)
