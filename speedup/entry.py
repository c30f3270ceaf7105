"""Where the command line begins and ends: it parses, acts, and shows every error once.

Nothing slow is imported up here, so that Ctrl-C is one line even while modules are still being imported.
"""

from __future__ import annotations

import contextlib
import os
import sys

from speedup import early
from speedup.early import INTERRUPTED
from speedup.streams import opened, silence, unheard

TYPE_CHECKING = False  # typing itself would take a tenth of the time that --help may take
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn

NAMED_WRONGLY = {"ENOENT", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EROFS", "ELOOP", "ENAMETOOLONG", "EINVAL"}
FULL = {"ENOSPC", "EDQUOT", "EFBIG"}


def run() -> NoReturn:
    """Run the command line and end the process at once: Python tidies up for a tenth of the time that `plan` takes."""
    early.begin()
    sys.stdout, sys.stderr = opened(sys.stdout), unheard(opened(sys.stderr))
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
    except Exception:
        if early.received():  # what a signal raised during an import may come out as another error
            return _show(KeyboardInterrupt(early.received()), INTERRUPTED)
        raise


def _act(arguments: argparse.Namespace) -> int:
    """Do what the command does; an error of ours is its message and its exit code."""
    from runners.errors import SpeedupError, UnfitMachine
    from speedup import messages

    messages.configure(debug=arguments.debug)
    early.heed()
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
        silence(sys.stdout)
        return 0
    except OSError as error:
        return _show(*_told(error), debug=arguments.debug)
    return code


def _told(error: OSError) -> tuple[Exception, int]:
    """Return what to say of an error of the system that nobody expected, and its exit code."""
    import errno

    from runners.errors import BadInput, DiskFull, SpeedupError, UnfitMachine

    kind = errno.errorcode.get(error.errno or 0, "")
    kinds: dict[type[SpeedupError], bool] = {BadInput: kind in NAMED_WRONGLY, DiskFull: kind in FULL}
    of = next((each for each, fits in kinds.items() if fits), UnfitMachine)
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return of(": ".join([*names, error.strerror or str(error)])), of.exit_code


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
