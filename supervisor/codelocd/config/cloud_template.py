"""What the templates of a dagster_cloud.yaml are there for: values of variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TEXT = r"""(?:"([^"\n]*)"|'([^'\n]*)')"""
_GET_ENV = re.compile(
    r"\{\{\s*get_env\(\s*" + _TEXT + r"\s*(?:,\s*(?:default\s*=\s*)?" + _TEXT + r"\s*)?\)\s*\}\}"
)


def rendered(text: str, environ: Mapping[str, str]) -> str:
    """With each `{{ get_env("NAME", "default") }}` replaced, without a default by "".

    Dagster renders all of jinja (`dagster_cloud_cli/config/jinja_template_loader.py`); what is
    more than this one function stays as it is.
    """

    def value(found: re.Match[str]) -> str:
        double, single, *default = found.groups()
        return environ.get(double or single or "", next(filter(None, default), ""))

    return _GET_ENV.sub(value, text)
