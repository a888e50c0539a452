"""Certificates of a lab."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def certificates(folder: Path, addresses: Sequence[str]) -> dict[str, str]:
    """A CA and a certificate for these addresses; the variables by which Ray takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, key, request, certificate = (
        folder / name for name in ("ca.pem", "key.pem", "request.pem", "cert.pem")
    )
    quiet = {"check": True, "capture_output": True}
    subject, new = ["-subj", "/CN=lab"], ["req", "-newkey", "rsa:2048", "-nodes"]
    own = ["-x509", "-days", "2", "-keyout", str(folder / "ca.key"), "-out", str(ca)]
    subprocess.run(["openssl", *new, *own, *subject], **quiet)  # type: ignore[call-overload]
    asked = ["-keyout", str(key), "-out", str(request)]
    subprocess.run(["openssl", *new, *asked, *subject], **quiet)  # type: ignore[call-overload]
    names = folder / "names"
    names.write_text("subjectAltName=" + ",".join(f"IP:{each}" for each in addresses))
    signing = [
        "x509",
        "-req",
        "-in",
        str(request),
        "-CA",
        str(ca),
        "-CAkey",
        str(folder / "ca.key"),
    ]
    signing += ["-CAcreateserial", "-days", "2", "-extfile", str(names), "-out", str(certificate)]
    subprocess.run(["openssl", *signing], **quiet)  # type: ignore[call-overload]
    return {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(certificate),
        "RAY_TLS_SERVER_KEY": str(key),
        "RAY_TLS_CA_CERT": str(ca),
    }
