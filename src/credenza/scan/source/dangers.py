"""What honest model code has little use for, by its full name, and how much each weighs.

Three letters say it for code that runs when it is called, in a hook, and on import: as `Reach` is
ordered. N, L, M, H and C stand for note to critical.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from credenza.findings import Severity
from credenza.scan.source.interface import Kind, Reach

_LETTERS: Final = {s.value[0].upper(): s for s in Severity}


@dataclass(frozen=True, slots=True)
class Danger:
    """A kind, and its severity for each `Reach`."""

    kind: Kind
    weights: str

    def severity(self, reach: Reach) -> Severity:
        return _LETTERS[self.weights[reach]]


_SHELL: Final = Danger(Kind.PROCESS, "HHC")
_CHILD: Final = Danger(Kind.PROCESS, "MHH")
_EXEC: Final = Danger(Kind.EXECUTES, "MHH")
_EVAL: Final = Danger(Kind.EXECUTES, "MMH")
_COMPILE: Final = Danger(Kind.EXECUTES, "LMM")
_SOCKET: Final = Danger(Kind.NETWORK, "MHH")
_FETCH: Final = Danger(Kind.NETWORK, "LMH")
_UNPICKLE: Final = Danger(Kind.UNPICKLES, "MMH")
_UNMARSHAL: Final = Danger(Kind.UNPICKLES, "HHC")
_IMPORT: Final = Danger(Kind.IMPORTS, "LLM")
_IMPORT_FILE: Final = Danger(Kind.IMPORTS, "MMH")
_LIBRARY: Final = Danger(Kind.NATIVE, "MMH")
_REMOTE: Final = Danger(Kind.REMOTE, "MMH")
_REACHES: Final = Danger(Kind.ESCAPES, "LMH")
_HOOK: Final = Danger(Kind.PATCHES, "MMM")

_GROUPS: Final[dict[Danger, str]] = {
    _SHELL: """
        os.system os.popen os.popen2 os.popen3 os.popen4 os.startfile os.execl os.execle os.execlp
        os.execlpe os.execv os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp
        os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe os.posix_spawn os.posix_spawnp
        pty.spawn pty.fork platform.popen popen2.popen2 popen2.popen3 popen2.popen4
        commands.getoutput commands.getstatusoutput subprocess.getoutput
        subprocess.getstatusoutput posixsubprocess.fork_exec pip.main pip._internal.main
        pip._internal.cli.main.main ensurepip._run_pip asyncio.create_subprocess_shell
        test.support.script_helper.assert_python_ok distutils.spawn.spawn webbrowser.open
        multiprocessing.util.spawnv_passfds torch.utils.collect_env.run
        torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler""",
    _CHILD: """
        subprocess.run subprocess.call subprocess.check_call subprocess.check_output
        subprocess.Popen asyncio.create_subprocess_exec os.forkpty pexpect.spawn pexpect.run
        fabric.Connection invoke.run sh.Command plumbum.local docker.from_env""",
    _EXEC: """
        builtins.exec builtins.execfile code.interact code.InteractiveInterpreter
        code.InteractiveConsole runpy.run_path runpy.run_module runpy._run_code
        types.FunctionType types.CodeType types.LambdaType cProfile.run cProfile.runctx
        profile.run profile.runctx trace.Trace bdb.Bdb pdb.run pdb.runeval timeit.main
        doctest.debug_script cloudpickle.cloudpickle._make_function""",
    _EVAL: "builtins.eval timeit.timeit timeit.repeat timeit.Timer pandas.eval numexpr.evaluate "
    "sympy.sympify sympy.parse_expr sympy.parsing.sympy_parser.parse_expr",
    _COMPILE: "builtins.compile codeop.compile_command",
    _SOCKET: """
        socket.socket socket.create_connection socket.create_server socket.socketpair
        socket.getaddrinfo socket.gethostbyname socket.gethostbyname_ex socket.SocketType
        socketserver.TCPServer http.server.HTTPServer smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP
        ftplib.FTP_TLS telnetlib.Telnet poplib.POP3 imaplib.IMAP4 imaplib.IMAP4_SSL
        nntplib.NNTP ssl.get_server_certificate asyncio.open_connection asyncio.start_server
        paramiko.SSHClient dns.resolver.resolve dns.resolver.query websocket.create_connection
        websocket.WebSocket websockets.connect zmq.Context multiprocessing.connection.Client
        multiprocessing.connection.Listener xmlrpc.client.ServerProxy""",
    _FETCH: """
        urllib.request.urlopen urllib.request.urlretrieve urllib.request.build_opener
        urllib.request.Request urllib.request.URLopener urllib.urlopen urllib.urlretrieve
        urllib2.urlopen urllib3.PoolManager urllib3.request http.client.HTTPConnection
        http.client.HTTPSConnection httplib.HTTPConnection httplib.HTTPSConnection
        requests.get requests.post requests.put requests.patch requests.delete requests.head
        requests.options requests.request requests.Session requests.session httpx.get httpx.post
        httpx.put httpx.request httpx.stream httpx.Client httpx.AsyncClient
        aiohttp.ClientSession aiohttp.request wget.download pycurl.Curl boto3.client
        boto3.resource google.cloud.storage.Client""",
    _UNPICKLE: """
        pickle.load pickle.loads pickle.Unpickler pickle._Unpickler pickle._load pickle._loads
        dill.load dill.loads dill.load_session dill.Unpickler dill.load_module cloudpickle.load
        cloudpickle.loads joblib.load joblib.numpy_pickle.load shelve.open
        shelve.DbfilenameShelf torch.load torch.serialization.load
        torch.jit.unsupported_tensor_ops.execWrapper pandas.read_pickle pandas.io.pickle.read_pickle
        pandas.compat.pickle_compat.load pandas.compat.pickle_compat.loads
        pandas.compat.pickle_compat.Unpickler
        jsonpickle.decode jsonpickle.loads yaml.unsafe_load yaml.unsafe_load_all yaml.full_load
        yaml.load yaml.load_all yaml.UnsafeLoader numpy.load sklearn.externals.joblib.load
        torch.package.PackageImporter numpy.lib.format.read_array compress_pickle.load hickle.load
        keras.models.load_model keras.saving.load_model tensorflow.keras.models.load_model
        keras.config.enable_unsafe_deserialization""",
    _UNMARSHAL: "marshal.load marshal.loads",
    _IMPORT: "builtins.__import__ importlib.import_module importlib.__import__ imp.load_module",
    _IMPORT_FILE: """
        importlib.util.spec_from_file_location importlib.machinery.SourceFileLoader
        importlib.machinery.SourcelessFileLoader importlib.machinery.ExtensionFileLoader
        importlib.util.spec_from_loader importlib._bootstrap_external.SourceFileLoader
        imp.load_source imp.load_compiled imp.load_dynamic zipimport.zipimporter
        pkgutil.resolve_name pydoc.locate pydoc.safeimport site.addsitedir
        types.ModuleType.__loader__""",
    _LIBRARY: """
        ctypes.CDLL ctypes.PyDLL ctypes.WinDLL ctypes.OleDLL ctypes.cdll ctypes.windll
        ctypes.cdll.LoadLibrary ctypes.windll.kernel32 ctypes.pythonapi ctypes.CFUNCTYPE
        ctypes.LibraryLoader _ctypes.dlopen cffi.FFI cffi.api.FFI torch.ops.load_library
        torch.classes.load_library torch.utils.cpp_extension.load
        torch.utils.cpp_extension.load_inline tensorflow.load_op_library
        tensorflow.load_library numpy.ctypeslib.load_library cppyy.cppdef cppyy.load_library""",
    _REACHES: "gc.get_objects gc.get_referrers gc.get_referents",
    _REMOTE: "torch.hub.load torch.hub._load_local tensorflow_hub.load",
    _HOOK: """
        sys.meta_path.append sys.meta_path.insert sys.path_hooks.append sys.path_hooks.insert
        sys.settrace sys.setprofile sys.addaudithook threading.settrace threading.setprofile
        sys.meta_path.extend sys._getframe.f_globals""",
}

DANGERS: Final = {name: danger for danger, names in _GROUPS.items() for name in names.split()}

MODULES: Final = frozenset({"os", "subprocess", "builtins", "ctypes", "pty", "socket", "marshal"})
"""Modules that are to be named where they are used, and not handed around."""

HANDED: Final = Danger(Kind.ESCAPES, "LMH")
ESCAPE: Final = Danger(Kind.ESCAPES, "MMH")
REMOTE: Final = _REMOTE
UNPICKLE: Final = _UNPICKLE

ESCAPES: Final = frozenset(
    {"__subclasses__", "__globals__", "__builtins__", "f_globals", "f_builtins"}
)
"""Attributes by which code reaches what it does not name."""
REACHED: Final = frozenset({"exec", "eval", "compile", "__import__", "system", "popen", "getattr"})
"""What is called at the end of such a way by nobody honest."""

FAR_CALLS: Final = frozenset(
    ["Popen", "check_output", "popen", "fork_exec", "execve", "execv", "spawnv"]
)
"""Methods that start a process, whatever the object is called."""

_ROOTS: Final = MODULES | {"sys", "pickle", "importlib", "shutil", "posixsubprocess", "runpy"}
_SAME: Final = {
    "posix": "os",
    "nt": "os",
    "__builtin__": "builtins",
    "__builtins__": "builtins",
    "cPickle": "pickle",
    "_pickle": "pickle",
    "_posixsubprocess": "posixsubprocess",
    "_socket": "socket",
    "_os": "os",
    "_sys": "sys",
}


def canonical(name: str) -> Iterator[str]:
    """The names that a dotted name goes by: ``torch.os.system`` is ``os.system``."""
    parts = [_SAME.get(part, part) for part in name.split(".")]
    while len(parts) > 1 and parts[-1] in ("__call__", "__func__", "__wrapped__"):
        parts.pop()
    yield ".".join(parts)
    for i in range(len(parts) - 1, 0, -1):
        if parts[i] in _ROOTS:
            yield ".".join(parts[i:])
            return


def danger_of(name: str) -> tuple[str, Danger] | None:
    """What speaks against a dotted name, under the name by which it is known."""
    return next(((n, DANGERS[n]) for n in canonical(name) if n in DANGERS), None)
