"""What a command line says about every location. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from codeloc_envs import Request
from codelocd.config.document import absolute
from codelocd.config.mistakes import COMMAND_LINE, ConfigError, Mistake
from codelocd.config.variables import NAME, over
from codelocd.model import Config, GrpcServer, LocationSpec


@dataclass(frozen=True, slots=True)
class Overrides:
    """Variables and a Python that win over what a config says, and packages on top of it."""

    variables: Mapping[str, str]
    python: str | None
    added: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, env: Iterable[str], python: str | None, added: Iterable[str], cwd: Path
    ) -> Overrides:
        """From `--env KEY=VALUE`, `--python X` and `--with PACKAGE`; ConfigError."""
        pairs = [text.partition("=") for text in env]
        mistakes = [
            Mistake(COMMAND_LINE, None, (), f'--env "{name}" is no assignment', "write NAME=VALUE")
            for name, equals, _ in pairs
            if not equals or not NAME.fullmatch(name)
        ]
        added = tuple(added)
        mistakes += [
            Mistake(
                COMMAND_LINE, None, (), f'--with "{text}" is no requirement', "write --with NAME"
            )
            for text in added
            if not _is_requirement(text)
        ]
        if mistakes:
            raise ConfigError(mistakes)
        variables = {name: value for name, _, value in pairs}
        return cls(variables, _interpreter(python, cwd), added)

    def applied(self, config: Config) -> Config:
        return replace(config, locations=tuple(map(self._applied, config.locations)))

    def _applied(self, spec: LocationSpec) -> LocationSpec:
        if isinstance(spec.target, GrpcServer):
            return spec
        return replace(
            spec,
            variables=over(spec.variables, self.variables),
            environment=self._environment(spec.environment),
        )

    def _environment(self, configured: Request | None) -> Request | None:
        if self.python is not None:
            configured = replace(configured or Request(), path=None, python=self.python)
        if self.added:
            configured = replace(configured or Request(), added=self.added)
        return configured


def _is_requirement(text: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement  # slow, and seldom needed

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _interpreter(python: str | None, cwd: Path) -> str | None:
    return str(absolute(cwd, python)) if python and "/" in python else python
