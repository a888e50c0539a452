"""Makes locations of the targets of a command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from codeloc_envs import Request
from codelocd.config import env_files, formats
from codelocd.config.dagster import ReadingContext
from codelocd.config.discovery import Found, check_found, discover
from codelocd.config.document import absolute
from codelocd.config.errors import (
    COMMAND_LINE,
    ConfigError,
    Mistake,
    Problems,
    UnfitError,
    gathered,
)
from codelocd.config.limits import with_idle_limits
from codelocd.config.location import check_foreign, combined, distinct, file_names
from codelocd.config.targets import Targets
from codelocd.config.variables import NAME, Variables, over
from codelocd.model import Config, GrpcServer, LocationSpec, Target


def from_targets(targets: Targets, cwd: Path, environ: Mapping[str, str]) -> Config:
    """The locations that the targets name, or those that `discover` finds from `cwd`.

    `env` and `python` hold for all of them, those of `workspaces` included. Raises ConfigError.
    """
    problems = Problems(_unfit_options(targets))
    overrides = problems.attempt(
        partial(Overrides.parse, targets.env, targets.python, targets.added, cwd)
    )
    configs = problems.attempt(partial(_configs, targets, cwd, environ))
    if overrides is None or configs is None or problems.found:
        raise ConfigError(problems.found)
    return with_idle_limits(distinct(overrides.applied(combined(configs))))


def _configs(targets: Targets, cwd: Path, environ: Mapping[str, str]) -> list[Config]:
    surroundings = ReadingContext(environ, activated=True)
    paths = [absolute(cwd, workspace) for workspace in targets.workspaces]
    if not targets.are_given:
        found = _discovered(cwd)
        check_found(found.path, environ)
        config = formats.read(found.path, surroundings)
        return [config, Config(locations=(), looked_for=found.preferred)]
    code = [partial(_code, targets, cwd, environ)] if targets.code else []
    return gathered([*code, *(partial(formats.read, path, surroundings) for path in paths)])


def _discovered(cwd: Path) -> Found:
    found = discover(cwd)
    if found is None:
        what = f"names no target, and neither {cwd} nor a folder above it has a config"
        raise ConfigError([Mistake(COMMAND_LINE, None, (), what, "add -f FILE or -m MODULE")])
    return found


def _unfit_options(targets: Targets) -> Iterator[Mistake]:
    """Options that would have no effect, or an ambiguous one."""
    count = len(targets.code)
    if targets.working_directory is not None and not count:
        what = "-d holds for -f, -m and --package-name, and there is none of them"
        remedy = "add one, or say working_directory in the config"
        yield Mistake(COMMAND_LINE, None, (), what, remedy)
    if targets.attribute is not None and count != 1:
        what = f"-a names the definitions of one target, and there are {count}"
        remedy = "give one of -f, -m and --package-name, or write a codelocd.toml"
        yield Mistake(COMMAND_LINE, None, (), what, remedy)


def _code(targets: Targets, cwd: Path, environ: Mapping[str, str]) -> Config:
    folder = absolute(cwd, targets.working_directory or ".")
    files = env_files.beside(folder, environ)
    specs = [
        LocationSpec(
            name=name,
            target=target,
            working_directory=folder,
            declared_in=f"{COMMAND_LINE} {option}",
            attribute=targets.attribute,
            variables=Variables(env_files.joined(files)),
            env_file=next(iter(files), None),
            activated_allowed=True,
        )
        for name, option, target in _named(targets, cwd)
    ]
    looked_for = env_files.looked_for(folder)
    return Config(locations=tuple(specs), files=tuple(files), looked_for=looked_for)


def _named(targets: Targets, cwd: Path) -> Iterator[tuple[str, str, Target]]:
    """The name of each target, the option that named it, and what it is."""
    paths = [absolute(cwd, file) for file in targets.python_files]
    names = file_names(paths, taken=(*targets.modules, *targets.packages))
    for text, path in zip(targets.python_files, paths, strict=True):
        yield _checked(names[path]), f"-f {text}", Target("python_file", str(path))
    for module in targets.modules:
        yield _checked(module), f"-m {module}", Target("module", module)
    for package in targets.packages:
        yield _checked(package), f"--package-name {package}", Target("package", package)


def _checked(name: str) -> str:
    try:
        check_foreign(name)
    except UnfitError as error:
        raise ConfigError(
            [Mistake(COMMAND_LINE, None, (), error.what, "rename it, or write a codelocd.toml")]
        ) from None
    return name


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
        credentials = spec.credentials.items()
        return replace(
            spec,
            variables=over(spec.variables, self.variables),
            credentials={name: of for name, of in credentials if name not in self.variables},
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
