"""The words in which these tests speak: a few definitions, and the error that some call raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from codeloc import Definitions, DefinitionsError


@pytest.fixture
def error_of() -> Callable[[Callable[[], object]], str]:
    """The text of the DefinitionsError that a call raises."""

    def text(call: Callable[[], object]) -> str:
        with pytest.raises(DefinitionsError) as caught:
            call()
        return str(caught.value)

    return text


@pytest.fixture
def refusal() -> Callable[..., str]:
    """The text of the DefinitionsError that `Definitions` with these arguments raises."""

    def text(**arguments: Any) -> str:
        with pytest.raises(DefinitionsError) as caught:
            Definitions(**arguments)
        return str(caught.value)

    return text


@pytest.fixture
def entry() -> Callable[..., Mapping[str, Any]]:
    """The entry of the one definition of a kind and name (of any, where left out)."""

    def find(definitions: Definitions, kind: str, name: str | None = None) -> Mapping[str, Any]:
        (found,) = (
            each
            for each in definitions.describe()
            if each["kind"] == kind and name in (None, each["name"])
        )
        return found

    return find
