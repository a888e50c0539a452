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
    """Variables and a Python that win over what a config says."""

    variables: Mapping[str, str]
    python: str | None

    @classmethod
    def parse(cls, env: Iterable[str], python: str | None, cwd: Path) -> Overrides:
        """From `--env KEY=VALUE` and `--python X`; ConfigError."""
        pairs = [text.partition("=") for text in env]
        mistakes = [
            Mistake(COMMAND_LINE, None, (), f'--env "{name}" is no assignment', "write NAME=VALUE")
            for name, equals, _ in pairs
            if not equals or not NAME.fullmatch(name)
        ]
        if mistakes:
            raise ConfigError(mistakes)
        return cls({name: value for name, _, value in pairs}, _interpreter(python, cwd))

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
        if self.python is None:
            return configured
        return replace(configured or Request(), path=None, python=self.python)


def _interpreter(python: str | None, cwd: Path) -> str | None:
    return str(absolute(cwd, python)) if python and "/" in python else python
