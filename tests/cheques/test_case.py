"""The case, end to end, on little handwriting."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from credenza.attest import PublicKey, Trust
from credenza.cheques.acts import Size
from credenza.cheques.case import play
from credenza.cheques.digits import small_digits
from credenza.cheques.page import Played
from credenza.cheques.reader import Training
from credenza.cheques.stage import Silence
from credenza.errors import AlteredError, InputError
from credenza.ledger import Entry, Ledger
from credenza.seal import verify

SIZE = Size(cheques=40, forged=12, trusted=450, training=Training(steps=60, batch=128))


class Interrupted(Silence):
    """A person who has seen enough when the first act is over."""

    def say(self, line: str) -> None:
        if line.startswith("Act 0"):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("case") / "demo"


@pytest.fixture(scope="module")
def played(out: Path) -> Played:
    return play(out, seed=3, stage=Silence(), digits=small_digits(), size=SIZE)


def test_each_act_is_counted_and_told(played: Played) -> None:
    assert [act.cheques for act in played.acts] == [40, 52, 52, 52]
    assert all(act.told and act.blocks and act.caught_by for act in played.acts)
    honest = played.acts[0]
    assert honest.wrong_with == honest.wrong_without


def test_the_edit_costs_money_without_and_not_with(played: Played) -> None:
    for act in (played.acts[1], played.acts[3]):
        assert act.wrong_without > act.wrong_with + 5
        assert act.loss_without > act.loss_with


def test_with_protection_memory_and_disk_do_as_well_as_each_other(played: Played) -> None:
    """The sealed reader serves in both; what differs is the forgeries that were drawn."""
    assert abs(played.acts[1].wrong_with - played.acts[3].wrong_with) <= SIZE.forged


def test_the_summary_holds_the_same_figures(played: Played, out: Path) -> None:
    told = json.loads((out / "summary.json").read_bytes())
    assert told["seed"] == 3
    assert [act["wrong_without"] for act in told["acts"]] == [a.wrong_without for a in played.acts]
    assert [round(100 * act["loss_with"]) for act in told["acts"]] == [
        a.loss_with.cents for a in played.acts
    ]


@pytest.mark.usefixtures("played")
def test_the_report_stands_alone(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert "data:image/png;base64," in page
    for outside in ("<script", "http://", "https://", str(out.parent)):
        assert outside not in page


@pytest.mark.usefixtures("played")
def test_what_is_left_can_be_verified_and_refused(out: Path) -> None:
    trust = Trust((PublicKey.read(out / "bank.key.pub"),))
    verify(out / "models" / "reader", trust)
    with pytest.raises(AlteredError) as refused:
        verify(out / "deployed" / "reader", trust)
    assert refused.value.report.findings[0].where.rows == (2, 5)
    acts = [record.content for record in Ledger.open(out / "ledger")]
    actions = [act.action for act in acts if isinstance(act, Entry)]
    assert len(actions) == len(acts)
    assert actions[:2] == ["sealed", "refused"]
    assert actions[-1] == "restored"


def test_the_same_seed_gives_the_same_figures(played: Played, tmp_path: Path) -> None:
    again = play(tmp_path / "demo", seed=3, stage=Silence(), digits=small_digits(), size=SIZE)
    assert [_figures(act) for act in again.acts] == [_figures(act) for act in played.acts]


def test_an_interrupted_case_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path / "demo", seed=3, stage=Interrupted(), digits=small_digits(), size=SIZE)
    assert os.listdir(tmp_path) == []


def test_a_folder_of_something_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(InputError, match="no folder of an earlier demo"):
        play(tmp_path, seed=3, stage=Silence(), digits=small_digits(), size=SIZE)
    assert (tmp_path / "mine").read_text() == "precious"


def _figures(act: object) -> tuple[object, ...]:
    names = ("wrong_without", "wrong_with", "loss_without", "loss_with")
    return tuple(getattr(act, name) for name in names)
