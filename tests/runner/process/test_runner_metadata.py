"""What libraries keep in metadata, whatever it is, in real releases of Dagster and in `codeloc`."""

from __future__ import annotations

import json

import pytest

from codeloc_runner.load.snapshot import fitted

OWN = """
import dagster as dg

columns = dg.TableSchema(columns=[dg.TableColumn("id", "int", description="Which one")])

@dg.asset(metadata={"dagster/table_name": "shop.orders", "dagster/column_schema": columns,
                    "dagster/uri": "s3://shop/orders", "mine": 1, "parts": dg.AssetKey(["a", "b"]),
                    "plan": dg.MetadataValue.json({"steps": [1, None]})},
          op_tags={"dagster/concurrency_key": "db"}, io_manager_key="files",
          retry_policy=dg.RetryPolicy(max_retries=2, delay=3))
def orders(): ...

nightly = dg.define_asset_job("nightly", [orders], tags={"dagster/max_retries": "1", "team": "x",
                                                         ".dagster/repository": "hidden"})

@dg.op
def step(): ...

@dg.job(tags={"dagster/max_runtime": 600})
def plain():
    step()

@dg.schedule(job=nightly, cron_schedule="0 6 * * *", tags={"dagster/priority": "3"})
def early(): ...

bound = {"files": dg.mem_io_manager}
defs = dg.Definitions(assets=[orders], jobs=[nightly, plain], schedules=[early], resources=bound)
"""


@pytest.mark.parametrize("release", ["newest", "1.9", "1.5"])
def test_what_an_author_wrote_under_dagsters_prefix_is_kept(run_warm, dagster_environment, release):
    content = run_warm(str(dagster_environment(release) / "bin" / "python"), OWN).load()
    assert "problem" not in content, content["problem"]["detail"]
    found = {each["name"]: each for each in content["definitions"]}
    orders = found["orders"]
    schema = orders["metadata"].pop("dagster/column_schema")
    [column] = schema["columns"]
    assert (column["name"], column["type"], column["description"]) == ("id", "int", "Which one")
    assert column["constraints"] == {"nullable": True, "unique": False, "other": []}
    assert orders["metadata"] == {
        "dagster/table_name": "shop.orders",
        "dagster/uri": "s3://shop/orders",
        "mine": 1,
        "parts": ["a", "b"],
        "plan": {"steps": [1, None]},
    }
    assert (orders["io_manager"], orders["op_tags"]) == ("files", {"dagster/concurrency_key": "db"})
    assert (orders["retry_policy"]["max_retries"], orders["retry_policy"]["delay"]) == (2, 3)
    assert found["nightly"]["tags"] == {"dagster/max_retries": "1", "team": "x"}
    assert found["plain"]["tags"] == {"dagster/max_runtime": "600"}
    of_schedule = {} if release == "1.5" else {"dagster/priority": "3"}  # a function there
    assert found["early"]["tags"] == of_schedule


NEWEST = """
import dagster as dg

lineage = dg.TableColumnLineage({"id": [dg.TableColumnDep(asset_key=dg.AssetKey(["raw", "x"]),
                                                          column_name="key")]})
code = dg.CodeReferencesMetadataValue(
    code_references=[dg.LocalFileCodeReference(file_path="/a.py", line_number=3)])

@dg.asset(kinds={"csv"}, tags={"dagster/priority": "3", ".dagster/pool": "hidden"},
          metadata={"lineage": lineage, "dagster/code_references": code})
def orders(): ...

view = dg.AssetSpec("view", metadata={"dagster/io_manager_key": "files"})

@dg.asset_check(asset=orders, metadata={"dagster/owner": "x"})
def whole(): ...

@dg.sensor(job=dg.define_asset_job("j"), tags={"dagster/a": "1"}, metadata={"dagster/b": 2})
def watching(): ...

defs = dg.Definitions(assets=[orders, view], asset_checks=[whole], sensors=[watching],
                      resources={"files": dg.mem_io_manager})
"""


def test_tags_and_metadata_of_every_kind_are_kept_and_kinds_told_by_themselves(
    run_warm, dagster_environment
):
    content = run_warm(str(dagster_environment("newest") / "bin" / "python"), NEWEST).load()
    assert "problem" not in content, content["problem"]["detail"]
    found = {each["name"]: each for each in content["definitions"]}
    assert found["orders"]["tags"] == {"dagster/priority": "3"}
    assert found["orders"]["kinds"] == ["csv"]
    assert found["orders"]["metadata"] == {
        "lineage": {"deps_by_column": {"id": [{"asset_key": ["raw", "x"], "column_name": "key"}]}},
        "dagster/code_references": {
            "code_references": [{"file_path": "/a.py", "line_number": 3, "label": None}]
        },
    }
    assert found["view"]["metadata"] == {"dagster/io_manager_key": "files"}
    assert found["whole"]["metadata"] == {"dagster/owner": "x"}
    assert (found["watching"]["tags"], found["watching"]["metadata"]) == (
        {"dagster/a": "1"},
        {"dagster/b": 2},
    )


FOREIGN = """
import collections, datetime, enum, pathlib, sys, uuid
import dagster as dg
{before}
class Manifest:
    def __repr__(self):
        return "m" * 1_000_000
class Refusing:
    def __getattr__(self, name):
        raise SystemError(name)
    def __str__(self):
        raise SystemError
    __repr__ = __str__
    __eq__ = None
    __hash__ = None
class Text(str):
    def __str__(self):
        raise SystemError
class Number(int):
    def __repr__(self):
        raise SystemError
class Lazy(collections.abc.Mapping):
    def __getitem__(self, key):
        raise SystemError
    def __iter__(self):
        raise SystemError
    def __len__(self):
        raise SystemError
Colour = enum.Enum("Colour", "RED")
Pair = collections.namedtuple("Pair", "a b")
cycle = []
cycle.append(cycle)
doubled = ["x"]
for _ in range(60):
    doubled = [doubled, doubled]
METADATA = {{
    "object": Manifest(), "refusing": Refusing(), "in_list": [1, Manifest()], "lazy": Lazy(),
    "text": Text("hi"), "number": Number(7), "enum": Colour.RED, "pair": Pair(1, 2),
    "inner_pair": [Pair(1, 2)], "path": pathlib.PurePosixPath("/a/b"), "bytes": b"x",
    "set": {{"a", "b"}}, "tuple": (1, 2), "uuid": uuid.uuid4(), "now": datetime.datetime.now(),
    "function": len, "class": Manifest, "generator": iter(()), "cycle": cycle, "nan": float("nan"),
    "big": 2**70, "half": "a\\udc80", "keys": {{1: "a", None: 2}}, "bad_keys": {{(1, 2): 3}},
    "long": "x" * 100_000, "many": list(range(100_000)), "doubled": doubled, {more}
}}
defs = dg.Definitions(assets=[dg.AssetSpec("orders", metadata=METADATA)])
"""

NAMED = {
    "object": "[Manifest] (unserializable)",
    "refusing": "[Refusing] (unserializable)",
    "in_list": "[list] (unserializable)",
    "lazy": "[Lazy] (unserializable)",
    "text": "hi",
    "number": 7,
    "enum": "[Colour] (unserializable)",
    "pair": "[Pair] (unserializable)",
    "inner_pair": [[1, 2]],
    "path": "/a/b",
    "bytes": "[bytes] (unserializable)",
    "set": "[set] (unserializable)",
    "tuple": "[tuple] (unserializable)",
    "uuid": "[UUID] (unserializable)",
    "now": "[datetime] (unserializable)",
    "function": "[builtin_function_or_method] (unserializable)",
    "class": "[type] (unserializable)",
    "cycle": "[list] (unserializable)",
    "nan": "nan",
    "big": str(2**70),
    "half": "a\\udc80",
    "keys": {"1": "a", "null": 2},
    "bad_keys": "[dict] (unserializable)",
    "long": "x" * 65536 + "… (34464 of 100000 characters cut)",
}
"""As Dagster itself serializes each, as far as it does; the last two are ours."""

RECORD = "from dagster_shared.record import record\n@record\nclass Project:\n    folder: str"


@pytest.mark.parametrize("release", ["newest", "1.9"])
def test_whatever_a_library_keeps_in_metadata_is_named_as_dagster_does_and_bounded(
    run_warm, dagster_environment, release
):
    newest = release == "newest"
    more = '"record": Project(folder="dbt"),' if newest else ""
    source = FOREIGN.format(before=RECORD if newest else "", more=more)
    runner = run_warm(str(dagster_environment(release) / "bin" / "python"), source)
    content = runner.load()
    assert "problem" not in content, content["problem"]["detail"]
    [orders] = content["definitions"]
    found = orders["metadata"]
    assert {name: found[name] for name in NAMED} == NAMED
    assert found.get("record") == ("[Project] (unserializable)" if newest else None)
    assert found["many"][:2] == [0, 1]
    assert found["many"][-1].endswith("of 100000 cut)")
    assert len(json.dumps(found["doubled"])) < 200_000
    assert " at 0x" not in json.dumps(orders)
    assert runner.call("describe", kind="asset", name="orders")["metadata"]["text"] == "hi"


PUZZLES = """
import functools
import dagster as dg
from unittest.mock import MagicMock

class Mine(dg.PartitionsDefinition):
    def get_partition_keys(self, *_args, **_named):
        raise SystemError("no network")
    get_num_partitions = get_partition_keys

class Puzzling(dg.AutomationCondition):
    name = MagicMock()
    def get_label(self):
        raise SystemError
    def evaluate(self, context):
        raise SystemError

def make(_context, given):
    return given

@dg.asset(automation_condition=Puzzling())
def puzzling(): ...

names = [str(number) for number in range(1_000_000)]
@dg.asset(partitions_def=dg.StaticPartitionsDefinition(names))
def many(): ...

defs = dg.Definitions(assets=[puzzling, many],
                      resources={"partial": dg.ResourceDefinition(functools.partial(make, given=1)),
                                 "mock": MagicMock()})
"""


def test_what_else_user_classes_say_fails_no_load(run_warm, dagster_environment):
    content = run_warm(str(dagster_environment("newest") / "bin" / "python"), PUZZLES).load()
    assert "problem" not in content, content["problem"]["detail"]
    found = {each["name"]: each for each in content["definitions"]}
    assert found["puzzling"]["automation"] == "Puzzling"
    assert (found["many"]["partitions"]["count"], len(found["many"]["partitions"]["keys"])) == (
        1_000_000,
        100,
    )
    assert found["partial"]["type"] == "functools.partial"


NATIVE = """
from codeloc import Definitions, asset

@asset(metadata={{"long": "x" * 100_000, "half": "a\\udc80", "rows": [0] * 50_000}})
def first(): ...

def asset_of(number):
    @asset(name=f"a{{number}}", metadata={{"text": {text}}})
    def one(): ...
    return one

defs = Definitions(assets=[first, *map(asset_of, range({count}))])
"""


def test_the_metadata_of_codeloc_is_bounded_too(run, extreme):
    runner = run(extreme, NATIVE.format(text="''", count=1))
    content = runner.load()
    assert "problem" not in content, content["problem"]["detail"]
    metadata = content["definitions"][0]["metadata"]
    assert metadata["long"].endswith("… (34464 of 100000 characters cut)")
    assert metadata["half"] == "a\\udc80"
    assert metadata["rows"][-1].endswith("of 50000 cut)")
    assert runner.call("describe", kind="asset", name="first")["metadata"] == metadata


@pytest.mark.parametrize("text", ["'x' * 60_000", "'\\N{SNOWMAN}' * 60_000"])
def test_a_snapshot_that_would_be_too_big_has_its_texts_cut_further(run, extreme, text):
    """Of itself each of the values is within its bound."""
    runner = run(extreme, NATIVE.format(text=text, count=600))
    body = runner.call("snapshot")["body"]
    assert len(body) < 32 * 1024 * 1024
    found = json.loads(body)["definitions"]
    assert len(found) == 601
    assert found[-1]["metadata"]["text"].endswith("characters cut)")


def test_many_small_values_stay_within_what_one_message_can_have():
    """4 Mi of values are the most that the daemon's clients take; a zero has one character."""
    many = {"zeros": [0] * 13_000}
    given = [{"kind": "asset", "name": f"a{n}", "metadata": many} for n in range(330)]
    definitions, lists = fitted(given)
    assert sum(each.count(",") for each in lists) < 2 * 1024 * 1024
    assert [one for each in lists for one in json.loads(each)] == definitions
    assert definitions[0]["metadata"]["zeros"][-1].endswith("of 13000 cut)")


HUGE = """
from codeloc import Definitions, asset

names = ["x" * 600_000 + str(number) for number in range(60)]

def asset_of(name):
    @asset(name=name)
    def one(): ...
    return one

defs = Definitions(assets=[asset_of(name) for name in names])
"""


def test_what_is_too_big_all_the_same_is_one_line_that_says_what(run, extreme):
    content = run(extreme, HUGE).load()
    summary = content["problem"]["summary"]
    assert "60 definitions take" in summary
    assert "the most that one location can have" in summary
    assert "the biggest is asset xxx" in summary
    assert "split the location" in summary
