"""When the functions of a module run: on import, in a hook, or when somebody calls them."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import Final, TypeAlias, final

from credenza.scan.source.interface import Reach

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_HOOKS: Final = frozenset(
    [
        "forward",
        "call",
        "build",
        "from_pretrained",
        "from_config",
        "get_config",
        "post_init",
        "handle",
        "initialize",
        "preprocess",
        "postprocess",
        "inference",
        "predict",
        "predict_proba",
        "transform",
        "fit_transform",
        "generate",
        "model_fn",
        "input_fn",
        "predict_fn",
        "output_fn",
        "transform_fn",
        "load_context",
        "load_model",
        "setup",
        "register_buffer",
        "load_state_dict",
        "_load_from_state_dict",
        "_init_weights",
        "compute_output_shape",
        "find_class",
        "persistent_load",
        "collate_fn",
    ]
)
"""What PyTorch, Keras, transformers, TorchServe, SageMaker and MLflow call of a model."""

_ON_IMPORT: Final = frozenset(
    [
        "__init_subclass__",
        "__set_name__",
        "__class_getitem__",
        "__prepare__",
        "__mro_entries__",
        "__reduce__",
        "__reduce_ex__",
        "__getnewargs__",
        "__getnewargs_ex__",
    ]
)
"""Called while a class is made; or what they return is called while an object is unpickled."""

_RUNNERS: Final = frozenset(
    [
        "Thread",
        "Timer",
        "Process",
        "register",
        "submit",
        "map",
        "apply",
        "apply_async",
        "starmap",
        "create_task",
        "partial",
        "start_new_thread",
        "call_later",
        "call_soon",
        "run_in_executor",
        "run",
        "reduce",
        "filter",
        "sorted",
        "addCleanup",
        "finalize",
    ]
)
"""They call what they are given."""


@final
class Reaches:
    """For each function of a module, when it runs.

    Calls are followed by name, also those of methods: a method that may be meant is taken to be.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._functions: dict[str, list[Function]] = defaultdict(list)
        self._classes: dict[str, list[Function]] = defaultdict(list)
        self._called: dict[Function | None, set[str]] = defaultdict(set)
        self._reach: dict[Function, Reach] = {}
        self._properties: set[str] = set()
        self.honest_name = not any(
            isinstance(n, ast.Name) and n.id == "__name__" and isinstance(n.ctx, ast.Store)
            for n in ast.walk(tree)
        )
        """Whether ``__name__`` is left as it is, so that a test of it says what it seems to."""
        self._collect(tree)
        top = [
            f
            for name in (*_ON_IMPORT, "__getattr__")
            for f in self._functions[name]
            if name != "__getattr__" or f in tree.body  # PEP 562
        ]
        self._follow([*self._named(self._called[None]), *top], Reach.IMPORT)
        hooks = [
            f
            for name, functions in list(self._functions.items())
            for f in functions
            if name in _HOOKS or (name.startswith("__") and name.endswith("__"))
        ]
        self._follow(hooks, Reach.HOOK)

    def of(self, function: Function) -> Reach:
        """When a function of the module runs."""
        return self._reach.get(function, Reach.CALLED)

    def _collect(self, tree: ast.Module) -> None:
        todo: list[tuple[ast.AST, Function | None]] = [(tree, None)]
        while todo:
            node, owner = todo.pop()
            match node:
                case ast.If(test=test, orelse=orelse) if is_main(test) and self.honest_name:
                    todo += [(n, owner) for n in orelse]
                    continue  # a script of its own: nobody who imports it runs that
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._functions[node.name].append(node)
                    for outer in outside(node):
                        todo.append((outer, owner))
                    self._decorated(node, owner)
                    todo += [(n, node) for n in node.body]
                    continue
                case ast.ClassDef(name=name, body=body):
                    own = [f for f in body if isinstance(f, Function)]
                    self._classes[name] += [f for f in own if f.name.startswith("__")]
                    metas = [k.value for k in node.keywords if k.arg == "metaclass"]
                    self._called[owner].update(n.id for n in metas if isinstance(n, ast.Name))
                case ast.Call():
                    self._called[owner].update(_callees(node))
                case ast.Attribute(attr=attr):
                    self._called[owner].add(f".{attr}")
                case ast.Name(id=name) if owner is None:  # who names it there may call it
                    self._called[owner].add(name)
            todo += [(n, owner) for n in ast.iter_child_nodes(node)]

    def _decorated(self, function: Function, owner: Function | None) -> None:
        for decorator in function.decorator_list:
            match decorator:
                case ast.Name(id=name):
                    self._called[owner].add(name)
                case ast.Attribute(attr=name):
                    self._called[owner].add(name)
            if isinstance(decorator, ast.Name) and decorator.id.endswith("property"):
                self._properties.add(function.name)

    def _named(self, names: set[str]) -> list[Function]:
        found: list[Function] = []
        for name in names:
            if name.startswith("."):
                if name[1:] in self._properties:
                    found += self._functions[name[1:]]
            else:
                found += self._functions.get(name, ())
                found += self._classes.get(name, ())
        return found

    def _follow(self, functions: list[Function], reach: Reach) -> None:
        while functions:
            function = functions.pop()
            if function not in self._reach:
                self._reach[function] = reach
                functions += self._named(self._called[function])


def outside(function: Function) -> list[ast.AST]:
    """What of a function runs where it is defined: decorators, defaults and annotations."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    defaults = [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
    returns = ast.arg(arg="return", annotation=function.returns)
    return [*function.decorator_list, *defaults, *every, returns]


def is_main(test: ast.expr) -> bool:
    """True for ``__name__ == "__main__"``."""
    match test:
        case ast.Compare(
            left=ast.Name(id="__name__"),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value="__main__")],
        ):
            return True
    return False


def _callees(node: ast.Call) -> list[str]:
    """The names that a call may call: its own, and what it hands to one who calls it."""
    names = []
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            names.append(name)
    if names and names[0] in _RUNNERS:
        for argument in (*node.args, *(k.value for k in node.keywords)):
            match argument:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    names.append(name)
    return names
