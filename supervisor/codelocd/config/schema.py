"""The JSON Schema of codelocd.toml, for editors."""

from __future__ import annotations

from typing import Any

from codelocd.config.tables import CodelocdTable


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 with a description of every key."""
    schema = CodelocdTable.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **schema, "title": "codelocd.toml"}
