"""What weighs little, so often that a scanner which stops counting misses what weighs much.

Found by Credenza's own red team; all were silent before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from tests.scan.population.interface import COMMAND, SOURCE, Malicious
from tests.scan.population.onnxes import graph, model, node
from tests.scan.population.protobuf import message

_MANY: Final = 300
_IMPORT: Final = {"_target_": "os.system", "command": COMMAND}


def vectors() -> Iterator[Malicious]:
    own = [{"auto_map": {"AutoModel": f"m{i}.X"}} for i in range(_MANY)]
    yield _flood("of custom code", "config", "config.json", json.dumps([*own, _IMPORT]))
    many = {"X": ["m.Y"] * 10 * _MANY, "AutoModel": "evil/repo--m.X"}
    yield _flood("of an auto_map", "config", "config.json", json.dumps({"auto_map": many}))
    tags = "\n".join(f"- !a{i} x" for i in range(_MANY))
    tagged = f"{tags}\n- !!python/object/apply:os.system ['{COMMAND}']\n"
    yield _flood("of tags", "config", "config.yaml", tagged)
    yield _flood(
        "of tags, then a target", "config", "conf.yaml", f"{tags}\n- {json.dumps(_IMPORT)}\n"
    )
    escape = "{{ ''.__class__.__mro__ }}"
    formats = "\n".join(f"{{{{ a{i}.format(b) }}}}" for i in range(_MANY))
    yield _flood("of formats", "jinja", "chat_template.jinja", formats + escape)
    nodes = [node(f"Op{i}") for i in range(_MANY)]
    python = node("PyOp", "ai.onnx.contrib")
    yield _flood("of operators", "onnx", "model.onnx", model(graph(*nodes, python)))
    notes = [(14, message((1, f"k{i}"), (2, "v"))) for i in range(_MANY)]
    code = (14, message((1, "names"), (2, f"__import__('builtins').exec({SOURCE!r})")))
    noted = model(graph(node("Identity")), *notes, code)
    yield _flood("of metadata", "onnx", "noted.onnx", noted)


def _flood(name: str, category: str, path: str, data: str | bytes) -> Malicious:
    return Malicious(
        name=f"flood {name}",
        category=category,
        reference="Credenza's red team, November 2026",
        files=((path, data if isinstance(data, bytes) else data.encode()),),
    )
