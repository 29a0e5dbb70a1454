"""What speaks against a module: every expression that stands for something dangerous.

An expression counts, and not only a call: who hands ``os.system`` on means it to be called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, final

from credenza.findings import Severity
from credenza.scan.source import dangers
from credenza.scan.source.dangers import Danger, danger_of
from credenza.scan.source.folding import DECODERS
from credenza.scan.source.interface import Kind, Reach, Sighting
from credenza.scan.source.names import Names, Ref
from credenza.scan.source.reach import Reaches, is_main, outside
from credenza.scan.source.reading import Source, UnreadableSourceError, parsed

_DEEPEST: Final = 6
"""Programs in programs."""
_MOST_INNER: Final = 2 << 20
"""Characters of all programs in one."""
_MOST: Final = 2000
_FAR_RIGHT: Final = 400
"""Code that begins beyond this column is not meant to be seen."""
_ONLY_CALLED: Final = frozenset(
    [
        "builtins.compile",
        "pickle.Unpickler",
        "pickle._Unpickler",
        "types.FunctionType",
        "types.CodeType",
        "types.LambdaType",
        "socket.SocketType",
        "torch.package.PackageImporter",
        "urllib.request.Request",
        "requests.Session",
        "httpx.Client",
        "subprocess.Popen",
    ]
)
"""Classes and such that honest code asks about, or derives from."""
_ASKERS: Final = frozenset({"hasattr", "isinstance", "getattr", "print", "vars", "dir", "type"})

_COMMANDS: Final = (
    *("curl ", "wget ", "/dev/tcp", "base64 -d", "powershell", "chmod +x", "crontab", "mkfifo"),
    *("nc -", "bash -i", "bash -c", "sh -c", "rm -rf", "Invoke-", "certutil", "eval "),
)
_INTERPRETERS: Final = (
    *("sh", "bash", "zsh", "dash", "cmd", "powershell", "pwsh", "python", "perl", "ruby", "node"),
    *("curl", "wget", "nc", "ncat", "php", "osascript", "None", "env", "sudo", "pip", "eval"),
)
_CREDENTIALS: Final = (
    *(".ssh/id_", ".aws/credentials", "/etc/shadow", ".git-credentials", ".kube/config", ".netrc"),
    *(".docker/config.json", "Login Data", "wallet.dat", ".gnupg", ".pypirc", "/etc/passwd"),
    *("169.254.169.254", "huggingface/token", ".azure/", "gcloud/application_default_credentials"),
)
_LASTING: Final = (
    *(".bashrc", ".bash_profile", ".zshrc", "sitecustomize", "usercustomize", "authorized_keys"),
    *("/etc/cron", "/etc/ld.so.preload", ".config/autostart", "LaunchAgents", "/etc/profile"),
    *("systemd/system", "CurrentVersion\\Run", "Start Menu\\Programs\\Startup", ".git/hooks"),
)
_START_UP: Final = ("site.getsitepackages", "site.getusersitepackages", "site.USER_SITE")
"""Where a file named ``*.pth`` runs when Python starts (docs of `site`)."""
_PATCHED: Final = ("builtins.", "pickle.", "torch.load", "torch.serialization.", "safetensors.")
_PRELOADS: Final = frozenset(
    {"LD_PRELOAD", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT", "DYLD_INSERT_LIBRARIES"}
)


def judged(source: Source) -> tuple[Sighting, ...]:
    """Everything that speaks against some source, in the order of its lines."""
    judge = _Judge(source, 0, [_MOST_INNER])
    judge.run()
    return tuple(sorted(judge.seen, key=lambda s: (s.line, s.column, s.name)))


def _is_root(node: ast.expr) -> bool:
    """Whether it is the root of all classes, or the way to it: all classes are below it."""
    if isinstance(node, ast.Name):
        return node.id in ("object", "type")
    return isinstance(node, ast.Attribute | ast.Subscript) and any(
        isinstance(n, ast.Attribute) and n.attr in ("__base__", "__bases__", "__mro__")
        for n in ast.walk(node)
    )


@final
class _Judge:
    def __init__(self, source: Source, depth: int, left: list[int]) -> None:
        self.left = left
        self.source = source
        self.depth = depth
        self.names = Names(source.tree)
        self.reaches = Reaches(source.tree)
        self.seen: list[Sighting] = list(source.odd)
        self.paths: list[tuple[Kind, str, ast.expr, Reach]] = []
        self.writes = False

    def run(self) -> None:
        todo: list[tuple[ast.AST, Reach]] = [(self.source.tree, Reach.IMPORT)]
        while todo and len(self.seen) < _MOST:
            node, reach = todo.pop()
            todo += [(child, at) for child, at in self._one(node, reach)]
        self._together()
        if todo:
            self._hide(todo[-1][0], Ref(f"more than {_MOST} places"), Reach.IMPORT, Severity.HIGH)
        if self.names.lost:
            name = Ref("names that lead on and on")
            self._hide(self.source.tree, name, Reach.IMPORT, Severity.HIGH)

    def _one(self, node: ast.AST, reach: Reach) -> Iterator[tuple[ast.AST, Reach]]:
        """Judge one node; which are to be judged next, and when they run."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from ((n, reach) for n in outside(node))
                own = self.reaches.of(node)
                yield from ((n, own) for n in node.body)
            case ast.ClassDef() | ast.arg() | ast.AnnAssign():
                yield from self._declared(node, reach)
            case ast.If(test=test, body=body, orelse=orelse) if (
                is_main(test) and self.reaches.honest_name
            ):
                yield from ((n, Reach.CALLED) for n in body)
                yield from ((n, reach) for n in orelse)
            case ast.ExceptHandler(type=type_, body=body):
                yield from ((n, reach) for n in body)
                yield from ((n, reach) for n in ast.walk(type_ or node) if _calls(n) and type_)
            case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
                pass  # a docstring is no code, and a module that is only named does nothing
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._patched(target, reach)
                yield from self._bound(targets, value, reach)
            case ast.Call():
                yield from self._call(node, reach)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                self._referred(node, reach)
                yield from ((n, reach) for n in _within(node))
            case ast.Constant(value=str(text)):
                self._text(text, node, reach)
            case ast.Match(subject=subject) if self._modules(subject) and any(
                isinstance(n, ast.MatchClass) and n.kwd_attrs for n in ast.walk(node)
            ):
                self._see(node, Ref(self._modules(subject)[0]), dangers.ESCAPE, reach)
                yield from ((n, reach) for n in ast.iter_child_nodes(node))
            case _:
                yield from ((n, reach) for n in ast.iter_child_nodes(node))

    def _declared(
        self, node: ast.ClassDef | ast.arg | ast.AnnAssign, reach: Reach
    ) -> Iterator[tuple[ast.AST, Reach]]:
        """Classes and annotations: what is called there runs there; what is only named does not."""
        named = node.bases if isinstance(node, ast.ClassDef) else [node.annotation]
        for expression in named:
            for inner in ast.walk(expression) if expression is not None else ():
                if _calls(inner):
                    yield inner, reach
        if isinstance(node, ast.ClassDef):
            yield from ((n, Reach.CALLED) for n in node.bases)
            yield from ((n, reach) for n in (*node.decorator_list, *node.body))
            yield from ((k.value, reach) for k in node.keywords)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._patched(node.target, reach)
            yield from self._bound([node.target], node.value, reach)

    def _bound(
        self, targets: list[ast.expr], value: ast.expr, reach: Reach
    ) -> Iterator[tuple[ast.AST, Reach]]:
        """A module under another name is followed, and not yet used."""
        named = all(isinstance(t, ast.Name) for t in targets)
        if not (named and isinstance(value, ast.Name) and self._modules(value)):
            yield value, reach
        for target in targets:
            yield from ((n, reach) for n in _within(target))

    # --- what is called, and what is handed on ------------------------------------

    def _call(self, node: ast.Call, reach: Reach) -> Iterator[tuple[ast.AST, Reach]]:
        refs = self.names.refs(node.func)
        self._far_call(node, reach, known=bool(refs))
        for ref in refs:
            found = danger_of(ref.name)
            if found is not None:
                self._dangerous_call(node, Ref(found[0], ref.hidden), found[1], reach)
            elif ref.name in ("builtins.open", "io.open", "shutil.copy", "shutil.move"):
                self.writes = self.writes or ref.name != "builtins.open" or self._mode(node) != "r"
            elif ref.name in _START_UP:
                self.paths.append((Kind.WRITES, ref.name, node, reach))
            self._unfound_name(node, ref, reach)
            if ref.name == "builtins.setattr" and len(node.args) > 1:
                name = self.names.text(node.args[1]) or "…"
                self._replaced(node, [r.dot(name) for r in self.names.refs(node.args[0])], reach)
        self._told_to_trust(node, reach)
        self._referred(node, reach)  # what it gives: a module, or getattr(os, 'system')
        asked = isinstance(node.func, ast.Name) and node.func.id in _ASKERS
        for child in (*_within(node.func), *node.args, *(k.value for k in node.keywords)):
            if not (asked and isinstance(child, ast.Name) and self._modules(child)):
                yield child, reach
        if isinstance(node.func, ast.Attribute | ast.Subscript):
            self._escape(node.func, reach)
        if isinstance(node.func, ast.Attribute):
            self.writes = self.writes or node.func.attr in ("write_text", "write_bytes")

    def _dangerous_call(self, node: ast.Call, ref: Ref, danger: Danger, reach: Reach) -> None:
        match ref.name:
            case "builtins.exec" | "builtins.eval" | "builtins.compile":
                self._program(node, ref, danger, reach)
            case "builtins.__import__" | "importlib.import_module" | "importlib.__import__":
                if not self._constant_import(node):
                    self._see(node, ref, danger, reach)
            case _ if _harmless(ref.name, node, self.names):
                pass
            case _ if danger.kind is Kind.PROCESS:
                self._process(node, ref, danger, reach)
            case _:
                self._see(node, ref, danger, reach)
                if danger.kind is Kind.NETWORK and self._all_secrets(node):
                    self._see(node, Ref("os.environ"), Danger(Kind.HARVESTS, "HHC"), reach)

    def _constant_import(self, node: ast.Call) -> bool:
        """A module named by a constant, or by one in the package of this one."""
        name = self.names.text(node.args[0]) if node.args else None
        return name is not None or any(k.arg == "package" for k in node.keywords)

    def _program(self, node: ast.Call, ref: Ref, danger: Danger, reach: Reach) -> None:
        """A text that is executed: what it says, or that nobody can tell what it says."""
        first = node.args[0] if node.args else None
        program = self.names.fold(first)
        if first is not None and self._decodes(first):
            self._hide(node, ref, reach, Severity.CRITICAL)
        elif not isinstance(program, str | bytes):
            self._see(node, ref, danger, reach)
        elif ref.name == "builtins.exec":
            self._see(node, ref, Danger(Kind.EXECUTES, "LMM"), reach)
        if isinstance(program, str | bytes):
            self._inner(program, node, reach, hidden=not self._is_plain(first))

    def _is_plain(self, node: ast.expr | None) -> bool:
        if isinstance(node, ast.Name):
            bound = self.names.values_of(node.id)
            node = bound[0] if len(bound) == 1 else node
        return isinstance(node, ast.Constant | ast.JoinedStr)

    def _decodes(self, node: ast.expr) -> bool:
        """Whether what is executed comes out of a decoder, or out of the network."""

        def decoder(name: str) -> bool:
            found = danger_of(name)
            kind = found[1].kind if found else None
            return name in DECODERS or kind in (Kind.NETWORK, Kind.UNPICKLES)

        behind = list(self._behind(node))
        turned = any(isinstance(n, ast.Slice) and n.step is not None for n in behind)
        return turned or any(
            decoder(ref.name)
            for n in behind
            if isinstance(n, ast.Call | ast.Name)
            for ref in self.names.refs(n.func if isinstance(n, ast.Call) else n)
        )

    def _all_secrets(self, node: ast.Call) -> bool:
        """Whether the whole environment is among the arguments of a call, and not a part of it."""
        arguments = [*node.args, *(k.value for k in node.keywords)]
        return any(
            ref.name == "os.environ"
            for argument in arguments
            for inner in self._behind(argument)
            if isinstance(inner, ast.Attribute | ast.Name)
            for ref in self.names.refs(inner)
        )

    def _behind(self, node: ast.expr) -> Iterator[ast.AST]:
        """The parts of an expression, and of those that its names are bound to."""
        todo: list[ast.AST] = [node]
        bound: set[str] = set()
        for _ in range(500):
            if not todo:
                return
            one = todo.pop()
            yield one
            if isinstance(one, ast.Name) and one.id not in bound:
                bound.add(one.id)
                todo += self.names.values_of(one.id)[:4]
            if isinstance(one, ast.Subscript) or (
                isinstance(one, ast.Attribute) and one.attr in ("get", "setdefault", "pop")
            ):
                todo += _within(one)  # of one thing in it
            else:
                todo += ast.iter_child_nodes(one)

    def _inner(self, program: str | bytes, node: ast.AST, reach: Reach, *, hidden: bool) -> None:
        self.left[0] -= len(program)
        if self.depth >= _DEEPEST or self.left[0] < 0:
            self._hide(node, Ref("programs in programs"), reach, Severity.HIGH)
            return
        try:
            judge = _Judge(parsed(program), self.depth + 1, self.left)
        except UnreadableSourceError:
            return
        judge.run()
        line, column = _place(node)
        for sighting in judge.seen[: _MOST + 1]:  # the last may say that there are more
            seen = replace(
                sighting,
                reach=min(sighting.reach, reach),
                hidden=hidden or sighting.hidden,
                line=line,
                column=column,
            )
            self.seen.append(_weighed(seen))

    def _unfound_name(self, node: ast.Call, ref: Ref, reach: Reach) -> None:
        """``getattr(os, name)``, of a name that is not known before it runs."""
        if ref.name != "builtins.getattr" or len(node.args) < 2:
            return
        if self.names.text(node.args[1]) is None:
            for base in self._modules(node.args[0]):
                self._see(node, Ref(f"getattr({base}, …)"), dangers.ESCAPE, reach)

    def _told_to_trust(self, node: ast.Call, reach: Reach) -> None:
        for keyword in node.keywords:
            true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            if keyword.arg == "trust_remote_code" and true:
                self._see(node, Ref("trust_remote_code=True"), dangers.REMOTE, reach)
            if keyword.arg == "allow_pickle" and true and not self.names.refs(node.func):
                self._see(node, Ref("allow_pickle=True"), dangers.UNPICKLE, reach)

    def _far_call(self, node: ast.Call, reach: Reach, *, known: bool) -> None:
        """A method that starts processes, of an object whose name says nothing."""
        if known or not isinstance(node.func, ast.Attribute):
            return
        own = isinstance(node.func.value, ast.Name) and node.func.value.id in ("self", "cls")
        name = node.func.attr
        if name in dangers.FAR_CALLS or (name == "system" and not own and node.args):
            self._see(node, Ref(f"….{name}"), Danger(Kind.PROCESS, "MHH"), reach)

    def _process(self, node: ast.Call, ref: Ref, danger: Danger, reach: Reach) -> None:
        """A command that fetches, hides or wipes weighs more; a program that is named, less."""
        command = node.args[0] if node.args else _keyword(node, "args")
        text = " ".join(self._words(command))
        if any(known in text for known in _COMMANDS):
            danger = Danger(Kind.PROCESS, "HHC")
        elif ref.name.startswith("subprocess.") and _keyword(node, "shell") is None:
            program = text.partition(" ")[0].rpartition("/")[2]
            if program and not program.startswith(_INTERPRETERS):
                danger = Danger(Kind.PROCESS, "MMH")
        self._see(node, ref, danger, reach)

    def _words(self, command: ast.expr | None) -> Iterator[str]:
        """What of a command is known."""
        if isinstance(command, ast.Name):
            bound = self.names.values_of(command.id)
            command = bound[0] if len(bound) == 1 else None
        parts = command.elts if isinstance(command, ast.List | ast.Tuple) else [command]
        for number, part in enumerate(parts[:64]):
            folded = self.names.fold(part)
            if folded is not None or number:
                yield " ".join(map(str, folded)) if isinstance(folded, list) else str(folded)
            elif isinstance(part, ast.JoinedStr):
                yield "".join(str(v.value) for v in part.values if isinstance(v, ast.Constant))

    def _referred(self, node: ast.expr, reach: Reach) -> None:
        loaded = isinstance(getattr(node, "ctx", None), ast.Load | None)
        for ref in self.names.refs(node):
            found = danger_of(ref.name)
            plain = isinstance(node, ast.Name) and node.id in self.names.bound
            if found is not None and found[0] not in _ONLY_CALLED and not plain:
                self._see(node, Ref(found[0], ref.hidden), found[1], reach)
            elif ref.name == "builtins.getattr" or (ref.name in dangers.MODULES and loaded):
                self._see(node, ref, dangers.HANDED, reach)
        if isinstance(node, ast.Attribute):
            self._escape(node, reach)

    def _modules(self, node: ast.expr) -> list[str]:
        refs = self.names.refs(node)
        return [r.name for r in refs if not dangers.MODULES.isdisjoint(dangers.canonical(r.name))]

    def _escape(self, node: ast.Attribute | ast.Subscript, reach: Reach) -> None:
        """By way of the object model to what is not named."""
        step: ast.expr = node
        for _ in range(32):
            name, below = self._step(step)
            if below is None:
                return
            if name in dangers.ESCAPES:
                certain = _is_root(below) or self._step(node)[0] in dangers.REACHED
                danger = Danger(Kind.ESCAPES, "HHH" if certain else "LLM")
                self._see(node, Ref(name), danger, reach)
                return
            step = below

    def _step(self, node: ast.expr) -> tuple[str, ast.expr | None]:
        """What is taken of something, by a dot or a key, and of what; None at the beginning."""
        match node:
            case ast.Attribute():
                return node.attr, node.value
            case ast.Subscript():
                return self.names.text(node.slice) or "", node.value
            case ast.Call():
                return "", node.func
        return "", None

    # --- what is put in the place of something, and what paths are named ------------

    def _patched(self, target: ast.expr, reach: Reach) -> None:
        if isinstance(target, ast.Attribute | ast.Subscript):
            self._replaced(target, self.names.refs(target), reach)

    def _replaced(self, node: ast.expr, refs: Sequence[Ref], reach: Reach) -> None:
        for ref in refs:
            patched = ref.name.startswith(_PATCHED) and ref.name.count(".") <= 2
            preload = ref.name.startswith("os.environ.") and ref.name[11:] in _PRELOADS
            if patched or preload:
                self._see(node, Ref(ref.name), Danger(Kind.PATCHES, "HHH"), reach)

    def _text(self, text: str, node: ast.Constant, reach: Reach) -> None:
        if len(text) > 4096:
            return
        for kind, paths in ((Kind.HARVESTS, _CREDENTIALS), (Kind.WRITES, _LASTING)):
            for path in paths:
                if path in text:
                    self.paths.append((kind, path, node, reach))
                    break

    def _together(self) -> None:
        """What is worse in company: secrets and a way out, a lasting place and a hand to write."""
        out = any(s.kind in (Kind.NETWORK, Kind.PROCESS) for s in self.seen)
        process = any(s.kind is Kind.PROCESS for s in self.seen)
        for kind, path, node, reach in self.paths:
            company = out if kind is Kind.HARVESTS else self.writes or process
            self._see(node, Ref(path), Danger(kind, "HHH" if company else "LLM"), reach)

    # --- sightings ----------------------------------------------------------------

    def _see(self, node: ast.AST, ref: Ref, danger: Danger, reach: Reach) -> None:
        line, column = _place(node)
        sighting = Sighting(
            kind=danger.kind,
            name=ref.name,
            severity=danger.severity(reach),
            reach=reach,
            line=line,
            column=column,
            hidden=ref.hidden or column > _FAR_RIGHT,
        )
        self.seen.append(_weighed(sighting))

    def _hide(self, node: ast.AST, ref: Ref, reach: Reach, severity: Severity) -> None:
        line, column = _place(node)
        self.seen.append(
            Sighting(
                kind=Kind.HIDDEN,
                name=ref.name,
                severity=severity,
                reach=reach,
                line=line,
                column=column,
                hidden=True,
            )
        )

    def _mode(self, node: ast.Call) -> str:
        mode = node.args[1] if len(node.args) > 1 else _keyword(node, "mode")
        text = "r" if mode is None else self.names.text(mode)
        return "r" if text is not None and not set(text) & set("wax+") else "w"


def _calls(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


def _weighed(sighting: Sighting) -> Sighting:
    """What is dangerous and hidden weighs more: nobody hides what may be seen."""
    grave = sighting.severity >= Severity.MEDIUM and sighting.kind in (
        *(Kind.PROCESS, Kind.EXECUTES, Kind.NETWORK, Kind.UNPICKLES, Kind.NATIVE),
    )
    if not (sighting.hidden and grave):
        return sighting
    worst = Severity.HIGH if sighting.reach is Reach.CALLED else Severity.CRITICAL
    return replace(sighting, severity=max(worst, sighting.severity))


def _within(node: ast.AST) -> list[ast.AST]:
    """What an expression like ``f(x).y[z].w`` is made of, below its dots and brackets."""
    found: list[ast.AST] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript):
            found.append(node.slice)
        node = node.value
    return found if isinstance(node, ast.Name) else [*found, node]


def _harmless(name: str, node: ast.Call, names: Names) -> bool:
    """Whether the arguments of a call make it one that runs nothing."""
    check = _CHECKS.get(name)
    return check is not None and check(node, names)


def _is(keyword: str, value: object) -> Callable[[ast.Call, Names], bool]:
    def check(node: ast.Call, names: Names) -> bool:  # noqa: ARG001  as the others
        given = _keyword(node, keyword)
        return isinstance(given, ast.Constant) and given.value is value

    return check


def _no_pickle(node: ast.Call, names: Names) -> bool:  # noqa: ARG001
    """`numpy.load` refuses pickles unless told otherwise (since 1.16.3)."""
    given = _keyword(node, "allow_pickle")
    told = len(node.args) > 2 or given is not None or any(k.arg is None for k in node.keywords)
    return not told or (isinstance(given, ast.Constant) and given.value is False)


def _safe_yaml(node: ast.Call, names: Names) -> bool:
    loader = node.args[1] if len(node.args) > 1 else _keyword(node, "Loader")
    safe = ("yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader")
    return loader is not None and any(r.name in safe for r in names.refs(loader))


def _safe_keras(node: ast.Call, names: Names) -> bool:
    return not _is("safe_mode", False)(node, names)  # its default is True since Keras 2.13


_CHECKS: Final[dict[str, Callable[[ast.Call, Names], bool]]] = {
    "torch.load": _is("weights_only", True),
    "torch.serialization.load": _is("weights_only", True),
    "numpy.load": _no_pickle,
    "numpy.lib.format.read_array": _no_pickle,
    "yaml.load": _safe_yaml,
    "yaml.load_all": _safe_yaml,
    "keras.models.load_model": _safe_keras,
    "keras.saving.load_model": _safe_keras,
    "tensorflow.keras.models.load_model": _safe_keras,
}


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in node.keywords if k.arg == name), None)


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
