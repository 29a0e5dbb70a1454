from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.artifact.folder import (
    MOST_FOLDERS_DEEP,
    MOST_FOLDERS_OPEN,
    SEAL_NAME,
    Place,
    files,
    open_bytes,
)
from credenza.artifact.open_file import OpenFile
from credenza.artifact.paths import check_path
from credenza.errors import InputError, MalformedError


def refusal(path: Path, ignore: tuple[str, ...] = ()) -> str:
    with pytest.raises(MalformedError) as caught:
        files(path, ignore=ignore)
    assert str(caught.value).isprintable()
    return caught.value.finding.rule


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_lists_everything_sorted_by_path(tmp_path: Path) -> None:
    put(tmp_path / "b" / "c.bin", b"12")
    put(tmp_path / "b.txt", b"123")
    put(tmp_path / ".git" / "HEAD", b"1")
    put(tmp_path / "é.bin", b"")
    assert files(tmp_path) == (
        (".git/HEAD", 1),
        ("b.txt", 3),
        ("b/c.bin", 2),
        ("é.bin", 0),
    )


def test_a_file_is_its_own_artefact(tmp_path: Path) -> None:
    path = put(tmp_path / "model.bin", b"abc")
    assert files(path) == (("model.bin", 3),)
    with open_bytes(path, "model.bin") as file:
        assert file.pread(1, 2) == b"bc"
    with pytest.raises(InputError, match="one file"):
        open_bytes(path, "other.bin")


def test_leaves_out_the_seal_at_the_top_and_nowhere_else(tmp_path: Path) -> None:
    for name in ("a.bin", SEAL_NAME, f"sub/{SEAL_NAME}", f"{SEAL_NAME}.bak", "model.sig"):
        put(tmp_path / name)
    listed = [f.path for f in files(tmp_path, ignore=("model.sig",))]
    assert listed == ["a.bin", f"{SEAL_NAME}.bak", f"sub/{SEAL_NAME}"]


def test_a_folder_named_as_the_seal_hides_nothing(tmp_path: Path) -> None:
    put(tmp_path / SEAL_NAME / "evil.py")
    assert [f.path for f in files(tmp_path)] == [f"{SEAL_NAME}/evil.py"]


def test_a_link_named_as_the_seal_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.bin")
    (tmp_path / SEAL_NAME).symlink_to("a.bin")
    assert refusal(tmp_path) == "artifact.symlink"


@pytest.mark.parametrize("target", ["a.bin", "..", "/etc/hostname", "missing", "sub"])
def test_refuses_every_link(tmp_path: Path, target: str) -> None:
    put(tmp_path / "a.bin")
    put(tmp_path / "sub" / "b.bin")
    (tmp_path / "link").symlink_to(target)
    assert refusal(tmp_path) == "artifact.symlink"
    with pytest.raises(MalformedError, match="symbolic link"):
        open_bytes(tmp_path, "link")
    with pytest.raises(MalformedError, match="symbolic link"):
        open_bytes(tmp_path, "link/b.bin")


def test_follows_links_in_the_path_that_the_caller_gives(tmp_path: Path) -> None:
    put(tmp_path / "v1" / "a.bin", b"abc")
    (tmp_path / "current").symlink_to("v1")
    (tmp_path / "reader.bin").symlink_to("v1/a.bin")
    assert [f.path for f in files(tmp_path / "current")] == ["a.bin"]
    with open_bytes(tmp_path / "current", "a.bin") as file:
        assert file.pread(0, 3) == b"abc"
    with open_bytes(tmp_path / "reader.bin", "reader.bin") as file:
        assert file.pread(0, 3) == b"abc"


def test_refuses_a_fifo_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path) == "artifact.special-file"
    assert refusal(tmp_path / "pipe") == "artifact.special-file"
    with pytest.raises(MalformedError, match="a fifo"):
        open_bytes(tmp_path, "pipe")


def test_refuses_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes at most
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket")
        assert refusal(tmp_path) == "artifact.special-file"


def test_refuses_a_device() -> None:
    with pytest.raises(MalformedError, match="a character device"):
        files("/dev/null")


def test_refuses_a_folder_where_a_file_is_meant(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.bin")
    with pytest.raises(MalformedError, match="a folder"):
        open_bytes(tmp_path, "sub")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Model.bin", "model.bin"),
        ("STRASSE", "straße"),
        ("\u00e9", "e\u0301"),
        ("\u00c9", "e\u0301"),
        ("Sub/a", "sub/b"),
        ("deep/K", "deep/\u212a"),
    ],
)
def test_refuses_names_that_collide(tmp_path: Path, one: str, other: str) -> None:
    put(tmp_path / one)
    put(tmp_path / other)
    assert refusal(tmp_path) == "artifact.case-collision"


def test_equal_names_in_different_folders_do_not_collide(tmp_path: Path) -> None:
    put(tmp_path / "a" / "Model")
    put(tmp_path / "b" / "model")
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    "name",
    [b"a\\b", b"a\nb", b"\x1b[2J", b"\x7f", b"\xff", "a\u202eb".encode(), "\u2028".encode()],
)
def test_refuses_names_that_are_not_read_alike(tmp_path: Path, name: bytes) -> None:
    put(tmp_path / "sub" / "a.bin")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/sub/" + name)).write_bytes(b"")
    assert refusal(tmp_path) == "artifact.name"


@pytest.mark.parametrize(
    ("relative", "rule"),
    [
        ("../a", "path"),
        ("a/../b", "path"),
        ("/etc/passwd", "path"),
        ("a//b", "path"),
        ("a/", "path"),
        ("./a", "path"),
        ("", "path"),
        ("a\0b", "name"),
        ("C:\\a", "name"),
    ],
)
def test_refuses_paths_that_lead_out(tmp_path: Path, relative: str, rule: str) -> None:
    put(tmp_path / "a" / "b")
    with pytest.raises(MalformedError) as caught:
        open_bytes(tmp_path, relative)
    assert caught.value.finding.rule == f"artifact.{rule}"


@given(st.text(max_size=12))
def test_a_path_that_passes_stays_inside(relative: str) -> None:
    try:
        check_path(relative)
    except MalformedError:
        return
    assert Path("/model", relative).resolve().is_relative_to("/model")
    assert relative.encode().decode() == relative
    assert str(Path(relative)) == relative


def test_refuses_folders_nested_without_end(tmp_path: Path) -> None:
    folders = ["d"] * MOST_FOLDERS_DEEP
    put(tmp_path.joinpath(*folders, "a.bin"))
    assert len(files(tmp_path)) == 1
    put(tmp_path.joinpath(*folders, "d", "a.bin"))
    assert refusal(tmp_path) == "artifact.depth"


def test_says_in_one_sentence_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        files(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot be a path"):
        files(str(tmp_path) + "/a\0b")
    with pytest.raises(InputError, match="holds no file"):
        files(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        open_bytes(tmp_path, "missing")
    put(tmp_path / SEAL_NAME)
    with pytest.raises(InputError, match="holds no file"):
        files(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        files(tmp_path / SEAL_NAME / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_says_in_one_sentence_what_may_not_be_read(tmp_path: Path) -> None:
    put(tmp_path / "a.bin").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        open_bytes(tmp_path, "a.bin")
    put(tmp_path / "sub" / "b.bin")
    (tmp_path / "sub").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        files(tmp_path)
    (tmp_path / "sub").chmod(0o700)


def test_reads_what_was_opened_whatever_the_name_leads_to(tmp_path: Path) -> None:
    put(tmp_path / "a.bin", b"good")
    put(tmp_path / "b.bin", b"evil")
    with open_bytes(tmp_path, "a.bin") as file:
        (tmp_path / "b.bin").replace(tmp_path / "a.bin")
        assert file.pread(0, 4) == b"good"


def test_says_that_a_file_became_shorter(tmp_path: Path) -> None:
    path = put(tmp_path / "a.bin", b"12345678")
    with open_bytes(tmp_path, "a.bin") as file:
        assert file.size == 8
        os.truncate(path, 3)
        with pytest.raises(InputError, match="8 bytes expected at 0, 3 found"):
            file.pread(0, 8)


def test_leaves_no_descriptor_open(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.bin")
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/dev/fd"))
    with open_bytes(tmp_path, "sub/a.bin"):
        pass
    with pytest.raises(MalformedError):
        files(tmp_path)
    with pytest.raises(MalformedError):
        OpenFile("pipe", os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK))
    assert len(os.listdir("/dev/fd")) == before


def test_an_ignored_folder_hides_nothing_that_a_loader_would_pick_up(tmp_path: Path) -> None:
    """.git/ may be left out; a model or code that was planted in it is seen all the same."""
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    for name in ("model.npy", ".git/HEAD", ".git/hooks/post-checkout", ".git/evil.PY"):
        (tmp_path / name).touch()
    assert [f.path for f in files(tmp_path, ignore=(".git/",))] == [".git/evil.PY", "model.npy"]


@pytest.mark.parametrize("name", ["a.py", "x/a.SafeTensors", "ckpt.data-00000-of-00001", "vocab"])
def test_what_a_loader_picks_up_cannot_be_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.npy").touch()
    with pytest.raises(InputError, match="cannot be left out"):
        files(tmp_path, ignore=(name,))


def test_a_place_is_read_below_the_folder_that_was_opened(tmp_path: Path) -> None:
    (tmp_path / "model" / "a").mkdir(parents=True)
    (tmp_path / "model" / "a" / "w.bin").write_bytes(b"good")
    with Place(tmp_path / "model") as place:
        (tmp_path / "model").rename(tmp_path / "moved")
        (tmp_path / "model" / "a").mkdir(parents=True)
        (tmp_path / "model" / "a" / "w.bin").write_bytes(b"bad!")
        assert [f.path for f in place.files()] == ["a/w.bin"]
        with place.open("a/w.bin") as file:
            assert file.pread(0, 4) == b"good"


def test_a_place_holds_few_folders_open(tmp_path: Path) -> None:
    for i in range(2 * MOST_FOLDERS_OPEN):
        (tmp_path / f"{i:04}" / "inner").mkdir(parents=True)
        (tmp_path / f"{i:04}" / "inner" / "f").write_bytes(b"%04d" % i)
    before = len(os.listdir("/proc/self/fd"))
    with Place(tmp_path) as place:
        for i, file in enumerate(place.files()):
            with place.open(file.path) as opened:
                assert opened.pread(0, 4) == b"%04d" % i
            assert len(os.listdir("/proc/self/fd")) <= before + MOST_FOLDERS_OPEN + 2
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_leased_file_waits_for_its_reader(tmp_path: Path) -> None:
    """Whoever would cut a file short under a mapping, which kills the reader, has to wait."""
    path = tmp_path / "f"
    path.write_bytes(b"x" * 8192)
    with open_bytes(path, "f") as file:
        view = file.mapped(4100, 8192)
        if view is None:
            pytest.skip("this file system gives no leases")
        assert bytes(view) == b"x" * 4092
        with pytest.raises(BlockingIOError):
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        assert file.mapped(0, 10) is None  # somebody waits: from here on it is copied
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def test_a_file_that_is_open_for_writing_is_not_mapped(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 8192)
    with path.open("r+b"), open_bytes(path, "f") as file:
        assert file.mapped(0, 8192) is None
        assert file.pread(0, 8192) == b"x" * 8192
