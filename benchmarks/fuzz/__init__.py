"""Every parser of ours under a fuzzer that follows its branches (atheris, libFuzzer)."""

from __future__ import annotations


def run(*, full: bool) -> None:
    # Imported late: the fuzzer's own environment imports this package too.
    from benchmarks.fuzz import fuzzing

    fuzzing.measure(seconds=60 if full else 5)
