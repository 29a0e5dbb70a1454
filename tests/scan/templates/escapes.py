"""Templates that reach out of themselves, by what they would reach. None is ever rendered.

What each would run is ``id``; sources: CVE-2024-34359 (llama-cpp-python), CVE-2016-10745,
CVE-2019-10906, CVE-2024-56201, CVE-2024-56326, CVE-2025-27516 (Jinja's sandbox), and the
collections of template injections that are taught with Flask.
"""

from __future__ import annotations

from typing import Final

_CHAIN: Final = "().__class__.__base__.__subclasses__()"

ESCAPES: Final[dict[str, str]] = {
    # the plain chains
    "llama-cpp-python": "{% for x in ().__class__.__base__.__subclasses__() %}"
    "{% if 'warning' in x.__name__ %}{{ x()._module.__builtins__['__import__']('os').popen('id')"
    ".read() }}{% endif %}{% endfor %}",
    "class": "{{ ''.__class__ }}",
    "mro": "{{ ''.__class__.mro()[1].__subclasses__() }}",
    "mro-alone": "{{ messages.mro }}",
    "subclasses": "{{ "
    + _CHAIN
    + "[132].__init__.__globals__['sys'].modules['os'].system('id') }}",
    "number": "{{ (1).__class__ }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "lipsum-get": "{{ lipsum.__globals__.get('os').popen('id').read() }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "joiner": "{{ joiner.__init__.__globals__.os.popen('id').read() }}",
    "namespace": "{{ namespace.__init__.__globals__.os.popen('id').read() }}",
    "self": "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "self-context": "{{ self._TemplateReference__context.cycler }}",
    "range": "{{ range.__class__ }}",
    "macro": "{% macro m() %}{% endmacro %}{{ m.__func__ }}",
    "raise-exception": "{{ raise_exception.__globals__ }}",
    "undefined": "{{ nothing.__class__.__init__.__globals__ }}",
    "generator-frame": "{{ (messages|map('upper')).gi_frame.f_globals }}",
    "function-globals": "{{ x.func_globals }}",
    "coroutine": "{{ x.cr_frame.f_builtins }}",
    "traceback": "{{ x.tb_frame.f_back }}",
    "in-the-middle": "{% for m in messages %}{{ m.content }}{% endfor %}{{ ''.__class__ }}",
    "only-if": "{% if messages|length > 100 %}{{ messages.__class__ }}{% endif %}",
    "in-a-test": "{% if messages.__class__ is defined %}{% endif %}",
    "in-a-default": "{% macro m(a=''.__class__) %}{{ a }}{% endmacro %}",
    "in-a-loop-test": "{% for m in messages if m.__class__ %}{% endfor %}",
    "in-a-generation": "{% generation %}{{ ''.__class__ }}{% endgeneration %}",
    "in-a-do": "{% do messages.__init__ %}",
    # names in brackets and filters
    "item": "{{ ''['__class__'] }}",
    "item-hex": r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    "item-unicode": r"{{ ''['\u005f\u005fclass\u005f\u005f'] }}",
    "item-octal": r"{{ ''['\137\137class\137\137'] }}",
    "attr": "{{ ''|attr('__class__') }}",
    "attr-hex": r"{{ ''|attr('\x5f\x5fclass\x5f\x5f') }}",
    "attr-keyword": "{{ ''|attr(name='__class__') }}",
    "attr-args": "{{ ''|attr(*['__class__']) }}",
    "attr-kwargs": "{{ ''|attr(**{'name': '__class__'}) }}",
    "attr-of-the-caller": "{{ ''|attr(request.args.x) }}",
    "attr-of-a-message": "{{ ''|attr(messages[0].content) }}",
    "map-attr": "{{ ['']|map('attr', '__class__')|list }}",
    "map-attribute": "{{ ['']|map(attribute='__class__')|list }}",
    "map-dotted": "{{ ['']|map(attribute='real.__class__.mro')|list }}",
    "map-computed": "{{ ['']|map('at' ~ 'tr', '__class__')|list }}",
    "sort-attribute": "{{ ['']|sort(attribute='__class__') }}",
    "selectattr": "{{ ['']|selectattr('__class__')|list }}",
    "groupby": "{{ ['']|groupby('__class__') }}",
    "sum": "{{ ['']|sum('__class__') }}",
    "max": "{{ ['']|max(attribute='__class__') }}",
    "filter-block": "{% filter attr('__class__') %}x{% endfilter %}",
    "set-filter-block": "{% set y | attr('__class__') %}x{% endset %}",
    # names that are built
    "tilde": "{{ ''['__cla' ~ 'ss__'] }}",
    "plus": "{{ ''['__cla' + 'ss__'] }}",
    "beside": "{{ ''['__cla' 'ss__'] }}",
    "join": "{{ ''[['__cla', 'ss__']|join] }}",
    "join-method": "{{ ''[''.join(['__', 'class', '__'])] }}",
    "reverse": "{{ ''['__ssalc__'|reverse] }}",
    "slice": "{{ ''['__ssalc__'[::-1]] }}",
    "replace": "{{ ''['xxclassxx'|replace('x', '_')] }}",
    "replace-method": "{{ ''['xxclassxx'.replace('x', '_')] }}",
    "lower": "{{ ''['__CLASS__'|lower] }}",
    "percent": "{{ ''['%sclass%s' % ('__', '__')] }}",
    "percent-c": "{{ ''['%c%cclass%c%c' % (95, 95, 95, 95)] }}",
    "percent-c-computed": "{{ ''['%c%cclass' % (messages|length, 95)] }}",
    "format-filter": "{{ ''['%c%cclass%c%c'|format(95, 95, 95, 95)] }}",
    "format-method": "{{ ''['{0}{0}class{0}{0}'.format('_')] }}",
    "times": "{{ ''['_' * 2 ~ 'class' ~ '_' * 2] }}",
    "dict-key": "{{ ''[dict(__class__=1)|list|first] }}",
    "dict-join": "{{ ''[dict(__cla=1, ss__=2)|join] }}",
    "dict-value": "{{ ''[{'a': '__class__'}['a']] }}",
    "dict-value-get": "{{ ''[{'a': '__class__'}.get('a')] }}",
    "list-item": "{{ ''[['a', '__class__'][1]] }}",
    "set": "{% set a = '__cla' %}{% set b = 'ss__' %}{{ ''[a ~ b] }}",
    "set-block": "{% set a %}__class__{% endset %}{{ ''[a] }}",
    "set-block-if": "{% set a %}{% if 1 %}__{% endif %}class__{% endset %}{{ ''[a] }}",
    "set-later": "{% for i in [1, 2] %}{{ ''[a] }}{% set a = '__class__' %}{% endfor %}",
    "set-either": "{% set a = '__class__' if messages else 'x' %}{{ ''[a] }}",
    "with": "{% with a='__class__' %}{{ ''[a] }}{% endwith %}",
    "namespace-attribute": "{% set ns = namespace(a='__class__') %}{{ ''[ns.a] }}",
    "namespace-alias": "{% set n = namespace() %}{% set m = n %}{% set n.a = '__class__' %}"
    "{{ ''[m.a] }}",
    "namespace-loop": "{% set n = namespace(a='') %}{% for c in ['__', 'class', '__'] %}"
    "{% set n.a = n.a ~ c %}{% endfor %}{{ ''[n.a] }}",
    "loop": "{% for c in ['__class__'] %}{{ ''[c] }}{% endfor %}",
    "loop-pairs": "{% for k, v in {'a': '__class__'}.items() %}{{ ''[v] }}{% endfor %}",
    "append": "{% set l = [] %}{% set _ = l.append('__class__') %}{{ ''[l[0]] }}",
    "append-join": "{% set l = ['_'] %}{% set _ = l.append('_class__') %}{{ ''[l|join] }}",
    "update": "{% set d = {} %}{% set _ = d.update({'a': '__class__'}) %}{{ ''[d.a] }}",
    "macro-argument": "{% macro m(a) %}{{ ''[a] }}{% endmacro %}{{ m('__class__') }}",
    "macro-keyword": "{% macro m(a) %}{{ ''[a] }}{% endmacro %}{{ m(a='__class__') }}",
    "macro-varargs": "{% macro m() %}{{ ''[varargs[0]] }}{% endmacro %}{{ m('__class__') }}",
    "macro-result": "{% macro m() %}__class__{% endmacro %}{{ ''[m()] }}",
    "call-block": "{% macro m() %}{{ caller('__class__') }}{% endmacro %}"
    "{% call(a) m() %}{{ ''[a] }}{% endcall %}",
    "caller-result": "{% macro m() %}{{ ''[caller()] }}{% endmacro %}"
    "{% call m() %}__class__{% endcall %}",
    "default": "{{ ''[nothing|default('__class__')] }}",
    "or": "{{ ''[nothing or '__class__'] }}",
    "strftime": "{{ ''[strftime_now('__class__')] }}",
    "repr-of-a-function": "{% set u = (raise_exception|string|list)[10] %}{{ ''[u ~ u] }}",
    "repr-of-a-generator": "{% set u = (()|select|string|list)[24] %}"
    "{{ ''[u ~ u ~ 'class' ~ u ~ u] }}",
    "repr-of-a-generator-of-data": "{% set u = (messages|select|string|list)[24] %}"
    "{{ ''[u ~ u ~ 'class' ~ u ~ u] }}",
    "repr-of-lipsum": "{{ ''[(lipsum|string|list)[18] * 2 ~ 'class'] }}",
    # what a fold gets wrong that takes one thing for another
    "dict-of-pairs": "{{ ''[dict([('a', '__class__')])['a']] }}",
    "dict-as-text": "{{ ''[({'a': '__class__'}|string)[7:16]] }}",
    "dict-formatted": "{{ ''[('%s' % {'a': '__class__'})[7:16]] }}",
    "list-as-text": "{{ ''[(['__class__']|string)[2:11]] }}",
    "default-of-empty": "{{ ''[''|default('__class__', true)] }}",
    "default-keyword": "{{ ''[messages|default(default_value='__class__')] }}",
    "truncate-end": "{{ ''[messages|truncate(0, true, '__class__', 0)] }}",
    "batch-fill": "{% for b in messages|batch(2, '__class__') %}{{ ''[b[1]] }}{% endfor %}",
    "map-default": "{% for b in messages|map(attribute='x', default='__class__') %}{{ ''[b] }}"
    "{% endfor %}",
    "map-replace": "{% for b in messages|map('replace', 'a', '__class__') %}{{ ''[b] }}"
    "{% endfor %}",
    "join-keyword": "{{ ''[messages|join(d='__class__')] }}",
    "replace-keyword": "{{ ''[messages|replace(old='a', new='__class__')] }}",
    "cycler-next": "{{ ''[cycler('__class__').next()] }}",
    "loop-cycle": "{% for m in messages %}{{ ''[loop.cycle('__class__')] }}{% endfor %}",
    "unpacked-namespace": "{% set n = namespace(**{'a': '__class__'}) %}{{ ''[n.a] }}",
    "macro-passed": "{% macro m(a) %}{{ ''[a] }}{% endmacro %}"
    "{% macro n(f) %}{{ f('__class__') }}{% endmacro %}{{ n(m) }}",
    # format strings
    "format-field": "{{ '{0.__class__}'.format(messages) }}",
    "format-item": "{{ '{0[__class__]}'.format(messages) }}",
    "format-nested": "{{ '{0:{1.__class__}}'.format(1, messages) }}",
    "format-map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "format-built": "{{ ('{0.__cla' ~ 'ss__}').format(messages) }}",
    "format-bound": "{% set f = '{0.__class__}'.format %}{{ f(messages) }}",
    "format-attr": "{{ ('{0.__class__}'|attr('format'))(messages) }}",
    # calls
    "popen": "{{ os.popen('id').read() }}",
    "import": "{{ __import__('os').system('id') }}",
    "open": "{{ open('/etc/hostname').read() }}",
    "eval": "{{ eval('1') }}",
    "lookup": "{{ lookup('pipe', 'id') }}",
    "system": "{{ messages.system('id') }}",
    "unknown-function": "{{ fetch('x') }}",
    "computed-call": "{{ (messages|first)('id') }}",
    "alias-call": "{% set f = open %}{{ f('x') }}",
    "config": "{{ config.from_object('os') }}",
    "config-items": "{{ config.items() }}",
    "request": "{{ request.application.__globals__ }}",
    "url-for": "{{ url_for.__globals__ }}",
    "flashed": "{{ get_flashed_messages.__globals__ }}",
    # other files
    "include": "{% include '/etc/passwd' %}",
    "import-file": "{% import 'other' as x %}",
    "from-file": "{% from 'other' import x %}",
    "extends": "{% extends 'other' %}",
    "include-computed": "{% include messages[0].content %}",
    # without end
    "range-huge": "{% for i in range(10 ** 9) %}x{% endfor %}",
    "range-nested": "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
    "text-huge": "{{ 'a' * 10 ** 9 }}",
    "power-huge": "{{ 9 ** 999999999 }}",
    "width-huge": "{{ '%0999999999d' % 1 }}",
    "format-huge": "{{ '{:>999999999}'.format(1) }}",
    "center-huge": "{{ 'x'|center(999999999) }}",
}
"""By what it shows: a template that is found at high or above."""
