"""Programs that harm, however they are written: each is found, and none is run."""

from __future__ import annotations

import contextlib
import marshal
import random
import time
from pathlib import Path

import pytest

from credenza.findings import Severity
from credenza.scan import scan
from credenza.scan.source import Reach, UnreadableSourceError, judged, parsed


def _programs() -> dict[str, bytes]:
    text = Path(__file__).with_name("hostile_programs.txt").read_bytes()
    blocks = text.split(b"\n=== ")[1:]
    return {name.decode(): body for name, _, body in (b.partition(b"\n") for b in blocks)}


CODE = marshal.dumps(compile("1", "a", "exec"))
PROGRAMS = {
    **_programs(),
    "a NUL": b"x=1\0\nimport os\nos.system('touch MARKER')",
    "far to the right": b"import os\nx=1" + b" " * 500 + b";os.system('touch MARKER')",
    "marshalled": f"import marshal\nexec(marshal.loads({CODE!r}))".encode(),
    "UTF-7": b"# coding: utf7\n+AGkAbQBwAG8AcgB0ACAAbwBz-; os.system('touch MARKER')",
    "latin-1": b"# coding: latin-1\nx='\xe9'\nimport os\nos.system('touch MARKER')",
    "a byte order mark": b"\xef\xbb\xbfimport os\nos.system('touch MARKER')",
    "CR alone": b"import os\ros.system('touch MARKER')",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "modeling_x.py").write_bytes(PROGRAMS[name])
    report = scan("model")
    assert report.worst is not None
    assert report.worst >= Severity.HIGH
    assert all(f.found and len(f.found) < 130 for f in report.findings)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_there_are_enough_of_them() -> None:
    assert len(PROGRAMS) >= 120


WORST = {
    "import os\nos.system('x')": Severity.CRITICAL,
    "import os\ndef f(): os.system('x')": Severity.HIGH,
    "import subprocess\nsubprocess.run(['ffmpeg'])": Severity.HIGH,
    "import subprocess\ndef f(): subprocess.run(['ffmpeg'])": Severity.MEDIUM,
    "import torch\ndef convert(p): torch.load(p)": Severity.MEDIUM,
    "import torch\ndef convert(p): torch.load(p, weights_only=True)": None,
    "import pickle\npickle.loads(x)": Severity.HIGH,
    "import numpy as np\nW = np.load('w.npy')": None,
    "import numpy as np\ndef f(): np.load('w.npy', allow_pickle=True)": Severity.MEDIUM,
    "import yaml\ndef f(t): yaml.load(t, Loader=yaml.SafeLoader)": None,
    "import yaml\ndef f(t): yaml.load(t, Loader=yaml.Loader)": Severity.MEDIUM,
    "import requests\ndef f(u): return requests.get(u)": Severity.LOW,
    "import requests\nX = requests.get('u')": Severity.HIGH,
    "def f(t): return eval(t)": Severity.MEDIUM,
    "model.eval()\nself.compile()\nre.compile('x')": None,
    "import re, torch\nP = re.compile('x')\nm = torch.compile(f)": None,
    "import platform\nS = platform.system()": None,
    "import os\nH = os.environ['HOME']\nP = os.path.join('a', 'b')": None,
    "def f(eval=False):\n    if eval: return 1": None,
    "def eval(x): return x\ny = eval(2)": None,
    "def eval(x): return x\ndel eval\ny = eval(2)": Severity.HIGH,
    "import subprocess\ntry: pass\nexcept subprocess.CalledProcessError: pass": None,
    "import importlib\nm = importlib.import_module('.x', package=__package__)": None,
    "'''import os\nos.system('x')'''": None,
    "# os.system('x')": None,
    "x = 'os.system'": None,
    "from transformers import AutoModel\n"
    "def f(): AutoModel.from_pretrained('a', trust_remote_code=True)": Severity.MEDIUM,
    "if __name__ == '__main__':\n  import subprocess\n  subprocess.run(['ls'])": Severity.MEDIUM,
}


@pytest.mark.parametrize("source", WORST)
def test_what_weighs_how_much(source: str) -> None:
    worst = max((s.severity for s in judged(parsed(source))), default=None)
    assert worst == WORST[source]


def test_where_it_stands_and_when_it_runs_is_said(tmp_path: Path) -> None:
    text = "# é\nimport os\ndef f():\n    os.system('x')\n    os.system('y')\n"
    (tmp_path / "a.py").write_text(text, "utf-8")
    (finding,) = scan(tmp_path).findings
    assert finding.what == "line 4: it starts a process where it is called, and 1 times more"
    assert finding.found == "os.system"
    assert text.encode()[finding.where.start :].startswith(b"os.system('x')")


def test_a_function_runs_when_the_first_that_reaches_it_does() -> None:
    source = (
        "import os\ndef a(): os.system('a')\ndef b(): a()\nclass C:\n"
        "    def forward(self): b()\ndef d(): os.system('d')\n"
    )
    assert [s.reach for s in judged(parsed(source))] == [Reach.HOOK, Reach.CALLED]
    assert judged(parsed(source + "C().forward()"))[0].reach is Reach.IMPORT


DEEP = {
    "brackets": "(" * 50_000,
    "minus": "-" * 50_000 + "1",
    "attributes": "a" + ".b" * 20_000,
    "sums": "1" + "+1" * 20_000,
    "calls": "a" + "()" * 20_000,
    "elif": "if 1:\n pass\n" + "elif 1:\n pass\n" * 10_000,
    "compared": "1" + "<1" * 20_000,
    "too many tokens": "a\n" * 100_000,
    "getattr in getattr": "getattr(" * 80 + "os" + ",'a')" * 80,
    "names that double": "".join(f"a{i}=a{i + 1}+a{i + 1}\n" for i in range(60)) + "a60='x'*999",
    "a long text": "a='x'*1000000\n" + "".join(f"b{i}=a+'{i}'\nexec(b{i})\n" for i in range(200)),
    "the same program often": f"a='{'x=1;' * 20_000}'\n" + "exec(a)\n" * 500,
    "replaced without end": "a='a'*9999\nexec(a.replace('a',a).replace('a',a).replace('a',a))",
    "formatted wide": "exec('{:>999999999}'.format('x'))\nexec('%999999999d' % 1)",
    "joined often": "a='x'*999999\nexec(''.join([a]*60000))",
    "put in often": "a='x'*999999\nexec('{0}'*9999 % a)\nexec(('{0}'*9999).format(a))",
    "lists of lists": "a=['x'*9]*9999\nb=[a]*9999\nc=[b]*9999\nexec(''.join(c))",
    "many NULs": "exec(bytes(99999999999))",
    "itself": "a=a\nb=c\nc=b\na.b.c()\nexec(b)",
    "aliases": "".join(f"a{i}=a{i + 1}\n" for i in range(5000)) + "a0.system()",
}


@pytest.mark.parametrize("name", DEEP)
def test_hostile_shapes_end(name: str) -> None:
    start = time.process_time()
    with contextlib.suppress(UnreadableSourceError):
        judged(parsed(DEEP[name].encode()))
    assert time.process_time() - start < 5


def test_mutants_never_crash() -> None:
    draw = random.Random(4)
    programs = list(PROGRAMS.values())
    outcomes = set()
    for _ in range(2000):
        data = bytearray(draw.choice(programs))
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(data))
            match draw.randrange(3):
                case 0:
                    data[at] = draw.randrange(256)
                case 1:
                    del data[at : at + draw.randint(1, 8)]
                case 2:
                    data[at:at] = draw.choice(programs)[: draw.randint(1, 40)]
            data = data or bytearray(b"x")
        try:
            judged(parsed(bytes(data)))
            outcomes.add("judged")
        except UnreadableSourceError:
            outcomes.add("unread")
    assert outcomes == {"judged", "unread"}
