"""The documents that the daemon sends, that clients get and that `render` shows.

docs/protocol.md says what each key means; a test compares the two. Type checkers read these
modules, and `core.whole`, which makes a document of another version fit: a command that imported
them would start later, so every other import of them stands below `if TYPE_CHECKING`.
"""
