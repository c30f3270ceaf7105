"""Where the command line begins and ends: it parses, acts, and shows every error once.

Nothing slow is imported up here, so that Ctrl-C is one line even while modules are still being imported.
"""

from __future__ import annotations

import contextlib
import os
import sys

TYPE_CHECKING = False  # typing itself would take a tenth of the time that --help may take
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn

INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line and end the process at once: Python tidies up for a tenth of the time that `plan` takes."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # its reader has gone, which `main` has seen to
            stream.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        from speedup.parser import build_parser

        words = sys.argv[1:] if argv is None else argv
        return _act(build_parser(words).parse_args(words))
    except KeyboardInterrupt as error:
        return _show(error, INTERRUPTED)


def _act(arguments: argparse.Namespace) -> int:
    """Do what the command does; an error of ours is its message and its exit code."""
    from runners.errors import SpeedupError, UnfitMachine
    from speedup import messages

    messages.configure(debug=arguments.debug)
    try:
        code: int = arguments.action(arguments)
        sys.stdout.flush()  # here, where a reader that has gone is no error
    except SpeedupError as error:
        return _show(error, error.exit_code, debug=arguments.debug)
    except ModuleNotFoundError as error:
        return _show(_lacking(error), UnfitMachine.exit_code, debug=arguments.debug)
    except KeyboardInterrupt as error:
        return _show(error, INTERRUPTED, debug=arguments.debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _lacking(error: ModuleNotFoundError) -> Exception:
    """Return what to install, if a package of somebody else is missing; anything else is a fault of ours."""
    from runners.errors import UnfitMachine
    from speedup.messages import PACKAGES

    package = (error.name or "").partition(".")[0]
    if package in {"", *PACKAGES, *sys.stdlib_module_names}:
        raise error
    return UnfitMachine(
        f"the Python package '{package}' is missing; install http-speedup with what it needs (in a checkout:"
        " pip install -e .), or let nox do so: pipx run nox -s bench"
    )


def _show(error: BaseException, code: int, *, debug: bool = False) -> int:
    from runners.units import printable

    if debug:
        import traceback

        traceback.print_exception(error)
    print(f"speedup: {printable(str(error)) or 'interrupted'}", file=sys.stderr)
    return code
