"""Jinja templates that leave their sandbox, and all the places where a model keeps its template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from credenza.findings import Severity
from tests.scan.population.ggufs import gguf
from tests.scan.population.interface import COMMAND, Form, Malicious

_RUN: Final = f"popen('{COMMAND}').read()"
_CVE: Final = "CVE-2024-34359"
_ESCAPE: Final = "scan.md 1, GGUF Jinja chat_template SSTI"

HONEST: Final = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}{{ message['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

TEMPLATES: Final[dict[str, str]] = {
    "cycler": "{{ cycler.__init__.__globals__.os." + _RUN + " }}",
    "joiner": "{{ joiner.__init__.__globals__.os." + _RUN + " }}",
    "namespace": "{{ namespace.__init__.__globals__.os." + _RUN + " }}",
    "lipsum": "{{ lipsum.__globals__['os']." + _RUN + " }}",
    "self": "{{ self.__init__.__globals__.__builtins__.__import__('os')." + _RUN + " }}",
    "self's context": "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "request": "{{ request.application.__globals__.__builtins__.eval('1') }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__()[132].__init__.__globals__ }}",
    "subclasses in a loop": "{% for x in ().__class__.__base__.__subclasses__() %}"
    "{% if 'warning' in x.__name__ %}{{ x()._module.__builtins__['__import__']('os')." + _RUN
    + " }}{% endif %}{% endfor %}",
    "subscripts": "{{ ''['__class__']['__mro__'][1]['__subclasses__']() }}",
    "attr": "{{ ''|attr('__class__')|attr('__mro__') }}",
    "attr of a concatenation": "{{ ''|attr('__cla' ~ 'ss__') }}",
    "attr of a sum": "{{ ''|attr('__cla' + 'ss__')|attr('__ba' + 'se__') }}",
    "attr of a join": "{{ ''|attr(['__', 'class', '__']|join) }}",
    "attr of a format": "{{ ''|attr('%s%s' % ('__cla', 'ss__')) }}",
    "attr of the format filter": "{{ ''|attr('%s%s'|format('__cla', 'ss__')) }}",
    "attr of escapes": "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "attr of reversed letters": "{{ ''|attr('__ssalc__'|reverse) }}",
    "attr of a replacement": "{{ ''|attr('--class--'|replace('-', '_')) }}",
    "attr of lower case": "{{ ''|attr('__CLASS__'|lower) }}",
    "attr of a variable": "{% set n = '__' ~ 'class' ~ '__' %}{{ ''|attr(n) }}",
    "attr of a parameter": "{{ ''|attr(messages[0]['content']) }}",
    "subscript of a variable": "{% set n = '__globals__' %}{{ cycler.__init__[n] }}",
    "subscript of a concatenation": "{{ messages['__cl' ~ 'ass__'] }}",
    "map by attribute": "{{ messages|map(attribute='__class__')|list }}",
    "select by attribute": "{{ messages|selectattr('__class__.__mro__')|list }}",
    "sort by attribute": "{{ messages|sort(attribute='__class__') }}",
    "group by attribute": "{{ messages|groupby('__init__.__globals__') }}",
    "format": "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "format_map": "{{ '{m.__class__}'.format_map({'m': messages}) }}",
    "format by attr": "{{ ('{0.__cl' ~ 'ass__}')|attr('format')(messages) }}",
    "format held in a variable": "{% set f = '{0.__class__}'.format %}{{ f(messages) }}",
    "macro": "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "macro's function": "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "a function of the host": "{{ raise_exception.__globals__['__builtins__'] }}",
    "another function of the host": "{{ strftime_now.__globals__.os." + _RUN + " }}",
    "a filter of the host": "{% set t = messages|tojson %}{{ tojson.__globals__ }}",
    "frame of a generator": "{{ (messages|map('upper')).gi_frame.f_back.f_globals }}",
    "frame of a coroutine": "{{ x.cr_frame.f_builtins }}",
    "code of a function": "{{ raise_exception.__code__.co_consts }}",
    "mro": "{{ messages.__class__.mro()[-1] }}",
    "in a condition": "{% if lipsum.__globals__.os.system('" + COMMAND + "') %}{% endif %}",
    "in an assignment": "{% set x = cycler.__init__.__globals__ %}",
    "in a filter's argument": "{{ 'x'|default(cycler.__init__.__globals__.os." + _RUN + ") }}",
    "in a test": "{% if x is sameas cycler.__init__.__globals__ %}{% endif %}",
    "in a loop's head": "{% for k in lipsum.__globals__ %}{% endfor %}",
    "in a block": "{% block b %}{{ lipsum.__globals__ }}{% endblock %}",
    "in a filter block": "{% filter upper %}{{ lipsum.__globals__ }}{% endfilter %}",
    "in a dict": "{{ {'a': [lipsum.__globals__]} }}",
    "in an else": "{% if true %}x{% else %}{{ lipsum.__globals__ }}{% endif %}",
    "behind an honest one": HONEST + "{{ lipsum.__globals__.os." + _RUN + " }}",
    "written wide": "{{-\n  lipsum\n   .__globals__\n   ['os']\n  ." + _RUN + "\n-}}",
    "behind a comment": "{# safe #}{{ lipsum.__globals__ }}{# safe #}",
}  # fmt: skip

_LESSER: Final = {
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os.system('" + COMMAND + "') }}",
    "extends": "{% extends '/etc/passwd' %}",
    "a loop without end": "{% for i in range(999999999) %}{% for j in range(999999999) %}x"
    "{% endfor %}{% endfor %}",
}


def vectors() -> Iterator[Malicious]:
    for name, template in TEMPLATES.items():
        yield _template(name, "tokenizer_config.json", _config(template), _ESCAPE)
    for name, template in _LESSER.items():
        yield _template(name, "tokenizer_config.json", _config(template), _ESCAPE, Severity.MEDIUM)
    evil = TEMPLATES["cycler"]
    for name, (path, data) in _places(evil).items():
        yield _template(f"in {name}", path, data, _CVE)
    broken = _config(evil + "{% endfor %}")  # it does not compile, so nothing of it runs
    yield _template("broken behind its payload", "tokenizer_config.json", broken, _ESCAPE,
                    unread_will_do=True)  # fmt: skip


def _config(template: object) -> bytes:
    return json.dumps({"tokenizer_class": "LlamaTokenizer", "chat_template": template}).encode()


def _places(evil: str) -> dict[str, tuple[str, bytes]]:
    several = [{"name": "default", "template": HONEST}, {"name": "tool_use", "template": evil}]
    second = {"tokenizer.chat_template": HONEST, "tokenizer.chat_template.tool_use": evil}
    escaped = _config(evil).replace(b"_", b"\\u005f")
    twice = _config(evil)[:-1] + b', "chat_template": ' + json.dumps(HONEST).encode() + b"}"
    return {
        "one of several": ("tokenizer_config.json", _config(several)),
        "a map of several": ("tokenizer_config.json", _config({"a": HONEST, "b": evil})),
        "escapes of JSON": ("tokenizer_config.json", escaped),
        "a key that comes twice": ("tokenizer_config.json", twice),
        "a file of its own": ("chat_template.jinja", evil.encode()),
        "a file of its own, jinja2": ("prompts/system.jinja2", evil.encode()),
        "additional templates": ("additional_chat_templates/rag.jinja", evil.encode()),
        "chat_template.json": ("chat_template.json", json.dumps({"chat_template": evil}).encode()),
        "a processor": ("processor_config.json", _config(evil)),
        "a preprocessor": ("preprocessor_config.json", _config(evil)),
        "a config below": ("sub/tokenizer_config.json", _config(evil)),
        "GGUF": ("model.gguf", gguf({"tokenizer.chat_template": evil})),
        "GGUF, second": ("model.gguf", gguf(second)),
        "GGUF, named otherwise": ("weights.bin", gguf({"tokenizer.chat_template": evil})),
    }


def _template(
    name: str, path: str, data: bytes, reference: str, least: Severity = Severity.HIGH, *,
    unread_will_do: bool = False,
) -> Malicious:  # fmt: skip
    form = Form.OPAQUE if path.endswith((".gguf", ".bin")) else Form.TEMPLATE
    return Malicious(
        name=f"jinja {name}", category="jinja", reference=reference, least=least,
        files=((path, data),), form=form, unread_will_do=unread_will_do,
    )  # fmt: skip
