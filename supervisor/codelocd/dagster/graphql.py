"""The two things that Dagster's webserver is asked for."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from typing import Any

TIMEOUT = 20.0

_RELOAD = "mutation { reloadWorkspace { __typename } }"
_STATUS = """query($ids: [String]!) {
  runsOrError(filter: {runIds: $ids, statuses: [CANCELING]}) {
    ... on Runs { results { runId } } } }"""


class Page:
    """The webserver at an address; one that does not answer knows nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    async def reload_workspace(self) -> bool:
        """Make it read workspace.yaml again; False where it does not answer."""
        return await self._ask(_RELOAD, {}) is not None

    async def canceling(self, runs: list[str]) -> list[str]:
        """Which of these runs somebody has asked to terminate."""
        data = await self._ask(_STATUS, {"ids": runs}) or {}
        return [run["runId"] for run in data.get("runsOrError", {}).get("results", ())]

    async def answers(self) -> bool:
        return await self._ask("{ version }", {}) is not None

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        return await asyncio.to_thread(self._post, query, variables)

    def _post(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": variables})
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT)
        try:
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read()).get("data")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
