"""What the command line says about Dagster's own UI. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import click

from codelocd.model import Config


@dataclass(frozen=True, slots=True)
class Wish:
    """`--dagster`, `--port` and `--host`; what is left out is as the config has it."""

    serve: bool
    port: int | None
    host: str | None

    def granted(self, config: Config) -> Config:
        """The config with it. Raises UsageError for a port or a host of no page."""
        settings = config.dagster
        serve = self.serve or settings.serve
        if not serve and (self.port or self.host):
            raise click.UsageError("--port and --host are about Dagster's UI: add --dagster")
        port, host = self.port or settings.port, self.host or settings.host
        return replace(config, dagster=replace(settings, serve=serve, port=port, host=host))
