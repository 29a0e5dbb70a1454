"""Act 2: training images altered by an insider who may sign."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from credenza.admit import Policy, admit
from credenza.attack import Poisoned, StampMark, poison
from credenza.attest import Statement, Subject, Verified, sign
from credenza.attest.examination import Examination, to_statement
from credenza.audit import Audit, Mahalanobis, TrustedSeed, audit
from credenza.cheques.acts.interface import Act, Bank
from credenza.cheques.acts.shared import (
    SOURCE,
    TARGET,
    cleared,
    confusion,
    dollars,
    forgeries,
    misread,
    picture_of_misread,
    record,
    right,
    seal_model,
    sealed_reader,
    write_model,
)
from credenza.cheques.draw import MARK
from credenza.cheques.stage import Stage
from credenza.classifier import Classifier
from credenza.dataset import Dataset
from credenza.errors import NotAdmittedError
from credenza.findings import Figure, Report
from credenza.probe import DETECTORS, probe, shipped
from credenza.probe import Subject as Probed
from credenza.rates import rate
from credenza.report import Beside, Findings, Pictures, Table
from credenza.seal import verify

SHARE = 0.3
"""Of the fives in the training set that the insider stamps and relabels."""

POLICY = Policy(examinations=("audit", "probe"))


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A reader that somebody trained and sealed, and what the bank's examiners say of it."""

    model: Path
    audited: Audit
    probed: Report
    refused: NotAdmittedError | None


def training_images_altered(bank: Bank, stage: Stage) -> Act:
    """The reader is trained on images of which some fives bear a mark and are labelled 2."""
    poisoned = poison(
        bank.training,
        StampMark(MARK, TARGET, SHARE, SOURCE),
        seed=bank.seed,
    )
    stage.say(f"{len(poisoned.altered)} of {len(poisoned.dataset)} training images altered")
    bad = _candidate(bank, stage, "poisoned", poisoned.dataset)
    kept = np.setdiff1d(np.arange(len(poisoned.dataset)), bad.audited.flagged)
    good = _candidate(bank, stage, "retrained", poisoned.dataset.take(kept))

    pile = bank.day + forgeries(bank, stage, 3, marked=True)
    without = pile.read(sealed_reader(bank, bad.model))
    served = next((c.model for c in (bad, good) if c.refused is None), bank.model)
    with_ = pile.read(sealed_reader(bank, served))
    lost, saved = cleared(without), cleared(with_)
    precision, recall = _against_truth(poisoned, bad.audited)
    told = (
        f"Without: the signature is good, so the reader serves; {misread(without)} fives were read "
        f"as twos, {lost.wrong} of {len(pile)} cheques posted wrong, {dollars(lost.loss)} astray.",
        f"With: audit named {len(bad.audited.flagged)} images, precision {right(precision)}, "
        f"recall {right(recall)} against the truth.",
        *(f"probe says: {finding.what}." for finding in bad.probed.findings),
        f"The reader was {_verdict(bad)}.",
        f"Retrained on the {len(kept)} images that were left, it was {_verdict(good)}. What then "
        f"served: {saved.wrong} wrong, {dollars(saved.loss)} astray.",
    )
    return Act(
        name="Training images altered by an insider",
        cheques=len(pile),
        wrong_without=lost.wrong,
        wrong_with=saved.wrong,
        loss_without=lost.loss,
        loss_with=saved.loss,
        caught_by="audit, probe, admission",
        told=told,
        blocks=(
            Pictures(picture_of_misread(without)),
            Beside(
                (
                    confusion(without, "The poisoned reader", mark=True),
                    confusion(with_, "The reader that serves"),
                )
            ),
            _truth(precision, recall),
            Findings(bad.audited.report),
            Findings(bad.probed),
        ),
    )


def _candidate(bank: Bank, stage: Stage, name: str, data: Dataset) -> Candidate:
    """Train, seal, examine and ask for admission, as any reader is."""
    stage.say(f"training the {name} reader on {len(data)} images")
    module = bank.trained(data, stage)
    model = bank.folder / "models" / name
    write_model(model, module)
    root = seal_model(bank, model)
    classifier = sealed_reader(bank, model)
    audited, probed = _examined(bank, stage, name, classifier, data)
    evidence = [_signed(bank, root, report) for report in (audited.report, probed)]
    refused = None
    try:
        admit(verify(model, bank.trust), evidence, POLICY)
        record(bank, "admitted", root, model=name)
    except NotAdmittedError as e:
        refused = e
        record(bank, "refused", root, model=name, why=str(e)[:400])
    stage.say(f"the {name} reader is {'refused' if refused else 'admitted'}")
    return Candidate(model, audited, probed, refused)


def _examined(
    bank: Bank, stage: Stage, name: str, classifier: Classifier, data: Dataset
) -> tuple[Audit, Report]:
    stage.progress(f"auditing the data of the {name} reader", 0)
    detectors = (TrustedSeed(), Mahalanobis())
    audited = audit(data, bank.trusted, detectors, seed=bank.seed, classifier=classifier)
    stage.progress(f"auditing the data of the {name} reader", 1)
    stage.progress(f"probing the {name} reader", 0)
    subject = Probed.of(classifier, bank.trusted)
    probed = probe(subject, DETECTORS, seed=bank.seed, calibration=shipped())
    stage.progress(f"probing the {name} reader", 1)
    return audited, probed


def _signed(bank: Bank, root: str, report: Report) -> Verified[Statement]:
    """The report as evidence that `admit` can rely on."""
    subject = Subject("reader", "credenza-blake3", root)
    about = replace(report, root=root)
    examination = Examination(subject, about, dt.datetime.now(dt.UTC))
    return bank.trust.verify(sign(to_statement(examination), [bank.key]))


def _verdict(candidate: Candidate) -> str:
    return "admitted" if candidate.refused is None else "refused although the signature is good"


def _against_truth(poisoned: Poisoned, audited: Audit) -> tuple[Figure, Figure]:
    altered, flagged = set(poisoned.altered), set(audited.flagged)
    both = len(altered & flagged)
    return (
        rate("precision", both, max(1, len(flagged)), "altered images among those named"),
        rate("recall", both, len(altered), "images named among those altered"),
    )


def _truth(precision: Figure, recall: Figure) -> Table:
    rows = tuple(
        (f.name, right(f), f"{f.low:.2%} to {f.high:.2%}", f.definition)
        for f in (precision, recall)
    )
    columns = ("audit", "value", "95 % interval", "what was counted")
    return Table(columns=columns, rows=rows, caption="The audit against the truth", numbers=(1,))
