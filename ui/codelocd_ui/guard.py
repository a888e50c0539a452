"""Who may ask the page for what: decided from a request's own words, without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from codelocd_ui.secret import Session, is_same

HEADER = "x-codelocd"
"""The request header that carries the second half: no other site's page can add it."""
BODY_BYTES = 64 * 1024
WRONG_TOKENS, MINUTE = 10, 60.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status of HTTP and one line for people; nothing of what was asked for."""

    status: int
    why: str


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says of itself; header names are lower case.

    `is_api`: it asks for data or an order, and not for the shell, which holds no data.
    """

    method: str
    headers: Mapping[str, str]
    is_api: bool = False
    is_login: bool = False
    is_socket: bool = False


@dataclass(slots=True)
class Guard:
    """The rules of one page.

    `hosts`: names that the header `Host` may have; empty: any, as on a Unix socket whose proxy
    checks them. `cookie_name` holds the port, because browsers do not separate cookies by it.
    `is_behind_login`: a proxy lets through only those who have logged in there.
    """

    session: Session
    hosts: Collection[str]
    cookie_name: str
    read_only: bool = False
    is_behind_login: bool = False
    _wrong: deque[float] = field(default_factory=deque)

    def refusal(self, asking: Asking) -> Refusal | None:
        """Why the request is not answered; None where it is."""
        return (
            self._of_host(asking)
            or self._of_site(asking)
            or (self._of_order(asking) if asking.method == "POST" else None)
            or (self._of_session(asking) if asking.is_api and not asking.is_login else None)
        )

    def login(self, token: str, now: float) -> Refusal | None:
        """Whether the token is the link's; at most ten wrong ones a minute are looked at.

        `now`: seconds of any clock that does not go back.
        """
        if self.is_behind_login:
            return None
        while self._wrong and now - self._wrong[0] > MINUTE:
            self._wrong.popleft()
        if len(self._wrong) >= WRONG_TOKENS:
            return Refusal(429, "too many wrong tokens; try again in a minute")
        if not is_same(token, self.session.token):
            self._wrong.append(now)
            return Refusal(403, "this link is not valid here; run `codelocd ui --url`")
        return None

    def is_second_half(self, told: object) -> bool:
        return isinstance(told, str) and is_same(told, self.session.header)

    def _of_host(self, asking: Asking) -> Refusal | None:
        host = asking.headers.get("host", "")
        if self.hosts and host.lower() not in self.hosts:
            return Refusal(421, "this page does not have that name; allow it in [ui] allowed_hosts")
        return None

    def _of_site(self, asking: Asking) -> Refusal | None:
        """Another site's page may lead here by a link, and may do nothing else."""
        origin = asking.headers.get("origin")
        if origin is None:
            if asking.is_socket:
                return Refusal(403, "a socket needs an Origin")
        elif urlsplit(origin).netloc.lower() != asking.headers.get("host", "").lower():
            return Refusal(403, "this page answers no other site")
        if asking.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            leads_here = asking.headers.get("sec-fetch-mode") == "navigate" and not asking.is_api
            if not leads_here or asking.method != "GET":
                return Refusal(403, "this page answers no other site")
        return None

    def _of_order(self, asking: Asking) -> Refusal | None:
        if asking.headers.get("origin") is None:
            return Refusal(403, "a change needs an Origin")
        content = asking.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content != "application/json":
            return Refusal(415, "a change is application/json")
        size = asking.headers.get("content-length", "")
        if not size.isdecimal():
            return Refusal(411, "a change says how long it is")
        if int(size) > BODY_BYTES:
            return Refusal(413, f"a change has at most {BODY_BYTES} bytes")
        if self.read_only and not asking.is_login:
            return Refusal(403, "this page is read-only")
        return None

    def _of_session(self, asking: Asking) -> Refusal | None:
        """A socket proves its second half by its first message: browsers add no header to it."""
        if not is_same(self._cookie(asking), self.session.cookie):
            return Refusal(401, "log in with the link that `codelocd ui --url` prints")
        if not asking.is_socket and not self.is_second_half(asking.headers.get(HEADER, "")):
            return Refusal(401, "log in with the link that `codelocd ui --url` prints")
        return None

    def _cookie(self, asking: Asking) -> str:
        for pair in asking.headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie_name:
                return value
        return ""


def hosts(host: str, port: int, allowed: Collection[str]) -> frozenset[str]:
    """The values of `Host` that mean this page, in lower case."""
    named = {*LOOPBACK, *([f"[{host}]" if ":" in host else host] if host in LOOPBACK else ())}
    with_port = {f"{name}:{port}" for name in named}
    return frozenset({*with_port, *(named if port == 80 else ()), *map(str.lower, allowed)})
