"""The scan itself, with rules and containers that stand in for the real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from credenza import artifact
from credenza.artifact import Held
from credenza.artifact.interface import Signs
from credenza.artifact.pickles.machine import is_opcode
from credenza.errors import InputError, MalformedError
from credenza.findings import Finding, Report, Severity, Unread, Where
from credenza.scan import RULES, Budget, Limits, Piece, Rule, scan
from credenza.scan.interface import Seen
from credenza.scan.later import LaterRule


def finding(what: str, start: int | None = None) -> Finding:
    return Finding(
        rule="scan.bomb", severity=Severity.HIGH, what=what, where=Where(start=start), remedy="none"
    )


@dataclass(frozen=True)
class Word:
    """Finds a word, at its offset; breaks off at ``stop``."""

    word: bytes = b"evil"
    name: str = "word"

    def claims(self, piece: Piece) -> bool:
        return not piece.path.endswith(".skip")

    def examine(self, piece: Piece) -> Iterator[Seen]:
        data = piece.pread(0, piece.size)
        if self.word in data:
            yield finding("a word", data.index(self.word))
        if b"stop" in data:
            raise MalformedError(finding("it breaks off", data.index(b"stop")))
        if b"shrunk" in data:
            raise InputError("it became shorter")
        if b"part" in data:
            yield Unread(where=Where(start=3), why="a part of another kind")


@dataclass(frozen=True)
class Boxes:
    """``[name:content]``, one in another; unpacks its own content ``times`` times."""

    times: int = 1
    name: str = "box"

    def claims(self, piece: Piece) -> bool:
        return piece.head(1) == b"["

    def open(self, piece: Piece, budget: Budget) -> Iterator[Seen]:
        name, _, content = piece.pread(1, piece.size - 2).partition(b":")
        for _ in range(self.times):
            budget.take(len(content))
            yield piece.member(name.decode(), Held(piece.path, content))


def scanned(at: Path, limits: Limits | None = None, times: int = 1) -> Report:
    return scan(at, rules=(Word(),), containers=(Boxes(times),), limits=limits)


def test_what_is_found_says_where_through_every_container(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"[b:[c:not evil]]")
    report = scanned(tmp_path)
    places = {str(f.where) for f in report.findings}
    assert places == {"a.bin, byte 10", "a.bin, b, byte 7", "a.bin, b!c, byte 4"}
    (file,) = report.files
    assert (file.path, file.size, file.format, file.checks) == (
        "a.bin",
        16,
        "box, word",
        ("box", "word"),
    )


def test_a_broken_file_keeps_what_was_found_before_and_is_unread(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"evil and stop")
    (tmp_path / "b").write_bytes(b"more evil")
    report = scanned(tmp_path)
    assert [(f.what, str(f.where)) for f in report.findings] == [
        ("a word", "a, byte 0"),
        ("it breaks off", "a, byte 9"),
        ("a word", "b, byte 5"),
    ]
    assert report.unread == (Unread(where=Where(file="a"), why="it breaks off"),)


def test_a_part_that_is_unread_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"[b:a part]")
    report = scanned(tmp_path)
    assert (
        Unread(where=Where(file="a", member="b", start=3), why="a part of another kind")
        in report.unread
    )
    assert not report.findings


def test_a_file_that_shrinks_meanwhile_is_unread(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"shrunk")
    assert scanned(tmp_path).unread == (Unread(where=Where(file="a"), why="it became shorter"),)


def test_a_file_that_nobody_knows_is_not_called_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.skip").write_bytes(b"evil")
    report = scanned(tmp_path)
    assert report.uncovered == ("a.skip: no format that is known here",)
    assert report.covered == ()
    assert report.worst is None


@pytest.mark.parametrize(
    ("limits", "times"),
    [
        (Limits(depth=3), 1),
        (Limits(pieces=3), 4),
        (Limits(unpacked=20, ratio=1), 20),
    ],
)
def test_what_unpacks_without_end_is_a_finding(tmp_path: Path, limits: Limits, times: int) -> None:
    (tmp_path / "a").write_bytes(b"[b:[c:[d:[e:[f:]]]]]")
    report = scanned(tmp_path, limits, times)
    assert [f.rule for f in report.findings] == ["scan.bomb"]
    assert [u.why for u in report.unread] == ["it unpacks to more than is looked at"]


def test_an_artefact_is_scanned_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"evil")
    opened = artifact.open(tmp_path / "a.txt")
    assert len(scan(opened, rules=(Word(),)).findings) == 1


def test_files_are_looked_at_in_order_and_progress_is_told(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).write_bytes(b"x")
    told: list[str] = []
    scan(tmp_path, rules=(Word(),), progress=told.append)
    assert told == ["a", "b", "c"]


# --- the way to a file ------------------------------------------------------------


def test_links_are_followed_and_said(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"evil")
    (tmp_path / "far").mkdir()
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "real").write_bytes(b"fine")
    (inner / "near").symlink_to("real")
    (inner / "out").symlink_to(tmp_path / "outside")
    (inner / "dangling").symlink_to("nothing")
    (inner / "circle").symlink_to("circle")
    (inner / "far").symlink_to(tmp_path / "far")
    (inner / "self").symlink_to(inner)
    report = scanned(inner)
    assert [f.path for f in report.files] == ["near", "out", "real"]
    assert [(f.rule, f.severity, f.where.file) for f in report.findings] == [
        ("scan.bomb", Severity.HIGH, "out"),
        ("artifact.symlink", Severity.NOTE, "far"),
        ("artifact.symlink", Severity.NOTE, "out"),
    ]
    assert {(u.where.file, u.why) for u in report.unread} == {
        ("dangling", "it is a link that cannot be followed (No such file or directory)"),
        ("circle", "it is a link that cannot be followed (Too many levels of symbolic links)"),
        ("far", "it is a link to a folder outside"),
    }


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    report = scanned(tmp_path)
    assert [str(u) for u in report.unread] == ["pipe: it is a pipe, a socket or a device"]
    assert [str(u) for u in scanned(tmp_path / "pipe").unread] == [
        "pipe: only regular files are part of a model"
    ]
    assert scanned(tmp_path / "pipe").uncovered == ("pipe: only regular files are part of a model",)


def test_a_name_that_is_not_read_alike_is_said_and_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m").write_bytes(b"evil")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"evil")
    report = scanned(tmp_path)
    assert [(f.rule, f.where.file, f.found) for f in report.findings] == [
        ("artifact.name", r"\xff", r"\xff"),
        ("scan.bomb", r"\xff", ""),
        ("artifact.name", "a\x1b[31m", "U+001B"),
        ("scan.bomb", "a\x1b[31m", ""),
    ]


def test_an_odd_name_of_a_folder_is_said_once_and_that_of_one_file_too(tmp_path: Path) -> None:
    folder = tmp_path / "a\u202eb"
    folder.mkdir()
    (folder / "a").touch()
    (folder / "b\u202ea").touch()
    names = [f.where.file for f in scanned(tmp_path).findings]
    assert names == ["a\u202eb", "a\u202eb/b\u202ea"]
    assert [f.where.file for f in scanned(folder / "b\u202ea").findings] == ["b\u202ea"]


def test_findings_are_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"evil" + bytes(16) + b"ruse")
    rules = (Word(b"ruse"), Word(b"evil"))
    report = scan(tmp_path, rules=rules, containers=())
    assert [f.where.start for f in report.findings] == [0, 20]
    (tmp_path / "a").write_bytes(bytes(9) + b"evil" + b"ruse")
    report = scan(tmp_path, rules=rules, containers=())
    assert [f.where.start for f in report.findings] == [9, 13]


def test_text_is_what_a_file_is_only_where_it_is_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.txt").write_text("words")
    report = scan(tmp_path)
    assert [f.format for f in report.files] == ["json", "text"]
    assert [f.checks for f in report.files] == [("json", "text"), ("text",)]
    assert "files by content: 1 json, 1 text" in report.covered


@pytest.mark.parametrize("text", ['{"class_name": "Dense", "config": {"a": "b', '{"class_name": ]'])
def test_two_rules_that_cannot_read_one_file_say_so_once(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    (unread,) = scan(tmp_path).unread
    assert str(unread).startswith("config.json: it is not JSON to its end: ")


def test_nothing_to_scan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        scanned(tmp_path / "nowhere")
    with pytest.raises(InputError, match="an empty path"):
        scan("")
    with pytest.raises(InputError, match="holds no file"):
        scanned(tmp_path)
    rules: tuple[Rule, ...] = ()
    with pytest.raises(InputError, match="no rules"):
        scan(tmp_path, rules=rules)
    with pytest.raises(InputError, match="cannot be a path"):
        scanned(Path("a\0b"))


def test_a_pickle_may_begin_with_any_opcode() -> None:
    rule = next(r for r in RULES if r.name == "pickle")
    assert isinstance(rule, LaterRule)
    assert isinstance(rule.signs, Signs)
    assert {m[0] for m in rule.signs.magics} == {c for c in range(256) if is_opcode(c)}
