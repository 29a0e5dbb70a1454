"""A writer that is killed again and again: ``python -m tests.ledger.killing FOLDER KILLS SEED``.

It prints how many entries were acknowledged. `run` is what a test and a benchmark call: it starts
this in a process of its own, because it forks, which a process with threads must not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from credenza.ledger import Entry, Ledger, Receipt
from tests.ledger.logs import act

_LONGEST = 0.03  # seconds that a writer lives, after its first acknowledged entry


def run(folder: Path, kills: int, seed: int) -> int:
    """Make a log in ``folder``, kill its writers, and check that it holds what they acknowledged.

    Gives back how many entries were acknowledged. Raises where one is lost, or the log is refused.
    """
    command = [sys.executable, "-m", "tests.ledger.killing", str(folder), str(kills), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def campaign(folder: Path, kills: int, seed: int) -> int:
    """What `run` does, in this process."""
    rng = random.Random(seed)
    watching = Ledger.create(folder, "example.com/killed")
    acknowledged: dict[int, Entry] = {}
    last: Receipt | None = None
    for life in range(kills):
        receipts = _one_life(folder, life, rng)
        for index, n in receipts:
            assert index not in acknowledged, f"entry {index} was acknowledged twice"
            acknowledged[index] = act(n, f"life {life}")
        watching.checkpoint()  # refuses what does not continue what it saw before
        if receipts:
            last = watching.prove(receipts[-1][0])
    assert last is not None
    checked = watching.verify(last)
    contents = {record.index: record.content for record in watching}
    lost = [index for index, entry in acknowledged.items() if contents.get(index) != entry]
    assert not lost, f"acknowledged and lost: {lost}"
    assert checked.not_kept == 0
    return len(acknowledged)


def _one_life(folder: Path, life: int, rng: random.Random) -> list[tuple[int, int]]:
    """Fork a writer, kill it at a random moment; what it acknowledged: index, and number of act."""
    read, write = os.pipe()
    batch = rng.choice([1, 1, 2, 7, 60])
    child = os.fork()
    if child == 0:
        _write(folder, life, batch, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        # Most of them get as far as to acknowledge something.
        first = pipe.read(1) if rng.random() < 0.8 else b""
        time.sleep(rng.random() * _LONGEST)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = (first + pipe.read()).split(b"\n")[:-1]
    return [(int(index), int(n)) for index, n in (line.split() for line in lines)]


def _write(folder: Path, life: int, batch: int, pipe: int) -> None:
    """Append and acknowledge until somebody kills this process."""
    try:
        ledger, n = Ledger.open(folder), 0
        while True:
            receipts = ledger.append_many([act(n + i, f"life {life}") for i in range(batch)])
            told = b"".join(b"%d %d\n" % (r.index, n + i) for i, r in enumerate(receipts))
            os.write(pipe, told)  # of less than PIPE_BUF bytes, so whole or not at all
            n += batch
    finally:
        os._exit(1)


if __name__ == "__main__":
    sys.stdout.write(f"{campaign(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))}\n")
