"""A user's name and password, from a file that only the service may read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codeloc_envs.problem import EnvironmentProblem

FOLDER = "CREDENTIALS_DIRECTORY"
"""The variable that names the folder; https://systemd.io/CREDENTIALS/"""


def read_credential(name: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """User and password in the credential `name`; raises EnvironmentProblem, which has neither."""
    folder = variables.get(FOLDER)
    if not folder:
        raise EnvironmentProblem(
            f'index: the credential "{name}" is asked for, and ${FOLDER} is not set; '
            f"give it to the service (LoadCredential={name}:/path), or set {FOLDER}"
        )
    file = Path(folder, name)
    try:
        user, found, password = file.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise EnvironmentProblem(
            f"index: the credential {file} cannot be read: {reason}", inputs=(file,)
        ) from None
    if not found or "\n" in password:
        raise EnvironmentProblem(
            f"index: the credential {file} is not one line `user:password`", inputs=(file,)
        )
    return user, password
