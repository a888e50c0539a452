"""What speaks to Ray, and what runs on a node: a process of its own, in the engine's environment.

The standard library, Ray and msgpack, which Ray depends on; Python 3.11. The daemon imports none of
it.
"""
