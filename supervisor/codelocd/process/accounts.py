"""The user as whom a location's processes run, where that is another than the daemon's."""

from __future__ import annotations

import ctypes
import functools
import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

PR_SET_NO_NEW_PRIVS = 38
"""https://docs.kernel.org/userspace-api/no_new_privs.html: no program gives any more."""


@dataclass(frozen=True, slots=True)
class Account:
    """`gid` is the first of its groups, `groups` are all; `name` and `home` are for variables."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


class NoAccount(Exception):
    """There is none of that name: `key` says what of, `str()` what is wrong and what to do."""

    def __init__(self, key: str, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.key, self.what, self.remedy = key, what, remedy


@functools.cache
def account(user: str | None, group: str | None) -> Account | None:
    """By names or numbers; None: this process's own. Raises NoAccount.

    Only root may become another user, so for other callers every other user is NoAccount, too.
    """
    if user is None and group is None:
        return None
    found = _user(user)
    gid = _group(group) if group is not None else found.pw_gid
    if (found.pw_uid, gid) == (os.geteuid(), os.getegid()):
        return None
    if os.geteuid() != 0:
        key = "user" if found.pw_uid != os.geteuid() else "group"
        what = f"is another {key} than that of codelocd, and only root may become one"
        raise NoAccount(key, what, "run codelocd as root, or as that user, or remove the key")
    groups = os.getgrouplist(found.pw_name, gid) if found.pw_name else [gid]
    name = found.pw_name or str(found.pw_uid)
    return Account(found.pw_uid, gid, tuple(sorted(groups)), name, found.pw_dir)


def _user(user: str | None) -> pwd.struct_passwd:
    """A number needs no account; its group has that number, too, unless one is named."""
    number = os.geteuid() if user is None else int(user) if user.isdecimal() else None
    try:
        return pwd.getpwnam(user or "") if number is None else pwd.getpwuid(number)
    except KeyError:
        if number is None:
            what = f"there is no user {user!r}"
            raise NoAccount("user", what, "create it, or name another") from None
        return pwd.struct_passwd(("", "", number, number, "", "/", ""))


def _group(group: str) -> int:
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        what = f"there is no group {group!r}"
        raise NoAccount("group", what, "create it, or name another") from None


def spawn(command: Sequence[str], who: Account | None, **options: Any) -> subprocess.Popen[Any]:
    """As `subprocess.Popen`, as another user: from before the program begins on, with no privileges
    of this process and no way to get any.

    Its streams are its own, so that it can open them by name (/dev/stdout), too. Raises OSError.
    """
    if who is None:
        return subprocess.Popen(command, **options)
    give_away((options["stdout"], options["stderr"]), who)
    ids: dict[str, Any] = {"user": who.uid, "group": who.gid, "extra_groups": who.groups}
    return _thread().submit(_spawn, command, {**options, **ids}).result()


def give_away(descriptors: Sequence[int], who: Account | None) -> None:
    """Have the other ends of pipes belong to that user."""
    if who is not None:
        for descriptor in descriptors:
            os.fchown(descriptor, who.uid, who.gid)


@functools.cache
def _thread() -> ThreadPoolExecutor:
    """One for all: what a thread has given up its children do not have, and no other thread is
    asked to. It lives as long as the daemon, which is what their death may be bound to."""
    return ThreadPoolExecutor(1, thread_name_prefix="spawn")


def _spawn(command: Sequence[str], options: dict[str, Any]) -> subprocess.Popen[Any]:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "PR_SET_NO_NEW_PRIVS")
    return subprocess.Popen(command, **options)


def become(who: Account) -> None:
    """Change this process itself, for good, before it runs another program. Raises OSError."""
    os.setgroups(who.groups)
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
