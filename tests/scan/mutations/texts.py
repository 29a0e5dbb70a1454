"""JSON, templates and Python, written otherwise."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Callable
from typing import Any, Final

import jinja2

from tests.scan.population.templates import HONEST

_DUNDER: Final = re.compile(r"'(__\w\w)(\w+__)'")
_ATTRIBUTE: Final = re.compile(r"(?<=[\w\])])\.(__\w+__)")


class _RepeatedError(Exception):
    """A name that comes twice in an object: its order means something."""


def json_text(text: str, rng: random.Random, inside: Callable[[str], str] = str) -> str:
    """The same value with other spaces, order and escapes; ``inside`` rewrites its strings."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) != len(items):
            raise _RepeatedError
        rng.shuffle(items)
        return dict(items)

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, _RepeatedError, RecursionError):
        return text
    value = _walked(value, inside)
    spaces = rng.choice((None, 0, 1, 2, 4))
    between = rng.choice(((",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")))
    made = json.dumps(value, indent=spaces, separators=between, ensure_ascii=rng.random() < 0.5)
    return _escaped(made, rng) if rng.random() < 0.5 else made


def _walked(value: Any, inside: Callable[[str], str]) -> Any:
    match value:
        case dict():
            return {key: _walked(item, inside) for key, item in value.items()}
        case list():
            return [_walked(item, inside) for item in value]
        case str():
            return inside(value)
        case _:
            return value


def _escaped(text: str, rng: random.Random) -> str:
    r"""Letters within strings as ``\u…``."""
    out, inside, skip = [], False, False
    for c in text:
        if inside and not skip and (c.isalpha() or c == "_") and rng.random() < 0.2:
            out.append(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c)
            continue
        if c == '"' and not skip:
            inside = not inside
        skip = inside and c == "\\" and not skip
        out.append(c)
    made = "".join(out)
    return made if json.loads(made) == json.loads(text) else text


def template(text: str, rng: random.Random) -> str:
    """The same template in other letters; what is no template comes back as it is."""
    if "{{" not in text and "{%" not in text:
        return text
    made = text
    for rewrite in rng.sample(_TEMPLATES, rng.randint(1, 3)):
        made = rewrite(made, rng)
    return made if _parses(made) == _parses(text) else text


def _parses(text: str) -> bool:
    try:
        jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(text)  # noqa: S701
    except jinja2.TemplateSyntaxError:
        return False
    return True


def _spaced(text: str, rng: random.Random) -> str:
    opened = re.sub(r"\{([{%])-?(?=\s)", lambda m: "{" + m[1] + rng.choice(("", "-")), text)
    spaces = rng.choice((" ", "  ", "\n", "\t "))
    return re.sub(r"\s-?([}%])\}", lambda m: spaces + rng.choice(("", "-")) + m[1] + "}", opened)


def _subscripts(text: str, rng: random.Random) -> str:
    return _ATTRIBUTE.sub(lambda m: f"['{m[1]}']" if rng.random() < 0.7 else m[0], text)


def _split(text: str, rng: random.Random) -> str:
    joins = (
        "'{}' ~ '{}'",
        "'{}' + '{}'",
        "'{}' '{}'",
        "['{}', '{}']|join",
        "'%s%s' % ('{}', '{}')",
    )
    return _DUNDER.sub(lambda m: "(" + rng.choice(joins).format(m[1], m[2]) + ")", text)


def _subscripts_split(text: str, rng: random.Random) -> str:
    return _split(_subscripts(text, rng), rng)


def _commented(text: str, rng: random.Random) -> str:
    note = "{# " + rng.choice(("safe", "}} {%", "0" * 50)) + " #}"
    return note + text if rng.random() < 0.5 else text + note


def _behind(text: str, rng: random.Random) -> str:
    return HONEST + text if rng.random() < 0.5 else rng.choice(("hello ", "<s>")) + text


def _within(text: str, rng: random.Random) -> str:
    return rng.choice((
        "{% if true %}{}{% endif %}", "{% for i in [1] %}{}{% endfor %}",
        "{% if messages %}{% else %}{}{% endif %}", "{% filter trim %}{}{% endfilter %}",
    )).replace("{}", text)  # fmt: skip


_TEMPLATES: Final = (_spaced, _subscripts, _split, _subscripts_split, _commented, _behind, _within)


def python(text: str, rng: random.Random) -> str:
    """The same program in other letters; what is not in Python as it is now, comes back."""
    made = text
    try:
        ast.parse(text)
        for rewrite in rng.sample(_PYTHONS, rng.randint(1, 3)):
            made = rewrite(made, rng)
        ast.parse(made)
    except (SyntaxError, ValueError):
        return text
    return made


def _remarks(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(rng.randint(1, 5)):
        lines.insert(0, rng.choice(("", "# a model", "'''A model.'''", "VERSION = 1")))
    return "\n".join(lines) + "\n"


def _renamed(text: str, rng: random.Random) -> str:
    """Modules under other names."""
    for name in re.findall(r"^import (\w+)$", text, re.MULTILINE):
        other = f"_{rng.randint(0, 10**6)}"
        text = re.sub(rf"^import {name}$", f"import {name} as {other}", text, flags=re.MULTILINE)
        text = re.sub(rf"(?<![\w.'\"]){name}(?=[.,):])", other, text)
    return text


def _unparsed(text: str, rng: random.Random) -> str:
    return ast.unparse(ast.parse(text)) + "\n" * rng.randint(1, 9)


def _indented(text: str, rng: random.Random) -> str:
    head = rng.choice(("if True:", "for _ in range(1):", "class Layer:", "while 1:"))
    body = "".join(f"    {line}\n" for line in text.splitlines())
    return f"{head}\n{body}" + ("    break\n" if head == "while 1:" else "")


def _honest(text: str, rng: random.Random) -> str:
    code = "".join(
        f"def layer{i}(x):\n    return x * {i} + 1\n\n\n" for i in range(rng.randint(1, 60))
    )
    return code + text if rng.random() < 0.5 else f"{text}\n\n{code}"


def _ends(text: str, rng: random.Random) -> str:
    return text.replace("\n", rng.choice(("\r\n", "\n", "\n\n")))


_PYTHONS: Final = (_remarks, _renamed, _unparsed, _indented, _honest, _ends)
