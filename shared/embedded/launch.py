"""Starts one child of the supervisor: ties its life to the parent's, sheds root where asked, and becomes the program.

Runs as ``python -I -S launch.py OPTIONS PROGRAM ARGUMENT…`` in the child itself, where nothing but this has run yet: doing the same between
fork and exec in the parent could deadlock there, because the parent has threads. Only the standard library is at hand.
"""

import ctypes
import json
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
#: Changing the user takes no capability away, and access(2) heeds those that are left: PostgreSQL asks it before it opens its files.
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2

#: The exit code for "could not become that user"; the reason is the last line of the output.
EXIT_NO_USER = 77


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def permitted_capabilities() -> int:
    """Return the bit set of capabilities that this process may use."""
    data = (_Data * 2)()
    _call("capget", ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), data)
    return int(data[0].permitted)


def become(user_id: int, group_id: int, capabilities: list[int]) -> None:
    """Become this user for good, and keep exactly these capabilities, across exec too.

    Raises:
        OSError: the system does not let us.
    """
    if capabilities:
        _call("prctl", _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(group_id)
    os.setuid(user_id)
    if not capabilities:
        return
    bits = sum(1 << capability for capability in capabilities)
    data = (_Data * 2)(_Data(bits, bits, bits), _Data(0, 0, 0))
    _call("capset", ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), data)
    for capability in capabilities:
        _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def die_with_parent(signal_number: int) -> None:
    """Have the system send us this signal when the thread that started us ends; only Linux does."""
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def main() -> None:
    """Do what the options say, then become the program."""
    options = json.loads(sys.argv[1])
    program = sys.argv[2:]
    if options.get("user_id") is not None:
        try:
            become(options["user_id"], options["group_id"], options["capabilities"])
        except OSError as error:
            sys.stderr.write(f"user {options['user_id']}: {error}\n")
            sys.exit(EXIT_NO_USER)
    if options.get("death_signal"):
        # After the change of user, which would clear it.
        die_with_parent(options["death_signal"])
        if os.getppid() != options["parent"]:
            sys.exit(1)
    if "umask" in options:
        os.umask(options["umask"])
    os.execve(program[0], program, dict(os.environ))  # noqa: S606  this is what a launcher is for


if __name__ == "__main__":
    main()
