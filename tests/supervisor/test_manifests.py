"""Manifests of Kubernetes are what its published schemas allow, and hold no secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from codelocd.engine.manifests import SECRET, TLS_SECRET, TOKEN_FILE, kubernetes
from codelocd.placement import EngineSettings, Tls

validate = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed: no schemas to compare with"
)

SETTINGS = EngineSettings(
    "ray", "head:6379", token="secret" * 8, tls=Tls(Path("c"), Path("k"), Path("a")), redis="r:6379"
)


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, tls=None, insecure=True)])
@pytest.mark.parametrize("version", ["1.28", "1.37"])
def test_each_document_is_what_the_schema_of_the_version_allows(settings, version):
    text = kubernetes(settings, "codelocd:1", 3)
    documents = list(yaml.safe_load_all(text))
    kinds = [each["kind"] for each in documents]
    assert kinds.count("Deployment") == 3
    assert {"Service", "NetworkPolicy", "PersistentVolumeClaim"} <= set(kinds)
    for each in documents:
        validate.validate(each, version, strict=True)


def test_the_schemas_refuse_a_slip_of_the_pen():
    text = kubernetes(SETTINGS, "codelocd:1", 3).replace("containerPort", "containrePort")
    head = next(e for e in yaml.safe_load_all(text) if e["metadata"]["name"].endswith("-head"))
    deployment = next(e for e in yaml.safe_load_all(text) if e["kind"] == "Deployment")
    validate.validate(head, "1.37", strict=True)
    with pytest.raises(validate.ValidationError):
        validate.validate(deployment, "1.37", strict=True)


def test_the_token_is_referred_to_and_never_written():
    text = kubernetes(SETTINGS, "codelocd:1", 3)
    assert "secretsecret" not in text
    assert "secretKeyRef" in text
    assert "RAY_USE_TLS" in text


def test_the_daemon_writes_the_token_where_its_config_is_to_look_for_it():
    text = kubernetes(SETTINGS, "codelocd:1", 3)
    assert f'token_file = "{TOKEN_FILE}", tls = {{ cert = "/etc/codelocd/tls/cert.pem"' in text
    assert f"umask 077 && printenv RAY_AUTH_TOKEN > {TOKEN_FILE} && exec codelocd serve" in text


def test_without_a_token_no_secret_for_one_is_asked_for():
    text = kubernetes(replace(SETTINGS, insecure=True, token=None), "codelocd:1", 3)
    assert "insecure = true" in text
    assert "RAY_AUTH" not in text
    assert SECRET not in text.replace(TLS_SECRET, "")
