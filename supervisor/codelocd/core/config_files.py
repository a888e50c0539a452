"""The names of the files, and of the tables in them, that make a folder a project."""

CODELOCD_TOML = "codelocd.toml"
DG_TOML = "dg.toml"
WORKSPACE = "workspace.yaml"
WORKSPACE_YML = "workspace.yml"
BUILD = "build.yaml"
DAGSTER_CLOUD = "dagster_cloud.yaml"

FILES = (CODELOCD_TOML, DG_TOML, WORKSPACE, WORKSPACE_YML, BUILD, DAGSTER_CLOUD)

PYPROJECT = "pyproject.toml"

TOOLS = ("codelocd", "dagster", "dg")
"""A table of one of these names under [tool] in pyproject.toml counts, too; the first one wins."""
