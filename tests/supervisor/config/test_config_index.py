"""`[index]`, and how each location's environment is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeloc_envs.install.output import Progress
from codeloc_envs.problem import EnvironmentProblem, without_passwords
from codeloc_envs.request import Index, Installation
from codeloc_envs.selection import choose
from codelocd.config import describe, written
from codelocd.config.errors import Mistake

LOCATION = '[location.a]\nmodule = "a"\n'
INDEX = """\
[index]
url = "https://pypi.example/simple"
extra = ["https://own.example/simple"]
find_links = ["wheels", "https://files.example/"]
certificate = "ca.pem"
keyring = true
credential = "pypi"
"""


def test_the_index_holds_for_every_location_even_one_that_asks_for_nothing(folder):
    spec = folder.one("codelocd.toml", INDEX + LOCATION)
    assert spec.environment is not None
    assert spec.environment.installation == Installation(
        Index(
            url="https://pypi.example/simple",
            extra=("https://own.example/simple",),
            find_links=(f"{folder.path}/wheels", "https://files.example/"),
            certificate=Path(folder.path, "ca.pem"),
            keyring=True,
            credential="pypi",
        )
    )


def test_without_an_index_and_an_environment_nothing_is_asked_for(folder):
    assert folder.one("codelocd.toml", LOCATION).environment is None


def test_a_locations_manners_join_what_the_defaults_say_is_in_it(folder):
    spec = folder.one(
        "codelocd.toml",
        f"""\
        [defaults.environment]
        packages = ["pandas"]
        installer = "pip"
        {LOCATION.replace(chr(10), chr(10) + " " * 8)}
        [location.a.environment]
        link_mode = "copy"
        allow_python_download = true
        """,
    )
    assert spec.environment.packages == ("pandas",)
    assert spec.environment.installation == Installation(
        link_mode="copy", installer="pip", allow_python_download=True
    )


def test_a_credential_is_for_a_url(folder):
    folder.write("codelocd.toml", '[index]\ncredential = "pypi"\n' + LOCATION)
    (problem,) = folder.problems("codelocd.toml")
    assert problem == (
        "codelocd.toml:1: index: has a credential without a url; add url, or remove credential"
    )


def test_a_python_of_the_command_line_keeps_the_index(folder):
    folder.write("codelocd.toml", INDEX + LOCATION)
    config = folder.load("codelocd.toml")
    from codelocd.config.command_line import Overrides

    [spec] = Overrides({}, "3.12").applied(config).locations
    assert spec.environment is not None
    assert spec.environment.python == "3.12"
    assert spec.environment.installation.index.url == "https://pypi.example/simple"


def test_no_password_in_an_address_is_shown(folder):
    secret = "hunter2"
    text = f"""\
        [index]
        url = "https://me:{secret}@one.example/simple"
        extra = ["https://me:{secret}@two.example/simple"]
        find_links = ["https://me:{secret}@three.example/"]
        [dagster.environment]
        packages = ["dagster @ https://me:p@{secret}@four.example/d.whl"]
        [location.a]
        module = "a"
        [location.a.environment]
        packages = ["x @ git+https://{secret}@five.example/x"]
        """
    folder.write("codelocd.toml", text)
    found = folder.load("codelocd.toml")
    for shown in (json.dumps(describe(found)), written(found)):
        assert secret not in shown
        assert all(f"@{name}.example" in shown for name in ("one", "two", "three", "four", "five"))
    assert secret in found.locations[0].environment.packages[0]
    choice = choose(found.locations[0].environment, code=folder.path)
    assert choice.why.startswith("asked for: x @ git+https://…@five.example/x; Python")
    problem = EnvironmentProblem(f"no https://{secret}@h", f"error: https://me:{secret}@h/simple")
    assert secret not in f"{problem} {problem.summary} {problem.detail}"
    step = Progress("building", f"x @ https://me:{secret}@h/x.whl").to_json()
    assert step["message"] == "x @ https://…@h/x.whl"
    mistake = Mistake("c", 1, (), f'"x@https://{secret}@h" is no requirement', "write another")
    assert secret not in str(mistake)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://h/a.whl?token=abc&b=1", "https://h/a.whl?token=…&b=1"),
        ("https://h/?b=1&access_token=a%2Fb#sha256=aa", "https://h/?b=1&access_token=…#sha256=aa"),
        (
            "https://b.s3/p.whl?X-Amz-Credential=AKIA%2Fx&X-Amz-Expires=60&X-Amz-Signature=dead",
            "https://b.s3/p.whl?X-Amz-Credential=…&X-Amz-Expires=60&X-Amz-Signature=…",
        ),
        ("https://h.blob/p?sv=2&sig=a%2Bb&se=3", "https://h.blob/p?sv=2&sig=…&se=3"),
        (
            "'https://u:p@h/?apikey=a' and 'https://h/?key=b'",
            "'https://…@h/?apikey=…' and 'https://h/?key=…'",
        ),
        ("https://h/?author=me&keyword=x&assigned=y", "https://h/?author=me&keyword=x&assigned=y"),
    ],
)
def test_no_parameter_that_lets_in_who_knows_it_is_shown(address, shown):
    assert without_passwords(address) == shown


def test_what_is_no_password_stays():
    for text in ("https://host/a@b", "file:///a@b", "me@example.org", "x @ https://host/x@v1"):
        assert without_passwords(text) == text
