"""``MLmodel``: which module MLflow imports to load a model, and which code beside it."""

from __future__ import annotations

from collections.abc import Iterator

from credenza.findings import Finding, Severity
from credenza.scan.configs.members import Members, finding, is_under, leaves
from credenza.scan.configs.names import names
from credenza.scan.configs.targets import imported


def mlflow(object_: Members) -> Iterator[Finding]:
    """A flavour: ``loader_module`` is imported, ``code`` is put on Python's path, and
    ``model_code_path`` is run (``mlflow/pyfunc/__init__.py``).
    """
    if "loader_module" not in object_:
        return
    for module in object_.texts("loader_module"):
        if not is_under(module, names("mlflow")):
            yield imported(module)
    for name in ("code", "model_code_path"):
        for path in object_.texts(name):
            if leaves(path) and name == "code":
                what = "it takes code from outside the model"
                yield finding("config-path", Severity.HIGH, what, path)
            else:
                what = "it imports Python that comes with the model"
                yield finding("custom-code", Severity.MEDIUM, what, path)
