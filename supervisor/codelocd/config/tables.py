"""The tables of codelocd.toml: which keys there are, what each takes, what each means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from codelocd.config.engine import EngineTable, PlacedTable
from codelocd.config.environment import EnvironmentTable, IndexTable
from codelocd.config.errors import UnfitError
from codelocd.config.values import (
    Duration,
    Port,
    Size,
    Table,
    Text,
    Timeout,
    Variable,
    VariableName,
    WebAddress,
)
from codelocd.model import DaemonSettings, DagsterSettings, PageSettings, Policy, StartWish
from codelocd.settings import RunsSettings

_POLICY = Policy()
_DAEMON = DaemonSettings()
_DAGSTER = DagsterSettings()
_PAGE = PageSettings()
_RUNS = RunsSettings()


class BackoffTable(Table):
    """Pauses between restarts: `initial * factor ** n`, at most `maximum`, ± `jitter`."""

    initial: Timeout = Field(default=_POLICY.backoff.initial, description="The first pause.")
    factor: float = Field(
        default=_POLICY.backoff.factor, ge=1, description="Growth from one to the next."
    )
    maximum: Timeout = Field(default=_POLICY.backoff.maximum, description="The longest pause.")
    jitter: float = Field(
        default=_POLICY.backoff.jitter,
        ge=0,
        le=1,
        description="Share of a pause that chance adds or takes.",
    )

    @model_validator(mode="after")
    def _grows(self) -> BackoffTable:
        if self.maximum < self.initial:
            raise UnfitError("has a maximum below initial", "raise maximum or lower initial")
        return self


class RestartLimitTable(Table):
    """More than `count` failures within `period`: the location has failed."""

    count: int = Field(
        default=_POLICY.restart_limit.count, ge=0, description="Failures that are allowed."
    )
    period: Timeout = Field(
        default=_POLICY.restart_limit.period, description="The time they count for."
    )


class LocationTable(PlacedTable):
    """A code location: the code, its variables, its environment, how it is kept alive."""

    python_file: Text | None = Field(default=None, description="Path of the definitions' file.")
    module: Text | None = Field(default=None, description="Dotted name of the module to import.")
    package: Text | None = Field(default=None, description="Dotted name of the package to import.")
    autoload_defs_module: Text | None = Field(
        default=None, description="Dotted name of a package in which Dagster finds everything."
    )
    attribute: Text | None = Field(default=None, description="Name of the definitions in the code.")
    working_directory: Text | None = Field(
        default=None,
        description="Where the code runs and imports from; by default this file's folder.",
    )
    env: dict[VariableName, Variable] = Field(default={}, description="Variables of the code.")
    env_file: Text | None = Field(
        default=None,
        description="Path of a file of variables; overrides neither env nor real variables.",
    )
    reload: Literal["on-change", "manual"] = Field(
        default=_POLICY.reload,
        description="Whether a change of the sources loads them again by itself.",
    )
    watch: list[Text] = Field(
        default=[], description="Patterns of further files to watch, from the working directory."
    )
    ignore: list[Text] = Field(default=[], description="Patterns of files that do not count.")
    restart: Literal["on-failure", "never"] = Field(
        default=_POLICY.restart, description="Whether a runner that ends unasked is started again."
    )
    start_timeout: Timeout = Field(default=_POLICY.start_timeout, description="For loading it.")
    build_timeout: Timeout = Field(
        default=_POLICY.build_timeout, description="For its environment."
    )
    stop_timeout: Duration = Field(
        default=_POLICY.stop_timeout, description="From asking a runner to stop to killing it."
    )
    ping_interval: Timeout = Field(default=_POLICY.ping_interval, description="Between two pings.")
    ping_timeout: Timeout = Field(default=_POLICY.ping_timeout, description="For its answer.")
    backoff: BackoffTable = Field(default_factory=BackoffTable, description="Between restarts.")
    healthy_after: Duration = Field(
        default=_POLICY.healthy_after, description="A runner that lived this long restarts at once."
    )
    restart_limit: RestartLimitTable = Field(
        default_factory=RestartLimitTable, description="When to give up."
    )
    start_method: StartWish = Field(
        default=_POLICY.start_method, description="How a runner starts."
    )
    memory_limit: Size | None = Field(
        default=None,
        description="Memory of a runner and its children beyond which it is restarted.",
    )
    cpu_weight: int | None = Field(
        default=None, ge=1, le=10000, description="Share of the processors, beside 100 of others."
    )
    tasks_limit: int | None = Field(
        default=None,
        ge=1,
        description="Processes and threads of a runner beyond which it is restarted.",
    )
    nice: int | None = Field(
        default=None, ge=-20, le=19, description="Niceness of a runner; below 0 is for root."
    )
    open_files: int | None = Field(
        default=None, ge=64, description="Files that each process of a runner may have open."
    )
    keep_releases: int = Field(
        default=_POLICY.keep_releases, ge=1, description="Releases that stay for a rollback."
    )
    release_root: Text | None = Field(
        default=None, description="What a release takes the place of; by default this folder."
    )
    user: Text | None = Field(default=None, description="As whom it runs, where root starts it.")
    group: Text | None = Field(default=None, description="The same; without it, the user's own.")
    environment: EnvironmentTable | None = Field(
        default=None, description="The Python environment; left out, the code's own files decide."
    )


class DaemonTable(Table):
    """The daemon itself."""

    state_dir: Text | None = Field(default=None, description="Lock, logs and last snapshots.")
    store: Text | None = Field(default=None, description="Environments, shared by daemons.")
    socket: Text | None = Field(default=None, description="Path of the control socket.")
    socket_group: Text | None = Field(default=None, description="Group that may read.")
    operator_group: Text | None = Field(
        default=None, description="Group that may start, stop, restart, reload and call, too."
    )
    observe_group: Text | None = Field(
        default=None, description="Group that may use observe.sock, which only tells."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Of its own log."
    )
    warm_idle: Duration = Field(
        default=_DAEMON.warm_idle,
        description="Without a start for so long, an interpreter that was kept warm ends.",
    )
    trusted: list[Text] = Field(
        default=[],
        description="In your own settings: folders of others whose configs may be found.",
    )
    prune: bool = Field(
        default=_DAEMON.prune,
        description="Whether environments unused for 14 days are removed, once a day.",
    )
    orphan_timeout: Duration = Field(
        default=_DAEMON.orphan_timeout,
        description="Under `serve`, for how long runners go on after the daemon died; 0: not.",
    )


class DagsterTable(Table):
    """Dagster's own UI and daemon."""

    serve: bool = Field(
        default=_DAGSTER.serve,
        description="Whether Dagster's UI and daemon run beside the locations.",
    )
    page: bool = Field(
        default=_DAGSTER.page,
        description="False: only the code servers run, for a UI and a daemon that run elsewhere.",
    )
    host: Text = Field(default=_DAGSTER.host, description="Where the UI listens.")
    port: Port | None = Field(
        default=None, description="Its port; by default the first free one from 3000 on."
    )
    drain_timeout: Duration = Field(
        default=_DAGSTER.drain_timeout,
        description="For the runs of a code server that was replaced.",
    )
    environment: EnvironmentTable | None = Field(
        default=None, description="With dagster-webserver; left out, one is built."
    )
    launcher: Literal["dagster", "warm"] = Field(
        default=_DAGSTER.launcher,
        description='What runs that Dagster\'s UI and daemon launch; "warm": codelocd.',
    )

    @model_validator(mode="after")
    def _launches_where_it_is(self) -> DagsterTable:
        if self.launcher == "warm" and not self.page:
            raise UnfitError(
                'launcher = "warm" is for the UI and the daemon that codelocd runs',
                "leave out page = false, or the launcher",
            )
        return self


class MetricsTable(Table):
    """Metrics for Prometheus, and health."""

    port: Port | None = Field(
        default=None, description="A port of 127.0.0.1 for them, beside their Unix socket."
    )


class NotifyTable(Table):
    """Who is told that a location fails, is stale, or recovers; once a minute at most for each."""

    command: list[Text] = Field(
        default=[], description="A program and its words; it gets a JSON document to read."
    )
    url: WebAddress | None = Field(
        default=None, description="Where the same document is sent by POST."
    )


class TelemetryTable(Table):
    """Traces, by OpenTelemetry."""

    otlp: WebAddress | None = Field(
        default=None, description="A collector (OTLP over HTTP) that gets a trace of each load."
    )


class PageTable(Table):
    """codelocd's own page."""

    serve: bool = Field(
        default=_PAGE.serve, description="Whether the daemon serves it beside itself."
    )
    host: Text = Field(default=_PAGE.host, description="Where it listens.")
    port: Port | None = Field(
        default=None, description="Its port; by default the first free one from 4300 on."
    )
    socket: Text | None = Field(
        default=None, description="Path of a Unix socket for a proxy, instead of host and port."
    )
    socket_group: Text | None = Field(
        default=None, description="Group whose members may use that socket: the proxy's."
    )
    allowed_hosts: list[Text] = Field(
        default=[], description="Other names of the page, as a proxy passes them on."
    )
    read_only: bool = Field(
        default=_PAGE.read_only, description="Whether it shows everything and refuses every order."
    )
    editor: Literal["vscode", "cursor", "zed", "idea", ""] = Field(
        default="vscode", description='Which program opens files from the page; "": none.'
    )
    auth: Literal["token", "proxy"] = Field(
        default=_PAGE.auth,
        description="Who logs in: its link, or a proxy in front of socket.",
    )

    @model_validator(mode="after")
    def _listens_where_it_may(self) -> PageTable:
        if self.socket is None and self.auth == "proxy":
            raise UnfitError("has auth without a socket", "add socket: any user reaches a port")
        if self.socket is None and self.socket_group:
            raise UnfitError("has a socket_group without a socket", "add socket")
        if self.socket is not None and self.port is not None:
            raise UnfitError("has a socket and a port", "remove one of them")
        is_open = self.socket is None and self.host not in ("127.0.0.1", "localhost", "::1")
        if is_open and not self.allowed_hosts:
            what = f"listens at {self.host} for other machines"
            raise UnfitError(what, "say in allowed_hosts how they call it")
        return self


Count = Annotated[int, Field(ge=1)]


class RunsTable(Table):
    """Runs: how many go on at a time, and what is kept of those that have ended."""

    max_concurrent: Count | None = Field(
        default=None, description="Runs that go on at a time; by default as many as cores."
    )
    locations: dict[Text, Count] = Field(default={}, description="The same of each location.")
    jobs: dict[Text, Count] = Field(default={}, description="The same of each LOCATION/JOB.")
    tags: dict[Text, Count] = Field(
        default={}, description="The same of those with a tag, `NAME` or `NAME=VALUE`."
    )
    drain_timeout: Duration | None = Field(
        default=None,
        description="For runs when the daemon ends; by default 10min, and 0 under `dev`.",
    )
    keep: Timeout = Field(default=_RUNS.keep, description="Runs that ended are kept so long.")
    keep_runs: int = Field(default=_RUNS.keep_runs, ge=1, description="And at most so many.")
    tick: bool = Field(
        default=_RUNS.tick,
        description="Whether `codelocd serve` starts what schedules and sensors start.",
    )


class CodelocdTable(Table):
    """codelocd.toml, or [tool.codelocd] in pyproject.toml."""

    daemon: DaemonTable = Field(
        default_factory=DaemonTable, description="Where it keeps things and who may use it."
    )
    dagster: DagsterTable = Field(
        default_factory=DagsterTable, description="Dagster's UI and daemon beside the locations."
    )
    notify: NotifyTable = Field(
        default_factory=NotifyTable, description="Notifications about locations in trouble."
    )
    engine: EngineTable = Field(
        default_factory=EngineTable, description="A cluster that runs locations on its nodes."
    )
    metrics: MetricsTable = Field(
        default_factory=MetricsTable, description="What monitoring asks the daemon."
    )
    telemetry: TelemetryTable = Field(
        default_factory=TelemetryTable, description="Where traces of loads are sent."
    )
    ui: PageTable = Field(default_factory=PageTable, description="The page of `codelocd ui`.")
    runs: RunsTable = Field(
        default_factory=RunsTable, description="How many runs go on, and what is kept of them."
    )
    index: IndexTable = Field(
        default_factory=IndexTable, description="Where packages come from, for all locations."
    )
    defaults: LocationTable = Field(
        default_factory=LocationTable, description="Keys for all locations; a location's own win."
    )
    location: dict[str, LocationTable] = Field(
        default={}, description="The code locations by name."
    )
