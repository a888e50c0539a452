"""Renews what the page has from npm: `make vendor`. Each file, its version and its digest stand in
`vendor.json`, which a test compares with the files.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / "ui" / "codelocd_ui" / "static" / "vendor"
FILES = {
    "preact": {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    "htm": {"dist/htm.module.js": "htm.js"},
    "uplot": {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
    "@fontsource-variable/inter": {"files/inter-latin-wght-normal.woff2": "inter.woff2"},
    "@fontsource-variable/jetbrains-mono": {
        "files/jetbrains-mono-latin-wght-normal.woff2": "jetbrains-mono.woff2"
    },
}


def main() -> None:
    listed = {}
    for package, files in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            packed = subprocess.run(
                ["npm", "pack", "--silent", "--pack-destination", folder, package],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()[-1]
            with tarfile.open(Path(folder, packed)) as archive:
                listed[package] = {
                    "version": json.loads(read(archive, "package.json"))["version"],
                    "license": json.loads(read(archive, "package.json"))["license"],
                    "files": {},
                }
                short = package.rpartition("/")[2]
                taken = {**files, "LICENSE": f"{short}.LICENSE.txt"}
                for source, name in taken.items():
                    content = adapted(name, read(archive, source))
                    (TARGET / name).write_bytes(content)
                    listed[package]["files"][name] = hashlib.sha256(content).hexdigest()
    (TARGET / "vendor.json").write_text(json.dumps(listed, indent=2) + "\n")


def read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"package/{name}")
    assert file is not None
    return file.read()


def adapted(name: str, content: bytes) -> bytes:
    """A module that a browser finds without a map of names, without its source map, and that the
    check of types leaves alone.
    """
    if not name.endswith(".js"):
        return content
    lines = [line for line in content.splitlines() if not line.startswith(b"//# sourceMappingURL")]
    content = b"// @ts-nocheck\n" + b"\n".join(lines).rstrip() + b"\n"
    content = content.replace(b'from"preact"', b'from"./preact.js"')
    content = content.replace(b'from "preact"', b'from "./preact.js"')
    return content + b"export default uPlot;\n" if name == "uplot.js" else content


if __name__ == "__main__":
    main()
