"""The kinds of values that the tables of a config take: text, durations, sizes, variables."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from codeloc_envs import credentials
from codelocd.config import quantities
from codelocd.config.errors import UnfitError
from codelocd.config.variables import NAME


def _schema(units: dict[str, float] | dict[str, int], **number: Any) -> WithJsonSchema:
    text = {"type": "string", "pattern": quantities.pattern(units)}
    return WithJsonSchema({"anyOf": [{"type": "number", **number}, text]})


def _variable(value: object) -> object:
    """A string, a whole number as one, the name of a variable as `FromEnv`, or that of a credential
    as `FromCredential`; UnfitError.

    Not `true` and not 1.10: it is not clear which text a program would get for them.
    """
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, dict) and list(value) == ["from_env"]:
        name = value["from_env"]
        if isinstance(name, str) and NAME.fullmatch(name):
            return FromEnv(from_env=name)
    if isinstance(value, dict) and list(value) == ["credential"]:
        return FromCredential(credential=_credential_name(value["credential"]))
    remedy = 'write it in quotes, or as { from_env = "NAME" }'
    raise UnfitError(
        "is neither a string nor a whole number nor { from_env } nor { credential }", remedy
    )


def _credential_name(name: object) -> str:
    if not isinstance(name, str) or not credentials.NAME.fullmatch(name):
        raise UnfitError("is not a name for a credential", "name it as LoadCredential= does")
    return name


def _variable_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UnfitError(
            "is not a name for a variable", "use letters, digits and `_`, no digit first"
        )
    return name


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^/]", text):
        raise UnfitError("is no address on the web", "write it as https://HOST/PATH")
    return text


CredentialName = Annotated[
    str,
    PlainValidator(_credential_name),
    WithJsonSchema({"type": "string", "pattern": f"^{credentials.NAME.pattern}$"}),
]
Text = Annotated[str, StringConstraints(min_length=1)]
Duration = Annotated[
    float,
    BeforeValidator(quantities.seconds),
    Field(ge=0),
    _schema(quantities.SECONDS, minimum=0),
]
Timeout = Annotated[
    float,
    BeforeValidator(quantities.seconds),
    Field(gt=0),
    _schema(quantities.SECONDS, exclusiveMinimum=0),
]
WebAddress = Annotated[str, AfterValidator(_web_address), WithJsonSchema({"type": "string"})]
Port = Annotated[int, Field(ge=1, le=65535)]
Size = Annotated[
    int,
    BeforeValidator(quantities.size),
    Field(gt=0),
    _schema(quantities.BYTES, exclusiveMinimum=0),
]


class Table(BaseModel):
    """A table: no key but those it names, no value but of the type it names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FromEnv(Table):
    """A value that is taken from a variable of the daemon when the config is read."""

    from_env: Text = Field(description="Name of the variable; an unset one is an error.")


class FromCredential(Table):
    """A value that is read from a credential of the service at each start of a runner."""

    credential: Text = Field(description="Name of the file in $CREDENTIALS_DIRECTORY.")


def _named(key: str, pattern: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: {"type": "string", "pattern": f"^{pattern}$"}},
        "required": [key],
        "additionalProperties": False,
    }


Variable = Annotated[
    str | FromEnv | FromCredential,
    PlainValidator(_variable),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"]},
                _named("from_env", NAME.pattern),
                _named("credential", credentials.NAME.pattern),
            ]
        }
    ),
]
VariableName = Annotated[str, PlainValidator(_variable_name), WithJsonSchema({"type": "string"})]
