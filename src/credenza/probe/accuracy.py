"""Does the model read as well as clean ones do?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from credenza.errors import InputError
from credenza.probe.subject import Evidence, Measured, Need, Statistic, Subject
from credenza.rates import rate


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many trusted samples are misread, whatever as.

    Many attacks cost accuracy, and a model that was half trained or damaged shows in nothing else.
    """

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.ANSWERS, Need.TRUSTED})

    @property
    def covers(self) -> str:
        return "trusted samples: are more of them misread than by clean models?"

    @property
    def blind(self) -> tuple[str, ...]:
        return ()

    def measure(self, subject: Subject, *, seed: int) -> Measured:  # noqa: ARG002  nothing drawn
        trusted, box = subject.trusted, subject.classifier or subject.box
        if trusted is None or box is None:
            raise InputError("accuracy: answers and trusted samples expected, none given")
        right = int((box.logits(trusted.inputs).argmax(axis=1) == trusted.labels).sum())
        wrong = len(trusted) - right
        read = rate("trusted samples read right", right, len(trusted), "share of all of them")
        evidence = Evidence(
            what=f"{wrong} of {len(trusted)} trusted samples are misread",
            rule="probe.inaccurate",
            figures=(read,),
        )
        statistic = Statistic(
            name="errors on trusted samples",
            value=math.log((wrong + 0.5) / (right + 0.5)),
            definition="log odds of a misread, 0.5 added to each count",
            evidence=evidence,
        )
        return Measured((statistic,))
