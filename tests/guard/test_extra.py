from __future__ import annotations

import subprocess
import sys

_WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # what Python itself does for a module that cannot be imported
from credenza.errors import MissingExtraError
from credenza.guard import load_pickle
try:
    from credenza.guard import Guard
except MissingExtraError as e:
    print(e.hint)
"""


def test_without_torch_the_extra_is_named() -> None:
    command = [sys.executable, "-c", _WITHOUT_TORCH]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "pip install 'credenza[torch]'\n"
