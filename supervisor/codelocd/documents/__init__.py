"""The documents that the daemon sends, that clients get and that `render` shows.

docs/protocol.md says what each key means; a test compares the two. Only type checkers read these
modules: a command that imported them would start later, so every import of them stands below
`if TYPE_CHECKING`.
"""
