"""What people write beside a definition: description, tags, owners, metadata."""

from __future__ import annotations

from codeloc import metadata
from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping, Optional

    from typing_extensions import TypedDict

    from codeloc.arguments import Arguments

    class Labels(TypedDict, total=False):
        """The keyword arguments that every definition takes.

        `description`: the function's docstring unless given. `tags`: text by key.
        `owners`: e-mail addresses or `team:NAME`. `metadata`: anything JSON can hold.
        """

        description: Optional[str]
        tags: Optional[Mapping[str, str]]
        owners: Optional[Iterable[str]]
        metadata: Optional[Mapping[str, Any]]


TAG_SECTION = 63
"""Characters of a tag's namespace and of its name, as Kubernetes and Dagster limit them."""


def tags(arguments: Arguments, value: object) -> dict[str, str]:
    found = arguments.mapping("tags", value)
    for key, tag in found.items():
        arguments.text(f"tags[{key!r}]", tag)
        if not _is_tag_key(key):
            form = f"[NAMESPACE/]NAME, each of 1 to {TAG_SECTION} letters, digits, '_', '-', '.'"
            raise arguments.invalid("tags", f"{key!r} is not a tag's key: {form}")
    return found


def owners(arguments: Arguments, value: object) -> list[str]:
    found = [arguments.text(place, item) for place, item in arguments.items("owners", value, "str")]
    for index, owner in enumerate(found):
        if not _is_owner(owner):
            complaint = f"{owner!r} is neither an e-mail address nor team:NAME"
            raise arguments.invalid(f"owners[{index}]", complaint)
    return found


def metadata_of(arguments: Arguments, value: object) -> dict[str, Any]:
    found = arguments.mapping("metadata", value)
    return {key: metadata.plain(arguments, f"metadata[{key!r}]", found[key]) for key in found}


def _is_tag_key(key: str) -> bool:
    sections = key.split("/")
    return len(sections) <= 2 and all(_is_tag_section(section) for section in sections)


def _is_tag_section(section: str) -> bool:
    letters = section.replace("-", "a").replace(".", "a").replace("_", "a")
    return len(section) <= TAG_SECTION and letters.isascii() and letters.isalnum()


def _is_owner(owner: str) -> bool:
    if owner.startswith("team:"):
        return bool(owner[len("team:") :].strip())
    user, _, host = owner.partition("@")
    return bool(user and host) and "@" not in host and len(owner.split()) == 1
