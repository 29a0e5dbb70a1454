"""The lists: every name that an advisory missed, and that no listed name is known to do harm."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from tools.make_pickle_names import by_hand

from credenza.artifact.pickles import Use
from credenza.artifact.pickles.arguments import ARGUMENT_WORDS
from credenza.artifact.pickles.states import STATE_WORDS
from credenza.findings import Severity
from credenza.scan.pickles import PickleNames
from credenza.scan.pickles.names import dangerous, versions
from tests.scan.pickling import Seen, call, text

NAMES = PickleNames()
DATA = json.loads((resources.files("credenza.scan.pickles") / "names.json").read_text())

ADVISORIES = """
    pip.main pip._internal.main ssl.get_server_certificate
    asyncio.unix_events._UnixSubprocessTransport._start logging.FileHandler
    logging.config.listen uuid._get_command_stdout _osx_support._read_output
    _aix_support._read_cmd_output imaplib.IMAP4_stream _pyrepl.pager.pipe_pager
    test.support.script_helper pkgutil.resolve_name profile.run profile.Profile.runctx
    cProfile.runctx trace.Trace.run torch.utils.bottleneck.__main__.run_cprofile
    torch.utils.bottleneck.__main__.run_autograd_prof torch._dynamo.guards.GuardBuilder.get
    torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression
    torch.utils.collect_env.run torch.utils.data.datapipes.utils.decoder.basichandlers
    torch.jit.unsupported_tensor_ops.execWrapper
    torch.utils._config_module.ConfigModule.load_config lib2to3.pgen2.grammar.Grammar.loads
    lib2to3.pgen2.pgen.ParserGenerator.make_label idlelib.pyshell.ModifiedInterpreter.runcode
    idlelib.run.Executive.runcode idlelib.calltip.get_entity
    idlelib.autocomplete.AutoComplete.get_entity idlelib.debugobj.ObjectTreeItem.SetText
    idlelib.pyshell.ModifiedInterpreter.runcommand code.InteractiveInterpreter.runcode
    ensurepip._run_pip doctest.debug_script distutils.file_util.write_file ctypes.CDLL
    pydoc.locate pty.spawn numpy.f2py.crackfortran.getlincoef numpy.f2py.crackfortran.param_eval
    _operator.methodcaller operator.attrgetter io.FileIO types.CodeType types.FunctionType
    cloudpickle.cloudpickle._make_function dill._dill._create_code dill._dill._create_function
    builtins.__import__ importlib.import_module marshal.loads multiprocessing.spawn.spawn_main
    multiprocessing.util.spawnv_passfds smtplib.SMTP ftplib.FTP telnetlib.Telnet
    http.client.HTTPSConnection urllib.request.urlopen numpy.load pandas.read_pickle
    numpy.memmap shelve.open pathlib.Path.write_text runpy.run_path timeit.timeit pdb.run
    bdb.Bdb.run codeop.compile_command shutil.rmtree os.system posix.system nt.system
    subprocess.Popen sys.modules builtins.eval builtins.exec builtins.compile builtins.open
    builtins.getattr functools.reduce torch.load torch.hub.load torch.jit.load pandas.eval
    typing.get_type_hints gettext.c2py sqlite3.connect ctypes.cdll.LoadLibrary xml.sax.parse
    numpy.testing._private.utils.runstring numpy.ctypeslib.load_library joblib.load
    yaml.unsafe_load
""".split()  # noqa: SIM905  as the advisories name them


@pytest.mark.parametrize("name", ADVISORIES)
def test_every_name_that_an_advisory_missed_is_known(name: str) -> None:
    seen = Seen(b"\x80\x02" + call(name, text("x")) + b".")
    assert seen.worst == Severity.CRITICAL
    assert name in seen.findings[0].found


def test_a_name_on_no_list_is_found_too() -> None:
    assert dangerous("acme.gadgets", "run") == ""
    seen = Seen(b"\x80\x02" + call("acme.gadgets.run", text("x")) + b".")
    assert [(f.rule, f.severity) for f in seen.findings] == [
        ("scan.pickle-unlisted", Severity.HIGH)
    ]


def test_the_data_is_what_the_lists_by_hand_say() -> None:
    written = by_hand()
    assert DATA["groups"] == written["groups"]
    assert DATA["dangerous"] == written["dangerous"]
    assert all(group["reason"] for group in written["groups"] + written["dangerous"])


def test_every_word_of_the_list_is_known() -> None:
    assert {g.get("arguments", "any") for g in DATA["groups"]} <= ARGUMENT_WORDS
    assert {g.get("states", "any") for g in DATA["groups"]} <= STATE_WORDS


def test_versions_are_recorded() -> None:
    assert {"sklearn", "pandas", "torch", "xgboost"} <= versions().keys()
    assert all(seen for seen in versions().values())


def test_what_is_known_to_do_harm_is_listed_only_with_a_check() -> None:
    """A name on both lists is harmless in one use, which must be one that is looked at."""
    both = {
        (module, name): group
        for group in DATA["groups"]
        for module in group["modules"]
        for name in group["names"]
        if dangerous(module, name) and group["use"] == "function"
    }
    assert all(group.get("arguments", "any") != "any" for group in both.values())
    collected = [
        f"{module}.{name}"
        for use in ("plain", "stateful", "distribution", "enumeration")
        for module, names in DATA["uses"][use].items()
        for name in names
        if dangerous(module, name)
    ]
    assert collected == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("sklearn.datasets._base", "load_files"),
        ("numpy", "memmap"),
        ("torch.fx.graph_module", "GraphModule"),
        ("logging", "FileHandler"),
        ("__main__", "Model"),
        ("sklearn.svm._classes", "SVC.fit"),
        ("torch.nn.modules.module", "_WrappedHook"),
    ],
)
def test_the_list_is_exact(module: str, name: str) -> None:
    entry = NAMES.entry(module, name)
    assert entry is None or name == "_WrappedHook"


def test_classes_of_libraries_are_made_without_arguments() -> None:
    for module, name in (
        ("sklearn.linear_model._logistic", "LogisticRegression"),
        ("sklearn.linear_model.logistic", "LogisticRegression"),
        ("sklearn.ensemble.forest", "RandomForestClassifier"),
        ("torch.nn.modules.linear", "Linear"),
        ("torchvision.models.resnet", "ResNet"),
        ("ultralytics.nn.modules.conv", "Conv"),
        ("xgboost.sklearn", "XGBClassifier"),
    ):
        entry = NAMES.entry(module, name)
        assert entry is not None, (module, name)
        assert (entry.use, entry.arguments) == (Use.CLASS, "none")
