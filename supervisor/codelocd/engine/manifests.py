"""Manifests of Kubernetes for a cluster of Ray and the daemon that places locations on it. Pure.

The daemon's pod has a second container, which is a node of the cluster without processors: Ray's
clients need one on their own machine. None of this has been run: tests compare it with the
published schemas of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from codelocd.placement import EngineSettings

PORT = 6379
"""Of Ray's head (`ray start --port`)."""

SECRET, KEY = "codelocd-engine", "token"
TLS_SECRET, TLS_FOLDER = "codelocd-engine-tls", "/etc/codelocd/tls"
CONFIG, CONFIG_FOLDER = "codelocd-config", "/etc/codelocd/config"
TOKEN_FILE = "/tmp/token"  # noqa: S105, S108  in the daemon's own pod
"""A mounted secret can be read by the pod's group, which the config refuses: so it is written."""
STATE, STATE_FOLDER = "codelocd-state", "/var/lib/codelocd"
USER = 65532
"""A user without a name, as images without root have it."""

NAME = {"app.kubernetes.io/name": "codelocd"}

Document = dict[str, Any]


def kubernetes(settings: EngineSettings, image: str, workers: int) -> str:
    """All of it as one YAML text of several documents."""
    documents = [
        _service(),
        _deployment("codelocd-ray-head", "head", 1, _pod([_head(settings, image)], settings)),
        _deployment(
            "codelocd-ray-worker", "worker", workers, _pod([_worker(settings, image)], settings)
        ),
        _claim(),
        _deployment("codelocd", "daemon", 1, _daemon(settings, image)),
        _policy(),
    ]
    told = [
        "# Made by `codelocd engine manifests --kubernetes`. Make these first:",
        f"#   kubectl create configmap {CONFIG} --from-file=codelocd.toml",
    ]
    needs = [f'kind = "ray", address = "codelocd-ray-head:{PORT}"']
    if settings.insecure:
        needs.append("insecure = true")
    else:
        told.append(f"#   kubectl create secret generic {SECRET} --from-file={KEY}=FILE")
        needs.append(f'token_file = "{TOKEN_FILE}"')
    if settings.tls is not None:
        words = "--from-file=cert.pem --from-file=key.pem --from-file=ca.pem"
        told.append(f"#   kubectl create secret generic {TLS_SECRET} {words}")
        files = ", ".join(f'{each} = "{TLS_FOLDER}/{each}.pem"' for each in ("cert", "key", "ca"))
        needs.append(f"tls = {{ {files} }}")
    told.append(f"# [engine] of that codelocd.toml: {', '.join(needs)}")
    texts = (f"---\n{yaml.safe_dump(each, sort_keys=False)}" for each in documents)
    return "\n".join([*told, "".join(texts)])


def _metadata(name: str, role: str) -> Document:
    return {"name": name, "labels": _labels(role)}


def _labels(role: str) -> dict[str, str]:
    return {**NAME, "app.kubernetes.io/component": role}


def _service() -> Document:
    """Without an address of its own: Ray's processes speak to each other on many ports."""
    ports = [{"name": "gcs", "port": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata("codelocd-ray-head", "head"),
        "spec": {"clusterIP": "None", "selector": _labels("head"), "ports": ports},
    }


def _deployment(name: str, role: str, replicas: int, pod: Document) -> Document:
    """One that ends the old pods before it starts new ones: two heads would be two clusters."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, role),
        "spec": {
            "replicas": replicas,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _labels(role)},
            "template": {"metadata": {"labels": _labels(role)}, "spec": pod},
        },
    }


def _pod(
    containers: list[Document], settings: EngineSettings, volumes: Iterable[Document] = ()
) -> Document:
    tls = [{"name": "tls", "secret": {"secretName": TLS_SECRET}}] if settings.tls else []
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "fsGroup": USER},
        "containers": containers,
        "volumes": [{"name": "tmp", "emptyDir": {}}, *tls, *volumes],
    }


def _container(
    name: str, image: str, script: str, settings: EngineSettings, mounts: Iterable[Document] = ()
) -> Document:
    tls = [{"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True}] if settings.tls else []
    return {
        "name": name,
        "image": image,
        "command": ["/bin/sh", "-c", script],
        "env": _variables(settings),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *tls, *mounts],  # noqa: S108
    }


def _variables(settings: EngineSettings) -> list[Document]:
    plain = {"RAY_USAGE_STATS_ENABLED": "0", "HOME": "/tmp"}  # noqa: S108  the container's own
    if not settings.insecure:
        plain["RAY_AUTH_MODE"] = "token"
    if settings.tls is not None:
        plain["RAY_USE_TLS"] = "1"
        for variable, file in (("SERVER_CERT", "cert"), ("SERVER_KEY", "key"), ("CA_CERT", "ca")):
            plain[f"RAY_TLS_{variable}"] = f"{TLS_FOLDER}/{file}.pem"
    found: list[Document] = [{"name": name, "value": value} for name, value in plain.items()]
    if not settings.insecure:
        key = {"secretKeyRef": {"name": SECRET, "key": KEY}}
        found.append({"name": "RAY_AUTH_TOKEN", "valueFrom": key})
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [*found, {"name": "POD_IP", "valueFrom": address}]


def _head(settings: EngineSettings, image: str) -> Document:
    words = f'exec ray start --head --port={PORT} --node-ip-address="$POD_IP" --num-cpus=0 --block'
    container = _container("head", image, words, settings)
    if settings.redis is not None:
        container["env"].append({"name": "RAY_REDIS_ADDRESS", "value": settings.redis})
    container["ports"] = [{"name": "gcs", "containerPort": PORT}]
    container["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 5}
    return container


def _worker(settings: EngineSettings, image: str) -> Document:
    return _container("worker", image, _joining(""), settings)


def _joining(more: str) -> str:
    address = f"codelocd-ray-head:{PORT}"
    return f'exec ray start --address={address} --node-ip-address="$POD_IP"{more} --block'


def _daemon(settings: EngineSettings, image: str) -> Document:
    """With a part of the cluster beside it that has no processors, in the same pod."""
    mounts: list[Document] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "state", "mountPath": STATE_FOLDER},
    ]
    serve = f"exec codelocd serve --user -c {CONFIG_FOLDER}/codelocd.toml"
    if not settings.insecure:
        serve = f"umask 077 && printenv RAY_AUTH_TOKEN > {TOKEN_FILE} && {serve}"
    daemon = _container("daemon", image, serve, settings, mounts)
    daemon["env"].append({"name": "STATE_DIRECTORY", "value": STATE_FOLDER})
    joined = _container("node", image, _joining(" --num-cpus=0"), settings)
    volumes: list[Document] = [
        {"name": "config", "configMap": {"name": CONFIG}},
        {"name": "state", "persistentVolumeClaim": {"claimName": STATE}},
    ]
    return {**_pod([daemon, joined], settings, volumes), "shareProcessNamespace": True}


def _claim() -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(STATE, "daemon"),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def _policy() -> Document:
    """Who reaches a port of Ray can do anything there: only the parts of the cluster may."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata("codelocd", "network"),
        "spec": {
            "podSelector": {"matchLabels": dict(NAME)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": dict(NAME)}}]}],
        },
    }
