"""Reading a file that a person wrote."""

from __future__ import annotations

from pathlib import Path

from codeloc_envs.problem import EnvironmentProblem


def read_text(path: Path, what: str, context: str = "") -> str:
    """The text of `path`; raises EnvironmentProblem that says `what` it is and, in `context`, why.

    A byte order mark is dropped: editors on Windows write one, and no parser here wants it.
    """
    where = f" ({context})" if context else ""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise EnvironmentProblem(
            f"{what} {path} does not exist{where}; create it or take the reference away",
            inputs=(path,),
        ) from None
    except OSError as error:
        raise EnvironmentProblem(
            f"{what} {path} cannot be read: {error.strerror}{where}", inputs=(path,)
        ) from None
    except UnicodeDecodeError as error:
        raise EnvironmentProblem(
            f"{what} {path} is not UTF-8 text (byte {error.start}){where}", inputs=(path,)
        ) from None
