"""Templates: what reaches out of them, and what honest ones do."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from credenza.findings import Severity
from credenza.scan.templates import LONGEST, UnreadableError, judged, seen
from tests.scan.templates.escapes import ESCAPES

HONEST = sorted((Path(__file__).parents[2] / "vectors/scan/templates").glob("*.jinja"))


def worst(text: str, *, chat: bool = True) -> Severity | None:
    return max((s.severity for s in judged(text, chat=chat)), default=None)


@pytest.mark.parametrize("text", ESCAPES.values(), ids=ESCAPES.keys())
def test_an_escape_is_found(text: str) -> None:
    found = worst(text)
    assert found is not None
    assert found >= Severity.HIGH


@pytest.mark.parametrize("path", HONEST, ids=lambda p: p.stem)
def test_an_honest_template_is_not_accused(path: Path) -> None:
    assert worst(path.read_text("utf-8")) in (None, Severity.NOTE, Severity.LOW)


def test_the_honest_ones_are_there() -> None:
    assert len(HONEST) >= 40


@pytest.mark.parametrize(
    "name", ["llama-cpp-python", "item-hex", "tilde", "namespace-loop", "popen"]
)
def test_an_escape_in_an_honest_template_is_found(name: str) -> None:
    random_ = random.Random(name)
    for path in random_.sample(HONEST, 12):
        assert worst(ESCAPES[name] + path.read_text("utf-8")) in (Severity.HIGH, Severity.CRITICAL)
        assert worst(path.read_text("utf-8") + ESCAPES[name]) in (Severity.HIGH, Severity.CRITICAL)


HARMLESS = {
    "raise": "{{ raise_exception('no') }}",
    "date": "{{ strftime_now('%d %b %Y') }}",
    "generation": "{% generation %}{{ message.content }}{% endgeneration %}",
    "loop-controls": "{% for m in messages %}{% if m %}{% continue %}{% endif %}{% endfor %}",
    "attribute-of-a-loop": "{{ loop.index0 }}{{ loop.last }}{{ loop.previtem.role }}",
    "counter": "{% set n = namespace(i=0) %}{% for m in messages %}{% set n.i = n.i + 1 %}"
    "{% endfor %}{{ messages[n.i - 1] }}",
    "by-role": "{% set names = {'user': 'Human', 'assistant': 'AI'} %}{{ names[message.role] }}",
    "by-role-lower": "{% set names = {'user': 'Human'} %}{{ names[message.role|lower] }}",
    "recursion": "{% macro t(x) %}{% for k, v in x|items %}{{ t(v) }}{% endfor %}{% endmacro %}"
    "{{ t(tools[0]) }}",
    "selectattr": "{{ messages|selectattr('role', 'equalto', 'user')|list|length }}",
    "map": "{{ messages|map(attribute='content')|join('\\n') }}",
    "format": "{{ '%s: %d' % (message.role, 3) }}{{ 'a {} {:02d}'.format(message.role, 3) }}",
    "split": "{{ message.content.split('</think>')[-1].lstrip('\\n') }}",
    "joiner": "{% set sep = joiner(', ') %}{% for m in messages %}{{ sep() }}{{ m }}{% endfor %}",
    "underscore": "{% for _ in messages %}{{ loop.index }}{% endfor %}{% set x_y = 1 %}{{ x_y }}",
    "under-scored-keys": "{{ tool['input_schema'].additional_properties }}",
    "small-range": "{% for i in range(100) %}x{% endfor %}",
    "range-of-data": "{% for i in range(messages|length) %}{{ messages[i] }}{% endfor %}",
    "hidden-words": "{# __class__ #}{% raw %}{{ ''.__class__ }}{% endraw %}__globals__",
    "said-words": "{{ 'never write __class__ or __globals__' }}",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_templates_do_is_no_finding(text: str) -> None:
    assert judged(text) == ()


def test_a_finding_says_what_and_in_which_line() -> None:
    (said,) = judged("a\n\n{{ ''.__class__.__mro__[1] }}\n")
    assert (said.rule, said.line, said.found) == ("template-escape", 3, "''.__class__.__mro__")
    (found,) = seen("é\r\n{{ ''.__class__ }}", start=10)
    assert found.where.start == 14


def test_objects_of_a_framework_weigh_less_outside_of_a_chat() -> None:
    assert worst("{{ config.title }}", chat=False) is Severity.LOW
    assert worst("{{ config.title }}") is Severity.HIGH


UNREADABLE = {
    "no-end": "{% for m in messages %}",
    "no-jinja": "{{ }}",
    "tag": "{% debug %}",
    "deep": "{{ " + "(" * 50_000 + ")" * 50_000 + " }}",
    "deep-attributes": "{{ x" + ".a" * 20_000 + " }}",
    "deep-blocks": "{% if x %}" * 3_000 + "{% endif %}" * 3_000,
    "long": "x" * (LONGEST + 1),
    "number": "{{ " + "9" * 5_000 + " }}",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(UnreadableError):
        judged(text)


HEAVY = {
    "names": "{% set a = a ~ 'x' %}" * 2_000,
    "either": "".join(
        f"{{% set a{i} = a{i - 1} ~ ('x' if y else 'z') %}}" for i in range(1, 2_000)
    ),
    "doubling": "{% set a = 'xx' %}" + "{% set a = a ~ a %}" * 200,
    "lists": "{% set a = [1] %}" + "{% set a = [a, a, a, a] %}" * 200,
    "macros": "".join(
        f"{{% macro m{i}(a) %}}{{{{ m{i + 1}(a ~ 'x') }}}}{{% endmacro %}}" for i in range(500)
    ),
    "chains": "{{ x.y(1)|join('a')|upper }}" * 4_000,
    "dictionaries": "{{ {" + ", ".join(f"'k{i}': 'v{i}'" for i in range(5_000)) + "} }}",
    "formats": "{{ '" + "{:" * 5_000 + "'.format(1) }}",
    "percents": "{{ '" + "%(" * 20_000 + "' % 1 }}",
    # Found by the fuzzer: each call of a chain was judged twice, so this took 2 ** 60 steps.
    "calls on what a call gave": "{{ x" + ".f()" * 60 + " }}",
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_nothing_takes_long(text: str) -> None:
    began = time.process_time()
    try:
        judged(text)
    except UnreadableError as e:
        assert "deep" in str(e)  # noqa: PT017  either is an answer
    assert time.process_time() - began < 4


def test_mutants_never_crash() -> None:
    random_ = random.Random(4)
    texts = [*ESCAPES.values(), *(p.read_text("utf-8")[:3000] for p in HONEST[:10])]
    outcomes = set()
    for _ in range(1_500):
        text = random_.choice(texts)
        for _ in range(random_.randint(1, 4)):
            at, length = random_.randrange(len(text) + 1), random_.randint(0, 6)
            other = random_.choice(texts)
            cut = random_.randrange(len(other))
            text = text[:at] + other[cut : cut + random_.randint(0, 30)] + text[at + length :]
        try:
            outcomes.add(worst(text))
        except UnreadableError:
            outcomes.add(Severity.NOTE)
    assert outcomes >= {Severity.NOTE, Severity.CRITICAL, None}


def test_nothing_is_compiled_or_rendered() -> None:
    """Neither Jinja's compiler nor its runtime is entered, and no filter is looked up."""
    code = (
        "import jinja2.compiler, jinja2.environment as e, jinja2.nodes as n\n"
        "def no(*a, **k): raise SystemExit(3)\n"
        "jinja2.compiler.generate = e.generate = no\n"
        "e.Environment.compile = e.Environment.from_string = e.Environment.call_filter = no\n"
        "e.Template.render = n.Expr.as_const = no\n"
        "from credenza.scan.templates import judged\n"
        "from tests.scan.templates.escapes import ESCAPES\n"
        "print(sum(bool(judged(t)) for t in ESCAPES.values()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == str(len(ESCAPES)), done.stderr[-500:]


# --- the same payloads in other clothes ---------------------------------------------


def _in_brackets(text: str, _: random.Random) -> str:
    return re.sub(r"\.(__\w+__)", r"['\1']", text)


def _in_hex(text: str, random_: random.Random) -> str:
    def spelled(match: re.Match[str]) -> str:
        return "".join(f"\\x{ord(c):02x}" if random_.random() < 0.6 else c for c in match[0])

    return re.sub(r"__\w+__(?=')", spelled, text)


def _in_two(text: str, random_: random.Random) -> str:
    operator = random_.choice(["~", " + "])
    return re.sub(r"'(__\w+?)(\w+__)'", rf"('\1'{operator}'\2')", text)


def _backwards(text: str, _: random.Random) -> str:
    return re.sub(r"'(__\w+__)'", lambda m: f"('{m[1][::-1]}'|reverse)", text)


def _in_a_condition(text: str, _: random.Random) -> str:
    return f"{{% if messages|length > 3 %}}{text}{{% endif %}}"


def _in_a_macro(text: str, _: random.Random) -> str:
    return f"{{% macro q9() %}}{text}{{% endmacro %}}{{{{ q9() }}}}"


def _among_others(text: str, random_: random.Random) -> str:
    other = random_.choice(HONEST).read_text("utf-8")
    return random_.choice([other + text, text + other])


MUTATIONS = [
    *(_in_brackets, _in_hex, _in_two, _backwards),
    *(_in_a_condition, _in_a_macro, _among_others),
]


def test_no_mutant_of_an_escape_is_missed() -> None:
    random_ = random.Random(9)
    for name, text in ESCAPES.items():
        for _ in range(4):
            mutant = text
            for mutate in random_.sample(MUTATIONS, random_.randint(1, 4)):
                mutant = mutate(mutant, random_)
            try:
                answer = worst(mutant)
            except UnreadableError:
                continue  # said, and so not missed
            assert answer is not None, (name, mutant)
            assert answer >= Severity.HIGH, (name, mutant)


def test_neither_jinja_nor_yaml_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, credenza.scan\n"
        "credenza.scan.scan(sys.argv[1])\n"
        "print(sorted({'jinja2', 'yaml', 'xml.parsers.expat'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
