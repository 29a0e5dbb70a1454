"""The command line: parse, call one function of the library, render, exit.

Exit codes: 0 nothing against it, 1 refused or found, 2 could not run. Results go to stdout, all
else to stderr. One small file a verb; each imports what it needs when it is called.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Final, NoReturn

import typer

from credenza.errors import CredenzaError, RefusedError

VERBS: Final = {
    "demo": "demo",
    "keys": "keys",
    "check": "check",
    "scan": "scan",
    "artifact": "artifact",
    "seal": "seal",
    "verify": "verify",
    "approve": "approve",
    "release": "release",
    "trust": "trust",
    "encrypt": "encrypt",
    "decrypt": "encrypt",
    "rekey": "encrypt",
    "diff": "diff",
    "attack": "attack",
    "audit": "audit",
    "probe": "probe",
    "log": "log",
}
"""Each verb and the module that has it: a function of the verb's name, or ``app`` for several."""

_INTERRUPTED: Final = 130


def application(arguments: list[str]) -> typer.Typer:
    """The command line for a call: of its verb alone, or of all where it names none.

    To import and lay out all of them takes as long as to verify a model.
    """
    app = typer.Typer(
        name="credenza",
        help="No poisoned model reaches the table: seal, verify, examine and guard models.",
        no_args_is_help=True,
        rich_markup_mode=None,  # help without rich starts in a third of the time
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_options)
    asked = arguments[0] if arguments else ""
    for verb in [asked] if asked in VERBS else VERBS:
        module = importlib.import_module(f"credenza.cli.{VERBS[verb]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
    return app


def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        from credenza import __version__

        typer.echo(f"credenza {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line, and turn what went wrong into one line and an exit code."""
    # On a busy machine threads that spin while they wait for each other make torch seven times as
    # slow. OpenMP reads this when torch is imported; whoever has set it knows better.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _exit_if_closed()
    try:
        code = application(sys.argv[1:])(standalone_mode=False) or 0
    except CredenzaError as e:
        _say("error", str(e))
        if e.hint:
            _say("hint", e.hint)
        sys.exit(1 if isinstance(e, RefusedError) else 2)
    except BrokenPipeError:  # whoever read our output has seen enough
        _exit_unread()
    except SystemExit as e:  # typer's own answer to that is 1, which would be a finding
        if isinstance(e.__context__, BrokenPipeError):
            _exit_unread()
        raise
    except OSError as e:
        _say("error", f"{e.filename or 'output'}: {e.strerror}")
        sys.exit(2)
    except MemoryError:
        _say("error", "more memory was needed than there is")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except Exception as e:  # noqa: BLE001  said to be ours, with its traceback, and never a 1
        _exit_if_misused(e)
        traceback.print_exc()
        _say("error", "this is a defect of credenza; please report the lines above")
        sys.exit(2)
    if code == _INTERRUPTED:  # ours, or typer's own answer to Ctrl-C, which says nothing
        _say("error", "stopped")
    sys.exit(code)


def _exit_if_closed() -> None:
    """Exit with 2 where whoever called us closed stdout or stderr."""
    if sys.stderr is None:
        sys.exit(2)
    if sys.stdout is None:
        _say("error", "stdout is closed")
        sys.exit(2)


def _exit_unread() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(2)


def _exit_if_misused(error: Exception) -> None:
    """Exit with 2 for a call that the command line cannot be read from.

    Typer raises click's `UsageError`, from click or from a copy of its own, by its version.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error, err=True)
        sys.exit(2)
    if callable(message := getattr(error, "format_message", None)):
        _say("error", message().replace("\n", " "))
        _say("hint", "credenza --help, or credenza COMMAND --help")
        sys.exit(2)


def _say(kind: str, message: str) -> None:
    from credenza.findings import plain

    typer.echo(f"credenza: {kind}: {plain(message)}", err=True)
