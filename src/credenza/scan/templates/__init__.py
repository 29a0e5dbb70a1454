"""Jinja templates, judged by their syntax tree: nothing is compiled, rendered or looked up.

A chat template runs whenever somebody talks to the model. One that reaches an object's class
reaches every class of the process, and so a shell (CVE-2024-34359, CWE-1336). Jinja's sandbox
stops that; not every program that renders templates uses it, and it had holes (CVE-2025-27516).
"""

from __future__ import annotations

from credenza.scan.templates.judging import Remark, judged
from credenza.scan.templates.parsing import LONGEST, UnreadableError
from credenza.scan.templates.seen import seen

__all__ = ["LONGEST", "Remark", "UnreadableError", "judged", "seen"]
