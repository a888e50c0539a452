"""The one exception for whatever is expected to go wrong with environments."""

from __future__ import annotations

from pathlib import Path


class EnvironmentProblem(Exception):
    """An environment cannot be chosen, built or used.

    `summary` is one line that names the culprit and what to do; `detail` is the installer's
    own output, or empty. `inputs` are files whose change may repair it. `passing`: it may
    repair itself, as a network does; the same is worth trying again later. `shortage`: the number
    of what the machine lacked (`errno`), where that is all that is wrong.
    """

    def __init__(
        self,
        summary: str,
        detail: str = "",
        inputs: tuple[Path, ...] = (),
        *,
        passing: bool = False,
        shortage: int | None = None,
    ) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.inputs = inputs
        self.passing = passing or shortage is not None
        self.shortage = shortage
