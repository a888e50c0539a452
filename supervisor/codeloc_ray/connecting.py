"""What has to be right before Ray is asked for anything, and what its refusals mean.

It is imported before Ray, which reads its variables when it is imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from typing import Any

from codeloc_ray import asking
from codeloc_ray.errors import EngineError

REACH = 5.0
"""Seconds for the head to take a connection."""


def prepare(settings: Mapping[str, Any]) -> None:
    """Blocks for some seconds. Raises EngineError, one line for each thing that can be wrong."""
    _check_token(settings)
    _check_reach(settings["address"])
    _check_tls(settings["address"], settings.get("tls"))
    _check_raylet(settings["address"])
    _check_versions(settings["address"])
    set_variables(settings)


def _check_token(settings: Mapping[str, Any]) -> None:
    if not settings.get("token") and not settings.get("insecure"):
        raise EngineError(
            "usage",
            "[engine] has no token: a user who reaches a cluster without one runs any code on"
            " it; set token_file, and RAY_AUTH_MODE=token on all nodes, or insecure = true",
            "token",
        )


def _check_reach(address: str) -> None:
    name, _, port = address.rpartition(":")
    try:
        socket.create_connection((name, int(port)), REACH).close()
    except (OSError, ValueError) as failure:
        what = f"the cluster's head at {address} cannot be reached: {failure}"
        raise EngineError("down", f"{what}; is it running there?", "unreachable") from None


def _check_tls(address: str, tls: Mapping[str, str] | None) -> None:
    """Ray itself would say nothing for a long time."""
    if tls is None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if _refusal(address, context) is None:
            what = f"the cluster at {address} uses TLS: name its files in [engine] tls"
            raise EngineError("usage", f"{what} = {{ cert, key, ca }}", "tls")
        return
    try:
        context = ssl.create_default_context(cafile=tls["ca"])
        context.load_cert_chain(tls["cert"], tls["key"])
    except OSError as failure:
        what = f"[engine] tls cannot be used: {failure.strerror or failure}"
        raise EngineError("usage", f"{what} ({', '.join(tls.values())})", "tls") from None
    if (refusal := _refusal(address, context)) is not None:
        raise _of_tls(refusal, address, tls)


def _of_tls(refusal: Exception, address: str, tls: Mapping[str, str]) -> EngineError:
    if isinstance(refusal, ssl.SSLCertVerificationError):
        what = f"the certificate of {address} was not signed by {tls['ca']}, or is not for"
        why = refusal.verify_message
        return EngineError("usage", f"{what} that address ({why}); name the cluster's CA", "tls")
    what = f"{address} does not speak TLS, which [engine] tls asks for ({refusal})"
    return EngineError("usage", f"{what}; set RAY_USE_TLS=1 on all nodes", "tls")


def _refusal(address: str, context: ssl.SSLContext) -> Exception | None:
    """Why a handshake fails; None where it does not."""
    name, _, port = address.rpartition(":")
    context.set_alpn_protocols(["h2"])  # gRPC's
    try:
        with (
            socket.create_connection((name, int(port)), REACH) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            return None
    except OSError as failure:
        return failure


def _check_raylet(address: str) -> None:
    if asking.own_raylet(address) is None:
        what = f"no Ray of the cluster at {address} runs on this machine, which has to be a part"
        remedy = f"ray start --address={address} --num-cpus=0"
        raise EngineError("usage", f"{what} of it; run: {remedy}", "unreachable")


def _check_versions(address: str) -> None:
    """Ray takes no other Ray and no other Python; what it does with one differs by version. Where
    the cluster's cannot be asked, Ray has to say it."""
    found = asking.answer(address)
    if "problem" not in found and (found["version"], found["python"]) != own_versions():
        raise _of_versions(found)


def own_versions() -> tuple[str | None, str]:
    """The Ray and the Python of this process."""
    try:
        version: str | None = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        version = None
    return version, sys.version.split()[0]


def _of_versions(found: Mapping[str, str]) -> EngineError:
    needs = {"ray": found.get("version"), "python": found.get("python")}
    version, python = own_versions()
    own = f"{'no Ray' if version is None else f'Ray {version}'} on Python {python}"
    what = f"the engine's environment has {own}, and the cluster"
    what = f"{what} Ray {needs['ray']} on Python {needs['python']}; both have to be equal: change"
    remedy = "[engine] environment, or leave it out, and codelocd builds what fits"
    return EngineError("usage", f"{what} {remedy}", "version", needs=needs)


def set_variables(settings: Mapping[str, Any]) -> None:
    """Ray reads them when it connects."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"  # what matters of it is told in one line
    if settings.get("token"):
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=settings["token"])
    if tls := settings.get("tls"):
        os.environ.update(
            RAY_USE_TLS="1",
            RAY_TLS_SERVER_CERT=tls["cert"],
            RAY_TLS_SERVER_KEY=tls["key"],
            RAY_TLS_CA_CERT=tls["ca"],
        )


def silent(settings: Mapping[str, Any]) -> EngineError:
    address = settings["address"]
    if settings.get("tls"):
        remedy = "is [engine] tls the cluster's own: its CA, and a certificate that this CA signed?"
        return EngineError("usage", f"{address} answers nothing over TLS; {remedy}", "tls")
    remedy = "does the cluster use TLS, which [engine] tls would name?"
    return EngineError("down", f"{address} answers nothing; {remedy}", "unreachable")


def explained(failure: Exception, settings: Mapping[str, Any]) -> EngineError:
    """Ray's own words are pages: what they mean, in a line."""
    text, address = f"{type(failure).__name__}: {failure}", settings["address"]
    lowered = text.lower()
    if "version mismatch" in lowered:
        return _of_versions(asking.answer(address))
    if "auth" in lowered or "token" in lowered or "unauthenticated" in lowered:
        what = f"the cluster at {address} refuses the token of [engine]; it is another one there,"
        return EngineError("usage", f"{what} or RAY_AUTH_MODE is not token", "token")
    if (
        settings.get("token") and "failed to connect" in lowered
    ):  # what it says of one that is wrong
        what = f"the cluster at {address} refuses the token of [engine]: it is another one there"
        return EngineError("usage", f"{what}, or RAY_AUTH_MODE=token is not set", "token")
    if settings.get("insecure") and "failed to connect" in lowered:
        what = f"the cluster at {address} refuses [engine], which has no token"
        also = ", or see whether its tls is the cluster's own" if settings.get("tls") else ""
        return EngineError("usage", f"{what}; name the cluster's token_file{also}", "token")
    if settings.get("tls") or "ssl" in lowered or "certificate" in lowered:
        return silent(settings)
    line = text.splitlines()[0][:200]
    return EngineError("down", f"the cluster at {address} cannot be joined: {line}", "unreachable")
