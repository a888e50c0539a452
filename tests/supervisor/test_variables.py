"""The environment variables that a runner gets."""

from pathlib import Path

from codelocd.runners import variables

PYTHON = Path("/store/env/bin/python")
ACTIVATION = {"VIRTUAL_ENV": "/store/env"}


def of(inherited: dict[str, str], configured: dict[str, str] | None = None) -> dict[str, str]:
    return variables.of_runner(inherited, configured or {}, PYTHON, ACTIVATION, {})


def test_the_environment_is_as_if_activated() -> None:
    assert of({"PATH": "/usr/bin"}) == {
        "PATH": "/store/env/bin:/usr/bin",
        "VIRTUAL_ENV": "/store/env",
    }


def test_a_plain_interpreter_has_no_virtual_env_not_even_the_daemons() -> None:
    given = variables.of_runner({"VIRTUAL_ENV": "/daemon"}, {}, Path("/usr/bin/python3"), {}, {})
    assert "VIRTUAL_ENV" not in given


def test_what_is_meant_for_the_daemon_does_not_leak() -> None:
    leaks = [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONDONTWRITEBYTECODE",
        "UV_CACHE_DIR",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
    ]
    assert not set(leaks) & set(of(dict.fromkeys(leaks, "x")))


def test_what_is_a_services_own_does_not_reach_its_runners() -> None:
    """systemd.exec(5), systemd.resource-control(5)"""
    kinds = "STATE CACHE LOGS RUNTIME CONFIGURATION CREDENTIALS"
    names = [f"{kind}_DIRECTORY" for kind in kinds.split()]
    names += ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET"]
    names += ["MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "WATCHDOG_PID", "WATCHDOG_USEC"]
    names += ["INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MANAGERPID"]
    assert of(dict.fromkeys(names, "x")).keys() == {"PATH", "VIRTUAL_ENV"}
    assert of({}, {"STATE_DIRECTORY": "/mine"})["STATE_DIRECTORY"] == "/mine"


def test_what_is_configured_wins() -> None:
    assert of({"REGION": "us"}, {"REGION": "eu", "PYTHONPATH": "/lib"})["REGION"] == "eu"
    assert of({}, {"PYTHONPATH": "/lib"})["PYTHONPATH"] == "/lib"


def test_code_in_development_is_told_so_unless_somebody_has_said_otherwise() -> None:
    mark = "DAGSTER_IS_DEV_CLI"
    assert variables.inherited({"A": "1"}, development=True) == {"A": "1", mark: "1"}
    assert variables.inherited({mark: ""}, development=True) == {mark: ""}
    assert variables.inherited({}, development=False) == {}
    inherited = variables.inherited({}, development=True)
    assert of(inherited, {mark: "0"})[mark] == "0"


def test_bytecode_never_goes_into_an_environment_that_is_not_ours() -> None:
    cache = Path("/cache")
    assert variables.bytecode(writable=True, has_bytecode=False, cache=cache) == {}
    assert variables.bytecode(writable=False, has_bytecode=True, cache=cache) == {
        "PYTHONDONTWRITEBYTECODE": "1"
    }
    assert variables.bytecode(writable=False, has_bytecode=False, cache=cache) == {
        "PYTHONPYCACHEPREFIX": "/cache"
    }
